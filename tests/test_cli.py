"""The program as a user meets it: in a process of its own, with good input and with bad."""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browser import chromium, complaints, needs_chromium
from program import CONNECTS, PROGRAM, birdornot, program_and_imports

from birdornot.sample import make_sample


def one_line(done):
    "The program failed as it should: exit code 1 and one clear line, no traceback"
    assert done.returncode == 1, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    last = [line for line in done.stderr.splitlines() if line.startswith("birdornot: ")]
    assert len(last) == 1, done.stderr
    return last[0]


def tree(folder):
    "Every file below `folder` with its size"
    return {f.relative_to(folder).as_posix(): f.stat().st_size for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def inside(monkeypatch, capsys):
    "`birdornot` in this process, where what a test has changed holds; the result is of the same kind"
    from birdornot.cli import main

    def run(*words, cwd):
        monkeypatch.chdir(cwd)
        capsys.readouterr()
        return subprocess.CompletedProcess(words, main([*map(str, words)]), *capsys.readouterr())
    return run


N = 18  # pictures of a class: as many as a verdict, groups of a test and six new photos need


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    "Drawn birds and forests in folders, one text file among them"
    folder = tmp_path_factory.mktemp("photos")
    make_sample(folder, n=N, kinds=("bird", "forest"))
    (folder/"bird"/"notes.jpg").write_text("seed, bread, milk")
    return folder


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    "What `make` made of them: where, and what it said"
    cwd = tmp_path_factory.mktemp("made")
    done = birdornot("make", "bird", "forest", "--folder", photos, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd, done


def test_make_says_what_it_made(made):
    cwd, done = made
    summary = json.loads(done.stdout.splitlines()[-1])
    assert set(summary) == {"model", "error", "error_low", "error_high", "seconds", "pictures"}
    assert summary["error_low"] <= summary["error"] <= summary["error_high"]
    assert set(summary["seconds"]) == {"search", "download", "clean", "train", "suspects", "export"}
    assert set(summary["pictures"]) == {"bird", "forest"} and min(summary["pictures"].values()) > 0.8*N
    assert (cwd/summary["model"]/"model.onnx").exists() and (cwd/"bird_or_forest"/"report.html").exists()
    assert "web page" not in done.stderr and "Warning" not in done.stderr


def test_make_ends_with_a_verdict_and_what_to_type_next(made):
    "Every line has its word in the same gutter; a pipe gets neither colours nor links"
    lines = made[1].stdout.splitlines()[:-1]
    words = ["error", "verdict", "model", "report", "review", "serve", "try it"]
    assert [line[:9].rstrip() for line in lines] == words and all(line[9] == " " != line[10] for line in lines)
    assert lines[1][10:].startswith("Trust it") and "Do not trust it" in lines[1]
    assert "\nsuspects  " in made[1].stderr and "\x1b" not in made[1].stdout + made[1].stderr


@needs_chromium
def test_the_report_is_for_everybody_to_read(made):
    "The verdict first; axe finds nothing in light or dark, and no line is wider than a phone"
    with chromium() as browser:
        for mode, width in (("light", 1440), ("dark", 390)):
            page = browser.new_page(color_scheme=mode, viewport=dict(width=width, height=900), bypass_csp=True)
            page.goto((made[0]/"bird_or_forest"/"report.html").as_uri())
            assert page.locator("header p").first.inner_text().startswith("Trust it to tell bird from forest")
            assert page.locator("h2").first.inner_text() == "Likely wrong labels"
            assert complaints(page) == [] and page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.skipif(sys.platform != "linux", reason="the program is not watched here")
def test_the_default_run_connects_to_nobody(made):
    "Threat: telemetry of dependencies"
    assert CONNECTS.read_text() == ""


def test_the_command_it_names_works(made):
    cwd, done = made
    command = next(line for line in done.stdout.splitlines() if line.startswith("try it")).split()[3:]
    said = birdornot(*command, cwd=cwd)
    assert said.returncode == 0 and command[-1] in said.stdout


def test_make_again_does_nothing_twice(made, photos):
    cwd, _ = made
    before = {k: v for k, v in tree(cwd).items() if k.endswith(".jpg")}
    again = birdornot("make", "bird", "forest", "--folder", photos, cwd=cwd)
    assert again.returncode == 0 and "the probe of the last run is taken" in again.stderr
    assert {k: v for k, v in tree(cwd).items() if k.endswith(".jpg")} == before


def test_steps_give_what_make_gives(made, photos):
    cwd, done = made
    assert birdornot("search", "bird", "forest", "--folder", photos, "--out", "hits.jsonl", cwd=cwd).returncode == 0
    refused = birdornot("download", "steps", "hits.jsonl", cwd=cwd)  # a file of hits may come from somebody else
    assert refused.returncode == 1 and "name its folder by --folder" in refused.stderr
    for step in (["download", "steps", "hits.jsonl", "--folder", photos], ["clean", "steps"], ["train", "steps"],
                 ["report", "steps"], ["export", "steps"]):
        step = birdornot(*step, cwd=cwd)
        assert step.returncode == 0, step.stderr
    whole, steps = (json.loads((cwd/d/"model"/"model.json").read_text()) for d in ("bird_or_forest", "steps"))
    assert whole["sha256"] == steps["sha256"]


SHOWN = ("as it is", "without colours", "half as large", "the thing alone", "the background alone", "of its class",
         "of another class")


def test_make_tests_for_shortcuts_without_torch(made, photos):
    cwd, _ = made
    (cwd/"bird_or_forest"/"training"/"shortcuts.json").unlink()
    done, imported = program_and_imports("make", "bird", "forest", "--folder", photos, cwd=cwd)
    heavy = {"torch", "fastai", "sklearn", "scipy.stats", "matplotlib", "pandas"} & imported
    assert done.returncode == 0 and not heavy and "birdornot.shortcuts" in imported, (heavy, done.stderr)
    model = cwd/"bird_or_forest"/"model"
    page = (model.parent/"report.html").read_text()
    rows = json.loads((model/"model.json").read_text())["shortcuts"]["slices"]
    assert len(rows) == 7 and all(r["low"] <= r["error"] <= r["high"] and r["pictures"] > N/3 for r in rows)
    card = (model/"MODEL_CARD.md").read_text().split("## Shortcuts")[1].split("\n## ")[0]
    for text in (*SHOWN, "95 % interval", "The first row is the picture as it is"):
        assert text in page and text in card, text


@pytest.mark.slow
@pytest.mark.fastai
def test_a_learner_tells_what_a_probe_tells(made, photos, tmp_path):
    "Card, model.json and report of what was trained with fastai: OOD pictures, data, settings, times, versions"
    shutil.copytree(made[0]/"bird_or_forest", tmp_path/"bird_or_forest")
    model = tmp_path/"bird_or_forest"/"model"
    probe = json.loads((model/"model.json").read_text())
    done = birdornot("make", "bird", "forest", "--folder", photos, "--how", "both", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    card, info = (model/"MODEL_CARD.md").read_text(), json.loads((model/"model.json").read_text())
    assert "torch" in info["versions"] and set(probe["versions"]) < set(info["versions"])
    assert [info[k] for k in ("data", "machine", "valid_pct")] == [probe[k] for k in ("data", "machine", "valid_pct")]
    assert min(info["seconds"][k] for k in ("split", "fit")) > 0
    assert [r["pictures"] for r in info["ood"]] == [r["pictures"] for r in probe["ood"]]
    assert info["data"] in card and "said unsure" in card and "not kept" not in card and "Not tested" not in card
    assert "Pictures of none of its classes" in (model.parent/"report.html").read_text()


def test_ctrl_c_says_what_is_kept(monkeypatch, capsys):
    from birdornot import cli, make, predict

    def stopped(*args, **kwargs): raise KeyboardInterrupt

    def in_training(*args, **kwargs):
        with make._begins_anew(): stopped()

    monkeypatch.setattr(predict, "Classifier", stopped)
    kept = {"make": "what is finished is kept, and the same command goes on from there",
            "train": "the pictures are kept; the training that was going on starts over",
            "predict": "the same command starts over"}
    for words in (["make", "bird", "forest"], ["train", "set"], ["predict", "model", "a.jpg"]):
        monkeypatch.setattr(make, "check_training", in_training if words[0] == "train" else stopped)
        assert cli.main(words) == 1
        assert capsys.readouterr().err.strip().splitlines()[-1] == f"birdornot: stopped; {kept[words[0]]}"


def test_export_alone_is_in_a_hurry(made):
    "A model exported before anybody asked about shortcuts says so, and `report` mends it"
    cwd, _ = made
    shutil.copytree(cwd/"bird_or_forest", cwd/"hurry")
    kept = cwd/"hurry"/"training"/"shortcuts.json"
    kept.unlink()
    for step, known in (("export", False), ("report", True), ("export", True)):
        done = birdornot(step, "hurry", cwd=cwd)
        assert done.returncode == 0 and ("shortcuts not measured" in done.stderr) == (step == "export" and not known)
        page = cwd/"hurry"/("report.html" if step == "report" else "model/MODEL_CARD.md")
        assert kept.exists() == known == ("without colours" in page.read_text())


def ask_why(*words, cwd):
    "Run `why`: what it said, the rows in it, what heavy it imported, and what it told"
    done, imported = program_and_imports("why", *words, cwd=cwd)
    assert done.returncode == 0 and "birdornot.why" in imported, done.stderr
    said = done.stdout.splitlines()
    heavy = {"torch", "fastai", "matplotlib", "pandas"} & imported
    return said, [line.split("  ") for line in said if line[0] in "01"], heavy, done.stderr


def test_why_answers_and_names_the_nearest_without_torch(made, photos):
    cwd, _ = made
    photo = sorted((photos/"forest").glob("*.jpg"))[0]
    (answer, *_), rows, heavy, said = ask_why("bird_or_forest", photo, "--k", "3", cwd=cwd)
    assert not heavy and not said
    assert answer == birdornot("predict", "bird_or_forest/model", photo, cwd=cwd).stdout.strip()
    assert len(rows) == 3 and all((cwd/r[2]).parent.name == r[1] and (cwd/r[2]).exists() for r in rows)
    assert float(rows[0][0]) >= float(rows[1][0]) >= float(rows[2][0])
    assert "nothing.jpg" in one_line(birdornot("why", "bird_or_forest", "nothing.jpg", cwd=cwd))


def test_why_goes_by_what_was_trained(made, photos, inside, monkeypatch, tmp_path):
    "A probe at another size finds other likenesses, and nothing is embedded at the usual size"
    from birdornot.cache import cache_contents, cache_dir
    cwd, _ = made
    for f in cache_dir().glob("tf_efficientnet_lite0-*"): shutil.copy(f, tmp_path)
    half = shutil.ignore_patterns("training", "model", "[89a-f]*.jpg")
    shutil.copytree(cwd/"bird_or_forest", cwd/"small", ignore=half)
    assert birdornot("train", "small", "--how", "probe", "--size", "96", cwd=cwd).returncode == 0
    photo = sorted((photos/"forest").glob("*.jpg"))[0]
    with monkeypatch.context() as alone:
        alone.setenv("BIRDORNOT_CACHE", str(tmp_path))
        small = inside("why", "small", photo, cwd=cwd).stdout.splitlines()
        assert all("-96-" in r["what"] for r in cache_contents() if r["pictures"])
    large = inside("why", "bird_or_forest", photo, cwd=cwd).stdout.splitlines()
    (near, *_), (far, *_) = small[1:], large[1:]
    assert small[0] != large[0] and near != far


def test_why_writes_a_picture(made, photos):
    from PIL import Image, ImageChops
    cwd, _ = made
    photo = sorted((photos/"forest").glob("*.jpg"))[0]
    said, rows, heavy, told = ask_why("bird_or_forest", photo, "--k", "3", "--out", "why.png", cwd=cwd)
    assert len(said) == 4 and len(rows) == 3 and not heavy and not told
    img = Image.open(cwd/"why.png").convert("RGB")
    assert img.width == 1600 and img.height > 1000  # the photo, the heat over it, below them three pictures
    plain, hot = (ImageChops.difference(*im.split()[::2]).getextrema()[1] for im in
                  (Image.open(photo).convert("L").convert("RGB"), img.crop((812, 200, 1552, 700))))
    assert plain == 0 and hot > 30, "the second field is the photo in grey with colour over it"


def test_why_says_why_there_is_no_heat(made, photos, inside, monkeypatch):
    from PIL import Image

    from birdornot import embed
    cwd, _ = made
    photo = sorted((photos/"forest").glob("*.jpg"))[0]
    with monkeypatch.context() as cold:
        cold.setitem(sys.modules, "torch", None)
        cold.setattr(embed.Embedder, "has_maps", property(lambda self: False, lambda *_: None), raising=False)
        done = inside("why", "bird_or_forest", photo, "--out", "cold.jpg", cwd=cwd)
    assert done.returncode == 0 and "needs fastai; pip install" in done.stderr, done.stderr
    assert Image.open(cwd/"cold.jpg").format == "JPEG" and Image.open(cwd/"cold.jpg").width == 1600
    shutil.copytree(cwd/"bird_or_forest", cwd/"untrained", ignore=shutil.ignore_patterns("training", "model"))
    done = birdornot("why", "untrained", photo, "--out", "cold.jpg", cwd=cwd)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 5, done.stderr
    assert "no answer: nothing has been trained" in done.stderr and "birdornot train" in done.stderr


def test_why_refuses(made, photos, tmp_path):
    cwd, _ = made
    photo, before = sorted((photos/"forest").glob("*.jpg"))[0], tree(cwd/"bird_or_forest"/"model")
    for words, text in ((["bird_or_forest/model", photo], "is a model folder"),
                        ([tmp_path, photo], "there are no pictures in"),
                        (["bird_or_forest", photo, "--out", "w.txt"], "end in .jpg, .jpeg, .png or .webp"),
                        (["bird_or_forest", photo, "--k", "0"], "give a number from 1"),
                        (["nowhere", photo], "there is no folder"),
                        (["bird_or_forest", photo, "--k", "-3"], "give a number from 1")):
        done = birdornot("why", *words, cwd=cwd)
        assert text in one_line(done) and not done.stdout
    assert tree(cwd/"bird_or_forest"/"model") == before and not tree(tmp_path)


def both(bird, forest):
    "A picture that shows both: one beside the other"
    from PIL import Image
    img = Image.new("RGB", (400, 200))
    for x, file in ((0, bird), (200, forest)): img.paste(Image.open(file).convert("RGB").resize((200, 200)), (x, 0))
    return img


@pytest.fixture(scope="module")
def several(photos, tmp_path_factory):
    "Folders bird, forest and bird+forest, two others, and new photos of both in a folder of their own"
    folder, drawn = tmp_path_factory.mktemp("several"), {k: sorted((photos/k).glob("0*.jpg"))
                                                         for k in ("bird", "forest")}
    for name in ("bird", "forest", "forest+bird", "bird+sea", "empty"): (folder/"photos"/name).mkdir(parents=True)
    (folder/"new").mkdir()
    for k, files in drawn.items():
        for f in files[:16]: shutil.copy(f, folder/"photos"/k)
    for i, pair in enumerate(zip(drawn["bird"], drawn["forest"][::-1])):
        both(*pair).save(folder/("new" if i >= N - 6 else "photos/forest+bird")/f"both{i}.jpg")
    both(drawn["bird"][0], drawn["bird"][1]).save(folder/"photos"/"bird+sea"/"0.jpg")
    return folder


@pytest.fixture(scope="module")
def labelled(several):
    "What `make` said of them"
    done = birdornot("make", "bird", "forest", "--multilabel", "--folder", "photos", "--json", cwd=several)
    assert done.returncode == 0, done.stderr
    return done


def test_several_labels_from_words_to_answers(several, labelled):
    done = labelled
    summary, model = json.loads(done.stdout.splitlines()[-1]), several/"bird_or_forest"/"model"
    assert set(summary["pictures"]) == {"bird", "forest", "forest+bird"}
    assert summary["pictures"]["forest+bird"] > 0.8*(N - 6)
    info = json.loads((model/"model.json").read_text())
    assert info["multilabel"] and info["labels"] == ["bird", "forest"] and len(info["shortcuts"]["slices"]) == 7
    card, page = (model/"MODEL_CARD.md").read_text(), (several/"bird_or_forest"/"report.html").read_text()
    for text in ("sigmoid", "any number of bird, forest", "right when all of its labels are"): assert text in card, text
    assert "softmax" not in card and "<h1>bird or forest?" in page
    assert "shown, not named" in page and "called bird</th>" not in page and "without colours" in page
    said = birdornot("predict", "bird_or_forest/model", "new", "--json", cwd=several)
    rows = [json.loads(line)["probabilities"] for line in said.stdout.splitlines()]
    assert len(rows) == 6 and sum(min(p.values()) > 0.5 for p in rows) >= 5, rows
    said = birdornot("predict", "bird_or_forest/model", "photos/bird", "photos/forest", "--json", cwd=several)
    assert sum(min(json.loads(line)["probabilities"].values()) < 0.5 for line in said.stdout.splitlines()) >= 29
    assert "bird+forest" in birdornot("predict", "bird_or_forest/model", "new", cwd=several).stdout
    again = birdornot("make", "bird", "forest", "--multilabel", "--folder", "photos", cwd=several)
    assert again.returncode == 0 and "the probe of the last run is taken" in again.stderr


def test_several_labels_are_judged_as_such(several, labelled, inside, monkeypatch):
    "What was trained with --multilabel is compared and cross-validated with it too: bird+forest is no third class"
    from birdornot import backbones
    done = birdornot("evaluate", "bird_or_forest", "--folds", "2", "--json", cwd=several)
    assert done.returncode == 0, done.stderr
    assert [r["label"] for r in json.loads(done.stdout)["per_class"]] == ["bird", "forest"]
    tables, whole = [], backbones.compare_backbones
    monkeypatch.setattr(backbones, "compare_backbones", lambda *a, **k: tables.append(whole(*a, **k)) or tables[0])
    done = inside("backbones", "bird_or_forest", "--names", "tf_efficientnet_lite0", cwd=several)
    assert [r.labels for r in tables[0].results.values()] == [["bird", "forest"]], done.stdout + done.stderr


def test_a_rare_combination_does_not_stop_training(several, tmp_path):
    shutil.copytree(several/"photos", tmp_path/"photos")
    for f in sorted((tmp_path/"photos"/"forest+bird").iterdir())[2:]: f.unlink()
    done = birdornot("make", "bird", "forest", "--multilabel", "--folder", "photos", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["pictures"] == {"bird": 16, "forest": 16, "forest+bird": 2}


def test_classes_of_very_different_size(photos, tmp_path):
    make_sample(tmp_path/"photos", n=8, kinds=("thing",))
    make_sample(tmp_path/"photos", n=30, kinds=("bird",))
    shutil.copytree(photos/"forest", tmp_path/"photos"/"forest")
    for f in sorted((tmp_path/"photos"/"forest").iterdir())[8:]: f.unlink()
    done = birdornot("make", "bird", "forest", "thing", "--folder", "photos", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    dest = tmp_path/"bird_or_forest_or_thing"
    assert json.loads(done.stdout.splitlines()[-1])["pictures"] == dict(bird=30, forest=8, thing=8)
    held = {r["label"]: r["pictures"]
            for r in json.loads((dest/"model"/"model.json").read_text())["error"]["per_class"]}
    assert all(held.values()) and held["bird"] > 2*held["thing"]
    assert "The thing or the background?" in (dest/"report.html").read_text()
    for kind in ("forest", "thing"):  # the small ones are not swallowed by the large one
        said = birdornot("predict", dest/"model", tmp_path/"photos"/kind, "--json", cwd=tmp_path)
        assert [json.loads(line)["label"] for line in said.stdout.splitlines()].count(kind) >= 6, said.stdout


def test_lock_and_rebuild(made, photos):
    cwd, _ = made
    assert birdornot("lock", "bird_or_forest", "--out", "birds.lock", cwd=cwd).returncode == 0
    refused = birdornot("rebuild", "birds.lock", "none", cwd=cwd)  # a lockfile may come from somebody else
    assert refused.returncode == 1 and "name its folder by --folder" in refused.stdout
    assert f"{2*N} gone" in refused.stdout
    done = birdornot("rebuild", "birds.lock", "again", "--folder", photos, cwd=cwd)
    assert done.returncode == 0 and f"{2*N} the same, 0 changed, 0 gone" in done.stdout, done.stderr + done.stdout


def test_exam(made, photos, tmp_path):
    cwd, _ = made
    assert "carries no exam; give photos" in birdornot("exam", "bird_or_forest/model", cwd=cwd).stderr
    assert birdornot("export", "bird_or_forest", "--out", tmp_path/"m.zip", "--exam", cwd=cwd).returncode == 0
    said, kept = birdornot("exam", tmp_path/"m.zip", cwd=tmp_path), birdornot("evaluate", "bird_or_forest", cwd=cwd)
    assert said.returncode == 0 and said.stdout == kept.stdout and "answers" in said.stdout, said.stderr
    mine = birdornot("exam", tmp_path/"m.zip", photos, cwd=tmp_path)  # all of them known: judged as in training
    assert mine.returncode == 0 and "error" in mine.stdout and "the model knows every photo" in mine.stderr


def test_negatives(tmp_path):
    done = birdornot("search", "bird", "--negatives", cwd=tmp_path)
    assert done.returncode == 0 and "bat" in done.stdout.split()


def test_predict_json(made, photos):
    cwd, _ = made
    done = birdornot("predict", "bird_or_forest/model", photos, "--json", cwd=cwd)
    rows = {Path(r["path"]).relative_to(photos).as_posix(): r for r in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1 and len(rows) == 2*N + 1
    refused = rows.pop("bird/notes.jpg")
    assert refused["error"] and refused["label"] is None
    for r in rows.values():
        assert r["label"] in r["probabilities"] and abs(sum(r["probabilities"].values()) - 1) < 1e-5
        assert "error" not in r
    right = [k.startswith(r["label"] + "/") for k, r in rows.items()]
    assert sum(right)/len(right) > 0.9


@pytest.mark.parametrize("words", [("predict", "bird_or_forest/model", "photos"), ("--help",)])
def test_a_reader_who_has_seen_enough(made, photos, words):
    "`| head -1` after a command: no word of a broken pipe"
    cwd, _ = made
    words = [str(photos) if w == "photos" else w for w in words]
    with subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd) as p:
        p.stdout.close()
        said = p.stderr.read()
    assert "ipe" not in said and "Traceback" not in said, said


def test_predict_imports_nothing_heavy(made, photos):
    cwd, _ = made
    photo = next((photos/"forest").glob("*.jpg"))
    done, imported = program_and_imports("predict", "bird_or_forest/model", photo, cwd=cwd)
    heavy = {"torch", "fastai", "pandas", "matplotlib", "scipy"} & imported
    assert done.returncode == 0 and not heavy and "birdornot.predict" in imported, (heavy, done.stderr)


def test_python_runs_the_package_too(tmp_path):
    from birdornot import __version__
    words = [sys.executable, "-m", "birdornot", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"birdornot {__version__}\n"), done.stderr


def test_help_everywhere(tmp_path):
    from birdornot.cli import COMMANDS
    assert birdornot("--help", cwd=tmp_path).returncode == 0
    for name in COMMANDS:
        done = birdornot(name, "--help", cwd=tmp_path)
        assert done.returncode == 0 and f"birdornot {name}" in done.stdout.split("examples:")[1]


@pytest.mark.parametrize("words", [["mkae"], ["predict", "x"], ["make", "bird", "forest", "--n", "many"]])
def test_wrong_usage(words, tmp_path):
    done = birdornot(*words, cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr and not tree(tmp_path)


def test_here_and_where_a_disk_begins_are_folders_too(photos, tmp_path, monkeypatch, capsys):
    "`.` has no name, and the root of a disk has nothing beside it; `/content/bird_or_not` is near it"
    from birdornot.cli import main
    for d in ("bird", "forest"):
        (tmp_path/"own"/d).mkdir(parents=True)
        for f in sorted((photos/d).iterdir())[:14]: shutil.copy(f, tmp_path/"own"/d)
    monkeypatch.chdir(tmp_path)
    assert main("make --folder own --out d".split()) == 0
    monkeypatch.chdir("d")
    photo = next(Path("photos/bird").iterdir())
    here = ["clean .", "train .", "evaluate .", "suspects .", "export .", "lock .", "undo . --list", f"why . {photo}"]
    for words in here:
        assert main(words.split()) == 0, words
    assert (tmp_path/"d.lock").is_file()
    capsys.readouterr()
    for words in ("clean", "train", "evaluate", "report", "suspects", "lock", "undo", "export"):
        assert main([words, tmp_path.anchor]) == 1
        said = "is the root of a disk" if words == "lock" else "where a disk begins"
        assert said in capsys.readouterr().err
    for words in ("report . --out photos", "search bird --source sample --n 3 --out photos"):
        assert main(words.split()) == 1
        said = capsys.readouterr().err
        assert said.endswith("birdornot: 'photos' is a folder; name a file in it\n") and "hits" not in said


def test_empty_folder(tmp_path):
    for d in ("bird", "forest"): (tmp_path/"photos"/d).mkdir(parents=True)
    assert "bird" in one_line(birdornot("make", "bird", "forest", "--folder", "photos", cwd=tmp_path))


def test_one_class(photos, tmp_path):
    assert "two different words" in one_line(birdornot("make", "bird", "--folder", photos, cwd=tmp_path))
    assert "two different words" in one_line(birdornot("make", "bird", "Bird", "--folder", photos, cwd=tmp_path))


def test_too_few(photos, tmp_path):
    shutil.copytree(photos/"bird", tmp_path/"few"/"bird")
    (tmp_path/"few"/"forest").mkdir()
    for f in sorted((photos/"forest").iterdir())[:3]: shutil.copy(f, tmp_path/"few"/"forest")
    line = one_line(birdornot("make", "bird", "forest", "--folder", "few", cwd=tmp_path))
    assert "forest: 3" in line and "search for more" in line
    assert len(list((tmp_path/"bird_or_forest"/"photos"/"bird").glob("*.jpg"))) == N


def test_no_such_folder(tmp_path):
    assert "nowhere" in one_line(birdornot("make", "bird", "forest", "--folder", "nowhere", cwd=tmp_path))


def test_text_named_jpg(made, tmp_path):
    cwd, _ = made
    (tmp_path/"notes.jpg").write_text("milk")
    done = birdornot("predict", "bird_or_forest/model", tmp_path/"notes.jpg", cwd=cwd)
    assert done.returncode == 1 and "refused" in done.stdout and "Traceback" not in done.stderr


def test_missing_photo_and_empty_photo_folder(made, tmp_path):
    cwd, _ = made
    assert "no file or folder" in one_line(birdornot("predict", "bird_or_forest/model", "nothing.jpg", cwd=cwd))
    assert "no photos" in one_line(birdornot("predict", "bird_or_forest/model", tmp_path, cwd=cwd))


def test_missing_model(photos, tmp_path):
    assert "no model folder" in one_line(birdornot("predict", "nowhere", photos, cwd=tmp_path))


@pytest.mark.parametrize("harm", ["cut", "flip", "json", "gone"])
def test_corrupt_model(made, photos, tmp_path, harm):
    cwd, _ = made
    model = shutil.copytree(cwd/"bird_or_forest"/"model", tmp_path/"model")
    if harm == "cut": os.truncate(model/"model.onnx", 10_000)
    if harm == "json": (model/"model.json").write_text('{"schema": ')
    if harm == "gone": (model/"model.onnx").unlink()
    if harm == "flip":
        with open(model/"model.onnx", "r+b") as f:
            f.seek(5_000_000)
            f.write(b"\0\1\2\3")
    assert "model" in one_line(birdornot("predict", model, photos, cwd=tmp_path))


@pytest.mark.parametrize("words", [
    ("train", "set", "--seed", "-1"), ("train", "set", "--minutes", "-1"), ("train", "set", "--minutes", "nan"),
    ("train", "set", "--size", "5"), ("train", "set", "--epochs", "0"), ("evaluate", "set", "--folds", "1"),
    ("make", "bird", "forest", "--seed", "-1"), ("serve", "model", "--port", "99999"),
    ("serve", "model", "--port", "-1")])
def test_numbers_that_cannot_be_meant(tmp_path, capsys, words):
    from birdornot.cli import main
    assert main(list(words)) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"birdornot: {words[-2]} is {words[-1]}") and "; give a number from " in said, said
    assert said.count("\n") == 1


def test_a_model_where_a_dataset_is_wanted(tmp_path, capsys, monkeypatch):
    from birdornot.cli import main
    monkeypatch.chdir(tmp_path)
    Path("birds/model").mkdir(parents=True)
    Path("birds/model/model.json").write_text("{}")
    for words in (["evaluate", "birds/model"], ["evaluate", "birds/model", "--folds", "3"]):
        assert main(words) == 1
        assert "birdornot evaluate PHOTOS --model birds/model" in capsys.readouterr().err
    assert main(["report", "birds/model"]) == 1
    said = capsys.readouterr().err
    assert "is a model folder; name the dataset folder" in said and "'birds'" in said
    assert list(tree(tmp_path)) == ["birds/model/model.json"]


def test_exam_in_the_dataset_itself(made):
    "Its own model folder holds no photos of the exam, what was learned is judged as before, a broken photo is told"
    cwd, _ = made
    dest = shutil.copytree(cwd/"bird_or_forest", cwd/"exam")
    (dest/"photos"/"bird"/"broken.jpg").write_text("no photo")
    done = birdornot("evaluate", "exam", "--model", "exam/model", "--json", cwd=cwd)
    assert done.returncode == 0 and json.loads(done.stdout)["of"] == 2*N, done.stderr
    assert done.stderr.startswith("evaluate  1 photo is left out") and "broken.jpg" in done.stderr
    said = (f"knows every photo by now; what follows are answers to {2*N} of {2*N} photos by models that had not seen "
            "them")
    assert said in done.stderr and done.stderr.count("\n") == 2, done.stderr


def test_a_table_that_cannot_be_written(made, photos):
    cwd, _ = made
    for table, why in (("nodir/x.csv", "there is no folder 'nodir'"), (".", "is a folder")):
        line = one_line(birdornot("predict", "bird_or_forest/model", photos, "--csv", table, cwd=cwd))
        assert why in line and ".part" not in line


def test_no_hits(tmp_path):
    line = one_line(birdornot("make", "unicorn", "bird", "--source", "sample", cwd=tmp_path))
    assert "unicorn" in line


def test_unknown_source(tmp_path):
    assert "altavista" in one_line(birdornot("search", "bird", "--source", "altavista", cwd=tmp_path))


def test_unreachable_engine(tmp_path, inside, monkeypatch):
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "DDGS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: refused at once
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for source in ("openverse", "duckduckgo"):
        assert source in one_line(inside("search", "bird", "--source", source, cwd=tmp_path))


def test_unknown_backbone(made, photos):
    cwd, _ = made
    before = tree(cwd/"bird_or_forest"/"model")
    line = one_line(birdornot("make", "bird", "forest", "--folder", photos, "--backbone", "resnet_of_dreams", cwd=cwd))
    assert "resnet_of_dreams" in line and tree(cwd/"bird_or_forest"/"model") == before


def test_full_disk(photos, tmp_path):
    "A limit on file sizes makes every larger write fail, as a full disk does"
    def small(): resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    one_line(birdornot("make", "bird", "forest", "--folder", photos, cwd=tmp_path, preexec_fn=small))
    done = birdornot("make", "bird", "forest", "--folder", photos, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_full_disk_at_export(made, photos):
    "The model of the last run stays when there is no room for the new one"
    def small(): resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    cwd, _ = made
    before = tree(cwd/"bird_or_forest"/"model")
    one_line(birdornot("export", "bird_or_forest", cwd=cwd, preexec_fn=small))
    assert tree(cwd/"bird_or_forest"/"model") == before
    assert [f.name for f in (cwd/"bird_or_forest").iterdir() if f.name.startswith(".model")] == []


@pytest.mark.parametrize("when", ["download", "clean", "train"])
def test_ctrl_c(tmp_path, when):
    "Interrupted while a stage is under way, and typed again"
    words = [*PROGRAM, "demo", "--n", "12"]
    dest = tmp_path/"bird_or_forest"
    begun = dict(download=lambda: any(dest.glob("originals/*/*.jpg")),
                 clean=lambda: any(dest.glob("photos/bird/*.jpg")),
                 train=lambda: len(list(dest.glob("photos/*/*.jpg"))) > 18)[when]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        until = time.monotonic() + 60
        while not begun() and time.monotonic() < until and p.poll() is None: time.sleep(0.02)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
    assert p.returncode == 1, err
    assert err.count("birdornot: stopped") == 1 and "Traceback" not in err
    there = tree(dest/"originals")
    again = birdornot("demo", "--n", "12", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    kept = {Path(k).name for k in tree(dest/"originals")} | {Path(k).name for k in tree(dest/"quarantine")}
    assert {Path(k).name for k in there if "/" in k} <= kept
