"""Pages of people: who may approve how much, who stands in for whom, and which reviews are owed."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from approvals.models import AuthorityLimit, Delegation, Review
from approvals.operations.authorising import allow_up_to
from approvals.operations.delegating import delegate
from console.actors import Actor
from tests.approvals.test_breaking_glass import smash
from tests.story import Cast, now

pytestmark = pytest.mark.django_db(transaction=True)
BACKEND = "django.contrib.auth.backends.ModelBackend"
PEOPLE, GRANT, AWAY = "/w/acme/people/", "/w/acme/people/authority/", "/w/acme/people/away/"
REVIEWS = "/w/acme/reviews/"
DAY = timedelta(days=1)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


def browser(cast: Cast, who: Actor) -> Client:
    client = Client()
    client.force_login(cast.user(who), backend=BACKEND)
    return client


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def limit_of(who: Actor, **more: str) -> dict[str, str]:
    return {"person": who.id, "action_types": "pay, adjust_*", **more}


def days(who: Actor, delegate: Actor, first: int = 0, last: int = 3) -> dict[str, str]:
    today = datetime.now(UTC).date()
    return {
        "person": who.id,
        "delegate": delegate.id,
        "first_day": str(today + first * DAY),
        "last_day": str(today + last * DAY),
        "reason": "Holiday",
    }


def test_nobody_has_a_limit_at_first(cast: Cast) -> None:
    page = text(browser(cast, cast.ana), PEOPLE)
    assert "Nobody has a limit: a role is enough" in page
    assert "Set this limit" not in page
    for name in ("Ada", "Ana", "Ben"):
        assert name in page
    assert "Cleo" not in page


def test_an_admin_sets_a_limit_and_takes_it_back(cast: Cast) -> None:
    ada = browser(cast, cast.ada)
    sent = limit_of(cast.ana, amount="5000.50", currency="eur", last_day="2999-12-31", note="new")
    assert ada.post(GRANT, sent).status_code == 302
    row = AuthorityLimit.objects.get()
    assert (str(row.person_id), row.action_types) == (cast.ana.id, ["pay", "adjust_*"])
    assert (str(row.amount), row.currency) == ("5000.500000", "EUR")
    assert row.expires_at == datetime(3000, 1, 1, tzinfo=UTC)
    page = text(browser(cast, cast.ben), PEOPLE)
    assert "EUR 5,000.5" in page
    assert "only within 1 limit" in page
    assert "Take this limit back" not in page
    assert "Take this limit back" in text(ada, PEOPLE)
    assert ada.post(f"{GRANT}{row.id}/take-back/").status_code == 302
    assert "Nobody has a limit" in text(ada, PEOPLE)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"amount": "-1", "currency": "EUR"}, "greater than or equal to 0"),
        ({"amount": "much"}, "Enter a number."),
        ({"amount": "5"}, "A currency is its code of three letters."),
        ({"currency": "EUR"}, "A currency goes with an amount."),
        ({"last_day": "2020-01-01"}, "It ends after now."),
        ({"last_day": "9999-12-31"}, "less than or equal to"),
        ({"action_types": " , "}, "Name 1 to 50 kinds of action"),
        ({"person": ""}, "This field is required."),
    ],
)
def test_what_is_no_limit_is_said_at_its_input(
    cast: Cast, more: dict[str, str], sentence: str
) -> None:
    answer = browser(cast, cast.ada).post(GRANT, {**limit_of(cast.ana), **more})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not AuthorityLimit.objects.exists()


def test_nobody_sets_their_own_limit(cast: Cast) -> None:
    answer = browser(cast, cast.ada).post(GRANT, limit_of(cast.ada))
    assert answer.status_code == 422
    assert browser(cast, cast.ana).post(GRANT, limit_of(cast.ben)).status_code == 403
    assert not AuthorityLimit.objects.exists()


def test_a_limit_that_is_over_says_so(cast: Cast) -> None:
    set_limit(cast, cast.ana, expires_at=now() + DAY)
    AuthorityLimit.objects.update(expires_at=now() - DAY)
    assert "Over: approves nothing by it" in text(browser(cast, cast.cleo), PEOPLE)


def set_limit(cast: Cast, who: Actor, expires_at: datetime | None = None) -> UUID:
    return allow_up_to(
        actor=cast.ada,
        person_id=UUID(who.id),
        action_types=["*"],
        amount=None,
        currency="",
        expires_at=expires_at,
        note="",
        now=now(),
    )


def test_somebody_names_who_stands_in_for_them(cast: Cast) -> None:
    ana = browser(cast, cast.ana)
    assert "Everybody decides for themselves" in text(ana, AWAY)
    assert ana.post(AWAY, days(cast.ana, cast.ben)).status_code == 302
    row = Delegation.objects.get()
    assert (str(row.person_id), str(row.delegate_id)) == (cast.ana.id, cast.ben.id)
    assert (row.ends_at - row.begins_at) == 4 * DAY
    page = text(browser(cast, cast.ben), AWAY)
    assert "Holiday" in page
    assert "End it now" in page
    assert "End it now" not in text(browser(cast, cast.cleo), AWAY)
    assert browser(cast, cast.ben).post(f"{AWAY}{row.id}/end/").status_code == 302
    assert "Everybody decides for themselves" in text(ana, AWAY)


def test_only_an_admin_names_it_for_others(cast: Cast) -> None:
    assert browser(cast, cast.ana).post(AWAY, days(cast.ben, cast.ada)).status_code == 422
    assert browser(cast, cast.cleo).post(AWAY, days(cast.ben, cast.ada)).status_code == 422
    assert not Delegation.objects.exists()
    assert browser(cast, cast.ada).post(AWAY, days(cast.ben, cast.ana)).status_code == 302
    assert str(Delegation.objects.get().person_id) == cast.ben.id


@pytest.mark.parametrize(("first", "last"), [(3, 1), (-9, -5), (0, 400)])
def test_days_that_make_no_sense_are_told(cast: Cast, first: int, last: int) -> None:
    answer = browser(cast, cast.ana).post(AWAY, days(cast.ana, cast.ben, first, last))
    assert answer.status_code == 422
    assert b"field--error" in answer.content
    assert not Delegation.objects.exists()


@pytest.mark.parametrize("path", [PEOPLE, AWAY, REVIEWS, f"{REVIEWS}?taken=1"])
def test_a_longer_list_takes_no_more_queries(
    cast: Cast, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def grow(number: int) -> None:
        who = cast.enlist(f"P{number}", "reviewer")
        set_limit(cast, who)
        delegate(
            actor=cast.ada,
            person_id=UUID(who.id),
            delegate_id=UUID(cast.ben.id),
            begins_at=now(),
            ends_at=now() + DAY,
            reason="",
            now=now(),
        )
        smash(cast, cast.ada, cast.ask(number))
        Review.objects.filter(number=2, verdict="").update(
            verdict="right", person=UUID(who.id), at=now(), text="Seen."
        )

    grow(1)
    client = browser(cast, cast.ana)
    client.get(path)
    counted = _queries(client, path)
    for number in range(2, 6):
        grow(number)
    with django_assert_num_queries(counted):
        client.get(path)


def _queries(client: Client, path: str) -> int:
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as found:
        client.get(path)
    return len(found)


def test_owed_reviews_are_listed_and_taken(cast: Cast) -> None:
    ana, ben = browser(cast, cast.ana), browser(cast, cast.ben)
    assert "No review is owed" in text(ana, REVIEWS)
    smash(cast, cast.ada, cast.ask(70))
    first, second = Review.objects.order_by("number")
    page = text(ana, REVIEWS)
    assert page.count("Pay 70 to Northwind") == 2
    assert "The glass was broken by Ada" in page
    one = text(ana, f"{REVIEWS}{first.id}/")
    assert "The payroll run starts in ten minutes." in one
    assert "?a=1&amp;b=2" in one
    empty = ana.post(f"{REVIEWS}{first.id}/", {"verdict": "right", "text": " "})
    assert empty.status_code == 422
    assert b"Record my review" in empty.content
    sent = {"verdict": "wrong", "text": "Nobody called."}
    assert ana.post(f"{REVIEWS}{first.id}/", sent).status_code == 303
    assert ben.post(f"{REVIEWS}{first.id}/", sent).status_code == 409
    assert "looked at this before" in text(ana, f"{REVIEWS}{second.id}/")
    assert ben.post(f"{REVIEWS}{second.id}/", {**sent, "verdict": "right"}).status_code == 303
    assert "No review is owed" in text(ana, REVIEWS)
    taken = text(browser(cast, cast.cleo), f"{REVIEWS}?taken=1")
    assert taken.count("Nobody called.") == 2
    assert "The glass was broken by Ada:" not in taken


def test_an_overdue_review_is_flagged(cast: Cast) -> None:
    smash(cast, cast.ada, cast.ask(70))
    assert "Overdue" not in text(browser(cast, cast.ana), REVIEWS)
    Review.objects.filter(number=1).update(due_at=now() - DAY)
    page = text(browser(cast, cast.ana), REVIEWS)
    assert page.count("Overdue") == 1


@pytest.mark.parametrize("who", ["ada", "cleo"])
def test_who_may_not_look_reads_why(cast: Cast, who: str) -> None:
    smash(cast, cast.ada, cast.ask(70))
    path = f"{REVIEWS}{Review.objects.get(number=1).id}/"
    client = browser(cast, getattr(cast, who))
    assert "Record my review" not in text(client, path)
    assert client.post(path, {"verdict": "right", "text": "Fine."}).status_code == 403
    assert Review.objects.filter(verdict="").count() == 2
