"""The lesson's recipe and ours on the same pictures, the same backbone and the same held-out part.

    python bench/train.py [--quick] [--photos DIR] [--seeds N]

DIR holds bird/ and not_bird/ (default ../shared/photos, else drawings stand in). Whole processes in turn, from start to a
model that has answered for every held-out picture; the backbone's weights (and our ONNX file of it) are in the cache for
all. A second, harder set is the same pictures shrunk to 32 px and back. `--quick` runs one seed of the lesson, for two
epochs instead of ten. The last line is JSON: ratios are lesson ÷ ours, errors are shares of the pictures held out.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from birdornot.evaluate import Evaluation, bootstrap_interval, wilson
from birdornot.sample import make_sample
from birdornot.split import split_files

LESSON = """
import sys, json, warnings
warnings.simplefilter("ignore")
from fastai.vision.all import *
from birdornot.embed import packaged_weights
path, epochs, seed, test = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
set_seed(seed, reproducible=True)
dls = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files, get_y=parent_label,
                splitter=RandomSplitter(valid_pct=0.2, seed=seed), item_tfms=[Resize(192, method="squish")]
                ).dataloaders(path, bs=32, num_workers=0)
learn = vision_learner(dls, "tf_efficientnet_lite0", metrics=error_rate,
                       pretrained_cfg_overlay=dict(state_dict=packaged_weights()))
