"""The dataset means what the user's folders say: where things lie, whose they are, and what is trained on."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from birdornot.clean import clean_images
from birdornot.cli import main
from birdornot.download import download_images
from birdornot.ledger import Ledger
from birdornot.project import layout_of, lesson_layout
from birdornot.search import search_images
from birdornot.split import ledger_rows, picture_files, split_files


def draw(file: Path, seed: int) -> Path:
    "A small picture of coloured squares that looks like no other"
    squares = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(squares).resize((80, 64), Image.Resampling.NEAREST).save(file)
    return file


def own_folder(path: Path, n=8, labels=("bird", "forest")) -> Path:
    "A folder of the user's own"
    for k, label in enumerate(labels):
        for i in range(n): draw(path/label/f"{label} {i}.png", 100*k + i)
    return path


def project(path: Path, source: Path, labels=("bird", "forest")) -> Path:
    "A project made of a folder of the user's own"
    for label in labels:
        download_images(path, search_images(label, n=999, source="folder", folder=source), progress=False)
    clean_images(path, workers=1, progress=False)
    return path


def tree(path: Path) -> dict:
    "Name → content of all files in and below a folder, but for SQLite's own"
    files = (f for f in sorted(path.rglob("*")) if f.is_file() and not f.name.endswith(("-wal", "-shm")))
    return {f.relative_to(path).as_posix(): f.read_bytes() for f in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    where = tmp_path_factory.mktemp("made")
    return project(where/"bird_or_forest", own_folder(where/"mine"))


@pytest.fixture
def here(made, tmp_path):
    "The project, to be changed"
    return shutil.copytree(made, tmp_path/"bird_or_forest")


def old(path: Path) -> Path:
    "Make a project look as an earlier birdornot left it"
    for d in (path/"photos").iterdir(): d.rename(path/d.name)
    (path/"photos").rmdir()
    (path/"originals").rename(path/".originals")
    (path/".originals"/".part").mkdir()
    for name in (".quarantine", ".learner", ".embeddings"): (path/name).mkdir(exist_ok=True)
    (path/".learner"/"learner.json").write_text("{}")
    (path/".embeddings"/"x.sqlite").touch()
    (path/".lock").touch()
    (path/"ledger.lock").unlink(missing_ok=True)
    with closing(sqlite3.connect(path/"ledger.sqlite")) as db, db:
        db.execute("DROP TABLE about")
        db.execute("ALTER TABLE pictures DROP COLUMN copy_sha256")
        db.execute("UPDATE pictures SET original = '.' || original, file = replace(file, 'photos/', '')")
    return path


def test_photos_holds_the_clean_set_and_nothing_else(made):
    assert {f.name for f in made.iterdir() if f.is_dir()} == {"photos", "originals"}
    assert {f.name for f in (made/"photos").iterdir()} == {"bird", "forest"}
    assert {f.suffix for f in (made/"photos").rglob("*") if f.is_file()} == {".jpg"}
    assert len(picture_files(made)) == 16 and not list(made.rglob(".*"))


def test_a_project_and_its_photos_are_one_dataset(here, monkeypatch):
    assert picture_files(here) == picture_files(here/"photos")
    assert split_files(here/"photos")[1:] == split_files(here)[1:]
    assert all(r["split"] for r in ledger_rows(here/"photos", picture_files(here)))
    monkeypatch.chdir(here/"photos")
    assert len(split_files(".")[0]) == 16 and {f.name for f in Path().iterdir()} == {"bird", "forest"}


def test_a_folder_of_the_users_own_is_never_written_into(tmp_path, capsys):
    photos = own_folder(tmp_path/"photos")
    before = tree(photos)
    assert main(["train", str(photos)]) == 0
    trained = capsys.readouterr()
    assert "photos_birdornot takes the results" in trained.err
    for words in (["evaluate"], ["suspects"], ["leak", "--seeds", "2"], ["report"], ["export"]):
        assert main([words[0], str(photos), *words[1:]]) == 0, capsys.readouterr().err
    assert tree(photos) == before
    assert {f.name for f in tmp_path.iterdir()} == {"photos", "photos_birdornot"}
    there = {f.name for f in (tmp_path/"photos_birdornot").iterdir()}
    assert {"training", "model", "report.html", "ledger.sqlite"} <= there
    capsys.readouterr()
    for path in (tmp_path/"photos_birdornot", photos): assert main(["evaluate", str(path)]) == 0
    said = capsys.readouterr().out
    assert said[:len(said)//2] == said[len(said)//2:]
    (tmp_path/"moved").mkdir()  # both together
    for name in ("photos", "photos_birdornot"): (tmp_path/name).rename(tmp_path/"moved"/name)
    assert main(["evaluate", str(tmp_path/"moved"/"photos_birdornot")]) == 0


def test_results_go_to_out(tmp_path, capsys):
    photos = own_folder(tmp_path/"photos")
    assert main(["train", str(photos), "--out", str(tmp_path/"far"/"results")]) == 0
    assert not (tmp_path/"photos_birdornot").exists() and (tmp_path/"far"/"results"/"training").is_dir()
    assert main(["evaluate", str(tmp_path/"far"/"results")]) == 0
    capsys.readouterr()
    assert main(["train", str(tmp_path/"far"/"results"), "--out", str(tmp_path/"b")]) == 0
    project(tmp_path/"made", photos)
    capsys.readouterr()
    assert main(["train", str(tmp_path/"made"), "--out", str(tmp_path/"c")]) == 1
    assert "leave out --out" in capsys.readouterr().err and not (tmp_path/"c").exists()
    assert main(["train", str(tmp_path/"far"), "--out", str(tmp_path/"d")]) == 1 and not (tmp_path/"d").exists()


def test_pictures_are_not_put_among_the_users_own(tmp_path, capsys):
    photos = own_folder(tmp_path/"photos")
    before = tree(photos)
    assert main(["make", "bird", "forest", "--source", "sample", "--n", "5", "--out", str(photos)]) == 1
    assert "holds pictures of your own" in capsys.readouterr().err
    assert tree(photos) == before and {f.name for f in tmp_path.iterdir()} == {"photos"}


def test_embeddings_lie_in_the_users_cache(tmp_path, monkeypatch):
    from birdornot.cache import cache_contents, cache_dir, empty_cache
    from birdornot.embed import backbone_onnx, embed_files
    body = backbone_onnx()
    monkeypatch.setenv("BIRDORNOT_CACHE", str(tmp_path/"cache"))
    for f in (body, body.with_suffix(".safetensors")): shutil.copy(f, cache_dir())
    files = picture_files(own_folder(tmp_path/"photos", n=3))
    x = embed_files(files, progress=False)
    shutil.copytree(tmp_path/"photos", tmp_path/"again"/"deeper")
    monkeypatch.setattr("birdornot.embed.Embedder", None)  # nothing has to be computed for another dataset
    assert (embed_files(picture_files(tmp_path/"again"), progress=False) == x).all()
    assert [r["pictures"] for r in cache_contents() if r["pictures"]] == [6]
    assert {f.name for f in tmp_path.iterdir()} == {"cache", "photos", "again"}
    assert empty_cache() > 10e6 and cache_contents() == []


def test_a_moved_file_keeps_its_facts(here):
    from birdornot.card import attribution, slices
    from birdornot.evaluate import Evaluation
    from birdornot.report import write_report
    split_files(here)
    with Ledger(here) as ledger:
        row = ledger.rows(label="bird")[0]
        ledger.update(row["id"], author="Ann Lee", licence="CC BY 4.0", title="A robin in Kew")
    dragged = here/"photos"/"forest"/"a nicer name.jpg"
    shutil.move(here/row["file"], dragged)
    mine, = [r for r in attribution(here, picture_files(here)) if r["file"] == "forest/a nicer name.jpg"]
    assert (mine["author"], mine["code"], mine["label"]) == ("Ann Lee", "by", "forest")
    assert split_files(here)[0] and ledger_rows(here, [dragged])[0]["split"] in ("train", "valid")
    files = picture_files(here)
    result = Evaluation(["bird", "forest"], np.zeros(16, int), np.tile([.9, .1], (16, 1)), files)
    assert {"found by folder"} <= {s["slice"] for s in slices(result, here)}
    page = write_report(here).read_text(encoding="utf-8")
    assert page.count("<img") >= 16 and 'class="lost"' not in page


def names(ledger): return {r["id"]: (r["label"], r["status"], r["original"], r["file"]) for r in ledger.rows()}


@pytest.mark.parametrize("steps", [0, *range(1, 7)])
def test_an_old_project_is_brought_to_the_new_layout(here, monkeypatch, capsys, steps):
    """However often a move is killed, between any two of its steps, the next one goes on from there."""
    with Ledger(here) as ledger: facts = names(ledger)
    photos = tree(here/"photos")
    old(here)
    (here/"figures").mkdir()
    draw(here/"figures"/"plot.png", 1)
    assert layout_of(here).kind == "old"
    rename, calls = os.rename, []

    def killed(*names):
        calls.append(names)
        if len(calls) == steps: raise KeyboardInterrupt
        rename(*names)
    monkeypatch.setattr(os, "rename", killed)
    if steps:
        with pytest.raises(KeyboardInterrupt): picture_files(here)
    assert len(picture_files(here)) == 16
    assert "is brought to today's layout" in capsys.readouterr().err
    assert tree(here/"photos") == photos and layout_of(here).kind == "project"
    with Ledger(here) as ledger: assert names(ledger) == facts
    folders = {f.name for f in here.iterdir() if f.is_dir()}
    assert folders == {"photos", "originals", "quarantine", "training", "figures"}
    assert not list(here.rglob(".*")) and (here/"training"/"learner.json").exists()
    assert [r["label"] for r in ledger_rows(here, picture_files(here))] == ["bird"]*8 + ["forest"]*8  # by name
    report = clean_images(here, workers=1, progress=False)
    assert report.counts == {k: dict(clean=8, quarantined=0) for k in ("bird", "forest")}
    assert tree(here/"photos") == photos
    assert capsys.readouterr().err == ""


def test_the_undoing_of_old_decisions_knows_the_new_names(here):
    from birdornot.review import decide, undo_decision
    with Ledger(here) as ledger: row = ledger.rows(label="bird")[0]
    decide(here, row["id"], "move", "forest", who="me")
    with Ledger(here) as ledger: changes = ledger.execute("SELECT id, changes FROM decisions")
    old(here)
    with closing(sqlite3.connect(here/"ledger.sqlite")) as db, db:
        for r in changes:
            names = r["changes"].replace('"photos/', '"')
            for name in ("originals", "quarantine"): names = names.replace(f'"{name}/', f'".{name}/')
            db.execute("UPDATE decisions SET changes = ? WHERE id = ?", (names, r["id"]))
    undo_decision(here, who="me")
    with Ledger(here) as ledger: again = ledger.rows(id=row["id"])[0]
    assert (again["status"], again["file"]) == ("clean", row["file"]) and (here/row["file"]).exists()


def test_what_is_in_the_way_of_the_new_layout_is_named(here):
    old(here)
    (here/"training").mkdir()
    (here/"training"/"diary.txt").touch()
    with pytest.raises(Exception, match="training' is in the way of today's layout; rename it"): picture_files(here)
    (here/"training"/"diary.txt").rename(here/"diary.txt")
    (here/"training").rmdir()
    assert len(picture_files(here)) == 16 and (here/"diary.txt").exists()


READ = """
import json, sys
from birdornot.split import duplicate_groups, ledger_rows, picture_files, split_files
from birdornot.ledger import Ledger
path = sys.argv[1]
files = picture_files(path)
rows = ledger_rows(path, files)
print(json.dumps([[f.parent.name for f in files], [r["file"] for r in rows], [r["original"] for r in rows],
                  len(set(duplicate_groups(path, files))), len(split_files(path)[0]), Ledger(path).read_only]))
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a mount of its own")
@pytest.mark.parametrize("layout", ["old", "new"])
def test_a_read_only_dataset_is_read_as_it_is(here, tmp_path, layout):
    if layout == "old": old(here)
    before = tree(here)
    inner = f"mount --bind {here} {here} && mount -o remount,ro,bind {here} && {sys.executable} -c '{READ}' {here}"
    done = subprocess.run(["unshare", "-m", "sh", "-c", inner], capture_output=True, text=True)
    if "not permitted" in done.stderr or "unshare" in done.stderr: pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    labels, files, originals, groups, n, read_only = json.loads(done.stdout)
    assert labels == ["bird"]*8 + ["forest"]*8 and n == 16 and read_only and tree(here) == before
    assert {f.split("/")[0] for f in files} == {"photos"} and {f.split("/")[0] for f in originals} == {"originals"}


