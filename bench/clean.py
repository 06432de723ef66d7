"""Cleaning against fastai's two functions, and how many of the planted faults and duplicates it finds.

    python bench/clean.py [--quick] [--photos DIR]

Speed is measured side by side: both clean the same files on the same cores in turn, and only the ratio counts (fastai's
time ÷ ours). Both begin with originals on the disk and end with working copies of at most 400 pixels; ours has hashed,
measured and grouped them as well. Recall is counted on the drawn sample, and on the photos in DIR (holding a folder for
each label; by default ../shared/photos, where it is) with the same copies planted. The last line is JSON.
"""
import argparse
import io
import json
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from birdornot.clean import clean_images
from birdornot.download import download_images
from birdornot.drawing import draw
from birdornot.duplicates import _MIRROR, _WAVES, look_alikes
from birdornot.hits import Hit
from birdornot.ledger import Ledger
from birdornot.picture import open_upright
from birdornot.sample import NEAR_DUPLICATES, _near, make_sample, near_duplicate_variant, parse_sample_name

BROKEN, COPIES = ("truncated", "html", "tiny"), ("exact_duplicate", "near_duplicate")
SHARED = Path(__file__).resolve().parents[2]/"shared"/"photos"


# ---- speed

def as_jpeg(im, quality=90) -> bytes:
    im.save(out := io.BytesIO(), "JPEG", quality=quality)
    return out.getvalue()


def pictures(photos: Path | None, n: int) -> list:
    "`n` pictures, from photos if there are any: RGB, around 500 pixels"
    files = sorted(photos.glob("*/*.jpg")) if photos else []
    return [open_upright(files[i % len(files)]) if files else draw("bird", i) for i in range(n)]


def large(im, rng) -> bytes:
    "`im` as a camera with 12 megapixels might have taken it: enlarged, with the noise of a sensor"
    size = (4000, 3000) if im.width >= im.height else (3000, 4000)
    a = np.asarray(im.resize(size, Image.Resampling.BICUBIC), "int16")
    return as_jpeg(
        Image.fromarray((a + rng.normal(0, 6, a.shape[:2]).astype("int16")[..., None]).clip(0, 255).astype("uint8")))


def small(im, i) -> bytes:
    "Every picture another one, the size it has on the web"
    k = i // 160
    return as_jpeg(im.crop((k, k, im.width - k, im.height - k)))


def ours(files: list, dest: Path) -> float:
    download_images(dest, [Hit("bird", f.as_uri(), title=f.stem, source="folder") for f in files], progress=False)
    start = time.perf_counter()
    report = clean_images(dest, progress=False)
    took = time.perf_counter() - start
    assert sum(r["status"] == "clean" for r in report.rows) == len(files), report
    return took


def theirs(files: list, dest: Path) -> float:
    from fastai.vision.utils import resize_images, verify_images
    start = time.perf_counter()
    assert not verify_images(files)
    resize_images(files[0].parent, dest=dest, max_size=400)
    took = time.perf_counter() - start
    assert len([*dest.iterdir()]) == len(files)
    return took


def race(datas: list, rounds: int) -> dict:
    "Milliseconds a picture of both, and the ratio of each round's times"
    took, ratios = defaultdict(list), []
    with tempfile.TemporaryDirectory() as d:
        d = Path(d)
        (d/"raw").mkdir()
        for i, data in enumerate(datas): (d/"raw"/f"{i:04}.jpg").write_bytes(data)
        files = sorted((d/"raw").iterdir())
        for r in range(rounds):
            both = [("ours", ours), ("fastai", theirs)][::1 if r % 2 else -1]
            for name, fn in both: took[name].append(fn(files, d/f"{name}{r}")/len(files)*1000)
            ratios.append(took["fastai"][-1]/took["ours"][-1])
    return dict({k: statistics.median(v) for k, v in took.items()}, ratio=statistics.median(ratios))


# ---- what is found

def fate(dest: Path, files: list) -> tuple:
    "Clean `files` (label, path); path → ledger row, and the report"
    download_images(dest, [Hit(label, p.as_uri(), title=str(p), source="folder") for label, p in files], progress=False)
    report = clean_images(dest, progress=False)
    with Ledger(dest) as ledger: return {Path(r["title"]): r for r in ledger.rows()}, report


def exact_found(rows, original, copy) -> bool:
    "Whether of two files with the same bytes just one is left"
    return sorted([rows[original]["status"], rows[copy]["status"]]) == ["clean", "quarantined"]


def near_found(rows, original, copy) -> bool:
    "Whether two pictures are in the same group"
    a, b = (rows[p] for p in (original, copy))
    return a["status"] == b["status"] == "clean" and a["dup_group"] == b["dup_group"]


