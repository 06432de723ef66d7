"""The static page in a real browser: the same answers as Python, from one folder, with nobody else asked."""
import base64
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from browser import PHONE, assert_fits_phone, complaints, drawn_model, needs_chromium, static_server, watched
from PIL import Image, ImageCms

from birdornot.drawing import draw
from birdornot.picture import open_upright
from birdornot.predict import WORDS, Classifier
from birdornot.sample import sample_picture
from birdornot.web import WebError, web_runtime, write_page

pytestmark = needs_chromium
PHOTOS = sorted((Path(__file__).parents[2]/"shared"/"photos").rglob("*.jpg"))
POINT = .01  # of probability: what browser and Python may differ by


def saved(im, kind, **kwargs):
    im.save(out := io.BytesIO(), kind, **kwargs)
    return out.getvalue()


def odd_ones():
    "Name → file of one picture in all the ways that go wrong"
    im = draw("bird", 9_100).convert("RGB")
    im.thumbnail((700, 700))
    grey, faint = im.convert("L"), im.convert("RGBA")
    faint.putalpha(Image.linear_gradient("L").resize(im.size))
    turned = {}
    for n in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = n
        turned[f"EXIF {n}"] = saved(im, "JPEG", exif=exif)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = np.random.default_rng(0).normal(0, 6, (1700, 2300, 3))
    large = Image.fromarray((np.asarray(im.resize((2300, 1700))) + noise).clip(0, 255).astype("uint8"))
    return turned | {
        "CMYK": saved(im.convert("CMYK"), "JPEG"), "grey JPEG": saved(grey, "JPEG"), "grey PNG": saved(grey, "PNG"),
        "16 bit": saved(Image.fromarray(np.asarray(grey).astype("uint16")*257), "PNG"),
        "palette": saved(im.quantize(), "PNG"),
        "alpha PNG": saved(faint, "PNG"), "alpha WebP": saved(faint, "WEBP"), "1 bit": saved(im.convert("1"), "PNG"),
        "GIF": saved(im, "GIF"), "BMP": saved(im, "BMP"), "AVIF": saved(im, "AVIF"),
        "4:4:4": saved(im, "JPEG", subsampling=0),
        "progressive": saved(im, "JPEG", progressive=True), "quality 20": saved(im, "JPEG", quality=20),
        "profile": saved(im, "JPEG", icc_profile=profile), "4 megapixels": saved(large, "JPEG"),
        "4 megapixels PNG": saved(large, "PNG", compress_level=1), "tiny": saved(im.resize((40, 30)), "PNG"),
        "long": saved(im.resize((1700, 60)), "JPEG")}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return drawn_model(tmp_path_factory.mktemp("made")/"bird_or_forest", n=20)


@pytest.fixture(scope="module")
def site(model, tmp_path_factory):
    try: web_runtime()
    except WebError as e: pytest.skip(str(e))  # the npm registry cannot be reached
    return write_page(model, tmp_path_factory.mktemp("page")/"site")


@pytest.fixture(scope="module")
def visit(browser, site):
    with static_server(site) as url, watched(browser, url) as page:
        page.wait_for_selector("body[data-ready]")
        yield page


@pytest.fixture
def page(visit):
    "The page without answers of earlier tests"
    visit.evaluate("document.getElementById('answers').replaceChildren(), "
                   "document.activeElement.blur(), scrollTo(0, 0)")
    return visit


ASK = """async () => {
  const {Classifier} = await import("./classifier.js");
  globalThis.asked ??= await Classifier.load();
  const file = await (await fetch("asked", {cache: "no-store"})).blob();
  const {picture, probabilities} = await asked.classify(new Blob([file]));
  return {size: [picture.width, picture.height], rgb: btoa(String.fromCharCode(...picture.data.slice(0, 60000))),
          probabilities: Object.fromEntries(probabilities)};
}"""


@pytest.fixture(scope="module")
def ask(visit, site):
    "Function that has the browser answer a picture, which it fetches: as text in a script 8 MB take three seconds"
    def _ask(data):
        (site/"asked").write_bytes(data)
        try: return visit.evaluate(ASK)
        finally: (site/"asked").unlink()
    return _ask


def worst(ask, clf, data):
    "Largest difference of a probability between the browser and Python"
    theirs, ours = ask(data)["probabilities"], clf(data).probabilities
    assert set(theirs) == set(ours) and abs(sum(theirs.values()) - 1) < 1e-5
    return max(abs(theirs[k] - ours[k]) for k in ours)


