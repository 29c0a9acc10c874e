"""The doctor's page in a browser: a model's text is only text, and nothing comes in or goes out."""

import doctor_reports
import pytest
from doctor_pages import cells

from attn_course import show
from attn_course.show.report import page as written_page

pytestmark = pytest.mark.browser


def test_a_models_text_is_shown_and_never_run(opened):
    page = opened(doctor_reports.malicious())
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for cell in range(8):
        cells(page).nth(cell).click()
    page.locator(".field").hover()
    assert page.locator("img, iframe, object, embed, [onerror], [onmouseover]").count() == 0
    assert page.locator("script").count() == 2
    assert page.locator("h1").inner_text() == doctor_reports.MALICE
    text = page.locator(".text").inner_text()
    assert doctor_reports.MALICE in text and "<202E>gnp" in text and "⏎" in text and "<D800>" in text and "&lt;" in text
    assert "Ġ" not in text and " the " in text


def test_the_policy_stops_a_script_that_came_in_and_all_that_asks_the_network(browser, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(written_page(doctor_reports.report()), encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    page.goto(file.as_uri())
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"window.ran = 1\">')")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 2'}))"
    )
    refused = "fetch('data:text/plain,hello').then(() => 'fetched', () => 'refused')"
    assert page.evaluate(refused) == "refused"
    after = "new Promise(done => setTimeout(() => done(window.ran ?? 'nothing ran'), 200))"
    assert page.evaluate(after) == "nothing ran"
    context.close()


def test_without_scripts_the_findings_stand_there_as_text(opened):
    page = opened(doctor_reports.report(), java_script_enabled=False)
    assert page.locator("noscript").inner_text().strip() == doctor_reports.report().to_text().strip()


def test_in_a_notebook_the_frame_holds_the_whole_page(page):
    found = doctor_reports.report()
    page.set_content(f"<!doctype html><html lang=en><body>{show.report(found)._repr_html_()}</body></html>")
    inside = page.frame_locator("iframe")
    inside.locator("[role=gridcell]").nth(2).click()
    assert inside.locator(".panel h3").inner_text() == "Layer 0, head 2"
    assert inside.locator(".finding").count() == 2
    assert page.locator("body > pre").count() == 0
    assert page.evaluate("document.querySelector('iframe').contentDocument") is None  # it cannot reach the notebook
