"""Rows: states, and the immutable chain of their snapshots."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint

from console.ids import new_id

CAUSES = ["import", "proposal", "outside", "rollback", "memory"]


class State(models.Model):
    """One versioned JSON document under a key; the only row here that changes.

    `number` and `digest` are those of the newest snapshot. `chain_bytes` is what stands after
    the last whole document, `keyframe_number` where that is.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey("access.Workspace", models.PROTECT, related_name="+")
    key = models.CharField(max_length=200)
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
        ]
        indexes: ClassVar = [models.Index(fields=["workspace", "-changed_at", "-id"])]

    def __str__(self) -> str:
        """Return the key."""
        return self.key


class Snapshot(models.Model):
    """One immutable version of a State: what it was, since when, because of what and whom.

    `data` is either the whole document or the changes on the version before; `base_number` is
    the whole document that reading starts from. `digest` is SHA-256 of the content bytes.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey("access.Workspace", models.PROTECT, related_name="+")
    state = models.ForeignKey(State, models.PROTECT, related_name="snapshots")
    number = models.BigIntegerField()
    parent_number = models.BigIntegerField(null=True)
    base_number = models.BigIntegerField()
    epoch = models.IntegerField()
    codec = models.SmallIntegerField(default=1)
    data = models.BinaryField()
    digest = models.CharField(max_length=64)
    document_bytes = models.BigIntegerField()
    change_count = models.IntegerField()
    cause = models.CharField(max_length=10)
    cause_id = models.CharField(max_length=80, blank=True)
    actor = models.JSONField()
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        """Numbers run without gaps; nothing has two successors; a cause acts once."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["state", "number"], name="a_snapshot_number_is_used_once"),
            UniqueConstraint(
                fields=["state", "parent_number"], name="a_snapshot_has_one_successor"
            ),
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

    def __str__(self) -> str:
        """Return state and number, for a shell."""
        return f"{self.state_id} #{self.number}"

    @property
    def is_keyframe(self) -> bool:
        """Say whether the row holds the whole document."""
        return self.base_number == self.number
