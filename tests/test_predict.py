"""Answers from the command line and with three packages alone: nothing is lost, written over or fetched unasked."""
import csv
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import tinymodel
from environment import put_in_environment
from PIL import Image
from program import birdornot
from roughpictures import RoughWeb

from birdornot.predict import Classifier, read_photo


@pytest.fixture
def place(tmp_path):
    "A model, and photos in folders: 30 sunsets, 20 seas, one note"
    tinymodel.folder(tmp_path/"model")
    for kind, n, colour in (("sunset", 30, (230, 120, 40)), ("sea", 20, (30, 90, 200))):
        (tmp_path/"photos"/kind).mkdir(parents=True)
        for i in range(n):
            Image.new("RGB", (60, 40), tuple(c + i//2 for c in colour)).save(tmp_path/"photos"/kind/f"{i:02}.jpg")
    (tmp_path/"photos"/"sea"/"note.jpg").write_text("buy milk")
    return tmp_path


def test_json_has_a_row_for_each(place):
    done = birdornot("predict", "model", "photos", "--json", cwd=place)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and len(rows) == 51 and "Traceback" not in done.stderr
    for r in rows:
        also = {"error"} if r["label"] is None else set()
        assert set(r) == {"path", "label", "labels", "probabilities", "unsure"} | also
        if r["label"]:
            assert r["labels"] == [r["label"]] == [Path(r["path"]).parent.name]
            assert abs(sum(r["probabilities"].values()) - 1) < 1e-6
    assert [r["path"] for r in rows] == sorted((r["path"] for r in rows), key=lambda p: (p.split("/")[1], p))


def test_patterns_and_zip(place):
    tinymodel.zipped(place/"model", place/"model.zip")
    done = birdornot("predict", "model.zip", "photos/**/0*.jpg", cwd=place)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 20
    assert not [f for f in place.iterdir() if f.name not in ("model", "model.zip", "photos")]


def test_table(place):
    done = birdornot("predict", "model", "photos", "--csv", "answers.csv", cwd=place)
    rows = list(csv.DictReader((place/"answers.csv").open(encoding="utf-8")))
    assert done.returncode == 1 and done.stdout == "" and "30 sunset, 20 sea, 1 refused" in done.stderr
    assert len(rows) == 51 and sum(bool(r["error"]) for r in rows) == 1
    assert all(abs(float(r["sunset"]) + float(r["sea"]) - 1) < 1e-5 for r in rows if not r["error"])


def test_sorting_copies_and_never_overwrites(place):
    before = {f: f.read_bytes() for f in (place/"photos").rglob("*.jpg")}
    for _ in range(2):
        assert birdornot("predict", "model", "photos", "--sort-into", "sorted", cwd=place).returncode == 1
    there = {f: f.read_bytes() for f in (place/"sorted").rglob("*") if f.is_file()}
    assert {f: f.read_bytes() for f in (place/"photos").rglob("*.jpg")} == before
    assert sorted(there.values()) == sorted(before.values())
    assert {d.name: len(list(d.iterdir())) for d in (place/"sorted").iterdir()} == dict(sunset=30, sea=20, refused=1)
    (place/"sorted"/"sea"/"00.jpg").write_bytes(b"the only copy of something else")
    birdornot("predict", "model", "photos", "--sort-into", "sorted", cwd=place)
    assert (place/"sorted"/"sea"/"00.jpg").read_bytes() == b"the only copy of something else"
    assert (place/"sorted"/"sea"/"00-2.jpg").read_bytes() == before[place/"photos"/"sea"/"00.jpg"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there each name is text")
def test_names_that_are_no_text(place, monkeypatch, capsys):
    """cases/latin1_names: the zip of an old Windows ended predict in a traceback."""
    from birdornot.cli import main
    monkeypatch.chdir(place)
    for name in (b"a", b"V\xf6gel", b"z"): shutil.copy("photos/sea/00.jpg", os.fsencode("photos/") + name + b".jpg")
    shutil.rmtree("photos/sunset")
    (place/"photos/sea/note.jpg").unlink()
    assert main(["predict", "model", "photos", "--csv", "a.csv"]) == 0
    assert "V\\udcf6gel.jpg" in Path("a.csv").read_text() and len(Path("a.csv").read_text().splitlines()) == 24
    env = dict(os.environ, PYTHONIOENCODING="utf-8:strict")
    for words in ([], ["--json"]):
        done = birdornot("predict", "model", "photos", *words, cwd=place, env=env)
        assert done.returncode == 0 and len(done.stdout.splitlines()) == 23 and "V\\udcf6gel.jpg" in done.stdout
    with open(os.fsencode("photos") + b"/V\xf6gel.jpg", "rb") as f: data = f.read()
    from birdornot.download import download_images
    from birdornot.hits import Query, folder_hits
    os.makedirs("mine/sea")
    with open(os.fsencode("mine/sea") + b"/V\xf6gel.jpg", "wb") as f: f.write(data)
    got = download_images("set", list(folder_hits(Query("sea", "sea", folder="mine"))), progress=False)
    assert got.counts == {"sea": dict(downloaded=1, failed=0)}


def test_sorted_photos_below_the_photos_are_not_asked_again(place):
    for _ in range(2): birdornot("predict", "model", "photos", "--sort-into", "photos/sorted", cwd=place)
    assert len(list((place/"photos"/"sorted").rglob("*.jpg"))) == 51


def test_unsure_and_foreign_labels_have_safe_folders(place):
    "Threat: labels and titles as paths"
    tinymodel.folder(place/"odd", labels=["../../sunset", "sea"], unsure=dict(min_confidence=0.999999))
    done = birdornot("predict", "odd", "photos/sunset/00.jpg", "--sort-into", "sorted", cwd=place)
    assert done.returncode == 0 and (place/"sorted"/"unsure"/"00.jpg").exists()
    shutil.rmtree(place/"odd")
    tinymodel.folder(place/"odd", labels=["Red sky 鸟", "sea"])
    birdornot("predict", "odd", "photos/sunset/00.jpg", "--sort-into", "sorted", cwd=place)
    assert (place/"sorted"/"Red sky 鸟"/"00.jpg").exists()  # called as the class is
    shutil.rmtree(place/"odd")
    tinymodel.folder(place/"odd", labels=["../../sunset", "sea"])
    birdornot("predict", "odd", "photos/sunset/00.jpg", "--sort-into", "sorted", cwd=place)
    assert (place/"sorted"/"sunset"/"00.jpg").exists() and not (place.parent/"sunset").exists()


def test_nothing_there(place):
    for words, text in ((["nothing.jpg"], "no file or folder 'nothing.jpg'"), (["model/*.gif"], "no file or folder"),
                        (["photos/sea/none"], "no file or folder")):
        done = birdornot("predict", "model", *words, cwd=place)
        assert done.returncode == 1 and text in done.stderr and "Traceback" not in done.stderr


def test_addresses_go_through_the_safe_downloader(place):
    with RoughWeb() as web:
        done = birdornot("predict", "model", f"{web.url}/good/1", "photos/sea/00.jpg", cwd=place)
        assert done.returncode == 1 and "private address, blocked for safety; save the photo" in done.stdout
        assert web.connections == 0
        assert "00.jpg: sea" in done.stdout


def test_an_address_that_may_be_fetched(place, monkeypatch):
    from birdornot import predict
    from birdornot.download import Fetcher
    with RoughWeb() as web, Fetcher(allow_hosts=[web.host]) as fetcher:
        monkeypatch.setattr(predict, "_photo_fetcher", lambda: fetcher)
        assert read_photo(f"{web.url}/good/1").size == (64, 48)
        said = list(Classifier(place/"model").predict_many([f"{web.url}/{k}" for k in ("good/1", "html", "missing")]))
        assert [bool(p.error) for p in said] == [False, True, True] and said[1].path.endswith("/html")


def test_folder_of_thousands_in_little_memory(place):
    "A generator is read only a little ahead of the answers"
    taken = 0
    def photos():
        nonlocal taken
        while True:
            taken += 1
            yield place/"photos"/"sea"/"00.jpg"
    clf, said = Classifier(place/"model", threads=2), 0
    for _ in clf.predict_many(photos()):
        said += 1
        assert taken - said <= 10
        if said == 200: break


def _wheel(src, place):
    "A wheel of this package"
    code = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, str(place)], cwd=src, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return str(next(place.glob("*.whl")))


def test_three_packages_are_enough(place, package_source):
    "An environment with ONNX Runtime, numpy and Pillow, and a wheel of ours installed without dependencies"
    venv.create(place/"env", with_pip=False)
    python = str(place/"env"/("Scripts" if os.name == "nt" else "bin")/"python")
    site = Path(sysconfig.get_path("purelib", "venv", dict(base=place/"env")))
    for name in ("onnxruntime", "numpy", "pillow"): put_in_environment(name, place/"env")
    shutil.unpack_archive(_wheel(package_source, place), site, "zip")
    code = """import sys; from birdornot.predict import Classifier; clf = Classifier("model")
print([str(p) for p in clf.predict_many(["photos/sea/00.jpg", "photos/sea/note.jpg", "https://example.com/a.jpg"])])
print(sorted({'torch', 'fastai', 'fastcore', 'pandas', 'onnx', 'requests', 'matplotlib'} & set(sys.modules)))"""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run([python, "-I", "-c", code], cwd=place, capture_output=True, text=True, env=clean)
    answers, heavy = done.stdout.splitlines() or [done.stderr, ""]
    assert "sea (" in answers and "refused" in answers and "pip install birdornot" in answers and heavy == "[]", done
    listed = subprocess.run([python, "-I", "-c",
                             "import importlib.metadata as m; "
                             "print(*sorted({d.name.lower() for d in m.distributions()}))"],
                            capture_output=True, text=True).stdout.split()
    assert {"birdornot", "onnxruntime", "numpy", "pillow"} < set(listed), listed
    assert not {"torch", "fastai", "fastcore", "requests"} & set(listed), listed
