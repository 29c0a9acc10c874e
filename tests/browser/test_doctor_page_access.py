"""The doctor's page in a browser: everyone can read it, on any screen and on paper."""

from dataclasses import replace
from itertools import pairwise

import doctor_reports
import pytest
from doctor_pages import REPORTS, cells, every_report, rgb

pytestmark = pytest.mark.browser


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const parse = (css) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const part = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const bright = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const under = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const css = getComputedStyle(n).backgroundColor;
      if (parse(css)[3] === 255) return parse(css);
    }
    return parse('canvas');
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.checkVisibility({ visibilityProperty: true })) continue;
    if (node.closest('script, style, option, .nan, title')) continue;
    const ink = parse(node.closest('svg') ? getComputedStyle(node).fill : getComputedStyle(node).color);
    const [a, b] = [bright(ink), bright(under(node))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), walk.currentNode.textContent.slice(0, 40), node.className]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("make", [doctor_reports.report, doctor_reports.shaded], ids=["sound", "all shades"])
def test_all_words_stand_out_from_what_is_behind_them(opened, scheme, make):
    page = opened(make(), scheme=scheme)
    found = page.evaluate(CONTRAST)
    assert len(found) > 150
    assert [each for each in found if each[0] < 4.5] == []
    paper = {"light": (252, 252, 250), "dark": (21, 23, 26)}[scheme]
    assert tuple(rgb(page.evaluate("getComputedStyle(document.body).backgroundColor"))) == paper


@every_report
def test_everything_that_takes_the_focus_has_a_name_and_every_picture_says_what_is_seen(opened, make):
    page = opened(make())
    name = "n.getAttribute('aria-label') ?? n.labels?.[0]?.textContent ?? n.textContent"
    tree = page.locator("a[href], button, select, input, summary, [tabindex]").evaluate_all(
        f"nodes => nodes.map(n => [{name}, n.outerHTML])"
    )
    assert [html for name, html in tree if len(name.strip()) < 2] == []
    assert len(tree) > 10 or not make().layers
    pictures = page.locator("svg, canvas").evaluate_all(
        "nodes => nodes.map(n => [n.closest('[role=img]')?.ariaLabel, n.closest('[aria-hidden]')?.ariaHidden])"
    )
    assert all(hidden == "true" or len(label or "") > 20 for label, hidden in pictures)
    grids = page.locator("[role=grid]").count()
    assert grids == page.locator("[role=grid][aria-label]").count()
    assert page.locator("[role=row] > :not([role=gridcell], [role=rowheader], [role=columnheader])").count() == 0
    assert page.locator("html").get_attribute("lang") == "en"
    levels = page.locator("h1, h2, h3, h4").evaluate_all("nodes => nodes.map(n => Number(n.tagName[1]))")
    assert levels[0] == 1 and all(b <= a + 1 for a, b in pairwise(levels))


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("name", ["sound", "malicious", "sick"])
def test_nothing_is_cut_off_or_wider_than_the_screen(opened, width, name):
    page = opened(REPORTS[name](), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = """width => [...document.querySelectorAll('main *')]
      .filter(n => !n.closest('.scroll, .text') && n.checkVisibility())
      .map(n => [n.getBoundingClientRect(), n.outerHTML.slice(0, 80)])
      .filter(([b]) => b.width && (b.left < -1 || b.right > width + 1)).map(([, html]) => html)"""
    assert page.evaluate(outside, width) == []


def test_a_wide_model_is_reached_on_a_narrow_screen(opened):
    found = doctor_reports.report(1, 32, None, n=24)
    page = opened(replace(found, layers=found.layers * 4), width=360)
    cells(page).first.focus()
    page.keyboard.press("End")
    box, edge = cells(page).nth(31).bounding_box(), page.locator("[role=rowheader]").first.bounding_box()
    assert box["x"] >= edge["x"] + edge["width"] - 1 and box["x"] + box["width"] <= 360
    page.keyboard.press("Home")
    assert cells(page).first.bounding_box()["x"] >= edge["x"] + edge["width"] - 1


def test_it_prints_on_white_with_its_colours(opened):
    page = opened(doctor_reports.report(), scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".away").first.is_hidden() and cells(page).first.is_visible()
    adjust = "node => getComputedStyle(node).printColorAdjust"
    assert cells(page).first.evaluate(adjust) == page.locator(".field canvas").evaluate(adjust) == "exact"
    stroke = "node => getComputedStyle(node).stroke"
    printed = page.locator(".chart .line").first.evaluate(stroke)
    page.emulate_media(color_scheme="light", media="screen")
    assert page.locator(".chart .line").first.evaluate(stroke) == printed
    assert page.pdf().startswith(b"%PDF")
