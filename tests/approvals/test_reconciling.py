"""What we sent is compared with what a provider lists, both ways, and differences stay open."""

import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from approvals.comparing import SLACK, contradicts, is_missing, meaning_of
from approvals.connectors.protocol import Listed, NotReached
from approvals.lifecycle import DONE as HAPPENED
from approvals.models import Connector, Discrepancy, Execution, Observation, Reconciliation
from approvals.operations import reconciling
from approvals.operations.reconciling import (
    AlreadyClosed,
    ask_for_reconciliation,
    close_discrepancy,
    reconcile,
    reconcile_due,
)
from approvals.operations.resolving import resolve
from approvals.operations.testing_connectors import NotOffered
from console.errors import Forbidden, Invalid, NotFound
from console.locking import Busy
from console.notices.models import Event
from tests.approvals.wires import (
    LATER,
    SETTLE,
    Bank,
    doubtful,
    finders,
    furnish,
    read,
    wire,
)
from tests.story import Cast, now

AT = now()


@pytest.mark.parametrize(
    ("status", "times", "was_sent", "meaning"),
    [
        (None, 1, False, "not_ours"),
        *((status, 1, True, "matched") for status in HAPPENED),
        ("succeeded", 2, True, "twice"),
        ("in_doubt", 1, True, "settles"),
        ("ready", 1, True, "settles"),
        ("claimed", 1, True, "settles"),
        ("ready", 1, False, "differs"),
        ("sent", 1, True, "under_way"),
        ("failed", 1, True, "differs"),
        ("recalled", 1, False, "differs"),
    ],
)
def test_what_a_line_of_theirs_means(
    status: str | None, times: int, meaning: str, *, was_sent: bool
) -> None:
    assert meaning_of(status, times=times, was_sent=was_sent) == meaning


@pytest.mark.parametrize(
    ("status", "until", "missing"),
    [
        ("succeeded", SETTLE + SLACK, True),
        ("succeeded", SETTLE + SLACK - timedelta(seconds=1), False),
        ("compensated", SETTLE + SLACK, True),
        ("in_doubt", SETTLE + SLACK, True),
        ("failed", SETTLE + SLACK, False),
        ("sent", SETTLE + SLACK, False),
    ],
)
def test_what_should_stand_in_their_list(status: str, until: timedelta, *, missing: bool) -> None:
    assert is_missing(status, AT, SETTLE, AT + until) is missing


@pytest.mark.parametrize(
    ("status", "says", "kind"),
    [
        ("failed", "executed", "differs"),
        ("failed", "absent", None),
        ("succeeded", "absent", "not_theirs"),
        ("compensating", "refused", "not_theirs"),
        ("succeeded", "executed", None),
        ("in_doubt", "executed", None),
    ],
)
def test_what_contradicts_what_was_settled(status: str, says: str, kind: str | None) -> None:
    assert contradicts(status, says) == kind


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def bank(cast: Cast) -> Bank:
    return furnish(cast, Bank())


def their(execution_id: UUID | str, reference: str = "B-1") -> Listed:
    """Word a line of the bank's own list."""
    key = execution_id.hex if isinstance(execution_id, UUID) else execution_id
    return Listed(key, reference, now(), "booked")


def compare(cast: Cast, bank: Bank, *lines: Listed) -> Reconciliation:
    """Compare everything of the last day with what the bank lists now, when all has settled."""
    bank.lines = list(lines)
    row = Connector.objects.get(workspace=cast.workspace, name=bank.name)
    at = now() + LATER
    run = reconcile(bank, row.id, since=at - timedelta(days=1), until=at, now=at)
    return Reconciliation.objects.get(id=run)


def busy(**_asked: Any) -> str:
    """Find the record held by others."""
    raise Busy


def kinds() -> list[tuple[str, str]]:
    """Return what stands open: kind and key."""
    rows = Discrepancy.objects.filter(closed_at=None).order_by("kind")
    return list(rows.values_list("kind", "key"))


