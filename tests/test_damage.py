"""A ledger that is damaged, gone or held by another program: nothing is lost, and what is said is true."""
import json
import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from roughpictures import RoughWeb
from test_dataset import own_folder, project

from birdornot.clean import clean_images
from birdornot.cli import main
from birdornot.core import DatasetError
from birdornot.decide import decide, decisions, undo_decision
from birdornot.download import download_images
from birdornot.hits import Hit
from birdornot.ledger import Ledger
from birdornot.project import layout_of
from birdornot.split import picture_files


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    where = tmp_path_factory.mktemp("made")
    return project(where/"bird_or_forest", own_folder(where/"mine"))


@pytest.fixture
def here(made, tmp_path):
    "A project in which six decisions have been made since its copy was, one of them taken back"
    here = shutil.copytree(made, tmp_path/"bird_or_forest")
    with Ledger(here) as ledger: rows = ledger.rows(status="clean")
    copy = (here/"ledger.copy.sqlite").read_bytes()
    for r in rows[:3]: decide(here, r["id"], "discard")
    decide(here, rows[4]["id"], "keep")
    decide(here, rows[5]["id"], "move", "forest")
    decide(here, rows[6]["id"], "discard")
    undo_decision(here)
    (here/"ledger.copy.sqlite").write_bytes(copy)
    return here


def state(path):
    "What a dataset says of its pictures, and what was decided"
    with Ledger(path) as ledger: rows = ledger.rows()
    said = {(r["label"], r["sha256"]): (r["status"], r.get("verdict"), r["file"]) for r in rows}
    photos = sorted(f.relative_to(path).as_posix() for f in picture_files(path))
    return said, photos, [(d["id"], d["action"], d["picture"], d["undone"]) for d in decisions(path)]


def zeros(file, at, n):
    with file.open("r+b") as f:
        f.seek(at)
        f.write(bytes(n))


def merged(file):
    "All of a ledger in its one file"
    with closing(sqlite3.connect(file)) as db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


