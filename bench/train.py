"""The lesson's recipe and ours on the same pictures, the same backbone and the same held-out part.

    python bench/train.py [--quick] [--photos DIR] [--small DIR] [--seeds N] [--ways lesson,probe,chosen,both]

DIR holds bird/ and not_bird/ (default ../shared/photos, else drawings stand in). `probe` is one look of the default
backbone, `chosen` lets the pictures choose from the ladder, `both` trains the last blocks as well and asks networks
that do not learn beside them. Whole processes in turn, from start to the first answer of what was trained, and
exported, in it; pictures of 224 px, which the backbone was trained on, for all (the lesson itself takes 192). The
backbone's weights, our ONNX file of it, and what it sees in our OOD pictures are in the cache, as they are after a
first run on any dataset. A second, harder set is the same pictures shrunk to 32 px and back. Then come ten questions
about small pictures (--small, default ../shared/small), three seeds each, with the lesson in two of them, and how
long each rung of the ladder takes for a picture. `--quick` is one seed at 128 px, without `both`, with one epoch of
the lesson after the frozen one instead of ten; its ratios are measured, and smaller. The last line is JSON: ratios
are lesson ÷ ours, or for errors probe ÷ the other way; errors are shares of the pictures held out, over all seeds.
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

from birdornot.backbone import installed_ladder
from birdornot.embed import Embedder, embed_files
from birdornot.evaluate import Evaluation
from birdornot.novelty import ood_files
from birdornot.sample import make_sample
from birdornot.split import split_files

LESSON = """
import sys, json, os, time, warnings
warnings.simplefilter("ignore")
from fastai.vision.all import *
from birdornot.backbone import packaged_weights
from birdornot.embed import as_tensors
path, test = Path(sys.argv[1]), Path(sys.argv[4])
epochs, seed, size = (int(sys.argv[i]) for i in (2, 3, 5))
set_seed(seed, reproducible=True)
dls = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files, get_y=parent_label,
                splitter=RandomSplitter(valid_pct=0.2, seed=seed), item_tfms=[Resize(size, method="squish")]
                ).dataloaders(path, num_workers=0)
learn = vision_learner(dls, "tf_efficientnet_lite0", metrics=error_rate,
                       pretrained_cfg_overlay=dict(state_dict=as_tensors(packaged_weights())))
with learn.no_bar(), learn.no_logging(): learn.fine_tune(epochs)
learn.export(path/"export.pkl")
files = sorted(get_image_files(test))
with learn.no_bar(): learn.predict(files[0])
ready = [time.time(), sum(os.times()[:4])]
probs = learn.get_preds(dl=learn.dls.test_dl(files))[0]
print(json.dumps([ready, dict(zip([str(f) for f in files], probs.tolist()))]))
"""
OURS = """
import sys, json, os, time
from pathlib import Path
from birdornot.cli import main
path, how, seed, test, size = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]), sys.argv[5]
size = [] if size == "224" else ["--size", size]
out, sys.stdout = sys.stdout, sys.stderr
one_look = ["--backbone", "tf_efficientnet_lite0"]
how = {"both": ["--how", "both"], "chosen": ["--how", "probe"], "probe": ["--how", "probe", *one_look]}[how]
for step in (["train", str(path), *how, "--seed", seed, *size], ["export", str(path)]): assert main(step) == 0
sys.stdout = out
from birdornot.predict import Classifier
clf, files = Classifier(Path(f"{path}_birdornot")/"model"), sorted(test.rglob("*.jpg"))
clf(files[0])
ready = [time.time(), sum(os.times()[:4])]
answers = {str(f): [p.probabilities[k] for k in sorted(clf.labels)] + [p.unsure]
           for f, p in zip(files, clf.predict_many(files))}
