"""What people have: folders divided into parts, tables of paths, one photo in two folders, a test set of their own."""
import json
import os
import socket
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from birdornot import download
from birdornot.clean import clean_images
from birdornot.cli import main
from birdornot.download import download_images
from birdornot.follow import refresh
from birdornot.hits import folder_terms, table_rows, table_terms
from birdornot.ledger import Ledger, own_file
from birdornot.make import class_words, find_missing
from birdornot.project import label_of, part_folders
from birdornot.split import picture_files

HUES = dict(red=0, green=1, blue=2)


def draw(file, hue, seed):
    "A small picture of soft spots, in which one colour is strong"
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    spots = np.random.default_rng(seed).integers(0, 255, (6, 6, 3))
    spots[..., HUES[hue]] = spots[..., HUES[hue]]//3 + 160
    Image.fromarray(spots.astype("uint8")).resize((64, 64), Image.Resampling.BICUBIC).save(file)
    return file


def fill(folder, n=8, hues=("red", "green"), seed=0):
    "A folder for each hue, with `n` pictures"
    for k, hue in enumerate(hues):
        for i in range(n): draw(Path(folder)/hue/f"{hue}{seed}-{i}.png", hue, 1000*seed + 100*k + i)
    return Path(folder)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(here, capsys):
    "Run a command in this process: exit code, what it printed and what it told"
    def _run(*words):
        code = main([str(w) for w in words])
        return code, *capsys.readouterr()
    return _run


def made(run, *words):
    "What `make --json` says, and the lines before"
    code, out, err = run("make", *words, "--json")
    assert code == 0, err
    return json.loads(out.splitlines()[-1]), out, err


def counts(dest):
    "Label → how many pictures, as training sees them"
    return dict(Counter(label_of(dest, f) for f in picture_files(dest)))


def labels_in(dest):
    with Ledger(dest) as ledger: return {Path(r["image_url"]).name: r["label"] for r in ledger.rows()}


# ---- folders

def test_without_words_the_sub_folders_are_the_classes(run):
    fill("photos", hues=("red", "green", "blue"))
    Path("photos/notes").mkdir()
    Path("photos/.thumbs").mkdir()
    said, *_ = made(run, "--folder", "photos")
    assert said["pictures"] == dict(red=8, green=8, blue=8) and said["model"] == "photos_dataset/model"


@pytest.mark.parametrize("words,says", [
    ([], "no words were given; type"), (["--folder", "absent"], "there is no folder 'absent'"),
    (["--folder", "photos"], "'photos' has 1 class (red); two or more sub-folders"),
    (["--table", "one.csv"], "'one.csv' has 1 class (red); two or more labels")])
def test_words_that_nobody_can_supply(run, words, says):
    draw("photos/red/1.png", "red", 1)
    Path("one.csv").write_text("path,label\nphotos/red/1.png,red\n")
    before = sorted(os.listdir())
    code, out, err = run("make", *words)
    assert code == 1 and says in err and err.count("\n") == 1 and sorted(os.listdir()) == before, err


@pytest.mark.parametrize("valid", ["val", "validation", "Valid"])
def test_a_divided_folder_is_trained_tested_and_never_mixed(run, valid):
    fill("photos/train", 10)
    fill(f"photos/{valid}", 3, seed=1)
    fill("photos/test", 10, seed=2)
    said, out, err = made(run, "--folder", "photos")
    assert said["pictures"] == dict(red=13, green=13) and said["test"]["of"] == 20
    assert "\ntest      error " in out and "20 photos are kept for the end" in err
    assert "train and valid are put together; what is held out is chosen again" in err
    assert not [name for name in labels_in("photos_dataset") if "2-" in name]
    with Ledger("photos_dataset") as ledger: parts = {r["title"]: r["part"] for r in ledger.rows()}
    assert {p for t, p in parts.items() if "1-" in t} == {"valid"}
    page = Path("photos_dataset/report.html").read_text()
    assert "On the pictures kept for the test" in page and "20 photos, like those of its exam" in page
    assert "check     20 photos, like those of its exam" in err


def test_a_train_among_vehicles_is_a_class(here):
    for name in ("train", "bus", "test"): draw(f"photos/{name}/1.png", "red", 1)
    assert part_folders("photos") == {} and folder_terms("photos") == ["bus", "test", "train"]


