"""The number means what it says: a test for each way in which it did not, on made-up features and tiny pictures.

The long simulation is bench/numbers.py. Nothing here imports torch: what fine-tuning does is in its chapter.
"""
from collections import defaultdict
from hashlib import sha256

import numpy as np
import pytest
import tinymodel
from PIL import Image, ImageFilter

from birdornot.card import model_card
from birdornot.command import parser
from birdornot.core import BirdornotError
from birdornot.evaluate import Evaluation, wilson
from birdornot.head import class_prior
from birdornot.ledger import Ledger
from birdornot.novelty import choose_thresholds, ood_files
from birdornot.predict import Classifier
from birdornot.probe import (
    JUDGED,
    build_head,
    error_without_twins,
    evaluate_head,
    head_logits,
    solve_and_judge,
    warn_of_bursts,
    warn_of_help,
    write_judged,
)
from birdornot.shortcuts import ShortcutTest
from birdornot.split import close_in_time, origin_groups, split_by_group, split_files, stratified_folds
from birdornot.suspects import find_suspects, leak_report

SKEW = np.linspace(0.3, 2, 40)  # how widely each number of a made-up embedding is spread


def embedded(n, apart=1.0, rare=0.5, seed=0, n_classes=2):
    "Embeddings and class numbers of pictures that do not exist"
    rng = np.random.default_rng(seed)
    y = rng.permutation((np.arange(n) >= rare*n).astype(int) if n_classes == 2 else np.arange(n) % n_classes)
    centres = np.random.default_rng(99).normal(size=(n_classes, len(SKEW)))
    return ((apart*centres[y] + 1.2*rng.normal(size=(n, len(SKEW))))*SKEW).astype(np.float32), y


def elsewhere(n=40): return np.random.default_rng(5).normal(3, 2, (n, len(SKEW))).astype(np.float32)


def judged(x, y, groups=None, **more):
    "What training does with embeddings"
    names, groups = [f"k{k}" for k in y], list(map(str, range(len(y)) if groups is None else groups))
    labels = sorted(set(names))
    train, valid = split_by_group(names, groups)
    head, judge, result, rows = solve_and_judge(x, y, labels, names, groups, train, valid, elsewhere(), **more)
    return head, judge, result, train, valid


def error(head, x, y): return float((head_logits(head, x).argmax(1) != y).mean())


# 1: the head, and who judges it

def test_the_head_is_solved_on_all_pictures_once_it_was_judged():
    new = embedded(4000, 0.5, seed=1)
    gained = []
    for seed in range(8):
        x, y = embedded(40, 0.5, seed=10 + seed)
        head, judge, result, train, _ = judged(x, y)
        gained.append(error(judge, *new) - error(head, *new))
        assert len(train) == 32 and result.n == 40
    assert np.mean(gained) > 0.005, gained


def test_a_small_set_is_judged_by_all_of_its_pictures_and_a_large_one_by_those_held_back():
    x, y = embedded(160, 0.6)
    head, judge, result, *_ = judged(x, y)
    low, high = result.interval
    by_held_out = wilson(result.error*32, 32)
    assert (result.judged, result.n) == ("cross-validated", 160) and "cross-validated" in str(result)
    assert high - low < 0.7*(by_held_out[1] - by_held_out[0])
    plain = wilson(result.wrong, 160)
    assert high > plain[1], "answers of heads that share pictures know less than as many that do not"
    assert 0 < low < 0.8**0.5*plain[0], "the head in use knows a quarter more pictures than those that were judged"
    x, y = embedded(300, 0.6)
    _, judge, result, _, valid = judged(x, y)
    assert (result.judged, result.n, result.known) == ("", 60, 0.8)
    by_judge = wilson(result.wrong, 60)
    assert result.interval == pytest.approx((0.8**0.5*by_judge[0], by_judge[1]))
    np.testing.assert_array_equal(result.said, head_logits(judge, x[valid]).argmax(1))


def dealt_elsewhere(labels, groups, n_folds, seed):
    "The folds as another language would deal them: by label, size and hash, each group to the fold with fewest of it"
    members = defaultdict(list)
    for i, g in enumerate(groups): members[g].append(i)
    kind = {g: labels[at[0]] for g, at in members.items()}
    order = sorted(members, key=lambda g: (kind[g], -len(members[g]), sha256(f"{seed}:{g}".encode()).hexdigest()))
    fold, have, total = [None]*len(labels), defaultdict(int), [0]*n_folds
    for g in order:
        k = min(range(n_folds), key=lambda k: (have[k, kind[g]], total[k], k))
        for i in members[g]: fold[i] = k
        have[k, kind[g]] += len(members[g])
        total[k] += len(members[g])
    return fold


