"""Every form of a proposal's page: what it does, and what it refuses, with HTMX and without."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from approvals.models import BreakGlass, Decision, InfoRequest, Signature, Snooze
from approvals.operations.delegating import delegate
from tests.access.proving import PASSWORD, code_of
from tests.approvals.deciders import HTMX, Signer, ask_for
from tests.approvals.test_pages import main_of, page
from tests.house import NEW_IBAN, House, now

pytestmark = pytest.mark.django_db
ACTS = [
    "decide", "recall", "rebase", "comment", "ask", "answer", "take-back", "claim", "release",
    "assign", "snooze", "break-glass",
]  # fmt: skip


def send(house: House, name: str, proposal: UUID, act: str, status: int = 200, **form: Any) -> str:
    """Send a form as HTMX does and return the answer."""
    answer = house.client(name).post(house.url("proposals", proposal, act), form, headers=HTMX)
    assert answer.status_code == status, answer.content.decode()
    return answer.content.decode()


class TestLevels:
    """The form asks what the level asks for, and no button is chosen beforehand."""

    def test_asks_one_click_at_level_1(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", house.propose("set_note")))
        assert "Level 1: one click." in html
        assert 'name="ticked"' not in html
        assert 'name="fact"' not in html
        assert 'name="password"' not in html.partition('id="decide"')[2].partition("</form>")[0]

    def test_asks_ticks_and_a_reason_at_level_2(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", house.propose()))
        assert "Level 2: tick failed checks and give a reason." in html
        assert 'name="ticked" value="Country stays"' in html
        assert "Needed whatever you choose" in html

    def test_asks_a_fact_and_a_signature_at_level_3(self, house: House) -> None:
        ask_for(house, level=3, approvals=2)
        html = Signer(house, "ana").page(house.propose())
        assert "Level 3: type a fact, sign" in html
        assert 'name="fact"' in html
        assert "Its last 4 characters" in html
        assert 'name="code"' in html
        field = html.partition('for="fact"')[2].partition("</div>")[0]
        assert NEW_IBAN[-4:] not in field

    def test_says_verb_and_object_and_lets_enter_choose_nothing(self, house: House) -> None:
        proposal = house.propose("set_note")
        form = page(house.client("ana"), house.url("proposals", proposal))
        form = form.partition('id="decide"')[2].partition("</form>")[0]
        first = form.partition("<button")[2].partition(">")[0]
        assert 'value=""' in first
        assert "Approve: note on Nordlicht GmbH" in " ".join(form.split())
        assert "autofocus" not in form
        send(house, "ana", proposal, "decide", 422, **house.form(proposal, choice=""))

    def test_requests_changes_with_a_code(self, house: House) -> None:
        proposal = house.propose()
        form = house.form(proposal, choice="request_changes")
        html = send(house, "ana", proposal, "decide", **form)
        assert "Your decision is recorded" in html
        assert house.detail(proposal).proposal.status == "changes_requested"
        again = main_of(page(house.client("ben"), house.url("proposals", proposal)))
        assert "It went back to its proposer" in again
        assert 'name="choice"' not in again

    def test_rejects_only_with_a_code(self, house: House) -> None:
        proposal = house.propose()
        form = house.form(proposal, choice="reject", reason_code="")
        html = send(house, "ana", proposal, "decide", 422, **form)
        assert "field--error" in html
        assert not Decision.objects.exists()

    def test_keeps_what_the_page_noticed(self, house: House) -> None:
        proposal = house.propose("set_note")
        noticed = {
            "visible_seconds": "42",
            "hidden_seconds": "7",
            "reached_end": "true",
            "evidence_opened": "2",
        }
        send(house, "ana", proposal, "decide", **house.form(proposal, **noticed))
        kept = Decision.objects.get().attention
        assert (
            kept.items()
            >= {
                "visible_seconds": 42,
                "hidden_seconds": 7,
                "reached_end": True,
                "evidence_opened": 2,
            }.items()
        )

    @pytest.mark.parametrize("said", ["-1", "x", "9" * 30, "1e9", "\u00b2"])
    def test_leaves_out_what_no_page_notices(self, house: House, said: str) -> None:
        proposal = house.propose("set_note")
        form = house.form(proposal, visible_seconds=said, reached_end=said)
        send(house, "ana", proposal, "decide", **form)
        assert not {"visible_seconds", "reached_end"} & Decision.objects.get().attention.keys()

    def test_says_that_it_does_so_and_who_sees_it(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", house.propose()))
        assert "Durations only, nothing that you type. You see your own figures" in html


class TestSigning:
    """Level 3 through the page."""

    def test_records_a_signed_decision_by_two(self, house: House) -> None:
        ask_for(house, level=3, approvals=2)
        proposal = house.propose()
        assert "Your decision is recorded" in Signer(house, "ana").decide(proposal)
        html = Signer(house, "ben").decide(proposal)
        assert "Approved by Ana and Ben" in html
        assert Signature.objects.count() == 2
        settled = page(house.client("cleo"), house.url("proposals", proposal))
        assert "Typed from the diff" in settled
        assert "I reviewed this change and approve it" in settled

    def test_refuses_another_fact_and_keeps_the_form(self, house: House) -> None:
        ask_for(house, level=3)
        proposal, ana = house.propose(), Signer(house, "ana")
        html = ana.decide(proposal, status=422, fact="0000")
        assert 'value="0000"' in html
        assert PASSWORD not in html
        assert not Decision.objects.exists()

    @pytest.mark.parametrize("wrong", [{"password": "no"}, {"code": "000000"}, {"code": ""}])
    def test_refuses_whoever_does_not_prove_who_they_are(
        self, house: House, wrong: dict[str, str]
    ) -> None:
        ask_for(house, level=3)
        proposal, ana = house.propose(), Signer(house, "ana")
        assert 'id="notice"' in ana.decide(proposal, status=403, **wrong)
        assert not Decision.objects.exists()
        plain = ana.browser.post(
            house.url("proposals", proposal, "decide"), ana.form(proposal, **wrong)
        )
        assert plain.status_code == 403
        assert "<main" in plain.content.decode()
        assert 'id="decide"' in plain.content.decode()

    def test_tells_whoever_has_nothing_to_sign_with(self, house: House) -> None:
        ask_for(house, level=3)
        html = page(house.client("ana"), house.url("proposals", house.propose()))
        assert "You have nothing to sign with yet" in html


class TestStandingIn:
    """Somebody who is away is stood in for, by name."""

    def test_offers_whom_they_stand_in_for_and_records_it(self, house: House) -> None:
        proposal = house.propose("set_note")
        delegate(
            actor=house.actor("ana"),
            person_id=house.people["ana"].id,
            delegate_id=house.people["ben"].id,
            begins_at=now() - timedelta(minutes=1),
            ends_at=now() + timedelta(days=1),
            reason="away",
            now=now(),
        )
        html = page(house.client("ben"), house.url("proposals", proposal))
        assert "in place of Ana" in html
        form = house.form(proposal, stands_for=str(house.people["ana"].id))
        send(house, "ben", proposal, "decide", **form)
        assert Decision.objects.get().stands_for == house.people["ana"]
        assert "in place of Ana" in page(house.client("cleo"), house.url("proposals", proposal))

    @pytest.mark.parametrize("who", ["x", "", "stranger"])
    def test_refuses_a_place_that_is_nobodys(self, house: House, who: str) -> None:
        proposal = house.propose("set_note")
        place = str(uuid4()) if who == "stranger" else who
        answer = house.client("ben").post(
            house.url("proposals", proposal, "decide"), house.form(proposal, stands_for=place)
        )
        assert (answer.status_code < 400) == (who == "")


class TestTalking:
    """Questions, answers and comments."""

    def test_says_something_and_shows_it_to_all(self, house: House) -> None:
        proposal = house.propose()
        html = send(house, "cleo", proposal, "comment", text="Seen <b>twice</b>.")
        assert "Seen &lt;b&gt;twice&lt;/b&gt;." in html
        assert html.lstrip().startswith('<section id="say"')
        assert "Seen &lt;b&gt;" in page(house.client("ana"), house.url("proposals", proposal))

    def test_refuses_to_say_nothing(self, house: House) -> None:
        assert 'id="notice"' in send(house, "ana", house.propose(), "comment", 422, text=" ")

    def test_asks_answers_and_goes_on(self, house: House) -> None:
        proposal = house.propose()
        asked = send(house, "ana", proposal, "ask", question="Who called whom?")
        assert "A question waits for its answer" in asked
        assert 'name="choice"' not in asked
        ana = page(house.client("ana"), house.url("proposals", proposal))
        assert "Question asked" in ana
        assert "Answer the question" not in ana
        assert "Answer the question" in page(house.client("eve"), house.url("proposals", proposal))
        answered = send(house, "eve", proposal, "answer", text="We called on 3 March.")
        assert "Answered by Eve" in answered
        html = page(house.client("ana"), house.url("proposals", proposal))
        assert "We called on 3 March." in html
        assert "Answer to question 1" in html
        assert 'name="choice"' in html

    def test_takes_a_question_back(self, house: House) -> None:
        proposal = house.propose()
        send(house, "ana", proposal, "ask", question="Who?")
        assert "Take the question back" in page(
            house.client("ana"), house.url("proposals", proposal)
        )
        assert "Taken back." in send(house, "ana", proposal, "take-back")
        assert InfoRequest.objects.get().withdrawn_at

    def test_lets_nobody_ask_who_may_not_decide(self, house: House) -> None:
        proposal = house.propose()
        for name in ("cleo", "eve"):
            send(house, name, proposal, "ask", 403, question="Who?")


class TestHandling:
    """Claim, assign, put aside."""

    def test_claims_and_lets_go(self, house: House) -> None:
        proposal = house.propose()
        mine = send(house, "ana", proposal, "claim")
        assert "Claimed by you" in mine
        assert mine.lstrip().startswith('<article id="proposal"')
        assert "Claimed by Ana" in page(house.client("ben"), house.url("proposals", proposal))
        send(house, "ben", proposal, "claim", 409)
        assert "Claimed" not in send(house, "ana", proposal, "release")

    def test_assigns_to_oneself_and_back(self, house: House) -> None:
        proposal, ana = house.propose(), str(house.people["ana"].id)
        assert "Assigned to Ana" in send(house, "ana", proposal, "assign", person=ana)
        send(house, "ben", proposal, "assign", 403, person=str(house.people["ben"].id))
        assert "Assigned" not in send(house, "ana", proposal, "assign", person="")
        send(house, "ana", proposal, "assign", 422, person="x")

    def test_lets_an_admin_assign_to_anybody_who_may_decide(self, house: House) -> None:
        proposal = house.propose()
        html = page(house.client("ada"), house.url("proposals", proposal))
        offered = html.partition('id="assign-person"')[2].partition("</select>")[0]
        assert "Ana" in offered
        assert "Cleo" not in offered
        ben = str(house.people["ben"].id)
        assert "Assigned to Ben" in send(house, "ada", proposal, "assign", person=ben)

    def test_puts_it_aside_and_brings_it_back(self, house: House) -> None:
        proposal = house.propose("set_note")
        assert "Out of your queue until" in send(house, "ana", proposal, "snooze", seconds="3600")
        assert Snooze.objects.count() == 1
        assert "Out of your queue" not in send(house, "ana", proposal, "snooze", seconds="0")
        for said in ("x", "-1", "9999999", "99999999999"):
            send(house, "ana", proposal, "snooze", 422, seconds=said)


class TestEditing:
    """Edit and approve: the editor becomes an author."""

    def test_shows_typed_inputs_and_what_follows(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", house.propose(), "edit"))
        assert 'name="param-iban"' in html
        assert "You become an author" in html
        assert "2 people" in html

    def test_makes_a_revision_that_somebody_else_approves(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        shown = house.detail(proposal).revision
        form = {"revision": 1, "digest": shown.digest, "why": "typo"}
        answer = browser.post(
            house.url("proposals", proposal, "edit"),
            {**form, "param-vendor": "V-1", "param-iban": "LT601010012345678901"},
            follow=True,
        )
        html = answer.content.decode()
        assert "Revision 2 was made" in html
        assert "You took part in making this proposal" in html
        assert house.detail(proposal).revision.params["iban"] == "LT601010012345678901"

    def test_refuses_an_edit_that_says_nothing_and_keeps_what_was_typed(self, house: House) -> None:
        proposal = house.propose()
        shown = house.detail(proposal).revision
        typed = {"param-iban": "LT601010012345678901", "param-vendor": "V-1", "why": " "}
        answer = house.client("ana").post(
            house.url("proposals", proposal, "edit"),
            {"revision": 1, "digest": shown.digest, **typed},
        )
        assert answer.status_code == 422
        assert "LT601010012345678901" in answer.content.decode()
        assert "Nothing was recorded yet" in answer.content.decode()
        assert house.detail(proposal).proposal.revision == 1

    def test_refuses_an_edit_of_yesterdays_wording(self, house: House) -> None:
        proposal = house.propose()
        typed = {"param-iban": "LT601010012345678901", "param-vendor": "V-1", "why": "typo"}
        answer = house.client("ana").post(
            house.url("proposals", proposal, "edit"),
            {"revision": 1, "digest": "0" * 64, **typed},
        )
        assert answer.status_code == 412

    def test_offers_it_to_whoever_may_decide_only(self, house: House) -> None:
        proposal = house.propose()
        assert "Edit it" in page(house.client("ana"), house.url("proposals", proposal))
        assert "Edit it" not in page(house.client("eve"), house.url("proposals", proposal))
        page(house.client("eve"), house.url("proposals", proposal, "edit"), status=403)


class TestGlass:
    """An admin in an emergency."""

    def form(self, signer: Signer, proposal: UUID, **typed: Any) -> dict[str, Any]:
        """Return the emergency's form, filled in."""
        shown = signer.house.detail(proposal).revision
        return {
            "revision": shown.number,
            "digest": shown.digest,
            "choice": "break_glass",
            "reason": "The ward burns.",
            "password": PASSWORD,
            "code": code_of(signer.secret, now()),
            **typed,
        }

    def test_says_what_follows_to_admins_only(self, house: House) -> None:
        proposal = house.propose()
        html = page(house.client("ada"), house.url("proposals", proposal))
        assert "two other people owe a review" in html
        assert "Break the glass" not in page(house.client("ana"), house.url("proposals", proposal))

    def test_carries_it_out_and_says_so(self, house: House) -> None:
        proposal, ada = house.propose(), Signer(house, "ada")
        answer = ada.browser.post(
            house.url("proposals", proposal, "break-glass"), self.form(ada, proposal), follow=True
        )
        assert "Carried out in an emergency by Ada" in answer.content.decode()
        assert BreakGlass.objects.get().reason == "The ward burns."

    def test_refuses_it_without_a_reason_or_a_proof(self, house: House) -> None:
        proposal, ada = house.propose(), Signer(house, "ada")
        address = house.url("proposals", proposal, "break-glass")
        for wrong, status in (({"code": "000000"}, 403), ({"reason": " "}, 422)):
            answer = ada.browser.post(address, self.form(ada, proposal, **wrong))
            assert answer.status_code == status
        send(house, "ana", proposal, "break-glass", 403)
        assert not BreakGlass.objects.exists()


