"""How does an order change a FHIR server's record, and never one that has moved on?

An update names the version it was approved on (If-Match), a creation our identifier
(If-None-Exist). Both carry a tag with our key, by which their history can be asked.

Source: HL7 FHIR R4, 3.1.0 (RESTful API: update, conditional create, history, search).
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field, model_validator

from approvals.connectors import templates
from approvals.connectors.calling import (
    Called,
    HttpLine,
    Provider,
    Reading,
    body_template,
    refusing,
    text_at,
    value_of,
)
from approvals.connectors.declaring import Table, action_of
from approvals.connectors.messages import packed
from approvals.connectors.protocol import (
    CannotBuild,
    Finding,
    Listed,
    NotReached,
    Order,
    Public,
    Receipt,
    RetryClass,
)
from console.canonical import Json
from console.reaching.connecting import Wire
from console.reaching.exchanging import Answered, Request

FHIR = "application/fhir+json"
PAGE_BYTES = 1_000_000
PAGES_AT_MOST = 200
_REFUSED = (400, 401, 403, 404, 405, 410, 412, 422)
_METHODS = {"update": "PUT", "create": "POST"}
_OK = 200
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)


def _template(value: Any) -> Any:
    found = body_template(value)
    if problem := templates.objection_to(found):
        raise ValueError(problem)
    return found


Template = Annotated[Any, AfterValidator(_template)]


class Action(Table):
    """One interaction with a type of resource; `version` is that of the record as approved."""

    interaction: Literal["update", "create"]
    resource: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]{1,60}$")]
    id: Template = None
    version: Template = None
    body: Template

    @model_validator(mode="after")
    def _names_what_it_changes(self) -> "Action":
        if (self.interaction == "update") != (self.id is not None):
            raise ValueError("id: an update names the id of its resource, a creation has none")
        if self.interaction == "create" and self.version is not None:
            raise ValueError("version: what is created has no version yet")
        return self


class Settings(Called):
    """What is declared of a connector of kind `fhir`; `system` is whose our keys are."""

    can_keep: ClassVar[frozenset[RetryClass]] = frozenset({"queryable"})

    kind: Literal["fhir"]
    system: Annotated[str, Field(pattern=r"^(https?|urn):[\x21-\x7b\x7d\x7e]{1,200}$")]
    actions: dict[str, Action] = Field(min_length=1)


class Fhir:
    """One FHIR server."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Take the settings. Raises: BadTarget."""
        self._settings = settings
        self._provider = Provider(settings)
        self._public = settings.public(
            name,
            self._provider.address,
            actions=tuple(sorted(settings.actions)),
            can_ask=True,
            can_list=True,
            extra={"system": settings.system},
        )

    @property
    def public(self) -> Public:
        """Return what everybody may know."""
        return self._public

    def build(self, order: Order) -> bytes:
        """Return the request as it is kept; a version that is read later is not in it."""
        action = self._action(order)
        headers = {"Accept": FHIR, "Content-Type": FHIR, "User-Agent": "Countersign"}
        headers |= {"Prefer": "return=minimal", **self._settings.headers}
        resource = self._resource(action, order)
        if action.interaction == "create":
            query = f"identifier={quote(self._settings.system, safe='')}|{order.key}"
            headers["If-None-Exist"] = query
            path = f"/{action.resource}"
        else:
            if action.version is not None:
                headers["If-Match"] = f'W/"{_word(action.version, order, "version")}"'
            path = f"/{action.resource}/{_word(action.id, order, 'id')}"
        method = _METHODS[action.interaction]
        return packed(self._provider.request(method, path, headers, resource))

    def reach(self, order: Order, until: float) -> "_Line":
        """Connect, with TLS; where no version was approved, read the one that stands."""
        action = self._action(order)
        version = ""
        if action.interaction == "update" and action.version is None:
            version = self._version(f"/{action.resource}/{_word(action.id, order, 'id')}", until)
        refused = refusing(_METHODS[action.interaction], _REFUSED)
        reading = Reading(frozenset({200, 201}), refused)
        return _Line(self._provider, self._provider.connect(until), reading, version)

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Look for our key: among identifiers, or in a record's history."""
        try:
            return self._finding(order.key, self._first_page(order), until)
        except (NotReached, CannotBuild) as error:
            return Finding("unclear", detail=str(error))

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """Read what carries a tag of ours and was changed in a time."""
        tag = quote(f"{self._settings.system}|", safe="")
        span = f"_lastUpdated=ge{_moment(since)}&_lastUpdated=lt{_moment(until)}"
        for kind in sorted({each.resource for each in self._settings.actions.values()}):
            first = f"/{kind}?_tag={tag}&{span}&_count=100"
            for resource in self._resources(first, deadline):
                for key in self._keys(resource):
                    yield Listed(key, self._name(resource), _time(resource))

    def test(self, until: float) -> str:
        """Read the server's statement of what it can do, with what proves who we are."""
        answer = self._provider.get("/metadata", until, accept=FHIR, at_most=PAGE_BYTES)
        if answer.status != _OK:
            raise NotReached(f"The server answered {answer.status} when asked what it can do.")
        version = text_at(value_of(answer.body), "/fhirVersion")
        if not version.startswith("4.0"):
            raise NotReached("The server does not say that it speaks FHIR R4.")
        return f"{self._public.address} speaks FHIR {self._provider.veil.over(version, 20)}."

    def _action(self, order: Order) -> Action:
        return action_of(order, self._settings.actions, self._public.name)

    def _resource(self, action: Action, order: Order) -> bytes:
        found = templates.fill(action.body, templates.values_of(order))
        if not isinstance(found, dict) or found.get("resourceType") != action.resource:
            raise CannotBuild(f"The body is not a resource of type {action.resource}.")
        own: dict[str, Json] = {"system": self._settings.system}
        meta = found.get("meta")
        kept: dict[str, Json] = dict(meta) if isinstance(meta, dict) else {}
        resource = {**found, "meta": {**kept, "tag": _with(kept, "tag", own, code=order.key)}}
        if action.interaction == "create":
            resource["identifier"] = _with(found, "identifier", own, value=order.key)
        else:
            resource["id"] = _word(action.id, order, "id")
        return templates.written(resource)

    def _first_page(self, order: Order) -> str:
        action = self._action(order)
        if action.interaction == "create":
            token = quote(f"{self._settings.system}|{order.key}", safe="")
            return f"/{action.resource}?identifier={token}"
        return f"/{action.resource}/{_word(action.id, order, 'id')}/_history?_count=50"

    def _version(self, path: str, until: float) -> str:
        answer = self._provider.get(path, until, accept=FHIR, at_most=PAGE_BYTES)
        if answer.status != _OK:
            raise NotReached(f"The record answered {answer.status} when its version was read.")
        etag = answer.headers.get("etag", "")
        if etag.startswith('W/"') and etag.endswith('"'):
            return etag
        found = text_at(value_of(answer.body), "/meta/versionId")
        if not found:
            raise NotReached("The server names no version of the record.")
        return f'W/"{found}"'

    def _finding(self, key: str, first: str, until: float) -> Finding:
        # The oldest that carries our key is what we did; later ones only kept it.
        found = [each for each in self._resources(first, until) if key in self._keys(each)]
        if found:
            return Finding("executed", self._name(found[-1]), "Our key is on this version.")
        return Finding("absent", detail="No version carries our key.")

    def _keys(self, resource: Json) -> list[str]:
        places = [("/meta/tag", "code"), ("/identifier", "value")]
        found = [
            text_at(each, f"/{member}")
            for pointer, member in places
            for each in _list(resource, pointer)
            if text_at(each, "/system") == self._settings.system
        ]
        return [self._provider.veil.reference(key) for key in dict.fromkeys(found) if key]

    def _name(self, resource: Json) -> str:
        parts = [text_at(resource, at) for at in ("/resourceType", "/id", "/meta/versionId")]
        return self._provider.veil.reference(f'{parts[0]}/{parts[1]} W/"{parts[2]}"')

    def _resources(self, first: str, until: float) -> Iterator[Json]:
        path = first
        for _ in range(PAGES_AT_MOST):
            page = self._page(path, until)
            for entry in _list(page, "/entry"):
                yield entry.get("resource") if isinstance(entry, dict) else None
            path = self._next(page)
            if not path:
                return
        raise NotReached(f"The bundle has more than {PAGES_AT_MOST} pages.")

    def _page(self, path: str, until: float) -> Json:
        answer = self._provider.get(path, until, accept=FHIR, at_most=PAGE_BYTES)
        if answer.status != _OK or not answer.is_whole:
            raise NotReached(f"A page of the bundle answered {answer.status}, or was cut.")
        page = value_of(answer.body)
        if text_at(page, "/resourceType") != "Bundle":
            raise NotReached("The answer is no bundle.")
        return page

    def _next(self, page: Json) -> str:
        links = [each for each in _list(page, "/link") if text_at(each, "/relation") == "next"]
        if not links:
            return ""
        url = text_at(links[0], "/url")
        base = f"{self._public.address}/"
        # Whoever writes the next page elsewhere would have us bring our credentials there.
        if not url.startswith((base, f"{self._public.address}?")):
            raise NotReached("The next page of the bundle is on another server.")
        parts = urlsplit(url)
        path = parts.path.removeprefix(self._provider.prefix)
        return f"{path}?{parts.query}" if parts.query else path