@pytest.mark.django_db
class TestComparing:
    """Ours against theirs, and theirs against ours."""

    def test_finds_nothing_where_both_say_the_same(self, cast: Cast, bank: Bank) -> None:
        first, second = wire(cast, bank), wire(cast, bank, 30)
        run = compare(cast, bank, their(first), their(second))
        assert (run.counts, run.problem) == (
            {"ours": 2, "theirs": 2, "matched": 2, "resolved": 0, "discrepancies": 0},
            "",
        )
        assert kinds() == []
        assert not Event.objects.filter(name="discrepancy.found").exists()

    def test_settles_what_is_in_doubt_and_stands_there(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        run = compare(cast, bank, their(found, "B-6"))
        assert (read(found).status, read(found).reference) == ("succeeded", "B-6")
        assert run.counts["resolved"] == 1
        assert cast.content()["balance"] == 930

    def test_goes_on_where_one_is_busy_and_compares_that_again(
        self, cast: Cast, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = wire(cast, bank)
        found = doubtful(cast, bank, 30)
        with monkeypatch.context() as held:
            held.setattr(reconciling, "observe", busy)
            run = compare(cast, bank, their(found), their("INV-1"))
        assert "compared again" in run.problem
        assert (read(found).status, run.counts["resolved"]) == ("in_doubt", 0)
        assert kinds() == [("not_ours", "INV-1"), ("not_theirs", first.hex)]
        assert compare(cast, bank, their(found)).problem == ""
        assert read(found).status == "succeeded"

    def test_says_of_a_doubt_that_it_is_not_there(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        compare(cast, bank)
        compare(cast, bank)
        [row] = Observation.objects.filter(execution=found, source="statement")
        assert (row.says, read(found).status, kinds()) == ("absent", "in_doubt", [])

    def test_finds_what_they_do_not_know(self, cast: Cast, bank: Bank) -> None:
        found = wire(cast, bank)
        compare(cast, bank)
        assert kinds() == [("not_theirs", found.hex)]

    def test_does_not_miss_what_may_be_under_way_there(self, cast: Cast, bank: Bank) -> None:
        wire(cast, bank)
        row = Connector.objects.get(workspace=cast.workspace)
        reconcile(bank, row.id, since=now() - timedelta(days=1), until=now(), now=now())
        assert kinds() == []

    def test_finds_what_we_have_forgotten(self, cast: Cast, bank: Bank) -> None:
        lost = uuid4()
        compare(cast, bank, their(lost), their("INV-4711\x00é"))
        assert kinds() == [("not_ours", "INV-4711\ufffdé"), ("not_ours", lost.hex)] or kinds() == [
            ("not_ours", lost.hex),
            ("not_ours", "INV-4711\ufffdé"),
        ]

    def test_finds_what_they_did_twice(self, cast: Cast, bank: Bank) -> None:
        found = wire(cast, bank)
        run = compare(cast, bank, their(found), their(found, "B-2"))
        assert kinds() == [("twice", found.hex)]
        assert run.counts["matched"] == 1

    def test_finds_what_failed_here_and_happened_there(self, cast: Cast, bank: Bank) -> None:
        dora, finn, _ = finders(cast)
        found = doubtful(cast, bank)
        for who in (dora, finn):
            resolve(
                actor=who,
                execution_id=found,
                attempt_number=1,
                verdict="absent",
                reference="",
                evidence="I telephoned.",
                now=now(),
            )
        compare(cast, bank, their(found))
        assert kinds() == [("differs", found.hex)]
        assert read(found).status == "failed"

    def test_a_difference_stands_open_once(self, cast: Cast, bank: Bank) -> None:
        found = wire(cast, bank)
        runs = [compare(cast, bank) for _ in range(3)]
        assert [run.counts["discrepancies"] for run in runs] == [1, 1, 1]
        assert kinds() == [("not_theirs", found.hex)]
        assert Event.objects.filter(name="discrepancy.found").count() == 1

    def test_leaves_other_workspaces_of_the_same_account_alone(
        self, cast: Cast, bank: Bank
    ) -> None:
        found = wire(cast, bank)
        bank.lines = [their(found)]
        there = Connector.objects.get(workspace=cast.other)
        at = now() + LATER
        reconcile(bank, there.id, since=at - timedelta(days=1), until=at, now=at)
        assert kinds() == []

    def test_says_nothing_of_what_is_missing_from_half_a_list(self, cast: Cast, bank: Bank) -> None:
        wire(cast, bank)
        bank.list_fails = NotReached("cut off")
        run = compare(cast, bank)
        assert (run.problem, kinds()) == ("cut off", [])
        bank.list_fails = ZeroDivisionError()
        assert compare(cast, bank).problem == reconciling.UNFORESEEN

    def test_keeps_only_so_much_in_mind(
        self, cast: Cast, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reconciling, "LINES_AT_MOST", 3)
        found = wire(cast, bank)
        run = compare(cast, bank, *[their(found)] * 4)
        assert "more than 3 lines" in run.problem

    def test_asks_for_a_longer_time_than_it_compares(self, cast: Cast, bank: Bank) -> None:
        run = compare(cast, bank)
        [(since, until)] = bank.listed_from
        assert (since, until) == (run.since - SETTLE - SLACK, run.until + SETTLE + SLACK)

    def test_asks_the_database_in_parts(
        self, cast: Cast, bank: Bank, django_assert_max_num_queries: Callable[[int], Any]
    ) -> None:
        bank.lines = [their(uuid4()) for _ in range(1_500)]
        with django_assert_max_num_queries(40):
            run = compare(cast, bank, *bank.lines)
        assert run.counts["theirs"] == Discrepancy.objects.count() == 1_500


# Copies of one execution and its wording, each sent once; nobody ever agreed to them.
COPIES = """
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    ALTER TABLE approvals_execution DISABLE TRIGGER USER;
    ALTER TABLE approvals_attempt DISABLE TRIGGER USER;
    CREATE TEMP TABLE copied ON COMMIT DROP AS
        SELECT e.*, gen_random_uuid() AS new_id, n FROM approvals_execution e
        CROSS JOIN generate_series(2, %s) n WHERE e.id = %s;
    UPDATE copied SET id = new_id, revision = n;
    ALTER TABLE copied DROP COLUMN new_id, DROP COLUMN n;
    CREATE TEMP TABLE worded ON COMMIT DROP AS
        SELECT r.*, c.revision AS nth FROM approvals_revision r
        JOIN copied c ON c.proposal_id = r.proposal_id;
    UPDATE worded SET id = gen_random_uuid(), number = nth;
    ALTER TABLE worded DROP COLUMN nth;
    INSERT INTO approvals_revision SELECT * FROM worded;
    INSERT INTO approvals_execution SELECT * FROM copied;
    CREATE TEMP TABLE tried ON COMMIT DROP AS
        SELECT a.*, c.id AS of_id FROM approvals_attempt a CROSS JOIN copied c;
    UPDATE tried SET id = gen_random_uuid(), execution_id = of_id;
    ALTER TABLE tried DROP COLUMN of_id;
    INSERT INTO approvals_attempt SELECT * FROM tried;
"""


@pytest.mark.django_db
@pytest.mark.breaks_invariants
@pytest.mark.parametrize("count", [1_100, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_thousands_of_lines_are_compared_in_parts(
    cast: Cast, bank: Bank, count: int, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    first = wire(cast, bank)
    with connection.cursor() as cursor:
        cursor.execute(COPIES, [count, first])
    lines = [their(key) for key in Execution.objects.values_list("id", flat=True)]
    tracemalloc.start()
    with django_assert_max_num_queries(80):
        run = compare(cast, bank, *lines[:-7])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (run.counts["ours"], run.counts["matched"], len(kinds())) == (count, count - 7, 7)
    # 20 MB are promised for twenty times as many.
    assert peak < 8_000_000


@pytest.mark.django_db
class TestWhen:
    """Every so often, and when a person asks."""

    def due(self, bank: Bank, after: timedelta = timedelta(0)) -> int:
        """Compare all that is due, one in each pass."""
        at, count = now() + after, 0
        while reconcile_due(bank.connectors, now=at):
            count += 1
        return count

    def test_one_at_a_time(self, cast: Cast, bank: Bank) -> None:
        at = now()
        assert [reconcile_due(bank.connectors, now=at) for _ in range(3)] == [1, 1, 0]

    def test_every_so_often(self, cast: Cast, bank: Bank) -> None:
        # One for each workspace that the sender announces it to.
        assert self.due(bank) == 2
        assert self.due(bank) == 0
        assert self.due(bank, settings.RECONCILE_EVERY + timedelta(seconds=5)) == 2

    def test_on_demand(self, cast: Cast, bank: Bank) -> None:
        self.due(bank)
        ask_for_reconciliation(actor=cast.ada, name="bank", now=now())
        ask_for_reconciliation(actor=cast.ada, name="bank", now=now())
        assert self.due(bank) == 1
        assert self.due(bank) == 0
        assert cast.said().count("reconciliation.asked") == 1

    def test_begins_where_the_last_whole_one_ended(self, cast: Cast, bank: Bank) -> None:
        self.due(bank)
        first = Reconciliation.objects.filter(workspace=cast.workspace).get()
        bank.list_fails = NotReached("gone")
        self.due(bank, timedelta(hours=2))
        bank.list_fails = None
        self.due(bank, timedelta(hours=4))
        last = Reconciliation.objects.filter(workspace=cast.workspace).latest("began_at")
        assert last.since == first.until - SETTLE - 2 * SLACK

    def test_one_whose_process_died_says_so(self, cast: Cast, bank: Bank) -> None:
        self.due(bank)
        Reconciliation.objects.update(ended_at=None)
        self.due(bank, timedelta(minutes=11))
        assert {row.problem for row in Reconciliation.objects.all()} == {reconciling.CUT_OFF}

    def test_only_where_there_is_a_list(self, cast: Cast, bank: Bank) -> None:
        Connector.objects.update(can_list=False)
        assert self.due(bank) == 0
        with pytest.raises(reconciling.CannotBeListed):
            ask_for_reconciliation(actor=cast.ada, name="bank", now=now())
        Connector.objects.update(is_offered=False)
        with pytest.raises(NotOffered):
            ask_for_reconciliation(actor=cast.ada, name="bank", now=now())

    @pytest.mark.parametrize("who", ["ana", "cleo", "scout", "setup"])
    def test_for_who_looks_after_connectors(self, cast: Cast, bank: Bank, who: str) -> None:
        with pytest.raises(Forbidden):
            ask_for_reconciliation(actor=getattr(cast, who), name="bank", now=now())


@pytest.mark.django_db
class TestClosing:
    """A person closes a difference, and says what they found."""

    @pytest.fixture
    def found(self, cast: Cast, bank: Bank) -> Discrepancy:
        wire(cast, bank)
        compare(cast, bank)
        return Discrepancy.objects.get()

    def test_names_who_and_why(self, cast: Cast, found: Discrepancy) -> None:
        note = "They book on Mondays."
        close_discrepancy(actor=cast.ben, discrepancy_id=found.id, note=note, now=now())
        found.refresh_from_db()
        assert (str(found.closed_by_id), found.note) == (cast.ben.id, note)
        with pytest.raises(AlreadyClosed):
            close_discrepancy(actor=cast.ada, discrepancy_id=found.id, note=note, now=now())

    def test_opens_again_when_it_is_found_again(
        self, cast: Cast, bank: Bank, found: Discrepancy
    ) -> None:
        close_discrepancy(actor=cast.ben, discrepancy_id=found.id, note="Seen to.", now=now())
        compare(cast, bank)
        assert Discrepancy.objects.count() == 2

    @pytest.mark.parametrize("who", ["ana", "cleo", "eve", "scout", "setup"])
    def test_is_not_for_everybody(self, cast: Cast, found: Discrepancy, who: str) -> None:
        with pytest.raises(Forbidden):
            close_discrepancy(
                actor=getattr(cast, who), discrepancy_id=found.id, note="Seen to.", now=now()
            )

    @pytest.mark.parametrize("note", ["", " ? ", "x" * 501, "nul\x00nul"])
    def test_asks_for_a_note(self, cast: Cast, found: Discrepancy, note: str) -> None:
        with pytest.raises(Invalid):
            close_discrepancy(actor=cast.ben, discrepancy_id=found.id, note=note, now=now())

    def test_a_stranger_finds_nothing(self, cast: Cast, found: Discrepancy) -> None:
        with pytest.raises(NotFound):
            close_discrepancy(actor=cast.zoe, discrepancy_id=found.id, note="Mine.", now=now())

    @pytest.mark.parametrize("values", [{"closed_at": now()}, {"kind": "twice"}, {"key": "other"}])
    def test_says_what_it_said(self, found: Discrepancy, values: dict[str, Any]) -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            Discrepancy.objects.update(**values)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            Discrepancy.objects.all().delete()
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE approvals_discrepancy")
        assert Execution.objects.count() == 1
