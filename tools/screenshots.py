"""Take the pictures of pages that the docs show, of what `demo` made: `python tools/screenshots.py demo/model`;
without a model, those of the studio alone."""
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/"tests"))
from browser import chromium, static_server  # noqa: E402

DESKTOP, PHONE = dict(viewport=dict(width=1040, height=760)), dict(viewport=dict(width=390, height=900))
BIRD = 5_013  # a drawing that shows well


def shoot(page, name, whole=False):
    "Keep what the page shows as a small JPEG"
    im = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    im.thumbnail((880, 1000), Image.Resampling.LANCZOS)
    for quality in range(88, 40, -4):
        im.save(out := io.BytesIO(), "JPEG", quality=quality, optimize=True)
        if out.tell() <= 60_000: break
    (ROOT/"nbs"/"images"/name).write_bytes(out.getvalue())


def photo():
    from birdornot.sample import sample_picture
    return dict(name="garden.jpg", mimeType="image/jpeg", buffer=sample_picture("bird", BIRD))


def shoot_app(browser, model):
    from birdornot.app import AppServer
    with AppServer(model, Path(model).resolve().parent) as server:
        for name, size, scheme in (("app.jpg", DESKTOP, "light"), ("app-phone.jpg", PHONE, "dark")):
            page = browser.new_page(color_scheme=scheme, **size)
            page.goto(server.url)
            page.wait_for_selector("body[data-ready]")
            page.set_input_files("#file", [photo()])
            page.wait_for_selector("article")
            page.wait_for_timeout(500)
            shoot(page, name, whole=size is DESKTOP)


def shoot_web(browser, model, folder):
    from birdornot.web import write_page
    with static_server(write_page(model, folder)) as url:
        for name, size, scheme in (("web.jpg", DESKTOP, "light"),
                                   ("web-dark.jpg", DESKTOP, "dark"), ("web-phone.jpg", PHONE, "light")):
            page = browser.new_page(color_scheme=scheme, **size)
            page.goto(url)
            page.wait_for_selector("body[data-ready]")
            page.locator("#examples button").last.click()
            page.wait_for_selector("article")
            page.set_input_files("#file", [photo()])
            page.wait_for_selector("article >> nth=1")
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(500)
            shoot(page, name, whole=size is DESKTOP)


def shoot_review(browser, dataset):
    from birdornot.review import ReviewServer
    with ReviewServer(dataset) as server:
        page = browser.new_page(color_scheme="light", **DESKTOP)
        page.goto(server.url)
        page.locator("main img").first.click()
        page.wait_for_selector("dialog .near img")
        page.wait_for_timeout(500)
        shoot(page, "review.jpg")


def shoot_report(browser, dataset):
    page = browser.new_page(color_scheme="light", **DESKTOP)
    page.goto((dataset/"report.html").resolve().as_uri())
    shoot(page, "report.jpg")


def drawings(folder):
    "Two folders of drawn photos, one of them in the wrong one"
    from birdornot.sample import sample_picture
    for kind in ("bird", "forest"):
        (folder/kind).mkdir(parents=True)
        for i in range(24): (folder/kind/f"{kind}-{i:02}.jpg").write_bytes(sample_picture(kind, 31_000 + i))
    (folder/"bird"/"IMG_2041.jpg").write_bytes(sample_picture("forest", 31_100))
    return [folder/kind for kind in ("bird", "forest")]


def shoot_studio(browser, site, photos):
    "Empty, filling, trained, live; on a desk and in a hand; by day and by night"
    from birdornot.sample import sample_picture
    thing = dict(name="lighthouse.jpg", mimeType="image/jpeg", buffer=sample_picture("thing", 31_200))
    wide = dict(viewport=dict(width=1240, height=900))
    with static_server(site) as url:
        for name, size, scheme in (("studio", wide, "light"), ("studio-dark", wide, "dark"),
                                   ("studio-phone", PHONE, "light")):
            context = browser.new_context(color_scheme=scheme, **size)
            page = context.new_page()
            page.goto(url)
            page.wait_for_selector("body[data-ready]")
            if name == "studio": shoot(page, "studio-empty.jpg")
            for i, folder in enumerate(photos): page.locator("input.folder").nth(i).set_input_files(folder)
            page.wait_for_function("() => document.querySelectorAll('.strip li').length > 12")
            if name == "studio": shoot(page, "studio-filling.jpg")
            page.wait_for_function("() => document.body.dataset.trained > 0", timeout=60_000)
            page.wait_for_timeout(500)
            page.evaluate("scrollTo(0, 0)")
            if name == "studio": shoot(page, "studio.jpg")
            page.set_input_files("#tried", [thing])
            page.wait_for_selector(".answer")
            page.click("#live")
            page.wait_for_function("() => document.querySelector('.live').dataset.answers > 2")
            page.evaluate(f"document.querySelector('{'#result' if size is PHONE else '#try'}').scrollIntoView()")
            page.wait_for_timeout(400)
            if name != "studio": shoot(page, f"{name}.jpg")
            context.close()


if __name__ == "__main__":
    with chromium() as browser, tempfile.TemporaryDirectory() as d:
        from birdornot.studio import write_studio
        shoot_studio(browser, write_studio(Path(d)/"studio"), drawings(Path(d)/"drawn"))
        if len(sys.argv) < 2: sys.exit()
        shoot_web(browser, sys.argv[1], Path(d)/"page")
        shoot_app(browser, sys.argv[1])
        shoot_review(browser, Path(sys.argv[1]).resolve().parent)
        shoot_report(browser, Path(sys.argv[1]).resolve().parent)
