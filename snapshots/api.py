"""States over HTTP: read them at any version, compare, ask who changed what, name, bring in."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from ninja import Field, Path, Query, Router, Schema, Status
from pydantic import ConfigDict

from console.access.bearer import Bearer, ClientRequest
from console.endpoints import PROBLEMS
from console.errors import Invalid
from console.limiting.meeting import meet_download
from console.streaming import streamed
from snapshots import queries
from snapshots.operations import importing, marking
from snapshots.patches import as_patch
from snapshots.showing import bundle, programs
from snapshots.showing.history import Asked

router = Router()
Kind = Literal["record", "memory"]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Reason = Annotated[str, Field(max_length=500)]
Limit = Annotated[int, Query(ge=1, le=100)]
JSON_PATCH = "application/json-patch+json"
Values = Literal["value", "nothing", "let_go", "large"]
# With a minus an address is none, so nobody is even asked for a token there.
Number = Annotated[int, Path(ge=0)]
Causes = Literal["import", "proposal", "outside", "rollback", "memory", "sweep"]
_LINES: dict[str, Any] = {"schema": {"type": "string"}}


class StateIn(Schema):
    """A document that is to be a State; `digest` is what its SHA-256 must be, if you know it."""

    model_config = ConfigDict(extra="forbid")

    key: Key
    document: Any
    digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    kind: Kind = "record"
    list_keys: Annotated[dict[str, str], Field(default_factory=dict)]
    reason: Reason = ""


class StateOut(Schema):
    """A State and where it stands: number, digest and epoch are those of its newest snapshot."""

    id: UUID
    key: str
    kind: Literal["record", "memory", "policies"]
    mirrors: str
    list_keys: dict[str, str]
    number: int
    digest: str
    epoch: int
    document_bytes: int
    created_at: datetime
    changed_at: datetime


class StatePage(Schema):
    """Some States in the order of their keys; `next_cursor` continues, empty at the end."""

    items: list[StateOut]
    next_cursor: str


class ActorOut(Schema):
    """Who did it."""

    kind: str
    id: str
    name: str


class MarkIn(Schema):
    """A name or a pin for a snapshot; `name` only for the kind `name`."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["name", "pin"]
    number: Annotated[int, Field(ge=1, lt=2**53)]
    name: Annotated[str, Field(max_length=80)] = ""
    reason: Reason = ""


class MarkOut(Schema):
    """What hangs on a snapshot, or, without a number, on the whole State."""

    id: UUID
    kind: Literal["name", "pin", "hold"]
    number: int | None
    name: str
    reason: str
    by: ActorOut
    created_at: datetime
    removed_at: datetime | None


class MarkList(Schema):
    """Everything that hangs on a State and its snapshots."""

    items: list[MarkOut]


class SnapshotOut(Schema):
    """One version of a State; `is_let_go` says that retention has let its content go."""

    number: int
    digest: str
    epoch: int
    cause: Causes
    cause_id: str
    actor: ActorOut
    reason: str
    document_bytes: int
    change_count: int
    is_let_go: bool
    names: list[str]
    is_pinned: bool
    created_at: datetime


class SnapshotPage(Schema):
    """Some snapshots, newest first; `next_cursor` continues, empty at the end."""

    items: list[SnapshotOut]
    next_cursor: str


class Comparison(Schema):
    """What differs between two snapshots: `old` is what stood there, `value` what stands there."""

    from_number: int
    to_number: int
    from_digest: str
    to_digest: str
    changes: list[dict[str, Any]]


class TurnOut(Schema):
    """One change of a value. `was` and `became` say whether `before` and `after` hold it.

    `nothing` means that there was none, `let_go` that retention let it go, `large` that it is
    longer than 20,000 bytes: ask for the content of that snapshot at the path.
    """

    snapshot: SnapshotOut
    was: Values
    before: Any = None
    became: Values
    after: Any = None


class BlamePage(Schema):
    """When a value changed, newest first; `place` names items of lists by their key."""

    place: str
    items: list[TurnOut]
    next_cursor: str


@router.get(
    "", auth=Bearer("states:read"), response={200: StatePage, **PROBLEMS}, summary="List States"
)
def list_states(
    request: ClientRequest, prefix: str = "", cursor: str = "", limit: Limit = 50
) -> StatePage:
    """List the workspace's States whose key begins with `prefix`, in the order of their keys."""
    shown = programs.states(request.actor.workspace_id, prefix, cursor, limit)
    return StatePage.model_validate(shown)


