"""What a refusal is: an error that a rule anticipated.

Each app keeps its own refusals beside the verb that raises them; this file only says
what every refusal has, and how it is written for a program (RFC 9457).
"""

from typing import ClassVar

from console.canonical import Json


class Refused(Exception):
    """The request was understood and refused."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "refused"

    def __init__(self, sentence: str = "", **details: Json) -> None:
        """Keep the sentence a person reads; `details` are what a program branches on."""
        summary = (type(self).__doc__ or "").strip().splitlines()[0]
        self.sentence = sentence or summary
        self.details = details
        super().__init__(self.sentence)

    def problem(self) -> dict[str, Json]:
        """Return the body of an `application/problem+json` answer."""
        return {
            "type": f"urn:countersign:problem:{self.code}",
            "title": (type(self).__doc__ or "").strip().splitlines()[0],
            "status": self.status,
            "code": self.code,
            "detail": self.sentence,
            **self.details,
        }


class NotFound(Refused):
    """There is nothing here under this name."""

    status = 404
    code = "not_found"


class Forbidden(Refused):
    """Your role does not allow this."""

    status = 403
    code = "forbidden"


class Conflict(Refused):
    """Somebody or something was faster."""

    status = 409
    code = "conflict"


class Invalid(Refused):
    """A value in the request cannot be used."""

    status = 422
    code = "invalid"


class KeyReused(Invalid):
    """The same key came before with another body."""

    code = "key_reused"
