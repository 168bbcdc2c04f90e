"""In the browser: somebody makes a passkey, signs with it, and takes the evidence along."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from approvals.auditing import audit
from tests.system.console_process import Console, console
from tests.system.test_browser import WARD, Person, assert_fine, fact_on, keep_picture, waits

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SLOW = 20_000
MORPHINE = "Bed 6: start morphine"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Named(Console):
    """The same console under a name: browsers make passkeys for names only."""

    @property
    def address(self) -> str:
        """Return where people reach it, by name."""
        return super().address.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def running(chromium_path: str) -> Iterator[Named]:
    assert chromium_path
    with console() as one:
        yield Named(one.var)


def at_the_screen(
    browser: Browser, running: Named, name: str, *, width: int = 1280, knows_them: bool = True
) -> Person:
    """Seat somebody at a screen with an authenticator built in, which may not know their finger."""
    person = Person(browser, running, name, viewport={"width": width, "height": 900})
    session = person.context.new_cdp_session(person.page)
    session.send("WebAuthn.enable")
    options = {**AUTHENTICATOR, "isUserVerified": knows_them}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return person


def add_passkey(person: Person) -> None:
    """Make a passkey as a person would."""
    page = person.page
    page.goto(f"{person.console.address}/security/")
    expect(page.locator("#factors")).to_contain_text("Nothing yet")
    page.fill("input[name=password]", person.password)
    page.get_by_role("button", name="Continue").click()
    page.fill("input[name=name]", "this laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("#factors")).to_contain_text("this laptop", timeout=SLOW)
    expect(page.locator("#factors")).to_contain_text("never")


def sign(person: Person, reason: str) -> None:
    """Tick, type what is asked for, and approve with the passkey."""
    page = person.page
    waits(person.open("queue/"), MORPHINE)
    page.get_by_role("link", name=re.compile(MORPHINE)).click()
    expect(page.locator("#sign")).to_contain_text("Your browser asks for your passkey")
    for box in page.locator("#decide [name=ticked]").all():
        box.check()
    page.fill("#fact", fact_on(page))
    page.fill("#reason", reason)
    page.select_option("#sign-meaning", "verified")
    page.get_by_role("button", name=re.compile("^Approve")).click()


def test_a_passkey_signs_and_the_evidence_holds(
    browser: Browser, running: Named, tmp_path: Path
) -> None:
    noor, tom = (at_the_screen(browser, running, name) for name in ("noor", "tom"))
    for person in (noor, tom):
        assert person.workspace == WARD
        add_passkey(person)
    assert_fine(noor.page, "codes and passkeys", 1280)
    sign(noor, "Weighed the patient myself.")
    expect(noor.page.locator("#decision")).to_contain_text(
        "Your decision is recorded", timeout=SLOW
    )
    sign(tom, "Read the chart from the start.")
    expect(tom.page.locator("#proposal-head")).to_contain_text("Carried out", timeout=SLOW)
    signatures = tom.page.locator("#signatures")
    for text in ("Noor", "I verified this change against its source", "passkey"):
        expect(signatures).to_contain_text(text)
    assert_fine(tom.page, "signed with passkeys", 1280)
    keep_picture(tom.page, "signatures-1280")
    address = tom.page.url
    for form, begins in (("json", b"{"), ("pdf", b"%PDF-")):
        kept = tmp_path / f"evidence.{form}"
        answer = tom.context.request.get(f"{address}evidence.{form}")
        kept.write_bytes(answer.body())
        assert kept.read_bytes().startswith(begins)
    pack = (tmp_path / "evidence.json").read_bytes()
    assert [found for found in audit(pack) if found.wrong] == []
    assert {row["method"] for row in json.loads(pack)["signatures"]} == {"passkey"}
    checked = running.manage("check_evidence", str(tmp_path / "evidence.json"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for person in (noor, tom):
        assert person.notes == []
        person.context.close()


def test_a_passkey_lets_in_whoever_has_one(browser: Browser, running: Named) -> None:
    ben = at_the_screen(browser, running, "ben")
    add_passkey(ben)
    page = ben.page
    page.get_by_role("button", name=re.compile("account and settings")).click()
    page.get_by_role("button", name="Sign out").click()
    email = next(p["email"] for p in running.sign_ins() if p["email"].startswith("ben@"))
    page.fill("input[name=username]", email)
    page.fill("input[name=password]", ben.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    assert_fine(page, "second step", 1280)
    keep_picture(page, "second-step-1280")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/queue/")
    assert ben.notes == []
    ben.context.close()


def test_without_an_answer_nothing_is_sent(browser: Browser, running: Named) -> None:
    ana = at_the_screen(browser, running, "ana", width=320, knows_them=False)
    page = ana.page
    page.goto(f"{ana.console.address}/security/")
    page.fill("input[name=password]", ana.password)
    page.get_by_role("button", name="Continue").click()
    page.fill("input[name=name]", "this phone")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("[data-passkey-says]")).to_have_text(
        "No passkey was used. Nothing was sent."
    )
    keep_picture(page, "security-320")
    assert_fine(page, "codes and passkeys", 320)
    page.get_by_role("link", name="Add one-time codes").click()
    expect(page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    keep_picture(page, "code-enrol-320")
    assert_fine(page, "one-time codes", 320)
    assert ana.notes == []
    ana.context.close()
