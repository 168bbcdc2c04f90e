"""Budgeting: what a workspace may use in a day is set by admins, told, and never exceeded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from agents import queries as agents
from agents.models import Job, Run, Usage, WorkspaceBudget
from agents.operations.budgeting import Budget, LimitsInvalid, set_budget
from agents.operations.counting import BudgetSpent, count_run
from agents.operations.restarting import start_again, supersede
from agents.operations.submitting import BudgetInvalid, JobRequest, submit
from console.actors import Actor
from console.errors import Forbidden
from console.ledger.models import Entry
from tests.agents import programs
from tests.agents.stage import BOOK, Stage, now
from tests.house import House
from tests.racing import race

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
ADMIN = frozenset({"admin"})
WORKERS = 4


@pytest.fixture
def stage() -> Stage:
    programs.register()
    return Stage.build()


def admin_of(stage: Stage) -> Actor:
    return Actor("person", str(uuid4()), "Ada", stage.setup.workspace_id, ADMIN)


def budget(stage: Stage, **limits: Any) -> None:
    asked = Budget(**limits)
    set_budget(actor=admin_of(stage), budget=asked, reason="Enough is enough.", now=NOON)


def ask(stage: Stage, key: str, at: datetime = NOON, **more: Any) -> UUID:
    request = JobRequest("steps", BOOK, {"steps": 0}, key, **more)
    return submit(actor=stage.setup, request=request, now=at)[0]


def used(stage: Stage, **amounts: Any) -> None:
    Usage.objects.update_or_create(
        workspace_id=stage.setup.workspace_id, day=NOON.date(), defaults=amounts
    )


@pytest.mark.django_db
class TestSetting:
    """Who may set what, and where it is written."""

    def test_is_for_admins(self, stage: Stage) -> None:
        for role in ("engineer", "reviewer", "auditor"):
            actor = Actor("person", "1", "Eve", stage.setup.workspace_id, frozenset({role}))
            with pytest.raises(Forbidden):
                set_budget(actor=actor, budget=Budget(runs=1), reason="no", now=NOON)

    def test_stands_in_the_ledger_with_what_was_before(self, stage: Stage) -> None:
        budget(stage, tokens=5_000, money=Decimal("12.50"))
        budget(stage, tokens=7_000)
        lines = Entry.objects.filter(verb="budget.changed").order_by("seq")
        first, second = (line.body for line in lines)
        assert first["from"] == {}
        assert first["to"] == {"tokens": "5000", "money": "12.50"}
        assert (second["from"], second["to"]) == (
            {"tokens": "5000", "money": "12.500000"},
            {"tokens": "7000"},
        )
        assert second["reason"] == "Enough is enough."

    def test_nothing_at_all_is_no_budget(self, stage: Stage) -> None:
        budget(stage, runs=3)
        budget(stage)
        assert not WorkspaceBudget.objects.exists()

    @pytest.mark.parametrize(
        ("limits", "reason", "field"),
        [
            ({"tokens": 0}, "why", "tokens"),
            ({"runs": -1}, "why", "runs"),
            ({"at_once": 10_001}, "why", "at_once"),
            ({"money": Decimal("NaN")}, "why", "money"),
            ({"money": Decimal("0.0000001")}, "why", "money"),
            ({"money": Decimal(100000000)}, "why", "money"),
            ({"runs": 1}, "  ", "reason"),
        ],
    )
    def test_refuses_what_is_no_limit(
        self, stage: Stage, limits: dict[str, Any], reason: str, field: str
    ) -> None:
        with pytest.raises(LimitsInvalid) as refused:
            set_budget(actor=admin_of(stage), budget=Budget(**limits), reason=reason, now=NOON)
        assert refused.value.details["field"] == field


@pytest.mark.django_db
class TestSubmitting:
    """A spent budget takes nothing new until midnight UTC."""

    def test_refuses_the_job_after_the_last(self, stage: Stage) -> None:
        budget(stage, runs=2)
        first = ask(stage, "1")
        ask(stage, "2")
        with pytest.raises(BudgetSpent) as refused:
            ask(stage, "3")
        assert refused.value.details == {
            "budget": "runs",
            "used": "2",
            "limit": "2",
            "retry_after": 12 * 60 * 60,
        }
        assert Job.objects.count() == 2
        # What was taken in already is answered as before.
        assert ask(stage, "1") == first

    @pytest.mark.parametrize(
        ("limits", "amounts", "is_taken"),
        [
            ({"tokens": 1_000}, {"tokens": 999}, True),
            ({"tokens": 1_000}, {"tokens": 1_000}, False),
            ({"money": Decimal("2.5")}, {"money": Decimal("2.499999")}, True),
            ({"money": Decimal("2.5")}, {"money": Decimal("2.6")}, False),
            ({"at_once": 1}, {"tokens": 10**9, "runs": 10**6}, True),
        ],
    )
    def test_counts_tokens_and_money(
        self, stage: Stage, limits: dict[str, Any], amounts: dict[str, Any], is_taken: bool
    ) -> None:
        budget(stage, **limits)
        used(stage, **amounts)
        if is_taken:
            ask(stage, "1")
            return
        with pytest.raises(BudgetSpent):
            ask(stage, "1")

    def test_begins_anew_at_midnight_utc(self, stage: Stage) -> None:
        budget(stage, runs=1)
        late = datetime(2026, 11, 22, 23, 59, 59, 500_000, tzinfo=UTC)
        ask(stage, "1", late)
        with pytest.raises(BudgetSpent) as refused:
            ask(stage, "2", late)
        assert refused.value.details["retry_after"] == 1
        ask(stage, "2", late + timedelta(seconds=1))

    def test_counts_jobs_where_nobody_has_set_anything(self, stage: Stage) -> None:
        for key in "123":
            ask(stage, key)
        assert [row.runs for row in Usage.objects.all()] == [3]

    def test_of_another_workspace_says_nothing(self, stage: Stage) -> None:
        budget(stage, runs=1)
        ask(stage, "1")
        ask(Stage.build("other"), "1")


@pytest.mark.django_db(transaction=True)
def test_many_at_once_take_exactly_what_is_left(stage: Stage) -> None:
    budget(stage, runs=10)
    taken: list[Any] = []
    with race(WORKERS) as line:
        for turn in range(5):
            acts = [lambda n=n, t=turn: ask(stage, f"{t}-{n}") for n in range(WORKERS)]
            taken += line.run(*acts)
    assert (taken.count("budget_spent"), Job.objects.count(), Run.objects.count()) == (10, 10, 10)
    assert Usage.objects.get().runs == 10


@pytest.mark.django_db(transaction=True)
def test_counting_alone_is_exact_too(stage: Stage) -> None:
    budget(stage, runs=3)
    place = stage.setup.workspace_id
    with race(WORKERS) as line:
        done = line.run(*[lambda: count_run(place, NOON)] * WORKERS)
    assert sorted(done, key=str) == [None, None, None, "budget_spent"]


@pytest.mark.django_db
class TestJobs:
    """A job brings a budget and a priority, which its runs know."""

    def test_its_run_knows_workflow_and_priority(self, stage: Stage) -> None:
        budget_of_it = {"tokens": 500, "money": "0.25", "seconds": 300}
        job_id = ask(stage, "1", budget=budget_of_it, priority=-7)
        job = agents.job(stage.setup.workspace_id, job_id)
        run = agents.current_run(job)
        assert (job.budget, run.workflow, run.priority) == (budget_of_it, "steps", -7)

    def test_so_does_the_run_that_begins_anew(self, stage: Stage) -> None:
        job_id = ask(stage, "1", priority=9)
        first = agents.current_run(agents.job(stage.setup.workspace_id, job_id))
        supersede(actor=stage.setup, run_id=first.id, reason="again", now=now())
        run_id = start_again(actor=stage.setup, job_id=job_id, now=now())
        assert run_id is not None
        run = stage.run(run_id)
        assert (run.number, run.workflow, run.priority) == (2, "steps", 9)

    def test_a_key_stands_for_the_budget_as_well(self, stage: Stage) -> None:
        plain = JobRequest("steps", BOOK, {"steps": 0}, "1")
        assert plain.digest == JobRequest("steps", BOOK, {"steps": 0}, "1", budget={}).digest
        for more in ({"budget": {"tokens": 1}}, {"priority": 1}):
            assert plain.digest != JobRequest("steps", BOOK, {"steps": 0}, "1", **more).digest

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"priority": 101}, "priority"),
            ({"priority": -101}, "priority"),
            ({"budget": {"tokens": 0}}, "budget.tokens"),
            ({"budget": {"tokens": 1.5}}, "budget.tokens"),
            ({"budget": {"tokens": True}}, "budget.tokens"),
            ({"budget": {"money": 1.5}}, "budget.money"),
            ({"budget": {"money": "0.00"}}, "budget.money"),
            ({"budget": {"money": "1e3"}}, "budget.money"),
            ({"budget": {"seconds": float("nan")}}, "budget.seconds"),
            ({"budget": {"seconds": -1}}, "budget.seconds"),
            ({"budget": {"hours": 1}}, "budget.hours"),
        ],
    )
    def test_refuses_what_is_no_budget(
        self, stage: Stage, more: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(BudgetInvalid) as refused:
            ask(stage, "1", **more)
        assert refused.value.details["field"] == field


@pytest.mark.django_db
class TestPage:
    """The page shows what was used and what may be, and lets admins set it."""

    def address(self, house: House, more: str = "") -> str:
        return f"/w/{house.workspace.slug}/budgets/{more}"

    def read(self, browser: Client, address: str) -> str:
        answer = browser.get(address)
        assert answer.status_code == 200
        return " ".join(answer.content.decode().split())

    def test_shows_the_use_of_today_and_of_the_days_before(self, house: House) -> None:
        for back, runs in ((0, 40), (1, 31), (20, 77)):
            day = now().date() - timedelta(days=back)
            Usage.objects.create(workspace=house.workspace, day=day, runs=runs, tokens=1_234_567)
        admin = house.actor("ada")
        set_budget(actor=admin, budget=Budget(runs=50, at_once=6), reason="Tests", now=now())
        page = self.read(house.client("cleo"), self.address(house))
        assert "of 50, 80 %" in page
        assert "Jobs: 80 % of today's budget are used." in page
        assert "1,234,567" in page
        assert '<td data-label="Jobs" class="num">31</td>' in page
        assert ">77<" not in page
        assert page.count("<svg width=") == 3
        assert "An admin sets them." in page

    def test_an_admin_sets_the_limits_and_sees_them_again(self, house: House) -> None:
        browser = house.client("ada")
        typed = {"runs": "20", "money": "3.50", "reason": "The month is long."}
        answer = browser.post(self.address(house, "set/"), typed)
        assert answer.status_code == 302
        row = WorkspaceBudget.objects.get()
        assert (row.runs, row.money, row.tokens, row.at_once) == (20, Decimal("3.5"), None, None)
        page = self.read(browser, self.address(house))
        assert 'name="money" value="3.5"' in page
        assert "Set by" in page

    def test_says_what_is_wrong_beside_the_field(self, house: House) -> None:
        typed = {"runs": "0", "money": "0.12345678"}
        answer = house.client("ada").post(self.address(house, "set/"), typed)
        assert answer.status_code == 422
        assert answer.content.decode().count("field--error") == 3
        assert not WorkspaceBudget.objects.exists()

    def test_lets_nobody_else_set_them(self, house: House) -> None:
        for person in ("ana", "cleo", "eve"):
            answer = house.client(person).post(self.address(house, "set/"), {"reason": "mine"})
            assert answer.status_code == 403
