"""The page that `serve` shows, in a real browser: answers, corrections, reasons, and what it must not do."""
import base64
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.request

import numpy as np
import pytest
import tinymodel
from browser import PHONE, assert_fits_phone, complaints, needs_chromium, watched
from PIL import Image
from test_clean import HOSTILE

from birdornot import picture
from birdornot.app import AppServer, save_feedback, serve
from birdornot.core import DatasetError
from birdornot.download import download_images
from birdornot.ledger import Ledger
from birdornot.picture import BadPicture, SafeReader
from birdornot.predict import WORDS
from birdornot.search import search_images
from birdornot.server import ServerError


def photo(kind, seed=0):
    "A noisy picture of one of the two colours that the tiny model tells apart"
    noise = np.random.default_rng(seed).integers(0, 60, (80, 120, 3))
    im = Image.fromarray((noise + dict(sunset=(180, 90, 10), sea=(10, 90, 180))[kind]).astype("uint8"))
    im.save(out := io.BytesIO(), "JPEG")
    return out.getvalue()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    "A dataset with a model in it, both as small as can be"
    folder = tmp_path_factory.mktemp("made")
    for kind in ("sunset", "sea"):
        (folder/"src"/kind).mkdir(parents=True)
        (folder/"src"/kind/"0.jpg").write_bytes(photo(kind))
        download_images(folder/"set", search_images(kind, source="folder", folder=folder/"src"), progress=False)
    tinymodel.folder(folder/"set"/"model", papers={"MODEL_CARD.md": "# sunset or sea?\n"})
    return folder/"set"


@pytest.fixture(scope="module")
def server(dataset):
    with AppServer(dataset/"model", dataset) as server: yield server


@pytest.fixture
def page(browser, server):
    with watched(browser, server.url, viewport=dict(width=1000, height=900)) as page:
        page.wait_for_selector("body[data-ready]")
        yield page


def show(page, data, name="photo.jpg"):
    "Choose a file as a visitor does; its answer, the newest on the page"
    n = page.locator("article").count()
    page.set_input_files("#file", [dict(name=name, mimeType="image/jpeg", buffer=data)])
    page.wait_for_function("n => document.querySelectorAll('article').length > n", arg=n)
    return page.locator("article").first


def feedback(dataset):
    with Ledger(dataset) as ledger: return ledger.rows(source="feedback")


@needs_chromium
def test_a_photo_is_answered_here_and_says_so(page):
    card = show(page, photo("sunset"))
    assert card.locator("h2").inner_text() == "Sunset" and card.locator(".bars li").count() == 2
    assert card.locator("canvas").evaluate("c => [c.width, c.height]") == [120, 80]
    assert page.locator("#spoken").inner_text().startswith("photo.jpg: Sunset.")
    assert "on this computer" in page.locator(".lead").inner_text()
    assert "birdornot serve" in page.locator("footer").text_content()
    assert page.title() == "Sunset or sea?"


@needs_chromium
def test_hostile_files_are_refused_and_the_next_is_answered(tab, server):
    "The tab is not watched: a browser counts a refusal as an error"
    tab.goto(server.url)
    tab.wait_for_selector("body[data-ready]")
    for name in ("pixel bomb", "HTML", "BLP", "truncated JPEG"):
        card = show(tab, HOSTILE[name]())
        assert card.locator("h2").inner_text() == "Refused", name
        assert card.locator("button, select, .bars, canvas").count() == 0, name  # nothing but the reason
    tab.evaluate("""() => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(51e6)], "large.jpg"));
      dispatchEvent(new DragEvent("drop", {dataTransfer: data}));
    }""")
    tab.wait_for_selector("article.refused:has-text('larger than 50 MB')")
    assert show(tab, photo("sea")).locator("h2").inner_text() == "Sea"


@needs_chromium
def test_a_correction_is_kept_and_taken_back(page, dataset):
    data = photo("sunset", 2)
    card = show(page, data)
    assert card.locator(".correction button").all_inner_texts() == ["sea"]  # what it was taken for is no correction
    card.locator(".correction button").click()
    page.wait_for_selector(".correction :text('Saved as sea in set')")
    (row,) = feedback(dataset)
    assert (row["label"], row["status"], row["bytes"]) == ("sea", "downloaded", len(data))
    assert (dataset/row["file"]).read_bytes() == data
    assert page.evaluate("document.activeElement.textContent") == "Undo"
    page.keyboard.press("Enter")
    page.wait_for_selector(".correction button:text('sea')")
    (row,) = feedback(dataset)
    assert row["status"] == "quarantined" and (dataset/row["file"]).read_bytes() == data
    assert page.locator("#spoken").inner_text() == "Taken back."