print(json.dumps([ready, answers]))
"""


def run(program, *words):
    "Seconds, and processor seconds, of a Python process until it was ready to answer, and its answers"
    start = time.time()
    # modules, as pip would have done
    compiled = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", program, *map(str, words)],
                          capture_output=True, text=True, env=compiled)
    if done.returncode: sys.exit(done.stderr[-3000:])
    (ready, cpu), answers = json.loads(done.stdout.splitlines()[-1])
    return ready - start, cpu, answers


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


def compare(photos, hard, ways, seeds, epochs, size, tmp):
    "Each way's pooled `Evaluation`, and its wall and processor seconds per seed; the ways take turns"
    found, took = {w: [] for w in ways}, {w: [] for w in ways}
    for seed in range(seeds):
        files, labels, train, test = split_files(photos, valid_pct=0.25, seed=seed, record=False)
        for way in ways:
            folder = Path(tmp)/f"{'hard' if hard else 'plain'}-{seed}-{way}"
            lay_out(files, labels, folder, train, test, hard)
            program, how = (LESSON, epochs) if way == "lesson" else (OURS, way)
            wall, cpu, answers = run(program, folder/"learn", how, seed, folder/"test", size)
            found[way].append(judge(answers))
            took[way].append((wall, cpu))
            print(f"  seed {seed} {way:<7}{wall:8.1f} s{cpu:8.1f} s CPU   "
                  f"{found[way][-1].wrong} of {found[way][-1].n} wrong", flush=True)
    return {w: pooled(r) for w, r in found.items()}, {w: np.array(t) for w, t in took.items()}


def ratio(took, way, column):
    "How many times longer the lesson took: median over the seeds of the lesson's time ÷ that of `way`"
    return (round(float(np.median(took["lesson"][:, column]/took[way][:, column])), 1)
            if {"lesson", way} <= took.keys() else None)


def show(name, results, took):
    "A row per way, with Wilson's interval of its error"
    for way, r in results.items():
        (low, high), (wall, cpu) = r.interval, np.median(took[way], axis=0)
        print(f"{name:<8}{way:<8}{wall:>9.1f} s{cpu:>9.1f} s CPU   error "
              f"{r.error:6.1%} ({low:.1%}–{high:.1%}) of {r.n}   ECE {r.ece:.1%}")


def honesty(photos, n, seeds):
    "Calibration error on held-out pictures before and after, and what a bird/forest model says about other things"
    from birdornot.head import probabilities, solve_head
    from birdornot.probe import build_head, evaluate_head
    from birdornot.split import stratified_folds
    before, after, foreign, inside, drawn_foreign, drawn_inside = [], [], [], [], [], []
    with tempfile.TemporaryDirectory() as d:
        drawn = Path(d)/"drawn"
        make_sample(drawn, n=n, kinds=("bird", "forest", "thing"), seed=7)
        def _embed(folder):
            return embed_files(sorted(f for f in folder.glob("*.*") if f.suffix in (".jpg", ".jpeg", ".png")))
        pictures = {k: _embed(drawn/k) for k in ("bird", "forest", "thing")}
        real = {k: _embed(photos/k) for k in ("bird", "not_bird")} if photos else None
        ood = embed_files(ood_files(["bird", "forest"]))
        def _fit(parts, seed):
            x, y = np.concatenate(parts), np.repeat(range(len(parts)), [len(p) for p in parts])
            outer = stratified_folds(y, np.arange(len(y)), 4, seed)
            seen = outer != 0
            folds = stratified_folds(y[seen], np.arange(seen.sum()), 5, seed)
            head, _ = build_head(x[seen], y[seen], ["a", "b"], folds, ood)
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
            drawn_foreign.append(1 - evaluate_head(head, pictures["thing"],
                                                   np.zeros(len(pictures["thing"]), int)).coverage)
            drawn_inside.append(result.coverage)
    rows = dict(unsure_foreign=foreign or drawn_foreign, coverage=inside or drawn_inside, unsure_drawn=drawn_foreign,
                coverage_drawn=drawn_inside)
    return dict(ece_before=pooled(before).ece, ece_after=pooled(after).ece,
                **{k: float(np.mean(v)) for k, v in rows.items()})


CELLS = {  # questions about small pictures: the kinds of each class
    "cat, dog": (("cat",), ("dog",)), "automobile, truck": (("automobile",), ("truck",)),
    "deer, horse": (("deer",), ("horse",)), "bird, airplane": (("bird",), ("airplane",)),
    "ship, airplane": (("ship",), ("airplane",)), "frog, bird": (("frog",), ("bird",)),
    "dog, horse": (("dog",), ("horse",)), "cat, deer, bird": (("cat",), ("deer",), ("bird",)),
    "bird, other": (("bird",), ("airplane", "automobile", "cat", "deer", "dog", "frog", "horse", "ship", "truck")),
    "animals, vehicles": (("bird", "cat", "deer", "dog", "frog", "horse"), ("airplane", "automobile", "ship", "truck"))}
LEARN, JUDGE = 150, 150  # small pictures of each class
LESSON_CELLS = ("cat, dog", "automobile, truck")  # where the lesson runs beside ours, for one seed: it takes minutes


def lay_out_cell(small, classes, seed, folder):
    "Copies of small pictures to learn from and to be judged by, in a folder for each class"
    rng = np.random.default_rng(seed)
    for kinds in classes:
        files = rng.permutation(sorted(f for kind in kinds for f in (small/kind).iterdir()))[:LEARN + JUDGE]
        for i, file in enumerate(files):
            to = folder/("learn" if i < LEARN else "test")/kinds[0]/f"{i:05}.jpg"
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(Path(file).read_bytes())


def answer_cell(small, name, seed, way, tmp):
    "What one way answers to the pictures of one question, and the seconds and processor seconds it took"
    folder = Path(tmp)/f"cell-{name}-{seed}-{way}"
    lay_out_cell(small, CELLS[name], seed, folder)
    program, how = (LESSON, 10) if way == "lesson" else (OURS, way)
    wall, cpu, answers = run(program, folder/"learn", how, seed, folder/"test", 224)
    return judge(answers, len(CELLS[name])), (wall, cpu)


def small_cells(small, ways, seeds, tmp):
    "Each way's answers and seconds for every question and seed; the ways take turns, the lesson in two questions"
    found, took = {w: {} for w in ways}, {w: {} for w in ways}
    for name in CELLS:
        for seed in range(seeds):
            for way in ways:
                if way == "lesson" and (seed or name not in LESSON_CELLS): continue
                answers, seconds = answer_cell(small, name, seed, way, tmp)
                found[way].setdefault(name, []).append(answers)
                took[way].setdefault(name, []).append(seconds)
                said = f"{answers.wrong} of {answers.n} wrong"
                print(f"  {name:<18} seed {seed} {way:<7}{seconds[1]:8.1f} s CPU   {said}", flush=True)
        row = {w: pooled(found[w][name]) for w in ways if name in found[w]}
        print(f"{name:<20}" + "".join(f"{w:>8} {r.error:6.1%} ({r.interval[0]:.1%}–{r.interval[1]:.1%})"
                                      for w, r in row.items()), flush=True)
    return found, took


def ladder_seconds(small, pictures=24, rounds=3):
    "Milliseconds of a processor for a picture on each rung, measured in turn"
    files = [next((small/kind).iterdir()) for kind in ("bird", "cat", "frog")]*(pictures//3)
    looks, took = {b: Embedder(b, threads=1) for b in installed_ladder()}, {}
    for _ in range(rounds):
        for name, look in looks.items():
            start = time.process_time()
            look(files)
            took.setdefault(name, []).append(1000*(time.process_time() - start)/len(files))
    return {b: float(np.median(v)) for b, v in took.items()}


def wilson(wrong, n):
    "95 % interval of an error"
    return Evaluation([0, 1], np.arange(n) < wrong, np.repeat([[1.0, 0.0]], n, axis=0)).interval


def cell_facts(found, took):
    "What the small pictures say: errors of the probe ÷ those of others, time of the lesson ÷ that of both, coverage"
    def rows(way): return [r for results in found[way].values() for r in results]
    def error(way): return np.mean([r.error for r in rows(way)])
    for way in found:
        wrong, n = (sum(getattr(r, k) for r in rows(way)) for k in ("wrong", "n"))
        low, high = wilson(wrong, n)
        print(f"small   {way:<8} error {wrong/n:6.1%} ({low:.1%}–{high:.1%}) of {n}", flush=True)
    facts = {f"{w}_vs_probe": round(error("probe")/error(w), 3) for w in ("chosen", "both") if w in found}
    if "both" not in found: return facts
    facts |= dict(coverage_both=round(float(np.mean([1 - np.mean(r.unsure) for r in rows("both")])), 4),
                  both_seconds=round(float(np.median([cpu for each in took["both"].values() for _, cpu in each])), 1))
    if "lesson" not in found: return facts
    ratios = [took["lesson"][name][0][1]/took["both"][name][0][1] for name in took["lesson"]]
    return facts | dict(small_both_vs_lesson_cpu=round(float(np.median(ratios)), 1))


def growth(photos, sizes, tmp):
    "Seconds of ours for sets of several sizes: parts of the pictures, cut out and mirrored at random"
    took, base = {}, {k: sorted((photos/k).glob("*.jpg"))
                      for k in sorted(f.name for f in photos.iterdir() if f.is_dir())}
    for n in sizes:
        folder, rng = Path(tmp)/f"grow-{n}", np.random.default_rng(n)
        for i in range(n):
            label = sorted(base)[i % len(base)]
            to = folder/"learn"/label/f"{i:05}.jpg"
            to.parent.mkdir(parents=True, exist_ok=True)
            img = Image.open(base[label][i//len(base) % len(base[label])]).convert("RGB")
            img = img.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else img
            w, h = (int(v*rng.uniform(0.5, 0.9)) for v in img.size)
            x, y = (int(rng.integers(a - b)) for a, b in zip(img.size, (w, h)))
            img.crop((x, y, x + w, y + h)).resize((400, 300)).save(to, quality=88)
        test = folder/"test"/label
        test.mkdir(parents=True)
        img.save(test/"0.jpg")
        took[n] = run(OURS, folder/"learn", "probe", 0, folder/"test", 224)[:2]
    return took


def near(args):
    "Share of small pictures of other kinds that are found where 95 % of the rest pass"
    if not args.small.is_dir(): return None
    sys.path.insert(0, str(Path(__file__).parent/"simulation"))
    from promises import foreign
    return round(float(np.mean([r["ours"] for r in foreign(args.small, None, (60,), 1 if args.quick else 3)])), 4)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true",
                   help="one seed at 128 px, one epoch of the lesson; no both, no harder set, no growth")
    p.add_argument("--photos", type=Path, default=Path(__file__).parents[2]/"shared"/"photos",
                   help="folder with bird/ and not_bird/")
    p.add_argument("--small", type=Path, default=Path(__file__).parents[2]/"shared"/"small",
                   help="folder of small pictures in ten kinds")
    p.add_argument("--seeds", type=int, default=5, help="splits")
    p.add_argument("--ways",
                   help="what to run, separated by commas; by default lesson,probe,chosen,both (--quick: lesson,probe)")
    args = p.parse_args()
    photos, ways = args.photos.resolve(), (args.ways
                                           or ("lesson,probe" if args.quick else "lesson,probe,chosen,both")).split(",")
    seeds, epochs, size = (1, 1, 128) if args.quick else (args.seeds, 10, 224)
    with tempfile.TemporaryDirectory() as tmp:
        if not (real := (photos/"not_bird").exists()):
            photos = Path(tmp)/"photos"
            make_sample(photos, n=80, kinds=("bird", "forest"), seed=1)
        # made once for all datasets
        embed_files(ood_files(), size=None if size == 224 else size)
        results, took = compare(photos, False, ways, seeds, epochs, size, tmp)
        show("photos", results, took)
        hard = {}
        if not args.quick:
            hard, hard_took = compare(photos, True, ways, seeds, epochs, size, tmp)
            show("32 px", hard, hard_took)
            for n, (wall, cpu) in growth(photos, (100, 400, 1600), tmp).items():
                print(f"growth  {n:>6} pictures {wall:8.2f} s {cpu:8.2f} s CPU {1000*wall/n:8.1f} ms a picture")
        cells, rungs = {}, {}
        if args.small.is_dir():
            rungs = ladder_seconds(args.small)
            for backbone, ms in rungs.items(): print(f"{backbone:<50} {ms:6.1f} ms a picture")
            if not args.quick:
                cells = cell_facts(*small_cells(args.small, ways, 3, tmp))
        said = honesty(photos if real else None, *((40, 4) if args.quick else (80, 10)))
    for k, v in said.items(): print(f"{k:<18}{v:>8.1%}")
    errors = dict(error_ours=None, error_lesson=None, error_both=None)
    errors |= {f"error_{'ours' if w == 'probe' else w}": round(r.error, 4) for w, r in results.items()}
    print(json.dumps(dict(
        vs_lesson_time=ratio(took, "probe", 0), **errors, both_vs_lesson_time=ratio(took, "both", 0),
        **{k: round(v, 4) for k, v in said.items()}, vs_lesson_cpu=ratio(took, "probe", 1),
        both_vs_lesson_cpu=ratio(took, "both", 1),
        **{f"hard_{'error_ours' if w == 'probe' else f'error_{w}'}": round(r.error, 4) for w, r in hard.items()},
        seeds=seeds, size=size, lesson_epochs=epochs, **cells, ms_a_picture={b: round(v, 1) for b, v in rungs.items()},
        foreign_near=near(args))))


if __name__ == "__main__": main()
