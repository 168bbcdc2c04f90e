"""Ask before a dependency is called, and say what came of it; all processes share the answer."""

from datetime import datetime
from typing import cast

from django.db import transaction

from console.breakers import breaker as rule
from console.breakers.models import Breaker

PROBLEM_AT_MOST = 300


def allow(name: str, *, now: datetime) -> bool:
    """Say whether a dependency may be called; of many that ask an open one, one may probe.

    Locks: the breaker's row, where it is not closed, for this one answer.
    """
    closed = {"status": "closed"}
    known = Breaker.objects.filter(name=name).values("status").first()
    if known is None or known == closed:
        return True
    with transaction.atomic():
        row = Breaker.objects.select_for_update(no_key=True).get(name=name)
        may_call, stands = rule.ask(_standing(row), now)
        if may_call and stands.status == "probing":
            _write(row, stands, now)
    return may_call


def note(name: str, *, ok: bool, now: datetime, problem: str = "") -> None:
    """Remember what came of a call. A success of what never failed costs one look.

    Locks: the breaker's row, where there is something to remember.
    """
    if ok and not _has_failed(name):
        return
    with transaction.atomic():
        made = [Breaker(name=name, changed_at=now)]
        Breaker.objects.bulk_create(made, ignore_conflicts=True)
        row = Breaker.objects.select_for_update(no_key=True).get(name=name)
        row.problem = "" if ok else problem[:PROBLEM_AT_MOST]
        _write(row, rule.after(_standing(row), now, ok=ok), now)


def _has_failed(name: str) -> bool:
    rows = Breaker.objects.filter(name=name)
    return rows.exclude(status="closed", failures=0).exists()


def _standing(row: Breaker) -> rule.Breaker:
    status = cast("rule.Status", row.status)
    return rule.Breaker(status, row.failures, row.openings, row.until)


def _write(row: Breaker, stands: rule.Breaker, now: datetime) -> None:
    row.status, row.failures = stands.status, stands.failures
    row.openings, row.until, row.changed_at = stands.openings, stands.until, now
    row.save(update_fields=["status", "failures", "openings", "until", "problem", "changed_at"])