def wrongly_grouped(report, origin: dict) -> int:
    "How many pictures are in a group with one that shows something else"
    return sum(len(g) for g in report.look_alikes if len({origin[Path(r["title"])] for r in g}) > 1)


def hit(answer: dict, rows: dict, at) -> bool:
    "Whether what is planted in a picture was found; for a good one, and one that can be mended: whether it is clean"
    path, fault = at(answer["path"]), answer["fault"]
    if fault == "exact_duplicate": return exact_found(rows, at(answer["original"]), path)
    if fault == "near_duplicate": return near_found(rows, at(answer["original"]), path)
    if fault in BROKEN: return rows[path]["status"] in ("failed", "quarantined") and bool(rows[path]["reason"])
    return rows[path]["status"] == "clean"


def drawing(answer: dict) -> tuple:
    "Which drawing a sample picture shows: several faults are planted in pictures of the same number"
    return answer["kind"], parse_sample_name(f"42/{answer['path']}")["i"], answer["fault"] == "wrong_label"


def on_sample(quick: bool, folder: Path) -> dict:
    "What is found of the faults planted in drawings: fault → list of yes and no; and how many good ones suffer"
    counts = dict(exact_duplicate=40, near_duplicate=120, wrong_label=40,
                  truncated=20, html=20, exif_rotated=20, cmyk=20,
                  transparent=20, animated=20, tiny=20)
    if quick: counts = {k: max(v//4, 5) for k, v in counts.items()}
    answers = make_sample(folder/"raw", n=75 if quick else 330, kinds=("bird", "forest"), faults=counts)
    def at(name):
        return folder/"raw"/name
    rows, report = fate(folder/"set", [(a["kind"], at(a["path"])) for a in answers])
    found = defaultdict(list)
    for a in answers: found[a["fault"] or "good"].append(hit(a, rows, at))
    twice = {a["original"] for a in answers if a["fault"] == "exact_duplicate"}  # of these, either may be the one kept
    good = [hit(a, rows, at) for a in answers if a["fault"] not in (*BROKEN, *COPIES) and a["path"] not in twice]
    origin = {at(a["path"]): drawing(a) for a in answers}
    return dict(found=found, good=good, false_near=wrongly_grouped(report, origin)/len(origin),
                answers=answers, dest=folder/"set")


def on_photos(photos: Path, quick: bool, folder: Path) -> dict:
    "The same copies planted among photos: fault → list of yes and no"
    files, jobs, copies = sorted(photos.glob("*/*.jpg")), [], []
    for i, f in enumerate(files):
        jobs.append((f.parent.name, f))
        im = open_upright(f)
        kinds = [NEAR_DUPLICATES[i % len(NEAR_DUPLICATES)]] if quick else NEAR_DUPLICATES
        new = {kind: _near(im, kind) for kind in kinds} | ({"exact_duplicate": f.read_bytes()} if i % 4 == 0 else {})
        for kind, data in new.items():
            copy = folder/f.parent.name/f"{f.stem}-{kind}.jpg"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
            jobs.append((f.parent.name, copy))
            copies.append((kind, f, copy))
    rows, report = fate(folder/"set", jobs)
    found = defaultdict(list)
    for kind, original, copy in copies:
        found[kind].append((exact_found if kind == "exact_duplicate" else near_found)(rows, original, copy))
    origin = {f: f for f in files} | {copy: f for _, f, copy in copies}
    return dict(found=found, false_near=wrongly_grouped(report, origin)/len(origin))


def variants(found: dict, answers: list) -> dict:
    "The near duplicates of the sample by how they differ"
    which = [near_duplicate_variant(drawing(a)[1]) for a in answers if a["fault"] == "near_duplicate"]
    out = defaultdict(list)
    for kind, yes in zip(which, found["near_duplicate"]): out[kind].append(yes)
    return out


def label_recall(s: dict) -> float:
    "Share of the planted wrong labels among the first suspects, of which half as many again are taken"
    from birdornot.suspects import find_suspects
    at = s["dest"].parent/"raw"
    planted = {str(at/a["path"]) for a in s["answers"] if a["fault"] == "wrong_label"}
    ranked = find_suspects(s["dest"], progress=False).rows[:len(planted)*3//2]
    with Ledger(s["dest"]) as ledger: title = {r["id"]: r["title"] for r in ledger.rows(status="clean")}
    return len(planted & {title[r["id"]] for r in ranked})/len(planted)


# ---- the search for pairs

def windows(n: int, photos: Path | None) -> list:
    "`n` rows with the hashes of square windows of pictures: as similar and as different as pictures are"
    rng, sources = np.random.default_rng(0), pictures(photos, 160 if photos else 60)
    rows, each = [], -(-n//len(sources))
    for im in sources:
        grey = im.convert("L")
        for size in (96, 150, 230):
            a = np.asarray(grey.resize((size*grey.width//min(grey.size), size*grey.height//min(grey.size))), "float32")
            seen = np.lib.stride_tricks.sliding_window_view(a, (64, 64))
            k = each//3 + 1
            low = _WAVES @ seen[rng.integers(0, seen.shape[0], k), rng.integers(0, seen.shape[1], k)] @ _WAVES.T
            bits = [np.packbits((o > np.median(o, axis=(1, 2), keepdims=True)).reshape(k, -1), axis=1)
                    for o in (low, low*_MIRROR)]
            rows += [dict(phash=p.tobytes().hex(), phash_mirror=m.tobytes().hex()) for p, m in zip(*bits)]
    return [rows[i] for i in rng.permutation(len(rows))[:n]]


def search_seconds(rows: list) -> tuple:
    "Wall and processor seconds of a search; on a machine with other work to do the first says little"
    wall, cpu = time.perf_counter(), time.process_time()
    look_alikes(rows)
    return time.perf_counter() - wall, time.process_time() - cpu


# ---- all of it

def share(found: list) -> float: return sum(found)/len(found)


def table(title: str, lines: list):
    print(f"\n{title}")
    for name, *cells in lines: print(f"  {name:<28}" + "".join(f"{c:>14}" for c in cells))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true", help="smaller numbers, under a minute")
    p.add_argument("--photos", type=Path, default=SHARED if SHARED.is_dir() else None,
                   help="folder with a folder of photos a label")
    args = p.parse_args()
    warnings.simplefilter("ignore")  # of torch, imported by fastai
    import fastai.vision.utils  # noqa: F401  now, so that no race pays for it
    rng, photos = np.random.default_rng(0), args.photos and args.photos.resolve()
    big = race([large(im, rng) for im in pictures(photos, 8 if args.quick else 32)], 2 if args.quick else 5)
    web = race([small(im, i) for i, im in enumerate(pictures(photos, 160 if args.quick else 800))],
               2 if args.quick else 5)
    table("milliseconds a picture" + ("" if photos else " (drawings)"), [["", "ours", "fastai", "fastai ÷ ours"]] + [
        [name, *(f"{r[k]:.1f}" for k in ("ours", "fastai")), f"{r['ratio']:.2f}"]
        for name, r in (("12 megapixels", big), ("small, from the web", web))])
    out = dict(vs_fastai_big=round(big["ratio"], 2), vs_fastai_web=round(web["ratio"], 2))
    with tempfile.TemporaryDirectory() as d:
        s = on_sample(args.quick, Path(d)/"sample")
        found = s["found"]
        table(f"found in the sample, {sum(map(len, found.values()))} pictures",
              [[k, sum(v), len(v), f"{share(v):.1%}"] for k, v in found.items()])
        table("near duplicates",
              [[k, sum(v), len(v), f"{share(v):.1%}"] for k, v in variants(found, s["answers"]).items()])
        out |= dict(recall_exact=share(found["exact_duplicate"]), recall_near=round(share(found["near_duplicate"]), 4),
                    recall_broken=share([yes for k in BROKEN for yes in found[k]]),
                    false_near=round(s["false_near"], 4),
                    refused_good=round(1 - share(s["good"]), 4), label_recall=label_recall(s))
        if photos:
            ph = on_photos(photos, args.quick, Path(d)/"photos")
            table("found among photos", [[k, sum(v), len(v), f"{share(v):.1%}"] for k, v in ph["found"].items()])
            near = [yes for k, v in ph["found"].items() if k != "exact_duplicate" for yes in v]
            out |= dict(photos_recall_exact=share(ph["found"]["exact_duplicate"]),
                        photos_recall_near=round(share(near), 4),
                        photos_false_near=round(ph["false_near"], 4))
    rows = windows(100_000, photos)
    took = {n: search_seconds(rows[:n]) for n in (1_000, 10_000, 100_000)}
    table("search for pairs",
          [["", "seconds", "processor"]] + [[f"{n:,} hashes", *(f"{t:.2f}" for t in ts)] for n, ts in took.items()])
    wall, cpu = took[100_000]
    out |= dict(dup_100k_s=round(wall, 2), dup_100k_cpu_s=round(cpu, 2), dup_growth=round(cpu/took[10_000][1], 1))
    print(json.dumps(out))


if __name__ == "__main__": main()
