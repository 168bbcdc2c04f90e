"""What tests of the running console may ask for: one that runs, and a browser."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.system.console_process import Console, console

FLAGS = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]


@pytest.fixture(scope="module")
def running(chromium_path: str) -> Iterator[Console]:
    """Start a console with the demo for the tests of one file."""
    assert chromium_path
    with console() as one:
        yield one


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """Start a browser for the tests of one file."""
    with sync_playwright() as playwright:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS + sandbox)
        yield browser
        browser.close()
