"""Rows: dependencies that fail, or have failed a moment ago."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Q


class Breaker(models.Model):
    """One dependency; without a row it has never failed."""

    name = models.CharField(max_length=160, primary_key=True)
    status = models.CharField(max_length=8, default="closed")
    failures = models.IntegerField(default=0)
    openings = models.IntegerField(default=0)
    until = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        """A breaker is closed, open or probing, and one that is not closed says until when."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=Q(status="closed")
                | Q(status__in=["open", "probing"], until__isnull=False),
                name="a_breaker_that_is_not_closed_says_until_when",
            )
        ]

    def __str__(self) -> str:
        """Return name and status, for a shell."""
        return f"{self.name} {self.status}"
