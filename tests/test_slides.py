"""The tutorial that is also a slide show, as nbconvert and JupyterLab with RISE make it."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from browser import chromium, complaints, needs_chromium, static_server

ROOT = Path(__file__).parents[1]
NBS = ROOT/"nbs"
sys.path.insert(0, str(ROOT/"tools"))
from deck import write_deck  # noqa: E402


def test_nbconvert_makes_the_slides():
    from nbconvert import SlidesExporter
    page, _ = SlidesExporter().from_filename(NBS/"tutorials"/"04_slides.ipynb")
    slides = re.findall(r"<section>\s*<section.*?<h2[^>]*>(.*?)<a", page, flags=re.S)
    assert len(slides) == 9 and slides[0] == "Is it a bird?" and slides[-1] == "Your turn"
    assert page.count('<aside class="notes">') == 9
    assert "import subprocess" not in page
    cells = json.loads((NBS/"tutorials"/"04_slides.ipynb").read_text(encoding="utf-8"))["cells"]
    assert all("slideshow" in c["metadata"] for c in cells)


@needs_chromium
def test_the_deck_of_the_site(tmp_path):
    "It opens with a start button, turns with keys and buttons, shows no code, and its photos reach the screen's edges"
    (tmp_path/"images").mkdir()
    shutil.copy(NBS/"images"/"logo.svg", tmp_path/"images")
    write_deck(tmp_path)
    page = (tmp_path/"slides"/"index.html").read_text(encoding="utf-8")
    assert page.count('class="slide"') == 9 and not re.search(r"#\||In ?\[|draw\(|import ", page)
    with static_server(tmp_path) as url, chromium() as browser:
        tab = browser.new_page(viewport=dict(width=1440, height=900))
        tab.goto(f"{url}slides/index.html")
        here = "[...document.querySelectorAll('.slide')].findIndex(s => !s.inert)"
        assert complaints(tab) == [] and not tab.locator("nav").is_visible()
        tab.locator("#start").click()
        tab.wait_for_function(f"{here} === 1")
        edges = tab.evaluate("""() => [...document.querySelectorAll(".slide:not([inert]) .photos img")].map(i => {
            const b = i.getBoundingClientRect(); return [b.left, b.right, b.bottom]; })""")
        assert len(edges) == 5 and edges[0][0] == 0 and edges[-1][1] == 1440 and edges[0][2] == 900
        tab.emulate_media(color_scheme="dark")
        assert complaints(tab) == []
        tab.keyboard.press("s")
        assert tab.locator(".slide:not([inert]) .notes").is_visible()
        tab.keyboard.press("ArrowRight")
        tab.wait_for_function(f"{here} === 2 && location.hash === '#2'")
        tab.keyboard.press("End")
        tab.wait_for_function(f"{here} === 9")
        tab.locator("#back").click()
        tab.wait_for_function(f"{here} === 8")
        tab.goto(f"{url}slides/index.html#3")
        tab.reload()
        tab.wait_for_function(f"{here} === 3")
        assert tab.locator(".slide:not([inert]) svg").is_visible()


@pytest.fixture
def lab(tmp_path):
    "JupyterLab on a copy of the tutorial; its address"
    pytest.importorskip("jupyterlab_rise")
    shutil.copy(NBS/"tutorials"/"04_slides.ipynb", tmp_path)
    own = os.environ | {"JUPYTER_CONFIG_DIR": str(tmp_path/"config"), "JUPYTER_DATA_DIR": str(tmp_path/"data")}
    # JupyterLab shows no drawing in an untrusted notebook
    trust = [sys.executable, "-m", "jupyter", "trust", "04_slides.ipynb"]
    subprocess.run(trust, cwd=tmp_path, env=own, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--no-browser", "--allow-root", f"--port={port}",
             "--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}"]
    server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *words],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=own)
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1)
                break
            except OSError: time.sleep(.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.mark.slow
@needs_chromium
def test_rise_shows_the_slides_offline(lab):
    with chromium() as browser:
        tab = browser.new_page()
        tab.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())
        tab.goto(f"{lab}/rise/04_slides.ipynb")
        tab.wait_for_selector(".reveal .slides section.present h2:has-text('Is it a bird?')", timeout=60_000)
        assert tab.locator(".reveal .slides > section").count() == 9
        for _ in range(2): tab.keyboard.press("ArrowRight")
        tab.wait_for_selector("section.present h2:has-text('Samuel')")
        tab.wait_for_selector("section.present :is(img, svg)")
