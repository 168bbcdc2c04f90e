"""Retaining: what people decided on, agents read and plans need is never let go."""

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents import queries as agents
from agents.models import Restoration, Run
from agents.operations import retaining
from agents.operations.running import work
from agents.showing import retention as showing
from approvals.operations.rebasing import rebase_all
from approvals.operations.withdrawing import withdraw
from approvals.rulebook import Rule
from console.canonical import Json
from console.ledger import queries as ledger
from console.management.commands import timer
from snapshots import queries, retention
from snapshots.content import content_bytes, content_digest, pack
from snapshots.diff import Change
from snapshots.models import Mark, Reading, Snapshot
from snapshots.operations.creating import create_state
from snapshots.operations.observing import observe
from snapshots.operations.thinning import Thinned, thin
from snapshots.queries import Head
from tests.agents import programs
from tests.agents.stage import Stage
from tests.house import House, now
from tests.terms import asking, set_rules

pytestmark = pytest.mark.django_db

LATER = timedelta(days=800)


@pytest.fixture
def stage() -> Stage:
    programs.register()
    return Stage.build()


def move(stage: Stage, times: int) -> None:
    """Let the record change from outside."""
    for _ in range(times):
        head = stage_head(stage)
        observe(
            actor=stage.setup,
            state_id=stage.book.state_id,
            changes=[Change("add", f"/m{head}", value=head)],
            cause_id=f"m{head}",
            reason="",
            now=now(),
        )


def stage_head(stage: Stage) -> int:
    return queries.head(stage.setup.workspace_id, stage.book.state_id).number


def sweep(stage: Stage, at: datetime | None = None) -> None:
    """Sweep the workspace as if it were years later."""
    for _ in retaining.sweep(actor=stage.setup, now=at or now() + LATER):
        pass


def left(stage: Stage) -> set[int]:
    """Return which snapshots still have their content."""
    rows = Snapshot.objects.filter(state=stage.book.state_id).exclude(data=None)
    return set(rows.values_list("number", flat=True))


def reasons(stage: Stage) -> dict[int, str]:
    """Return why each snapshot would stay, years later."""
    found = retaining.outlook(stage.setup.workspace_id, stage.book.state_id, now=now() + LATER)
    return found.verdict.stays


class TestWhatIsNeeded:
    """Proposals, runs and restorations keep what they stand on."""

    def test_lets_the_rest_go(self, stage: Stage) -> None:
        move(stage, 5)
        sweep(stage)
        assert left(stage) == {1, 6}

    def test_keeps_what_an_open_proposal_stands_on_and_its_run_has_read(self, stage: Stage) -> None:
        move(stage, 2)
        run = stage.submit("count")
        work()
        assert agents.waiting_of(run.id)
        move(stage, 3)
        assert reasons(stage) == {1: "first", 3: "open", 6: "newest"}
        sweep(stage)
        assert left(stage) == {1, 3, 6}
        # The run is led on by another worker, who reads its journal and what it has read.
        stage.decide(run.id, "reject")
        work()
        assert stage.run(run.id).status != "failed"

    def test_keeps_what_a_run_has_read_until_it_ends(self, stage: Stage) -> None:
        move(stage, 2)
        run = stage.submit("count")
        work()
        move(stage, 3)
        # The proposal gets a new wording on the newest snapshot; what the run has read stays.
        rebase_all(actor=stage.setup, state_id=stage.book.state_id, now=now())
        assert reasons(stage) == {1: "first", 3: "read", 6: "newest"}
        Run.objects.filter(id=run.id).update(
            status="terminated", waiting_for=None, finished_at=now()
        )
        assert reasons(stage) == {1: "first", 6: "newest"}

    def test_keeps_what_was_decided_on_and_what_came_of_it(self, stage: Stage) -> None:
        move(stage, 2)
        run = stage.submit("count")
        work()
        stage.decide(run.id, "approve")
        Run.objects.filter(id=run.id).update(
            status="terminated", waiting_for=None, finished_at=now()
        )
        move(stage, 3)
        assert reasons(stage) == {1: "first", 3: "decided", 4: "decided", 7: "newest"}

    def test_keeps_what_was_rejected_or_withdrawn_on(self, stage: Stage) -> None:
        move(stage, 2)
        run = stage.submit("count")
        work()
        [(_, proposal_id)] = agents.waiting_of(run.id)
        withdraw(actor=stage.setup, proposal_id=proposal_id, reason="not needed", now=now())
        Run.objects.filter(id=run.id).update(
            status="terminated", waiting_for=None, finished_at=now()
        )
        move(stage, 3)
        assert reasons(stage)[3] == "decided"

    @pytest.mark.parametrize(
        ("status", "ends_in", "waits"),
        [
            ("planned", 5, True),
            ("planned", -5, False),
            ("confirmed", -5, True),
            ("restored", -5, True),
            ("done", 5, False),
            ("refused", 5, False),
        ],
    )
    @pytest.mark.parametrize("is_anchor", [True, False])
    def test_waits_while_a_state_is_being_restored(
        self, stage: Stage, status: str, ends_in: int, waits: bool, is_anchor: bool
    ) -> None:
        move(stage, 4)
        at = now() + LATER
        Restoration.objects.create(
            workspace_id=stage.setup.workspace_id,
            kind="rollback",
            state_id=stage.book.state_id if is_anchor else None,
            wanted={},
            plan={"states": [{"state_id": str(stage.book.state_id), "to": 2}]},
            live_digest="",
            status=status,
            reason="because",
            planner={},
            confirmer={},
            created_at=at,
            confirmed_at=at,
            expires_at=at + timedelta(minutes=ends_in),
        )
        sweep(stage, at)
        assert left(stage) == ({1, 2, 3, 4, 5} if waits else {1, 5})


