"""Two windows on one dataset: what the slow one says is out of date, and nobody pulls a file from under another."""
import contextlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from roughpictures import picture, saved, scene

from birdornot.clean import clean_images
from birdornot.core import BirdornotError, DatasetError
from birdornot.decide import decide, decisions
from birdornot.download import download_images
from birdornot.follow import refresh
from birdornot.hits import Hit
from birdornot.ledger import Ledger, at_work
from birdornot.make import make, train
from birdornot.search import search_images
from birdornot.split import picture_files


class Slow(ThreadingHTTPServer):
    "Answers the first that asks with 404, but only when `go` is set; all others with a picture, at once"
    daemon_threads, block_on_close = True, False

    def __init__(self):
        self.first, self.asked, self.go = threading.Lock(), threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, kwargs=dict(poll_interval=.02), daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    def log_message(self, *args): pass

    def do_GET(self):
        late = self.server.first.acquire(blocking=False)
        if late:
            self.server.asked.set()
            self.server.go.wait(8)
        self.send_response(404 if late else 200)
        self.end_headers()
        if not late: self.wfile.write(picture(1))


@pytest.fixture
def slow():
    server = Slow()
    yield server
    server.go.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("meanwhile", ["cleaned", "discarded"])
def test_a_download_that_ends_late_leaves_alone_what_was_settled_meanwhile(slow, tmp_path, meanwhile):
    host = f"127.0.0.1:{slow.server_port}"
    hits = [Hit("bird", f"http://{host}/1.jpg")]
    def fetch(): return download_images(tmp_path/"d", hits, allow_hosts=[host], progress=False)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(fetch)
        assert slow.asked.wait(5)
        fetch()
        clean_images(tmp_path/"d", workers=1, progress=False)
        if meanwhile == "discarded": decide(tmp_path/"d", 1, "discard")
        with Ledger(tmp_path/"d") as ledger: before = ledger.rows()
        slow.go.set()
        assert "0 downloaded, 0 failed, 1 was there before" in repr(late.result(8))
    with Ledger(tmp_path/"d") as ledger: assert ledger.rows() == before
    assert before[0]["status"] == dict(cleaned="clean", discarded="quarantined")[meanwhile]


def test_what_a_person_discarded_is_not_tried_again_with_another_limit(tmp_path):
    folder = dataset(tmp_path, n=3)
    clean_images(folder, workers=1, progress=False, min_size=200)  # they are 240 high, but for one
    with Ledger(folder) as ledger: small = ledger.rows(status="quarantined")[0]
    decide(folder, small["id"], "discard")
    clean_images(folder, workers=1, progress=False, min_size=32)
    with Ledger(folder) as ledger: assert ledger.rows(id=small["id"])[0]["status"] == "quarantined"


def dataset(where, n, labels=("bird",)):
    "Pictures of the user's own, downloaded; the first of them is small"
    hits = []
    for k, label in enumerate(labels):
        (where/"mine"/label).mkdir(parents=True)
        for i in range(n):
            file = where/"mine"/label/f"{i}.jpg"
            file.write_bytes(saved(scene((320, 240) if i else (160, 120), 1000*k + i)))
            hits.append(Hit(label, file.as_uri(), source="folder"))
    download_images(where/"d", hits, progress=False)
    return where/"d"


class Heard(io.StringIO):
    "Standard error that does something at the first line with certain words"
    def __init__(self, words, then):
        super().__init__()
        self.words, self.then = words, then

    def write(self, text):
        super().write(text)
        if self.then and self.words in text:
            then, self.then = self.then, None
            then()
        return len(text)


def test_training_holds_the_pictures_it_uses(tmp_path):
    folder = dataset(tmp_path, 16, ("bird", "forest"))
    clean_images(folder, workers=1, progress=False)
    with ThreadPoolExecutor(1) as pool:
        made = []
        def discard():
            with Ledger(folder) as ledger: ids = [r["id"] for r in ledger.rows(status="clean")[4:12]]
            made.extend(pool.submit(decide, folder, id, "discard") for id in ids)
            with contextlib.suppress(TimeoutError): made[-1].result(.5)
        with contextlib.redirect_stderr(Heard("classes", discard)): trained = train(folder)
        assert len(made) == 8 and len(trained.files) == 32
        for d in made: d.result(10)
    assert len(picture_files(folder)) == 24 and len(decisions(folder)) == 8


def test_a_second_make_waits_says_for_whom_and_goes_on(tmp_path):
    dataset(tmp_path, 8, ("bird", "forest"))
    released = threading.Event()
    def first():
        with at_work(tmp_path/"d", "make", kind="make"): released.wait(8)
    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(first)
        while not list((tmp_path/"d").glob("*.who")): pass
        with contextlib.redirect_stderr(heard := Heard("waiting until it is done", released.set)):
            made = make(["bird", "forest"], folder=tmp_path/"mine", out=tmp_path/"d")
        holder.result(8)
    assert "another birdornot (make, process" in heard.getvalue() and len(made.trained.files) == 16
    assert not list((tmp_path/"d").glob("*.who"))


def test_a_make_that_comes_to_nothing_leaves_no_folder(tmp_path):
    (tmp_path/"mine/bird").mkdir(parents=True)
    (tmp_path/"mine/forest").mkdir()
    with pytest.raises(BirdornotError): make(["bird", "forest"], folder=tmp_path/"mine", out=tmp_path/"d")
    assert not (tmp_path/"d").exists()
    (tmp_path/"file").touch()
    with pytest.raises(DatasetError, match="name a folder that you may write to"):
        make(["bird", "forest"], source="sample", out=tmp_path/"file")


def test_a_decision_is_not_kept_waiting_for_ever(tmp_path):
    with Ledger(tmp_path/"d"): pass
    def second():
        with at_work(tmp_path/"d", "review", .1): pass
    with at_work(tmp_path/"d", "train"), ThreadPoolExecutor(1) as pool:
        with pytest.raises(DatasetError, match=r"\(train, process \d+, since [\d:]+\) is at work"):
            pool.submit(second).result(5)


def test_what_a_killed_cleaning_left_is_not_taken_for_files_put_there_by_hand(tmp_path):
    "It had written working copies, and not yet the rows: they were there twice, once without an author"
    dest = tmp_path/"d"
    download_images(dest, search_images("bird", n=5, source="sample"), progress=False)
    clean_images(dest, progress=False)
    with Ledger(dest) as ledger:
        for r in ledger.rows()[:3]: ledger.update(r, status="downloaded", file=r["original"], copy_sha256=None)
    assert not refresh(dest)
    clean_images(dest, progress=False)
    with Ledger(dest) as ledger: assert [(r["source"], r["status"]) for r in ledger.rows()] == [("sample", "clean")]*5
