"""Signing: a decision of level 3 is one with a fresh proof of who made it, over what they saw."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt
from django.test import Client
from pytest_django import Settings

from approvals.models import Decision, Evidence, Signature
from approvals.operations.planting import plant
from approvals.operations.signing import MeaningUnknown, RenderingChanged, prepare
from approvals.queries import canaries
from approvals.queries.signing import signatures
from console.access.models import StepUp
from console.access.operations.enrolling import add_passkey, begin_passkey_enrolment
from console.access.operations.stepping_up import (
    StepUpRequired,
    begin_passkey,
    step_up_with_passkey,
)
from console.actors import Actor
from console.canonical import sha256
from console.errors import NotFound
from console.ledger import queries as ledger
from tests.access.proving import PASSWORD, Passkey, code_of, with_code
from tests.approvals.signed import MEANING, ask_for_signatures, decide, fact, proof
from tests.house import BACKEND
from tests.story import Cast, now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Hash passwords quickly; slow on purpose is for attackers."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def asked(cast: Cast) -> UUID:
    return ask_for_signatures(cast)


def enrolled(who: Actor) -> Passkey:
    passkey = Passkey()
    options, state = begin_passkey_enrolment(person=UUID(who.id), host="localhost")
    add_passkey(person=UUID(who.id), name="key", credential=passkey.made(options), state=state)
    return passkey


def proof_by_passkey(cast: Cast, who: Actor, asked: UUID, passkey: Passkey) -> UUID:
    prepared = prepare(
        actor=who,
        proposal_id=asked,
        revision_digest=cast.look(asked).revision.digest,
        choice="approve",
        meaning=MEANING,
        now=now(),
    )
    options = begin_passkey(
        person=UUID(who.id),
        purpose=prepared.purpose,
        host="localhost",
        now=now(),
        over=prepared.challenge,
        about=prepared.about,
    )
    answer = passkey.signed(options)
    return step_up_with_passkey(
        person=UUID(who.id), purpose=prepared.purpose, assertion=answer, now=now()
    )


class TestASignature:
    """A signature says who, when, what it means and over which bytes."""

    def test_stands_on_the_decision(self, cast: Cast, asked: UUID) -> None:
        step_up_id = proof(cast, cast.ana, asked, with_code(UUID(cast.ana.id)))
        assert decide(cast, cast.ana, asked, step_up_id) == "approved"
        [row] = signatures(cast.workspace.id, asked)
        stated = json.loads(bytes(row.statement))
        assert (row.printed_name, row.method) == ("Ana", "password_totp")
        assert row.meaning == "I reviewed this change and approve it"
        assert row.digest == sha256(bytes(row.statement))
        assert row.render_digest == sha256(bytes(row.rendering)) == stated["render_digest"]
        assert stated["revision_digest"] == row.decision.digest
        assert stated["signer"] == {"id": cast.ana.id, "printed_name": "Ana"}
        assert json.loads(bytes(row.rendering))["title"] == "Pay 70 to Northwind"
        assert StepUp.objects.get(id=step_up_id).used_at is not None

    def test_stands_on_a_rejection_too(self, cast: Cast, asked: UUID) -> None:
        secret = with_code(UUID(cast.ana.id))
        step_up_id = proof(cast, cast.ana, asked, secret, "reject", meaning="verified")
        assert decide(cast, cast.ana, asked, step_up_id, "reject", meaning="verified") == "rejected"
        [row] = signatures(cast.workspace.id, asked)
        assert row.meaning == "I verified this change against its source and reject it"

    def test_is_not_asked_of_who_requests_changes(self, cast: Cast, asked: UUID) -> None:
        assert cast.decide(cast.ana, asked, "request_changes") == "changes_requested"
        assert not Signature.objects.exists()

    def test_is_not_asked_below_level_three(self, cast: Cast) -> None:
        cast.policy(level=2)
        assert cast.decide(cast.ana, cast.ask()) == "approved"
        assert not Signature.objects.exists()

    def test_names_its_digest_in_the_ledger(self, cast: Cast, asked: UUID) -> None:
        decide(cast, cast.ana, asked, proof(cast, cast.ana, asked, with_code(UUID(cast.ana.id))))
        [row] = signatures(cast.workspace.id, asked)
        assert cast.ledger_objection() is None
        assert row.digest in json.dumps(
            [line.body for line in _lines(cast) if line.verb == "proposal.decided"]
        )

    def test_by_a_passkey_is_over_the_statement_itself(self, cast: Cast, asked: UUID) -> None:
        passkey = enrolled(cast.ana)
        step_up_id = proof_by_passkey(cast, cast.ana, asked, passkey)
        assert decide(cast, cast.ana, asked, step_up_id) == "approved"
        [row] = signatures(cast.workspace.id, asked)
        assert row.method == "passkey"
        assert row.assertion is not None
        assert row.assertion["challenge"] == row.digest == sha256(bytes(row.statement))


class TestAProof:
    """Without a proof for exactly this, nothing is decided."""

    @pytest.fixture
    def secret(self, cast: Cast) -> str:
        return with_code(UUID(cast.ana.id))

    def refused(self, cast: Cast, asked: UUID, act: Callable[[], object]) -> None:
        with pytest.raises(StepUpRequired):
            act()
        assert not Decision.objects.filter(proposal=asked).exists()
        assert cast.answer(asked).status == "pending"

    def test_has_to_be_there(self, cast: Cast, asked: UUID) -> None:
        self.refused(cast, asked, lambda: decide(cast, cast.ana, asked, None))

    def test_is_for_this_choice(self, cast: Cast, asked: UUID, secret: str) -> None:
        step_up_id = proof(cast, cast.ana, asked, secret, "reject")
        self.refused(cast, asked, lambda: decide(cast, cast.ana, asked, step_up_id))

    def test_is_for_this_proposal(self, cast: Cast, asked: UUID, secret: str) -> None:
        step_up_id = proof(cast, cast.ana, cast.ask(71), secret)
        self.refused(cast, asked, lambda: decide(cast, cast.ana, asked, step_up_id))

    def test_is_for_this_person(self, cast: Cast, asked: UUID, secret: str) -> None:
        step_up_id = proof(cast, cast.ana, asked, secret)
        self.refused(cast, asked, lambda: decide(cast, cast.ben, asked, step_up_id))

    def test_is_for_this_meaning(self, cast: Cast, asked: UUID, secret: str) -> None:
        step_up_id = proof(cast, cast.ana, asked, secret)
        act = lambda: decide(cast, cast.ana, asked, step_up_id, meaning="verified")  # noqa: E731
        self.refused(cast, asked, act)

    def test_is_fresh(self, cast: Cast, asked: UUID, secret: str) -> None:
        early = now() - timedelta(minutes=5, seconds=1)
        step_up_id = proof(cast, cast.ana, asked, secret, at=early)
        self.refused(cast, asked, lambda: decide(cast, cast.ana, asked, step_up_id))

    def test_is_used_once(self, cast: Cast, secret: str) -> None:
        asked = ask_for_signatures(cast, approvals=2)
        step_up_id = proof(cast, cast.ana, asked, secret)
        assert decide(cast, cast.ana, asked, step_up_id) == "pending"
        again = cast.ask(72)
        self.refused(cast, again, lambda: decide(cast, cast.ana, again, step_up_id))

    def test_is_kept_when_something_else_was_missing(
        self, cast: Cast, asked: UUID, secret: str
    ) -> None:
        step_up_id = proof(cast, cast.ana, asked, secret)
        with pytest.raises(Exception, match="reason"):
            decide(cast, cast.ana, asked, step_up_id, reason=" ")
        assert decide(cast, cast.ana, asked, step_up_id) == "approved"

    def test_is_over_what_is_still_shown(self, cast: Cast, asked: UUID, secret: str) -> None:
        step_up_id = proof(cast, cast.ana, asked, secret)
        Evidence.objects.create(
            workspace=cast.workspace,
            proposal_id=asked,
            number=1,
            label="Late mail",
            source="mail",
            content="No!",
            digest=sha256(b"No!"),
            created_at=now(),
        )
        with pytest.raises(RenderingChanged):
            decide(cast, cast.ana, asked, step_up_id)
        assert not Decision.objects.filter(proposal=asked).exists()

    def test_by_a_passkey_that_signed_something_else_is_none(self, cast: Cast, asked: UUID) -> None:
        step_up_id = proof_by_passkey(cast, cast.ana, asked, enrolled(cast.ana))
        about = StepUp.objects.get(id=step_up_id).about
        StepUp.objects.filter(id=step_up_id).update(about={**about, "nonce": "other"})
        self.refused(cast, asked, lambda: decide(cast, cast.ana, asked, step_up_id))

    @pytest.mark.parametrize("meaning", ["", "read", "I approve"])
    def test_has_a_meaning_that_we_know(self, cast: Cast, asked: UUID, meaning: str) -> None:
        with pytest.raises(MeaningUnknown):
            proof(cast, cast.ana, asked, "", meaning=meaning)

    def test_is_for_the_wording_that_is_current(self, cast: Cast, asked: UUID) -> None:
        with pytest.raises(RenderingChanged):
            prepare(
                actor=cast.ana,
                proposal_id=asked,
                revision_digest="0" * 64,
                choice="approve",
                meaning=MEANING,
                now=now(),
            )


class TestACanary:
    """A canary of level 3 asks for a proof as the action does that it looks like."""

    @pytest.fixture
    def planted(self, cast: Cast, asked: UUID) -> UUID:
        secret = with_code(UUID(cast.ana.id))
        assert decide(cast, cast.ana, asked, proof(cast, cast.ana, asked, secret)) == "approved"
        found = plant(workspace_id=cast.workspace.id, person_id=UUID(cast.ben.id), now=now())
        assert found is not None
        return found

    def test_has_a_statement_for_its_reader_and_for_nobody_else(
        self, cast: Cast, planted: UUID
    ) -> None:
        row = canaries.canary(cast.workspace.id, UUID(cast.ben.id), planted)
        wanted: dict[str, Any] = {
            "proposal_id": planted,
            "revision_digest": canaries.detail_of(row).revision.digest,
            "choice": "approve",
            "meaning": MEANING,
            "now": now(),
        }
        assert len(prepare(actor=cast.ben, **wanted).challenge) == 32
        for other in (cast.ana, cast.scout, cast.zoe):
            with pytest.raises(NotFound):
                prepare(actor=other, **wanted)


class TestThePage:
    """The form asks for the signature, and the record shows it."""

    @pytest.fixture
    def browser(self, cast: Cast) -> Client:
        with_code(UUID(cast.ana.id))
        browser = Client(headers={"Host": "localhost:8000"})
        browser.force_login(cast.user(cast.ana), backend=BACKEND)
        return browser

    def address(self, asked: UUID, *parts: str) -> str:
        return "/".join([f"/w/acme/proposals/{asked}", *parts, ""])

    def form(self, cast: Cast, asked: UUID, **more: Any) -> dict[str, Any]:
        revision = cast.look(asked).revision
        return {
            "revision": revision.number,
            "digest": revision.digest,
            "choice": "approve",
            "reason": "because",
            "fact": fact(cast, asked, cast.ana),
            "meaning": "reviewed",
            **more,
        }

    def test_asks_for_it_only_at_level_three(
        self, cast: Cast, asked: UUID, browser: Client
    ) -> None:
        shown = browser.get(self.address(asked)).content.decode()
        assert 'id="sign"' in shown
        assert 'autocomplete="one-time-code"' in shown
        cast.policy(level=2)
        other = browser.get(self.address(cast.ask(71))).content.decode()
        assert 'id="sign"' not in other

    def test_sends_whoever_has_nothing_to_sign_with_to_add_it(
        self, cast: Cast, asked: UUID
    ) -> None:
        browser = Client()
        browser.force_login(cast.user(cast.ben), backend=BACKEND)
        shown = browser.get(self.address(asked)).content.decode()
        assert "You have nothing to sign with yet" in shown
        said = self.form(cast, asked, fact=fact(cast, asked, cast.ben))
        answer = browser.post(self.address(asked, "decide"), said)
        assert answer.status_code == 409
        assert "add a one-time code or a passkey first" in answer.content.decode()

    def test_signs_and_shows_it(self, cast: Cast, asked: UUID, browser: Client) -> None:
        secret = _secret(cast)
        said = self.form(cast, asked, password=PASSWORD, code=code_of(secret, now()))
        assert browser.post(self.address(asked, "decide"), said).status_code == 302
        shown = browser.get(self.address(asked)).content.decode()
        assert "I reviewed this change and approve it" in shown
        [row] = signatures(cast.workspace.id, asked)
        assert row.digest in shown

    def test_refuses_without_and_with_a_wrong_code(
        self, cast: Cast, asked: UUID, browser: Client
    ) -> None:
        for more in ({}, {"password": PASSWORD}, {"password": PASSWORD, "code": "000000"}):
            answer = browser.post(self.address(asked, "decide"), self.form(cast, asked, **more))
            assert answer.status_code == 403
        assert cast.answer(asked).status == "pending"

    def test_keeps_the_proof_while_something_else_is_missing(
        self, cast: Cast, asked: UUID, browser: Client
    ) -> None:
        code = code_of(_secret(cast), now())
        said = self.form(cast, asked, password=PASSWORD, code=code)
        lacking = {**said, "reason": ""}
        assert browser.post(self.address(asked, "decide"), lacking).status_code == 422
        assert browser.post(self.address(asked, "decide"), said).status_code == 302

    def test_refuses_what_is_over_another_page(
        self, cast: Cast, asked: UUID, browser: Client
    ) -> None:
        code = code_of(_secret(cast), now())
        said = self.form(cast, asked, password=PASSWORD, code=code, rendering="0" * 64)
        answer = browser.post(self.address(asked, "decide"), said)
        assert answer.status_code == 412
        assert not Signature.objects.exists()

    def test_takes_a_passkey(self, cast: Cast, asked: UUID, browser: Client) -> None:
        passkey = enrolled(cast.ana)
        said = self.form(cast, asked)
        options = browser.post(self.address(asked, "passkey"), said).json()
        said["passkey"] = json.dumps(passkey.signed(options))
        assert browser.post(self.address(asked, "decide"), said).status_code == 302
        [row] = signatures(cast.workspace.id, asked)
        assert row.method == "passkey"

    def test_says_why_a_passkey_cannot_be_asked(
        self, cast: Cast, asked: UUID, browser: Client
    ) -> None:
        answer = browser.post(self.address(asked, "passkey"), self.form(cast, asked))
        assert (answer.status_code, answer.json()["code"]) == (409, "no_second_factor")
        unknown = browser.post(self.address(asked, "passkey"), self.form(cast, asked, meaning="x"))
        assert (unknown.status_code, unknown.json()["code"]) == (422, "meaning_unknown")

    @pytest.mark.parametrize("answer", ["{", "[]", '"x"', "null"])
    def test_refuses_what_is_no_answer_of_a_passkey(
        self, cast: Cast, asked: UUID, browser: Client, answer: str
    ) -> None:
        said = self.form(cast, asked, passkey=answer)
        assert browser.post(self.address(asked, "decide"), said).status_code == 422


class TestTheApi:
    """People prove themselves over HTTP as in the browser; no token does."""

    def send(self, cast: Cast, asked: UUID, *, path: str = "", **body: Any) -> Any:
        browser = Client(headers={"Host": "localhost:8000"})
        browser.force_login(cast.user(cast.ana), backend=BACKEND)
        digest = cast.look(asked).revision.digest
        value = {"digest": digest, "choice": "approve", "meaning": "reviewed", **body}
        return browser.post(
            f"/api/v1/proposals/{asked}/step-up{path}",
            json.dumps(value),
            content_type="application/json",
        )

    def test_gives_a_proof_that_goes_with_the_decision(self, cast: Cast, asked: UUID) -> None:
        secret = with_code(UUID(cast.ana.id))
        code = code_of(secret, now())
        answer = self.send(cast, asked, password=PASSWORD, code=code)
        assert answer.status_code == 200, answer.content
        step_up_id = UUID(answer.json()["step_up"])
        assert decide(cast, cast.ana, asked, step_up_id) == "approved"

    def test_takes_a_passkey(self, cast: Cast, asked: UUID) -> None:
        passkey = enrolled(cast.ana)
        options = self.send(cast, asked, path="/passkey").json()
        answer = self.send(cast, asked, passkey=passkey.signed(options))
        assert answer.status_code == 200, answer.content
        assert decide(cast, cast.ana, asked, UUID(answer.json()["step_up"])) == "approved"

    def test_refuses_with_the_codes_that_the_docs_name(self, cast: Cast, asked: UUID) -> None:
        assert self.send(cast, asked, password=PASSWORD, code="1").json()["code"] == (
            "no_second_factor"
        )
        with_code(UUID(cast.ana.id))
        assert self.send(cast, asked, password=PASSWORD, code="1").json()["code"] == (
            "step_up_failed"
        )
        assert self.send(cast, asked, digest="0" * 64).json()["code"] == "rendering_changed"
        assert self.send(cast, asked, choice="request_changes").status_code == 422

    def test_takes_no_token(self, cast: Cast, asked: UUID) -> None:
        secret = cast.token(cast.eve)
        for path in ("", "/passkey"):
            answer = Client(headers={"Authorization": f"Bearer {secret}"}).post(
                f"/api/v1/proposals/{asked}/step-up{path}",
                json.dumps({"digest": "0" * 64, "choice": "approve"}),
                content_type="application/json",
            )
            assert (answer.status_code, answer.json()["code"]) == (403, "people_only")


def _secret(cast: Cast) -> str:
    row = Authenticator.objects.get(user=UUID(cast.ana.id), type="totp")
    return str(decrypt(row.data["secret"]))


def _lines(cast: Cast) -> Any:
    return ledger.entries(cast.workspace.id)
