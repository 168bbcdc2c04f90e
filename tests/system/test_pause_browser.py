"""In the browser: a guard pauses a run, a person answers once, and every open page follows."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.system.console_process import Console, console
from tests.system.test_browser import SCREENS, Person, assert_fine, keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SCREEN = {"viewport": {"width": 1280, "height": 900}}
RULE = "Identical call"
# What agents and tools say is never markup; the browser would complain of the image.
PACK = """
from agents.workflows import Workflow, register_workflow


def circle(context):
    for _ in range(5):
        context.tool(
            agent="searcher",
            name="search_catalogue",
            args={"words": "toner <img src=x onerror=alert(1)>"},
            function=lambda: {"hits": []},
        )


def register():
    register_workflow(Workflow("circle", "Go in circles", circle))
"""
POINT = "[countersign.packs]\ncircling = circling\n"


@pytest.fixture(scope="module")
def running(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Give a console that finds one more pack installed, by its entry point."""
    assert chromium_path
    site = tmp_path_factory.mktemp("site")
    (site / "circling.py").write_text(PACK)
    told = site / "circling-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: circling\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(POINT)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
        with console() as one:
            yield one


def paused(running: Console, label: str) -> str:
    """Submit a job that goes in circles, and return where its pause is answered."""
    token = next(p["token"] for p in running.sign_ins() if p.get("token"))
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": label}
    asked = {
        "workflow": "circle",
        "state": "ledger/accounts-payable",
        "input": {},
        "label": label,
    }
    with httpx.Client(base_url=f"{running.address}/api/v1", headers=headers) as client:
        answer = client.post("/jobs", json=asked)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        job = answer.json()["id"]
        for _ in range(120):
            waiting = client.get("/pauses").json()["items"]
            if found := [each for each in waiting if each["job"] == job]:
                return f"pauses/{found[0]['id']}/"
            client.get(f"/jobs/{job}/wait", params={"seconds": 1})
    raise AssertionError(label)


def test_a_reviewer_lets_it_go_on_and_another_page_follows(
    browser: Browser, running: Console
) -> None:
    place = paused(running, "Find toner")
    ana, ben = (Person(browser, running, name, **SCREEN) for name in ("ana", "ben"))
    queue = ana.open("queue/")
    queue.locator(f"#beside-paused a[href$='{place}']").focus()
    queue.keyboard.press("Enter")
    expect(queue.locator("h1")).to_have_text(RULE)
    expect(ben.open(place).locator("#pause-answer form")).to_be_visible()
    queue.get_by_label("Continue.").check()
    queue.fill("#pause-reason", "The catalogue was down.")
    queue.get_by_role("button", name="Answer").dblclick()
    expect(queue.locator("#pause-ended")).to_contain_text("let it go on. “The catalogue was down.”")
    expect(ben.page.locator("#pause-ended")).to_contain_text("Ana Belmonte")
    expect(ben.page.locator("#pause-answer form")).to_have_count(0)
    # The run went on, and round in circles: whoever stands here is led to what is asked now.
    queue.reload()
    again = queue.get_by_role("link", name="say what is to become of it")
    expect(again).to_be_visible()
    again.click()
    expect(queue.locator("#pause-answer form")).to_be_visible()
    queue.get_by_label("End the run.").check()
    queue.fill("#pause-reason", "It does not get on.")
    queue.keyboard.press("Tab")
    queue.keyboard.press("Enter")
    expect(queue.locator("#pause-ended")).to_contain_text("ended the run")
    for person in (ana, ben):
        assert person.notes == []
        person.context.close()


@SCREENS
def test_every_page_is_accessible_and_fits(
    browser: Browser, running: Console, colours: str, width: int
) -> None:
    place = paused(running, f"Toner {colours} {width}")
    screen = {"viewport": {"width": width, "height": 900}, "color_scheme": colours}
    eve = Person(browser, running, "eve", **screen)
    pause = eve.open(place)
    run = str(pause.locator("#pause .facts a[href*='/runs/']").get_attribute("href"))
    run = run.split(f"/w/{eve.workspace}/")[1]
    places = {
        "queue": "queue/",
        "pauses": "pauses/",
        "pause": place,
        "run": run,
        "origin": f"{run}steps/0/origin/",
        "effects": f"{run}steps/0/effects/",
        "pick": f"runs/compare/?a={Path(run).name}",
        "workflows": "workflows/",
        "workflow": "workflows/accounts_payable/",
        "guards": "workflows/accounts_payable/guards/",
        "budgets": "budgets/",
    }
    for name, where in places.items():
        page = eve.open(where)
        expect(page.locator("h1")).to_be_visible()
        assert_fine(page, name, width)
        keep_picture(page, f"pause-{name}-{colours}-{width}")
    page = eve.open(run)
    page.locator("#step-0 summary").click()
    expect(page.locator("#step-0-body")).to_contain_text("<img src=x")
    assert_fine(page, "an opened step", width)
    link = page.get_by_role("link", name="Say what is to become of it")
    link.click()
    expect(page.locator("#pause-raised")).to_be_hidden()
    page.get_by_label("Continue with a higher limit.").check()
    expect(page.locator("#pause-raised")).to_have_value("6")
    page.get_by_label("End the run.").check()
    page.fill("#pause-reason", "Seen enough.")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("#pause-ended")).to_contain_text("ended the run")
    assert_fine(page, "an answered pause", width)
    assert eve.notes == []
    eve.context.close()
