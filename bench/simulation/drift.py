"""Does a comparison of photos without labels notice what costs errors, and stay silent where nothing has changed?

A folder of classes is dealt into pictures to learn from and pictures of "today". Those of today are changed by code
(light, colour, sharpness, compression, crops, background, noise, turns), or most of them are of the hardest class. What
a change costs is measured on all pictures of today; what is compared is a folder of 50 to 200 of them.
"""
import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from birdornot.drift import check_drift, choose_to_label, error_from_labels, make_reference, one_a_group, shorten
from birdornot.embed import Embedder
from birdornot.novelty import ood_embeddings, ood_files
from birdornot.picture import MAX_SIZE, open_upright
from birdornot.probe import build_head, evaluate_head
from birdornot.split import stratified_folds

COST = 0.05  # a change that costs so much must be noticed
SIZES = 50, 100, 200  # photos in a folder


def again(im, quality):
    "The picture as a JPEG of low quality"
    data = io.BytesIO()
    im.save(data, "JPEG", quality=quality)
    return Image.open(io.BytesIO(data.getvalue())).convert("RGB")


def crop(im, share, rng):
    "A part of the picture, anywhere in it"
    w, h = (max(2, round(side*share)) for side in im.size)
    x, y = rng.integers(im.width - w + 1), rng.integers(im.height - h + 1)
    return im.crop((x, y, x + w, y + h))


def tinted(im, *factors): return Image.fromarray(np.clip(np.asarray(im)*np.array(factors), 0, 255).astype("uint8"))


def noisy(im, sigma, rng):
    return Image.fromarray(np.clip(np.asarray(im) + rng.normal(0, sigma, (*im.size[::-1], 3)), 0, 255).astype("uint8"))


@cache
def grounds(): return [open_upright(f) for f in ood_files()]


def moved(im, share, rng):
    "The picture, smaller, on another background"
    ground = grounds()[rng.integers(len(grounds()))].resize(im.size)
    small = im.resize([max(1, round(side*share)) for side in im.size])
    ground.paste(small, tuple(int(rng.integers(a - b + 1)) for a, b in zip(im.size, small.size)))
    return ground


def coarse(im, share): return im.resize([max(1, round(s*share)) for s in im.size], 2).resize(im.size, 2)


def blurred(im, share): return im.filter(ImageFilter.GaussianBlur(share*min(im.size)))


CHANGES = dict(
    dark=lambda im, rng: im.point(lambda v: round(255*(v/255)**3)),
    dim=lambda im, rng: ImageEnhance.Brightness(im).enhance(0.35),
    bright=lambda im, rng: im.point(lambda v: round(255*(v/255)**0.35)),
    flat=lambda im, rng: ImageEnhance.Contrast(im).enhance(0.3), grey=lambda im, rng: ImageEnhance.Color(im).enhance(0),
    warm=lambda im, rng: tinted(im, 1.2, 0.9, 0.5), blurred=lambda im, rng: blurred(im, 0.015),
    very_blurred=lambda im, rng: blurred(im, 0.04), compressed=lambda im, rng: again(im, 20),
    very_compressed=lambda im, rng: again(im, 6), cropped=lambda im, rng: crop(im, 0.7, rng),
    very_cropped=lambda im, rng: crop(im, 0.45, rng), on_other_ground=lambda im, rng: moved(im, 0.7, rng),
    small_on_other_ground=lambda im, rng: moved(im, 0.5, rng), noisy=lambda im, rng: noisy(im, 25, rng),
    coarse=lambda im, rng: coarse(im, 0.3), turned=lambda im, rng: im.rotate(30, Image.Resampling.BILINEAR))


def embed_changed(files, names, embedder):
    "Embeddings of the pictures as they are, and after each change"
    opened = [open_upright(f, max_size=MAX_SIZE) for f in files]
    found = dict(as_they_are=embedder(opened))
    for name in names:
        found[name] = embedder([CHANGES[name](im, np.random.default_rng(i)) for i, im in enumerate(opened)])
    return found


def judged_model(x, y, labels, seed, others):
    "A head, and the reference that its model folder would keep"
    names = [labels[i] for i in y]
    folds = stratified_folds(names, [str(i) for i in range(len(y))], seed=seed)
    head, result = build_head(x, y, labels, folds, others)
    return head, make_reference(result, x[one_a_group(None, len(x))])


def compare(head, reference, x, y):
    "What is said of a folder, and what is true of it"
    result = evaluate_head(head, x, y)
    drift = check_drift(reference, shorten(x), result.confidence, result.novelty, result.unsure)
    picked, chance = choose_to_label(drift.wrong)
    labelled = error_from_labels(drift.wrong, picked, chance, ~result.right[picked])
    return dict(unlike=drift.unlike, error=drift.error, labelled=labelled, truth=result.error, n=len(y))


