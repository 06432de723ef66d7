"""What cleaning notes and groups, beside cleanvision and imagededup, on photos and copies of them spoilt in known ways.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install cleanvision imagededup
    python bench/peers.py PHOTOS /tmp/peers/bin/python

The second argument is a Python in which the two are installed; they are no dependency of ours."""
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from birdornot.clean import examine_picture, odd_beside
from birdornot.core import markdown_table
from birdornot.duplicates import look_alikes

THEIRS = """import json, sys
from cleanvision import Imagelab
from imagededup.methods import PHash
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues(n_jobs=1, verbose=False)
lab.issues.to_json(sys.argv[2], orient="index")
names = json.load(open(sys.argv[3]))
found = PHash(verbose=False)
hashes = {n: found.encode_image(image_file=n) for n in names}
json.dump(found.find_duplicates(encoding_map=hashes), open(sys.argv[3], "w"))"""
NOISE = np.random.default_rng(0)


def motion(im, n): return Image.fromarray(np.mean([np.roll(im, i, 1) for i in range(n)], 0).astype("uint8"))


def grainy(im):
    return Image.fromarray((np.asarray(im) + NOISE.normal(0, 8, (*im.size[::-1], 3))).clip(0, 255).astype("uint8"))


def blurred(im, share): return im.filter(ImageFilter.GaussianBlur(max(im.size)*share))


SPOILT = {  # kind → how, and every which photo is spoilt so
    "blurred, 0.5 % of the longer side": (lambda im: blurred(im, .005), 5),
    "blurred, 1.25 %": (lambda im: blurred(im, .0125), 5),
    "blurred, 1 %, with grain": (lambda im: grainy(blurred(im, .01)), 5),
    "enlarged eightfold from a thumbnail": (lambda im: im.resize([s//8 for s in im.size]).resize(im.size), 5),
    "moved, 3 % of the longer side": (lambda im: motion(im, max(3, round(max(im.size)*.03))), 5),
    "dark": (lambda im: ImageEnhance.Brightness(im).enhance(.1), 5),
    "grey, one channel": (lambda im: im.convert("L"), 20),
    "grey, three channels": (lambda im: im.convert("L").convert("RGB"), 20),
    "eight times as wide": (lambda im: im.resize([8*s for s in im.size]), 50)}
COPIES = {"half as wide": lambda im: im.resize([s//2 for s in im.size]), "mirrored": lambda im: im.transpose(0),
          "a tenth cut off on each side": lambda im: im.crop([round(s*k) for k in (.1, .9) for s in im.size])}


def write(photos, folder):
    "The photos and their spoilt copies, a folder a kind"
    kinds = {"as they are": (lambda im: im, 1), **SPOILT, **{kind: (change, 5) for kind, change in COPIES.items()}}
    for kind, (change, step) in kinds.items():
        (folder/kind).mkdir(parents=True)
        for f in photos[::step]:
            with Image.open(f) as im: changed = change(im.convert("RGB"))
            changed.save(folder/kind/f"{f.parent.name}_{f.stem}.jpg", quality=92)


def ask_peers(python, files, folder):
    "What cleanvision flags, and pairs that imagededup finds; each photo, grey or spoilt, is a file of the set"
    answer, names = folder.parent/"cleanvision.json", folder.parent/"imagededup.json"
    names.write_text(json.dumps([str(f) for f in files if f.parent.name in ("as they are", *COPIES)]))
    subprocess.run([python, "-c", THEIRS, folder, answer, names], check=True, capture_output=True)
    flags = {Path(f): [k[3:-6] for k in row if k.startswith("is_") and row[k] and "dupl" not in k]
             for f, row in json.loads(answer.read_text()).items()}
    return flags, {Path(f): {*map(Path, found)} for f, found in json.loads(names.read_text()).items()}


def ask_us(files):
    "What we flag, and the first of the group of each"
    rows = [dict(id=f, **examine_picture(f)[1]) for f in files]
    beside = odd_beside(rows)
    flags = {r["id"]: [k.partition(" (")[0] for k in (r["flags"].split("; ") if r["flags"] else []) +
                       [*beside.get(r["id"], ())]] for r in rows}
    some = [r for r in rows if r["id"].parent.name in ("as they are", *COPIES)]
    return flags, dict(zip([r["id"] for r in some], look_alikes(some)))


def main(photos, python):
    with tempfile.TemporaryDirectory() as tmp:
        write(sorted(Path(photos).rglob("*.jpg")), folder := Path(tmp, "set"))
        files = sorted(folder.rglob("*.jpg"))
        (ours, group), (theirs, pairs) = ask_us(files), ask_peers(python, files, folder)
        rows = []
        for kind in ("as they are", *SPOILT):
            mine = [f for f in files if f.parent.name == kind]
            told = [Counter(k for f in mine for k in flags[f]) for flags in (ours, theirs)]
            rows.append([kind, len(mine), *(", ".join(f"{n} {k}" for k, n in t.most_common()) for t in told)])
        print(markdown_table(rows, ["pictures", "how many", "our notes", "cleanvision"]), end="\n\n")
        rows = []
        for kind in COPIES:
            mine = [(f, folder/"as they are"/f.name) for f in files if f.parent.name == kind]
            found = [sum(group[f] == group[g] for f, g in mine), sum(g in pairs[f] for f, g in mine)]
            rows.append([kind, len(mine), *found])
        good = [f for f in files if f.parent.name == "as they are"]
        wrong = sum(len({*pairs[f]} & {*good}) for f in good)//2
        ours_wrong = sum(n*(n - 1)//2 for n in Counter(group[f] for f in good).values())
        rows.append(["pairs of different photos", "", ours_wrong, wrong])
        print(markdown_table(rows, ["copies found", "how many", "ours", "imagededup, PHash"]))


if __name__ == "__main__":
    if len(sys.argv) == 3: main(*sys.argv[1:])
    else: print(json.dumps(dict(skipped="name a folder of photos and a Python with cleanvision and imagededup")))
