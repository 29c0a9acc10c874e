"""A headless Chromium, and widgets mounted on a blank page with the site's own host: no kernel, no network."""

import os
import shutil

import pytest
from chromium import CHROMIUM, FLAGS
from widget_pages import Mounted, watch

from attn_course.show.report import page as page_of


def missing(what: str) -> None:
    """No tool, no test: a failure in CI, a visible skip elsewhere."""
    sentence = f"{what} is missing. Install it, or say where Chromium is with CHROMIUM=/path/to/chromium."
    (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM or not shutil.which(CHROMIUM):
        missing(f"The browser {CHROMIUM}" if CHROMIUM else "A browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright (in attn-course[test])")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A blank page with the network cut; the test fails on any error in the console and on any request."""
    context = browser.new_context(viewport={"width": 900, "height": 1000})
    context.set_default_timeout(10_000)
    context.set_offline(True)
    page = context.new_page()
    wrong = watch(page)
    yield page
    context.close()
    assert not wrong, wrong


@pytest.fixture
def mount(page):
    return lambda widget: Mounted(page, widget)


@pytest.fixture
def opened(opened_page):
    """Opens a doctor's page, as `opened_page` does."""
    return lambda report, room=None, **options: opened_page(page_of(report, room), **options)


@pytest.fixture
def opened_page(browser, tmp_path):
    """Opens a page's text from the disk, the network cut; fails on an error in the console or a second request."""
    contexts = []

    def open_(text, width=1280, scheme="light", local=(), **more):
        file = tmp_path / "page.html"
        file.write_text(text, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
        context.set_default_timeout(10_000)
        context.set_offline(True)
        page = context.new_page()
        wrong = watch(page, local=("data:", file.as_uri(), *local))
        contexts.append((context, wrong))
        page.goto(file.as_uri())
        return page

    yield open_
    for context, wrong in contexts:
        context.close()
        assert not wrong, wrong