def folders(head, today, y, rng):
    "Yield a name, the embeddings and classes of a folder, and what it costs in errors where that is known"
    before = evaluate_head(head, today["as_they_are"], y)
    hardest = int(np.argmax([(before.said[y == k] != k).mean() for k in range(len(head.labels))]))
    for name, x in today.items():
        cost = evaluate_head(head, x, y).error - before.error
        for size in SIZES:
            if size > 0.7*len(y): continue
            for _ in range(4 if name == "as_they_are" else 1):
                rows = rng.permutation(len(y))[:size]
                yield name, x[rows], y[rows], cost
    for share in (0.9, 1.0):
        inside, outside = np.flatnonzero(y == hardest), np.flatnonzero(y != hardest)
        if (n := round(share*SIZES[0])) > len(inside): continue
        rows = np.concatenate([rng.permutation(inside)[:n], rng.permutation(outside)[:SIZES[0] - n]])
        wrong = [(before.said[part] != y[part]).mean() for part in (inside, outside)]
        yield "another_mix", today["as_they_are"][rows], y[rows], share*wrong[0] + (1 - share)*wrong[1] - before.error


def run_cell(learn, today, labels, per_class, seed):
    "Rows of one set of classes: `learn` and `today` hold embeddings and the names of their classes"
    rng = np.random.default_rng([seed, per_class, len(labels)])
    x, of = learn
    rows = np.concatenate([rng.permutation(np.flatnonzero(of == lbl))[:per_class] for lbl in labels])
    y = np.searchsorted(labels, of[rows])
    head, reference = judged_model(x[rows], y, list(labels), seed, ood_embeddings(labels))
    mine = np.flatnonzero(np.isin(today["of"], labels))
    changed = {k: v[mine] for k, v in today.items() if k != "of"}
    return [dict(compare(head, reference, x, y), change=name, cost=float(cost), per_class=per_class)
            for name, x, y, cost in folders(head, changed, np.searchsorted(labels, today["of"][mine]), rng)]


def cells_of(folder, quick):
    "Which classes are told apart, from how many pictures each: neighbours in the alphabet, and all"
    labels = sorted(d.name for d in Path(folder).iterdir() if d.is_dir())
    pairs = [labels[i:i + 2] for i in range(0, len(labels) - 1, 2)]
    if len(labels) > 2: pairs.append(labels)
    return [(sorted(pair), n) for pair in pairs[:1 if quick else None] for n in ((100,) if quick else (30, 100, 200))]


def simulate(folder, quick=False, seeds=3, most=80):
    "Rows of all cells of a folder of classes: half of a class, at most `most` pictures, is today's"
    embedder, cells = Embedder(), cells_of(folder, quick)
    wanted = sorted({lbl for labels, _ in cells for lbl in labels})
    files = {lbl: sorted(f for f in (Path(folder)/lbl).iterdir() if f.is_file()) for lbl in wanted}
    today_of = {lbl: np.random.default_rng(0).permutation(len(fs))[:min(most, len(fs)//2)] for lbl, fs in files.items()}
    now = [(lbl, files[lbl][i]) for lbl in wanted for i in today_of[lbl]]
    rest = [(lbl, f) for lbl in wanted for i, f in enumerate(files[lbl]) if i not in set(today_of[lbl])]
    names = ["dim", "very_blurred", "cropped"] if quick else [*CHANGES]
    today = embed_changed([f for _, f in now], names, embedder) | dict(of=np.array([lbl for lbl, _ in now]))
    learn = embedder([f for _, f in rest]), np.array([lbl for lbl, _ in rest])
    return [row for seed in range(1 if quick else seeds) for labels, n in cells
            for row in run_cell(learn, today, labels, n, seed)]


def drift_facts(rows):
    "How much was noticed of what costs errors, how often nothing was taken for something, and what estimates are worth"
    costly = [r for r in rows if r["change"] != "as_they_are" and r["cost"] >= COST]
    still = [r for r in rows if r["change"] == "as_they_are"]
    def off(key): return float(np.sqrt(np.mean([(r[key][0] - r["truth"])**2 for r in rows])))
    def held(key): return float(np.mean([r[key][1] <= r["truth"] <= r[key][2] for r in rows]))
    return dict(drift_seen=float(np.mean([r["unlike"] for r in costly])) if costly else None, drift_costly=len(costly),
                drift_false=float(np.mean([r["unlike"] for r in still])), drift_none=len(still),
                estimate_off=off("error"), estimate_held=held("error"), labelled_off=off("labelled"),
                labelled_held=held("labelled"))
