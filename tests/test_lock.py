"""A dataset made again from its lockfile: what is the same, what has rotted, and what was decided."""
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from roughpictures import RoughWeb, picture

from birdornot.clean import clean_images, undo
from birdornot.cli import main
from birdornot.core import DatasetError
from birdornot.decide import decide
from birdornot.download import download_images
from birdornot.exchange import write_croissant
from birdornot.hits import Hit
from birdornot.ledger import Ledger
from birdornot.lock import rebuild, write_lock


@pytest.fixture
def web():
    with RoughWeb() as w: yield w


@pytest.fixture
def lock(web, tmp_path):
    hits = [Hit("small bird", f"{web.url}/good/{i}", page_url=f"{web.url}/page/{i}",
                licence="CC0", author="A. N. Öther", rank=i) for i in range(12)]
    download_images(tmp_path/"d", [*hits, Hit("small bird", web.url + "/same/1"),
                                   Hit("forest", web.url + "/same/2"), Hit("forest", web.url + "/missing")],
                    allow_hosts=[web.host], progress=False)
    clean_images(tmp_path/"d", min_size=60, progress=False)  # all but the shared one are refused: 48 pixels high
    with Ledger(tmp_path/"d") as ledger: first = ledger.rows(label="small bird")[0]["id"]
    undo(tmp_path/"d", [first])
    assert write_lock(tmp_path/"d", tmp_path/"d.lock") == 14
    return tmp_path/"d.lock"


def test_the_same_again(web, lock, tmp_path):
    done = rebuild(lock, tmp_path/"e", allow_hosts=[web.host], progress=False)
    assert Counter(r["fate"] for r in done.rows) == {"same": 14}
    with Ledger(tmp_path/"e") as ledger: rows = ledger.rows()
    assert Counter(r["status"] for r in rows) == {"quarantined": 13, "downloaded": 1}  # decisions came along
    assert [r["kept"] for r in rows if r["status"] == "downloaded"] == [1]
    assert {r["author"] for r in rows if r["licence"]} == {"A. N. Öther"}
    assert all(r["page_url"] for r in rows if r["licence"])
    write_lock(tmp_path/"e", tmp_path/"e.lock")
    def keep(f):
        return [{k: v for k, v in json.loads(line).items() if k != "reason"} for line in f.read_text().splitlines()]
    assert keep(tmp_path/"e.lock") == keep(lock)


def test_rot_is_told_and_a_second_run_asks_for_what_was_gone(web, lock, tmp_path):
    text = lock.read_text().replace("/good/3",
                                    "/missing?3").replace('/good/4"', '/html/4"').replace("/good/5", "/good/500")
    lock.write_text(text)
    done = rebuild(lock, tmp_path/"e", allow_hosts=[web.host], progress=False)
    assert Counter(r["fate"] for r in done.rows) == {"same": 11, "changed": 1, "gone": 2}
    assert "1 × no longer there (404)" in repr(done) and "1 × a web page, not a picture" in repr(done)
    asked = web.asked.copy()
    assert repr(rebuild(lock, tmp_path/"e", allow_hosts=[web.host], progress=False)) == repr(done)
    again = {k for k, n in web.asked.items() if n > asked[k]}
    assert again == {"/missing?3", "/html/4"}  # what was gone is tried again, and nothing else


