"""Names stay the user's: labels as typed, in any script, through folders, training, model and answers."""
import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from birdornot.cli import main
from birdornot.core import BirdornotError
from birdornot.ledger import Ledger
from birdornot.make import class_labels, default_dataset
from birdornot.predict import Classifier
from birdornot.project import folder_name, label_of
from birdornot.sample import make_sample
from birdornot.split import picture_files

PAIRS = [("鹰", "莺"), ("C++", "C#"), ("<5", ">5"), ("grade A", "grade A+"), ("ель", "эль"), ("🐦", "森林"),
         ("Barn Owl", "bird")]
ONE = [("bird", "Bird"), ("barn owl", "barn_owl"), ("bird", ""), ("bird", "\x07"), ("cafe\u0301", "café")]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    "Birds and forests, six of each"
    folder = tmp_path_factory.mktemp("drawn")
    make_sample(folder, n=6, kinds=("bird", "forest"))
    return folder


def named(drawn, folder, one, two):
    "The drawings in folders of other names, as a person would call them"
    for kind, name in dict(bird=one, forest=two).items(): shutil.copytree(drawn/kind, folder/name)
    return folder


@pytest.mark.parametrize("pair", PAIRS)
def test_two_words_are_two_classes_as_typed(pair):
    assert class_labels(pair) == list(pair)
    assert len({folder_name(word) for word in pair}) == 2


@pytest.mark.parametrize("pair", ONE)
def test_names_that_mean_one_class_are_refused(pair):
    with pytest.raises(BirdornotError, match="two different words"): class_labels(pair)


def test_a_plus_in_a_word_is_refused_where_it_joins_words():
    with pytest.raises(BirdornotError, match="which joins the names"): class_labels(["C++", "C#"], multilabel=True)


@pytest.mark.parametrize("pair", [("鹰", "莺"), ("<5", "C++")])
def test_the_whole_way_in_other_scripts(drawn, tmp_path, monkeypatch, capsys, pair):
    "Made, shown, exported, asked and judged under the names that were typed"
    monkeypatch.chdir(tmp_path)
    named(drawn, tmp_path/"my photos", *pair)
    assert main(["make", *pair, "--folder", "my photos", "--json"]) == 0
    said = capsys.readouterr().out.splitlines()
    home = default_dataset(pair)
    assert set(json.loads(said[-1])["pictures"]) == set(pair)
    assert {d.name for d in (home/"photos").iterdir()} == {folder_name(word) for word in pair}
    with Ledger(home) as ledger: assert set(ledger.counts()) == set(pair)
    assert {label_of(home, f) for f in picture_files(home)} == set(pair)
    assert Classifier(home/"model").labels == sorted(pair)
    command = next(line for line in said if line.startswith("try it")).split(None, 2)[2]
    assert main(shlex.split(command)[1:]) == 0
    said = capsys.readouterr().out
    assert any(word in said for word in (*pair, "unsure"))
    assert main(["evaluate", str(tmp_path/"my photos"), "--model", str(home/"model")]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in pair)
    for text in (home/"report.html", home/"model"/"MODEL_CARD.md"):
        page = text.read_text(encoding="utf-8")
        assert all(word.replace("<", "&lt;") in page or word in page for word in pair)
    assert main(["make", *pair, "--folder", "my photos"]) == 0  # and again: nothing is new


def test_a_dataset_is_found_by_the_names_it_was_made_with(drawn, tmp_path):
    "A folder called barn_owl is meant by Barn Owl, and one name never stands for another one"
    from birdornot.make import find_hits
    folder = named(drawn, tmp_path, "barn_owl", "C")
    assert len(find_hits("Barn Owl", folder=folder)) == 6
    with pytest.raises(BirdornotError, match="no folder for 'C#'"): find_hits("C#", folder=folder)


# ---- files are named as their owner knows them, and what is printed can be typed

@pytest.fixture(scope="module")
def odd(drawn, tmp_path_factory):
    "A project of photos in folders with blanks and quotes, some of them no photos"
    here = tmp_path_factory.mktemp("odd")
    mine = named(drawn, here/"Bob's photos", "bird", "forest")
    for i in range(5): (mine/"bird"/f"note {i}.jpg").write_text("seed, bread, milk")
    (mine/"bird"/"cut off.jpg").write_bytes(next((mine/"forest").glob("*.jpg")).read_bytes()[:900])
    shutil.copy(next((mine/"forest").glob("*.jpg")), mine/"bird"/"IMG 9.jpg")
    next(f for f in (mine/"forest").glob("*.jpg")).unlink()
    return here


def test_refused_files_are_listed_by_the_users_own_names(odd, monkeypatch, capsys):
    monkeypatch.chdir(odd)
    assert main(["make", "--folder", "Bob's photos", "--out", "my set"]) == 0
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("refused ")]
    assert len(lines) == 4 and lines[-1] == "refused   and 3 more, all in 'my set/refused.csv'", said.err
    assert Path(shlex.split(lines[0])[1][:-1]).exists() and "cut off: only a part" in lines[0]
    assert "not a picture" in lines[1]
    table = list(csv.DictReader(open("my set/refused.csv", encoding="utf-8")))
    names = {f"note {i}.jpg" for i in range(5)} | {"cut off.jpg"}
    assert {Path(r["file"]).name for r in table} == names and all(Path(r["file"]).exists() for r in table)
    assert next(r for r in table if "cut off" in r["file"])["ours"].startswith("quarantine/bird/")
    page = Path("my set/report.html").read_text(encoding="utf-8")
    assert all(name in page for name in names)
    for line in said.out.splitlines()[2:]:  # after error and verdict: model, report, review, serve, try it
        words = shlex.split(line[10:])
        assert Path(words[-1]).exists(), line
    assert main(["clean", "my set"]) == 0 and "refused   and 3 more" in capsys.readouterr().err


def test_suspects_and_why_name_the_users_own_file(odd, monkeypatch, capsys):
    monkeypatch.chdir(odd)
    photo = next(Path("Bob's photos/forest").glob("*.jpg"))
    assert main(["why", "my set", str(photo), "--k", "2"]) == 0
    first = shlex.split(capsys.readouterr().out.splitlines()[1])
    assert first[2].startswith("my set/photos/") and first[3] == "from"
    assert Path(first[4]).is_file() and Path("Bob's photos").resolve() in Path(first[4]).resolve().parents
    from birdornot.suspects import Suspects
    row = dict(label_quality=.1, suggested="forest", file="my set/photos/bird/1.jpg", own=photo.resolve(),
               likely_wrong=True)
    assert shlex.split(Suspects([row]).lines(9)[0])[-3:] == ["my set/photos/bird/1.jpg", "from", str(photo)]


def test_commands_in_messages_can_be_typed(odd, monkeypatch, capsys):
    monkeypatch.chdir(odd)
    for words, says in ((["evaluate", "Bob's photos"], "train"), (["export", "Bob's photos"], "train")):
        assert main(words) == 1
        command = re.search(r"birdornot train .*(?= first)", capsys.readouterr().err)[0]
        assert shlex.split(command) == ["birdornot", says, "Bob's photos"]


def test_suspects_in_a_folder_of_the_users_own_lead_somewhere(odd, monkeypatch, capsys):
    "`review` refuses such a folder"
    from birdornot.project import how_to_fix_labels
    monkeypatch.chdir(odd)
    command = how_to_fix_labels("Bob's photos").partition("for review: ")[2]
    assert shlex.split(command) == ["birdornot", "make", "--folder", "Bob's photos"]
    assert shlex.split(how_to_fix_labels("my set").partition("with: ")[2]) == ["birdornot", "review", "my set"]
