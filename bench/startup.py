"""How long a user waits: import, help, an answer, and the whole way on a folder of photos.

    python bench/startup.py [--quick] [--photos DIR]

Whole processes, in turn, so that a slow machine slows all alike. DIR holds bird/ and not_bird/; without it the drawn
sample stands in (its times are of the same kind, its errors say nothing about photos). The last line is JSON, seconds.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from birdornot.sample import make_sample

PROGRAM = "import sys; from birdornot.cli import main; sys.exit(main())"


def seconds(*words, cwd) -> float:
    "Wall time of a Python process that must succeed"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", *map(str, words)], cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true", help="three rounds instead of ten")
    p.add_argument("--photos", type=Path, help="folder with bird/ and not_bird/")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as d:
        if args.photos: photos, words = args.photos.resolve(), ["bird", "not_bird"]
        else:
            photos, words = Path(d)/"photos", ["bird", "forest"]
            make_sample(photos, n=80, kinds=words)
        photo = next((photos/"bird").iterdir())
        whole = seconds(PROGRAM, "make", *words, "--folder", photos, "--out", "made", cwd=d)
        model = json.loads((Path(d)/"made"/"model"/"model.json").read_text(encoding="utf-8"))
        runs = dict(python=["pass"], import_birdornot=["import birdornot"], help=[PROGRAM, "--help"],
                    predict_one=[PROGRAM, "predict", "made/model", photo])
        took = {name: [] for name in runs}
        for _ in range(3 if args.quick else 10):
            for name, words in runs.items(): took[name].append(seconds(*words, cwd=d))
    result = dict({name: round(statistics.median(ts), 3) for name, ts in took.items()}, make=round(whole, 1),
                  pictures=sum(model["pictures"].values()), error=round(model["error"]["error"], 4))
    for name, value in result.items(): print(f"{name:<18}{value:>10}")
    print(json.dumps(result))


if __name__ == "__main__": main()
