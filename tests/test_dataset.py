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
    assert "do without --out" in capsys.readouterr().err and not (tmp_path/"c").exists()
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
    from birdornot.card import attribution, errors_by_slice
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
    assert {"found by folder"} <= {s["slice"] for s in errors_by_slice(result, here)}
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


# 2: what is trained on has been seen, and copies lie on one side

def refused(capsys, *words) -> str:
    "The one line in which a command refuses"
    capsys.readouterr()
    assert main([*map(str, words)]) == 1
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("folder,out", [("mine", "mine"), ("mine", "mine/deep/out"), ("around/mine", "around"),
                                        ("link", "mine/out"), ("mine", "link"), ("classes", "made")])
def test_out_is_folder(tmp_path, capsys, folder, out):
    """cases/out_is_folder: originals and copies were mixed, and every held-out picture had its twin in training."""
    own_folder(tmp_path/"mine")
    own_folder(tmp_path/"around"/"mine")
    (tmp_path/"link").symlink_to(tmp_path/"mine")
    if folder == "classes":  # class folders that lead into the dataset
        project(tmp_path/"made", tmp_path/"mine")
        (tmp_path/"classes").mkdir()
        for label in ("bird", "forest"): (tmp_path/"classes"/label).symlink_to(tmp_path/"made"/"photos"/label)
    before = tree(tmp_path)
    words = "make", "bird", "forest", "--folder", tmp_path/folder, "--out", tmp_path/out
    assert "are one inside the other" in (line := refused(capsys, *words)) or "holds pictures of your own" in line
    assert {k: v for k, v in tree(tmp_path).items() if "ledger" not in k} == {k: v for k, v in before.items()
                                                                              if "ledger" not in k}
    assert "are one inside the other" in refused(capsys, "train", tmp_path/"mine", "--out", tmp_path/"mine"/"out")
    assert not (tmp_path/"mine"/"out").exists()


def test_what_the_ledger_does_not_know_is_not_trained_on(here, capsys):
    photo = draw(here/"photos"/"bird"/"dropped in.png", 555)
    twin = here/"photos"/"bird"/"another name.jpg"
    known = picture_files(here)[1]
    Image.open(known).save(twin, quality=60)  # a copy of what is there
    with pytest.raises(Exception, match="in .*, 2 files are not in the ledger, the first: bird/.*; `birdornot clean"):
        split_files(here)
    assert main(["train", str(here)]) == 0
    said = capsys.readouterr().err
    assert "follow    2 added (2 bird)" in said and "classes   bird 10, forest 8" in said
    assert not photo.exists() and not twin.exists()  # originals now, with clean copies in photos
    files = picture_files(here)
    rows = dict(zip(files, ledger_rows(here, files)))
    assert len(rows) == 18 and {f.suffix for f in files} == {".jpg"}
    mine = {r["title"]: r for r in rows.values()}
    assert mine["dropped in.png"]["source"] == "by hand" and mine["dropped in.png"]["split"] in ("train", "valid")
    assert mine["another name.jpg"]["dup_group"] == rows[known]["dup_group"]
    assert mine["another name.jpg"]["split"] == rows[known]["split"]


def test_a_broken_file_dropped_in_is_refused_with_its_reason(here, capsys):
    (here/"photos"/"bird"/"notes.jpg").write_text("seed, bread, milk")
    assert main(["clean", str(here)]) == 0
    with Ledger(here) as ledger: row, = ledger.rows(title="notes.jpg")
    assert row["status"] == "quarantined" and "not a picture" in row["reason"]
    assert len(picture_files(here)) == 16 and (here/row["original"]).read_text() == "seed, bread, milk"


def test_the_leak_compares_content_not_rows(here):
    from birdornot.split import duplicate_groups, known_files
    first = picture_files(here)[0]
    shutil.copy(first, first.with_name("the same.jpg"))
    files = known_files(here)  # its content is known, whatever its name
    groups = duplicate_groups(here, files)
    assert len(files) == 17 and len(set(groups)) == 16
    assert groups[files.index(first)] == groups[files.index(first.with_name("the same.jpg"))]


# 3: the classes are the words given, and the outermost folders

def test_other_words_ask_for_another_folder(here, capsys):
    before = tree(here/"photos")
    line = refused(capsys, "make", "bird", "dog", "--source", "sample", "--n", "9", "--out", here)
    assert "has pictures of forest, too" in line and "--out" in line and "bird dog forest" in line
    assert tree(here/"photos") == before
    (here/"photos"/"owl").mkdir()  # a class made by hand is one of the classes, too
    draw(here/"photos"/"owl"/"1.png", 77)
    assert "owl" in refused(capsys, "make", "bird", "forest", "--source", "sample", "--n", "9", "--out", here)


def test_figures_are_no_class(here, capsys):
    draw(here/"figures"/"plot.png", 1)
    draw(here/"plot.png", 2)
    assert main(["train", str(here)]) == 0
    assert "classes   bird 8, forest 8" in capsys.readouterr().err
    assert (here/"figures"/"plot.png").exists() and len(picture_files(here)) == 16


