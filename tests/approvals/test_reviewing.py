"""Reviewing: two others look at what one person had carried out."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from approvals.models import Execution, Review
from approvals.operations.reviewing import AlreadyReviewed, NotToReview, ReviewInvalid, review
from approvals.queries.owing import count_owed
from console.actors import Actor
from console.errors import NotFound
from tests.approvals.test_breaking_glass import smash
from tests.racing import race
from tests.story import Cast, now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def owed(cast: Cast) -> list[UUID]:
    """Two looks at a payment for which Ada broke the glass."""
    smash(cast, cast.ada, cast.ask(70))
    return list(Review.objects.order_by("number").values_list("id", flat=True))


def look(
    who: Actor, review_id: UUID, verdict: str = "right", text: str = "The bill is there."
) -> None:
    review(actor=who, review_id=review_id, verdict=verdict, text=text, now=now())


def test_two_people_look_and_nothing_else_changes(cast: Cast, owed: list[UUID]) -> None:
    look(cast.ana, owed[0])
    assert count_owed(cast.workspace.id) == 1
    look(cast.ben, owed[1], "wrong", "Nobody called the vendor.")
    assert count_owed(cast.workspace.id) == 0
    found = Review.objects.order_by("number").values_list("person__name", "verdict", "text")
    assert list(found) == [
        ("Ana", "right", "The bill is there."),
        ("Ben", "wrong", "Nobody called the vendor."),
    ]
    assert Execution.objects.get().status == "succeeded"
    assert cast.said().count("review.done") == 2
    assert cast.ledger_objection() is None


def test_nobody_takes_both_looks(cast: Cast, owed: list[UUID]) -> None:
    look(cast.ana, owed[0])
    with pytest.raises(NotToReview, match="looked at this before"):
        look(cast.ana, owed[1])
    assert count_owed(cast.workspace.id) == 1


@pytest.mark.parametrize("who", ["ada", "cleo", "eve", "scout"])
def test_who_broke_it_made_it_or_may_not_decide_does_not_review(
    cast: Cast, owed: list[UUID], who: str
) -> None:
    with pytest.raises(NotToReview):
        look(getattr(cast, who), owed[0])
    assert count_owed(cast.workspace.id) == 2


def test_who_took_part_in_making_it_does_not_review(cast: Cast) -> None:
    from approvals.operations.deciding import Seen  # noqa: PLC0415  (an edit is the exception)
    from approvals.operations.editing import edit  # noqa: PLC0415

    asked = cast.ask(70)
    shown = cast.look(asked).revision
    edit(
        actor=cast.ana,
        proposal_id=asked,
        seen=Seen(shown.number, shown.digest),
        params={"vendor": "V7", "amount": 60},
        reason="60 it is",
        now=now(),
    )
    smash(cast, cast.ada, asked)
    with pytest.raises(NotToReview, match="took part"):
        look(cast.ana, Review.objects.get(number=1).id)
    look(cast.ben, Review.objects.get(number=1).id)


def test_a_look_is_taken_once(cast: Cast, owed: list[UUID]) -> None:
    look(cast.ana, owed[0])
    with pytest.raises(AlreadyReviewed):
        look(cast.ben, owed[0], "wrong")
    assert Review.objects.get(id=owed[0]).verdict == "right"


@pytest.mark.parametrize(
    ("verdict", "text"),
    [("", "Seen."), ("perhaps", "Seen."), ("right", ""), ("right", "…"), ("wrong", "a" * 1_001)],
)
def test_a_look_says_what_was_found(cast: Cast, owed: list[UUID], verdict: str, text: str) -> None:
    with pytest.raises(ReviewInvalid):
        look(cast.ana, owed[0], verdict, text)


def test_one_that_is_late_is_still_taken(cast: Cast, owed: list[UUID]) -> None:
    later = now() + timedelta(days=3)
    review(actor=cast.ana, review_id=owed[0], verdict="right", text="Late, but seen.", now=later)
    assert Review.objects.get(id=owed[0]).at == later


def test_the_other_workspace_finds_nothing(cast: Cast, owed: list[UUID]) -> None:
    for who, review_id in ((cast.zoe, owed[0]), (cast.ana, uuid4())):
        with pytest.raises(NotFound):
            look(who, review_id)


@pytest.mark.race
def test_one_person_in_two_windows_takes_one_look(cast: Cast, owed: list[UUID]) -> None:
    with race() as both:
        answers = both.run(*[looker(cast.ana, review_id) for review_id in owed])
    assert sorted(answers, key=str) == [None, "not_to_review"]
    assert count_owed(cast.workspace.id) == 1


@pytest.mark.race
def test_two_people_at_once_on_one_look(cast: Cast, owed: list[UUID]) -> None:
    with race() as both:
        answers = both.run(*[looker(who, owed[0]) for who in (cast.ana, cast.ben)])
    assert sorted(answers, key=str) == [None, "already_reviewed"]


def looker(who: Actor, review_id: UUID) -> Callable[[], None]:
    return lambda: look(who, review_id)
