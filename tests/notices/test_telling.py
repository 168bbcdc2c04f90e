"""Telling of proposals: who hears what, from the first wording to the last."""

from datetime import timedelta
from uuid import UUID

import pytest
from pytest_django import Settings

from approvals.models import Proposal
from approvals.operations.deciding import Act, Seen, try_out
from approvals.operations.expiring import expire_due
from approvals.operations.telling import tell_due_soon
from approvals.policy import Threshold
from console.notices.models import Delivery, Event, Notice
from console.notices.operations.hooking import add
from console.notices.operations.mailing import mail_next
from tests.notices.receivers import Mailbox
from tests.story import Cast, now
from tests.terms import reason_code_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


def told(event: str) -> list[str]:
    """Return the names of those who were told of events of a kind, by name."""
    rows = Notice.objects.filter(event__name=event).select_related("person")
    return sorted(row.person.name for row in rows)


def events() -> list[str]:
    return list(Event.objects.order_by("made_at", "id").values_list("name", flat=True))


def due_in(proposal_id: UUID, left: timedelta, *, of: timedelta) -> None:
    made = now() + left - of
    Proposal.objects.filter(id=proposal_id).update(created_at=made, due_at=made + of)


def test_a_proposal_is_told_to_those_who_may_decide(cast: Cast) -> None:
    proposal_id = cast.ask()
    assert told("proposal.made") == ["Ada", "Ana", "Ben"]
    [event] = Event.objects.all()
    assert event.path == f"/w/acme/proposals/{proposal_id}/"
    assert event.data["status"] == "pending"
    assert set(event.data) == {"level", "revision", "status", "due_at"}


def test_when_nobody_is_left_to_decide_admins_are_alarmed(cast: Cast) -> None:
    cast.policy(approvals=5)
    cast.ask()
    assert told("proposal.nobody_may_decide") == ["Ada"]


def test_the_submitter_hears_what_became_of_it(cast: Cast) -> None:
    proposal_id = cast.ask()
    cast.decide(cast.ana, proposal_id, "reject")
    assert told("proposal.settled") == ["Eve"]
    assert Event.objects.get(name="proposal.settled").data["status"] == "rejected"


def test_the_submitter_hears_that_changes_were_requested(cast: Cast) -> None:
    cast.decide(cast.ana, cast.ask(), "request_changes")
    assert told("changes.requested") == ["Eve"]
    assert told("proposal.settled") == []


def test_an_expired_one_is_told_once(cast: Cast) -> None:
    proposal_id = cast.ask()
    Proposal.objects.filter(id=proposal_id).update(due_at=now())
    expire_due(now=now())
    expire_due(now=now())
    assert told("proposal.settled") == ["Eve"]


def test_an_escalation_is_told_to_who_may_decide_then(cast: Cast) -> None:
    cast.policy(
        then="escalate",
        escalate_seconds=3600,
        escalate_to=(Threshold(1, 1, ("admin",)),),
    )
    proposal_id = cast.ask()
    Proposal.objects.filter(id=proposal_id).update(due_at=now())
    expire_due(now=now())
    assert told("proposal.escalated") == ["Ada"]


@pytest.mark.parametrize(
    ("left", "of", "is_told"),
    [(59, 600, True), (61, 600, False), (59, 120, False), (30, 120, True), (31, 120, False)],
)
def test_due_soon_is_told_in_the_last_hour_and_the_last_quarter(
    cast: Cast, left: int, of: int, is_told: bool
) -> None:
    due_in(cast.ask(), timedelta(minutes=left), of=timedelta(minutes=of))
    assert tell_due_soon(now=now()) == is_told
    assert tell_due_soon(now=now() + timedelta(seconds=1)) == 0
    assert told("proposal.due_soon") == (["Ada", "Ana", "Ben"] if is_told else [])


def test_due_soon_is_not_told_to_who_has_decided_and_anew_after_another_deadline(
    cast: Cast,
) -> None:
    cast.policy(approvals=2)
    proposal_id = cast.ask()
    cast.decide(cast.ana, proposal_id)
    due_in(proposal_id, timedelta(minutes=20), of=timedelta(hours=4))
    tell_due_soon(now=now())
    assert told("proposal.due_soon") == ["Ada", "Ben"]
    due_in(proposal_id, timedelta(minutes=40), of=timedelta(hours=4))
    assert tell_due_soon(now=now()) == 1


def test_trying_a_decision_out_tells_nobody(cast: Cast) -> None:
    proposal_id = cast.ask()
    seen = cast.look(proposal_id).revision
    act = Act("reject", "because", reason_code_for("reject"))
    before = events()
    seen_now = Seen(seen.number, seen.digest)
    try_out(proposal_id=proposal_id, seen=seen_now, actor=cast.ana, act=act, now=now())
    assert events() == before


def test_no_mail_and_no_message_holds_the_name_or_the_amount_of_its_title(
    cast: Cast, box: Mailbox, settings: Settings
) -> None:
    everything = ["proposal.made", "proposal.settled"]
    add(actor=cast.eve, url="https://hooks.example/", events=everything, now=now())
    proposal_id = cast.ask(amount=731)
    assert Proposal.objects.get(id=proposal_id).title == "Pay 731 to Northwind"
    cast.decide(cast.ana, proposal_id, "reject")
    later = now() + timedelta(days=1)
    while mail_next(now=later):
        pass
    said = [f"{mail['Subject']}\n{box.text(index)}" for index, mail in enumerate(box.mails)]
    said += [bytes(row.body).decode() for row in Delivery.objects.all()]
    assert len(said) == 6
    for text in said:
        for secret in ("731", "Northwind", "Pay", "because", "Ana", "Scout", "scout"):
            assert secret not in text.replace(str(proposal_id), "")