def test_the_same_again_from_croissant(web, tmp_path):
    hits = [Hit("small bird", f"{web.url}/good/{i}", page_url=f"{web.url}/page/{i}", licence="CC0", author="=A. Öther",
                title='say "hi", bird', rank=i) for i in range(4)]
    download_images(tmp_path/"d", [*hits, Hit("forest", web.url + "/good/1")], allow_hosts=[web.host], progress=False)
    clean_images(tmp_path/"d", min_size=30, workers=1, progress=False)
    about = write_croissant(tmp_path/"d")
    done = rebuild(about, tmp_path/"e", allow_hosts=[web.host], progress=False)
    assert Counter(r["fate"] for r in done.rows) == {"same": 5}
    with Ledger(tmp_path/"d") as ledger, Ledger(tmp_path/"e") as again: ours, theirs = ledger.rows(), again.rows()
    for k in ("label", "image_url", "page_url", "licence", "author", "title", "sha256"):
        assert sorted(r[k] for r in ours) == sorted(r[k] for r in theirs)
    text = about.read_text().replace("/good/2", "/good/200")
    about.write_text(text)
    done = rebuild(about, tmp_path/"f", allow_hosts=[web.host], progress=False)
    assert Counter(r["fate"] for r in done.rows) == {"same": 4, "changed": 1}
    for i in (len(text)//2, len(text) - 3):  # cut on its way
        about.write_text(text[:i])
        with pytest.raises(DatasetError, match="not a birdornot lockfile"): rebuild(about, tmp_path/"g")
    about.write_text(text.replace("pictures/sha256", "pictures/md5"))
    with pytest.raises(DatasetError, match="without the address and hash"): rebuild(about, tmp_path/"g")
    assert not (tmp_path/"g").exists()


HEAD, ROW = '{"birdornot_lock": 1}\n', dict(label="x", term="x", image_url="http://x/", sha256="0"*64)
ODD = {"empty": "", "an object": "{}", "a list": "[]", "text": "no json", "another version": '{"birdornot_lock": 2}',
       "a row that lacks much": HEAD + '{"image_url": "http://x/"}', "a zero": "\0", "nested": "["*100_000,
       "a row that is a list": HEAD + "[]", "a row that is a number": HEAD + "1"}
ODD |= {f"{k} is {v!r:.20}": HEAD + json.dumps(ROW | {k: v}) for k, v in (
    ("sha256", "../../y"), ("sha256", "0"*63), ("sha256", [1]), ("label", 7), ("label", "\ud800"), ("term", {}),
    ("image_url", ["http://x/"]), ("image_url", "http://x/\udc80"), ("rank", "first"), ("bytes", 2.5), ("kept", True))}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_what_is_no_lockfile(tmp_path, text):
    (tmp_path/"x.lock").write_text(text)
    with pytest.raises(DatasetError, match="not a birdornot lockfile"): rebuild(tmp_path/"x.lock", tmp_path/"d")
    assert not (tmp_path/"d").exists()


def test_a_lockfile_reads_files_of_this_computer_from_a_folder_that_was_named(tmp_path, capsys):
    for name in ("mine", "secret"):
        (tmp_path/name).mkdir()
        (tmp_path/name/"1.jpg").write_bytes(picture(1))
    names = [(tmp_path/"mine"/"1.jpg").as_uri(), (tmp_path/"mine"/".."/"secret"/"1.jpg").as_uri()]
    sha256 = hashlib.sha256(picture(1)).hexdigest()
    rows = [ROW | dict(image_url=name, source="folder", sha256=sha256) for name in names]
    (tmp_path/"x.lock").write_text(HEAD + "\n".join(map(json.dumps, rows)))
    done = rebuild(tmp_path/"x.lock", tmp_path/"d", progress=False)
    assert [r["fate"] for r in done.rows] == ["gone", "gone"] and not list((tmp_path/"d").rglob("*.jpg"))
    assert "name its folder by folder=…" in done.rows[0]["reason"]
    again = ["rebuild", str(tmp_path/"x.lock"), str(tmp_path/"d"), "--folder", str(tmp_path/"mine")]
    assert main(again) == 1 and "1 the same, 0 changed, 1 gone" in capsys.readouterr().out


def test_an_untrusted_lockfile_stays_in_its_folder(web, tmp_path):
    rows = [dict(birdornot_lock=1, pictures=2),
            dict(label="../../out", term="x", image_url=web.url + "/good/1", sha256="0"*64),
            dict(label="in", term="x", image_url="http://169.254.169.254/", sha256="0"*64)]
    (tmp_path/"x.lock").write_text("\n".join(map(json.dumps, rows)))
    done = rebuild(tmp_path/"x.lock", tmp_path/"a/b", allow_hosts=[web.host], progress=False)
    assert [r["fate"] for r in done.rows] == ["changed", "gone"] and "private" in done.rows[1]["reason"]
    assert {p.name for p in tmp_path.iterdir()} == {"a", "x.lock"}
    assert {p.name for p in (tmp_path/"a").iterdir()} == {"b"}


def again(web, lock, dest): return rebuild(lock, dest, allow_hosts=[web.host], progress=False)


def test_a_lockfile_that_was_cut_or_changed_is_refused(lock, tmp_path):
    lines = lock.read_text().splitlines()
    for some in (lines[:5], lines[:1], [*lines, lines[-1]]):
        (tmp_path/"x.lock").write_text("\n".join(some) + "\n")
        with pytest.raises(DatasetError, match=f"says that it lists 14, and lists {len(some) - 1} pictures?; it was"):
            rebuild(tmp_path/"x.lock", tmp_path/"x")
    (tmp_path/"x.lock").write_text("\n".join(lines)[:-30])
    with pytest.raises(DatasetError, match="not a birdornot lockfile"): rebuild(tmp_path/"x.lock", tmp_path/"x")
    assert not (tmp_path/"x").exists()


def test_an_empty_dataset_does_not_replace_a_lockfile(lock, tmp_path):
    before = lock.read_bytes()
    with Ledger(tmp_path/"new") as ledger: ledger.add([Hit("bird", "http://x/")])
    with pytest.raises(DatasetError, match="has no downloaded pictures to lock; download some first"):
        write_lock(tmp_path/"new", lock)
    assert lock.read_bytes() == before


def test_a_title_with_every_kind_of_line_end_is_one_line(lock, tmp_path):
    with Ledger(tmp_path/"d") as ledger: ledger.update(1, title="a\u2028b\x85c\x0bd\r\ne")
    write_lock(tmp_path/"d", lock)
    assert len(_rows(lock)) == 14


def _rows(lock):
    from birdornot import lock as module
    return module._read_lock(lock)


def test_files_are_compared_and_not_rows(web, lock, tmp_path):
    again(web, lock, tmp_path/"e")
    with Ledger(tmp_path/"e") as ledger: rows = [r for r in ledger.rows(label="small bird")]
    files = [tmp_path/"e"/r["original"] for r in rows]
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:-50] + bytes(50))
    assert Counter(r["fate"] for r in again(web, lock, tmp_path/"e").rows) == {"same": 14}
    assert all(hashlib.sha256(f.read_bytes()).hexdigest() == r["sha256"] for f, r in zip(files, rows))
    with Ledger(tmp_path/"e") as ledger: assert ledger.rows(label="small bird") == rows
    with Ledger(tmp_path/"e") as ledger, ledger.transaction():  # two addresses have gone dead, or hold another picture
        for r, url in zip(rows, ("/missing?9", "/good/900")):
            ledger.execute("UPDATE pictures SET image_url=? WHERE id=?", [web.url + url, r["id"]])
    text = lock.read_text().replace(rows[0]["image_url"] + '"', web.url + '/missing?9"')
    lock.write_text(text.replace(rows[1]["image_url"] + '"', web.url + '/good/900"'))
    for f in files[:2]: f.unlink()
    done = again(web, lock, tmp_path/"e")
    assert Counter(r["fate"] for r in done.rows) == {"same": 12, "changed": 1, "gone": 1}
    assert "1 × its file was lost, and no longer there (404)" in repr(done)


