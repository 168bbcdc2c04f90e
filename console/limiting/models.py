"""Rows: what is left of what somebody may ask for. Losing them in a crash forgives everybody."""

from django.db import models


class Bucket(models.Model):
    """Tokens that one key has left at a time; the table is not logged, so a write costs little."""

    key = models.CharField(primary_key=True, max_length=120)
    tokens = models.FloatField()
    at = models.DateTimeField()
    is_allowed = models.BooleanField(default=True)

    def __str__(self) -> str:
        """Return the key and what it has left, for a shell."""
        return f"{self.key} {self.tokens:.1f}"
