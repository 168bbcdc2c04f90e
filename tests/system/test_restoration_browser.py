"""In the browser: an admin looks at a plan, confirms it, and everybody watches it happen."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.console_process import Console
from tests.system.test_browser import SCREENS, Person, assert_fine, keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
BOOK = "ledger/accounts-payable"
CLERK = "invoice-clerk"
SCREEN = {"viewport": {"width": 1280, "height": 900}}
SLOW = 20_000


@pytest.fixture
def ada(browser: Browser, running: Console) -> Iterator[Person]:
    person = Person(browser, running, "ada", **SCREEN)
    yield person
    assert person.notes == []
    person.context.close()


@pytest.fixture
def cleo(browser: Browser, running: Console) -> Iterator[Person]:
    person = Person(browser, running, "cleo", **SCREEN)
    yield person
    assert person.notes == []
    person.context.close()


def decide(browser: Browser, running: Console, title: str) -> None:
    """Let Ana approve what is called so."""
    ana = Person(browser, running, "ana", **SCREEN)
    waiting = ana.open("queue/").locator("#queue .row:not(.row--done)", has_text=title)
    waiting.get_by_role("link").first.click()
    ana.page.fill("#reason", "Seen the paper.")
    for box in ana.page.locator("#decide input[type=checkbox]").all():
        box.check()
    ana.page.get_by_role("button", name=re.compile("^Approve")).click()
    expect(ana.page.locator("#decision")).to_contain_text("Your decision is recorded")
    ana.context.close()


def state(person: Person, *, tab: bool = False) -> Page:
    """Open the page of the record."""
    page = person.open("states/", tab=tab)
    page.locator("main [data-row]", has_text="accounts-payable").first.click()
    expect(page.locator("#state")).to_contain_text("Snapshot 1")
    return page


def plan(person: Person, number: int) -> Page:
    """Plan to roll the record back to a snapshot, from its own page on."""
    address = state(person).url
    person.page.goto(f"{address}rollback/?to={number}")
    expect(person.page.locator(f"input[name=to][value='{number}']")).to_be_checked()
    person.page.get_by_role("button", name="Show what it would do").click()
    expect(person.page.locator("#restoration")).to_contain_text("Nothing has changed yet.")
    return person.page


def confirm(page: Page, word: str, *, twice: bool = False) -> None:
    """Type what is asked for, and confirm."""
    page.fill("#reason", "The agents went wrong.")
    page.fill("#typed", word)
    button = page.locator("#confirm-form button[type=submit]").first
    if twice:
        button.dblclick()
    else:
        button.click()


def test_a_rollback_is_planned_confirmed_and_watched(
    ada: Person, cleo: Person, browser: Browser, running: Console
) -> None:
    decide(browser, running, "Hold invoice R-2609")
    page = plan(ada, 1)
    expect(page.locator("#plan")).to_contain_text("1 newer snapshot is rolled away")
    expect(page.locator("#plan")).to_contain_text("set aside, and their jobs begin anew")
    keep_picture(page, "plan-1280")
    watching = cleo.context.new_page()
    watching.goto(page.url)
    expect(watching.locator("#confirm")).to_contain_text("Only an admin confirms")
    expect(watching.locator("#confirm-form")).to_have_count(0)
    second = ada.context.new_page()
    second.goto(page.url)
    expect(second.get_by_text("Live", exact=True)).to_be_visible()
    record = state(cleo)
    runs = cleo.open("runs/", tab=True)
    expect(runs.get_by_text("Live", exact=True)).to_be_visible()

    confirm(page, "ledger/something-else")
    expect(page.locator("#refused")).to_contain_text(f"Type {BOOK} to confirm.")
    expect(page.locator("#reason")).to_have_value("The agents went wrong.")
    confirm(page, BOOK, twice=True)
    for each in (page, watching, second):
        expect(each.locator("#restoration")).to_contain_text(
            "Everything was read back", timeout=SLOW
        )
        expect(each.locator("#restoration")).to_contain_text("Rolled back", timeout=SLOW)
        expect(each.locator("#confirm")).to_contain_text("This plan was confirmed")
        expect(each.locator("#confirm-form")).to_have_count(0)
    expect(record.locator("#state")).to_contain_text("Snapshot 3")
    expect(runs.locator("#runs")).to_contain_text("Superseded", timeout=SLOW)
    keep_picture(page, "restored-1280")

    page.get_by_role("link", name="Snapshot 3").click()
    expect(page.locator("main")).to_contain_text("Content matches its digest")
    page.go_back()
    page.get_by_role("link", name="Roll this back").click()
    expect(page.locator("input[name=to][value='2']")).to_be_checked()
    page.get_by_role("button", name="Show what it would do").click()
    confirm(page, BOOK)
    expect(page.locator("#restoration")).to_contain_text("Rolled back", timeout=SLOW)
    expect(record.locator("#state")).to_contain_text("Snapshot 4")


def test_a_plan_whose_world_has_changed_is_made_again(
    ada: Person, browser: Browser, running: Console
) -> None:
    page = plan(ada, 1)
    page.fill("#reason", "Half a sentence")
    decide(browser, running, "Move EUR 1,966.39")
    expect(page.locator("#stale")).to_contain_text("Plan is out of date", timeout=SLOW)
    expect(page.locator("#reason")).to_have_value("Half a sentence")
    confirm(page, BOOK)
    expect(page.locator("#refused")).to_contain_text("The world changed: plan again.")
    page.get_by_role("button", name="Plan again", exact=True).click()
    expect(page.locator("#restoration")).to_contain_text("Nothing has changed yet.")
    page.locator("#newer").get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Plan again with these choices").click()
    expect(page.locator("#newer").get_by_role("checkbox").first).to_be_checked()
    page.get_by_role("button", name="Discard this plan").click()
    expect(page.locator("#restoration")).to_contain_text("This plan was put away.")


def test_an_agent_starts_clean_by_keyboard_alone(ada: Person, cleo: Person) -> None:
    page = ada.open(f"agents/{CLERK}/reinitialise/")
    expect(page.locator("main")).to_contain_text(f"{BOOK}/agents/{CLERK}")
    reach(page, "input[value=clean]", "Space")
    page.keyboard.press("Enter")
    expect(page.locator("#plan")).to_contain_text("empty: nothing remembered")
    watching = cleo.context.new_page()
    watching.goto(page.url)
    expect(watching.get_by_text("Live", exact=True)).to_be_visible()
    reach(page, "#reason")
    page.keyboard.type("It remembered what was never said.")
    page.keyboard.press("Tab")
    page.keyboard.type(CLERK)
    page.keyboard.press("Enter")
    expect(watching.locator("#restoration")).to_contain_text("Re-initialised", timeout=SLOW)
    expect(page.locator("#restoration")).to_contain_text("Re-initialised", timeout=SLOW)


def reach(page: Page, selector: str, press: str = "") -> None:
    """Press the tabulator until something has the focus, and then a key."""
    for _ in range(80):
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            break
        # Of a group of radio buttons one is reached by the tabulator, the others by arrows.
        is_beside = page.evaluate(
            "s => document.activeElement.name && document.activeElement.name"
            " === document.querySelector(s).name && document.activeElement.type === 'radio'",
            selector,
        )
        page.keyboard.press("ArrowDown" if is_beside else "Tab")
    assert page.evaluate("s => document.activeElement.matches(s)", selector)
    if press:
        page.keyboard.press(press)


@SCREENS
def test_every_page_is_accessible_and_fits(
    browser: Browser, running: Console, colours: str, width: int
) -> None:
    screen = {"viewport": {"width": width, "height": 900}, "color_scheme": colours}
    ada = Person(browser, running, "ada", **screen)
    there = state(ada).url
    places = {
        "rollback-new": f"{there}rollback/",
        "outside": f"{there}outside/",
        "reinitialise-state": f"{there}reinitialise/",
    }
    for name, address in places.items():
        ada.page.goto(address)
        looked_at(ada.page, name, colours, width)
    looked_at(ada.open(f"agents/{CLERK}/reinitialise/"), "reinitialise-new", colours, width)
    looked_at(plan(ada, 1), "plan", colours, width)
    ada.page.get_by_role("button", name="Discard this plan").click()
    looked_at(ada.page, "discarded", colours, width)
    looked_at(ada.open("restorations/"), "restorations", colours, width)
    done = ada.page.locator("#restorations tr", has_text="Rolled back").first
    done.locator("[data-row]").click()
    expect(ada.page.locator("#restoration")).to_contain_text("Everything was read back")
    looked_at(ada.page, "restored", colours, width)
    assert ada.notes == []
    ada.context.close()


def looked_at(page: Page, name: str, colours: str, width: int) -> None:
    """Check a page and keep its picture."""
    expect(page.locator("h1")).to_be_visible(timeout=SLOW)
    assert_fine(page, name, width)
    keep_picture(page, f"restoration-{name}-{colours}-{width}")