class TestRecall:
    """Sending in a while, and until then it can be taken back."""

    def test_says_when_it_is_sent_and_offers_to_recall_it(self, house: House) -> None:
        proposal = house.propose("pay")
        html = send(house, "ana", proposal, "decide", **house.form(proposal))
        assert 'hx-target="#toasts"' in html
        assert "Recall it" in html
        answer = house.client("ana").post(house.url("proposals", proposal, "recall"), {})
        assert answer.status_code == 302
        assert house.detail(proposal).proposal.status == "pending"

    def test_says_nothing_of_sending_where_nothing_is_held(self, house: House) -> None:
        proposal = house.propose("set_note")
        html = send(house, "ana", proposal, "decide", **house.form(proposal))
        assert "Recall it" not in html


class TestOrder:
    """Previous and next in the queue."""

    def test_links_to_what_stands_beside_it(self, house: House) -> None:
        first, second = house.propose(), house.propose("set_note")
        html = page(house.client("ana"), house.url("proposals", first))
        assert f'href="{house.url("proposals", second)}" data-key="n"' in html
        html = page(house.client("ana"), house.url("proposals", second))
        assert f'href="{house.url("proposals", first)}" data-key="p"' in html


class TestStrangers:
    """Nobody acts on what is another workspace's, and nothing acts on a GET."""

    @pytest.mark.parametrize("act", ACTS)
    def test_finds_nothing_in_another_workspace(
        self, house: House, elsewhere: House, act: str
    ) -> None:
        proposal = house.propose()
        zoe, form = elsewhere.client("zoe"), house.form(proposal, text="x", question="x", seconds=1)
        for address in (house.url, elsewhere.url):
            answer = zoe.post(address("proposals", proposal, act), form)
            assert (act, answer.status_code) == (act, 404)
        answer = house.client("ana").get(house.url("proposals", proposal, act))
        assert answer.status_code == 405

    @pytest.mark.parametrize("part", ["edit", "unchanged"])
    def test_shows_nothing_of_another_workspace(
        self, house: House, elsewhere: House, part: str
    ) -> None:
        proposal = house.propose()
        for address in (house.url, elsewhere.url):
            page(elsewhere.client("zoe"), address("proposals", proposal, part), status=404)