@router.post(
    "",
    auth=Bearer("states:write"),
    response={201: StateOut, **PROBLEMS},
    summary="Bring a document under version control",
)
def make_state(request: ClientRequest, payload: StateIn) -> Status[StateOut]:
    """Make a State of a document; a key that is taken is refused, nothing is written over."""
    wanted = importing.Wanted(
        key=payload.key,
        reason=payload.reason,
        kind=payload.kind,
        list_keys=payload.list_keys,
        digest=payload.digest,
    )
    head = importing.import_document(
        actor=request.actor, wanted=wanted, document=payload.document, now=datetime.now(UTC)
    )
    return Status(HTTPStatus.CREATED, _state(request, head.state_id))


@router.post(
    "/import",
    auth=Bearer("states:write"),
    response={201: StateOut, **PROBLEMS},
    summary="Bring in a bundle",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/octet-stream": _LINES}}
    },
)
def import_state(
    request: ClientRequest,
    key: Annotated[str, Query(max_length=200)] = "",
    reason: Annotated[str, Query(max_length=500)] = "",
) -> Status[StateOut]:
    """Make a State of a bundle (`countersign-state/1`), sent as the body just as it was exported.

    Every digest in it is recomputed; all of it is taken in, or nothing. At most 1,000,000 bytes:
    larger ones come in by `manage.py import_state`.
    """
    head = importing.import_bundle(
        actor=request.actor,
        lines=request.body.splitlines(keepends=True),
        key=key,
        reason=reason,
        now=datetime.now(UTC),
    )
    return Status(HTTPStatus.CREATED, _state(request, head.state_id))


@router.get(
    "/{uuid:state_id}",
    auth=Bearer("states:read"),
    response={200: StateOut, **PROBLEMS},
    summary="Look at one State",
)
def get_state(request: ClientRequest, state_id: UUID) -> StateOut:
    """Say where a State stands."""
    return _state(request, state_id)


@router.get(
    "/{uuid:state_id}/snapshots",
    auth=Bearer("states:read"),
    response={200: SnapshotPage, **PROBLEMS},
    summary="List a State's snapshots",
)
def list_snapshots(
    request: ClientRequest,
    state_id: UUID,
    cause: Causes | None = None,
    *,
    marked: bool = False,
    cursor: str = "",
    limit: Limit = 50,
) -> SnapshotPage:
    """List who changed a State, when and why, newest first; `marked` keeps to what hangs marks."""
    asked = Asked(cursor=cursor, cause=cause or "", marked="1" if marked else "")
    shown = programs.snapshots(request.actor.workspace_id, state_id, asked, limit)
    return SnapshotPage.model_validate(shown)


@router.get(
    "/{uuid:state_id}/snapshots/{int:number}",
    auth=Bearer("states:read"),
    response={200: SnapshotOut, **PROBLEMS},
    summary="Look at one snapshot",
)
def get_snapshot(request: ClientRequest, state_id: UUID, number: Number) -> SnapshotOut:
    """Say who made a snapshot, when and why."""
    shown = programs.snapshot(request.actor.workspace_id, state_id, number)
    return SnapshotOut.model_validate(shown)


@router.get(
    "/{uuid:state_id}/snapshots/{int:number}/content",
    auth=Bearer("states:read"),
    response={200: Any, 304: None, **PROBLEMS},
    summary="Read what a State held",
)
def get_content(
    request: ClientRequest, state_id: UUID, number: Number, path: str | None = None
) -> HttpResponse:
    """Send a snapshot's content, or the value at a path (JSON Pointer).

    The whole is the very bytes whose SHA-256 is the digest. The `ETag` is the digest, so that
    `If-None-Match` spares whoever has it. 410 where retention has let the content go.
    """
    digest = queries.snapshot(request.actor.workspace_id, state_id, number).digest
    headers = {"ETag": f'"{digest}"'}
    if _has(request, digest):
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    content = programs.content(state_id, number, path)
    return HttpResponse(content, content_type="application/json", headers=headers)


@router.get(
    "/{uuid:state_id}/compare",
    auth=Bearer("states:read"),
    response={200: Comparison, **PROBLEMS},
    summary="Compare two snapshots",
    openapi_extra={
        "responses": {
            200: {"content": {JSON_PATCH: {"schema": {"type": "array", "items": {}}}}},
        }
    },
)
def compare(
    request: ClientRequest,
    state_id: UUID,
    a: str = "",
    b: str = "",
    format: Literal["", "changes", "json-patch"] = "",  # noqa: A002  (the word of the address)
) -> Comparison | HttpResponse:
    """Return what turns snapshot `a` into `b`; each is a number or a name, else the last change.

    As changes that know what stood there, or, with `format=json-patch` or the header
    `Accept: application/json-patch+json`, as a JSON Patch (RFC 6902).
    """
    found = programs.compared(request.actor.workspace_id, state_id, a, b)
    if format == "json-patch" or (not format and request.headers.get("Accept") == JSON_PATCH):
        return HttpResponse(programs.written(as_patch(found.changes)), content_type=JSON_PATCH)
    return Comparison.model_validate(found.to_json())


