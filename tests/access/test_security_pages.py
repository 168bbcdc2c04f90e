"""Pages of codes and passkeys, and signing in in two steps."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.test import Client
from pytest_django import Settings

from console.access.models import User
from console.ledger import queries as ledger
from tests.access.proving import PASSWORD, Passkey, code_of, with_code, with_password
from tests.house import House

NOON = datetime(2026, 11, 20, 12, 0, 10, tzinfo=UTC)
HALF_A_MINUTE = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Hash passwords quickly; slow on purpose is for attackers."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ana(house: House) -> User:
    house.people["ana"] = with_password(house.people["ana"].id)
    return house.people["ana"]


def browser_of(house: House, name: str = "ana") -> Client:
    """Return a browser that asks under the name that passkeys are made for."""
    return house.client(name, headers={"Host": "localhost:8000"})


def confirm(browser: Client, **said: str) -> Any:
    return browser.post("/security/confirm/", {"password": PASSWORD, **said})


def page(answer: Any) -> str:
    return str(answer.content.decode())


def secret_on(answer: Any) -> str:
    found = re.search(r'id="secret">([A-Z2-7]+)<', answer.content.decode())
    assert found
    return found[1]


def make_passkey(browser: Client, name: str = "blue key") -> Passkey:
    passkey = Passkey()
    options = browser.post("/security/passkeys/begin/").json()
    made = json.dumps(passkey.made(options))
    answer = browser.post("/security/passkeys/add/", {"name": name, "passkey": made})
    assert answer.status_code == 302, answer.content.decode()
    return passkey


class TestThePage:
    """The page of codes and passkeys."""

    def test_is_for_people_who_are_signed_in(self, db: None) -> None:
        for way in ("", "confirm/", "code/", "passkeys/add/", "recovery/", "1/remove/"):
            for answer in (Client().get(f"/security/{way}"), Client().post(f"/security/{way}")):
                wanted = answer.status_code == 405 or answer["Location"].startswith("/sign-in/")
                assert wanted, (way, answer.status_code)

    def test_says_what_there_is_and_when_it_was_used(self, house: House, ana: User) -> None:
        browser = browser_of(house)
        assert "Nothing yet" in page(browser.get("/security/"))
        with_code(ana.id)
        shown = page(browser.get("/security/"))
        assert "One-time codes" in shown
        assert "never" in shown

    def test_shows_no_secret_and_no_style(self, house: House, ana: User) -> None:
        browser = browser_of(house)
        confirm(browser)
        shown = browser.get("/security/code/")
        assert "style=" not in page(shown)
        assert shown["Cache-Control"].count("no-store") == 1
        secret = secret_on(shown)
        assert secret not in page(browser.get("/security/"))
        assert secret not in json.dumps(dict(browser.session))

    def test_is_reached_from_every_page(self, house: House) -> None:
        assert 'href="/security/"' in page(house.client("ana").get(house.url("queue")))


class TestConfirming:
    """Whoever changes something shows first that it is them."""

    def test_takes_the_password_while_there_is_nothing_else(self, house: House, ana: User) -> None:
        browser = browser_of(house)
        assert browser.get("/security/code/").status_code == 403
        assert confirm(browser, password="wrong").status_code == 403
        assert browser.get("/security/code/").status_code == 403
        assert confirm(browser)["Location"] == "/security/"
        assert browser.get("/security/code/").status_code == 200

    def test_takes_a_factor_once_there_is_one(self, house: House, ana: User) -> None:
        secret, browser = with_code(ana.id), browser_of(house)
        assert confirm(browser).status_code == 403
        code = code_of(secret, datetime.now(UTC))
        assert confirm(browser, code=code)["Location"] == "/security/"

    def test_takes_a_passkey(self, house: House, ana: User) -> None:
        browser = browser_of(house)
        confirm(browser)
        passkey = make_passkey(browser)
        later = browser_of(house)
        options = later.post("/security/confirm/passkey/").json()
        answer = json.dumps(passkey.signed(options))
        assert later.post("/security/confirm/", {"passkey": answer})["Location"] == "/security/"
        assert later.post("/security/recovery/").status_code == 200

    @pytest.mark.parametrize("answer", ["{", "[" * 9_000, "[]", "1", '{"id": 1}', "null", '"x"'])
    def test_refuses_what_is_no_answer(self, house: House, ana: User, answer: str) -> None:
        with_code(ana.id)
        said = browser_of(house).post("/security/confirm/", {"passkey": answer})
        assert said.status_code in {403, 422}

    def test_is_good_for_five_minutes(self, house: House, ana: User) -> None:
        browser = browser_of(house)
        with time_machine.travel(NOON, tick=False) as clock:
            confirm(browser)
            clock.shift(timedelta(seconds=299))
            assert browser.get("/security/code/").status_code == 200
            clock.shift(timedelta(seconds=1))
            assert browser.get("/security/code/").status_code == 403

    def test_is_good_for_nobody_else_in_the_same_browser(self, house: House, ana: User) -> None:
        browser = browser_of(house)
        confirm(browser)
        kept = browser.session["security_confirmed"]
        other = browser_of(house, "ben")
        session = other.session
        session["security_confirmed"] = kept
        session.save()
        assert other.get("/security/code/").status_code == 403

    def test_asks_for_a_passkey_only_who_has_one(self, house: House, ana: User) -> None:
        answer = browser_of(house).post("/security/confirm/passkey/")
        assert (answer.status_code, answer.json()["code"]) == (409, "no_second_factor")

    def test_closes_after_five_wrong_ones(self, house: House, ana: User) -> None:
        browser = browser_of(house)
        for _ in range(5):
            confirm(browser, password="wrong")
        stopped = confirm(browser)
        assert stopped.status_code == 429
        assert "Too many attempts" in page(stopped)


class TestAdding:
    """Codes and passkeys are added when they were seen to work."""

    def test_codes_with_the_first_of_them(self, house: House, ana: User) -> None:
        browser = browser_of(house)
        confirm(browser)
        secret = secret_on(browser.get("/security/code/"))
        assert secret_on(browser.get("/security/code/")) == secret
        assert browser.post("/security/code/", {"code": "000000"}).status_code == 422
        code = code_of(secret, datetime.now(UTC))
        assert browser.post("/security/code/", {"code": code})["Location"] == "/security/"
        assert Authenticator.objects.get(user=ana).type == "totp"
        assert "totp_secret" not in browser.session
        verbs = list(ledger.entries(house.workspace.id).values_list("verb", flat=True))
        assert verbs.count("factor.added") == 1

    def test_a_passkey_under_a_name(self, house: House, ana: User) -> None:
        browser = browser_of(house)
        confirm(browser)
        make_passkey(browser, "<b>blue</b>")
        assert "&lt;b&gt;blue&lt;/b&gt;" in page(browser.get("/security/"))

    def test_no_passkey_that_was_not_asked_for(self, house: House, ana: User) -> None:
        browser, passkey = browser_of(house), Passkey()
        confirm(browser)
        made = json.dumps(passkey.made({"challenge": "AAAAAAAAAAAAAAAAAAAAAA"}))
        said = {"name": "x", "passkey": made}
        assert browser.post("/security/passkeys/add/", said).status_code == 422
        browser.post("/security/passkeys/begin/")
        assert browser.post("/security/passkeys/add/", said).status_code == 422
        assert not Authenticator.objects.exists()

    def test_says_where_passkeys_cannot_be_made(self, house: House, ana: User) -> None:
        for host, is_named in (("127.0.0.1", False), ("[::1]:8000", False), ("localhost", True)):
            browser = house.client("ana", headers={"Host": host})
            confirm(browser)
            assert ("Add a passkey" in page(browser.get("/security/"))) == is_named

    def test_recovery_codes_once(self, house: House, ana: User) -> None:
        browser = browser_of(house)
        confirm(browser)
        assert browser.post("/security/recovery/")["Location"] == "/security/"
        make_passkey(browser)
        shown = page(browser.post("/security/recovery/"))
        codes = re.findall(r"nowrap\">(\d{8})<", shown)
        assert len(set(codes)) == 10
        assert codes[0] not in page(browser.get("/security/"))


class TestRemoving:
    """What somebody proves themselves with is removed by them alone, with a proof."""

    def test_needs_a_proof(self, house: House, ana: User) -> None:
        with_code(ana.id)
        row = Authenticator.objects.get(user=ana)
        browser = browser_of(house)
        assert browser.post(f"/security/{row.id}/remove/").status_code == 403
        assert Authenticator.objects.filter(id=row.id).exists()

    def test_takes_it_away(self, house: House, ana: User) -> None:
        secret = with_code(ana.id)
        row = Authenticator.objects.get(user=ana)
        browser = browser_of(house)
        confirm(browser, code=code_of(secret, datetime.now(UTC)))
        assert browser.post(f"/security/{row.id}/remove/").status_code == 302
        assert not Authenticator.objects.filter(id=row.id).exists()
        assert ledger.entries(house.workspace.id).filter(verb="factor.removed").count() == 1

    def test_takes_away_nothing_of_others(self, house: House, ana: User) -> None:
        with_code(house.people["ben"].id)
        row = Authenticator.objects.get(user=house.people["ben"])
        browser = browser_of(house)
        confirm(browser)
        assert browser.post(f"/security/{row.id}/remove/").status_code == 404
        assert Authenticator.objects.filter(id=row.id).exists()


class TestSigningInInTwoSteps:
    """Whoever has a second factor is asked for it when signing in."""

    def first(self, browser: Client, ana: User, **more: str) -> Any:
        said = {"username": ana.email, "password": PASSWORD, **more}
        return browser.post("/sign-in/", said)

    def is_in(self, browser: Client, house: House) -> bool:
        return browser.get(house.url("queue")).status_code == 200

    def test_lets_nobody_in_with_the_password_alone(self, house: House, ana: User) -> None:
        secret, browser, wanted = with_code(ana.id), Client(), house.url("ledger")
        answer = self.first(browser, ana, next=wanted)
        assert answer["Location"] == "/sign-in/second/"
        assert not self.is_in(browser, house)
        assert "One more step" in page(browser.get("/sign-in/second/"))
        code = code_of(secret, datetime.now(UTC))
        second = browser.post("/sign-in/second/", {"code": code})
        assert second["Location"] == wanted
        assert self.is_in(browser, house)

    def test_never_leads_away_from_the_console(self, house: House, ana: User) -> None:
        secret, browser = with_code(ana.id), Client()
        self.first(browser, ana, next="https://evil.example/")
        code = code_of(secret, datetime.now(UTC))
        assert browser.post("/sign-in/second/", {"code": code})["Location"] == "/"

    def test_takes_a_passkey(self, house: House, ana: User) -> None:
        maker = browser_of(house)
        confirm(maker)
        passkey, browser = make_passkey(maker), Client(headers={"Host": "localhost:8000"})
        self.first(browser, ana)
        options = browser.post("/sign-in/second/passkey/").json()
        answer = json.dumps(passkey.signed(options))
        assert browser.post("/sign-in/second/", {"passkey": answer})["Location"] == "/"
        assert self.is_in(browser, house)

    def test_refuses_a_wrong_code_and_the_same_one_twice(self, house: House, ana: User) -> None:
        secret = with_code(ana.id)
        with time_machine.travel(NOON, tick=False):
            for code, status in (("000000", 403), (code_of(secret, NOON), 302)):
                browser = Client()
                self.first(browser, ana)
                assert browser.post("/sign-in/second/", {"code": code}).status_code == status
            other = Client()
            self.first(other, ana)
            again = other.post("/sign-in/second/", {"code": code_of(secret, NOON)})
        assert again.status_code == 403
        assert not self.is_in(other, house)

    def test_begins_anew_after_five_minutes(self, house: House, ana: User) -> None:
        secret, browser = with_code(ana.id), Client()
        with time_machine.travel(NOON, tick=False) as clock:
            self.first(browser, ana)
            clock.shift(timedelta(minutes=5, seconds=1))
            code = code_of(secret, datetime.now(UTC))
            answer = browser.post("/sign-in/second/", {"code": code})
            assert answer["Location"] == "/sign-in/"
            assert not self.is_in(browser, house)

    def test_has_no_second_step_without_the_first(self, db: None) -> None:
        assert Client().get("/sign-in/second/")["Location"] == "/sign-in/"
        answer = Client().post("/sign-in/second/passkey/")
        assert (answer.status_code, answer.json()["code"]) == (403, "first_step_gone")

    def test_lets_in_whoever_has_none(self, house: House, ana: User) -> None:
        browser = Client()
        assert self.first(browser, ana)["Location"] == "/"
        assert self.is_in(browser, house)
