"""The studio in a real browser, and the words of all our pages: from photos to answers, by hand and by key."""
import base64
import inspect
import io
import re
import zipfile

import pytest
from browser import chromium, complaints, needs_chromium, static_server, watched
from PIL import Image
from test_clean import HOSTILE

from birdornot import web
from birdornot.predict import Classifier
from birdornot.sample import sample_picture
from birdornot.studio import open_studio, write_studio
from birdornot.web import PAGE_FOLDER, WORD_TABLES, WebError, web_runtime

SHOWN_KEY = re.compile(r"\b(?:studio|photos|photo|result|doubt|try|take|lack|advice|undo|answer|page|sure)\.[a-z_]+\b")

# ---- words


@pytest.mark.parametrize("language", sorted(WORD_TABLES))
def test_a_language_has_all_words(language):
    english, table = WORD_TABLES["en"], WORD_TABLES[language]
    assert list(table) == list(english)
    for key, said in english.items():
        assert isinstance(said, str) == isinstance(table[key], str), key
        forms = [[text] if isinstance(text, str) else [*text.values()] for text in (said, table[key])]
        asked, given = ({*re.findall(r"\{\w+\}", " ".join(some))} for some in forms)
        assert asked == given and all(text.strip() for text in forms[1]), key
        if isinstance(said, dict): assert "other" in table[key], key


def test_no_word_is_missing_and_none_is_left_over():
    sources = [f.read_text(encoding="utf-8") for f in PAGE_FOLDER.rglob("*.*") if f.suffix in (".js", ".html", ".py")]
    text, words = "\n".join([*sources, inspect.getsource(web)]), {*WORD_TABLES["en"]}
    named, rooms = {*re.findall(r'"([a-z_]+\.[a-z0-9_]+)"', text)}, {w.split(".")[0] for w in words}
    files = {n for n in named if n.endswith((".js", ".json", ".jsonl", ".bin", ".html", ".css"))}
    begun = tuple(re.findall(r"`([a-z_]+\.[a-z_]*)\$\{", text))  # `answer.${doubt}`
    assert not {n for n in named - files if n.split(".")[0] in rooms} - words
    assert not [w for w in words if w not in named and not w.startswith(begun)]


# ---- the page


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    try: web_runtime()
    except WebError as e: pytest.skip(str(e))  # the npm registry cannot be reached
    return write_studio(tmp_path_factory.mktemp("site")/"studio").parent


@pytest.fixture(scope="module")
def browser():
    with chromium() as b: yield b


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    "Birds and forests, a folder each; a forest among the birds, a copy, and files that cannot be used"
    place = tmp_path_factory.mktemp("photos")
    for kind in ("bird", "forest"):
        (place/kind).mkdir()
        for i in range(12): (place/kind/f"{kind}-{i:02}.jpg").write_bytes(sample_picture(kind, 9_400 + i))
    (place/"bird"/"wrong.jpg").write_bytes(sample_picture("forest", 9_450))
    (place/"forest"/"again.jpg").write_bytes((place/"forest"/"forest-00.jpg").read_bytes())
    for name in ("pixel bomb", "HTML", "truncated JPEG"): (place/"bird"/f"{name}.jpg").write_bytes(HOSTILE[name]())
    (place/"bird"/"<img src=x onerror=alert(1)>.jpg").write_bytes(b"<script>alert(1)</script>")
    return place


def trained(page, times):
    page.wait_for_function("n => Number(document.body.dataset.trained) >= n", arg=times, timeout=60_000)


def classes(page):
    "Name and number of photos of each class, as the cards show them"
    return page.evaluate("""[...document.querySelectorAll(".class")].map(c =>
        [c.querySelector("input.name").value, Number(c.querySelector(".count").textContent.match(/\\d+/)[0])])""")


TRAININGS = """() => {
  const post = Worker.prototype.postMessage;
  window.trainings = [];
  Worker.prototype.postMessage = function(message, ...more) {
    if (message.labels) window.trainings.push(message.labels.length);
    return post.call(this, message, ...more);
  };
}"""


def drop(page, place, *files):
    "Drag files and folders of this computer over an element, and let go"
    box, session = page.locator(place).bounding_box(), page.context.new_cdp_session(page)
    point = dict(x=box["x"] + box["width"]/2, y=box["y"] + box["height"]/2)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", dict(type=kind, **point, data=dict(
            items=[], files=[str(f) for f in files], dragOperationsMask=1)))


def fill(page, folders):
    "Choose a folder for the second class, drop another on the first, and train once"
    page.evaluate(TRAININGS)
    page.locator("input.folder").nth(1).set_input_files(folders/"forest")
    drop(page, ".class:first-child", folders/"bird")
    trained(page, 1)
    page.wait_for_timeout(100)  # longer than a change waits for others
    assert page.evaluate("trainings") == [25]


