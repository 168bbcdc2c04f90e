"""In the browser: a reviewer decides, the run goes on, and every open page shows it by itself."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.system.console_process import Console, console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
FLAGS = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
WARD = "st-brigid-ward"
REFUSAL = re.compile(r"status of 4(09|12|22)")
PLACES = ["queue", "settled", "runs", "jobs", "states", "ledger", "tokens"]


@pytest.fixture(scope="module")
def running(chromium_path: str) -> Iterator[Console]:
    assert chromium_path
    with console() as one:
        yield one


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS + sandbox)
        yield browser
        browser.close()


class Person:
    """Somebody at a screen; remembers what the browser complained about."""

    def __init__(self, browser: Browser, running: Console, name: str, **screen: object) -> None:
        self.console = running
        self.notes: list[str] = []
        self.context: BrowserContext = browser.new_context(**screen)  # type: ignore[arg-type]
        self.context.on("console", self.hear)
        self.page = self.context.new_page()
        self.sign_in(next(p for p in running.sign_ins() if p["email"].startswith(f"{name}@")))

    def hear(self, message: ConsoleMessage) -> None:
        """Remember errors, except a refusal that the page shows to its reader."""
        if message.type == "error" and not REFUSAL.search(message.text):
            self.notes.append(message.text)

    def sign_in(self, person: dict[str, str]) -> None:
        self.workspace = person["workspace"]
        self.page.goto(f"{self.console.address}/sign-in/")
        self.page.fill("input[name=username]", person["email"])
        self.page.fill("input[name=password]", person["password"])
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/queue/")

    def open(self, place: str, *, tab: bool = False) -> Page:
        page = self.context.new_page() if tab else self.page
        page.goto(f"{self.console.address}/w/{self.workspace}/{place}")
        return page


@pytest.fixture
def ana(browser: Browser, running: Console) -> Iterator[Person]:
    person = Person(browser, running, "ana", viewport={"width": 1280, "height": 900})
    yield person
    assert person.notes == []
    person.context.close()


def waits(page: Page, title: str) -> None:
    expect(page.locator("#queue .row:not(.row--done)", has_text=title)).to_have_count(1)


def test_a_reviewer_decides_and_every_open_page_follows(ana: Person) -> None:
    queue = ana.open("queue/")
    waits(queue, "Change the account of Nordlicht")
    waits(queue, "Hold invoice R-2609")
    states = ana.open("states/", tab=True)
    states.get_by_role("link", name=re.compile("accounts-payable")).first.click()
    expect(states.locator("#state")).to_contain_text("Snapshot 1")
    detail = ana.open("queue/", tab=True)
    detail.get_by_role("link", name=re.compile("Nordlicht")).click()
    expect(detail.locator("#changes")).to_contain_text("country changes from DE to ES")
    expect(detail.locator("#evidence")).to_contain_text("nordlicht-optic.example")
    run = ana.context.new_page()
    run.goto(detail.get_by_role("link", name=re.compile("^run ")).first.evaluate("a => a.href"))
    expect(run.locator("#run")).to_contain_text("Waiting for a decision")

    detail.get_by_role("button", name="Reject").click()
    expect(detail.locator("#refused")).to_contain_text("Say why you reject")
    detail.fill("#reason", "The sender's domain is not our vendor's; nobody called back.")
    detail.get_by_role("button", name="Reject").click()
    expect(detail.locator("#decision")).to_contain_text("Your decision is recorded")
    expect(queue.locator("#queue .row--done", has_text="Nordlicht")).to_contain_text("Ana")
    expect(run.locator("#run")).to_contain_text("rejected The sender's domain", timeout=15_000)
    expect(states.locator("#state")).not_to_contain_text("Snapshot 2")

    detail.goto(f"{ana.console.address}/w/{ana.workspace}/queue/")
    detail.get_by_role("link", name=re.compile("Hold invoice R-2609")).click()
    detail.fill("#reason", "Paid in October already.")
    detail.get_by_role("button", name=re.compile("^Approve")).click()
    expect(detail.locator("#decision")).to_contain_text("snapshot 2")
    expect(states.locator("#state")).to_contain_text("Snapshot 2")
    expect(queue.locator("#queue .row--done", has_text="R-2609")).to_have_count(1)


def test_the_queue_fills_while_a_job_runs(ana: Person) -> None:
    queue = ana.open("queue/")
    row = queue.locator("#queue .row:not(.row--done)", has_text="be paid in 30 days")
    expect(row).to_have_count(0)
    token = next(p["token"] for p in ana.console.sign_ins() if p.get("token"))
    answer = httpx.post(
        f"{ana.console.address}/api/v1/jobs",
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "from a test"},
        json={
            "workflow": "accounts_payable",
            "state": "ledger/accounts-payable",
            "input": {"only": ["terms-kestrel"]},
        },
    )
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    expect(row).to_have_count(1)


def test_an_idle_page_stays_connected(ana: Person) -> None:
    sockets: list[str] = []
    page = ana.context.new_page()
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(f"{ana.console.address}/w/{ana.workspace}/ledger/")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    # A client library closes idle connections after five seconds; the layer must not care.
    page.wait_for_timeout(16_000)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert len(sockets) == 1


def test_a_double_click_decides_once(ana: Person) -> None:
    ana.open("queue/").get_by_role("link", name=re.compile("Move EUR 1,966.39")).click()
    ana.page.fill("#reason", "The invoice says spare parts.")
    ana.page.get_by_role("button", name=re.compile("^Approve")).dblclick()
    expect(ana.page.locator("#decision")).to_contain_text("Your decision is recorded")
    history = ana.page.locator("#history")
    expect(history.get_by_text("Ana Belmonte")).to_have_count(1)


def test_the_second_of_two_reviewers_is_told_what_happened(
    ana: Person, browser: Browser, running: Console
) -> None:
    ben = Person(browser, running, "ben")
    ben.open("queue/").get_by_role("link", name=re.compile("Pay GBP 3,412.80")).click()
    ana.open("queue/").get_by_role("link", name=re.compile("Pay GBP 3,412.80")).click()
    ben.page.route("**/ws/**", lambda route: route.abort())
    ana.page.fill("#reason", "Order and receipt agree, but the cover sheet is missing.")
    ana.page.get_by_role("button", name="Reject").click()
    expect(ana.page.locator("#decision")).to_contain_text("Your decision is recorded")
    ben.page.fill("#reason", "Looks right to me.")
    ben.page.get_by_role("button", name=re.compile("^Approve")).click()
    expect(ben.page.locator("#decision")).to_contain_text("rejected")
    expect(ben.page.locator("#decision")).to_contain_text("was not recorded")
    ben.context.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_every_page_is_accessible_and_fits(
    browser: Browser, running: Console, colours: str, width: int
) -> None:
    screen = {"viewport": {"width": width, "height": 900}, "color_scheme": colours}
    noor = Person(browser, running, "noor", **screen)
    links = {"queue": "proposals/", "runs": "runs/", "states": "states/"}
    for place in PLACES:
        page = noor.open(f"{place}/")
        assert_fine(page, place, width)
        if place in links:
            page.locator(f"main a[href*='/{links[place]}']").first.click()
            expect(page.locator("h1")).to_be_visible()
            assert_fine(page, f"{place} detail", width)
        keep_picture(page, f"{place}-{colours}-{width}")
    noor.context.close()


def assert_fine(page: Page, place: str, width: int) -> None:
    """Check accessibility and that nothing reaches beyond the screen's right side."""
    page.wait_for_load_state("load")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, place
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, f"{place}: {found.generate_report()}"


def keep_picture(page: Page, name: str) -> None:
    """Keep a picture where SCREENSHOTS says."""
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_strangers_see_nothing(ana: Person, browser: Browser, running: Console) -> None:
    for place in ("queue/", "runs/", "states/", "ledger/"):
        answer = ana.page.request.get(f"{running.address}/w/{WARD}/{place}")
        assert answer.status == 404
    ana.notes.clear()


def test_a_page_says_so_when_its_session_ends(browser: Browser, running: Console) -> None:
    tom = Person(browser, running, "tom")
    other = tom.open("queue/", tab=True)
    expect(other.get_by_text("Live", exact=True)).to_be_visible()
    tom.page.evaluate("document.querySelector('form[action*=sign-out]').submit()")
    tom.page.wait_for_url("**/sign-in/")
    expect(other.get_by_text("Signed out", exact=False).first).to_be_visible(timeout=45_000)
    tom.context.close()


def test_the_api_is_described_under_the_same_strict_policy(ana: Person) -> None:
    ana.page.goto(f"{ana.console.address}/api/docs")
    expect(ana.page.get_by_text("/api/v1/jobs").first).to_be_visible(timeout=20_000)