def test_answers_of_the_browser_are_those_of_python(ask, model):
    clf = Classifier(model)
    drawings = sorted((model.parent/"originals").rglob("*.jpg"))[::3]
    found = {f.name: worst(ask, clf, f.read_bytes()) for f in drawings + PHOTOS[::4]}
    assert len(found) >= 12 and max(found.values()) < POINT, found


WHY = """async b64 => {
  const {openUpright} = await import("./reader.js");
  const bytes = b64 === null ? new Uint8Array(100e6 + 1) : Uint8Array.from(atob(b64), c => c.charCodeAt(0));
  try { await openUpright(new Blob([bytes]), 400); return ""; } catch (e) { return e.message; }
}"""


def test_the_page_says_in_a_sentence_what_it_cannot_open(page):
    im = draw("bird", 9_100).convert("RGB")
    files = {"it is a TIFF, which this browser cannot open; save it as JPEG or PNG": saved(im, "TIFF"),
             "it is an HEIC photo, which": b"\0\0\0\x18ftypheic" + bytes(99), "it is a video": b"\0\0\0\x18ftypmp42",
             "it is a PDF": b"%PDF-1.7", "the file is damaged, or too large for this browser": saved(im, "JPEG")[:200],
             "it is no picture that this browser can open; save it as JPEG or PNG": b"<html>",
             "larger than 100 MB, the limit of this page; save it smaller": None}
    for why, data in files.items():
        assert why in page.evaluate(WHY, data and base64.b64encode(data).decode()), why
    for name in ("a.jfif", "b.jpe"):
        page.set_input_files("#file", [dict(name=name, mimeType="", buffer=saved(im, "JPEG"))])
        page.wait_for_selector(f'article[aria-label^="{name}: "]')
        assert "refused" not in page.get_attribute(f'article[aria-label^="{name}: "]', "class")
    accepted = page.get_attribute("#file", "accept").split(",")
    assert {"image/*", ".jfif", ".jpe", ".tif", ".tiff"} <= set(accepted)


def test_odd_pictures_are_answered_as_in_python(ask, model):
    clf = Classifier(model)
    found = {name: worst(ask, clf, data) for name, data in odd_ones().items()}
    assert max(found.values()) < POINT, found


def test_pixels_are_those_of_pillow(ask):
    "Not only near: the same bytes, where the browser decodes as Pillow does"
    for data in (sample_picture("bird", 9_300), saved(draw("forest", 9_300).convert("L"), "PNG")):
        ours, got = open_upright(data, 400), ask(data)
        assert got["size"] == list(ours.size) and base64.b64decode(got["rgb"]) == ours.tobytes()[:60_000]


def test_a_visitor_chooses_photos(page):
    page.set_input_files("#file", [dict(name=f"{k}.jpg", mimeType="image/jpeg", buffer=sample_picture(k, 9_001))
                                   for k in ("bird", "forest")])
    page.wait_for_selector("article >> nth=1")
    assert page.locator("article h2").all_inner_texts() == ["Bird", "Forest"]  # in the order given
    page.wait_for_function("() => document.getElementById('spoken').textContent == '2 photos: 1 × bird, 1 × forest'")
    assert page.locator("article >> nth=0").locator("li").count() == 2


