"""Names stay the user's: labels as typed, in any script, through folders, training, model and answers."""
import json
import shlex
import shutil

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
    make_sample(folder, n=6, kinds=("bird", "forest"), seed=3)
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
    from birdornot.make import find_pictures
    folder = named(drawn, tmp_path, "barn_owl", "C")
    assert len(find_pictures("Barn Owl", folder=folder)) == 6
    with pytest.raises(BirdornotError, match="no folder for 'C#'"): find_pictures("C#", folder=folder)
