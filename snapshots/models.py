"""Rows: states, the chain of their snapshots, and what people hang on these."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint

from console.ids import new_id

CAUSES = ["import", "proposal", "outside", "rollback", "memory", "sweep"]
KINDS = ["record", "memory", "policies"]
MARKS = ["name", "pin", "hold"]
WORKSPACE = "access.Workspace"


class State(models.Model):
    """One versioned JSON document under a key; the only row here that changes.

    `number` and `digest` are those of the newest snapshot. `chain_bytes` is what stands after
    the last whole document, `keyframe_number` where that is. `mirrors` names the outside record
    that this one follows (`file:acme.json`, `pushed`), empty where there is none.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey("access.Workspace", models.PROTECT, related_name="+")
    key = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, default="record")
    mirrors = models.CharField(max_length=200, blank=True)
    list_keys = models.JSONField(default=dict)
    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)
    epoch = models.IntegerField(default=0)
    keyframe_number = models.BigIntegerField(default=0)
    keyframe_bytes = models.BigIntegerField(default=0)
    chain_bytes = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        """A key names one state of a workspace."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["workspace", "key"], name="a_state_key_is_used_once"),
            UniqueConstraint(fields=["workspace", "id"], name="a_state_belongs_to_one_workspace"),
            UniqueConstraint(
                fields=["workspace"],
                condition=Q(kind="policies"),
                name="a_workspace_has_one_set_of_policies",
            ),
            CheckConstraint(condition=Q(kind__in=KINDS), name="a_state_is_of_a_known_kind"),
        ]

    def __str__(self) -> str:
        """Return the key."""
        return self.key


class Snapshot(models.Model):
    """One version of a State: what it was, since when, because of what and whom.

    Everything that a snapshot says is said for ever; how its content is stored (`codec`, `data`,
    `base_number`) may change, and `data` is null once retention has let the content go. Shape of
    `data` by codec: see `snapshots/stored.py`. `touched` holds marks of the changed paths (see
    `snapshots/touching.py`), null where they were not written down. `digest` is SHA-256 of the
    content bytes.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+", db_index=False)
    state = models.ForeignKey(State, models.PROTECT, related_name="snapshots", db_index=False)
    number = models.BigIntegerField()
    parent_number = models.BigIntegerField(null=True)
    base_number = models.BigIntegerField()
    epoch = models.IntegerField()
    codec = models.SmallIntegerField(default=1)
    data = models.BinaryField(null=True)
    touched = ArrayField(models.BigIntegerField(), null=True)
    digest = models.CharField(max_length=64)
    document_bytes = models.BigIntegerField()
    change_count = models.IntegerField()
    cause = models.CharField(max_length=10)
    cause_id = models.CharField(max_length=80, blank=True)
    actor = models.JSONField()
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        """Numbers run without gaps, so nothing has two successors; a cause acts once."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["state", "number"], name="a_snapshot_number_is_used_once"),
            UniqueConstraint(
                fields=["state", "cause", "cause_id"],
                condition=~Q(cause_id=""),
                name="a_cause_makes_one_snapshot",
            ),
            CheckConstraint(condition=Q(cause__in=CAUSES), name="a_snapshot_has_a_known_cause"),
            CheckConstraint(
                condition=Q(number=1, parent_number=None) | Q(number=F("parent_number") + 1),
                name="snapshot_numbers_have_no_gaps",
            ),
        ]
        indexes: ClassVar = [
            GinIndex(fields=["touched"], name="snapshots_touched"),
            # The few that no mark finds, so that whoever asks by marks need not look at all.
            Index(fields=["state", "number"], condition=Q(touched=None), name="snapshots_unmarked"),
        ]

    def __str__(self) -> str:
        """Return state and number, for a shell."""
        return f"{self.state_id} #{self.number}"

    @property
    def is_keyframe(self) -> bool:
        """Say whether reading starts at this row."""
        return self.base_number == self.number


class Part(models.Model):
    """A piece of a large document, shared by every snapshot of its State that holds it.

    `digest` is the SHA-256 of the piece's content bytes, `data` these bytes compressed.
    """

    pk = models.CompositePrimaryKey("state_id", "digest")
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+", db_index=False)
    state = models.ForeignKey(State, models.PROTECT, related_name="+", db_index=False)
    digest = models.CharField(max_length=64)
    data = models.BinaryField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        """Return state and digest, for a shell."""
        return f"{self.state_id} {self.digest[:12]}"


class Mark(models.Model):
    """What a person hangs on a snapshot: a name, a pin, or a legal hold.

    A hold without a number holds the whole State. Retention lets nothing go that is marked.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    state = models.ForeignKey(State, models.PROTECT, related_name="marks")
    number = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=4)
    name = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    actor = models.JSONField()
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.JSONField(null=True, blank=True)

    class Meta:
        """A name stands at one snapshot of a State at a time; a pin and a hold are there once."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["state", "name"],
                condition=Q(kind="name", removed_at=None),
                name="a_name_stands_at_one_snapshot",
            ),
            UniqueConstraint(
                fields=["state", "number", "kind"],
                condition=Q(kind__in=["pin", "hold"], removed_at=None),
                nulls_distinct=False,
                name="a_snapshot_is_pinned_or_held_once",
            ),
            CheckConstraint(condition=Q(kind__in=MARKS), name="a_mark_is_a_name_a_pin_or_a_hold"),
            CheckConstraint(
                condition=Q(number__isnull=False) | Q(kind="hold"),
                name="only_a_hold_is_on_the_whole_state",
            ),
            CheckConstraint(
                condition=Q(kind="name") & ~Q(name="") | ~Q(kind="name") & Q(name=""),
                name="a_named_mark_has_a_name",
            ),
        ]

    def __str__(self) -> str:
        """Return kind and place, for a shell."""
        return f"{self.kind} {self.name} #{self.number}"


class Reading(models.Model):
    """What the outside record that a State mirrors said when it was read.

    `data` is the content bytes, compressed; `digest` their SHA-256.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    state = models.ForeignKey(State, models.PROTECT, related_name="readings", db_index=False)
    source = models.CharField(max_length=200)
    data = models.BinaryField()
    digest = models.CharField(max_length=64)
    document_bytes = models.BigIntegerField()
    actor = models.JSONField()
    read_at = models.DateTimeField()

    class Meta:
        """The newest reading is found at once."""

        indexes: ClassVar = [Index(fields=["state", "-read_at", "-id"], name="readings_newest")]

    def __str__(self) -> str:
        """Return source and time, for a shell."""
        return f"{self.source} {self.read_at}"