@needs_chromium
@pytest.mark.parametrize("several", [False, True])
def test_many_labels_are_a_list_and_several_are_boxes(tab, server, several):
    labels = [f"kind_{i}" for i in range(12)] if not several else ["sunset", "sea"]
    sent = []
    with server.__class__(server.model, server.dataset) as other:
        def facts(route):
            known = route.fetch().json()
            route.fulfill(json=known | dict(labels=labels, multilabel=several))
        def keep(route):
            sent.append(route.request.url.partition("?")[2])
            route.fulfill(json=dict(id=1, said="Saved."))
        tab.route("**/page.json", facts)
        tab.route("**/feedback?*", keep)
        tab.goto(other.url)
        tab.wait_for_selector("body[data-ready]")
        card = show(tab, photo("sunset"))
        if not several:
            card.locator("button:text('Save')").click()
            tab.wait_for_selector(".wrong:text('nothing is chosen')")
            card.locator("select").select_option("kind_7")
        else: card.locator(".tick", has_text="sea").click()
        card.locator("button:text('Save')").click()
        tab.wait_for_selector(".correction :text('Saved.')")
        assert sent == (["label=sunset&label=sea"] if several else ["label=kind_7"])


@needs_chromium
def test_why_is_shown_on_request(tab, server):
    "The button and the picture; what Python paints is a test of its own"
    tab.route("**/page.json", lambda route: route.fulfill(json=route.fetch().json() | dict(why=True)))
    reason = dict(heat=base64.b64encode(photo("sea")).decode(), note="", nearest=[
        dict(label="sea", similarity=1.0, itself=True, photo=base64.b64encode(photo("sea")).decode()),
        dict(label="sunset", similarity=.5, itself=False, photo=base64.b64encode(photo("sunset")).decode())])
    tab.route("**/why", lambda route: route.fulfill(json=reason))
    tab.goto(server.url)
    tab.wait_for_selector("body[data-ready]")
    card = show(tab, photo("sunset"))
    def blue():
        return card.locator("figure canvas").evaluate("c => c.getContext('2d').getImageData(9, 9, 1, 1).data[2]")
    assert blue() < 100
    card.locator("button:text('Why?')").click()
    tab.wait_for_selector("figcaption")
    assert blue() > 150
    assert card.locator(".near li").all_inner_texts() == ["sea 1.00\nthe photo itself", "sunset 0.50"]
    card.locator("button:text('Show the photo')").click()
    assert blue() < 100 and tab.locator("figcaption, .near").count() == 0


@needs_chromium
def test_a_program_that_has_stopped_is_told(tab, dataset):
    with AppServer(dataset/"model") as server:
        tab.goto(server.url)
        tab.wait_for_selector("body[data-ready]")
    assert "start birdornot serve again" in show(tab, photo("sea")).inner_text()


@pytest.fixture(scope="module")
def phone(browser, server):
    "The page on a phone, with an answer on it"
    with watched(browser, server.url, **PHONE) as page:
        page.wait_for_selector("body[data-ready]")
        show(page, photo("sunset"))
        yield page


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_in_light_and_dark(phone, scheme): assert_fits_phone(phone, scheme)


UNSURE = dict(doubt="novel", novelty=1.43, limit=1.23)


@needs_chromium
def test_a_novel_photo_shows_how_novel_and_what_is_nearest(tab, server):
    "No bar of 99.9 % beside unsure; the nearest pictures come without being asked for, and no heat with them"
    asked = []
    def answer(route): route.fulfill(json=route.fetch().json() | UNSURE)
    def nearest(route):
        asked.append(route.request.url.rpartition("/")[2])
        route.fulfill(json=dict(heat=None, note="", nearest=[
            dict(label="sea", similarity=.42, itself=False, photo=base64.b64encode(photo("sea")).decode())]))
    tab.route("**/answer", answer)
    tab.route("**/why?*", nearest)
    tab.goto(server.url)
    tab.wait_for_selector("body[data-ready]")
    card = show(tab, photo("sunset"))
    card.locator(".near li").wait_for()
    assert card.locator("h2").inner_text() == WORDS["unsure"].capitalize() and asked == ["why?heat=no"]
    assert card.locator(".why").inner_text() == WORDS["novel"].capitalize() + "."
    assert card.locator(".bars li").all_inner_texts() == [
        "Novelty of this photo\n1.43", "Limit\n1.23", "Typical of its classes\n1.00"]
    assert "%" not in card.inner_text() and "%" not in tab.locator("#spoken").inner_text()
    assert card.locator(".correction button").all_inner_texts() == ["sunset", "sea"]
    assert complaints(tab) == []


