"""Does the number mean what it says? Reported intervals against the true error, on hundreds of simulated sets.

    python bench/numbers.py [--quick] [--photos DIR] [--small DIR] [--sets N]

Sets of 16 to 1,600 pictures are drawn from DIR (photos: bird/ and not_bird/; small: ten kinds of 300), judged exactly
as `birdornot train` judges a folder, and the delivered head is then asked about the pictures left over: that is the
true error. Kinds of sets: *plain*; *rare*, where one class is up to 25 times as common as another; *copies*, where
each photo is there three times, as the web copies it, and no ledger says so; *bursts*, where four frames of each
scene are there and the truth is other scenes. Classes of the ten kinds are merged at random, so that errors differ
from set to set.

Embeddings are computed once and kept in the user's cache folder. `--quick` takes a third of the pictures and fewer
sets. The last line is JSON: `covers_*` is the share of sets whose 95 % interval holds the true error (of `rare` the
least of error, balanced error and recall of the rarest class); `bursts_warned` the share of burst sets that are
covered or warned of; `width_ratio` the mean width at 160 pictures over that of Wilson's interval on a fifth held out.
"""
import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from threadpoolctl import threadpool_limits

from birdornot.core import cache_dir
from birdornot.duplicates import look_alikes, perceptual_hashes
from birdornot.embed import Embedder
from birdornot.evaluate import effective_n, wilson
from birdornot.novelty import ood_files
from birdornot.picture import open_upright
from birdornot.probe import error_without_twins, head_logits, solve_and_judge, warn_of_bursts
from birdornot.split import split_by_group

SIZES = dict(plain=(16, 24, 40, 60, 100, 160, 160, 240, 400, 800, 1600), rare=(40, 60, 100, 160, 160, 240, 400, 800),
             copies=(30, 48, 75, 120, 160, 324, 600, 1200), bursts=(40, 80, 160, 320, 480))  # pictures a set


HASHES = "phash", "phash_mirror"


def copied(img, rng):
    "A copy as the web makes them: smaller, brighter, saved again"
    scale = rng.uniform(0.7, 1)
    img = img.resize([max(8, round(s*scale)) for s in img.size])
    img = ImageEnhance.Brightness(img).enhance(rng.uniform(0.9, 1.1))
    img.save(out := BytesIO(), "JPEG", quality=int(rng.integers(50, 90)))
    return Image.open(out).convert("RGB")


def frame(img, rng):
    "Another frame of the same scene: the camera has moved, turned and zoomed, the light has changed"
    (w, h), scale = img.size, rng.uniform(0.5, 0.9)
    x, y = rng.uniform(0, 1 - scale, 2)
    img = img.rotate(rng.uniform(-12, 12), Image.Resampling.BILINEAR)
    img = img.resize((w, h), Image.Resampling.BICUBIC, box=(x*w, y*h, (x + scale)*w, (y + scale)*h))
    if rng.random() < 0.3: img = ImageOps.mirror(img)
    for change, least, most in ((ImageEnhance.Brightness, 0.7, 1.3), (ImageEnhance.Color, 0.6, 1.3),
                                (ImageEnhance.Contrast, 0.75, 1.25)):
        img = change(img).enhance(rng.uniform(least, most))
    return img


def embedded(folder, every, quick):
    "Embeddings and hashes of all pictures, and of copies and frames of some; computed once"
    kept = cache_dir()/f"bench-numbers-{folder.name}-{'quick' if quick else 'full'}.npz"
    if not kept.exists():
        most = 100 if quick else None
        files = [f for d in sorted(folder.iterdir()) if d.is_dir() for f in sorted(d.glob("*.jpg"))[:most]]
        some, embedder = np.arange(0, len(files), every), Embedder(threads=1)
        def made(i):
            img = open_upright(files[i], max_size=400)
            yield from (copied(img, np.random.default_rng([i, v, 0])) for v in range(2))
            yield from (frame(img, np.random.default_rng([i, v, 1])) for v in range(4))
        def seen(img): return embedder.one(img), [perceptual_hashes(img)[k] for k in HASHES]
        def look(i):
            more = [seen(m) for m in made(i)] if i in some else None
            return seen(open_upright(files[i], max_size=400)), more
        with ThreadPoolExecutor() as pool: found = list(pool.map(look, range(len(files))))
        extra = [e for _, e in found if e]
        np.savez(kept, x=[x for (x, _), _ in found], hashes=[list(h) for (_, h), _ in found], some=some,
                 labels=[f.parent.name for f in files], extra=[[x for x, _ in e] for e in extra],
                 extra_hashes=[[list(h) for _, h in e] for e in extra])
    return dict(np.load(kept))