class TestReadings:
    """Of what an outside record said, the newest thirty stay and the last of each day."""

    def test_clears_the_others(self, stage: Stage) -> None:
        first = now() - timedelta(days=100)
        for number in range(60):
            read(stage, first + timedelta(hours=number))
        sweep(stage)
        times = Reading.objects.filter(state=stage.book.state_id).values_list("read_at", flat=True)
        hours = sorted(round((at - first) / timedelta(hours=1)) for at in times)
        days = {(first + timedelta(hours=n)).date(): n for n in range(60)}
        assert hours == sorted({*range(30, 60), *days.values()})
        [done] = ledger.entries(stage.setup.workspace_id).filter(verb="state.thinned")
        assert done.body["readings"] == 60 - len(hours)

    def test_clears_none_under_a_hold(self, stage: Stage) -> None:
        hold(stage)
        for number in range(40):
            read(stage, now() - timedelta(days=100, minutes=number))
        sweep(stage)
        assert Reading.objects.count() == 40


def read(stage: Stage, at: datetime) -> None:
    """Let the outside record be read."""
    document: Json = {"n": 1}
    Reading.objects.create(
        workspace_id=stage.setup.workspace_id,
        state_id=stage.book.state_id,
        source="pushed",
        data=pack(content_bytes(document)),
        digest=content_digest(document),
        document_bytes=7,
        actor={},
        read_at=at,
    )


def hold(stage: Stage) -> None:
    """Put the State under a legal hold."""
    Mark.objects.create(
        workspace_id=stage.setup.workspace_id,
        state_id=stage.book.state_id,
        kind="hold",
        actor={},
        created_at=now(),
    )


