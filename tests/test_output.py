"""What we print and write: names that are no text, control characters, formulas; no name of a file is trusted."""
import csv
import os
import shutil
import subprocess
import sys

import pytest
import tinymodel
from PIL import Image
from program import PROGRAM
from roughpictures import draw

from birdornot.clean import clean_images
from birdornot.cli import main
from birdornot.download import download_images
from birdornot.ledger import Ledger
from birdornot.lock import write_lock
from birdornot.search import search_images

if sys.platform != "linux": pytest.skip("names that are no text are Linux's", allow_module_level=True)
ODD = os.fsdecode(b"V\xf6gel.jpg")  # as a zip from an old Windows brings it


@pytest.fixture(scope="module")
def model(tmp_path_factory): return tinymodel.folder(tmp_path_factory.mktemp("tiny")/"model")


@pytest.fixture
def photos(tmp_path):
    for i, name in enumerate(("a.jpg", ODD, "z.jpg")): draw(tmp_path/"photos"/name, i)
    return tmp_path/"photos"


def test_a_name_that_is_no_text_is_answered(model, photos, tmp_path, capfd):
    for more in ([], ["--json"], ["--csv", str(tmp_path/"a.csv")], ["--sort-into", str(tmp_path/"sorted")]):
        assert main(["predict", str(model), str(photos), *more]) == 0
        assert "Traceback" not in capfd.readouterr().err
    rows = list(csv.DictReader((tmp_path/"a.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 3 and [r["path"] for r in rows if "gel" in r["path"]] == [f"{photos}/V\\udcf6gel.jpg"]
    assert len(list((tmp_path/"sorted").rglob("*.jpg"))) == 3 and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_it_is_printed_where_the_terminal_is_strict(model, photos, more):
    done = subprocess.run([*PROGRAM, "predict", model, photos, *more], capture_output=True,
                          env=os.environ | dict(PYTHONIOENCODING="utf-8:strict"))
    said = done.stdout.decode("utf-8")
    assert done.returncode == 0 and said.count("\n") == 3 and r"V\udcf6gel.jpg" in said, done.stderr


def test_a_dataset_takes_it_in(tmp_path, capsys):
    "From a folder, and put among the photos by hand, moved, renamed, in a class that is no text either"
    odd_class = os.fsdecode(b"for\xeat")
    for i, place in enumerate(("bird/a.jpg", f"bird/{ODD}", "sea/b.jpg", "sea/c.jpg")): draw(tmp_path/"src"/place, i)
    made = tmp_path/"set"
    for label in ("bird", "sea"):
        download_images(made, search_images(label, source="folder", folder=tmp_path/"src"), progress=False)
    clean_images(made, workers=1, progress=False)
    photos = sorted((made/"photos").rglob("*.jpg"))
    assert len(photos) == 4
    draw(made/"photos"/"bird"/ODD, 10)  # new
    photos[-1].rename(photos[-1].with_name(ODD))  # renamed
    draw(made/"photos"/odd_class/ODD, 11)  # a class
    for words in (["clean"], ["report"], ["undo", "--list"], ["lock", "--out", str(tmp_path/"x.lock")]):
        code, said = main([words[0], str(made), *words[1:]]), capsys.readouterr()
        assert code == 0, (words, said.err)
        (said.out + said.err).encode("utf-8")
    with Ledger(made) as ledger: rows = ledger.rows(status="clean")
    assert len(rows) == 6 and all(ledger.locate(r["file"]).exists() for r in rows)
    assert write_lock(made, tmp_path/"y.lock") == 6


def test_control_characters_do_not_reach_the_terminal(tmp_path, capsys):
    evil = "sea\x1b[2J\x9b31m\u202e"
    model = tinymodel.folder(tmp_path/"model", labels=["sunset", evil])
    photo = draw(tmp_path/"photos"/"a\x1b]0;title\x07\n.jpg", 1)
    Image.new("RGB", (40, 30), (10, 50, 250)).save(photo)
    for words in ([photo], [photo.with_name("gone\x1b.jpg"), photo], [photo.parent, "--csv", tmp_path/"a.csv"]):
        main(["predict", str(model), *map(str, words)])
        said = capsys.readouterr()
        assert not set("\x1b\x9b\x07\u202e") & set(said.out + said.err), said
    table = (tmp_path/"a.csv").read_text(encoding="utf-8")
    assert not set("\x1b\x9b\x07\u202e") & set(table) and r"sea\x1b[2J" in table


def test_no_cell_begins_as_a_formula(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tinymodel.folder(tmp_path/"model", labels=["=1+1", "@SUM(A1)"])
    for name in ("=cmd.jpg", "+x.jpg", "-y.jpg", "a.jpg"): draw(tmp_path/name, 1)
    assert main(["predict", "model", "--csv", "a.csv", "--", "=cmd.jpg", "+x.jpg", "./-y.jpg", "a.jpg"]) == 0
    rows = list(csv.reader((tmp_path/"a.csv").open(encoding="utf-8", newline="")))
    assert rows[0][-2:] == ["'=1+1", "'@SUM(A1)"] and [r[0] for r in rows[1:3]] == ["'=cmd.jpg", "'+x.jpg"]
    assert not [c for row in rows for c in row if c[:1] in "=+@-" and c]


@pytest.mark.slow
def test_the_whole_way_with_names_that_are_no_text(tmp_path, capsys):
    for i in range(16): draw(tmp_path/"mine"/("bird", "sea")[i % 2]/ODD.replace("gel", f"gel{i}"), i)
    made, mine = str(tmp_path/"made"), str(tmp_path/"mine")
    for words in (["make", "--folder", mine, "--out", made], ["evaluate", made], ["suspects", made], ["report", made],
                  ["train", mine], ["evaluate", mine], ["report", mine], ["export", mine], ["leak", mine]):
        assert main(words) == 0, (words, capsys.readouterr().err)
        capsys.readouterr().out.encode("utf-8")
    shutil.rmtree(made)
