"""The second reviewer at level 3: nothing of the first decision reaches who may still decide."""

import asyncio
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from django.db import connections

from approvals.operations.commenting import comment
from approvals.policy import Choice
from tests.approvals.deciders import Signer, ask_for
from tests.approvals.test_live import opened, shows, told
from tests.house import House, now

__all__ = ["told"]
REASON = "Zanzibar called back at noon."
SAID = "Quetzal looks fine to me."


def of_the_first(html: str) -> list[str]:
    """Return what of the first decision stands in a page."""
    told_of_it = ["Ana", "Zanzibar", "Quetzal", "approved revision", "Needs 1 more", "Reviewed by"]
    return [text for text in told_of_it if text in html]


def decided_by_ana(house: House, choice: Choice = "approve") -> UUID:
    """Propose, and let Ana sign first and say something."""
    ask_for(house, level=3, approvals=2, denials=2)
    proposal = house.propose()
    comment(actor=house.actor("ana"), proposal_id=proposal, text=SAID, now=now())
    code = "" if choice == "approve" else "other"
    Signer(house, "ana").decide(proposal, choice=choice, reason=REASON, reason_code=code)
    return proposal


@pytest.mark.parametrize("choice", ["approve", "reject"])
@pytest.mark.django_db
def test_shows_nothing_of_it_on_the_page(house: House, choice: Choice) -> None:
    proposal = decided_by_ana(house, choice)
    ben = Signer(house, "ben")
    assert of_the_first(ben.page(proposal)) == []
    assert "You decide without knowing what others chose" in ben.page(proposal)


@pytest.mark.django_db
def test_shows_nothing_of_it_in_any_answer_to_a_form(house: House) -> None:
    proposal = decided_by_ana(house)
    ben = Signer(house, "ben")
    assert of_the_first(ben.decide(proposal, status=422, fact="wrong")) == []
    for act, form in (
        ("claim", {}),
        ("comment", {"text": "I look at it."}),
        ("ask", {"question": "Who called?"}),
        ("take-back", {}),
    ):
        address = house.url("proposals", proposal, act)
        answer = ben.browser.post(address, form, headers={"HX-Request": "true"})
        assert (act, answer.status_code) == (act, 200)
        assert of_the_first(answer.content.decode()) == []


@pytest.mark.django_db
def test_hides_who_recalled_an_approval(house: House) -> None:
    ask_for(house, level=3, approvals=1, hold_seconds=600)
    proposal, ana = house.propose(), Signer(house, "ana")
    ana.decide(proposal, reason=REASON)
    ana.browser.post(house.url("proposals", proposal, "recall"), {"reason": "Zanzibar again"})
    ben = Signer(house, "ben").page(proposal)
    assert "Revision 2 was made" in ben
    assert of_the_first(ben) == []


@pytest.mark.django_db
def test_shows_all_of_it_once_they_have_decided(house: House) -> None:
    proposal = decided_by_ana(house)
    ben = Signer(house, "ben")
    ben.decide(proposal, choice="request_changes", reason_code="other")
    html = ben.page(proposal)
    assert REASON in html
    assert SAID in html


@pytest.mark.django_db
def test_hides_nothing_from_whoever_cannot_decide(house: House) -> None:
    proposal = decided_by_ana(house)
    for name in ("cleo", "eve"):
        browser = house.client(name)
        html = browser.get(house.url("proposals", proposal)).content.decode()
        assert REASON in html


@pytest.mark.django_db
def test_hides_nothing_below_the_signed_level(house: House) -> None:
    proposal = house.propose()
    house.decide("ana", proposal, reason=REASON)
    assert REASON in house.client("ben").get(house.url("proposals", proposal)).content.decode()


@pytest.mark.django_db(transaction=True)
async def test_pushes_nothing_of_it(told: House) -> None:
    sync = database_sync_to_async
    await sync(ask_for)(told, level=3, approvals=2)
    proposal, ana = await sync(told.propose)(), await sync(Signer)(told, "ana")
    async with opened(told, "ben", f"proposals/{proposal}/?seen=1") as socket:
        await shows(socket, "Needs review")
        await sync(ana.decide)(proposal, reason=REASON)
        # A push that says the same is not sent; whatever comes is looked at.
        await sync(comment)(
            actor=told.actor("eve"), proposal_id=proposal, text="Anything else?", now=now()
        )
        assert of_the_first(await shows(socket, "Anything else?")) == []
    async with opened(told, "cleo", f"proposals/{proposal}/?seen=1") as socket:
        assert REASON in await shows(socket, "Needs 1 more")
    async with opened(told, "ben", f"ledger/?subject=proposal:{proposal}") as socket:
        assert of_the_first(await shows(socket, "kept back until you have decided")) == []
    await asyncio.sleep(0)
    await sync(connections.close_all)()


@pytest.mark.django_db
def test_shows_nothing_of_it_in_the_ledger(house: House) -> None:
    proposal = decided_by_ana(house)
    page, subject = house.url("ledger"), {"subject": f"proposal:{proposal}"}
    for asked in (subject, {}):
        html = house.client("ben").get(page, asked).content.decode()
        assert "kept back until you have decided" in html
        assert "proposal decided" not in html
        assert REASON not in html
    for name in ("ana", "cleo"):
        assert "proposal decided" in house.client(name).get(page, subject).content.decode()
