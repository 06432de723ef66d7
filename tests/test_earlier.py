"""What birdornot of November 2026 (0ed9622) wrote, when torch made the backbone, is read today and answers the same.

`earlier.zip` is as that code left it: the smallest model folder, a project of ten drawings (without its model of 13 MB,
which is exported again), and what was said of them. Add to it, but never make it anew."""
import json
import shutil
from pathlib import Path

import pytest

from birdornot.ledger import Ledger
from birdornot.make import answer, evaluate, explain, export, report, train
from birdornot.predict import Classifier


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    "The folder with project, model, photo and answers"
    place = tmp_path_factory.mktemp("earlier")
    shutil.unpack_archive(Path(__file__).with_name("earlier.zip"), place)
    return place


@pytest.fixture(scope="module")
def said(earlier): return json.loads((earlier/"said.json").read_text(encoding="utf-8"))


def test_a_model_folder_answers_the_same(earlier, said):
    assert Classifier(earlier/"tiny")(earlier/"photo.jpg").probabilities == pytest.approx(said["tiny"], abs=1e-4)


def test_a_project_answers_the_same(earlier, said):
    for photo, probabilities in said["answers"].items():
        assert answer(earlier/"own", earlier/"own"/photo).probabilities == pytest.approx(probabilities, abs=1e-4), photo
    assert evaluate(earlier/"own").as_text() == said["text"]
    with Ledger(earlier/"own") as ledger: assert len(ledger.rows(status="clean")) == len(said["answers"])


def test_what_was_trained_is_taken_up_explained_and_exported(earlier, said, capsys):
    train(earlier/"own", seed=7)
    assert "nothing new: the probe of the last run is taken" in capsys.readouterr().err
    photo = earlier/"own"/next(iter(said["answers"]))
    found = explain(earlier/"own", photo, out=earlier/"why.png")
    assert found.answer.probabilities == pytest.approx(said["answers"][next(iter(said["answers"]))], abs=1e-4)
    assert (earlier/"why.png").exists() and "no heat" not in capsys.readouterr().err and len(found.nearest) == 5
    model = export(earlier/"own")
    info = json.loads((model/"model.json").read_text(encoding="utf-8"))
    assert info["probe"]["logits"] == pytest.approx(said["logits"], abs=1e-4)
    assert Classifier(model)(photo).probabilities == pytest.approx(found.answer.probabilities, abs=1e-4)
    assert "Pictures of none of its classes" in report(earlier/"own").read_text(encoding="utf-8")


def test_a_ranking_of_before_is_not_taken_for_one_of_today(earlier, tmp_path):
    "Strange pictures were ranked by cleanlab's typicality; nothing asks such a project for novelty"
    own = shutil.copytree(earlier/"own", tmp_path/"own")
    with Ledger(own) as ledger:
        ledger.add_columns(suggested="TEXT", label_quality="REAL", likely_wrong="INTEGER", typicality="REAL",
                           suspicion="REAL")
        for r in ledger.rows(): ledger.update(r["id"], label_quality=1, likely_wrong=0, typicality=1, suspicion=0)
    assert "Not ranked yet" in report(own).read_text(encoding="utf-8")