def test_a_test_part_with_a_class_that_nobody_taught_is_no_reason_to_lose_the_rest(run):
    fill("photos/train", 6)
    fill("photos/test", 2, hues=("red", "blue"), seed=2)
    code, out, err = run("train", "photos")
    assert code == 0 and "test      not judged: 'the test pictures' has photos of blue, the model knows" in err, err


def test_an_outside_test_folder_is_judged_and_what_was_learned_is_set_apart(run):
    fill("photos", 10)
    fill("exam", 3, seed=2)
    said, _, err = made(run, "--folder", "photos", "--test", "exam")
    assert said["test"]["of"] == 6
    model = json.loads(Path("photos_dataset/model/model.json").read_text())
    assert len(model["trained_on"]) == 2*20  # all pictures, once it was judged: files, and the originals of them
    with Ledger("photos_dataset") as ledger: learned = ledger.rows(split="train", label="red")[0]["title"]
    Path("exam/red/renamed.png").write_bytes(Path("photos/red", learned).read_bytes())
    code, out, err = run("evaluate", "exam", "--model", "photos_dataset/model", "--json")
    assert code == 0 and json.loads(out)["of"] == 6 and "it was trained on 1 of 7 photos, set apart" in err, err


def test_a_test_of_nothing_but_learned_pictures_gets_the_answers_from_before_they_were_learned(run):
    fill("photos", 6)
    made(run, "--folder", "photos")
    with Ledger("photos_dataset") as ledger: rows = ledger.rows(split="train")
    for r in rows:
        file = Path("exam", r["label"], r["title"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(Path("photos", r["label"], r["title"]).read_bytes())
    code, out, err = run("evaluate", "exam", "--model", "photos_dataset/model", "--json")
    assert code == 0 and f"answers to {len(rows)} of {len(rows)} photos by models that had not seen them" in err
    assert json.loads(out)["judged"] == "cross-validated" and json.loads(out)["of"] == len(rows)


def test_a_test_folder_without_classes_is_refused_before_any_work(run):
    fill("photos", 6)
    draw("exam/1.png", "red", 1)
    code, _, err = run("make", "--folder", "photos", "--test", "exam")
    assert code == 1 and "'exam' has no photos in sub-folders" in err and not Path("photos_dataset").exists()


# ---- tables

TABLES = {
    "names.csv": ("image,label", "{}/img/{},{}"), "excel.csv": ("file_name;species;split", "img\\{1};{2};train"),
    "tabs.tsv": ("path\tclass", "img/{1}\t{2}"), "nothing_known.csv": ("id,breed", "img/{3},{2}"),
    "headless.csv": (None, "img/{1},{2}"), "lines.jsonl": (None, '{{"path": "img/{1}", "label": "{2}"}}')}


@pytest.fixture
def images(here):
    "Sixteen pictures in one folder, and what each shows"
    rows = []
    for hue in ("red", "green"):
        rows += [(draw(f"img/{hue}{i}.png", hue, 100*HUES[hue] + i).name, hue) for i in range(8)]
    return rows


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_paths(here, images, name):
    head, row = TABLES[name]
    lines = [row.format(here, file, hue, Path(file).stem) for file, hue in images]
    Path(name).write_text("\n".join([head, *lines] if head else lines) + "\n")
    assert table_terms(name) == ["green", "red"]
    assert [r["label"] for _, r in table_rows(name)] == [hue for _, hue in images]


def test_a_table_all_the_way_with_a_test_part_groups_and_a_file_that_is_not_there(run, images):
    Path("sub").mkdir()
    lines = [f"../img/{file};{hue};{'test' if '7' in file else 'train'};site {i % 4}"
             for i, (file, hue) in enumerate(images)]
    Path("sub/t.csv").write_text("\n".join(["file;label;split;group", *lines, "../img/lost.png;red;train;site 1"]))
    said, _, err = made(run, "--table", "sub/t.csv")
    assert said["pictures"] == dict(red=7, green=7) and said["test"]["of"] == 2 and said["model"] == "t_dataset/model"
    assert "no file either" in err and "line 18" in err
    with Ledger("t_dataset") as ledger: groups = {r["group_name"] for r in ledger.rows()}
    assert groups == {f"site {i}" for i in range(4)}


# ---- what is asked for holds, or is refused before any work

@pytest.mark.parametrize("words,says", [
    (["--n", "0"], "--n is 0; give a number from 1"), (["--n", "-5"], "--n is -5"),
    (["--how", "magic"], "'magic' is not a way to train; choose auto, probe, both, finetune"),
    (["--minutes", "0"], "--minutes is 0")])
def test_what_cannot_be_done_is_refused_before_any_work(run, words, says):
    fill("photos", 2)
    code, _, err = run("make", "--folder", "photos", *words)
    assert code == 1 and says in err and err.count("\n") == 1 and os.listdir() == ["photos"], err


def test_n_on_a_second_run_holds_or_it_is_said_why_not(run):
    fill("photos", 10)
    def pictures(*words):
        said, _, err = made(run, "--folder", "photos", *words)
        return said["pictures"]["red"], err
    assert pictures("--n", 6)[0] == 6 and pictures("--n", 8)[0] == 8
    n, err = pictures("--n", 6)
    assert n == 8 and "red: 8 were found before, and all of them are used; for 6 name another folder with --out" in err
    assert pictures()[0] == 10


def test_a_model_is_never_older_than_the_training_without_a_word(run):
    fill("photos", 8)
    made(run, "--folder", "photos")
    old = "photos_dataset/model is of an earlier training; birdornot export photos_dataset writes it again"
    photo = "photos/red/red0-1.png"
    assert old not in run("predict", "photos_dataset/model", photo)[2]
    for word, words in ((old, ["train", "photos_dataset", "--size", "96"]), (old, ["evaluate", "photos_dataset"]),
                        (old, ["predict", "photos_dataset/model", photo])):
        code, _, err = run(*words)
        assert code == 0 and err.count(word) == 1, (words, err)
    code, _, err = run("export", "photos_dataset")
    assert code == 0
    for words in (["predict", "photos_dataset/model", photo], ["evaluate", "photos_dataset"],
                  ["train", "photos_dataset", "--size", "96"]): assert old not in run(*words)[2]


def test_train_says_where_the_model_will_be(run):
    fill("photos", 8)
    code, _, err = run("train", "photos")
    assert code == 0 and "birdornot export photos writes it to photos_birdornot/model" in err, err
    assert run("export", "photos")[0] == 0 and Path("photos_birdornot/model/model.json").exists()


def test_what_is_asked_for_now_is_what_is_trained(run):
    fill("photos", 8)
    made(run, "--folder", "photos")
    for words, fact in ((["--how", "probe", "--seed", 7], dict(asked="probe", seed=7)),
                        (["--multilabel"], dict(asked="auto", multilabel=True))):
        made(run, "--folder", "photos", *words)
        kept = json.loads(Path("photos_dataset/training/learner.json").read_text())
        model = json.loads(Path("photos_dataset/model/model.json").read_text())
        assert fact.items() <= kept.items() and all(model[k] == kept[k] for k in ("fit", "seed", "multilabel"))


def test_a_backbone_on_a_second_run_is_trained_and_the_next_run_without_one_trains_the_usual_one(run, monkeypatch):
    from birdornot import make
    asked, fit = [], make.fit_probe

    def fitted(dest, backbone, size, **kwargs):  # others take torch, and longer than a test may
        asked.append(backbone)
        probe = fit(dest, "tf_efficientnet_lite0", size, **kwargs)
        probe.facts["backbone"] = backbone
        return probe
    monkeypatch.setattr(make, "fit_probe", fitted)
    fill("photos", 6)
    for words in ([], ["--backbone", "tf_efficientnet_lite1"], [], []): assert run("train", "photos", *words)[0] == 0
    assert asked == ["tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite0"]


def test_what_a_joined_class_is_taken_for_without_multilabel_is_said(run):
    fill("photos", 6)
    for i in range(6): draw(f"photos/red+green/{i}.png", "blue", 500 + i)
    assert prepare() == {"red": 6, "green": 6, "red+green": 6}
    code, _, err = run("make", "red", "green", "--folder", "photos", "--out", "set")
    assert code == 1 and "has pictures of red+green, too" in err, err
    assert "say --multilabel, which takes red+green for red and green at once, or name another folder" in err
    code, _, err = run("train", "set")
    assert code == 0 and "red+green is learned as a class of its own; --multilabel takes it for red and green" in err
    assert "class of its own" not in run("train", "set", "--multilabel")[2]


def test_serve_says_that_its_model_is_of_an_earlier_training(run, monkeypatch):
    monkeypatch.setattr("birdornot.app.AppServer", lambda *args: nullcontext())
    monkeypatch.setattr("birdornot.app.show", lambda *args: None)
    for name, data in (("my birds/training/learner.json", "b"), ("my birds/model/model.json", "a")):
        Path(name).parent.mkdir(parents=True)
        Path(name).write_text(json.dumps(dict(data=data)))
    code, _, err = run("serve", "my birds/model", "--no-browser")
    assert code == 0 and "my birds/model is of an earlier training; birdornot export 'my birds' writes it again" in err


# ---- one photo in two class folders

def prepare(dest="set", multilabel=True):
    "What `make --folder photos` does before it trains; → label and number of pictures"
    refresh(dest)
    words = class_words([], "photos", None, multilabel)
    download_images(dest, find_missing(words, dest, folder="photos", multilabel=multilabel), progress=False)
    clean_images(dest, workers=1, progress=False, multilabel=multilabel)
    return counts(dest)


@pytest.fixture
def shared(here):
    "Four photos each of red and green, of which two are in both folders"
    fill("photos", 4)
    for i in range(2): Path(f"photos/green/twin{i}.png").write_bytes(Path(f"photos/red/red0-{i}.png").read_bytes())


def test_a_photo_in_two_class_folders_shows_both(run):
    """cases/multilabel_two_folders: it went to quarantine, and no photo with both labels was left."""
    fill("photos", 8)
    for i in range(3): Path(f"photos/green/twin{i}.png").write_bytes(Path(f"photos/red/red0-{i}.png").read_bytes())
    both = {"red": 5, "green": 8, "green+red": 3}
    assert prepare() == prepare() == both
    code, _, err = run("train", "set", "--multilabel")
    assert code == 0 and json.loads(Path("set/training/learner.json").read_text())["labels"] == ["green", "red"], err
    with Ledger("set") as ledger: assert len([r for r in ledger.rows() if "exact duplicate" in r["reason"]]) == 3


def test_without_multilabel_a_photo_in_two_class_folders_is_put_aside_and_training_with_it_takes_it(run, shared):
    for i in range(4, 8): draw(f"photos/red/{i}.png", "red", 50 + i)
    assert prepare(multilabel=False) == {"red": 6, "green": 4}
    with Ledger("set") as ledger: reasons = {r["reason"] for r in ledger.rows(status="quarantined")}
    assert reasons == {"the same picture is under green and red; review asks where it belongs, "
                       "multilabel=True gives it both labels"}
    code, _, err = run("train", "set", "--multilabel")
    assert code == 0 and "classes   green 4, green+red 2, red 6" in err, err


def test_a_photo_taken_out_of_one_of_two_class_folders_is_of_the_other_one(run, shared):
    assert prepare() == {"red": 2, "green": 4, "green+red": 2}
    Path("photos/green/twin0.png").unlink()
    Path("photos/red/red0-1.png").unlink()
    assert prepare() == {"red": 3, "green": 5}
    with Ledger("set") as ledger: titles = {r["title"]: r["label"] for r in ledger.rows(status="clean")}
    assert titles["red0-0.png"] == "red" and titles["twin1.png"] == "green"
    assert run("undo", "set")[0] == run("clean", "set", "--multilabel")[0] == 0
    assert counts("set") == {"red": 2, "green": 4, "green+red": 2}


def test_a_photo_in_two_class_folders_may_get_another_name(shared):
    before = prepare()
    Path("photos/red/red0-1.png").rename("photos/red/renamed.png")
    assert prepare() == before


def test_what_a_person_decided_about_a_photo_in_two_classes_stands(shared):
    prepare()
    mine = next(Path("set/photos/green+red").iterdir())
    mine.rename(f"set/photos/red/{mine.name}")
    for _ in range(2): assert prepare() == {"red": 3, "green": 4, "green+red": 1}


def test_the_second_of_two_same_files_stands_in_for_the_first(here):
    fill("photos", 4)
    Path("photos/red/twin.png").write_bytes(Path("photos/red/red0-0.png").read_bytes())
    prepare()
    Path("photos/red/red0-0.png").unlink()
    assert prepare() == dict(red=4, green=4)


# ---- train on a folder that is divided

def test_train_on_a_divided_folder_never_learns_its_test_and_judges_it(run):
    fill("photos/train", 8)
    fill("photos/val", 3, seed=1)
    fill("photos/test", 3, seed=2)
    draw("photos/loose.png", "blue", 9)
    Path("photos/train/red/notes.txt").write_text("milk")
    Path("photos/train/green/taken.png").write_bytes(Path("photos/test/green/green2-0.png").read_bytes())
    code, out, err = run("train", "photos")
    assert code == 0 and "classes   green 12, red 11" in err, err
    assert "6 photos are kept for the end, and never trained on" in err and "test      error " in err
    assert "of 5 wrong" in err and "it was trained on 1 of 6 photos, set apart" in err
    assert "train and valid are put together; what is held out is chosen again" in err
    assert "2 files are left out: notes.txt (not a picture of a kind" in err and "; loose.png (it is not in a c" in err
    assert run("export", "photos")[0] == 0
    code, out, err = run("evaluate", "photos/test", "--model", "photos_birdornot/model", "--json")
    assert code == 0 and json.loads(out)["of"] == 5, err
    code, out, err = run("evaluate", "photos", "--model", "photos_birdornot/model", "--json")
    assert code == 0 and [r["label"] for r in json.loads(out)["per_class"]] == ["green", "red"], err


# ---- every kind of file, by every way in

def test_every_kind_of_file_goes_every_way_in(here):
    import tinymodel

    from birdornot.predict import Classifier, find_photos
    for k, hue in enumerate(HUES.keys() - {"blue"}):
        pictures = [Image.open(draw("one.png", hue, 100*k + i)).copy() for i in range(9)]
        home = Path("photos", hue, "2021")
        home.mkdir(parents=True)
        Path("elsewhere", hue).mkdir(parents=True)
        pictures[0].save(home/"a.tif", save_all=True, append_images=pictures[1:3])  # pages; the first one counts
        for i, name in enumerate(("b.TIFF", "c.jfif", "d.jpe", "e.JPG", "f.webp", "g.gif", "h.bmp"), 1):
            kind = dict(tiff="TIFF", webp="WEBP", gif="GIF", bmp="BMP").get(name[2:].lower(), "JPEG")
            pictures[i].save(home/name, kind)
        pictures[8].save(Path("elsewhere", hue, "i"), "PNG")
        Path("photos", hue, "linked").symlink_to(Path("elsewhere", hue).resolve())
        Path("photos", hue, "linked", "round").symlink_to(Path("photos").resolve())
        Path("photos", hue, "video.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(99))
    clf = Classifier(tinymodel.folder(Path("model").absolute(), labels=["red", "green"]))
    photos = find_photos("photos/red", left_out := {})
    assert [p.error for p in clf.predict_many(photos)] == [""]*9 and "video.mp4" in {f.name for f in left_out}
    assert Counter(f.parts[1] for f in picture_files("photos")) == dict(red=9, green=9)
    with pytest.warns(UserWarning, match="left out"): assert clf.evaluate("photos").n == 18
    assert prepare(multilabel=False) == dict(red=9, green=9)
    with Ledger("set") as ledger: rows = {r["title"]: r for r in ledger.rows(status="clean")}
    assert all(Path("set", r["original"]).stat().st_mtime_ns == own_file(r).stat().st_mtime_ns for r in rows.values())


def test_train_on_files_without_an_ending(run):
    fill("photos", 6)
    for f in list(Path("photos").rglob("*.png")): f.rename(f.with_suffix(""))
    code, _, err = run("train", "photos")
    assert code == 0 and "classes   green 6, red 6" in err, err


def test_a_broken_picture_in_a_folder_of_the_users_own_is_told_what_can_be_done(run):
    fill("my photos", 6)
    for name in ("yy", "zz"): Path(f"my photos/red/{name}.jpg").write_bytes(b"\xff\xd8\xff" + name.encode()*50)
    code, _, err = run("train", "my photos")
    assert code == 1 and "yy.jpg: " in err and "and 1 more cannot be read, such as my photos/red/zz.jpg; " in err, err
    assert "put aside by `birdornot make --folder`" in err


def test_a_class_that_was_refused_as_a_whole_is_named_with_its_reason(run):
    """cases/tiny_28px: "add a folder of pictures per class" led nowhere."""
    fill("photos", 5)
    for f in Path("photos/red").iterdir(): Image.open(f).resize((20, 20)).save(f)
    code, _, err = run("make", "--folder", "photos", "--out", "my set")
    last = err.splitlines()[-1]
    assert code == 1 and "all pictures of red were refused (5 × too small: a side of less than 32 pixels; --min-size"
    assert "restore them with birdornot clean 'my set' --undo" in last and "add a folder" not in last, err
    assert run("clean", "my set", "--undo")[0] == run("clean", "my set")[0] == 0
    assert counts("my set") == dict(red=5, green=5)
    fill("photos", 5, hues=("blue",))
    for f in Path("photos/red").iterdir(): f.write_text("no picture")
    prepare("other", multilabel=False)
    err = run("train", "other")[2]
    assert "classes   all pictures of red were refused (5 × " in err and "other --retry-failed tries" in err, err


# ---- odd things among the pictures

def test_what_lies_beside_the_classes_is_named_and_no_label(run):
    "Files at the top, folders without files; `evaluate` takes the folder that `make` took"
    fill("photos")
    draw("photos/top.png", "red", 77)
    Path("photos/empty").mkdir()
    *_, err = made(run, "--folder", "photos", "--out", "set")
    assert "top.png (it is not in a class folder)" in err and "empty (a folder without files)" in err
    fill("others", 4, seed=9)
    draw("others/top.png", "red", 78)
    code, out, err = run("evaluate", "others", "--model", "set/model")
    assert code == 0 and "top.png (it is not in a class folder)" in err and "of 8 wrong" in out


def test_a_second_make_passes_by_what_cannot_be_read(run):
    "A link that leads nowhere and a pipe stopped it, or made it wait for ever"
    fill("photos")
    Path("photos/red/gone.png").symlink_to("nowhere.png")
    if hasattr(os, "mkfifo"): os.mkfifo("photos/red/pipe.png")
    made(run, "--folder", "photos", "--out", "set")
    *_, err = made(run, "--folder", "photos", "--out", "set")
    assert "added" not in err
    Path("photos/red/red0-3.png").unlink()
    *_, err = made(run, "--folder", "photos", "--out", "set")
    assert "1 removed" in err and "added" not in err


def test_a_name_cannot_write_over_the_screen(capsys):
    from birdornot.core import say
    from birdornot.predict import Prediction
    said = str(Prediction("bird", {"bird": 1.0}, path="a\nb\x1b[2J.jpg", labels=["bird"]))
    assert said == r"a\nb\x1b[2J.jpg: bird (100.0%)"
    say("predict", "a\x1b[2J.jpg")
    assert "\x1b" not in capsys.readouterr().err


# ---- the web does not come along

def test_make_after_a_dead_network_says_so_and_goes_on_from_there(run, monkeypatch):
    "Failed rows were counted as found, and the second `make` asked for a folder of pictures per class"
    def lookup(*args, **kwargs): raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(download, "NETWORK_PATIENCE", .2)
    lines = [f"http://h{i % 5}.example/{i}.jpg,{'red' if i % 2 else 'green'}" for i in range(20)]
    Path("table.csv").write_text("\n".join(["url,label", *lines]))
    for _ in range(2):
        code, _, err = run("make", "--table", "table.csv", "--out", "set")
        assert code == 1 and "0 downloaded, 20 failed (" in err and "the next run tries 20 of them again" in err, err
        last = err.splitlines()[-1]
        assert "the network is gone); run it again" in last and "add a folder" not in last, err


def test_what_is_found_for_the_first_word_is_kept_when_the_second_is_refused(run):
    code, out, err = run("search", "bird", "dragon", "--source", "sample", "--n", 5)
    assert code == 1 and len(out.split()) == 5 and "has no drawings of 'dragon'" in err, err
    assert run("search", "bird", "dragon", "--source", "sample", "--n", 5, "--out", "hits.jsonl")[0] == 1
    assert len(Path("hits.jsonl").read_text().splitlines()) == 5
    code, _, err = run("make", "bird", "dragon", "--source", "sample", "--n", 5, "--out", "set")
    assert code == 1 and "what was found of bird is kept" in err, err
    assert "has no drawings of 'dragon'" in err.splitlines()[-1], err
    with Ledger("set") as ledger: assert ledger.counts() == {"bird": {"found": 5}}


def test_workers_can_be_set_and_are_checked(run):
    run("search", "bird", "--source", "sample", "--n", 5, "--out", "hits.jsonl")
    assert run("download", "set", "hits.jsonl", "--workers", 2)[0] == 0
    code, _, err = run("download", "set", "--workers", 0)
    assert code != 0 and "workers is 0; give a number from 1 to 1,024" in err, err
