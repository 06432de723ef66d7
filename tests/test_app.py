"""The Gradio page in a real browser: uploads good and hostile, corrections, and what it must not do."""
import inspect
import io
import json
import os
import socket
import sys
from pathlib import Path

import pytest
from browser import chromium, drawn_model, needs_chromium, watched
from test_clean import HOSTILE

from birdornot import app as module
from birdornot.app import AppError, SafeReader, close_app, launch_options, make_app, serve
from birdornot.ledger import Ledger
from birdornot.picture import BadPicture
from birdornot.sample import sample_picture

gr = pytest.importorskip("gradio")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    dest = tmp_path_factory.mktemp("made")/"bird_or_forest"
    drawn_model(dest)
    return dest


@pytest.fixture(scope="module")
def app(dataset):
    app = serve(dataset/"model", browser=False, block=False)
    yield app
    close_app(app)


@pytest.fixture(scope="module")
def page(app):
    with chromium() as browser, watched(browser, app.local_url) as page:
        page.wait_for_selector("#photo input[type=file]", state="attached")
        yield page


def send(page, data, name="photo.jpg"):
    "Upload a file as a visitor does; the text of the answer"
    if page.locator("#photo button[aria-label='Remove Image']").count():
        page.locator("#photo button[aria-label='Remove Image']").click()
    page.wait_for_selector("#answer :text('The answer will stand here')")
    page.set_input_files("#photo input[type=file]", [dict(name=name, mimeType="image/jpeg", buffer=data)])
    page.wait_for_selector("#answer .answer")
    return page.locator("#answer .answer").inner_text()


def feedback(dataset):
    with Ledger(dataset) as ledger: return ledger.rows(source="feedback")


@needs_chromium
def test_a_photo_is_answered(page):
    text = send(page, sample_picture("bird", 9_001)).splitlines()
    assert text[0] == "Bird" and text[1] == "bird" and text[2].endswith("%") and "forest" in text
    assert page.locator("#answer [role=status]").count() == 1


@needs_chromium
def test_hostile_files_are_refused_and_the_next_is_answered(page):
    for name in ("pixel bomb", "HTML", "BLP", "truncated JPEG"):
        assert "This cannot be read" in send(page, HOSTILE[name](), "photo.jpg"), name
    assert send(page, sample_picture("forest", 9_001)).startswith("Forest")


@needs_chromium
def test_a_correction_is_kept_and_taken_back(page, dataset):
    data = sample_picture("forest", 9_002)
    send(page, data)
    page.locator("#save").click()
    page.wait_for_selector("text=Choose first what the photo shows")
    page.locator("#right label", has_text="bird").click()
    page.locator("#save").click()
    page.wait_for_selector("#said :text('Saved as bird')")
    (row,) = feedback(dataset)
    assert (row["label"], row["status"], row["bytes"]) == ("bird", "downloaded", len(data))
    assert (dataset/row["file"]).read_bytes() == data
    page.locator("#undo").click()
    page.wait_for_selector("#said :text('Taken back')")
    (row,) = feedback(dataset)
    assert row["status"] == "quarantined" and (dataset/row["file"]).read_bytes() == data


@needs_chromium
def test_why_is_shown_on_request(page):
    pytest.importorskip("birdornot.why")
    send(page, sample_picture("bird", 9_001))
    assert not page.locator("#reasons").is_visible()
    page.locator("#why").click()
    page.wait_for_selector("#reasons img", timeout=90_000)
    send(page, sample_picture("forest", 9_001))
    assert not page.locator("#reasons").is_visible()


@needs_chromium
def test_a_drawing_is_one_click_away(page):
    page.locator("#photo button[aria-label='Remove Image']").click()
    page.locator("button.gallery-item").first.click()
    page.wait_for_selector("#answer h2:text('Bird')")


def _kill(*_): os.kill(os.getpid(), 9)


def test_a_decoder_that_crashes_takes_only_its_file_along(tmp_path, monkeypatch):
    (tmp_path/"x.jpg").write_bytes(sample_picture("bird", 1))
    reader = SafeReader()
    try:
        monkeypatch.setattr(module, "open_upright", _kill)
        with pytest.raises(BadPicture, match="crashes"): reader(tmp_path/"x.jpg")
        monkeypatch.undo()
        assert reader(tmp_path/"x.jpg").size
    finally: reader.close()


