"""Bring a document or a whole bundle under version control, as a State that was not there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json, Unreadable
from console.errors import Conflict, Invalid
from console.ids import new_id
from console.ledger.operations.appending import append
from console.live import ring
from snapshots import content as contents
from snapshots import pointer, stored
from snapshots.bundles import Bundle, BundleRefused, Delta, Held, LetGo, Told, Whole
from snapshots.diff import diff
from snapshots.models import Snapshot, State
from snapshots.operations.creating import KeyTaken, create_state
from snapshots.operations.writing import Form, Why, whole, write
from snapshots.queries import Head, as_head, find

KEY_AT_MOST: Final = 200
REASON_AT_MOST: Final = 500
LIST_KEYS_AT_MOST: Final = 100
# What is below a record: `<record>/agents/<agent>` is a memory, `<record>/recoveries` what is left
# to do after a rollback.
_MEMORIES: Final = "/agents/"
_RECOVERIES: Final = "/recoveries"
# The policies of a workspace stand here; they are changed by proposals alone.
_POLICIES: Final = "policies"


class KeyUnusable(Invalid):
    """A key is up to 200 characters that can be seen, in segments between single slashes."""

    code = "key_unusable"


class ReservedKey(Invalid):
    """Memories, recoveries and policies come about in their own way; nothing is imported there."""

    code = "reserved_key"


class DigestDiffers(Invalid):
    """The document does not have the digest that was expected, so it was not taken in."""

    code = "digest_differs"


class BundleInvalid(Invalid):
    """This is no bundle that can be believed, so nothing of it was taken in."""

    code = "bundle_invalid"


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a new State is to be called, and how the items of its lists are told apart.

    `digest` is what the document's SHA-256 must be; empty where nobody has said.
    """

    key: str
    reason: str
    kind: str = "record"
    list_keys: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""


