"""Verifying the ledger: whoever alters, drops, swaps or cuts is found, and nobody may try."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from console.access.models import Workspace
from console.access.operations.granting import found
from console.actors import Actor, system
from console.canonical import Json
from console.ledger import queries
from console.ledger.chain import Line
from console.ledger.models import Chain, Entry
from console.ledger.operations.appending import append
from tests.racing import race

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Workspace:
    return found("acme", "Acme")


@pytest.fixture
def clerk(acme: Workspace) -> Actor:
    return system("clerk", acme.id)


def write(clerk: Actor, *bodies: dict[str, Json]) -> None:
    for body in bodies:
        with transaction.atomic():
            append(clerk, "note.written", "note:1", body)


@pytest.fixture
def ledger(clerk: Actor) -> Actor:
    """A ledger of six lines: the founding and five notes."""
    for n in range(2, 7):
        write(clerk, {"n": n, "text": f"Zoë paid {n}·10⁰ €"})
    return clerk


@contextmanager
def hand_of_the_owner(table: str = "ledger_entry") -> Iterator[None]:
    """Do what only the table's owner can: switch its refusals off."""
    with connection.cursor() as cursor:
        # What the transaction checks at its end would keep the table from being altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def objection(clerk: Actor) -> str | None:
    return queries.verify(clerk.workspace_id).objection


def line(clerk: Actor, seq: int) -> Entry:
    return Entry.objects.get(workspace=clerk.workspace_id, seq=seq)


def lines(clerk: Actor, *seqs: int) -> QuerySet[Entry]:
    return Entry.objects.filter(workspace=clerk.workspace_id, seq__in=seqs)


class TestAppending:
    """Lines are numbered without gaps, each holding the one before it."""

    def test_numbers_lines_from_one_and_links_them(self, ledger: Actor) -> None:
        rows = list(queries.entries(ledger.workspace_id).order_by("seq"))
        assert [row.seq for row in rows] == [1, 2, 3, 4, 5, 6]
        assert rows[0].previous == "0" * 64
        assert [row.previous for row in rows[1:]] == [row.digest for row in rows[:-1]]
        chain = Chain.objects.get(workspace=ledger.workspace_id)
        assert (chain.seq, chain.digest) == (6, rows[-1].digest)

    def test_tells_time_in_the_order_of_lines(self, ledger: Actor) -> None:
        times = [row.at for row in queries.entries(ledger.workspace_id).order_by("seq")]
        assert times == sorted(times)
        assert len(set(times)) == len(times)

    def test_leaves_nothing_of_what_was_rolled_back(self, ledger: Actor) -> None:
        def write_and_fail() -> None:
            with transaction.atomic():
                append(ledger, "note.written", "note:1", {})
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write_and_fail()
        write(ledger, {"n": 7})
        assert queries.verify(ledger.workspace_id) == queries.Verdict(7, None)

    def test_keeps_workspaces_apart(self, ledger: Actor) -> None:
        other = system("clerk", found("zenith", "Zenith").id)
        write(other, {"n": 2})
        assert queries.verify(other.workspace_id) == queries.Verdict(2, None)
        assert queries.verify(ledger.workspace_id) == queries.Verdict(6, None)

    def test_finds_what_was_done_to_one_subject(self, ledger: Actor) -> None:
        with transaction.atomic():
            append(ledger, "note.burnt", "note:2", {})
        assert [row.seq for row in queries.about(ledger.workspace_id, "note:1")] == [2, 3, 4, 5, 6]


@pytest.mark.django_db(transaction=True)
class TestAppendingAtOnce:
    """The chain is locked while a line is written."""

    def test_refuses_to_write_outside_of_what_it_records(self, clerk: Actor) -> None:
        with pytest.raises(transaction.TransactionManagementError):
            append(clerk, "note.written", "note:1", {})

    @pytest.mark.race
    def test_two_connections_leave_no_gap(self, clerk: Actor) -> None:
        def several() -> None:
            for n in range(40):
                write(clerk, {"n": n})

        with race() as both:
            both.run(several, several)
        assert queries.verify(clerk.workspace_id) == queries.Verdict(81, None)

    @pytest.mark.race
    def test_two_first_lines_make_one_chain(self) -> None:
        with race() as both:
            for number in range(10):
                workspace = Workspace.objects.create(slug=f"w{number}", name="W")
                clerk = system("clerk", workspace.id)
                both.run(*[lambda clerk=clerk: write(clerk, {})] * 2)
                assert queries.verify(workspace.id) == queries.Verdict(2, None)


