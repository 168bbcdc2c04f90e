"""How does an order reach a provider that speaks HTTP and JSON?"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from approvals.connectors import templates
from approvals.connectors.calling import (
    REFUSED,
    SUCCESS,
    Called,
    HeaderName,
    HttpLine,
    Pointer,
    Provider,
    Reading,
    Refusal,
    Success,
    body_template,
    found_text,
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
    RetryClass,
)
from console.canonical import Json
from console.reaching.exchanging import Answered
from snapshots.pointer import NothingThere, get

JSON = "application/json"
# A page of a list is read further than an answer to an order, but not without end.
PAGE_BYTES = 1_000_000
PAGES_AT_MOST = 1_000
_OK = range(200, 300)


def _path(text: str) -> str:
    if not text.startswith("/") or not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("a path begins with / and has plain letters without spaces")
    if problem := templates.objection_to(text):
        raise ValueError(problem)
    return text


def _list_path(text: str) -> str:
    if problem := templates.objection_to(text, also=_LIST_HOLES):
        raise ValueError(problem)
    strange = templates.holes(text) - set(_LIST_HOLES)
    if not text.startswith("/") or strange:
        raise ValueError("the path of a list begins with / and asks for since, until, page, cursor")
    return text


def _template(value: Any) -> Any:
    found = body_template(value)
    if problem := templates.objection_to(found):
        raise ValueError(problem)
    return found


_LIST_HOLES = ("since", "until", "page", "cursor")
Path = Annotated[str, AfterValidator(_path)]


class Action(Table):
    """One operation of a provider."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: Path
    body: Annotated[Any, AfterValidator(_template)] = None
    success: list[Success] = Field(list(SUCCESS), min_length=1)
    refused: list[Refusal] = Field(list(REFUSED))
    reference: Pointer = ""


class Ask(Table):
    """How a provider is asked what became of a key.

    Nothing is `absent` unless it is named: a wrong path, or a proxy, says 404 too.
    """

    path: Path
    key: Pointer = ""
    reference: Pointer = ""
    status: Pointer = ""
    executed: list[str] = Field([])
    refused: list[str] = Field([])
    absent: list[Refusal] = Field([])
    absent_at: Pointer = ""
    absent_words: list[str] = Field([])

    @model_validator(mode="after")
    def _names_what_it_reads(self) -> "Ask":
        if "key" not in templates.holes(self.path):
            raise ValueError("path: asks for one order, by {{key}}")
        if bool(self.status) != bool(self.executed):
            raise ValueError("status: stands together with executed, the words that mean it is")
        if bool(self.absent_at) != bool(self.absent_words):
            raise ValueError("absent_at: stands together with absent_words, which it has to say")
        if self.absent_words and not self.absent:
            raise ValueError("absent: names the statuses whose answers say absent_words")
        return self


class Listing(Table):
    """How a provider lists what it carried out."""

    path: Annotated[str, AfterValidator(_list_path)]
    items: Pointer = ""
    key: Pointer
    reference: Pointer
    at: Pointer
    text: Pointer = ""
    next: Pointer = ""

    @model_validator(mode="after")
    def _turns_pages_in_one_way(self) -> "Listing":
        asked = templates.holes(self.path)
        if bool(self.next) != ("cursor" in asked) or {"page", "cursor"} <= asked:
            raise ValueError("path: turns pages by {{page}}, or by {{cursor}} together with next")
        return self


class Settings(Called):
    """What is declared of a connector of kind `http`."""

    can_keep: ClassVar[frozenset[RetryClass]] = frozenset({"keyed", "queryable", "blind"})

    kind: Literal["http"]
    key_header: HeaderName | None = None
    actions: dict[str, Action] = Field(min_length=1)
    ask: Ask | None = None
    list: Listing | None = None

    @model_validator(mode="after")
    def _can_do_what_its_class_promises(self) -> "Settings":
        if self.retry_class == "queryable" and self.ask is None:
            raise ValueError("ask: what is queryable says how it is asked")
        if self.retry_class == "keyed" and self.key_header is None:
            for name, each in self.actions.items():
                if "key" not in templates.holes([each.path, each.body]):
                    raise ValueError(
                        f"actions.{name}: what is keyed says where the key goes, in key_header,"
                        " path or body"
                    )
        return self