@dataclass(frozen=True, slots=True)
class _Importer(Actor):
    """Whoever imports, with what the file says of the version: nobody here has seen that happen."""

    said: dict[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """Return what a row keeps."""
        return {**Actor.to_json(self), "said": self.said}


def import_document(*, actor: Actor, wanted: Wanted, document: Json, now: datetime) -> Head:
    """Make a State whose first snapshot is a document that came from outside.

    Raises: KeyTaken (409), KeyUnusable, ReservedKey, DigestDiffers, Invalid (422).
    """
    _refuse_unless_usable(actor, wanted)
    try:
        digest = contents.content_digest(document)
    except contents.NotContent as error:
        raise Invalid(str(error), field="document") from error
    if wanted.digest and wanted.digest != digest:
        sentence = f"The document's digest is {digest}, not the one that was expected."
        raise DigestDiffers(sentence, digest=digest)
    try:
        return create_state(
            actor=actor,
            key=wanted.key,
            document=document,
            reason=wanted.reason.strip(),
            now=now,
            list_keys=dict(wanted.list_keys),
            kind=wanted.kind,
        )
    except KeyTaken as error:
        raise _taken(wanted.key) from error


def import_bundle(
    *, actor: Actor, lines: Iterable[bytes], key: str = "", reason: str, now: datetime
) -> Head:
    """Make a State of a bundle, all of it or nothing, under the key it names or another.

    Every digest is recomputed. What the bundle says of who and why is kept as its word: here the
    versions are of the cause `import`, by whoever imports.
    Raises: KeyTaken (409), KeyUnusable, ReservedKey, BundleInvalid (422).
    """
    try:
        bundle = Bundle(lines)
        header = bundle.header
        wanted = Wanted(key or header.key, reason, header.kind, header.list_keys)
        _refuse_unless_usable(actor, wanted)
        with transaction.atomic():
            head = _written(actor, wanted, bundle, now)
            body: dict[str, Json] = {
                "key": head.key,
                "snapshots": head.number,
                "digest": head.digest,
                "bundle": bundle.seal,
                "reason": reason.strip(),
            }
            append(actor, "state.imported", f"state:{head.state_id}", body)
            ring("states", actor.workspace_id)
    except BundleRefused as error:
        raise BundleInvalid(str(error)) from error
    except Unreadable as error:
        raise BundleInvalid(error.sentence) from error
    return head


def _refuse_unless_usable(actor: Actor, wanted: Wanted) -> None:
    segments = wanted.key.split("/")
    shown = wanted.key.isprintable() and all(part == part.strip() for part in segments)
    if not shown or not all(segments) or len(wanted.key) > KEY_AT_MOST:
        raise KeyUnusable(field="key")
    if _is_reserved(actor, wanted):
        raise ReservedKey(field="key")
    if len(wanted.reason) > REASON_AT_MOST or "\0" in wanted.reason:
        raise Invalid(f"A reason has at most {REASON_AT_MOST} characters.", field="reason")
    if objection := _objection_to(wanted.list_keys):
        raise Invalid(objection, field="list_keys")
    if find(actor.workspace_id, wanted.key) is not None:
        raise _taken(wanted.key)


def _is_reserved(actor: Actor, wanted: Wanted) -> bool:
    """Say whether an agent would believe what stands under this key, or people would.

    Who may bring a memory back to what it was may also bring one in; no token can do either.
    """
    if wanted.key.endswith(_RECOVERIES) or _POLICIES in {wanted.key, wanted.kind}:
        return True
    may_restore = actor.kind == "person" and allows(actor.roles, "restore")
    return _MEMORIES in wanted.key and not (wanted.kind == "memory" and may_restore)


def _objection_to(list_keys: Mapping[str, str]) -> str | None:
    if len(list_keys) > LIST_KEYS_AT_MOST:
        return f"At most {LIST_KEYS_AT_MOST} lists are declared."
    try:
        for pattern in list_keys:
            pointer.parse(pattern)
    except pointer.BadPointer as error:
        return str(error)
    return None


def _taken(key: str) -> KeyTaken:
    return KeyTaken(
        f"There is a State {key!r} already, and an import writes over nothing. To bring the "
        "document in, propose it as a merge patch; people then see what would change."
    )


def _written(actor: Actor, wanted: Wanted, bundle: Bundle, now: datetime) -> Head:
    head = _begun(actor, wanted, now)
    before: Held = LetGo()
    for told, held in bundle.versions():
        importer = _Importer(
            actor.kind,
            actor.id,
            actor.name,
            actor.workspace_id,
            behind=actor.behind,
            said=told.said,
        )
        why = Why(importer, "import", f"bundle:{told.number}", wanted.reason.strip(), now)
        if isinstance(held, LetGo):
            _add_row(head, told, why, Form(stored.FIRST, b"", is_start=True), data=None)
        elif isinstance(before, LetGo):
            plain = contents.content_bytes(held.document)
            form = whole(head.workspace_id, head.state_id, held.document, plain, now)
            _add_row(head, told, why, form, data=form.data)
        else:
            _add_changes(head, before, held, why)
        before = held
        head = replace(head, number=told.number, digest=told.digest)
    return head


def _begun(actor: Actor, wanted: Wanted, now: datetime) -> Head:
    state = State(
        id=new_id(),
        workspace_id=actor.workspace_id,
        key=wanted.key,
        kind=wanted.kind,
        list_keys=dict(wanted.list_keys),
        created_at=now,
        changed_at=now,
    )
    try:
        with transaction.atomic():
            state.save(force_insert=True)
    except IntegrityError as error:
        raise _taken(wanted.key) from error
    return as_head(state)


def _add_row(head: Head, told: Told, why: Why, form: Form, *, data: bytes | None) -> None:
    """Write a version that reading begins with, or of which there is nothing to read."""
    Snapshot.objects.create(
        workspace_id=head.workspace_id,
        state_id=head.state_id,
        number=told.number,
        parent_number=told.number - 1 or None,
        base_number=told.number,
        epoch=head.epoch,
        codec=form.codec,
        data=data,
        digest=told.digest,
        document_bytes=told.document_bytes,
        change_count=told.change_count,
        cause=why.cause,
        cause_id=why.cause_id,
        actor=why.actor.to_json(),
        reason=why.reason,
        created_at=why.now,
    )
    State.objects.filter(id=head.state_id).update(
        number=told.number,
        digest=told.digest,
        keyframe_number=told.number,
        keyframe_bytes=form.keyframe_bytes,
        chain_bytes=0,
    )


def _add_changes(head: Head, before: Whole | Delta, held: Whole | Delta, why: Why) -> None:
    changes = (
        held.changes
        if isinstance(held, Delta)
        else diff(before.document, held.document, keys=head.list_keys)
    )
    if write(head, changes, why) is None:
        raise Conflict("The State was changed while it was being imported.")