@needs_chromium
def test_a_folder_is_answered_in_its_order(tab, server, tmp_path):
    "All of its pictures, by name; what is no picture is counted, and what is broken says why"
    (tmp_path/"walk"/"late").mkdir(parents=True)
    names = {"walk/10.jpg": photo("sea"), "walk/9.jpg": photo("sunset"), "walk/late/1.jpg": photo("sea"),
             "walk/late/2.jpg": b"milk", "walk/list.txt": b"bread", "walk/.hidden.jpg": photo("sea")}
    for name, data in names.items(): (tmp_path/name).write_bytes(data)
    tab.goto(server.url)  # not watched: a browser counts a refusal as an error
    tab.wait_for_selector("body[data-ready]")
    tab.set_input_files("#folder", tmp_path/"walk")
    tab.wait_for_selector(".sum:text('4 photos')")
    assert tab.locator("article .name").all_inner_texts() == [
        "walk/9.jpg", "walk/10.jpg", "walk/late/1.jpg", "walk/late/2.jpg: not a picture of a kind we know"]
    assert tab.locator(".sum").inner_text() == ("4 photos: 1 × sunset, 2 × sea, 1 × refused. "
                                                "1 other file of the folder is not of a picture's kind, and left out.")
    show(tab, photo("sunset"))  # what comes later stands above
    assert tab.locator("section.batch").first.locator("article").count() == 1


@needs_chromium
def test_the_camera_is_answered(page):
    page.click("#camera")
    page.evaluate("new Promise(done => { const v = document.querySelector('video'); "
                  "v.onplaying = done; if (v.videoWidth) done(); })")
    page.click("#shoot")
    page.wait_for_selector("article.sure .name:text('camera photo')")


@pytest.mark.slow
def test_the_reason_is_painted(tmp_path):
    "Torch and fastai are loaded for it"
    pytest.importorskip("fastai")
    from browser import drawn_model

    from birdornot.sample import sample_picture
    model = drawn_model(tmp_path/"bird_or_forest", n=20)
    with AppServer(model, tmp_path/"bird_or_forest") as server:
        request = urllib.request.Request(server.url + "why", sample_picture("bird", 9_001),
                                         {"Content-Type": "application/octet-stream"})
        why = json.loads(urllib.request.urlopen(request, timeout=120).read())
    heat = picture.open_upright(base64.b64decode(why["heat"]))
    colours = np.asarray(heat).astype(int)
    assert max(heat.size) <= 400 and abs(colours[..., 0] - colours[..., 2]).max() > 60  # in colour over grey


def test_a_decoder_that_crashes_takes_only_its_file_along():
    "Threat: a decoder that crashes, hangs or takes all memory"
    reader = SafeReader()
    try:
        reader.start()
        def crash(): os.kill(reader.process.pid, 9)
        slow = Image.effect_noise((4000, 4000), 99)
        slow.save(out := io.BytesIO(), "PNG", compress_level=1)
        threading.Timer(.05, crash).start()
        with pytest.raises(BadPicture, match="crashes"): reader(out.getvalue())
        assert reader(photo("sea")).size == (120, 80)
    finally: reader.close()


def test_a_script_without_a_guard_serves(dataset, tmp_path):
    "Another process opens the photos; it must not run the script again"
    (tmp_path/"script.py").write_text(f"""
import urllib.request
from birdornot.app import AppServer
print("started")
with AppServer({str(dataset/'model')!r}) as server:
    kind = {{"Content-Type": "application/octet-stream"}}
    ask = urllib.request.Request(server.url + "answer", {photo("sea")!r}, kind)
    print(urllib.request.urlopen(ask, timeout=60).status)
""")
    done = subprocess.run([sys.executable, tmp_path/"script.py"], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("started\n200\n", "")


def test_a_port_that_is_taken(server, dataset):
    threads = threading.active_count()
    with pytest.raises(ServerError, match="choose another"): AppServer(dataset/"model", port=server.port)
    assert threading.active_count() <= threads  # the reader, which was started before, has ended again


def test_only_a_model_in_a_dataset_takes_corrections(dataset, tmp_path, capsys):
    shutil.copytree(dataset/"model", tmp_path/"model")
    found = []
    def look():
        found.append(json.loads(urllib.request.urlopen(capsys.readouterr().out.strip() + "page.json").read()))
    for model in (tmp_path/"model", dataset/"model"): serve(model, browser=False, wait=look)
    assert [facts["dataset"] for facts in found] == [None, "set"]


def test_corrections_need_a_dataset(dataset, tmp_path):
    with pytest.raises(DatasetError): AppServer(dataset/"model", tmp_path)


def test_a_class_of_any_name_takes_corrections(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.insert([dict(label=name, image_url=name, status="found") for name in ("AC/DC", "雀", "sea")])
    for name in ("AC/DC", "雀"):
        id = save_feedback(tmp_path, photo("sea", 7), name)
        with Ledger(tmp_path) as ledger:
            (row,) = ledger.rows(id=id)
            assert row["label"] == name and ledger.locate(row["original"]).read_bytes() == photo("sea", 7)
    assert {f.parent.parent.name for f in tmp_path.rglob("*.jpg")} == {"originals"}