class Pool:
    "Pictures of some kinds, to draw sets from"
    def __init__(self, data):
        self.x, self.kind = data["x"].astype(np.float32), np.unique(data["labels"], return_inverse=True)[1]
        self.hashes, self.extra_hashes = data["hashes"], data["extra_hashes"]
        self.some, self.extra = data["some"], data["extra"].astype(np.float32)

    def merged(self, rng, n_class):
        "A class for each kind, −1 for kinds that take no part"
        kinds = rng.permutation(self.kind.max() + 1)
        of, n_class = np.full(len(kinds), -1), min(n_class, len(kinds))
        take = kinds if rng.random() < 0.7 else kinds[:n_class]
        for k, part in enumerate(np.array_split(take, n_class)): of[part] = k
        return of[self.kind], n_class


def drawn(pool, rng, n, kind):
    "Embeddings, classes, groups and a mark per picture; and embeddings and classes of what is left over"
    n_class = 2 if kind == "rare" or rng.random() < 0.75 or n < 60 else int(rng.integers(3, 6))
    y, n_class = pool.merged(rng, n_class)
    some = pool.some if kind in ("copies", "bursts") else np.arange(len(pool.x))
    times = dict(copies=3, bursts=4).get(kind, 1)
    share = np.ones(n_class)/n_class
    if kind == "rare": share = np.array([1 - (rare := rng.uniform(0.04, 0.25)), rare])
    rows = []
    for k in range(n_class):
        have = np.flatnonzero(y[some] == k)
        want = min(max(6, round(n/times*share[k])), int(0.6*len(have)))
        rows.append(rng.permutation(have)[:want])
    rows = np.concatenate(rows)
    rest = np.setdiff1d(np.flatnonzero(y[some] >= 0), rows)
    if kind == "bursts":
        x, frames = pool.extra[rows][:, 2:6].reshape(-1, pool.x.shape[1]), np.repeat(np.arange(len(rows)), 4)
        hashes = pool.extra_hashes[rows][:, 2:6].reshape(-1, 2)
        left = pool.extra[rest][:, 2:6].reshape(-1, pool.x.shape[1]), np.repeat(y[some[rest]], 4)
        return x, np.repeat(y[some[rows]], 4), hashes, frames, left
    left = pool.x[some[rest]], y[some[rest]]
    if kind == "copies":
        x = np.concatenate([pool.x[some[rows]][:, None], pool.extra[rows][:, :2]], 1).reshape(-1, pool.x.shape[1])
        hashes = np.concatenate([pool.hashes[some[rows]][:, None], pool.extra_hashes[rows][:, :2]], 1).reshape(-1, 2)
        return x, np.repeat(y[some[rows]], 3), hashes, np.repeat(np.arange(len(rows)), 3), left
    return pool.x[rows], y[rows], pool.hashes[rows], np.arange(len(rows)), left


def groups_of(hashes):
    "Groups of pictures that look the same, as training finds them where there is no ledger"
    return [f"look {g}" for g in look_alikes([dict(zip(HASHES, each)) for each in hashes])]


def true_errors(head, left, share):
    "Error of a head on what is left over, with classes as common as `share`; balanced error; recall of each class"
    x, y = left
    right = head_logits(head, x).argmax(1) == y
    recall = np.array([right[y == k].mean() for k in range(len(share))])
    return float(share @ (1 - recall)), float(1 - recall.mean()), recall


def _classes(result, true):
    "For each class the number of pictures, what they are worth, the share found, and the share found in truth"
    shown = [np.flatnonzero(result.targets == k) for k in range(len(result.labels))]
    return [(len(i), effective_n([result.groups[j] for j in i]), result.right[i].mean(), t)
            for i, t in zip(shown, true)]


def one_set(pool, rng, n, kind, ood):
    "Reported and true numbers of one simulated set"
    x, y, hashes, scene, left = drawn(pool, rng, n, kind)
    names, labels = [f"k{k}" for k in y], [f"k{k}" for k in range(y.max() + 1)]
    groups, share = groups_of(hashes), np.bincount(y)/len(y)
    def _judged(groups):
        train, valid = split_by_group(names, groups, seed=int(rng.integers(1000)))
        head, judge, result, _ = solve_and_judge(x, y, labels, names, groups, train, valid, ood, seed=0)
        return head, judge, result, valid, error_without_twins(x, y, names, groups)
    head, judge, result, valid, apart = _judged(groups)
    error, balanced, recall = true_errors(head, left, share)
    held = wilson(int((head_logits(judge, x[valid]).argmax(1) != y[valid]).sum()), len(valid))
    rarest, (low, high) = int(share.argmin()), result.interval
    rare = result.per_class[rarest]
    out = dict(kind=kind, n=len(x), left=len(left[1]), worth=effective_n(result.groups), error=result.error, true=error,
               low=low, high=high, held=held[1] - held[0], classes=_classes(result, recall),
               covers=low <= error <= high, judged=result.judged or "held out",
               balanced=result.balanced_interval[0] <= balanced <= result.balanced_interval[1],
               recall=rare["recall_low"] <= recall[rarest] <= rare["recall_high"],
               warned=bool(warn_of_bursts(apart)))
    if kind == "bursts":
        grouped = [f"scene {s}" for s in scene]
        head, _, result, _, apart = _judged(grouped)
        low, high = result.interval
        out |= dict(grouped=low <= true_errors(head, left, share)[0] <= high, still=bool(warn_of_bursts(apart)))
    return out


