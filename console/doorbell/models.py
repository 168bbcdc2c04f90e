"""Rows that say "look": written with what they announce, gone when announced."""

from django.db import models
from django.db.models.functions import Now


class Ring(models.Model):
    """One task to announce. `key` is an id or empty; the task reads the row it names."""

    id = models.BigAutoField(primary_key=True)
    task = models.CharField(max_length=60)
    key = models.CharField(max_length=60, blank=True)
    rung_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        """Return the task and its key, for a shell."""
        return f"{self.task} {self.key}"
