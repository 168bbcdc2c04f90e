"""Stepping up: somebody proves once more who they are, for one purpose, once, and not for long."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from allauth.mfa.models import Authenticator
from pytest_django import Settings

from console.access.models import StepUp, StepUpFailure, User
from console.access.operations.enrolling import (
    FactorExists,
    FactorUnusable,
    add_passkey,
    begin_passkey_enrolment,
    enrol_totp,
    remove_factor,
    renew_recovery_codes,
)
from console.access.operations.stepping_up import (
    NoSecondFactor,
    StepUpFailed,
    StepUpLocked,
    StepUpRequired,
    begin_passkey,
    confirm,
    purpose_of,
    second_step,
    step_of,
    step_up,
    step_up_with_passkey,
    use,
)
from console.access.sealing import Unopenable, seal, unseal
from console.errors import NotFound
from tests.access.proving import PASSWORD, Passkey, code_of, with_code, with_password
from tests.racing import race

BUYING, SELLING = purpose_of("buy"), purpose_of("sell")
NOON = datetime(2026, 11, 20, 12, 0, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Hash passwords quickly; slow on purpose is for attackers."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ana(db: None) -> UUID:
    return User.objects.create_user("ana@acme.example", name="Ana").id


@pytest.fixture
def ben(db: None) -> UUID:
    return User.objects.create_user("ben@acme.example", name="Ben").id


def prove(person: UUID, code: str, **other: Any) -> UUID:
    given = {"purpose": BUYING, "password": PASSWORD, "now": NOON, **other}
    return step_up(person=person, code=code, **given)


def proven(person: UUID, code: str, **other: Any) -> bool:
    return StepUp.objects.filter(id=prove(person, code, **other), used_at=None).exists()


def enrolled(person: UUID, passkey: Passkey | None = None) -> Passkey:
    passkey = passkey or Passkey()
    options, state = begin_passkey_enrolment(person=person, host=passkey.host)
    add_passkey(person=person, name="blue", credential=passkey.made(options), state=state)
    return passkey


def asked(person: UUID, purpose: str = BUYING, now: datetime = NOON) -> dict[str, Any]:
    return begin_passkey(person=person, purpose=purpose, host="localhost", now=now)


class TestACode:
    """A password and a one-time code together prove it."""

    def test_proves_it_once_for_its_purpose(self, ana: UUID) -> None:
        secret = with_code(ana)
        proof = prove(ana, code_of(secret, NOON))
        used = use(step_up=proof, person=ana, purpose=BUYING, now=NOON)
        assert (used.method, used.id) == ("password_totp", proof)
        assert Authenticator.objects.get(user=ana).last_used_at == NOON
        with pytest.raises(StepUpRequired):
            use(step_up=proof, person=ana, purpose=BUYING, now=NOON)

    @pytest.mark.parametrize("later", [-1, 0, 1])
    def test_may_be_half_a_minute_off(self, ana: UUID, later: int) -> None:
        secret = with_code(ana)
        assert proven(ana, code_of(secret, NOON, later=later))

    @pytest.mark.parametrize("later", [-2, 2])
    def test_may_not_be_a_minute_off(self, ana: UUID, later: int) -> None:
        secret = with_code(ana)
        with pytest.raises(StepUpFailed):
            prove(ana, code_of(secret, NOON, later=later))

    def test_may_be_typed_with_a_space(self, ana: UUID) -> None:
        code = code_of(with_code(ana), NOON)
        assert proven(ana, f" {code[:3]} {code[3:]} ")

    def test_is_refused_the_second_time_also_for_something_else(self, ana: UUID) -> None:
        code = code_of(with_code(ana), NOON)
        prove(ana, code)
        with pytest.raises(StepUpFailed):
            prove(ana, code, purpose=SELLING, now=NOON + timedelta(seconds=5))
        assert StepUp.objects.filter(person=ana).count() == 1

    @pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper()])
    def test_needs_the_password_too(self, ana: UUID, password: str) -> None:
        code = code_of(with_code(ana), NOON)
        with pytest.raises(StepUpFailed):
            prove(ana, code, password=password)
        # What failed for the password has not used the code up.
        assert proven(ana, code)

    @pytest.mark.parametrize(
        "code", ["", "000000", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "0" * 200]
    )
    def test_that_is_wrong_proves_nothing(self, ana: UUID, code: str) -> None:
        with_code(ana)
        with pytest.raises(StepUpFailed):
            prove(ana, code)

    def test_of_somebody_else_proves_nothing(self, ana: UUID, ben: UUID) -> None:
        with_code(ana)
        with pytest.raises(StepUpFailed):
            prove(ana, code_of(with_code(ben), NOON))

    def test_of_somebody_who_left_proves_nothing(self, ana: UUID) -> None:
        secret = with_code(ana)
        User.objects.filter(id=ana).update(is_active=False)
        with pytest.raises(StepUpFailed):
            prove(ana, code_of(secret, NOON))

    def test_cannot_be_asked_of_who_has_none(self, ana: UUID) -> None:
        with_password(ana)
        with pytest.raises(NoSecondFactor):
            prove(ana, "123456")

    def test_is_as_the_standard_says(self) -> None:
        # RFC 6238, appendix B, SHA-1, the last six digits.
        secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        for seconds, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
            at = datetime.fromtimestamp(seconds, UTC)
            assert step_of(secret, code, at) == seconds // 30


class TestAProof:
    """A proof is for one person, one purpose and a few minutes."""

    @pytest.fixture
    def proof(self, ana: UUID) -> UUID:
        return prove(ana, code_of(with_code(ana), NOON))

    def test_is_no_proof_of_something_else(self, ana: UUID, proof: UUID) -> None:
        with pytest.raises(StepUpRequired):
            use(step_up=proof, person=ana, purpose=SELLING, now=NOON)

    def test_is_no_proof_of_somebody_else(self, ben: UUID, proof: UUID) -> None:
        with pytest.raises(StepUpRequired):
            use(step_up=proof, person=ben, purpose=BUYING, now=NOON)

    def test_is_good_for_less_than_five_minutes(self, ana: UUID, proof: UUID) -> None:
        with pytest.raises(StepUpRequired):
            use(step_up=proof, person=ana, purpose=BUYING, now=NOON + timedelta(minutes=5))
        used = use(step_up=proof, person=ana, purpose=BUYING, now=NOON + timedelta(seconds=299))
        assert used.id == proof

    @pytest.mark.parametrize("missing", [None, uuid4()])
    def test_has_to_be_there(self, ana: UUID, missing: UUID | None) -> None:
        with pytest.raises(StepUpRequired):
            use(step_up=missing, person=ana, purpose=BUYING, now=NOON)


class TestGuessing:
    """Whoever guesses is stopped, however they guess."""

    def guess(self, ana: UUID, times: int, now: datetime = NOON) -> None:
        for number in range(times):
            with pytest.raises(StepUpFailed):
                prove(ana, f"99999{number}", password="wrong", now=now)

    def test_is_stopped_after_five_also_with_the_right_code(self, ana: UUID) -> None:
        secret = with_code(ana)
        self.guess(ana, 5)
        with pytest.raises(StepUpLocked) as stopped:
            prove(ana, code_of(secret, NOON))
        assert stopped.value.status == 429

    def test_is_not_stopped_after_four(self, ana: UUID) -> None:
        secret = with_code(ana)
        self.guess(ana, 4)
        assert proven(ana, code_of(secret, NOON))

    def test_may_be_tried_again_a_quarter_of_an_hour_later(self, ana: UUID) -> None:
        secret, later = with_code(ana), NOON + timedelta(minutes=15)
        self.guess(ana, 5)
        assert proven(ana, code_of(secret, later), now=later)

    def test_stops_nobody_else(self, ana: UUID, ben: UUID) -> None:
        with_code(ana)
        secret = with_code(ben)
        self.guess(ana, 5)
        assert proven(ben, code_of(secret, NOON))

    def test_counts_every_way_together(self, ana: UUID) -> None:
        secret = with_code(ana)
        passkey = enrolled(ana)
        tries: list[Callable[[], object]] = [
            lambda: prove(ana, "111111"),
            lambda: second_step(person=ana, purpose=BUYING, code="12345678", now=NOON),
            lambda: confirm(person=ana, purpose=BUYING, password="x", code="12345678", now=NOON),
            lambda: step_up_with_passkey(person=ana, purpose=BUYING, assertion={}, now=NOON),
            lambda: step_up_with_passkey(
                person=ana, purpose=SELLING, assertion=passkey.signed(asked(ana)), now=NOON
            ),
        ]
        for attempt in tries:
            with pytest.raises(StepUpFailed):
                attempt()
        with pytest.raises(StepUpLocked):
            prove(ana, code_of(secret, NOON))
        assert StepUpFailure.objects.filter(person=ana).count() == len(tries)


class TestAPasskey:
    """A passkey signs a challenge of ours, which holds the purpose and is answered once."""

    def test_proves_it(self, ana: UUID) -> None:
        passkey = enrolled(ana)
        answer = passkey.signed(asked(ana))
        proof = step_up_with_passkey(person=ana, purpose=BUYING, assertion=answer, now=NOON)
        used = use(step_up=proof, person=ana, purpose=BUYING, now=NOON)
        assert used.method == "passkey"
        assert used.assertion is not None
        assert used.assertion["challenge"].endswith(BUYING)

    def test_signs_the_digest_of_a_statement(self, ana: UUID) -> None:
        passkey = enrolled(ana)
        over, about = bytes(range(32)), {"meaning": "reviewed"}
        options = begin_passkey(
            person=ana, purpose=BUYING, host="localhost", now=NOON, over=over, about=about
        )
        proof = step_up_with_passkey(
            person=ana, purpose=BUYING, assertion=passkey.signed(options), now=NOON
        )
        used = use(step_up=proof, person=ana, purpose=BUYING, now=NOON)
        assert (used.about, (used.assertion or {})["challenge"]) == (about, over.hex())

    def test_answers_a_challenge_once(self, ana: UUID) -> None:
        answer = enrolled(ana).signed(asked(ana))
        step_up_with_passkey(person=ana, purpose=BUYING, assertion=answer, now=NOON)
        with pytest.raises(StepUpFailed):
            step_up_with_passkey(person=ana, purpose=BUYING, assertion=answer, now=NOON)

    def test_answers_for_the_purpose_that_was_asked(self, ana: UUID) -> None:
        answer = enrolled(ana).signed(asked(ana))
        with pytest.raises(StepUpFailed):
            step_up_with_passkey(person=ana, purpose=SELLING, assertion=answer, now=NOON)

    def test_answers_within_five_minutes(self, ana: UUID) -> None:
        answer = enrolled(ana).signed(asked(ana))
        late = NOON + timedelta(minutes=5)
        with pytest.raises(StepUpFailed):
            step_up_with_passkey(person=ana, purpose=BUYING, assertion=answer, now=late)

    def test_answers_what_we_asked_and_nothing_else(self, ana: UUID) -> None:
        passkey = enrolled(ana)
        made_up = {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
        with pytest.raises(StepUpFailed):
            step_up_with_passkey(
                person=ana, purpose=BUYING, assertion=passkey.signed(made_up), now=NOON
            )

    def test_of_somebody_else_proves_nothing(self, ana: UUID, ben: UUID) -> None:
        enrolled(ana)
        answer = enrolled(ben).signed(asked(ana))
        with pytest.raises(StepUpFailed):
            step_up_with_passkey(person=ana, purpose=BUYING, assertion=answer, now=NOON)

    def test_asks_for_a_pin_or_a_finger(self, ana: UUID) -> None:
        passkey = enrolled(ana)
        passkey.is_verified = False
        with pytest.raises(StepUpFailed):
            step_up_with_passkey(
                person=ana, purpose=BUYING, assertion=passkey.signed(asked(ana)), now=NOON
            )

    @pytest.mark.parametrize("where", ["https://localhost.evil.example", "http://example.com"])
    def test_answers_only_on_our_pages(self, ana: UUID, where: str) -> None:
        passkey = enrolled(ana)
        passkey.origin = where
        with pytest.raises(StepUpFailed):
            step_up_with_passkey(
                person=ana, purpose=BUYING, assertion=passkey.signed(asked(ana)), now=NOON
            )

    @pytest.mark.parametrize(
        "part", ["signature", "authenticatorData", "clientDataJSON", "everything"]
    )
    def test_that_was_tampered_with_proves_nothing(self, ana: UUID, part: str) -> None:
        answer = enrolled(ana).signed(asked(ana))
        answer["response"][part] = "AAAA"
        if part == "everything":
            answer["response"] = {}
        with pytest.raises(StepUpFailed):
            step_up_with_passkey(person=ana, purpose=BUYING, assertion=answer, now=NOON)

    @pytest.mark.parametrize(
        "rubbish",
        [{}, {"id": 1}, {"rawId": "YQ", "id": "YQ"}, {"response": []}, {"id": "YQ", "rawId": None}],
    )
    def test_answers_in_the_right_shape(self, ana: UUID, rubbish: dict[str, Any]) -> None:
        enrolled(ana)
        with pytest.raises(StepUpFailed):
            step_up_with_passkey(person=ana, purpose=BUYING, assertion=rubbish, now=NOON)

    def test_cannot_be_asked_of_who_has_none(self, ana: UUID) -> None:
        with pytest.raises(NoSecondFactor):
            asked(ana)


class TestEnrolling:
    """What somebody proves themselves with is added with a proof that it works."""

    def test_takes_a_code_of_the_new_secret_that_signs_nothing_afterwards(self, ana: UUID) -> None:
        with_password(ana)
        secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
        with pytest.raises(StepUpFailed):
            enrol_totp(person=ana, secret=secret, code="000000", now=NOON)
        enrol_totp(person=ana, secret=secret, code=code_of(secret, NOON), now=NOON)
        with pytest.raises(StepUpFailed):
            prove(ana, code_of(secret, NOON))
        later = NOON + timedelta(seconds=30)
        assert proven(ana, code_of(secret, later), now=later)

    def test_keeps_the_secret_where_a_copy_of_the_rows_does_not_give_it_away(
        self, ana: UUID
    ) -> None:
        secret = with_code(ana)
        kept = Authenticator.objects.get(user=ana).data["secret"]
        assert secret not in kept
        assert len(kept) > 100

    def test_keeps_one_secret(self, ana: UUID) -> None:
        secret = with_code(ana)
        with pytest.raises(FactorExists):
            enrol_totp(person=ana, secret=secret, code=code_of(secret, NOON), now=NOON)

    def test_refuses_a_passkey_twice_and_one_without_a_name(self, ana: UUID) -> None:
        passkey = enrolled(ana)
        for name in ("second", "", " ", "x" * 81, "bl\u202eue"):
            options, state = begin_passkey_enrolment(person=ana, host="localhost")
            with pytest.raises(FactorUnusable):
                add_passkey(person=ana, name=name, credential=passkey.made(options), state=state)

    def test_refuses_a_passkey_that_asks_for_no_pin(self, ana: UUID) -> None:
        options, state = begin_passkey_enrolment(person=ana, host="localhost")
        careless = Passkey(is_verified=False)
        with pytest.raises(FactorUnusable):
            add_passkey(person=ana, name="x", credential=careless.made(options), state=state)

    def test_removes_only_what_is_ones_own(self, ana: UUID, ben: UUID) -> None:
        with_code(ana)
        row = Authenticator.objects.get(user=ana)
        with pytest.raises(NotFound):
            remove_factor(person=ben, factor_id=row.id)
        remove_factor(person=ana, factor_id=row.id)
        with pytest.raises(NoSecondFactor):
            prove(ana, "123456")

    def test_takes_the_recovery_codes_with_the_last_factor(self, ana: UUID) -> None:
        with_code(ana)
        renew_recovery_codes(person=ana)
        remove_factor(person=ana, factor_id=Authenticator.objects.get(user=ana, type="totp").id)
        assert not Authenticator.objects.filter(user=ana).exists()


class TestRecoveryCodes:
    """For the day on which everything else is lost; nobody signs with them."""

    def test_let_somebody_in_once_each(self, ana: UUID) -> None:
        with_code(ana)
        codes = renew_recovery_codes(person=ana)
        assert len(set(codes)) == 10
        for code in codes[:2]:
            proof = second_step(person=ana, purpose=BUYING, code=code, now=NOON)
            assert StepUp.objects.get(id=proof).method == "password_recovery"
            with pytest.raises(StepUpFailed):
                second_step(person=ana, purpose=BUYING, code=code, now=NOON)

    def test_sign_nothing(self, ana: UUID) -> None:
        with_code(ana)
        code = renew_recovery_codes(person=ana)[0]
        proof = confirm(person=ana, purpose=BUYING, password=PASSWORD, code=code, now=NOON)
        with pytest.raises(StepUpRequired):
            use(step_up=proof, person=ana, purpose=BUYING, now=NOON)
        with pytest.raises(StepUpFailed):
            prove(ana, renew_recovery_codes(person=ana)[0])

    def test_end_when_new_ones_are_made(self, ana: UUID) -> None:
        with_code(ana)
        old = renew_recovery_codes(person=ana)
        renew_recovery_codes(person=ana)
        with pytest.raises(StepUpFailed):
            second_step(person=ana, purpose=BUYING, code=old[0], now=NOON)


class TestSealing:
    """Secrets at rest are opened with the console's key, or with one that it had before."""

    def test_opens_what_an_earlier_key_sealed(self) -> None:
        kept = seal("secret", ["old"])
        assert unseal(kept, ["new", "old"]) == "secret"
        assert unseal(seal("secret", ["new", "old"]), ["new"]) == "secret"

    @pytest.mark.parametrize("keys", [["new"], [""], ["old "]])
    def test_opens_with_no_other_key(self, keys: list[str]) -> None:
        with pytest.raises(Unopenable):
            unseal(seal("secret", ["old"]), keys)

    def test_notices_what_was_altered(self) -> None:
        kept = seal("secret", ["key"])
        with pytest.raises(Unopenable):
            unseal(kept[:-4] + "AAA=", ["key"])


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Two connections with the same code or the same answer: one of them is refused."""

    def test_a_code_is_taken_once(self) -> None:
        ana = User.objects.create_user("ana@acme.example", name="Ana").id
        secret = with_code(ana)
        with race() as runners:
            for number in range(8):
                now = NOON + timedelta(minutes=20 * number)
                code = code_of(secret, now)
                both = runners.run(
                    partial(prove, ana, code, now=now),
                    partial(prove, ana, code, now=now, purpose=SELLING),
                )
                assert sorted(isinstance(each, UUID) for each in both) == [False, True]
                assert "step_up_failed" in both

    def test_guesses_wait_for_each_other(self) -> None:
        ana = User.objects.create_user("ana@acme.example", name="Ana").id
        with_code(ana)
        with race(8) as runners:
            acts = [lambda: prove(ana, "000000", password="wrong")] * 8
            said = runners.run(*acts)
        assert (said.count("step_up_failed"), said.count("step_up_locked")) == (5, 3)

    def test_a_proof_is_used_once(self) -> None:
        ana = User.objects.create_user("ana@acme.example", name="Ana").id
        secret = with_code(ana)
        proof = prove(ana, code_of(secret, NOON))
        with race() as runners:
            act = lambda: use(step_up=proof, person=ana, purpose=BUYING, now=NOON).id  # noqa: E731
            both = runners.run(act, act)
        assert sorted(map(str, both)) == sorted([str(proof), "step_up_required"])
