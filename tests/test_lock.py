"""A dataset made again from its lockfile: what is the same, what has rotted, and what was decided."""
import json
from collections import Counter

import pytest
from roughpictures import RoughWeb

from birdornot.clean import clean_images, undo
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


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json", '{"birdornot_lock": 2}',
                                  '{"birdornot_lock": 1}\n{"image_url": "http://x/"}', "\0"])
def test_what_is_no_lockfile(tmp_path, text):
    (tmp_path/"x.lock").write_text(text)
    with pytest.raises(DatasetError, match="no birdornot lockfile"): rebuild(tmp_path/"x.lock", tmp_path/"d")
    assert not (tmp_path/"d").exists()


def test_a_strangers_lockfile_stays_in_its_folder(web, tmp_path):
    rows = [dict(birdornot_lock=1, pictures=2),
            dict(label="../../out", term="x", image_url=web.url + "/good/1", sha256="../../y"),
            dict(label="in", term="x", image_url="http://169.254.169.254/", sha256="0")]
    (tmp_path/"x.lock").write_text("\n".join(map(json.dumps, rows)))
    done = rebuild(tmp_path/"x.lock", tmp_path/"a/b", allow_hosts=[web.host], progress=False)
    assert [r["fate"] for r in done.rows] == ["changed", "gone"] and "private" in done.rows[1]["reason"]
    assert {p.name for p in tmp_path.iterdir()} == {"a", "x.lock"}
    assert {p.name for p in (tmp_path/"a").iterdir()} == {"b"}