class TestRefusing:
    """The table itself refuses to forget, also for its owner."""

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE ledger_entry SET verb = 'nothing'",
            "UPDATE ledger_entry SET seq = seq",
            "DELETE FROM ledger_entry WHERE seq = 6",
            "TRUNCATE ledger_entry",
            "TRUNCATE ledger_entry CASCADE",
        ],
    )
    def test_nothing_is_changed_or_removed(self, ledger: Actor, statement: str) -> None:
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; {statement}")
        assert queries.verify(ledger.workspace_id) == queries.Verdict(6, None)

    def test_not_even_for_a_replica(self, ledger: Actor) -> None:
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("SET LOCAL session_replication_role = replica; DELETE FROM ledger_entry")
        assert objection(ledger) is None


class TestVerifying:
    """Whatever the owner's hand did, the first line that does not hold is named."""

    @pytest.mark.parametrize(
        "change",
        [
            {"body": {"n": 4, "text": "Zoë paid 5·10⁰ €"}},
            {"body": {}},
            {"verb": "note.burnt"},
            {"subject": "note:2"},
            {"actor": {"kind": "person", "id": "1", "name": "Ana", "behind": ""}},
            {"at": "2026-01-01T00:00:00Z"},
            {"digest": "f" * 64},
            {"previous": "f" * 64},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_finds_an_altered_line(self, ledger: Actor, change: dict[str, object]) -> None:
        with hand_of_the_owner():
            lines(ledger, 4).update(**change)
        verdict = queries.verify(ledger.workspace_id)
        assert (verdict.checked, verdict.objection) == (
            3,
            "entry 4 was altered, or does not follow the entry before it",
        )

    def test_finds_a_line_that_was_altered_and_sealed_again(self, ledger: Actor) -> None:
        row = line(ledger, 4)
        forged = Line(
            str(ledger.workspace_id), 4, row.at, row.actor, "note.burnt", row.subject, row.body
        )
        with hand_of_the_owner():
            again = forged.digest(row.previous)
            lines(ledger, 4).update(verb="note.burnt", digest=again)
        assert objection(ledger) == "entry 5 was altered, or does not follow the entry before it"

    def test_finds_a_removed_line(self, ledger: Actor) -> None:
        with hand_of_the_owner():
            lines(ledger, 3).delete()
        assert objection(ledger) == "entry 3 is missing; the next one found is 4"

    def test_finds_a_removed_line_whose_gap_was_closed(self, ledger: Actor) -> None:
        with hand_of_the_owner():
            lines(ledger, 3).delete()
            for seq in (4, 5, 6):
                lines(ledger, seq).update(seq=seq - 1)
        assert objection(ledger) == "entry 3 was altered, or does not follow the entry before it"

    def test_finds_swapped_lines(self, ledger: Actor) -> None:
        with hand_of_the_owner():
            for seq, to in ((3, 99), (4, 3), (99, 4)):
                lines(ledger, seq).update(seq=to)
        assert objection(ledger) == "entry 3 was altered, or does not follow the entry before it"

    @pytest.mark.parametrize("kept", [0, 1, 5])
    def test_finds_a_cut_tail(self, ledger: Actor, kept: int) -> None:
        with hand_of_the_owner():
            lines(ledger, *range(kept + 1, 7)).delete()
        assert objection(ledger) == f"the chain says 6 entries, {kept} were found"

    def test_finds_a_line_of_another_workspace(self, ledger: Actor) -> None:
        other = system("clerk", found("zenith", "Zenith").id)
        write(other, {"n": 2}, {"n": 3})
        with hand_of_the_owner():
            lines(ledger, 2).delete()
            lines(other, 2).update(workspace=ledger.workspace_id)
        assert objection(ledger) == "entry 2 was altered, or does not follow the entry before it"
        assert objection(other) == "entry 2 is missing; the next one found is 3"

    def test_finds_a_chain_that_was_taken_away(self, ledger: Actor) -> None:
        Chain.objects.filter(workspace=ledger.workspace_id).delete()
        assert objection(ledger) is not None


class TestTheCommand:
    """`manage.py verify_ledger` ends with 0 only when every chain holds."""

    def test_prints_a_line_for_each_workspace(self, ledger: Actor) -> None:
        found("zenith", "Zenith")
        said = StringIO()
        call_command("verify_ledger", stdout=said)
        assert said.getvalue().splitlines() == [
            "acme: 6 entries checked, the chain holds",
            "zenith: 1 entries checked, the chain holds",
        ]

    def test_ends_with_one_and_names_the_line(self, ledger: Actor) -> None:
        found("zenith", "Zenith")
        with hand_of_the_owner():
            lines(ledger, 2).update(verb="nothing")
        said = StringIO()
        with pytest.raises(CommandError, match=r"1 ledger\(s\) do not hold") as ended:
            call_command("verify_ledger", stdout=said)
        assert ended.value.returncode == 1
        assert "acme: 1 entries checked, entry 2 was altered" in said.getvalue()
        call_command("verify_ledger", "zenith", stdout=said)

    def test_refuses_a_workspace_that_is_not_there(self, ledger: Actor) -> None:
        with pytest.raises(CommandError, match="acmee"):
            call_command("verify_ledger", "acme", "acmee", stdout=StringIO())