def show(page, kind, number):
    photo = dict(name=f"{kind}.jpg", mimeType="image/jpeg", buffer=sample_picture(kind, number))
    page.set_input_files("#tried", [photo])
    page.wait_for_selector(f".answer[aria-label^='{kind}.jpg']")
    return page.locator(".answer").first


@needs_chromium
def test_a_visitor_makes_a_classifier(browser, studio, folders, tmp_path):
    with static_server(studio) as url, watched(browser, f"{url}studio/", viewport=dict(width=1200, height=900)) as page:
        page.wait_for_selector("body[data-ready]")
        assert "have no photos yet" in page.inner_text("#judged") and complaints(page) == []
        fill(page, folders)
        assert classes(page) == [["bird", 13], ["forest", 12]]  # the folders named the classes
        refused = page.inner_text("#refused")
        for said in ("megapixels", "no picture that this browser can open", "file is damaged", "in this class already",
                     "<img src=x onerror=alert(1)>"): assert said in refused, said
        assert re.search(r"Of 100 new photos .* between \d+ and \d+ wrong", page.inner_text("#judged"))
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert complaints(page) == []
        put_right_and_undo(page)
        try_photos(page)
        look_live(page)
        take_along(page, tmp_path)
        in_another_language(page)
        come_again(page)
        burst_and_paste(page)
        mark_a_copy(page, folders)
        empty(page)


def put_right_and_undo(page):
    "The label that is probably wrong is put right by one key, and back by another"
    page.wait_for_selector(".doubted")
    assert "Filed as bird, looks like forest" in page.inner_text(".doubted li")
    page.locator(".doubted button.main").first.focus()
    page.keyboard.press("Enter")
    trained(page, 2)
    assert classes(page) == [["bird", 12], ["forest", 13]] and page.locator(".doubted").count() == 0
    assert "wrong.jpg is now forest" in page.inner_text("#undo")
    page.keyboard.press("Control+z")
    trained(page, 3)
    assert classes(page) == [["bird", 13], ["forest", 12]] and page.locator(".doubted").count() == 1


def try_photos(page):
    card = show(page, "forest", 9_460)
    assert card.locator("h3").first.inner_text() == "forest" and card.locator(".near img").count() == 4
    card.locator("button[aria-pressed]").click()
    assert "what speaks for forest" in card.locator("canvas").get_attribute("aria-label")
    assert "forest" in page.inner_text("#spoken")
    page.set_input_files("#tried", [dict(name="no.jpg", mimeType="image/jpeg", buffer=b"<html>")])
    page.wait_for_selector(".answer.refused")


def look_live(page):
    page.click("#live")
    page.wait_for_function("() => Number(document.querySelector('.live').dataset.answers) > 3")
    assert page.locator(".live .what").first.inner_text() in ("bird", "forest", "Not sure")
    page.click("#live")
    assert page.locator("video").count() == 0


def take_along(page, place):
    "What is downloaded is a model that answers in Python, its page, and the photos"
    for kind in ("model", "page", "photos"):
        with page.expect_download() as download: page.click(f"#take-{kind}")
        assert download.value.suggested_filename == f"bird_or_forest_{kind}.zip"
        download.value.save_as(place/f"{kind}.zip")
    assert Classifier(place/"model.zip")(sample_picture("forest", 9_460)).label == "forest"
    names = {kind: zipfile.ZipFile(place/f"{kind}.zip").namelist() for kind in ("model", "page", "photos")}
    assert "bird_or_forest/reference.safetensors" in names["model"]  # what later photos are compared with
    ours = "index.html", "page.json", "model.onnx", "words/de.json"
    assert {f"bird_or_forest/{f}" for f in ours} < {*names["page"]}
    assert len(names["photos"]) == 26 and "bird_or_forest/bird/wrong.jpg" in names["photos"]


def in_another_language(page):
    page.select_option("#language", "de")
    page.wait_for_function("() => document.documentElement.lang == 'de'")
    assert page.inner_text("#add") == WORD_TABLES["de"]["photos.add"]
    assert WORD_TABLES["de"]["advice.title"] in page.inner_text("#judged")
    assert not SHOWN_KEY.findall(page.inner_text("body")) and complaints(page) == []


def come_again(page):
    "The project and the language are there after a reload, without a network as well"
    page.wait_for_selector("body[data-offline]")
    page.context.set_offline(True)
    page.reload()
    trained(page, 1)
    assert classes(page) == [["bird", 13], ["forest", 12]] and page.evaluate("document.documentElement.lang") == "de"
    page.context.set_offline(False)


PASTE = """([id, b64]) => {
  const data = new DataTransfer(), bytes = Uint8Array.from(atob(b64), c => c.charCodeAt(0));
  data.items.add(new File([bytes], "pasted.jpg", {type: "image/jpeg"}));
  document.querySelectorAll(".class")[id].querySelector("input.name").focus();
  dispatchEvent(new ClipboardEvent("paste", {clipboardData: data}));
}"""


