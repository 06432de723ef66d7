"""The drawn sample as a whole: the same everywhere, true to its answers, and the same over HTTP."""
import hashlib
import inspect
import io
import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import imagehash
import pytest
import requests
from PIL import Image, ImageOps

from birdornot.drawing import KINDS, draw
from birdornot.sample import (
    FAULTS,
    NEAR_DUPLICATES,
    SampleWeb,
    make_sample,
    near_duplicate_variant,
    parse_sample_name,
    sample_name,
    sample_picture,
)

SOME = [("bird", 5, ""), ("forest", 6, "near_duplicate"), ("thing", 3, "exif_rotated"), ("bird", 1, "animated"),
        ("forest", 2, "transparent"), ("thing", 4, "wrong_label")]


drawn = inspect.unwrap(sample_picture)  # now, and not by an earlier test


def digest(data): return hashlib.sha256(data).hexdigest()


def phash(im): return imagehash.phash(im.convert("RGB"), hash_size=16)


def test_same_in_another_process():
    "Neither the hash seed of Python nor global random state nor the order of calls may matter."
    program = ("import sys, json, hashlib, random, numpy; random.seed(1); numpy.random.seed(1)\n"
               "from birdornot.sample import sample_picture\n"
               "print(json.dumps([hashlib.sha256(sample_picture(k, i, "
               "fault=f)).hexdigest() for k, i, f in json.loads(sys.argv[1])]))")
    there = subprocess.run([sys.executable, "-c", program, json.dumps(SOME[::-1])],
                           capture_output=True, text=True, check=True,
                           env={"PYTHONHASHSEED": "7", "PATH": ""})
    assert json.loads(there.stdout)[::-1] == [digest(drawn(k, i, fault=f)) for k, i, f in SOME]


def test_same_in_threads():
    alone = [digest(drawn(k, i, fault=f)) for k, i, f in SOME]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda o: digest(drawn(o[0], o[1], fault=o[2])), SOME)) == alone


def test_seeds_and_kinds_differ():
    assert len({draw(kind, 3, seed).tobytes() for kind in KINDS for seed in (1, 2)}) == 6


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_look_different(kind):
    "Originals stay farther apart than the threshold for near duplicates; copies, also mirrored back, stay within."
    hashes = [phash(Image.open(io.BytesIO(sample_picture(kind, i)))) for i in range(18)]
    assert min(a - b for k, a in enumerate(hashes) for b in hashes[:k]) > 70
    for i in range(0, 18, 2):
        copy = Image.open(io.BytesIO(sample_picture(kind, i, fault="near_duplicate")))
        if near_duplicate_variant(i) == "mirrored": copy = ImageOps.mirror(copy)
        assert phash(copy) - hashes[i] <= 70, near_duplicate_variant(i)


def test_make_sample(tmp_path):
    answers = make_sample(tmp_path, n=2, kinds=("forest", "bird"), seed=5, faults=2)
    files = {f.relative_to(tmp_path).as_posix(): f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    assert sorted(files) == sorted(o["path"] for o in answers) and len(files) == 2*2 + 2*len(FAULTS)
    assert Counter(o["fault"] for o in answers) == {"": 4} | dict.fromkeys(FAULTS, 2)
    assert all(sum(o["kind"] == kind for o in answers if o["fault"] == fault) == 1
               for fault in FAULTS for kind in ("bird", "forest"))
    for o in answers:
        assert o["path"].startswith(o["kind"] + "/") and (o["original"] in files) == o["fault"].endswith("duplicate")
        assert (o["truth"] == o["kind"]) == (o["fault"] not in ("wrong_label", "html"))
        assert files[o["path"]] == sample_picture(**parse_sample_name(f"5/{o['path']}"))
    same = Counter(map(digest, files.values()))
    assert sum(n - 1 for n in same.values()) == 2  # the exact duplicates, and no accident besides


def test_folder_is_what_was_asked_for(tmp_path):
    assert [o["path"] for o in make_sample(tmp_path/"new"/"place", n=1, kinds=["thing"])] == ["thing/0000.jpg"]
    assert make_sample(tmp_path, n=0) == []
    with pytest.raises(ValueError, match="kind 'fish' is not known"): make_sample(tmp_path, n=1, kinds=("fish",))
    odd = make_sample(tmp_path, n=1, kinds=("bird",), faults={"tiny": 3})
    assert [o["fault"] for o in odd] == ["", "tiny", "tiny", "tiny"] and len({o["path"] for o in odd}) == 4


def test_every_variant_is_real():
    original = Image.open(io.BytesIO(sample_picture("thing", 0)))
    sizes = {near_duplicate_variant(i): Image.open(io.BytesIO(sample_picture("thing", i, fault="near_duplicate"))).size
             for i in range(6)}
    assert set(sizes) == set(NEAR_DUPLICATES) and original.format == "JPEG" and original.mode == "RGB"


def test_web_serves_the_sample():
    with SampleWeb(seed=3, n=25) as web:
        for kind in KINDS:
            replies = [requests.get(f"{web.url}/v1/images/", params=dict(q=kind, page=page)).json()
                       for page in (1, 2, 3)]
            works = [work for reply in replies for work in reply["results"]]
            assert [reply["page_count"] for reply in replies] == [2, 2, 2]
            assert len(works) == replies[0]["result_count"] == 25
            answers = web.answers(kind)
            assert [work["url"] for work in works] == [f"sample://pictures/{o['name']}" for o in answers]
            assert sum(o["fault"] != "" for o in answers) == 2 and len({work["id"] for work in works}) == 25
        names = [sample_name("bird", 2, 3), sample_name("thing", 9, 8, "html"),
                 sample_name("forest", 1, 3, "transparent"),
                 sample_name("forest", 1, 3, "animated")]
        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda name: requests.get(f"{web.url}/pictures/{name}"), names*4))
    assert [r.content for r in got] == [sample_picture(**parse_sample_name(name)) for name in names]*4
    assert [r.headers["Content-Type"] for r in got[:4]] == ["image/jpeg", "image/jpeg", "image/png", "image/gif"]


def test_replies_do_not_depend_on_the_port():
    with SampleWeb(n=5) as one, SampleWeb(n=5) as two:
        assert one.url != two.url
        said = [requests.get(f"{w.url}/v1/images/?q=bird").content for w in (one, two)]
        assert said[0] == said[1]


def test_no_faults_and_faults_all_in_turn():
    assert not any(o["fault"] for o in SampleWeb(faults=0).answers("bird"))
    for kind in KINDS:
        planted = [o for o in SampleWeb(n=100).answers(kind) if o["fault"]]
        assert sorted(o["fault"] for o in planted) == sorted(FAULTS)
        good = {o["name"] for o in SampleWeb(n=100).answers(kind) if not o["fault"]}
        assert all(o["original"] in good for o in planted if o["original"])
