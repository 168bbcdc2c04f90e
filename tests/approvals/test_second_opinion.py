"""What another agent would have done stands beside a proposal, and is judged by its effect."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.models import Revision
from approvals.operations.proposing import Request, propose
from approvals.operations.rewording import reword
from approvals.second_opinion import Second, agrees, differs_at
from console.actors import agent
from console.canonical import Json
from snapshots.diff import Change
from tests.agents.test_pages import page, words
from tests.api.robots import PROPOSALS, robot_of
from tests.house import NEW_IBAN, OLD_IBAN, VENDORS, House, now
from tests.story import Cast

WHY = "The mail does not come from <b>Nordlicht</b>."
KEEPS = Change("replace", "/V-1/iban", OLD_IBAN, NEW_IBAN)
NOTES = Change("replace", "/V-1/note", "Called back on 3 March.", "Ask first.")


def second(*changes: Change, action: str = "change_bank") -> Second:
    return Second("critic", action, {"vendor": "V-1"}, changes, WHY)


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ([KEEPS], [KEEPS], True),
        ([KEEPS, NOTES], [NOTES, KEEPS], True),
        ([KEEPS], [], False),
        ([], [KEEPS], False),
        ([], [], True),
        ([KEEPS], [Change("replace", "/V-1/iban", OLD_IBAN, "DE02")], False),
        ([KEEPS], [KEEPS, NOTES], False),
        # What stood there before is the same for both, whatever either says of it.
        ([KEEPS], [Change("replace", "/V-1/iban", "?", NEW_IBAN)], True),
        ([Change("add", "/n", value=1)], [Change("add", "/n", value=True)], False),
        ([KEEPS], [Change("remove", "/V-1/iban", OLD_IBAN)], False),
        ([KEEPS], [KEEPS, KEEPS], False),
    ],
)
def test_agrees_by_what_would_change(ours: list[Change], theirs: list[Change], same: bool) -> None:
    assert agrees(ours, second(*theirs)) is same
    assert bool(differs_at(ours, second(*theirs))) is not same


def test_says_at_which_paths_they_differ() -> None:
    other = Change("replace", "/V-1/iban", OLD_IBAN, "DE02")
    assert differs_at([KEEPS, NOTES], second(other, NOTES)) == ["/V-1/iban"]
    assert differs_at([KEEPS], second(NOTES)) == ["/V-1/iban", "/V-1/note"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=4))
def test_agrees_with_itself_and_is_kept_as_it_was(said: list[tuple[str, int]]) -> None:
    changes = [Change("add", f"/{name}", value=value) for name, value in said]
    other = second(*changes)
    assert agrees(changes, other)
    assert differs_at(changes, other) == []
    assert Second.from_json(other.to_json()) == other


def propose_with(house: House, other: Second | None, **more: Any) -> UUID:
    request = Request(
        state_key=VENDORS,
        action_type="change_bank",
        params={"vendor": "V-1", "iban": NEW_IBAN},
        origin=f"client:{house.people['eve'].id}",
        origin_step=str(now()),
        second=other,
        **more,
    )
    scout = agent("scout", house.workspace.id, f"person:{house.people['eve'].id}")
    return propose(actor=scout, request=request, now=now())


def opinion_on(proposal_id: UUID) -> Second:
    kept = Revision.objects.get(proposal=proposal_id).second
    assert kept is not None
    return Second.from_json(kept)


@pytest.mark.django_db
class TestThePage:
    def test_shows_both_effects_beside_each_other_where_they_differ(self, house: House) -> None:
        asked = propose_with(house, second(NOTES))
        html = page(house.client("ana"), house.url("proposals", asked))
        said = words(html)
        assert "Second opinion" in said
        assert "Differs" in said
        assert "It comes to another effect." in said
        assert "leaves it as it is" in said
        assert "Ask first." in said
        assert "&lt;b&gt;Nordlicht" in html
        assert html.count("differs</span>") == 2

    def test_says_that_it_agrees(self, house: House) -> None:
        asked = propose_with(house, second(KEEPS))
        said = words(page(house.client("ana"), house.url("proposals", asked)))
        assert "Agrees" in said
        assert "It comes to the same effect." in said

    def test_says_that_it_would_not_have_acted(self, house: House) -> None:
        asked = propose_with(house, second(action=""))
        said = words(page(house.client("ana"), house.url("proposals", asked)))
        assert "It would not have acted." in said

    def test_says_that_it_would_have_done_something_else(self, house: House) -> None:
        asked = propose_with(house, second(NOTES, action="set_note"))
        said = words(page(house.client("ana"), house.url("proposals", asked)))
        assert "It would have done something else: set_note." in said

    def test_shows_nothing_where_nobody_else_was_asked(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", propose_with(house, None)))
        assert "Second opinion" not in html

    def test_survives_an_opinion_that_does_not_fit_the_record(self, house: House) -> None:
        odd = Change("replace", "/V-99/iban", "x", "y")
        asked = propose_with(house, second(odd))
        assert opinion_on(asked).changes == (odd,)
        assert "/V-99/iban" in page(house.client("ana"), house.url("proposals", asked))

    def test_keeps_it_when_the_agent_words_its_proposal_anew(self, house: House) -> None:
        asked = propose_with(house, second(NOTES))
        scout = agent("scout", house.workspace.id, f"person:{house.people['eve'].id}")
        reword(actor=scout, proposal_id=asked, rationale="Another reason.", now=now())
        rows = Revision.objects.filter(proposal=asked).values_list("second", flat=True)
        assert len({str(row) for row in rows}) == 1
        assert "Differs" in words(page(house.client("ana"), house.url("proposals", asked)))

    def test_names_its_changes_as_a_diff_would(self, house: House) -> None:
        whole: dict[str, Json] = {
            "name": "Nordlicht GmbH",
            "iban": NEW_IBAN,
            "terms_days": 30,
            "open": "48200.00",
        }
        whole |= {"currency": "EUR", "note": "Called back on 3 March."}
        before: dict[str, Json] = {**whole, "iban": OLD_IBAN}
        asked = propose_with(house, second(Change("replace", "/V-1", before, whole)))
        assert opinion_on(asked).changes == (KEEPS,)
        assert "Agrees" in words(page(house.client("ana"), house.url("proposals", asked)))


@pytest.mark.django_db
def test_the_api_says_so_too() -> None:
    cast = Cast.build()
    robot = robot_of(cast, cast.eve)
    other = Second("critic", "pay", {}, (Change("replace", "/balance", 1000, 900),), "why")
    claimed = cast.ask(second=other, rationale="The CFO approved it.")
    found = robot.get(f"{PROPOSALS}/{claimed}").json()
    assert (found["second"]["agent"], found["second"]["agrees"]) == ("critic", False)
    assert found["second"]["differs_at"] == ["/balance", "/payments/0"]
    assert found["false_authority"] == [{"quote": "The CFO approved it.", "place": "explanation"}]
    plain = robot.get(f"{PROPOSALS}/{cast.ask(6)}").json()
    assert (plain["second"], plain["false_authority"]) == (None, [])