class _Line(HttpLine):
    """A line to a FHIR server, and the version that stood when it was opened."""

    def __init__(self, provider: Provider, wire: Wire, reading: Reading, version: str) -> None:
        super().__init__(provider, wire, reading)
        self._version = version

    def completed(self, request: Request) -> Request:
        if not self._version:
            return super().completed(request)
        headers = {**request.headers, "If-Match": self._version}
        return super().completed(replace(request, headers=headers))

    def receipt(self, answer: Answered) -> Receipt:
        found = super().receipt(answer)
        if found.outcome != "acknowledged":
            return found
        return replace(found, reference=self._provider.veil.reference(_etag(answer)))


def _etag(answer: Answered) -> str:
    return " ".join(
        text for text in (answer.headers.get("location"), answer.headers.get("etag")) if text
    )


def _word(template: Any, order: Order, name: str) -> str:
    found = templates.fill(template, templates.values_of(order))
    text = str(found) if isinstance(found, int) and not isinstance(found, bool) else found
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise CannotBuild(f"The {name} is none that FHIR knows: letters, digits, - and .")
    return text


def _with(holder: dict[str, Json], name: str, own: dict[str, Json], **key: str) -> list[Json]:
    there = holder.get(name)
    return [*(there if isinstance(there, list) else []), {**own, **key}]


def _list(value: Json, pointer: str) -> list[Json]:
    found = value
    for part in pointer.strip("/").split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, list) else []


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(resource: Json) -> datetime:
    try:
        at = datetime.fromisoformat(text_at(resource, "/meta/lastUpdated"))
    except ValueError:
        raise NotReached("A record has no time that can be read.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