class Http:
    """One provider that speaks HTTP and JSON."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Take the settings. Raises: BadTarget."""
        self._settings = settings
        self._provider = Provider(settings)
        self._public = settings.public(
            name,
            self._provider.address,
            actions=tuple(sorted(settings.actions)),
            can_ask=settings.ask is not None,
            can_list=settings.list is not None,
            extra={"key_header": settings.key_header} if settings.key_header else {},
        )

    @property
    def public(self) -> Public:
        """Return what everybody may know."""
        return self._public

    def build(self, order: Order) -> bytes:
        """Return the request as it is kept: first line, headers, canonical JSON."""
        action = self._action(order)
        headers = {"Accept": JSON, "User-Agent": "Countersign", **self._settings.headers}
        if self._settings.key_header:
            headers[self._settings.key_header] = order.key
        body = b""
        if action.body is not None:
            headers["Content-Type"] = JSON
            body = templates.body(action.body, order)
        path = templates.path(action.path, templates.values_of(order))
        return packed(self._provider.request(action.method, path, headers, body))

    def reach(self, order: Order, until: float) -> HttpLine:
        """Connect, with TLS."""
        action = self._action(order)
        refused = refusing(action.method, action.refused)
        reading = Reading(frozenset(action.success), refused, action.reference)
        return HttpLine(self._provider, self._provider.connect(until), reading)

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Ask for the key of an order."""
        ask = self._settings.ask
        if ask is None:
            return Finding("unclear", detail="This provider cannot be asked.")
        try:
            path = templates.path(ask.path, templates.values_of(order))
            answer = self._provider.get(path, until, accept=JSON)
        except (NotReached, CannotBuild) as error:
            return Finding("unclear", detail=str(error))
        return self._finding(ask, order.key, answer)

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """Read the provider's list, page by page."""
        listing = self._settings.list
        if listing is None:
            raise NotReached("This provider has no list.")
        values: dict[str, Json] = {"since": _moment(since), "until": _moment(until)}
        values |= {"page": 1, "cursor": ""}
        for page in range(1, PAGES_AT_MOST + 1):
            read = self._page(listing, values, deadline)
            lines = _items(read, listing.items)
            yield from (self._line(listing, line) for line in lines)
            cursor = text_at(read, listing.next) if listing.next else ""
            if not _goes_on(listing, lines, cursor):
                return
            if listing.next and cursor == values["cursor"]:
                raise NotReached("The list names the same page again.")
            values |= {"page": page + 1, "cursor": cursor}
        raise NotReached(f"The list has more than {PAGES_AT_MOST} pages.")

    def test(self, until: float) -> str:
        """Connect, with TLS, and hang up: HTTP has no greeting that is not a request."""
        self._provider.connect(until).close()
        return f"{self._public.address} answers, and its certificate is valid."

    def _action(self, order: Order) -> Action:
        return action_of(order, self._settings.actions, self._public.name)

    def _finding(self, ask: Ask, key: str, answer: Answered) -> Finding:
        says = self._provider.veil.shown(answer.body)
        if _is_absent(ask, answer):
            return Finding("absent", detail=says)
        if answer.status not in _OK or not answer.is_whole:
            return Finding("unclear", detail=says or f"Answered {answer.status}.")
        found = value_of(answer.body)
        reference = self._provider.veil.reference(text_at(found, ask.reference))
        if (ask.key and text_at(found, ask.key) != key) or (ask.reference and not reference):
            return Finding("unclear", detail=says)
        return Finding(_word(ask, found), reference, says)

    def _page(self, listing: Listing, values: Mapping[str, Json], deadline: float) -> Json:
        path = templates.path(listing.path, values)
        answer = self._provider.get(path, deadline, accept=JSON, at_most=PAGE_BYTES)
        if answer.status not in _OK:
            raise NotReached(f"The list answered {answer.status}.")
        if not answer.is_whole:
            raise NotReached(f"A page of the list has more than {PAGE_BYTES} bytes.")
        return value_of(answer.body)

    def _line(self, listing: Listing, line: Json) -> Listed:
        veil = self._provider.veil
        reference = veil.reference(text_at(line, listing.reference))
        return Listed(
            # What has no key of ours is told by its own name, so that it is not passed over.
            key=veil.reference(text_at(line, listing.key)) or reference,
            reference=reference,
            at=_time(text_at(line, listing.at)),
            text=veil.over(text_at(line, listing.text)) if listing.text else "",
        )


def _is_absent(ask: Ask, answer: Answered) -> bool:
    if answer.status not in ask.absent or not answer.is_whole:
        return False
    return not ask.absent_at or found_text(answer.body, ask.absent_at) in ask.absent_words


def _word(ask: Ask, found: Json) -> Any:
    if not ask.status:
        return "executed"
    word = text_at(found, ask.status)
    if word in ask.executed:
        return "executed"
    return "refused" if word in ask.refused else "unclear"


def _items(read: Json, pointer: str) -> list[Json]:
    try:
        found = get(read, pointer)
    except NothingThere:
        found = None
    if not isinstance(found, list):
        raise NotReached("The list is not where the settings say.")
    return found


def _goes_on(listing: Listing, lines: list[Json], cursor: str) -> bool:
    if listing.next:
        return bool(cursor)
    return bool(lines) and "page" in templates.holes(listing.path)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NotReached("A line of the list has no time that can be read.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
