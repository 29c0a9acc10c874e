"""The static site with the network cut: pages load, nothing is asked of anyone, widgets are alive."""

import functools
import http.server
import subprocess
import sys
import threading

import pytest
from tiny_lessons import WIDGETS, write
from widget_pages import ROOT, watch

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KEYS = {
    "formula": ("query at", "ArrowUp"),
    "scaling": ("d_k", "ArrowRight"),
    "visibility": ("tokens (keys)", "ArrowRight"),
    "heads": ("distance", "ArrowRight"),
    "induction": ("training step", "ArrowRight"),
    "order": ("query at", "ArrowRight"),
    "translation": ("step", "ArrowRight"),
    "attention_view": ("token 1", "ArrowRight"),
    "scrubber": ("layer", "ArrowRight"),
    "collapse": ("layer", "ArrowRight"),
    "limits": ("length", "ArrowRight"),
    "waste": ("ε", "ArrowRight"),
    "pruning": ("heads gone", "ArrowRight"),
    "shortcut": ("sentence", "ArrowRight"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "tools" / "site.py"), "--notebooks", str(write(folder / "lessons"))]
    done = subprocess.run([*command, "--output", str(folder / "html")], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def served(site):
    """The site on a local port, as http://127.0.0.1:port."""
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *args: None})
    handler = functools.partial(quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(params=["server", "file"])
def visit(request, browser, site):
    """Open a page of the site from a local server or straight from the disk; any other request fails the test."""
    base = f"file://{site}" if request.param == "file" else request.getfixturevalue("served")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.route(lambda url: not url.startswith((base, "blob:", "data:")), lambda route: route.abort())
    context.set_offline(request.param == "file")
    page = context.new_page()
    wrong = watch(page, (base, "blob:", "data:"))

    def go(path: str):
        page.goto(f"{base}/{path}", wait_until="load")
        return page

    yield go
    context.close()
    assert not wrong, wrong


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_answers_the_keyboard(visit, name):
    page = visit(f"notebooks/{name}.html")
    root = page.locator(".attn")
    root.wait_for()
    picture, said = root.locator("svg").first.inner_html(), root.locator("[aria-live]").inner_text()
    label, key = KEYS[name]
    root.get_by_label(label).first.focus()
    page.keyboard.press(key)
    page.wait_for_function("old => document.querySelector('.attn svg').innerHTML !== old", arg=picture)
    assert root.locator("[aria-live]").inner_text() != said


def test_figures_have_alt_texts(visit):
    images = visit("notebooks/formula.html").locator("article img").all()
    assert [image.get_attribute("alt") for image in images] == ["A line that rises ever faster"]


def test_mathematics_is_set_offline(visit):
    page = visit("notebooks/scaling.html")
    page.locator("mjx-container svg").first.wait_for()
    assert page.locator("mjx-assistive-mml math").count() >= 1


def test_dark_and_light_follow_the_pages_button(visit):
    page = visit("notebooks/scaling.html")
    page.locator(".attn").wait_for()
    papers = set()
    for theme in ("light", "dark"):
        page.evaluate("theme => document.body.dataset.theme = theme", theme)
        both = "[...document.querySelectorAll('body, .attn')].map(node => getComputedStyle(node).backgroundColor)"
        body, widget = page.evaluate(both)
        assert widget == body
        papers.add(widget)
    assert len(papers) == 2


def test_the_index_leads_to_every_lesson(visit):
    page = visit("index.html")
    links = page.locator("article a.reference.internal").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert [f"notebooks/{name}.html" for name in sorted(WIDGETS)] == [
        link for link in links if link.startswith("notebooks/")
    ]


def test_no_page_names_a_file_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text and 'src="//' not in text, page.name
        assert '<link rel="stylesheet" type="text/css" href="http' not in text, page.name


def test_a_notebook_that_raises_stops_the_build(tmp_path):
    folder = write(tmp_path / "lessons")
    for name in ("formula", "scaling"):
        (folder / f"{name}.ipynb").unlink()
    broken = folder / "visibility.ipynb"
    broken.write_text(broken.read_text(encoding="utf-8").replace("VisibilityWidget()", "VisibilityWidget(w=0)"))
    command = [sys.executable, str(ROOT / "tools" / "site.py"), "--notebooks", str(folder)]
    done = subprocess.run([*command, "--output", str(tmp_path / "html")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "visibility.ipynb raised TraitError" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "html").exists()