def burst_and_paste(page):
    "The camera takes photos while its button is held; what is pasted goes into the class that has the focus"
    page.locator(".class").nth(1).locator("button:not(.icon)").nth(2).click()
    page.wait_for_function("() => document.querySelector('#booth video')?.videoWidth")
    page.locator("#booth button.main").hover()
    page.mouse.down()
    page.wait_for_function("() => /[2-9]/.test(document.querySelector('#booth .count').textContent)")
    page.mouse.up()
    page.locator("#booth button").last.click()
    page.wait_for_function("() => document.querySelectorAll('.class .count')[1].textContent.match(/\\d+/)[0] > 13")
    page.evaluate(PASTE, [0, base64.b64encode(sample_picture("bird", 9_470)).decode()])
    page.wait_for_function("() => document.querySelectorAll('.class .count')[0].textContent.startsWith('14 ')")
    assert page.evaluate("document.querySelector('#booth video').srcObject === null")


def mark_a_copy(page, folders):
    "A smaller copy of a photo is marked, and counts once; frames of the camera, in the other class, may be copies, too"
    card = page.locator(".class").first
    assert card.locator("li.copy").count() == 0
    with Image.open(folders/"bird"/"bird-01.jpg") as im: im.resize((300, 200)).save(out := io.BytesIO(), "JPEG")
    photo = dict(name="small.jpg", mimeType="image/jpeg", buffer=out.getvalue())
    card.locator("input[type=file]").first.set_input_files([photo])
    card.locator("li.copy button[aria-label='small.jpg, hat eine Kopie']").wait_for()
    assert "1 davon ist eine Kopie" in card.locator(".count").inner_text() and card.locator("li.copy").count() == 2


def empty(page):
    page.click("#empty")
    page.locator("#sure button").last.click()
    page.wait_for_function("() => document.querySelectorAll('.strip li').length == 0")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert [name for name, _ in classes(page)] == ["", ""]


SEND = """async () => {
  const {startWorker} = await import("./studio/workers.js"), blocked = [];
  const worker = startWorker("./send.js"), said = new Promise(done => { worker.onmessage = e => done(e.data); });
  addEventListener("securitypolicyviolation", e => blocked.push(e.effectiveDirective));
  const page = fetch("http://127.0.0.1:9/").then(() => "sent", () => "refused");
  return [await page, await said, blocked];
}"""
SENDS = """fetch("http://127.0.0.1:9/").catch(() => {});
addEventListener("securitypolicyviolation", e => postMessage(e.effectiveDirective));
"""


@needs_chromium
def test_neither_page_nor_worker_can_send_anything_away(browser, studio):
    (studio/"studio"/"studio"/"send.js").write_text(SENDS)
    context = browser.new_context(service_workers="block")  # which would refuse it, too
    with static_server(studio) as url:
        page = context.new_page()
        page.goto(f"{url}studio/")
        page.wait_for_selector("body[data-ready]")
        assert page.evaluate(SEND) == ["refused", "connect-src", ["connect-src"]]
    context.close()


@needs_chromium
def test_on_this_computer_it_works_under_the_policy_of_the_server(browser, capsys):
    def look():
        with watched(browser, capsys.readouterr().out.strip().splitlines()[-1]) as page:
            page.wait_for_selector("body[data-ready]")
            photo = dict(name="a.jpg", mimeType="image/jpeg", buffer=sample_picture("bird", 9_400))
            page.locator(".class input[type=file]").first.set_input_files([photo])
            page.wait_for_selector(".strip li")
            assert page.evaluate("document.body.dataset.offline") is None  # the address is another each time
    open_studio(0, browser=False, wait=look)


@needs_chromium
@pytest.mark.parametrize("missing", ["OffscreenCanvas", "Worker", "WebAssembly"])
def test_a_browser_that_lacks_something_is_told_which_has_it(browser, studio, missing):
    with static_server(studio) as url:
        page = browser.new_page()
        page.add_init_script(f"delete globalThis.{missing}")
        page.goto(f"{url}studio/")
        page.wait_for_selector("#reading.failed")
        assert "Chrome and Edge from version" in page.inner_text("#status")
        page.close()


@needs_chromium
def test_on_a_phone_nothing_is_cut_off_or_too_small(browser, studio):
    phone = dict(viewport=dict(width=360, height=740), has_touch=True, is_mobile=True, color_scheme="dark")
    with static_server(studio) as url, watched(browser, f"{url}studio/", **phone) as page:
        page.wait_for_selector("body[data-ready]")
        for language in WORD_TABLES:
            page.select_option("#language", language)
            page.wait_for_function("l => document.documentElement.lang == l", arg=language)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), language
        small = page.evaluate("""[...document.querySelectorAll("button, select, nav a, input.name")]
          .filter(e => e.offsetParent).filter(e => e.getBoundingClientRect().height < 43.9).map(e => e.outerHTML)""")
        assert small == [] and complaints(page) == []
