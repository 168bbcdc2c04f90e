"""How is a provider called over HTTP, and what does its answer mean?

Only a status that the settings name as success is one, and only one that they name as refused
says that nothing was done. A redirect after POST may follow a thing that was done, so it is neither
followed nor taken for a refusal.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from approvals.connectors.declaring import Declared, Secret, Table, http_target
from approvals.connectors.hiding import Veil
from approvals.connectors.messages import opened
from approvals.connectors.protocol import NotReached, Receipt
from console.canonical import Json
from console.reaching.connecting import Unreached, Wire, connect
from console.reaching.exchanging import (
    ANSWER_BYTES,
    Answered,
    NoAnswer,
    NotWritten,
    Request,
    exchange,
)
from console.reaching.targets import BadTarget, Reach, Target
from snapshots.pointer import BadPointer, NothingThere, get, parse

SUCCESS = (200, 201, 204)
REFUSED = (400, 401, 403, 404, 422)
# Each of these may be said of an order that was, or is being, carried out.
_NEVER_REFUSED = frozenset({408, 409, 425, 429})
# An intermediary may repeat what is idempotent by itself, and then these are said of the repetition
# of an order that was carried out. Source: RFC 9110, 9.2.2.
_REPEATED, _OF_REPEATED = frozenset({"PUT", "DELETE"}), frozenset({404, 410, 412})
# What the connection needs, or what only a secret may say.
_OURS = re.compile(
    r"host|connection|content-(length|type)|transfer-encoding|te|upgrade|expect|trailer|cookie"
    r"|(proxy-)?authorization|if-(match|none-match|none-exist)|webhook-(id|timestamp|signature)",
    re.IGNORECASE,
)


def _status(number: int) -> int:
    if not 200 <= number <= 299:  # noqa: PLR2004  (the statuses of success)
        raise ValueError(f"{number} is no status of success (200 to 299)")
    return number


def _refusal(number: int) -> int:
    if not 400 <= number <= 499 or number in _NEVER_REFUSED:  # noqa: PLR2004  (of refusal)
        raise ValueError(f"{number} does not say that nothing was done")
    return number


def _pointer(path: str) -> str:
    try:
        parse(path)
    except BadPointer as error:
        raise ValueError(str(error)) from None
    return path


def _header_name(name: str) -> str:
    if _OURS.fullmatch(name):
        raise ValueError(f"the header {name} is not yours to set")
    return name


Success = Annotated[int, AfterValidator(_status)]
Refusal = Annotated[int, AfterValidator(_refusal)]
Pointer = Annotated[str, AfterValidator(_pointer)]
HeaderName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,79}$"), AfterValidator(_header_name)
]
HeaderText = Annotated[str, Field(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")]


class Basic(Table):
    """A user and a password."""

    user: Annotated[str, Field(pattern=r"^[^:\x00-\x1f\x7f]+$")]
    password: Secret


class Called(Declared):
    """What is declared of every connector that speaks HTTP."""

    url: str
    bearer: Secret | None = None
    basic: Basic | None = None
    headers: dict[HeaderName, HeaderText] = Field({})
    secret_headers: dict[HeaderName, Secret] = Field({})


@dataclass(frozen=True, slots=True)
class Reading:
    """What the settings say of answers: what is success, what a refusal, where the reference is."""

    success: frozenset[int] = frozenset(SUCCESS)
    refused: frozenset[int] = frozenset(REFUSED)
    reference: str = ""


def refusing(method: str, statuses: Iterable[int]) -> frozenset[int]:
    """Return which of these statuses say of an order of this method that nothing was done."""
    return frozenset(statuses) - (_OF_REPEATED if method in _REPEATED else frozenset())


class Provider:
    """One host that is called, with what proves who we are."""

    def __init__(self, settings: Called) -> None:
        """Take the settings. Raises: BadTarget."""
        self.target: Target = http_target(settings.url, settings.networks)
        self.allowed: Reach = settings.reach(self.target.port)
        self.veil: Veil = _veil(settings)
        self._ca_file = settings.ca_file
        self._proof = _proof(settings)

    @property
    def address(self) -> str:
        """Return what everybody may know of where it is."""
        return f"{self.target.scheme}://{self.target.authority}{self.prefix}"

    @property
    def prefix(self) -> str:
        """Return what every path begins with."""
        return self.target.path.rstrip("/")

    def request(
        self, method: str, path: str | None, headers: Mapping[str, str], body: bytes = b""
    ) -> Request:
        """Return a request without what proves who we are; without a path to the address itself."""
        asked = self.target.path if path is None else f"{self.prefix}{path}"
        return Request(method, asked, self.target.authority, headers, body)

    def connect(self, until: float) -> Wire:
        """Connect to the host. Raises: NotReached."""
        try:
            return connect(self.target, self.allowed, until, ca_file=self._ca_file)
        except (Unreached, BadTarget) as error:
            raise NotReached(self.veil.over(error.sentence)) from None

    def proven(self, request: Request) -> Request:
        """Add what proves who we are."""
        return replace(request, headers={**request.headers, **self._proof})

    def get(self, path: str, until: float, *, accept: str, at_most: int = ANSWER_BYTES) -> Answered:
        """Ask the host for something. Raises: NotReached."""
        wire = self.connect(until)
        asked = self.request("GET", path, {"Accept": accept, "User-Agent": "Countersign"})
        try:
            return exchange(wire, self.proven(asked), at_most=at_most)
        except NoAnswer as error:
            raise NotReached(error.sentence) from None
        except NotWritten as error:
            raise NotReached(str(error)) from None
        finally:
            wire.close()


class HttpLine:
    """An open connection, and what an answer over it would mean."""

    def __init__(self, provider: Provider, wire: Wire, reading: Reading) -> None:
        """Take an open connection."""
        self._provider, self._wire, self._reading = provider, wire, reading

    def send(self, body: bytes) -> Receipt:
        """Send a request that was written down, and say what came back."""
        try:
            answer = exchange(self._wire, self.completed(opened(body)))
        except NotWritten as error:
            return Receipt("refused", says=f"Nothing was sent. {error}")
        except NoAnswer as error:
            return Receipt("unknown", status=error.status, says=error.sentence)
        return self.receipt(answer)

    def receipt(self, answer: Answered) -> Receipt:
        """Say what an answer means."""
        return receipt(answer, self._reading, self._provider.veil)

    def completed(self, request: Request) -> Request:
        """Add what is not written down."""
        return self._provider.proven(request)

    def close(self) -> None:
        """Hang up."""
        self._wire.close()


def receipt(answer: Answered, reading: Reading, veil: Veil) -> Receipt:
    """Say what an answer means."""
    says = veil.shown(answer.body)
    if not answer.is_whole:
        return Receipt("unknown", status=answer.status, says=says)
    if answer.status in reading.refused:
        return Receipt("refused", status=answer.status, says=says)
    if answer.status not in reading.success:
        return Receipt("unknown", status=answer.status, says=says)
    reference = found_text(answer.body, reading.reference)
    # An answer without the reference that was declared is not the answer that was declared.
    outcome = "unknown" if reading.reference and not reference else "acknowledged"
    return Receipt(outcome, veil.reference(reference), answer.status, says)  # type: ignore[arg-type]


def found_text(body: bytes, pointer: str) -> str:
    """Return the text or whole number at a place of an answer, or nothing."""
    return text_at(value_of(body), pointer) if pointer else ""


def value_of(body: bytes) -> Json:
    """Read an answer as JSON; what is none is null."""
    try:
        value: Json = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value


def text_at(value: Json, pointer: str) -> str:
    """Return the text or whole number at a place, or nothing."""
    try:
        found = get(value, pointer)
    except NothingThere:
        return ""
    if isinstance(found, str):
        return found
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else ""


def _proof(settings: Called) -> dict[str, str]:
    proof = {name: each.get_secret_value() for name, each in settings.secret_headers.items()}
    if settings.bearer is not None:
        proof["Authorization"] = f"Bearer {settings.bearer.get_secret_value()}"
    elif settings.basic is not None:
        proof["Authorization"] = f"Basic {_joined(settings.basic)}"
    return proof


def _joined(basic: Basic) -> str:
    return base64.b64encode(f"{basic.user}:{basic.password.get_secret_value()}".encode()).decode()


def _veil(settings: Called) -> Veil:
    joined = [_joined(settings.basic)] if settings.basic is not None else []
    return Veil([*settings.all_secrets(), *joined])


def body_template(value: Any) -> Any:
    """Return a template of a body, if it is JSON. Raises: ValueError."""
    if isinstance(value, dict):
        return {str(name): body_template(each) for name, each in value.items()}
    if isinstance(value, list):
        return [body_template(each) for each in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError(f"a {type(value).__name__} is no JSON; write it as a text")