def test_the_class_is_the_outermost_folder(tmp_path, capsys):
    """cases/nested_train: it trained "2021 or 2022?" without naming the classes."""
    from birdornot.suspects import find_suspects
    photos = tmp_path/"photos"
    for k, label in enumerate(("bird", "not_bird")):
        for i in range(10): draw(photos/label/("2021" if i % 2 else "2022")/f"{i}.png", 100*k + i)
    assert main(["train", str(photos)]) == 0
    said = capsys.readouterr()
    assert "classes   bird 10, not_bird 10" in said.err
    assert main(["evaluate", str(photos), "--json"]) == 0
    assert [r["label"] for r in json.loads(capsys.readouterr().out)["per_class"]] == ["bird", "not_bird"]
    assert {r["label"] for r in find_suspects(photos, progress=False).rows} == {"bird", "not_bird"}
    assert main(["leak", str(photos), "--seeds", "2"]) == 0
    assert main(["make", "bird", "not_bird", "--folder", str(photos), "--out", str(tmp_path/"made"), "--json"]) == 0
    made = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert made["pictures"] == {"bird": 10, "not_bird": 10}
    assert main(["evaluate", str(photos), "--model", str(tmp_path/"made"/"model")]) == 0


# 4: the folders are followed

def again(path: Path, folder: Path, *words, n=None):
    "What `make` does before it trains"
    from birdornot.follow import refresh
    from birdornot.make import check_words, find_missing
    refresh(path)
    check_words(words, path)
    download_images(path, find_missing([*words], path, n, folder=folder), progress=False)
    return clean_images(path, workers=1, progress=False)


def classes(path: Path) -> dict:
    "Label → how many pictures, as training sees them"
    from collections import Counter

    from birdornot.project import label_of
    return dict(Counter(label_of(path, f) for f in picture_files(path)))


def test_more_photos_than_are_asked_of_the_web(tmp_path, monkeypatch):
    """cases/more_photos: photos added to a class that had 120 already were never read."""
    monkeypatch.setattr("birdornot.make.WANTED", 6)
    folder, path = own_folder(tmp_path/"mine", n=6), tmp_path/"made"
    again(path, folder, "bird", "forest")
    for i in range(3): draw(folder/"forest"/f"new {i}.png", 900 + i)
    again(path, folder, "bird", "forest")
    assert classes(path) == {"bird": 6, "forest": 9}
    draw(folder/"bird"/"x.png", 950)
    again(path, folder, "bird", "forest", n=6)  # no more than are asked for
    assert classes(path) == {"bird": 6, "forest": 9}


def test_the_source_folder_is_followed(tmp_path, capsys):
    folder, path = own_folder(tmp_path/"mine"), tmp_path/"made"
    again(path, folder, "bird", "forest")
    (folder/"bird"/"bird 0.png").rename(folder/"forest"/"it was a wood.png")  # moved to its right class
    (folder/"bird"/"bird 1.png").unlink()  # removed
    draw(folder/"forest"/"forest 2.png", 800)  # replaced
    draw(folder/"forest"/"forest 99.png", 801)  # added
    (folder/"forest"/"forest 3.png").rename(folder/"forest"/"a better name.png")  # renamed
    capsys.readouterr()
    again(path, folder, "bird", "forest")
    assert ("follow    1 added (1 forest), 1 moved (1 from bird to forest), 1 removed (1 bird), 1 replaced (1 forest)"
            in capsys.readouterr().err)
    assert classes(path) == {"bird": 6, "forest": 10}
    with Ledger(path) as ledger: titles = {r["title"]: r["label"] for r in ledger.rows(status="clean")}
    assert titles["it was a wood.png"] == "forest" and "bird 1.png" not in titles and "a better name.png" in titles
    again(path, folder, "bird", "forest")
    assert "follow " not in capsys.readouterr().err and classes(path) == {"bird": 6, "forest": 10}
    for _ in range(3): assert main(["undo", str(path)]) == 0  # replaced, removed, moved
    assert classes(path) == {"bird": 8, "forest": 10}  # the old one and what replaced it, both
    again(path, folder, "bird", "forest")
    assert classes(path) == {"bird": 8, "forest": 10}, "what was taken back is not done again"


@pytest.mark.parametrize("what", ["class", "folder", "all of a class"])
def test_what_has_vanished_as_a_whole_is_kept(tmp_path, capsys, what):
    folder, path = own_folder(tmp_path/"mine"), tmp_path/"made"
    again(path, folder, "bird", "forest")
    if what == "class": shutil.rmtree(folder/"bird")
    if what == "folder": folder.rename(tmp_path/"unplugged")
    if what == "all of a class":
        for f in (folder/"bird").iterdir(): f.unlink()
    capsys.readouterr()
    again(path, folder, "bird", "forest")
    assert classes(path) == {"bird": 8, "forest": 8}
    assert "a whole class is not followed, and is kept" in capsys.readouterr().err