@router.get(
    "/{uuid:state_id}/blame",
    auth=Bearer("states:read"),
    response={200: BlamePage, **PROBLEMS},
    summary="Ask when a value changed, and by whom",
)
def blame(
    request: ClientRequest, state_id: UUID, path: str = "", cursor: str = "", limit: Limit = 25
) -> BlamePage:
    """List the snapshots that changed the value at a path, with the value before and after.

    A path is a JSON Pointer in the newest snapshot, `/payments/3/amount`; an item of a list may
    be named by its key instead, `/payments/[p17]/amount`, also one that is there no more.
    """
    shown = programs.blame(request.actor.workspace_id, state_id, path, cursor, limit)
    return BlamePage.model_validate(shown)


@router.get(
    "/{uuid:state_id}/export",
    auth=Bearer("states:read"),
    response={200: Any, **PROBLEMS},
    summary="Take a whole State out as a bundle",
    openapi_extra={"responses": {200: {"content": {bundle.MEDIA_TYPE: _LINES}}}},
)
def export_state(request: ClientRequest, state_id: UUID) -> StreamingHttpResponse:
    """Send every snapshot of a State, line by line, sealed with a digest (`countersign-state/1`).

    A stream that ends without its seal failed on the way.
    """
    meet_download(request, request.actor)
    _, lines = bundle.exported(request.actor.workspace_id, state_id)
    return streamed(request, lines, content_type=bundle.MEDIA_TYPE, headers={})


@router.get(
    "/{uuid:state_id}/marks",
    auth=Bearer("states:read"),
    response={200: MarkList, **PROBLEMS},
    summary="List names, pins and legal holds",
)
def list_marks(request: ClientRequest, state_id: UUID) -> MarkList:
    """List what hangs on a State and its snapshots; the first 1,000, newest snapshot first."""
    return MarkList.model_validate(programs.marks_of(request.actor.workspace_id, state_id))


@router.post(
    "/{uuid:state_id}/marks",
    auth=Bearer("states:write"),
    response={201: MarkOut, **PROBLEMS},
    summary="Name or pin a snapshot",
)
def make_mark(request: ClientRequest, state_id: UUID, payload: MarkIn) -> Status[MarkOut]:
    """Hang a name or a pin on a snapshot; twice is once. Only a person puts on a legal hold."""
    put: dict[str, Any] = {
        "actor": request.actor,
        "state_id": state_id,
        "number": payload.number,
        "reason": payload.reason,
        "now": datetime.now(UTC),
    }
    if payload.kind == "pin" and payload.name:
        raise Invalid("A pin has no name.", field="name")
    mark = marking.pin(**put) if payload.kind == "pin" else marking.name(**put, called=payload.name)
    return Status(HTTPStatus.CREATED, MarkOut.model_validate(programs.mark(mark)))


@router.delete(
    "/{uuid:state_id}/marks/{uuid:mark_id}",
    auth=Bearer("states:write"),
    response={200: MarkOut, **PROBLEMS},
    summary="Take a name or a pin off",
)
def remove_mark(
    request: ClientRequest,
    state_id: UUID,
    mark_id: UUID,
    reason: Annotated[str, Query(max_length=500)] = "",
) -> MarkOut:
    """Take a mark off; one that is off already stays off. Only a person lifts a legal hold.

    A token takes off only what it, its maker or another token of theirs put on.
    """
    mark = marking.unmark(
        actor=request.actor,
        state_id=state_id,
        mark_id=mark_id,
        reason=reason,
        now=datetime.now(UTC),
    )
    return MarkOut.model_validate(programs.mark(mark))


def _state(request: ClientRequest, state_id: UUID) -> StateOut:
    return StateOut.model_validate(programs.state(request.actor.workspace_id, state_id))


def _has(request: ClientRequest, digest: str) -> bool:
    """Tell whether the client says that it has this content."""
    sent = request.headers.get("If-None-Match", "").split(",")
    return bool({f'"{digest}"', "*"} & {tag.strip().removeprefix("W/") for tag in sent})
