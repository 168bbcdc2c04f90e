"""In the browser: a reviewer decides, the run goes on, and every open page shows it by itself."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
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
)

from tests.access.proving import code_of
from tests.system.console_process import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
WARD = "st-brigid-ward"
REFUSAL = re.compile(r"status of 4(09|12|22)")
DONE = "Your decision is recorded"
# A password is checked slowly on purpose.
SIGNED_WITHIN = 20_000
# Both widths and both colours on every push; the other two pairs at night.
AT_NIGHT = pytest.mark.nightly
SCREENS = pytest.mark.parametrize(
    ("width", "colours"),
    [
        (1280, "light"),
        (320, "dark"),
        pytest.param(1280, "dark", marks=AT_NIGHT),
        pytest.param(320, "light", marks=AT_NIGHT),
    ],
)
PLACES = ["queue", "settled", "runs", "jobs", "states", "policies", "ledger", "tokens"]


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
        self.workspace, self.password = person["workspace"], person["password"]
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
    """Look again until it is there: an open page keeps its rows and only counts what is new."""
    row = page.locator("#queue .row:not(.row--done)", has_text=title)
    for _ in range(60):
        if row.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(row).to_have_count(1)


def test_a_reviewer_decides_and_every_open_page_follows(ana: Person) -> None:
    queue = ana.open("queue/")
    waits(queue, "Pay EUR 11,598.50 to Wendt")
    waits(queue, "Hold invoice R-2609")
    states = ana.open("states/", tab=True)
    states.get_by_role("link", name=re.compile("accounts-payable")).first.click()
    expect(states.locator("#state")).to_contain_text("Snapshot 1")
    detail = ana.open("queue/", tab=True)
    detail.get_by_role("link", name=re.compile("Wendt")).click()
    expect(detail.locator("#checks")).to_contain_text("PO-884 is over EUR 11,495.00")
    expect(detail.locator("#impact")).to_contain_text("EUR 11,598.50")
    run = ana.context.new_page()
    run.goto(detail.get_by_role("link", name=re.compile("^run ")).first.evaluate("a => a.href"))
    expect(run.locator("#run")).to_contain_text("Waiting for a decision")

    detail.get_by_role("button", name="Reject").click()
    expect(detail.locator("#refused")).to_contain_text("Say why you reject")
    detail.fill("#reason", "The order is over less than the invoice; nobody called back.")
    detail.select_option("#reason-code", "wrong_value")
    detail.get_by_role("button", name="Reject").click()
    expect(detail.locator("#decision")).to_contain_text("Your decision is recorded")
    expect(queue.locator("#queue .row--done", has_text="Wendt")).to_contain_text("Ana")
    expect(run.locator("#run")).to_contain_text("rejected The order is over", timeout=15_000)
    expect(states.locator("#state")).not_to_contain_text("Snapshot 2")

    detail.goto(f"{ana.console.address}/w/{ana.workspace}/queue/")
    detail.get_by_role("link", name=re.compile("Hold invoice R-2609")).click()
    detail.fill("#reason", "Paid in October already.")
    detail.get_by_role("button", name=re.compile("^Approve")).click()
    expect(detail.locator("#decision")).to_contain_text("snapshot 2")
    expect(states.locator("#state")).to_contain_text("Snapshot 2")
    expect(queue.locator("#queue .row--done", has_text="R-2609")).to_have_count(1)


def test_the_queue_says_what_is_new_while_a_job_runs(ana: Person) -> None:
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
    # Nothing moves under a pointer: what is new is counted, and shown when it is asked for.
    expect(queue.get_by_role("link", name=re.compile("new, press"))).to_be_visible()
    expect(row).to_have_count(0)
    queue.keyboard.press(".")
    expect(row).to_have_count(1)


@pytest.mark.nightly
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
    ana.page.select_option("#reason-code", "not_supported")
    ana.page.get_by_role("button", name="Reject").click()
    expect(ana.page.locator("#decision")).to_contain_text("Your decision is recorded")
    ben.page.fill("#reason", "Looks right to me.")
    ben.page.get_by_role("button", name=re.compile("^Approve")).click()
    expect(ben.page.locator("#decision")).to_contain_text("rejected")
    expect(ben.page.locator("#decision")).to_contain_text("was not recorded")
    ben.context.close()


@SCREENS
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
    expect(other.get_by_text("Signed out", exact=False).first).to_be_visible(timeout=10_000)
    tom.context.close()


def test_the_api_is_described_under_the_same_strict_policy(ana: Person) -> None:
    ana.page.goto(f"{ana.console.address}/api/docs")
    expect(ana.page.get_by_text("/api/v1/jobs").first).to_be_visible(timeout=20_000)


def test_level_2_asks_for_a_reason_and_waits_for_the_second(
    browser: Browser, running: Console
) -> None:
    noor = Person(browser, running, "noor")
    page = noor.open("queue/")
    waits(page, "Bed 4: digoxin")
    page.get_by_role("link", name=re.compile("Bed 4: digoxin")).click()
    expect(page.locator("#impact")).to_contain_text("5 times higher")
    approve = page.get_by_role("button", name=re.compile("^Approve: bed 4", re.IGNORECASE))
    for box in page.locator("#decide [name=ticked]").all():
        box.check()
    approve.click()
    expect(page.locator("#refused")).to_contain_text("This level asks for a reason")
    page.fill("#reason", "Asked the ward; it is what they want.")
    approve.click()
    expect(page.locator("#decision")).to_contain_text("It takes 2 people to agree")
    tom = Person(browser, running, "tom")
    tom.open("queue/").get_by_role("link", name=re.compile("Bed 4: digoxin")).click()
    expect(tom.page.locator("#history")).to_contain_text("it is what they want")
    for person in (noor, tom):
        assert person.notes == []
        person.context.close()


def test_level_3_is_signed_by_two_of_whom_the_second_is_blind(
    browser: Browser, running: Console
) -> None:
    noor, tom = (Person(browser, running, name) for name in ("noor", "tom"))
    secrets = {person: enrolled(person) for person in (noor, tom)}
    for person in (noor, tom):
        waits(person.open("queue/"), "Bed 6: start morphine")
        person.page.get_by_role("link", name=re.compile("Bed 6: start morphine")).click()
        expect(person.page.locator("#blind")).to_be_visible()
    sign(noor, secrets[noor], "Weighed the patient myself.")
    expect(noor.page.locator("#decision")).to_contain_text(DONE, timeout=SIGNED_WITHIN)
    for text in ("Noor", "Weighed the patient"):
        expect(tom.page.locator("main")).not_to_contain_text(text)
    tom.page.reload()
    for text in ("Noor", "Weighed the patient"):
        expect(tom.page.locator("main")).not_to_contain_text(text)
    sign(tom, secrets[tom], "Read the chart from the start.")
    expect(tom.page.locator("#decision")).to_contain_text(DONE, timeout=SIGNED_WITHIN)
    expect(tom.page.locator("#proposal-head")).to_contain_text("Carried out")
    expect(tom.page.locator("#signatures")).to_contain_text("Noor")
    assert_fine(tom.page, "signed by two", 1280)
    for person in (noor, tom):
        assert person.notes == []
        person.context.close()


def enrolled(person: Person) -> str:
    """Add one-time codes as a person would, and return their secret."""
    page, password = person.page, person.password
    page.goto(f"{person.console.address}/security/")
    page.fill("input[name=password]", password)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name=re.compile("one-time codes", re.IGNORECASE)).first.click()
    secret = page.locator("#secret").inner_text().strip()
    page.fill("input[name=code]", code_of(secret, datetime.now(UTC)))
    page.get_by_role("button", name="Add one-time codes").click()
    expect(page.locator("main")).not_to_contain_text("Nothing yet")
    return secret


def sign(person: Person, secret: str, reason: str) -> None:
    """Tick, type what is asked for, sign, and approve."""
    page = person.page
    for box in page.locator("#decide [name=ticked]").all():
        box.check()
    page.fill("#fact", fact_on(page))
    page.fill("#reason", reason)
    page.fill("#sign-password", person.password)
    # The code that enrolled is used up; the next one is good already.
    page.fill("#sign-code", code_of(secret, datetime.now(UTC), later=1))
    page.get_by_role("button", name=re.compile("^Approve")).click()


def fact_on(page: Page) -> str:
    """Read from the diff what the form asks for."""
    label = page.locator("label[for=fact]").inner_text()
    name = re.sub(".*\u201c|\u201d.*", "", label)
    row = page.locator("#diff tbody tr", has=page.get_by_role("rowheader", name=name)).first
    value = row.locator("ins .value__text").inner_text()
    hint = page.locator("#fact-help").inner_text()
    if "last 4" in hint:
        return value.replace(" ", "").replace("\n", "")[-4:]
    number = re.search(r"[0-9][0-9,.]*", value)
    return number[0] if number and "number" in hint else value
