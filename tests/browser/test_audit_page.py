"""The audit's page in a browser: a person fills it in and signs it, everyone can read it, and labels cannot run."""

import json
from itertools import pairwise

import pytest
from audits import made
from test_doctor_page_access import CONTRAST

from attn_course import show
from attn_course.diagnosis.audit import Section, signed

pytestmark = pytest.mark.browser
RIGHT_ENDS = """table => [...table.rows[1].cells].flatMap((cell, i) => {
  if (!cell.classList.contains("number")) return [];
  const end = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return Math.round(range.getBoundingClientRect().right);
  };
  return [[end(table.rows[0].cells[i]), end(cell)]];
})"""
MALICE = "</script><img src=x onerror=window.ran=1><b>bold</b> \u202egnp &lt; \x00"


def hostile():
    table = Section(MALICE, MALICE, (MALICE, "share"), ((MALICE, "0.5"), ("a", MALICE)))
    question = made().questions[0]
    return made(
        subject=MALICE,
        use=MALICE,
        sections=(table,),
        untested=(MALICE,),
        questions=(type(question)(MALICE, MALICE),),
        decisions=(MALICE, "no"),
    )


@pytest.fixture
def opened(opened_page):
    return lambda audit, **options: opened_page(show.audit.page(audit), local=("blob:",), **options)


def fill(page, audit):
    for number, question in enumerate(audit.questions, 1):
        page.get_by_label(f"{number}. ").fill(f"About {question.name}.")
    page.get_by_label(audit.decisions[-1], exact=True).check()
    page.get_by_label("Reason").fill("27 % is too few.")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Date").fill("2026-03-01")


def saved(page, tmp_path):
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    return file


def test_its_tables_are_the_audits(opened):
    audit = made()
    page = opened(audit)
    for number, section in enumerate(audit.sections):
        table = page.locator("table").nth(number)
        assert table.locator("thead th").all_inner_texts() == list(section.columns)
        rows = table.locator("tbody tr").evaluate_all("rows => rows.map(r => [...r.cells].map(c => c.textContent))")
        assert rows == [list(row) for row in section.rows]
        ends = table.evaluate(RIGHT_ENDS)  # of a column of numbers the head ends where the numbers do
        assert ends and all(head == number for head, number in ends), section.title
    assert page.locator("h1").inner_text() == audit.subject
    assert page.locator("section li").all_inner_texts() == list(audit.untested)


def test_it_is_unsigned_until_all_is_answered_and_somebody_answers_for_it(opened, tmp_path):
    audit = made()
    page = opened(audit)
    seal, oath = page.get_by_role("status"), page.get_by_label("I answer for this decision")
    assert seal.inner_text().startswith("Unsigned: nobody answers for this. Missing: answer 1,")
    assert oath.is_disabled()
    with pytest.raises(ValueError, match="unsigned"):
        signed(saved(page, tmp_path).read_text(), audit)
    fill(page, audit)
    assert seal.inner_text() == "Unsigned: all is filled in, and nobody has put their name to it yet."
    with pytest.raises(ValueError, match="nobody has put their name"):
        signed(saved(page, tmp_path).read_text(), audit)
    oath.check()
    assert seal.inner_text() == "Signed by Ada on 2026-03-01: do not use it."
    file = saved(page, tmp_path)
    found = signed(file.read_text(), audit)
    assert file.name == "audit-signed.json" and found.name == "Ada" and found.decision == "do not use it"
    assert found.answers == {each.name: f"About {each.name}." for each in audit.questions}


def test_who_changes_a_word_takes_the_signature_back(opened):
    audit = made()
    page = opened(audit)
    fill(page, audit)
    oath = page.get_by_label("I answer for this decision")
    for change in (
        lambda: page.get_by_label("Reason").fill("Another."),
        lambda: page.get_by_label(audit.decisions[0], exact=True).check(),
        lambda: page.get_by_label("1. ").fill(" "),
    ):
        oath.check()
        change()
        assert not oath.is_checked() and page.get_by_role("status").inner_text().startswith("Unsigned")
    assert oath.is_disabled()


def test_it_is_filled_in_with_the_keyboard_alone(opened):
    audit = made()
    page = opened(audit)
    page.get_by_label("1. ").focus()
    for words in ("one", "two", "three", "four"):
        page.keyboard.type(words)
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    for words in ("because", "Ada"):
        page.keyboard.type(words)
        page.keyboard.press("Tab")
    page.keyboard.type("01032026")
    page.get_by_label("I answer for this decision").focus()
    page.keyboard.press("Space")
    assert page.get_by_role("status").inner_text().startswith("Signed by Ada on 2026-")


def test_labels_are_shown_and_never_run(opened, tmp_path):
    audit = hostile()
    page = opened(audit)
    assert page.locator("img, b, iframe").count() == 0 and page.locator("script").count() == 2
    assert page.evaluate("window.ran ?? 'nothing ran'") == "nothing ran"
    for where in ("h1", "h2", "tbody", "legend ~ label", ".field label"):
        assert "<img src=x onerror=window.ran=1>" in page.locator(where).first.inner_text()
    assert "<202E>gnp" in page.locator("h1").inner_text()
    page.get_by_label("Name").fill("<img src=x onerror=window.ran=2>")
    page.get_by_label("1. ").fill("</script>")
    page.get_by_label("Reason").fill("x")
    page.get_by_label("Date").fill("2026-03-01")
    page.get_by_label("no", exact=True).check()
    page.get_by_label("I answer for this decision").check()
    assert "<img src=x onerror=window.ran=2>" in page.get_by_role("status").inner_text()
    found = json.loads(saved(page, tmp_path).read_text())
    assert found["answers"][MALICE] == "</script>" and page.evaluate("window.ran ?? 0") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_words_stand_out_from_what_is_behind_them(opened, scheme):
    page = opened(made(), scheme=scheme)
    found = page.evaluate(CONTRAST)
    assert len(found) > 60 and [each for each in found if each[0] < 4.5] == []


def test_everything_that_takes_the_focus_has_a_name_and_headings_are_in_order(opened):
    page = opened(made())
    names = page.locator("button, input, textarea, [tabindex]").evaluate_all(
        "nodes => nodes.map(n => n.labels?.[0]?.textContent || document.getElementById("
        "n.getAttribute('aria-labelledby'))?.textContent || n.textContent)"
    )
    assert len(names) == 4 + 4 + 3 + 3 + 1 + 2 and all(len(name.strip()) > 3 for name in names)
    levels = page.locator("h1, h2, h3").evaluate_all("nodes => nodes.map(n => Number(n.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1 and all(b <= a + 1 for a, b in pairwise(levels))


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(opened, width):
    for audit in (made(), hostile()):
        page = opened(audit, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_the_answers_stand_whole_and_the_buttons_are_gone(opened):
    audit = made()
    page = opened(audit, scheme="dark")
    long = "A long answer. " * 60
    page.get_by_label("2. ").fill(long)
    page.emulate_media(media="print")
    assert page.locator(".paper").nth(1).inner_text().strip() == long.strip()
    assert page.get_by_role("button", name="Print").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")


def test_in_a_notebook_the_frame_holds_the_whole_page(page):
    audit = made()
    page.set_content(f"<!doctype html><html lang=en><body>{show.audit(audit)._repr_html_()}</body></html>")
    inside = page.frame_locator("iframe")
    inside.get_by_label("Name").fill("Ada")
    assert inside.locator("table").count() == 4 and "Unsigned" in inside.get_by_role("status").inner_text()
    assert page.evaluate("document.querySelector('iframe').contentDocument") is None  # it cannot reach the notebook
