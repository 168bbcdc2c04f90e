"""In the browser: two people settle a doubt while everybody watches, and an admin stops sending."""

import json
import os
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.console_process import Console
from tests.system.test_browser import SCREENS, Person, assert_fine, keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SCREEN = {"viewport": {"width": 1280, "height": 900}}
EVIDENCE = "Their portal shows it booked at 14:02, ticket 8841."


@pytest.fixture(scope="module")
def sent(running: Console) -> Iterator[dict[str, str]]:
    """Payments that were sent to a bank of ours, while the console's own sender stands still."""
    senders = running.pids("manage.py send")
    assert senders
    for pid in senders:
        os.kill(pid, signal.SIGSTOP)
    made = running.run("-m", "tests.system.doubtful")
    assert made.returncode == 0, made.stderr
    yield json.loads(made.stdout)
    for pid in senders:
        os.kill(pid, signal.SIGCONT)


@SCREENS
def test_every_page_is_accessible_and_fits(
    browser: Browser, running: Console, sent: dict[str, str], colours: str, width: int
) -> None:
    screen = {"viewport": {"width": width, "height": 900}, "color_scheme": colours}
    ada = Person(browser, running, "ada", **screen)
    places = {
        "in doubt": "outside/",
        "all": "outside/?show=all",
        "set aside": f"outside/{sent['aside']}/",
        "carried out": f"outside/{sent['done']}/",
        "doubted": f"outside/{sent['doubted']}/",
        "connectors": "outside/connectors/",
        "reconciliation": "outside/reconciliation/",
        "stop": "outside/sending/",
    }
    for name, place in places.items():
        page = ada.open(place)
        expect(page.locator("h1")).to_be_visible()
        assert_fine(page, name, width)
        keep_picture(page, f"outside-{name}-{colours}-{width}")
    assert ada.notes == []
    ada.context.close()


def test_two_people_settle_a_doubt_and_everybody_sees_it(
    browser: Browser, running: Console, sent: dict[str, str]
) -> None:
    ben, ada = (Person(browser, running, name, **SCREEN) for name in ("ben", "ada"))
    page = ben.open("queue/")
    expect(page.locator("#nav .count")).to_have_text("1")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url("**/outside/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/outside/{sent['doubted']}/")
    watching = ada.open(f"outside/{sent['doubted']}/")
    listed = ada.open("outside/", tab=True)
    expect(watching.get_by_text("Live", exact=True)).to_be_visible()
    expect(listed.get_by_text("Live", exact=True)).to_be_visible()
    watching.fill("#evidence", "Asked them by phone.")

    page.get_by_role("button", name="I see to it").click()
    expect(watching.locator("#outside-one")).to_contain_text("sees to it")
    say(page, "It happened.")
    expect(page.locator("#act")).to_contain_text("Somebody else has to say the same")
    expect(watching.locator("#said")).to_contain_text(EVIDENCE)
    expect(watching.locator("#outdated")).to_be_visible()
    # What somebody types stays, whatever is pushed.
    expect(watching.locator("#evidence")).to_have_value("Asked them by phone.")
    say(watching, "It happened.", twice=True)
    for each in (page, watching):
        expect(each.locator("#outside-now")).to_contain_text("the record says so")
    expect(listed.locator("#outside")).to_contain_text("Nothing is in doubt")
    for person in (ben, ada):
        assert person.notes == []
        person.context.close()


def say(page: Page, verdict: str, *, twice: bool = False) -> None:
    """Say what became of it."""
    page.get_by_label(verdict).check()
    page.fill("#reference", "BANK-9")
    page.fill("#evidence", EVIDENCE)
    button = page.get_by_role("button", name="Say what became of it")
    if twice:
        button.dblclick()
    else:
        button.click()


def test_an_admin_stops_sending_and_every_open_page_says_so(
    browser: Browser, running: Console, sent: dict[str, str]
) -> None:
    assert sent
    ben, ada = (Person(browser, running, name, **SCREEN) for name in ("ben", "ada"))
    listed = ben.open("outside/")
    expect(listed.get_by_text("Live", exact=True)).to_be_visible()
    page = ada.open("outside/sending/")
    page.fill("#stop-reason", "Fraud is feared.")
    page.fill("#stop-typed", ada.workspace)
    page.get_by_role("button", name="Stop sending for").click()
    expect(listed.locator("#stopped")).to_contain_text("Fraud is feared.")
    expect(ben.open("queue/").get_by_text("Sending is stopped by")).to_be_visible()
    page = ada.open("outside/sending/")
    page.fill("#resume-reason", "The bank called.")
    page.get_by_role("button", name="leave again").click()
    expect(page.get_by_text("Effects leave the house again.")).to_be_visible()
    expect(page.locator("#stopped")).to_have_count(0)
    for person in (ben, ada):
        assert person.notes == []
        person.context.close()
