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
from browser import chromium, needs_chromium

NBS = Path(__file__).parents[1]/"nbs"


def test_nbconvert_makes_the_slides():
    from nbconvert import SlidesExporter
    page, _ = SlidesExporter().from_filename(NBS/"tutorials"/"04_slides.ipynb")
    slides = re.findall(r"<section>\s*<section.*?<h2[^>]*>(.*?)<a", page, flags=re.S)
    assert len(slides) == 9 and slides[0] == "Is it a bird?" and slides[-1] == "Your turn"
    assert page.count('<aside class="notes">') == 9
    assert "import subprocess" not in page
    cells = json.loads((NBS/"tutorials"/"04_slides.ipynb").read_text(encoding="utf-8"))["cells"]
    assert all("slideshow" in c["metadata"] for c in cells)


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
