"""The door, tokens, and what is said when something goes wrong."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client, RequestFactory
from pytest_django import Settings

from console.access import queries, views
from console.access.operations.granting import enrol
from console.access.operations.keying import make_token
from tests.house import BACKEND, House, now

TOKEN = {"name": "nightly", "scopes": ["jobs:read", "jobs:write"], "days": "30"}


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Hash passwords quickly; slow on purpose is for attackers."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ana(house: House) -> str:
    """Give Ana a password and return her address."""
    person = house.people["ana"]
    person.set_password("a long password")
    person.save(update_fields=["password"])
    return person.email


class TestSigningIn:
    """Signing in opens the door to people and to nobody else."""

    def test_leads_to_the_page_that_was_asked_for(self, house: House, ana: str) -> None:
        browser, wanted = Client(), house.url("ledger")
        asked = browser.get(wanted, follow=True)
        assert 'type="password"' in asked.content.decode()
        answer = browser.post(
            asked.redirect_chain[-1][0],
            {"username": f" {ana.title()} ", "password": "a long password", "next": wanted},
        )
        assert (answer.status_code, answer["Location"]) == (302, wanted)

    def test_never_leads_away_from_the_console(self, ana: str) -> None:
        answer = Client().post(
            "/sign-in/?next=https://evil.example/",
            {"username": ana, "password": "a long password"},
        )
        assert answer["Location"] == "/"

    def test_answers_an_address_of_any_length(self, ana: str) -> None:
        for length in (254, 255, 256, 100_000):
            words = {"username": ana[0] * length, "password": "wrong"}
            answer = Client().post("/sign-in/", words)
            assert answer.status_code == 200
            assert "do not belong together" in answer.content.decode()

    def test_says_the_same_for_a_wrong_address_and_a_wrong_password(self, ana: str) -> None:
        for name in (ana, "nobody@acme.example"):
            answer = Client().post("/sign-in/", {"username": name, "password": "wrong"})
            assert "do not belong together" in answer.content.decode()

    def test_closes_after_too_many_attempts_also_for_the_right_password(self, ana: str) -> None:
        browser = Client()
        for _ in range(8):
            browser.post("/sign-in/", {"username": ana, "password": "wrong"})
        answer = browser.post("/sign-in/", {"username": ana, "password": "a long password"})
        assert answer.status_code == 429
        assert "Too many attempts" in answer.content.decode()

    def test_ends_with_signing_out_and_only_by_post(self, house: House) -> None:
        browser = house.client("ana")
        assert browser.get("/sign-out/").status_code == 405
        browser.post("/sign-out/")
        assert browser.get(house.url("queue")).status_code == 302


class TestHome:
    """The start page knows where a person belongs."""

    def test_goes_to_the_first_workspaces_queue(self, house: House) -> None:
        assert house.client("ana").get("/")["Location"] == house.url("queue")

    def test_says_so_to_whoever_belongs_nowhere(self, house: House) -> None:
        browser = Client()
        browser.force_login(enrol("dora@x.example", "Dora", "a long password"), backend=BACKEND)
        assert "You belong to no workspace" in browser.get("/").content.decode()

    def test_sends_strangers_to_the_door(self) -> None:
        assert Client().get("/")["Location"].startswith("/sign-in/")


class TestTokens:
    """Tokens are made by those who may, shown once, and end."""

    def test_show_their_secret_on_the_reply_and_nowhere_else(self, house: House) -> None:
        browser = house.client("eve")
        answer = browser.post(house.url("tokens", "make"), TOKEN)
        secret = answer.content.decode().partition('id="secret">')[2].partition("<")[0]
        assert queries.token_for(secret, now()) is not None
        assert "no-store" in answer["Cache-Control"]
        later = browser.get(house.url("tokens")).content.decode()
        assert secret not in later
        assert "nightly" in later

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"name": ""}, "required"),
            ({"name": "   "}, "required"),
            ({"name": "x" * 81}, "at most 80"),
            ({"scopes": []}, "required"),
            ({"scopes": ["proposals:decide"]}, "not one of the available choices"),
            ({"days": "4000"}, "not one of the available choices"),
            ({"days": ""}, "required"),
        ],
    )
    def test_are_refused_with_what_is_wrong(
        self, house: House, wrong: dict[str, object], why: str
    ) -> None:
        answer = house.client("eve").post(house.url("tokens", "make"), {**TOKEN, **wrong})
        assert answer.status_code == 422
        assert why in answer.content.decode()
        assert not queries.tokens(house.workspace.id).exists()

    def test_are_listed_for_everybody_but_made_and_revoked_only_by_some(self, house: House) -> None:
        token_id = self.make(house)
        for name in ("ana", "cleo"):
            browser = house.client(name)
            html = browser.get(house.url("tokens")).content.decode()
            assert "nightly" in html
            assert "Make the token" not in html
            assert "Revoke" not in html
            assert browser.post(house.url("tokens", "make"), TOKEN).status_code == 403
            revoke = house.url("tokens", token_id, "revoke")
            assert browser.post(revoke).status_code == 403

    def test_end_at_once_when_revoked(self, house: House) -> None:
        token_id = self.make(house)
        browser = house.client("ada")
        html = browser.post(house.url("tokens", token_id, "revoke"), follow=True).content.decode()
        assert "Revoked" in html
        assert "The token is revoked." in html

    def test_say_when_they_have_ended(self, house: House) -> None:
        make_token(
            actor=house.actor("eve"),
            name="short",
            scopes=["jobs:read"],
            lifetime=timedelta(hours=1),
            now=now() - timedelta(hours=2),
        )
        assert "Ended" in house.client("eve").get(house.url("tokens")).content.decode()

    def test_of_another_workspace_are_not_there(self, house: House, elsewhere: House) -> None:
        theirs = self.make(elsewhere)
        browser = house.client("ada")
        assert browser.post(house.url("tokens", theirs, "revoke")).status_code == 404
        assert browser.post(elsewhere.url("tokens", theirs, "revoke")).status_code == 404
        assert "<b>nightly</b>" not in browser.get(house.url("tokens")).content.decode()
        assert "Revoke…" in elsewhere.client("zoe").get(elsewhere.url("tokens")).content.decode()

    def make(self, house: House) -> object:
        """Let Eve make a token."""
        token, _ = make_token(
            actor=house.actor("eve"),
            name="nightly",
            scopes=["jobs:read"],
            lifetime=timedelta(days=30),
            now=now(),
        )
        return token.id


class TestErrors:
    """Whatever goes wrong, the page says what happened and what did not."""

    def test_an_address_with_nothing_behind_it(self, house: House) -> None:
        for address in ("/nowhere/", house.url("proposals", uuid4()), house.url("nowhere")):
            answer = house.client("ana").get(address)
            assert answer.status_code == 404
            assert "Nothing was changed" in answer.content.decode()

    def test_a_request_without_the_token_of_its_form(self, house: House) -> None:
        browser = house.client("eve", enforce_csrf_checks=True)
        answer = browser.post(house.url("tokens", "make"), TOKEN)
        assert answer.status_code == 403
        assert "Nothing was changed" in answer.content.decode()
        card = browser.post(
            house.url("tokens", "make"), TOKEN, headers={"HX-Request": "true"}
        ).content.decode()
        assert card.lstrip().startswith('<div id="notice"')

    def test_a_host_that_we_do_not_serve(self) -> None:
        answer = Client().get("/sign-in/", headers={"Host": "evil.example"})
        assert answer.status_code == 400
        assert "could not be read" in answer.content.decode()

    @pytest.mark.parametrize("name", ["bad_request", "failed"])
    def test_are_told_without_asking_the_database(self, name: str) -> None:
        answer = getattr(views, name)(RequestFactory().get("/"))
        assert answer.status_code in {400, 500}
        assert "<main" in answer.content.decode()
