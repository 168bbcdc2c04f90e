"""What may an operator write in the settings of a connector, and who may know of it?

The models of every kind begin here. A secret is written as `env:NAME` or `file:PATH`, read once
when the settings are loaded, and never part of what is shown, compared or stored.
"""

import ipaddress
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    model_validator,
)

from approvals.connectors.hiding import Veil
from approvals.connectors.protocol import CannotBuild, Order, Public, RetryClass
from console.canonical import digest
from console.reaching.targets import BadTarget, Reach, Target, networks_of, target

DEADLINE_BELOW_SECONDS = 25
SECRET_AT_LEAST = 8
_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_SLUG = r"^[a-z0-9][a-z0-9-]*$"


def _opened(written: object, info: ValidationInfo) -> object:
    """Read a secret from where it is kept; the sentence never says what it is."""
    if not isinstance(written, str) or not written.startswith(("env:", "file:")):
        raise ValueError('is a secret, and written as "env:NAME" or "file:PATH"')
    where, _, name = written.partition(":")
    text = _from_environment(name, info) if where == "env" else _from_file(name)
    if len(text) < SECRET_AT_LEAST:
        raise ValueError(f"is a secret of at least {SECRET_AT_LEAST} characters")
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("is a secret of letters, digits and signs of ASCII, in one line")
    return SecretStr(text)


def _from_environment(name: str, info: ValidationInfo) -> str:
    environ: Mapping[str, str] = (info.context or {}).get("environ", {})
    if name not in environ:
        raise ValueError(f"is missing: the environment has no {name}")
    return environ[name].strip()


def _from_file(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise ValueError(f"is missing: {name} cannot be read") from None


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f"{text!a} is not a network such as 10.2.0.0/16") from None


def _certificates(path: str) -> str:
    try:
        ssl.create_default_context(cafile=path)
    except OSError:
        raise ValueError(f"{path} is not a file of certificates") from None
    return path


Secret = Annotated[SecretStr, BeforeValidator(_opened)]
NetworkText = Annotated[str, AfterValidator(_network)]
CaFile = Annotated[str, AfterValidator(_certificates)]


class Table(BaseModel):
    """A table of the settings: strict, frozen, and silent about what was written."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, allow_inf_nan=False
    )


class Declared(Table):
    """What is declared of every connector; each kind says which classes it can keep."""

    can_keep: ClassVar[frozenset[RetryClass]] = frozenset()

    kind: str
    retry_class: RetryClass
    deadline_seconds: float = Field(10.0, gt=0, lt=DEADLINE_BELOW_SECONDS)
    settle_seconds: float = Field(60.0, ge=0)
    retention_seconds: float | None = Field(None, gt=0)
    workspaces: list[Annotated[str, Field(pattern=_SLUG)]] = []
    networks: list[NetworkText] = []
    ca_file: CaFile = ""

    @model_validator(mode="after")
    def _keeps_its_promise(self) -> "Declared":
        if self.retry_class not in self.can_keep:
            classes = " or ".join(sorted(self.can_keep))
            raise ValueError(
                f"retry_class: a connector of kind {self.kind!r} is {classes},"
                f" it cannot keep what {self.retry_class!r} promises"
            )
        if (self.retry_class == "keyed") != (self.retention_seconds is not None):
            raise ValueError(
                "retention_seconds: says how long a provider takes the same key for the same"
                " order, so what is keyed has it, and nothing else"
            )
        return self

    def reach(self, *ports: int) -> Reach:
        """Return what this connector may call: its own ports, and networks that it names."""
        return Reach(frozenset(ports), networks_of(self.networks))

    def all_secrets(self) -> list[str]:
        """Return every secret, for those who take them out of texts."""
        return list(_secrets_of(self))

    def veil(self) -> Veil:
        """Return what takes our secrets out of a text."""
        return Veil(self.all_secrets())

    def public(self, name: str, address: str, **more: Any) -> Public:
        """Return what everybody may know of this connector."""
        shown = shown_of(self)
        return Public(
            name=name,
            kind=self.kind,
            retry_class=self.retry_class,
            address=address[:300],
            digest=digest({"name": name, **shown}),
            workspaces=tuple(self.workspaces),
            deadline_seconds=self.deadline_seconds,
            settle_seconds=self.settle_seconds,
            retention_seconds=self.retention_seconds,
            extra=dict(more.pop("extra", {})),
            **more,
        )


def shown_of(table: BaseModel) -> dict[str, Any]:
    """Return what was written in a table; of a secret only that there is one.

    Only what was written: a default that we add later changes no digest.
    """
    return {name: _shown(getattr(table, name)) for name in sorted(table.model_fields_set)}


def http_target(url: str, networks: list[str]) -> Target:
    """Take the address of a provider apart; its port is the one that is called.

    Raises: BadTarget.
    """
    anywhere = Reach(_EVERY_PORT, networks_of(networks))
    found = target(url, anywhere)
    if "?" in found.path:
        raise BadTarget("An address ends before its question mark; the actions say the rest.")
    return found


_EVERY_PORT = frozenset(range(1, 65_536))
Named = TypeVar("Named")


def action_of(order: Order, actions: Mapping[str, Named], connector: str) -> Named:
    """Return what a connector declares of an order's action. Raises: CannotBuild."""
    try:
        return actions[order.action]
    except KeyError:
        raise CannotBuild(f"{connector} has no action {order.action}.") from None


def _shown(value: Any) -> Any:
    if _is_secret(value):
        return "secret"
    if isinstance(value, BaseModel):
        return shown_of(value)
    if isinstance(value, dict):
        return {key: _shown(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(each) for each in value]
    return value


def _is_secret(value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(each, SecretStr) for each in value)
    return isinstance(value, SecretStr)


def _secrets_of(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_of(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from _secrets_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from _secrets_of(each)
