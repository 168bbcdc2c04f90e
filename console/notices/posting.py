"""How does a message reach another host, and come to an end whatever that host does?

One POST: to addresses that were looked at, no proxy, no redirect, no cookie, one deadline for all
of it, and only the beginning of the answer is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from console.reaching.connecting import Unreached, connect
from console.reaching.exchanging import Answered, NoAnswer, NotWritten, Request, exchange
from console.reaching.targets import BadTarget, Reach, Target, target
from console.steady import steady

TIMEOUT_SECONDS = 5.0
ANSWER_CHARACTERS = 500
_ANSWER_BYTES = 2_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try: a status, or 0 and the reason why there is none."""

    status: int
    says: str = ""
    problem: str = ""

    @property
    def is_taken(self) -> bool:
        """Tell whether the receiver took the message: any 2xx, and nothing else."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Reach,
    *,
    timeout: float = TIMEOUT_SECONDS,
) -> Answer:
    """Send a message once and return what came of it; it never raises for what a host does."""
    until = steady() + timeout
    try:
        wanted = target(url, allowed)
        answer = _exchanged(wanted, allowed, _message(wanted, body, headers), until)
    except (BadTarget, Unreached) as refused:
        return Answer(0, problem=refused.sentence)
    except NotWritten as refused:
        return Answer(0, problem=str(refused))
    except NoAnswer as error:
        # A status with half a body is still what the receiver says of the message.
        return Answer(error.status or 0, problem=_about(error.status) or error.sentence)
    return Answer(answer.status, _beginning(answer.body), _about(answer.status))


def _exchanged(wanted: Target, allowed: Reach, message: Request, until: float) -> Answered:
    wire = connect(wanted, allowed, until)
    try:
        return exchange(wire, message, at_most=_ANSWER_BYTES)
    finally:
        wire.close()


def _message(wanted: Target, body: bytes, headers: Mapping[str, str]) -> Request:
    sent = {"Content-Type": "application/json", "User-Agent": "Countersign-Webhooks", **headers}
    return Request("POST", wanted.path, wanted.authority, sent, body)


def _about(status: int | None) -> str:
    if status is None or HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return ""
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"Answered {status}: a redirect is not followed."
    return f"Answered {status}."


def _beginning(body: bytes) -> str:
    return body.decode(errors="replace").replace("\x00", "�")[:ANSWER_CHARACTERS]