HARM = dict(header=lambda f: zeros(f, 0, 100), all=lambda f: f.write_bytes(b"no database"*999),
            empty=lambda f: f.write_bytes(b""), gone=lambda f: f.unlink(),
            cut=lambda f: f.write_bytes(f.read_bytes()[:f.stat().st_size//2//4096*4096]),
            page=lambda f: zeros(f, 4096*3, 4096), rows=lambda f: zeros(f, 4096*8 + 2000, 9000),
            schema=lambda f: zeros(f, 100, 3000))


@pytest.mark.parametrize("how", HARM)
def test_a_damaged_ledger_loses_nothing(here, how, capsys):
    before = state(here)
    assert [d[1] for d in before[2]] == ["discard"]*3 + ["keep", "move", "discard", "undo"]
    HARM[how](merged(here/"ledger.sqlite"))
    for _ in range(2):  # one run may find the damage only when it reads what is damaged; the next one mends it
        code, err = main(["clean", str(here)]), capsys.readouterr().err
        if code == 0: break
        assert "ledger.sqlite' is damaged" in err and "run it again" in err and "Traceback" not in err, err
    assert code == 0 and "is repaired: 17 pictures" in err, err
    assert len([*here.glob("ledger.damaged-*.sqlite")]) == (how != "gone")
    for a, b in zip(state(here), before): assert a == b
    assert main(["clean", str(here)]) == 0 and state(here) == before
    with Ledger(here) as ledger: assert {r["source"] for r in ledger.rows()} == {"folder"}


def test_with_neither_copy_nor_log_the_files_tell(here):
    before = state(here)
    (here/"ledger.copy.sqlite").unlink()
    (here/"ledger.decisions.jsonl").unlink()
    HARM["all"](merged(here/"ledger.sqlite"))
    clean_images(here, workers=1, progress=False)
    after = state(here)
    assert after[1] == before[1] and {k: v[0] for k, v in after[0].items() if v[0] == "clean"} == {
        k: v[0] for k, v in before[0].items() if v[0] == "clean"}
    assert sum(v[0] == "quarantined" for v in after[0].values()) == 3
    clean_images(here, workers=1, progress=False)
    assert state(here) == after


def test_what_was_downloaded_since_the_copy_is_not_fetched_again(made, tmp_path):
    here = shutil.copytree(made, tmp_path/"d")
    old = shutil.copy(here/"ledger.copy.sqlite", tmp_path/"old")
    files = sorted((own_folder(tmp_path/"more", 4, ["a", "b", "owl"])/"owl").iterdir())
    hits = [Hit("owl", f.as_uri(), source="folder") for f in files]
    download_images(here, hits, progress=False)
    shutil.copy(old, here/"ledger.copy.sqlite")
    HARM["all"](merged(here/"ledger.sqlite"))
    clean_images(here, workers=1, progress=False)
    with Ledger(here) as ledger: assert len(ledger.rows(label="owl", status="clean")) == 4


def test_a_damaged_ledger_never_takes_the_place_of_its_copy(here):
    with Ledger(here) as ledger:
        ledger.execute("CREATE TABLE more (text)")
        ledger.execute("INSERT INTO more SELECT zeroblob(2000) FROM pictures, pictures")
        pages = ledger.execute("PRAGMA page_count")[0]["page_count"]
    copy = (here/"ledger.copy.sqlite").read_bytes()
    zeros(merged(here/"ledger.sqlite"), 4096*(pages - 3), 4096)
    with Ledger(here) as ledger: ledger.note(something="else")
    assert (here/"ledger.copy.sqlite").read_bytes() == copy and (here/"ledger.damaged").exists()
    before = state(here)
    assert not (here/"ledger.damaged").exists() and state(here) == before


def test_a_copy_is_cheap(tmp_path):
    with Ledger(tmp_path/"d") as ledger:
        ledger.add_columns(thumb="TEXT")
        row = dict(label="bird", thumb="A"*1152, status="found")
        ledger.insert([row | dict(image_url=f"http://x/{i}") for i in range(3000)])
        start = time.perf_counter()
        ledger._keep_copy()
        assert time.perf_counter() - start < 1
    assert (tmp_path/"d/ledger.copy.sqlite").stat().st_size > 3_000_000


def held(file, seconds):
    "Hold a ledger as another program may"
    db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    db.execute("BEGIN IMMEDIATE")
    def release():
        time.sleep(seconds)
        db.close()
    threading.Thread(target=release).start()


def test_another_program_that_holds_the_ledger_is_waited_for_and_said(here, capsys):
    with Ledger(here, wait=8) as ledger:
        held(here/"ledger.sqlite", 2.3)
        start = time.monotonic()
        ledger.note(made_by="me")
        assert 2 < time.monotonic() - start < 6
    assert "another program holds" in (err := capsys.readouterr().err) and "waiting until" in err
    with Ledger(here, wait=.1) as ledger:
        held(here/"ledger.sqlite", .6)
        with pytest.raises(DatasetError, match="ledger.sqlite' is held by another program; close that and run"):
            ledger.note(made_by="me")
    time.sleep(.7)


def test_the_log_holds_every_decision_and_may_be_damaged_itself(here):
    before = state(here)
    lines = (here/"ledger.decisions.jsonl").read_text().splitlines()
    assert [json.loads(s)["action"] for s in lines] == ["discard"]*3 + ["keep", "move", "discard", "undo"]
    Path(here/"ledger.decisions.jsonl").write_text("\n".join(["{", "[]", "null", "\0", *lines, '{"id": 99', "{}"]))
    HARM["all"](merged(here/"ledger.sqlite"))
    for a, b in zip(state(here), before): assert a == b


def test_a_damaged_ledger_is_still_that_of_its_project(here):
    HARM["all"](merged(here/"ledger.sqlite"))
    assert layout_of(here).kind == "project"
    (here/"ledger.copy.sqlite").unlink()
    assert layout_of(here).kind == "project"


def test_a_file_whose_row_was_lost_is_the_picture_of_its_address(tmp_path):
    "Fetched by a run that was killed before it wrote that down, adopted when the ledger was repaired, fetched again"
    dest = tmp_path/"d"
    with RoughWeb() as web:
        hits = [Hit("bird", f"{web.url}/good/{i}", licence="CC0") for i in range(3)]
        download_images(dest, hits, allow_hosts=[web.host], progress=False)
        merged(dest/"ledger.sqlite")
        with closing(sqlite3.connect(dest/"ledger.sqlite")) as db:
            sql = "UPDATE pictures SET status='found', sha256=NULL, original=NULL, file=NULL, bytes=NULL WHERE id=2"
            db.execute(sql)
            db.commit()
        (dest/"ledger.copy.sqlite").unlink()
        (dest/"ledger.damaged").touch()
        with Ledger(dest) as ledger: assert [r["source"] for r in ledger.rows()][3:] == ["by hand"]
        clean_images(dest, progress=False)
        download_images(dest, [], allow_hosts=[web.host], progress=False)
    with Ledger(dest) as ledger: rows = ledger.rows()
    assert sorted((r["image_url"], r["licence"]) for r in rows) == sorted((h.image_url, "CC0") for h in hits)
    assert {r["status"] for r in rows} == {"clean"} and len({r["sha256"] for r in rows}) == 3


def test_a_kill_while_it_is_repaired_loses_nothing(here, monkeypatch):
    before, moved = state(here), []
    merged(here/"ledger.sqlite").write_bytes(b"no database"*999)
    real = os.replace

    def killed(a, b):
        if "damaged-" in str(b):
            real(a, b)
            moved.append(b)
            raise KeyboardInterrupt
        return real(a, b)

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt): Ledger(here)
    monkeypatch.undo()
    assert moved and not (here/"ledger.sqlite").exists()
    for log in here.glob("*.decisions.jsonl"): log.unlink()  # the copy is enough
    assert state(here) == before
