"""How does an order reach a receiver of signed webhooks?

Source: Standard Webhooks 1.0.0, through the package of its authors. The id of a message is the key
of its order, so a receiver that keeps to the standard takes it once.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator
from standardwebhooks import Webhook as Signer

from approvals.connectors import templates
from approvals.connectors.calling import (
    REFUSED,
    Called,
    HttpLine,
    Pointer,
    Provider,
    Reading,
    Refusal,
    Success,
    body_template,
)
from approvals.connectors.declaring import Secret, Table, action_of
from approvals.connectors.messages import packed
from approvals.connectors.protocol import (
    Finding,
    Listed,
    NotReached,
    Order,
    Public,
    RetryClass,
)
from console.canonical import Json
from console.reaching.exchanging import Request

KEY_BYTES_AT_LEAST = 24


def _template(value: Any) -> Any:
    found = body_template(value)
    if problem := templates.objection_to(found):
        raise ValueError(problem)
    return found


class Action(Table):
    """One kind of message; without a body it says type, time and all parameters."""

    type: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")] = ""
    body: Annotated[Any, AfterValidator(_template)] = None
    success: list[Success] = Field([200, 201, 202, 204], min_length=1)
    refused: list[Refusal] = Field(list(REFUSED))
    reference: Pointer = ""


class Settings(Called):
    """What is declared of a connector of kind `webhook`; while rotating it has two secrets."""

    can_keep: ClassVar[frozenset[RetryClass]] = frozenset({"keyed", "blind"})

    kind: Literal["webhook"]
    secrets: list[Secret] = Field(min_length=1, max_length=2)
    actions: dict[str, Action] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_keys_that_sign(self) -> "Settings":
        for each in self.secrets:
            if not _is_key(each.get_secret_value()):
                raise ValueError("secrets: each is whsec_ and at least 24 bytes in base64")
        return self


class Webhook:
    """One receiver of signed messages."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Take the settings. Raises: BadTarget."""
        self._settings = settings
        self._provider = Provider(settings)
        self._public = settings.public(
            name, self._provider.address, actions=tuple(sorted(settings.actions))
        )

    @property
    def public(self) -> Public:
        """Return what everybody may know."""
        return self._public

    def build(self, order: Order) -> bytes:
        """Return the message as it is kept, without its signatures."""
        action = self._action(order)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Countersign",
            **self._settings.headers,
            "webhook-id": order.key,
        }
        body = _body(action, order)
        return packed(self._provider.request("POST", None, headers, body))

    def reach(self, order: Order, until: float) -> HttpLine:
        """Connect, with TLS."""
        action = self._action(order)
        reading = Reading(frozenset(action.success), frozenset(action.refused), action.reference)
        keys = [each.get_secret_value() for each in self._settings.secrets]
        return _Signed(self._provider, self._provider.connect(until), reading, keys)

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Say that there is nobody to ask."""
        return Finding("unclear", detail="A receiver of webhooks cannot be asked.")

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """Refuse: there is no list."""
        raise NotReached("A receiver of webhooks has no list.")

    def test(self, until: float) -> str:
        """Connect, with TLS, and hang up."""
        self._provider.connect(until).close()
        return f"{self._public.address} answers, and its certificate is valid."

    def _action(self, order: Order) -> Action:
        return action_of(order, self._settings.actions, self._public.name)


class _Signed(HttpLine):
    """A line over which every message is signed as it leaves: a signature has a time."""

    def __init__(self, *line: Any) -> None:
        *rest, self._keys = line
        super().__init__(*rest)

    def completed(self, request: Request) -> Request:
        at = datetime.now(UTC).replace(microsecond=0)
        name, text = request.headers["webhook-id"], request.body.decode()
        signatures = [Signer(key).sign(name, at, text) for key in self._keys]
        signed = {
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        return super().completed(replace(request, headers={**request.headers, **signed}))


def _body(action: Action, order: Order) -> bytes:
    if action.body is not None:
        return templates.body(action.body, order)
    kind = action.type or order.action
    kept: dict[str, Json] = {"type": kind, "timestamp": templates.moment(order)}
    return templates.written({**kept, "data": dict(order.params)})


def _is_key(secret: str) -> bool:
    if not secret.startswith("whsec_"):
        return False
    try:
        return len(base64.b64decode(secret[6:], validate=True)) >= KEY_BYTES_AT_LEAST
    except (binascii.Error, ValueError):
        return False