def test_folds_are_dealt_by_a_hash_of_seed_and_group_in_whatever_order_the_pictures_come():
    rng = np.random.default_rng(0)
    of = rng.integers(30, size=90)
    groups, labels = [f"photo {g}" for g in of], ["bird" if g % 3 else "forest" for g in of]
    for seed in (0, 42):
        folds = stratified_folds(labels, groups, 5, seed)
        assert folds.tolist() == dealt_elsewhere(labels, groups, 5, seed)
        mixed = rng.permutation(90)
        again = stratified_folds([labels[i] for i in mixed], [groups[i] for i in mixed], 5, seed)
        np.testing.assert_array_equal(again, folds[mixed])
    assert all(len({folds[i] for i in range(90) if of[i] == g}) == 1 for g in of)


# 2: suspects

@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    "A function that fills a folder: a picture for each pair of class and number, which are blurred noise"
    top = tmp_path_factory.mktemp("numbers")
    def fill(name, n, copies=1, classes=("left", "right"), name_of="{cls}_{i}_{c}".format):
        for cls in classes:
            (top/name/cls).mkdir(parents=True, exist_ok=True)
            for i in range(n):
                rng = np.random.default_rng([i, len(cls)])
                img = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).resize((96, 96), 3)
                for c in range(copies):
                    near = img.resize((96 - 8*c, 96 - 8*c)).filter(ImageFilter.GaussianBlur(0.3*c))
                    near.save(top/name/cls/f"{name_of(cls=cls, i=i, c=c)}.jpg", quality=90 - 15*c)
        return top/name
    return fill


def test_a_model_no_better_than_a_guess_doubts_no_label(photos):
    found = find_suspects(photos("guess", 10), progress=False)  # noise on both sides
    assert found.abstains and "no labels are doubted" in str(found) and "a guess" in str(found)
    assert not found.wrong_labels and not found.disagreed