DROP = """([b64, kind]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(b64), c => c.charCodeAt(0))], "dropped.jpg", {type: "image/jpeg"}));
  dispatchEvent(kind === "drop" ? new DragEvent("drop", {dataTransfer: data})
                                 : new ClipboardEvent("paste", {clipboardData: data}));
}"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_visitor_drops_or_pastes(page, kind):
    page.evaluate(DROP, [base64.b64encode(sample_picture("bird", 9_001)).decode(), kind])
    page.wait_for_selector("article h2:text('Bird')")


def test_a_visitor_uses_the_camera(page):
    page.click("#camera")
    page.evaluate("new Promise(done => { const v = document.querySelector('video'); "
                  "v.onplaying = done; if (v.videoWidth) done(); })")
    page.click("#shoot")
    page.wait_for_selector("article")
    assert page.evaluate("document.querySelector('video').srcObject === null && !document.querySelector('dialog').open")


def test_what_is_no_picture_is_refused_with_a_reason(page):
    for name, data in (("notes.jpg", b"milk, bread"), ("page.png", b"<html>"),
                       ("cut.png", saved(draw("bird", 1), "PNG")[:3000])):
        page.set_input_files("#file", [dict(name=name, mimeType="image/jpeg", buffer=data)])
        page.wait_for_selector(f"article.refused:has-text('{name}')")
    assert page.locator("article.refused :is(button, select, .bars, canvas)").count() == 0  # nothing but the reason
    page.set_input_files("#file", [dict(name="after.jpg", mimeType="image/jpeg", buffer=sample_picture("bird", 9_001))])
    page.wait_for_selector("article.sure")


def test_by_keyboard_alone(browser, site):
    with static_server(site) as url, watched(browser, url) as page:
        page.wait_for_selector("body[data-ready]")
        def tab():
            page.keyboard.press("Tab")
            return page.evaluate("document.activeElement.id || document.activeElement.querySelector('img')?.alt")
        assert tab() == "file"
        ring = page.evaluate("getComputedStyle(document.getElementById('drop')).outlineStyle")
        assert ring == "solid"  # the hidden field shows its focus on the field one sees
        assert [tab(), tab(), tab()] == ["camera", "whole", "Drawing: bird"]
        page.keyboard.press("Enter")
        page.wait_for_selector("article h2:text('Bird')")
        assert tab() == "Drawing: forest"


def test_screen_readers_get_names(page):
    page.set_input_files("#file", [dict(name="a.jpg", mimeType="image/jpeg", buffer=sample_picture("bird", 9_001))])
    page.wait_for_selector("article")
    nameless = page.evaluate("""
      [...document.querySelectorAll("button, input, img, canvas, main a, dialog, video, progress")].filter(e =>
      !(e.textContent.trim() || e.labels?.length || e.getAttribute("aria-label")
        || e.hasAttribute("alt") || e.querySelector("img[alt]")))
      .map(e => e.outerHTML)""")
    assert nameless == []
    assert page.evaluate("document.documentElement.lang") == "en" and page.locator("h1").count() == 1
    assert page.locator("canvas[role=img]").get_attribute("aria-label") == "Your photo a.jpg"


@pytest.fixture(scope="module")
def phone(browser, site):
    "The page on a phone, with an answer on it"
    with static_server(site) as url, watched(browser, url, **PHONE) as page:
        page.wait_for_selector("body[data-ready]")
        page.locator("#examples button").first.click()
        page.wait_for_selector("article")
        yield page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_in_light_and_dark(phone, scheme): assert_fits_phone(phone, scheme)


def relabel(site, dest, **facts):
    "A copy of the page that describes its model in another way"
    shutil.copytree(site, dest)
    (dest/"page.json").write_text(json.dumps(json.loads((dest/"page.json").read_text()) | facts))
    return dest


def test_unsure_is_an_answer(browser, site, tmp_path):
    doubtful = relabel(site, tmp_path/"doubtful", unsure=dict(min_confidence=.9999999, max_novelty=None), temperature=3)
    with static_server(doubtful) as url, watched(browser, url) as page:
        page.locator("#examples button").first.click()
        page.wait_for_selector("article.unsure h2:text('Unsure')")
        assert page.locator("article .why").inner_text() == WORDS["close"].capitalize() + "."
        assert "Unsure" in page.locator("#spoken").inner_text()


def test_a_visitor_chooses_how_often_it_is_unsure(browser, site, tmp_path):
    "Along the curve of its exam; the answers on the page follow, and so does their count"
    points = [dict(unsure=u, min_confidence=c, error=e, low=0, high=e*2)
              for u, c, e in ((0, 0, .1), (.2, .8, .05), (.5, .99999999, .01))]
    facts = dict(error=json.loads((site/"page.json").read_text())["error"] | dict(coverage=1), temperature=3)
    dest = relabel(site, tmp_path/"curve", curve={"": points}, unsure=dict(min_confidence=0), **facts)
    with static_server(dest) as url, watched(browser, url) as page:
        page.locator("#examples button").first.click()
        page.wait_for_selector("article.sure")
        slider, said = page.get_by_label("How often may it be unsure?"), page.locator("#silence output")
        assert (slider.input_value(), "10" in said.inner_text()) == ("0", True)
        slider.fill("2")
        page.wait_for_selector("article.unsure h2:text('Unsure')")
        assert "50" in said.inner_text() and page.locator("article").count() == 1
        slider.fill("0")
        page.wait_for_selector("article.sure .bars")
        assert page.locator("article .why").count() == 0 and complaints(page) == []


def test_a_model_of_drawings_says_so_of_a_photo(page, model):
    "And what it says is what Python says, in the same words, with the same numbers; no probability beside it"
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype="uint8")
    im = Image.fromarray(noise)
    said = Classifier(model)(saved(im, "PNG"))
    assert said.doubt == "drawn" and WORDS["drawn"] in str(said)
    assert page.locator("#note").inner_text() == WORDS["only_drawn"]
    page.set_input_files("#file", [dict(name="photo.png", mimeType="image/png", buffer=saved(im, "PNG"))])
    card = page.locator("article.unsure")
    card.wait_for()
    assert card.locator(".why").inner_text() == WORDS["drawn"].capitalize() + "."
    shown = [float(text.split()[-1]) for text in card.locator(".bars li").all_inner_texts()]
    assert np.abs(np.array(shown) - [said.novelty, said.limit, 1]).max() < .011 and "%" not in card.inner_text()
    assert complaints(page) == []


RULES = """async cases => {
  const {Classifier} = await import("./classifier.js");
  return cases.map(([info, logits, novelty]) => Object.assign(new Classifier(), {info}).answer(logits, novelty));
}"""


def test_rules_of_the_answer(page):
    base = dict(labels=["bird", "forest"], temperature=2.0)
    both = dict(base, multilabel=True)
    strange = dict(base, unsure=dict(min_confidence=.6, max_novelty=1.5))
    cases = [[base, [2, 0], None], [both, [2, 4], None], [both, [-3, -2], None],
             [strange, [9, 0], 1.4], [strange, [9, 0], 1.6],
             [strange, [.1, 0], 0]]
    torn = dict(both, unsure=dict(min_confidence=.6))  # of several labels, the least sure one decides
    cases += [[torn, [9, .1], None], [torn, [-9, -8], None]]
    got = page.evaluate(RULES, cases)
    assert [g["labels"] for g in got[:3]] == [["bird"], ["bird", "forest"], []]
    assert abs(got[0]["probabilities"][0][1] - 1/(1 + np.exp(-1))) < 1e-6
    assert abs(got[1]["probabilities"][0][1] - 1/(1 + np.exp(-2))) < 1e-6
    assert [g["doubt"] for g in got] == ["", "", "", "", "novel", "close", "close", ""]
    drawn = page.evaluate(RULES, [[dict(strange, drawn=True), [9, 0], 1.6], [dict(strange, drawn=True), [.1, 0], 0]])
    assert [g["doubt"] for g in drawn] == ["drawn", "close"] and drawn[0]["limit"] == 1.5


@pytest.mark.parametrize("harm, says",
                         [("gone", "model.onnx is missing (404)"), ("cut", "not the file that was exported")])
def test_a_damaged_page_says_so(tab, site, tmp_path, harm, says):
    broken = shutil.copytree(site, tmp_path/"broken")
    if harm == "gone": (broken/"model.onnx").unlink()
    if harm == "cut": (broken/"model.onnx").write_bytes((broken/"model.onnx").read_bytes()[:-1000])
    with static_server(broken) as url:
        tab.goto(url)
        tab.wait_for_selector("#loading.failed")
        assert says in tab.locator("#status").inner_text()


def test_a_page_opened_as_a_file_says_what_helps(tab, site):
    tab.goto((site/"index.html").as_uri())
    assert "python -m http.server" in tab.locator("#status").inner_text()


def test_the_policy_lets_nothing_out(tab, site):
    "Even a mistake of ours could not send a photo away"
    with static_server(site) as url: out = _try_to_send(tab, url)
    assert out == [["TypeError", "refused"], ["connect-src", "img-src"]]


def _try_to_send(tab, url):
    tab.goto(url)
    return tab.evaluate("""async () => {
      const tried = [fetch("http://127.0.0.1:9/").then(() => "sent", e => e.name)];
      const img = new Image();
      tried.push(new Promise(done => { img.onload = () => done("sent"); img.onerror = () => done("refused"); }));
      img.src = "http://127.0.0.1:9/x.png";
      const blocked = [];
      addEventListener("securitypolicyviolation", e => blocked.push(e.effectiveDirective));
      const said = await Promise.all(tried);
      await new Promise(done => setTimeout(done, 100));
      return [said, blocked.sort()];
    }""")


def test_a_wheel_brings_the_page(tmp_path, package_source):
    done = subprocess.run([sys.executable, "setup.py", "-q", "build_py",
                           "-d", str(tmp_path/"built"), "sdist", "-d", str(tmp_path)],
                          cwd=package_source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    def files(folder): return {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}
    page = files(Path(__file__).parents[1]/"birdornot"/"page")
    assert files(tmp_path/"built"/"birdornot"/"page") == page
    with tarfile.open(next(tmp_path.glob("birdornot*.tar.gz"))) as tar:
        inside = [m.name.split("/birdornot/page/")[1] for m in tar if m.isfile() and "/birdornot/page/" in m.name]
        assert {*inside} == page