with learn.no_bar(), learn.no_logging(): learn.fine_tune(epochs)
learn.export(path/"export.pkl")
files = sorted(get_image_files(test))
probs = learn.get_preds(dl=learn.dls.test_dl(files))[0]
print(json.dumps(dict(zip([str(f) for f in files], probs.tolist()))))
"""
OURS = """
import sys, json
from pathlib import Path
from birdornot.cli import main
path, how, seed, test = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
out, sys.stdout = sys.stdout, sys.stderr
for step in (["train", str(path), "--how", how, "--seed", seed], ["export", str(path)]): assert main(step) == 0
sys.stdout = out
from birdornot.predict import Classifier
clf, files = Classifier(path/"model"), sorted(test.rglob("*.jpg"))
print(json.dumps({str(f): [p.probabilities[k] for k in sorted(clf.labels)] + [p.unsure] for f, p in zip(files, clf.predict_many(files))}))
"""


def run(program, *words):
    "Wall time and CPU time of a Python process, and what it printed last, as JSON"
    start, before = time.perf_counter(), os.times()
    done = subprocess.run([sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True)
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode: sys.exit(done.stderr[-3000:])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu, json.loads(done.stdout.splitlines()[-1])


def shrink(file, to):
    "The picture shrunk to 32 px and back"
    img = Image.open(file).convert("RGB")
    small = img.copy()
    small.thumbnail((32, 32))
    small.resize(img.size, Image.Resampling.BICUBIC).save(to, quality=95)


def lay_out(files, labels, folder, train, test, hard):
    "Two folders of links to (or shrunk copies of) pictures: what to learn from, what to be judged by"
    for part, rows in dict(learn=train, test=test).items():
        for i in rows:
            to = folder/part/labels[i]/f"{i:05}.jpg"
            to.parent.mkdir(parents=True, exist_ok=True)
            if hard: shrink(files[i], to)
            else: Image.open(files[i]).convert("RGB").save(to, quality=95)


def judge(answers, k=2):
    "`Evaluation` of what a process printed"
    files = sorted(answers)
    labels = sorted({Path(f).parent.name for f in files})
    probs = np.array([answers[f][:k] for f in files], float)
    unsure = np.array([bool(answers[f][k]) for f in files]) if len(answers[files[0]]) > k else None
    return Evaluation(labels, [labels.index(Path(f).parent.name) for f in files], probs, files, unsure)


def pooled(results):
    "All answers of several seeds in one"
    unsure = None if results[0].unsure is None else np.concatenate([r.unsure for r in results])
    return Evaluation(results[0].labels, np.concatenate([r.targets for r in results]),
                      np.concatenate([r.probabilities for r in results]), unsure=unsure)


def compare(photos, hard, ways, seeds, epochs, tmp):
    "Each way's pooled `Evaluation`, wall and CPU seconds per seed; the ways take turns"
    found, took = {w: [] for w in ways}, {w: [] for w in ways}
    for seed in range(seeds):
        files, labels, train, test = split_files(photos, valid_pct=0.25, seed=seed, record=False)
        for way in ways:
            folder = Path(tmp)/f"{'hard' if hard else 'plain'}-{seed}-{way}"
            lay_out(files, labels, folder, train, test, hard)
            lesson = way == "lesson"
            wall, cpu, answers = run(LESSON if lesson else OURS, folder/"learn", epochs if lesson else way, seed, folder/"test")
            found[way].append(judge(answers))
            took[way].append((wall, cpu))
    return {w: pooled(r) for w, r in found.items()}, {w: np.median(t, axis=0) for w, t in took.items()}


def show(name, results, took):
    "A row per way"
    for way, r in results.items():
        low, high = bootstrap_interval(r, lambda e: e.error)
        print(f"{name:<8}{way:<8}{took[way][0]:>9.1f} s{took[way][1]:>9.1f} s CPU   error {r.error:6.1%} ({low:.1%}–{high:.1%}) "
              f"of {r.n}   ECE {r.ece:.1%}")


def honesty(photos, seeds):
    "Calibration error on held-out pictures before and after, and what a bird/forest model says about other things"
    from birdornot.embed import embed_files
    from birdornot.head import probabilities, solve_head, stratified_folds
    from birdornot.novelty import stranger_files
    from birdornot.probe import build_head, evaluate_head
    before, after, foreign, inside, drawn_foreign, drawn_inside = [], [], [], [], [], []
    with tempfile.TemporaryDirectory() as d:
        drawn = Path(d)/"drawn"
        make_sample(drawn, n=80, kinds=("bird", "forest", "thing"), seed=7)
        def _embed(folder): return embed_files(d, sorted(f for f in folder.glob("*.*") if f.suffix in (".jpg", ".jpeg", ".png")))
        pictures = {k: _embed(drawn/k) for k in ("bird", "forest", "thing")}
        real = {k: _embed(photos/k) for k in ("bird", "not_bird")} if photos else None
        strangers = embed_files(d, stranger_files(["bird", "forest"]))
        def _fit(parts, seed):
            x, y = np.concatenate(parts), np.repeat(range(len(parts)), [len(p) for p in parts])
            outer = stratified_folds(y, np.arange(len(y)), 4, seed)
            seen = outer != 0
            folds = stratified_folds(y[seen], np.arange(seen.sum()), 5, seed)
            head, _ = build_head(x[seen], y[seen], ["a", "b"], folds, strangers)
            weight, bias, _, _ = solve_head(x[seen], y[seen], folds)
            plain = Evaluation(["a", "b"], y[~seen], probabilities(x[~seen] @ weight.T + bias))
            return head, plain, evaluate_head(head, x[~seen], y[~seen])
        for seed in range(seeds):
            if real:
                head, plain, result = _fit([real["bird"], real["not_bird"]], seed)
                before.append(plain), after.append(result)
                head, _, result = _fit([np.concatenate([pictures["bird"], real["bird"]]), pictures["forest"]], seed)
                foreign.append(1 - evaluate_head(head, real["not_bird"], np.zeros(len(real["not_bird"]), int)).coverage)
                inside.append(result.coverage)
            head, plain, result = _fit([pictures["bird"], pictures["forest"]], seed)
            if not real: before.append(plain), after.append(result)
            drawn_foreign.append(1 - evaluate_head(head, pictures["thing"], np.zeros(len(pictures["thing"]), int)).coverage)
            drawn_inside.append(result.coverage)
    rows = dict(unsure_foreign=foreign or drawn_foreign, coverage=inside or drawn_inside, unsure_drawn=drawn_foreign,
                coverage_drawn=drawn_inside)
    return dict(ece_before=pooled(before).ece, ece_after=pooled(after).ece, **{k: float(np.mean(v)) for k, v in rows.items()})


def growth(sizes, tmp):
    "Wall seconds of ours for sets of several sizes, drawings repeated in other colours"
    took = {}
    make_sample(Path(tmp)/"base", n=25, kinds=("bird", "forest"), seed=3)
    base = sorted((Path(tmp)/"base").rglob("*.jpg"))
    for n in sizes:
        folder = Path(tmp)/f"grow-{n}"
        for i in range(n):
            file = base[i % 50]
            to = folder/"learn"/file.parent.name/f"{i:05}.jpg"
            to.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.asarray(Image.open(file).convert("RGB").resize((320, 240)), np.float32)
            change = np.random.default_rng(i).uniform(0.6, 1.2, 3) if i >= 50 else 1
            Image.fromarray((pixels*change).clip(0, 255).astype(np.uint8)).save(to, quality=88)
        test = folder/"test"/"bird"
        test.mkdir(parents=True)
        Image.open(base[0]).save(test/"0.jpg")
        took[n] = run(OURS, folder/"learn", "probe", 0, folder/"test")[:2]
    return took


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true", help="one seed, two epochs of the lesson, no growth, under a minute")
    p.add_argument("--photos", type=Path, default=Path(__file__).parents[2]/"shared"/"photos", help="folder with bird/ and not_bird/")
    p.add_argument("--seeds", type=int, default=5, help="splits")
    p.add_argument("--ways", default="lesson,probe,both", help="what to run, separated by commas")
    args = p.parse_args()
    photos, seeds, epochs = args.photos.resolve(), 1 if args.quick else args.seeds, 2 if args.quick else 10
    ways = [w for w in args.ways.split(",") if not (args.quick and w == "both")]
    with tempfile.TemporaryDirectory() as tmp:
        if not photos.exists():
            photos = Path(tmp)/"photos"
            make_sample(photos, n=80, kinds=("bird", "forest"), seed=1)
        run("from birdornot.embed import backbone_onnx; from birdornot.novelty import stranger_files; "
            "backbone_onnx(); stranger_files(); print(0)")  # what is made once for all datasets
        results, took = compare(photos, False, ways, seeds, epochs, tmp)
        show("photos", results, took)
        if not args.quick:
            hard, hard_took = compare(photos, True, ways, seeds, epochs, tmp)
            show("32 px", hard, hard_took)
            for n, (wall, cpu) in growth((100, 400, 1600), tmp).items(): print(f"growth  {n:>6} pictures {wall:8.2f} s {cpu:8.2f} s CPU")
        said = honesty(photos if (photos/"not_bird").exists() else None, 2 if args.quick else 10)
    for k, v in said.items(): print(f"{k:<18}{v:>8.1%}")
    def _ratio(way): return round(float(took["lesson"][0]/took[way][0]), 1) if way in took and "lesson" in took else None
    def _cpu(way): return round(float(took["lesson"][1]/took[way][1]), 1) if way in took and "lesson" in took else None
    def _error(way, results): return round(results[way].error, 4) if way in results else None
    line = dict(vs_lesson_time=_ratio("probe"), error_ours=_error("probe", results), error_lesson=_error("lesson", results),
                error_both=_error("both", results), both_vs_lesson_time=_ratio("both"), vs_lesson_cpu=_cpu("probe"),
                **{k: round(v, 4) for k, v in said.items()}, lesson_epochs=epochs)
    if not args.quick: line |= {f"hard_error_{w}": _error(w, hard) for w in ways}
    print(json.dumps(line))


if __name__ == "__main__": main()
