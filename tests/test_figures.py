"""The figures that a reader drives, with the numbers that the notebooks stored: by mouse, touch and keyboard, in both
modes, on a page of their own, since building the site takes a minute. Without a script each is a still picture."""
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import needs_chromium, static_server

NBS = Path(__file__).parents[1]/"nbs"
NAMES = sorted(f.stem for f in (NBS/"figures").glob("*.js") if f.stem != "drive")


def stored():
    "Figure → its HTML as a notebook stored it"
    found = {}
    for file in NBS.glob("[0-9]*.ipynb"):
        text = file.read_text(encoding="utf-8")
        for cell in json.loads(text)["cells"] if "data-drive" in text else ():
            for out in cell.get("outputs", []):
                html = "".join(out.get("data", {}).get("text/html", ""))
                if m := re.match(r"<div class='drive' data-drive='(\w+)'", html): found[m[1]] = html
    return found


def test_each_figure_is_in_a_notebook_and_weighs_little():
    assert len(NAMES) >= 6 and {*stored()} == {*NAMES}
    kit = (NBS/"figures"/"drive.js").stat().st_size
    assert max((NBS/"figures"/f"{name}.js").stat().st_size for name in NAMES) + kit < 20_000


class Still(HTMLParser):
    "The pictures in a piece of HTML: what is said of each"
    def __init__(self, html):
        super().__init__()
        self.said = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag in ("img", "svg"): self.said.append(dict(attrs).get("alt") or dict(attrs).get("aria-label"))


def test_without_a_script_there_is_a_picture_with_words():
    for name, html in stored().items(): assert Still(html).said and all(Still(html).said), name


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    "All figures on one page, beside their scripts"
    folder = tmp_path_factory.mktemp("figures")
    (folder/"figures").symlink_to(NBS/"figures")
    scripts = "".join(f'<script type="module" src="figures/{name}.js"></script>' for name in NAMES)
    head = ('<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
            '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">')
    (folder/"index.html").write_text(head + "".join(stored().values()) + scripts, encoding="utf-8")
    with static_server(folder) as url: yield url.rstrip("/") + "/"


@needs_chromium
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_figures_are_driven_by_keyboard_and_touch_and_kept_in_the_address(browser, address, mode):
    with browser.new_page(color_scheme=mode, has_touch=True, viewport=dict(width=400, height=900)) as tab:
        seen = []
        tab.on("console", lambda m: seen.append(m.text))
        tab.on("pageerror", lambda e: seen.append(str(e)))
        tab.goto(address)
        for name in NAMES:
            box = tab.locator(f"[data-drive={name}]")
            box.locator(".said").wait_for()
            tab.wait_for_function("name => document.querySelector(`[data-drive=${name}] .said`).textContent", arg=name)
            before = box.locator(".said").text_content() + box.inner_html()
            control = box.locator("input[type=range], button").first
            control.focus()
            tab.keyboard.press("Enter" if name == "leak" else "ArrowRight")
            assert box.locator(".said").text_content() + box.inner_html() != before, name
            assert f"{name}." in tab.url, f"{name} keeps its state in the address"
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400
        assert not tab.locator(".drive :is(input, select):not(label *)").count()
        shared = {name: tab.locator(f"[data-drive={name}] .said").text_content() for name in NAMES}
        tab.goto(tab.url)
        for name in NAMES:
            tab.wait_for_function("name => document.querySelector(`[data-drive=${name}] .said`).textContent", arg=name)
        assert {name: tab.locator(f"[data-drive={name}] .said").text_content() for name in NAMES} == shared
        item = tab.locator("[data-drive=leak] button.item[aria-label*='to learn from']").first
        label = item.get_attribute("aria-label")
        item.tap()
        after = tab.locator("[data-drive=leak] button:focus").get_attribute("aria-label")
        assert after.startswith(label.split(", to learn")[0] + ", held out") and seen == []


@needs_chromium
def test_a_picture_is_dragged_with_the_mouse(browser, address):
    with browser.new_page(viewport=dict(width=1000, height=900)) as tab:
        tab.goto(address)
        box = tab.locator("[data-drive=leak]")
        item = box.locator("[data-side=train] button.item").first
        item.scroll_into_view_if_needed()
        label, at = item.get_attribute("aria-label"), item.bounding_box()
        to = box.locator("[data-side=valid]").bounding_box()
        tab.mouse.move(at["x"] + 10, at["y"] + 10)
        tab.mouse.down()
        tab.mouse.move(to["x"] + 40, to["y"] + 40, steps=5)
        tab.mouse.up()
        assert box.locator(f"[data-side=valid] button[aria-label^='{label.split(', to')[0]}, held']").count()