class TestSweeping:
    """A sweep walks through a workspace, and no State stops it."""

    def test_writes_down_what_it_did(self, stage: Stage) -> None:
        move(stage, 5)
        sweep(stage)
        last = ledger.entries(stage.setup.workspace_id).order_by("-seq").first()
        assert last is not None
        assert (last.verb, last.subject) == ("retention.swept", "retention")
        assert (last.body["states"], last.body["let_go"], last.body["refused"]) == (1, 4, [])
        assert last.body["bytes_before"] > last.body["bytes_after"]

    def test_names_a_state_that_cannot_be_swept_and_goes_on(
        self, house: House, stage: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        second = create_state(
            actor=stage.setup, key="second", document={"n": 1}, reason="", now=now()
        )
        move(stage, 5)
        Snapshot.objects.filter(state=stage.book.state_id, number=1).update(data=b"damaged")
        for number in range(4):
            observe(
                actor=stage.setup,
                state_id=second.state_id,
                changes=[Change("add", f"/x{number}", value=number)],
                cause_id=str(number),
                reason="",
                now=now(),
            )
        sweep(stage)
        last = ledger.entries(stage.setup.workspace_id).order_by("-seq").first()
        assert last is not None
        [refused] = last.body["refused"]
        assert refused["state"] == str(stage.book.state_id)
        assert refused["code"] == "snapshot_corrupt"
        assert last.body["let_go"] == 3
        assert left(stage) == {1, 2, 3, 4, 5, 6}
        assert "does not match its digest" in caplog.text

    def test_goes_on_after_a_state_at_which_nobody_foresaw_what_happens(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        move(stage, 5)
        bad = create_state(actor=stage.setup, key="bad", document={}, reason="", now=now())

        def stumble(*, head: Head, **rest: Any) -> Thinned:
            if head.state_id == bad.state_id:
                raise ZeroDivisionError
            return thin(head=head, **rest)

        monkeypatch.setattr(retaining, "thin", stumble)
        sweep(stage)
        last = ledger.entries(stage.setup.workspace_id).order_by("-seq").first()
        assert last is not None
        [refused] = last.body["refused"]
        assert (refused["state"], refused["code"]) == (str(bad.state_id), "unexpected")
        assert (last.verb, last.body["states"], last.body["let_go"]) == ("retention.swept", 2, 4)
        assert "ZeroDivisionError" in caplog.text

    def test_lets_no_policy_go(self, stage: Stage) -> None:
        """They stay for what they are, whatever their causes and their age."""
        for level in (0, 1, 2, 3, 1):
            set_rules(stage.setup, Rule("true", asking(level=level)))
        policies = Snapshot.objects.filter(state__kind="policies")
        numbers = set(policies.values_list("number", flat=True))
        sweep(stage)
        [state_id] = set(policies.values_list("state", flat=True))
        at = now() + LATER
        seen = retaining.outlook(stage.setup.workspace_id, state_id, now=at)
        assert (set(seen.verdict.stays.values()), seen.verdict.goes) == ({"policies"}, ())
        done, is_more = retaining.press(actor=stage.setup, state_id=state_id, now=at)
        assert (done.let_go, done.bytes_before, is_more) == (0, 0, False)
        kept = policies.exclude(data=None)
        assert set(kept.values_list("number", flat=True)) == numbers >= {1, 2, 3, 4}

    def test_is_due_once_a_day(self, stage: Stage) -> None:
        move(stage, 5)
        at = now() + LATER
        for _ in retaining.sweep_due(at):
            pass
        assert left(stage) == {1, 6}
        swept = ledger.entries(stage.setup.workspace_id).filter(verb="retention.swept")
        assert swept.count() == 1
        for later, times in ((timedelta(hours=1), 1), (timedelta(hours=25), 2)):
            for _ in retaining.sweep_due(now() + later):
                pass
            assert swept.count() == times

    def test_the_timer_does_a_little_at_each_turn(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(timer, "CHORE_SECONDS", 0.0)
        seen: list[int] = []

        def steps(_: datetime) -> Any:
            for number in range(3):
                seen.append(number)
                yield

        chore = timer.Chore(steps)
        counts = []
        for _ in range(6):
            chore.go_on()
            counts.append(len(seen))
        # It begins once; then one step at each turn; then it rests.
        assert counts == [0, 1, 2, 3, 3, 3]


class TestTheCommand:
    """`manage.py retain` does what the timer does, or says what it would do."""

    @pytest.fixture(autouse=True)
    def _years_later(self, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
        settings.RETENTION_ALL = timedelta()
        settings.RETENTION_HOURLY = timedelta()
        monkeypatch.setattr(retention, "NEVER_BEFORE", timedelta())

    def test_says_exactly_what_would_go(self, stage: Stage) -> None:
        move(stage, 5)
        before = left(stage)
        [line] = said("retain", "--dry-run", "--json")
        assert left(stage) == before
        assert said("retain", "--json")[0]["let_go"] == len(line["goes"]) == 4
        assert before - left(stage) == set(line["goes"])

    def test_speaks_to_people(self, stage: Stage) -> None:
        move(stage, 5)
        out = StringIO()
        call_command("retain", "--dry-run", stdout=out)
        assert out.getvalue().startswith("stage book: 2 stay, 4 would go with ")
        out = StringIO()
        call_command("retain", "--workspace", "stage", stdout=out)
        assert out.getvalue().startswith("stage: 1 States, 4 snapshots let go, ")

    def test_ends_with_one_when_a_state_was_refused(self, stage: Stage) -> None:
        move(stage, 5)
        Snapshot.objects.filter(state=stage.book.state_id, number=1).update(data=b"damaged")
        with pytest.raises(CommandError, match=r"1 State\(s\) could not be swept"):
            call_command("retain", stdout=StringIO())

    def test_knows_no_workspace_that_is_not_there(self) -> None:
        with pytest.raises(CommandError, match="no workspace nowhere"):
            call_command("retain", "--workspace", "nowhere")


def said(*words: str) -> list[dict[str, Any]]:
    """Return the lines that a command prints."""
    out = StringIO()
    call_command(*words, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


class TestThePages:
    """Everybody sees what sweeps did and would do; who administers may run one."""

    @pytest.fixture(autouse=True)
    def _at_once(self, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
        settings.RETENTION_ALL = timedelta()
        settings.RETENTION_HOURLY = timedelta()
        monkeypatch.setattr(retention, "NEVER_BEFORE", timedelta())

    def test_show_what_would_go(self, house: House) -> None:
        for _ in range(5):
            house.move_the_world()
        html = house.client("cleo").get(house.url("retention")).content.decode()
        assert "No sweep has run yet" in html
        assert 'data-label="Would go" class="num"><b>4</b>' in html
        assert "vendors" in html

    def test_show_one_state_and_why_the_others_stay(self, house: House) -> None:
        for _ in range(5):
            house.move_the_world()
        html = state_page(house, "cleo")
        assert "Snapshots 2–5." in html
        assert "the newest" in html
        assert "Let it go now" not in html
        assert "Let it go now" in state_page(house, "ada")

    def test_let_go_now_and_say_so(self, house: House) -> None:
        for _ in range(5):
            house.move_the_world()
        browser, address = house.client("ada"), house.url("retention", house.book.state_id)
        answer = browser.post(f"{address}run/", follow=True)
        html = answer.content.decode()
        assert "The content of 4 snapshots was let go" in html
        assert Snapshot.objects.filter(data=None).count() == 4
        assert "Nothing." in html
        [done] = ledger.entries(house.workspace.id).filter(verb="state.thinned")
        assert done.actor["name"] == "Ada"
        assert f'id="sweep-{done.seq}"' in html

    @pytest.mark.parametrize("name", ["ana", "cleo", "eve"])
    def test_refuse_whoever_does_not_administer(self, house: House, name: str) -> None:
        house.move_the_world()
        house.move_the_world()
        address = house.url("retention", house.book.state_id)
        assert house.client(name).post(f"{address}run/").status_code == 403
        assert not Snapshot.objects.filter(data=None).exists()

    def test_say_that_a_hold_keeps_everything(self, house: House) -> None:
        house.move_the_world()
        Mark.objects.create(
            workspace_id=house.workspace.id,
            state_id=house.book.state_id,
            kind="hold",
            actor={},
            created_at=now(),
        )
        assert "A legal hold keeps everything of this State" in state_page(house, "cleo")

    def test_show_what_sweeps_did_and_what_they_could_not(self, house: House) -> None:
        house.move_the_world()
        house.move_the_world()
        Snapshot.objects.filter(state=house.book.state_id, number=1).update(data=b"damaged")
        for _ in retaining.sweep(actor=house.setup, now=now() + LATER):
            pass
        html = house.client("ana").get(house.url("retention")).content.decode()
        assert "could not be swept" in html
        assert "Snapshot 1 does not match its digest" in html

    def test_cost_the_same_for_many_sweeps(self, house: House) -> None:
        browser, address = house.client("ana"), house.url("retention")
        counts = []
        for _ in range(3):
            for _ in retaining.sweep(actor=house.setup, now=now()):
                pass
            with CaptureQueriesContext(connection) as seen:
                browser.get(address)
            counts.append(len(seen))
        assert counts[0] == counts[1] == counts[2]

    def test_look_ahead_only_as_far_as_a_page_can_wait(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(showing, "LOOKED_AT", 0)
        html = house.client("ana").get(house.url("retention")).content.decode()
        assert "open the State to look ahead" in html


def state_page(house: House, name: str) -> str:
    """Return the page of the book's retention."""
    state_id: UUID = house.book.state_id
    answer = house.client(name).get(house.url("retention", state_id))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())