def test_the_lessons_path_stays_what_it_is(tmp_path):
    """Class folders with a ledger beside them: no folder is put among the classes, hidden or not."""
    path = own_folder(tmp_path/"bird_or_not")
    with Ledger(lesson_layout(path)): pass
    assert layout_of(path).kind == "lesson"
    assert layout_of(path).originals == tmp_path/"bird_or_not_birdornot"/"originals"
    assert main(["train", str(path)]) == 0
    assert {f.name for f in path.iterdir() if f.is_dir()} == {"bird", "forest"}
    assert (tmp_path/"bird_or_not_birdornot"/"training").is_dir()
    hits = search_images("bird", n=99, source="folder", folder=own_folder(tmp_path/"more"))
    download_images(path, hits, progress=False)
    assert {f.name for f in path.iterdir() if f.is_dir()} == {"bird", "forest"}
    assert len(list((tmp_path/"bird_or_not_birdornot"/"originals"/"bird").iterdir())) == 8


def test_a_ledger_alone_is_no_old_project(here):
    old(here)
    shutil.rmtree(here/".originals")
    before = tree(here)
    assert layout_of(here).kind == "lesson" and len(picture_files(here)) == 16
    assert {k for k in tree(here) if k.endswith(".jpg")} == {k for k in before if k.endswith(".jpg")}


@pytest.mark.parametrize("name", ["photos/../../../etc/passwd", "/etc/passwd", "..", "photos"])
def test_a_ledger_names_no_file_outside_its_dataset(here, name):
    with Ledger(here) as ledger: ledger.update(ledger.rows()[0]["id"], original=name, status="downloaded", file=name)
    with pytest.raises(Exception, match="not in its dataset"): clean_images(here, workers=1, progress=False)
