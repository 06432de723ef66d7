"""Datasets, lockfiles and files of hits made to harm: nothing outside the dataset is read, written or deleted."""
import hashlib
import json
import os
import shutil
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing

import pytest
from roughpictures import draw

from birdornot.clean import clean_images
from birdornot.cli import main
from birdornot.core import BirdornotError
from birdornot.decide import decide
from birdornot.download import download_images
from birdornot.review import ReviewServer
from birdornot.search import search_images


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A dataset of two classes with a decision in its ledger, and a folder beside it that is none of its business"
    where = tmp_path_factory.mktemp("hostile")
    for k, label in enumerate(("bird", "forest")):
        for i in range(3): draw(where/"src"/label/f"{i}.png", 10*k + i)
        download_images(where/"set", search_images(label, source="folder", folder=where/"src"), progress=False)
    clean_images(where/"set", workers=1, progress=False)
    decide(where/"set", 1, "discard", who="tester")
    shutil.rmtree(where/"src")
    draw(where/"outside"/"bird"/"secret.png", 99)
    draw(where/"outside"/"secret.png", 98)
    (where/"outside"/"notes.txt").write_text("milk, bread")
    for f in (where/"outside").rglob("*"): os.utime(f, (1e9, 1e9))
    return where


@pytest.fixture
def here(made, tmp_path):
    "All of it, to be harmed"
    return shutil.copytree(made, tmp_path/"all")


def hashes(folder):
    "Content, time and kind of everything in a folder"
    return {f: (f.is_symlink(), f.stat().st_mtime_ns, f.is_file() and hashlib.sha256(f.read_bytes()).hexdigest())
            for f in sorted(folder.rglob("*"))}


def sql(text):
    "A lie told in SQL; {out} is the folder outside"
    def tell(where):
        with closing(sqlite3.connect(where/"set"/"ledger.sqlite")) as db, db:
            db.executescript(text.replace("{out}", str(where/"outside")))
    return tell


def link(name, to="outside"):
    "A link in the place of a file or folder of the dataset"
    def lay(where):
        place = where/"set"/name
        if place.is_dir(): shutil.rmtree(place)
        place.unlink(missing_ok=True)
        place.symlink_to(where/to)
    return lay


def changes(before):
    "A decision that, taken back, would write these values"
    return sql(f"UPDATE decisions SET changes='{json.dumps([[1, before, {}]])}'")


LIES = {  # what is wrong → how to make it so
    "hash that is a path": sql("UPDATE pictures SET sha256='../../outside/secret.png'"),
    "hash that is a long path": sql("UPDATE pictures SET sha256='../../../../../../../../../../../../etc/passwd'"),
    "hash of a copy": sql("UPDATE pictures SET copy_sha256='x'"),
    "working copy outside": sql("UPDATE pictures SET file='photos/../../outside/secret.png'"),
    "working copy by its full path": sql("UPDATE pictures SET file='{out}/secret.png'"),
    "original outside": sql("UPDATE pictures SET original='originals/../../outside/secret.png'"),
    "original by its full path": sql("UPDATE pictures SET original='{out}/secret.png'"),
    "name with a backslash": sql("UPDATE pictures SET original='originals\\..\\..\\outside\\secret.png'"),
    "name that is a number": sql("UPDATE pictures SET file=7"),
    "name that is bytes": sql("UPDATE pictures SET file=x'00ff'"),
    "no name": sql("UPDATE pictures SET file=NULL, original=''"),
    "label that is a path": sql("UPDATE pictures SET label='../../outside'"),
    "label that is bytes": sql("UPDATE pictures SET label=x'2e2e'"),
    "label of a folder that is a path": sql("UPDATE about SET value='../../outside'; INSERT INTO about VALUES "
                                            "('folder:x_123456', '../../outside')"),
    "width in words": sql("UPDATE pictures SET width='wide', contrast='much'"),
    "fingerprint that is none": sql("UPDATE pictures SET phash='zz'"),
    "trigger": sql("CREATE TRIGGER t AFTER UPDATE ON pictures BEGIN UPDATE pictures SET file='../x'; END"),
    "view without an end": sql("ALTER TABLE pictures RENAME TO p; CREATE VIEW pictures AS WITH RECURSIVE n(i) AS "
                               "(SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT * FROM p, n"),
    "other columns": sql("DROP TABLE decisions; CREATE TABLE decisions (id, x)"),
    "decision about a file outside": changes(dict(status="clean", file="../outside/secret.png")),
    "decision about a column": changes({"file=x; DROP TABLE pictures; --": 1}),
    "decision that is nested": sql("UPDATE decisions SET changes='" + "["*9999 + "'"),
    "decision of another type": sql("UPDATE decisions SET at=x'00', why=x'00', action='undo', picture='x'"),
    "picture of this computer": sql("INSERT INTO pictures (label, image_url, source, status) VALUES "
                                    "('bird', 'file://{out}/secret.png', 'folder', 'found')"),
    "link: photos": link("photos"),
    "link: class": link("photos/bird"),
    "link: picture": link("photos/bird/new.png", "outside/secret.png"),
    "link: originals": link("originals"),
    "link: class of originals": link("originals/bird", "outside/bird"),
    "link: quarantine": link("quarantine"),
    "link: class of the quarantine": link("quarantine/bird", "outside/bird"),
    "link: unfinished": link("unfinished"),
    "link: ledger": link("ledger.sqlite", "outside/notes.txt"),
    "link: lock": link("ledger.lock", "outside/notes.txt"),
    "link: report": link("report.html", "outside/notes.txt"),
    "link: model": link("model"),
}


def review(where):
    "Open the page, look at each picture, decide about each"
    try: server = ReviewServer(where/"set", who="tester")
    except BirdornotError: return
    with server:
        def ask(what, **body):
            request = urllib.request.Request(server.url + what, json.dumps(body).encode() if body else None,
                                             {"Content-Type": "application/json"} if body else {})
            try: return urllib.request.urlopen(request, timeout=30).read()
            except urllib.error.HTTPError as e: return e.read()
        assert b"this went wrong" not in ask("api/queue?view=labels")
        for id in (1, 4, 7):
            shown = ask(f"img/{id}")
            assert b"this went wrong" not in shown
            for action in ("keep", "discard"): assert b"this went wrong" not in ask("api/decide", id=id, action=action)
        assert b"this went wrong" not in ask("api/undo", decision=1)


COMMANDS = dict(review=review) | {" ".join(words): words for words in (
    ["clean"], ["undo"], ["undo", "--list"], ["clean", "--undo"], ["download"], ["lock", "--out", "x.lock"], ["export"],
    ["report"])}


@pytest.mark.parametrize("lie", LIES)
def test_nothing_outside_a_hostile_dataset_is_touched(lie, here, capsys, monkeypatch):
    "Threat: untrusted datasets"
    monkeypatch.chdir(here)
    LIES[lie](here)
    before = hashes(here/"outside")
    secrets = {h for link, _, h in before.values() if h}
    for name, words in COMMANDS.items():
        if callable(words): words(here)
        else:
            try: code = main([words[0], str(here/"set"), *words[1:]])
            except SystemExit as e: code = e.code
            said = capsys.readouterr()
            assert "Traceback" not in said.err and (code == 0 or said.err.count("birdornot: ") == 1), (name, said.err)
        assert hashes(here/"outside") == before, name
        real = {f: h for f, (link, _, h) in hashes(here/"set").items() if not link}
        assert not secrets & {h for f, h in real.items() if f.resolve().is_relative_to(here/"set")}, name