def table(rows):
    "Mean numbers of the sets of each kind and size"
    head = ("kind", "pictures", "sets", "reported", "true", "control", "covers", "width", "held-out width", "warned")
    print(*(f"{h:>{max(9, len(h))}}" for h in head))
    for kind in SIZES:
        mine = [r for r in rows if r["kind"] == kind]
        for least, most in ((0, 50), (50, 100), (100, 200), (200, 600), (600, 9999), (0, 9999)):
            some = [r for r in mine if least <= r["n"] < most]
            if not some: continue
            mean = {key: np.mean([r[key] for r in some]) for key in ("error", "true", "covers", "held", "warned")}
            width = np.mean([r["high"] - r["low"] for r in some])
            span = "all" if (least, most) == (0, 9999) else f"{min(r['n'] for r in some)}–{max(r['n'] for r in some)}"
            control = np.mean([low <= r["true"] <= high for r in some
                               for low, high in [wilson(r["error"]*r["worth"], r["worth"])]])
            shares = mean["error"], mean["true"], control, mean["covers"], width, mean["held"], mean["warned"]
            cells = kind, span, len(some), *(f"{v:.1%}" for v in shares)
            print(*(f"{c:>{max(9, len(h))}}" for c, h in zip(cells, head)))


def _share(*given):
    "In each process: keep what all sets are made from"
    global POOLS, OOD
    POOLS, OOD = given
    threadpool_limits(1)


def _set_of(task):
    "One set, the same in whatever order they are made"
    kind, seed, i, n = task
    rng = np.random.default_rng([seed, i, len(kind)])
    few = n <= 80*dict(copies=3, bursts=4).get(kind, 1) and rng.random() < 0.25
    return one_set(POOLS[0] if few else POOLS[1], rng, n, kind, OOD)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).resolve().parents[3]/"shared"
    p.add_argument("--quick", action="store_true")
    p.add_argument("--photos", type=Path, default=shared/"photos")
    p.add_argument("--small", type=Path, default=shared/"small")
    p.add_argument("--sets", type=int)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--save", type=Path)
    args = p.parse_args()
    if missing := [str(d) for d in (args.photos, args.small) if not d.is_dir()]:
        print(f"nothing to draw sets from in {' and '.join(missing)}; name folders with --photos and --small")
        return print("{}")
    start, n_sets = time.monotonic(), args.sets or (16 if args.quick else 330)
    every = (1, 5) if args.quick else (1, 3)
    pools = [Pool(embedded(d, k, args.quick)) for d, k in zip((args.photos, args.small), every)]
    files = ood_files([], "choose")
    kept = cache_dir()/"bench-numbers-ood.npy"
    if not kept.exists(): np.save(kept, Embedder()(files))
    ood, rows = np.load(kept), []
    print(f"embedded in {time.monotonic() - start:.0f} s", flush=True)
    with ProcessPoolExecutor(initializer=_share, initargs=(pools, ood)) as workers:
        for kind, sizes in SIZES.items():
            sizes = [n for n in sizes if n <= 160] if args.quick else sizes
            tasks = [(kind, args.seed, i, sizes[i % len(sizes)]) for i in range(n_sets)]
            for row in workers.map(_set_of, tasks):
                rows.append(row)
                if args.save and len(rows) % 20 == 0: args.save.write_text(json.dumps(rows, default=float))
            print(f"{kind} done at {time.monotonic() - start:.0f} s", flush=True)
    table(rows)
    if args.save: args.save.write_text(json.dumps(rows, default=float))
    def mean(values): return round(float(np.mean(list(values))), 3)
    def of(kind, key="covers"): return mean(r[key] for r in rows if r["kind"] == kind)
    at = [r for r in rows if r["kind"] == "plain" and 150 <= r["n"] <= 170]
    print(json.dumps(dict(
        covers_plain=of("plain"), covers_copies=of("copies"),
        covers_rare=min(of("rare", key) for key in ("covers", "balanced", "recall")),
        bursts_warned=mean(r["covers"] or r["warned"] for r in rows if r["kind"] == "bursts"),
        width_ratio=round(mean(r["high"] - r["low"] for r in at)/mean(r["held"] for r in at), 3),
        covers_from_100=mean(r["covers"] for r in rows if r["kind"] != "bursts" and r["n"] >= 100),
        bursts_covered_by_session=of("bursts", "grouped"), plain_warned=of("plain", "warned"),
        sets=n_sets, seconds=round(time.monotonic() - start))))


if __name__ == "__main__": main()
