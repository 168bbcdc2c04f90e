"""Rows: when each part of the console was last seen at work."""

from django.db import models


class Beat(models.Model):
    """One part: `timer`, `sender`, `queue:runs` and so on; `says` is what it wants known.

    A queue beats when a task went through it and was carried out, so a worker that is up but no
    longer listens is seen.
    """

    name = models.CharField(primary_key=True, max_length=60)
    at = models.DateTimeField()
    says = models.JSONField(default=dict)

    def __str__(self) -> str:
        """Return name and time, for a shell."""
        return f"{self.name} {self.at}"
