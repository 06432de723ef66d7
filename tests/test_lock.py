"""A dataset made again from its lockfile: what is the same, what has rotted, and what was decided."""
import hashlib
import json
from collections import Counter

import pytest
from roughpictures import RoughWeb, picture

from birdornot.clean import clean_images, undo
from birdornot.cli import main
from birdornot.core import DatasetError
from birdornot.download import download_images
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


def test_rot_is_told_and_a_second_run_asks_for_nothing(web, lock, tmp_path):
    text = lock.read_text().replace("/good/3",
                                    "/missing?3").replace('/good/4"', '/html/4"').replace("/good/5", "/good/500")
    lock.write_text(text)
    done = rebuild(lock, tmp_path/"e", allow_hosts=[web.host], progress=False)
    assert Counter(r["fate"] for r in done.rows) == {"same": 11, "changed": 1, "gone": 2}
    assert "1 × no longer there (404)" in repr(done) and "1 × a web page, not a picture" in repr(done)
    asked = sum(web.asked.values())
    assert repr(rebuild(lock, tmp_path/"e", allow_hosts=[web.host], progress=False)) == repr(done)
    assert sum(web.asked.values()) == asked


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
    with pytest.raises(DatasetError, match="no birdornot lockfile"): rebuild(tmp_path/"x.lock", tmp_path/"d")
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
    assert "name its folder by --folder" in done.rows[0]["reason"]
    again = ["rebuild", str(tmp_path/"x.lock"), str(tmp_path/"d"), "--folder", str(tmp_path/"mine")]
    assert main(again) == 1 and "1 the same, 0 changed, 1 gone" in capsys.readouterr().out


def test_a_strangers_lockfile_stays_in_its_folder(web, tmp_path):
    rows = [dict(birdornot_lock=1, pictures=2),
            dict(label="../../out", term="x", image_url=web.url + "/good/1", sha256="0"*64),
            dict(label="in", term="x", image_url="http://169.254.169.254/", sha256="0"*64)]
    (tmp_path/"x.lock").write_text("\n".join(map(json.dumps, rows)))
    done = rebuild(tmp_path/"x.lock", tmp_path/"a/b", allow_hosts=[web.host], progress=False)
    assert [r["fate"] for r in done.rows] == ["changed", "gone"] and "private" in done.rows[1]["reason"]
    assert {p.name for p in tmp_path.iterdir()} == {"a", "x.lock"}
    assert {p.name for p in (tmp_path/"a").iterdir()} == {"b"}