def test_launch_options_are_safe():
    options = launch_options()
    assert options["server_name"] == "127.0.0.1" and options["share"] is False and options["allowed_paths"] == []
    assert options["max_file_size"] <= 50_000_000 and options["strict_cors"] and not options["enable_monitoring"]
    assert not options["mcp_server"] and not options["ssr_mode"]
    inspect.signature(gr.Blocks.launch).bind(None, **options)  # each is still an argument of this Gradio
    assert tuple(map(int, gr.__version__.split(".")[:2])) >= (6, 7)


def test_what_runs_is_what_was_asked_for(app):
    assert app.server_name == "127.0.0.1" and not app.share and app.allowed_paths == [] and not app.analytics_enabled
    assert app.max_file_size == launch_options()["max_file_size"]
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    host = socket.gethostbyname(socket.gethostname())
    if not host.startswith("127."):
        with pytest.raises(OSError): socket.create_connection((host, app.server_port), timeout=1)


def test_files_of_this_computer_are_not_served(app, dataset):
    import httpx
    for path in ("/etc/passwd", dataset/"ledger.sqlite", dataset/"model"/"model.json", Path(module.__file__)):
        assert httpx.get(f"{app.local_url}gradio_api/file={path}").status_code in (403, 404)


def call(app, photo):
    "Call the page's function with `photo` as a client of its own making does; what comes back"
    import httpx
    r = httpx.post(f"{app.local_url}gradio_api/call/answer", json=dict(data=[photo]), timeout=20)
    if r.status_code != 200: return r.text
    return httpx.get(f"{app.local_url}gradio_api/call/answer/{r.json()['event_id']}", timeout=40).text


def upload(app, data):
    "Upload without a browser; the path on the server, or None where it was refused"
    import httpx
    files = dict(files=("photo.jpg", io.BytesIO(data), "image/jpeg"))
    r = httpx.post(f"{app.local_url}gradio_api/upload", files=files, timeout=60)
    assert r.status_code in (200, 413), r.text
    return r.json()[0] if r.status_code == 200 else None


def answer(app, data):
    "What the page says of an uploaded file"
    path = upload(app, data)
    return call(app, dict(path=path, meta={"_type": "gradio.FileData"})) if path else "too large"


@pytest.mark.parametrize("name", HOSTILE)
def test_each_hostile_upload_is_refused_with_a_reason(name, app):
    said, limit = answer(app, HOSTILE[name]()), launch_options()["max_file_size"]
    assert said == "too large" if len(HOSTILE[name]()) > limit else "This cannot be read" in said


def test_after_all_of_them_the_page_still_answers(app):
    said = answer(app, sample_picture("bird", 9_001))
    assert "<h2>Bird</h2>" in said


def test_neither_paths_nor_addresses_are_taken_for_photos(app, dataset):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(.5)
        for photo in (f"http://127.0.0.1:{trap.getsockname()[1]}/x.jpg",
                      "/etc/passwd", str(dataset/"ledger.sqlite"), "file:///etc/passwd"):
            said = call(app, dict(path=photo, meta={"_type": "gradio.FileData"}))
            assert "error" in said and "root:" not in said and 'class="answer"' not in said, (photo, said)
        with pytest.raises(TimeoutError): trap.accept()


def test_an_upload_over_the_limit_is_refused(app):
    limit = launch_options()["max_file_size"]
    assert upload(app, b"\xff\xd8\xff" + bytes(limit)) is None


def test_without_gradio_the_remedy_is_said(dataset, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(AppError, match=r"pip install 'birdornot\[app\]'"): make_app(dataset/"model")


def test_a_port_that_is_taken(app, dataset):
    with pytest.raises(AppError, match="choose another with --port"):
        serve(dataset/"model", port=app.server_port, browser=False, block=False)


def test_a_model_outside_a_dataset_takes_no_corrections(dataset, tmp_path):
    import shutil
    shutil.copytree(dataset/"model", tmp_path/"model")
    app = serve(tmp_path/"model", browser=False, block=False)
    try:
        assert "#save" not in json.dumps(app.config, default=str)
        assert '"save"' not in json.dumps(app.config, default=str)
    finally: close_app(app)
