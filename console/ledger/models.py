"""Rows of the ledger: never changed, never removed."""

from typing import ClassVar

from django.db import models
from django.db.models import UniqueConstraint

from console.access.models import Workspace
from console.ids import new_id


class Chain(models.Model):
    """Where a workspace's ledger ends now; locked while a line is appended."""

    workspace = models.OneToOneField(Workspace, models.PROTECT, primary_key=True)
    seq = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        """Return the position, for a shell."""
        return f"{self.workspace_id} at {self.seq}"


class Entry(models.Model):
    """One line: who did what to which subject, and the digest that seals it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="+")
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    actor = models.JSONField()
    verb = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    body = models.JSONField()
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        """A number is used once, and so is a predecessor."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["workspace", "seq"], name="a_ledger_number_is_used_once"),
            UniqueConstraint(
                fields=["workspace", "previous"], name="a_ledger_entry_has_one_successor"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["workspace", "subject", "-seq"])]

    def __str__(self) -> str:
        """Return the line in words, for a shell."""
        return f"{self.seq} {self.verb} {self.subject}"


class Checkpoint(models.Model):
    """Where a ledger ended at a moment, signed; see console/ledger/checkpoints.py for the words.

    `digest` is that of entry `seq`, `previous` the seal of the checkpoint before it, `key` the
    fingerprint of the key that signed.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="+")
    number = models.BigIntegerField()
    seq = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()
    previous = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)

    class Meta:
        """A number is used once, and so is a predecessor."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["workspace", "number"], name="a_checkpoint_number_is_used_once"
            ),
            UniqueConstraint(
                fields=["workspace", "previous"], name="a_checkpoint_has_one_successor"
            ),
        ]

    def __str__(self) -> str:
        """Return the position, for a shell."""
        return f"{self.workspace_id} checkpoint {self.number} at {self.seq}"