def test_decisions_made_with_the_help_of_a_model_mark_the_score(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.add_columns(verdict="TEXT", suspicion="REAL")
        for i in range(3):
            ledger.insert([dict(label="bird", term="bird", status="found", image_url=f"file:///{i}.jpg")])
        ids = [r["id"] for r in ledger.rows()]
        for id, doubt in zip(ids, (0.9, 0.2, 0.8)): ledger.update(id, suspicion=doubt)
    assert warn_of_help(tmp_path) == []
    with Ledger(tmp_path) as ledger:
        for id in ids[:2]: ledger.update(id, verdict="discard")
    said, = warn_of_help(tmp_path)
    assert said.startswith("1 picture was discarded or moved after a model had doubted it")


# 3: copies without a ledger

def test_near_copies_in_a_plain_folder_are_on_one_side_of_the_split(photos):
    path = photos("copies", 8, copies=3)
    files, _, train, valid = split_files(path)
    assert len(files) == 48 and valid
    def photo(i): return files[i].parent.name, files[i].stem.rpartition("_")[0]
    assert not {photo(i) for i in train} & {photo(i) for i in valid}
    assert leak_report(path, 3, progress=False).leaked > 0.5


# 4: groups and bursts

def test_an_interval_counts_photos_and_not_the_files_they_are_saved_in():
    y, probs = np.zeros(66, int), np.tile([0.9, 0.1], (66, 1))
    probs[:15] = [0.1, 0.9]
    alone = Evaluation(["bird", "forest"], y, probs)
    grouped = Evaluation(["bird", "forest"], y, probs, groups=[str(i//3) for i in range(66)])
    assert alone.interval == wilson(15, 66)
    np.testing.assert_allclose(grouped.interval, wilson(5, 22))
    assert grouped.per_class[0]["recall_low"] == pytest.approx(1 - wilson(5, 22)[1])


def test_bursts_are_noticed_by_likeness_and_pictures_taken_one_by_one_are_not():
    rng = np.random.default_rng(0)
    scenes, y = embedded(30, 0)
    frames, twice = np.repeat(scenes, 4, 0) + 0.05*rng.normal(size=(120, len(SKEW))), np.repeat(y, 4)
    head, _, result, *_ = judged(frames.astype(np.float32), twice)
    names, one_by_one = [f"k{k}" for k in twice], list(map(str, range(120)))
    said, = warn_of_bursts(error_without_twins(frames, twice, names, one_by_one))
    assert result.error < 0.1 and "look like bursts" in said and "by='session'" in said
    scenes = [str(i//4) for i in range(120)]
    assert error_without_twins(frames, twice, names, scenes) is None, "grouped, they are bursts no more"
    x, y = embedded(120, 1)
    assert warn_of_bursts(error_without_twins(x, y, [f"k{k}" for k in y], one_by_one)) == []


def test_by_session_groups_what_one_camera_took_in_one_go(photos):
    path = photos("walk", 6, name_of=lambda cls, i, c: f"IMG_2024050{1 + i//3}_1200{10*(i % 3):02}")  # on two days
    files = sorted(path.rglob("*.jpg"))
    alone, sessions = origin_groups(path, files), origin_groups(path, files, "session")
    assert (len(set(alone)), len(set(sessions))) == (12, 2)
    assert close_in_time(path, files, alone) == 1 and close_in_time(path, files, sessions) == 0
    said, = warn_of_bursts(None, 1.0)
    assert "100% of the pictures were taken within a minute of another" in said


# 5: imbalance

def test_the_headline_of_an_unbalanced_set_says_what_always_the_commonest_would_score():
    y = np.repeat([0, 1], [90, 10])
    result = Evaluation(["bird", "owl"], y, np.tile([0.9, 0.1], (100, 1)))
    assert result.error == 0.1 and result.balanced_error == 0.5
    assert "balanced error 50.0%, always saying 'bird' 10.0%" in str(result)
    low, high = result.balanced_interval
    assert low < 0.5 < high
    assert "balanced" not in str(Evaluation(["bird", "owl"], np.arange(100) % 2, np.tile([0.9, 0.1], (100, 1))))


def test_a_prior_finds_the_rare_class_that_the_calibration_would_drown():
    x, y = embedded(312, 0.35, rare=12/312)
    new = embedded(4000, 0.35, seed=3)
    folds = stratified_folds(y, list(map(str, range(len(y)))))
    found = {}
    for prior in ("trained", "equal", dict(owl=3, bird=1), "owl=3,bird=1"):
        head, _ = build_head(x, y, ["owl", "bird"], folds, elsewhere(), prior=class_prior(prior, ["owl", "bird"]))
        said = head_logits(head, new[0]).argmax(1)
        found[str(prior)] = float((said[new[1] == 0] == 0).mean())
        if prior == "equal": assert head.prior == [0.5, 0.5]
    assert found["trained"] < 0.3 < 0.6 < found["equal"] < found["owl=3,bird=1"], found
    assert found["owl=3,bird=1"] == found[str(dict(owl=3, bird=1))]
    for bad in ("often", "owl=1", "owl=much,bird=1", "owl=0,bird=1"):
        with pytest.raises(BirdornotError, match="prior"): class_prior(bad, ["owl", "bird"])


def test_no_class_is_silenced_alone():
    rng = np.random.default_rng(0)
    shown = np.eye(2, dtype=bool)[np.repeat([0, 1], [380, 20])]
    confidence = np.where(shown[:, 0], rng.uniform(0.9, 1, 400), rng.uniform(0.55, 0.8, 400))
    novelty, right = rng.uniform(0.8, 1.2, 400), np.ones(400, bool)
    ood = rng.uniform(0.5, 0.85, 100), rng.uniform(0.9, 1.3, 100)
    def answered(**more):
        limits = choose_thresholds(confidence, right, novelty, ood, 0.95, **more)
        kept = (confidence >= limits["min_confidence"]) & (novelty <= limits["max_novelty"])
        return kept[shown[:, 1]].mean()
    assert answered() < 0.5 < 0.8 < answered(shown=shown)


def test_a_prior_is_an_option_of_answering(tmp_path):
    sunset = Image.new("RGB", (40, 30), (140, 100, 120))
    model = tinymodel.folder(tmp_path/"model", head=dict(prior=[0.9, 0.1]))
    plain, equal = Classifier(model)(sunset), Classifier(model, prior="equal")(sunset)
    odds = {p: r.probabilities["sunset"]/r.probabilities["sea"] for p, r in (("plain", plain), ("equal", equal))}
    assert odds["equal"] == pytest.approx(odds["plain"]/9, rel=1e-4)
    assert Classifier(model, prior="sunset=9,sea=1")(sunset).probabilities == pytest.approx(plain.probabilities)
    with pytest.raises(BirdornotError, match="export it again"):
        Classifier(tinymodel.folder(tmp_path/"old"), prior="equal")


def test_prior_and_by_are_typed_on_the_command_line(capsys):
    from birdornot.cli import main
    for command, first in (("train", ["photos"]), ("make", ["bird", "forest"])):
        args = parser(command).parse_args([*first, "--by", "session", "--prior", "bird=1,forest=4"])
        assert (args.by, args.prior) == ("session", "bird=1,forest=4")
    assert parser("predict").parse_args(["model", "photo.jpg", "--prior", "equal"]).prior == "equal"
    assert parser("leak").parse_args(["photos", "--by", "camera"]).by == "camera"
    for words, why in (("train x --how both --prior equal", "(equal) is for a probe"),
                       ("evaluate x --by session", "`by` is for `folds`"),
                       ("make bird forest --prior bird=1", "a prior names each of bird, forest")):
        assert main(words.split()) == 1 and why in capsys.readouterr().err


# 6: calibration, shortcuts, out-of-class pictures

def test_a_calibration_error_comes_with_an_interval_or_not_at_all():
    def answers(n):
        rng = np.random.default_rng(0)
        p = rng.uniform(0.5, 1, n)
        return Evaluation(["bird", "forest"], (rng.random(n) > p).astype(int), np.stack([p, 1 - p], 1))
    few, many = answers(120).as_dict(), answers(400).as_dict()
    assert (few["ece"], few["ece_low"], few["ece_high"]) == (None, None, None)
    assert many["ece_low"] < many["ece_high"]
    copies = [str(i//4) for i in range(400)]
    assert Evaluation(["a", "b"], [0]*400, np.tile([0.9, 0.1], (400, 1)), groups=copies).as_dict()["ece"] is None


def test_classes_told_by_having_no_colours_are_not_said_to_lean_on_the_background():
    y = np.repeat([0, 1], 40)
    def answers(wrong): return Evaluation(["bird", "owl"], y, np.eye(2)[np.where(np.arange(80) % 40 < wrong, 1 - y, y)])
    results = dict(original=answers(1), grey=answers(20), mixed_same=answers(1), mixed_rand=answers(30))
    leaning = ShortcutTest(results, {}).leaning
    told = ShortcutTest(results, {}, dict(bird=0.0, owl=1.0))
    assert leaning and not told.leaning and told.told_by_grey == ["owl"]
    assert "no colours" in str(told) and "leans on the background" not in str(told)


def test_out_of_class_pictures_that_limits_were_chosen_by_do_not_judge_them():
    choosing, judging = ({f.name for f in ood_files(["bird"], half)} for half in ("choose", "judge"))
    assert choosing and judging and not choosing & judging
    assert {n.split("-")[0] for n in choosing} == {n.split("-")[0] for n in judging}


# 8: what was not measured is not claimed

def test_a_card_claims_no_unsure_and_no_held_out_part_that_are_not_there():
    info = tinymodel.INFO | dict(backbone="tiny", error=None)
    assert "unless it says *unsure*" not in model_card(info)
    assert "unless it says *unsure*" in model_card(info | dict(unsure=dict(min_confidence=0.7, max_novelty=1.2)))
    result = judged(*embedded(160, 1.2))[2]
    said = model_card(info | dict(error=result.as_dict(), solved_on_all=True))
    assert "judged by models that had not seen it or a copy of it (repeated cross-validation)" in said
    assert "then solved on all pictures" in said and "Nothing was held out" not in said


def test_photos_that_a_model_knows_are_set_apart_and_those_it_knows_all_get_the_answers_from_before(tmp_path):
    folder, rows = tmp_path/"exam", []
    for i, (label, colour) in enumerate([("sunset", (250, 90, 20)), ("sea", (20, 90, 250))]*3):
        (folder/label).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (colour[0] - i, colour[1] + i, colour[2] + i)).save(file := folder/label/f"{i}.png")
        said, mark = dict(sunset=0.6, sea=0.4), sha256(file.read_bytes()).hexdigest()
        rows.append(dict(file=f"{label}/{i}.png", sha256=mark, group=mark, label=label, part="train") | said)
    said = write_judged(rows, ["sunset", "sea"], tmp_path/"table.csv").read_text()
    def model(name, known):
        marks = [r["sha256"][:12] for r in known]
        return Classifier(tinymodel.folder(tmp_path/name, papers={JUDGED: said}, trained_on=marks,
                                           error=dict(judged="cross-validated")))
    with pytest.warns(UserWarning, match="it was trained on 2 of 6 photos, set apart"):
        result = model("some", rows[:2]).evaluate(folder)
    assert (result.n, result.wrong) == (4, 0)
    with pytest.warns(UserWarning, match="answers to 6 of 6 photos by models that had not seen them"):
        result = model("all", rows).evaluate(folder)
    assert (result.n, result.wrong, result.judged) == (6, 3, "cross-validated")


def test_answers_of_a_head_without_limits_are_never_called_unsure():
    x, y = embedded(60)
    head = judged(x, y)[1]
    assert head.unsure is None and evaluate_head(head, x, y).unsure is None
