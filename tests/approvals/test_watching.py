"""Watching: what must never be is asked every hour, and told to admins once a day."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError

from approvals.operations.watching import watch
from approvals.queries.invariants import Invariant, answers, broken, invariants
from console.notices.models import Event, Notice
from tests.approvals.test_promises import approve_unasked
from tests.story import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_invariants]

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


def test_tells_nobody_while_everything_is_true(cast: Cast) -> None:
    assert len(list(watch(NOON))) == len(invariants())
    assert not Event.objects.filter(name="invariant.broken").exists()


def test_tells_admins_in_the_words_of_the_sentence_once_a_day(cast: Cast) -> None:
    approve_unasked(cast.ask())
    for hours in (0, 1, 2):
        list(watch(NOON + timedelta(hours=hours)))
    here = Event.objects.filter(name="invariant.broken", workspace=cast.workspace.id)
    told = here.get(title="Not true any more: an approved proposal has its execution")
    people = set(Notice.objects.filter(event=told).values_list("person_id", flat=True))
    assert {str(person) for person in people} == {cast.ada.id}
    before = here.count()
    list(watch(NOON + timedelta(days=1)))
    assert here.count() == 2 * before


def test_asks_all_at_once_what_it_asks_one_by_one(cast: Cast) -> None:
    approve_unasked(cast.ask())
    one_by_one = [
        (each.invariant.sentence, each.ids)
        for each in answers()
        if each.ids and not each.invariant.is_liveness
    ]
    assert [(each.sentence, each.ids) for each in broken()] == one_by_one
    assert len(one_by_one) == 1


def test_goes_on_when_a_sentence_takes_too_long(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (
        Invariant("nothing sleeps", "SELECT 1 FROM pg_sleep(20)"),
        Invariant("one is one", "SELECT 1 WHERE 1 <> 1"),
    )
    monkeypatch.setattr("approvals.queries.invariants.invariants", lambda: asked)
    found = {each.invariant.sentence: each for each in answers(seconds=0.2)}
    assert "statement timeout" in found["nothing sleeps"].problem
    assert found["one is one"].problem == ""
    assert found["one is one"].ids == ()


def test_lets_no_sentence_write(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "WITH gone AS (DELETE FROM approvals_snooze RETURNING id) SELECT id FROM gone"
    asked = (Invariant("nothing writes", query),)
    monkeypatch.setattr("approvals.queries.invariants.invariants", lambda: asked)
    with pytest.raises(DatabaseError, match="read-only transaction"):
        list(answers())
    with pytest.raises(DatabaseError, match="read-only transaction"):
        broken()