def test_decisions_of_a_lockfile_are_taken_over_where_nobody_has_decided(web, lock, tmp_path):
    download_images(tmp_path/"e", [Hit("small bird", f"{web.url}/good/{i}") for i in range(12)],
                    allow_hosts=[web.host], progress=False)
    clean_images(tmp_path/"e", progress=False)
    with Ledger(tmp_path/"e") as ledger: rows = ledger.rows(status="clean")
    assert len(rows) == 12
    decide(tmp_path/"e", rows[3]["id"], "keep")
    again(web, lock, tmp_path/"e")
    with Ledger(tmp_path/"e") as ledger: now = {r["id"]: r for r in ledger.rows()}
    aside = [r for r in rows if now[r["id"]]["status"] == "quarantined"]
    assert len(aside) == 10 and now[rows[3]["id"]]["status"] == "clean"
    assert not any((tmp_path/"e"/r["file"]).exists() for r in aside)
    assert all((tmp_path/"e"/now[r["id"]]["original"]).exists() for r in rows)
    for r in aside[:1]: assert now[r["id"]]["reason"].startswith("too small")
    kept = [r for r in now.values() if r["kept"]]
    assert {r["image_url"] for r in kept} >= {f"{web.url}/good/0"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_never_waited_for(web, lock, tmp_path):
    again(web, lock, tmp_path/"e")
    with Ledger(tmp_path/"e") as ledger: row = ledger.rows(label="small bird")[0]
    (tmp_path/"e"/row["original"]).unlink()
    os.mkfifo(tmp_path/"e"/row["original"])
    assert Counter(r["fate"] for r in again(web, lock, tmp_path/"e").rows) == {"same": 14}
    assert (tmp_path/"e"/row["original"]).is_file()
    os.mkfifo(tmp_path/"pipe.lock")
    with pytest.raises(DatasetError, match="is a folder, a pipe or a device; name a lockfile"):
        again(web, tmp_path/"pipe.lock", tmp_path/"f")


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as Unix does")
def test_a_full_disk_leaves_the_lockfile_that_was_there(lock, tmp_path):
    before = lock.read_bytes()
    code = ("import resource, sys; from birdornot.cli import main;"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500)); sys.exit(main(['lock', *sys.argv[1:]]))")
    command = [sys.executable, "-B", "-c", code, tmp_path/"d", "--out", lock]  # -B: half a module would be cached
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert lock.read_bytes() == before and not list(tmp_path.glob(".*"))