def test_what_is_done_by_hand_is_a_decision(here, capsys):
    birds, forests = (sorted((here/"photos"/label).iterdir()) for label in ("bird", "forest"))
    birds[0].unlink()
    birds[1].rename(here/"photos"/"forest"/"my name.jpg")
    for _ in range(2): assert main(["clean", str(here)]) == 0
    assert classes(here) == {"bird": 6, "forest": 9}
    assert (here/"photos"/"forest"/"my name.jpg").exists() and not birds[0].exists() and not birds[1].exists()
    assert main(["clean", str(here), "--max-size", "64"]) == 0  # nor when all copies are made anew
    assert classes(here) == {"bird": 6, "forest": 9} and (here/"photos"/"forest"/"my name.jpg").exists()
    capsys.readouterr()
    assert main(["undo", str(here), "--list"]) == 0
    said = [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said == ["moved by hand", "deleted by hand"]
    for _ in range(2): assert main(["undo", str(here)]) == 0
    assert sorted((here/"photos"/"bird").iterdir()) == birds and sorted((here/"photos"/"forest").iterdir()) == forests
    assert refused(capsys, "undo", here).startswith("birdornot: there is no decision left to undo")


def test_a_moved_file_is_in_the_lockfile_under_its_class(here, tmp_path):
    from birdornot.lock import write_lock
    bird = picture_files(here)[0]
    bird.rename(here/"photos"/"forest"/"x.jpg")
    assert main(["clean", str(here)]) == 0
    write_lock(here, tmp_path/"birds.lock")
    rows = [json.loads(line) for line in (tmp_path/"birds.lock").read_text().splitlines()[1:]]
    sha = next(r["sha256"] for r in rows if r["status"] == "quarantined")
    mine = {(r["label"], r["status"]) for r in rows if r["sha256"] == sha}
    assert mine == {("bird", "quarantined"), ("forest", "clean")}


def test_a_file_edited_in_place_is_not_lost(here):
    bird = picture_files(here)[0]
    edited = draw(here/"edited.png", 700).read_bytes()
    bird.write_bytes(edited)
    assert main(["clean", str(here)]) == 0
    with Ledger(here) as ledger:
        assert [r["reason"] for r in ledger.rows(status="quarantined")] == ["deleted by hand"]
        mine, = ledger.rows(source="by hand")
    assert mine["status"] == "clean" and (here/mine["original"]).read_bytes() == edited


def test_a_class_is_renamed_merged_and_added_without_fetching(here, tmp_path, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr("birdornot.make.find_hits", lambda term, *args, **kwargs: asked.append(term) or [])
    from birdornot.make import find_missing
    assert main(["rename", str(here), "bird", "fowl"]) == 0
    assert classes(here) == {"fowl": 8, "forest": 8}
    assert {d.name for d in (here/"photos").iterdir()} == {"fowl", "forest"}
    (here/"photos"/"forest").rename(here/"photos"/"wood")  # by hand
    assert main(["clean", str(here)]) == 0
    assert classes(here) == {"fowl": 8, "wood": 8}
    find_missing(["fowl", "wood", "dog"], here)
    assert asked == ["dog"]
    assert main(["rename", str(here), "wood", "fowl"]) == 0
    assert classes(here) == {"fowl": 16}
    for _ in range(3): assert main(["undo", str(here)]) == 0
    assert classes(here) == {"bird": 8, "forest": 8}
    assert "no class 'moon'; the classes are bird, forest" in refused(capsys, "rename", here, "moon", "sun")


def test_a_class_is_added(tmp_path, capsys):
    folder, path = own_folder(tmp_path/"mine", labels=("bird", "forest", "dog")), tmp_path/"made"
    again(path, folder, "bird", "forest")
    before = tree(path/"photos")
    again(path, folder, "bird", "forest", "dog")
    assert classes(path) == {"bird": 8, "forest": 8, "dog": 8}
    assert {k: v for k, v in tree(path/"photos").items() if not k.startswith("dog")} == before


def test_adding_a_class_is_undone(tmp_path, capsys):
    folder, path = own_folder(tmp_path/"mine", labels=("bird", "forest", "dog")), tmp_path/"made"
    for words in (["bird", "forest"], ["bird", "forest", "dog"]):
        assert main(["make", *words, "--folder", str(folder), "--out", str(path)]) == 0
    assert classes(path) == {"bird": 8, "forest": 8, "dog": 8}
    assert main(["undo", str(path)]) == 0
    assert "dog was added as a class" in capsys.readouterr().err
    assert classes(path) == {"bird": 8, "forest": 8} and not (path/"photos"/"dog").exists()
    assert main(["train", str(path)]) == 0 and classes(path) == {"bird": 8, "forest": 8}
    assert main(["clean", str(path), "--undo"]) == main(["clean", str(path)]) == 0
    assert classes(path) == {"bird": 8, "forest": 8, "dog": 8}


@pytest.mark.parametrize("words", [["clean"], ["clean", "--undo"], ["undo"], ["rename", "bird", "fowl"], ["download"]])
def test_commands_that_move_files_leave_the_users_own_folder_alone(tmp_path, capsys, words):
    photos = own_folder(tmp_path/"photos", n=2)
    with Ledger(photos): pass  # as after a training
    before = tree(photos)
    assert "holds pictures of your own, and nothing in it is changed" in refused(capsys, words[0], photos, *words[1:])
    assert tree(photos) == before
