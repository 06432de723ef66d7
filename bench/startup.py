"""How long a user waits: to install, for the first classifier and the second, for help and for an answer.

    python bench/startup.py [--quick] [--photos DIR]

Whole processes, one after the other. DIR holds bird/ and not_bird/; without it the drawn sample stands in (its times
are of the same kind, its errors say nothing about photos). An environment is made by the README's first command, with
what pip has in its cache; `--quick` makes none and uses this one. The last line is JSON:

env_mb                what the environment takes on the disk
install_s, command_s  to make it; the README's whole first command, that is with the demo
first_make_s          `make` with an empty cache of birdornot's: the backbone is built, every picture embedded
second_make_s         `make` once more, into another folder: backbone and embeddings are at hand
vs_torch_first_make   the first `make` with the backbone written by torch ÷ ours, both in this environment
torch_imported        whether `make` has imported torch where it is installed, 0 or 1
"""
import argparse
import compileall
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]/"tests"))
from program import PROGRAM as COMMAND  # noqa: E402  (its folder has to be on the path first)

from birdornot.core import has_fastai  # noqa: E402
from birdornot.sample import make_sample  # noqa: E402

ROOT = Path(__file__).parents[1]
PROGRAM = COMMAND[-1]  # as Python code
LOOK = "import sys; from birdornot.cli import main; main(); print(int('torch' in sys.modules))"
BY_TORCH = """import sys, tempfile
from pathlib import Path
from birdornot import embed
from birdornot.cli import main
embed._by_hand = lambda *asked: embed._by_torch(*asked, Path(tempfile.mkdtemp())/"body.onnx")
sys.exit(main())"""


def run(*words, cwd, python=sys.executable, **env):
    "Wall time of a Python process that must succeed, and what it printed"
    start = time.perf_counter()
    done = subprocess.run([str(python), "-c", *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          env=os.environ | {k: str(v) for k, v in env.items()})
    if done.returncode: sys.exit(done.stderr)
    return time.perf_counter() - start, done.stdout


def seconds(*words, **how) -> float:
    "Wall time of a Python process that must succeed"
    return run(*words, **how)[0]


def install(place) -> dict:
    "Type the README's first command in a copy of this repository: seconds and size, and its Python"
    names = "birdornot", "setup.py", "settings.ini", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"
    place.mkdir()
    for name in names: (shutil.copytree if (ROOT/name).is_dir() else shutil.copy)(ROOT/name, place/name)
    command = re.search(r"```sh\n(.*)\n```", (ROOT/"README.md").read_text(encoding="utf-8"))[1]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | dict(BIRDORNOT_CACHE=str(place/"cache"))
    took = []
    for step in command.split(" && "):
        start = time.perf_counter()
        subprocess.run(step, shell=True, cwd=place, env=env, check=True, capture_output=True)
        took.append(time.perf_counter() - start)
    size = sum(f.stat().st_blocks*512 for f in (place/".venv").rglob("*") if not f.is_symlink())
    return dict(env_mb=round(size/1e6), install_s=round(sum(took[:-1]), 1), command_s=round(sum(took), 1))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true", help="make no environment, three rounds instead of ten")
    p.add_argument("--photos", type=Path, help="folder with bird/ and not_bird/")
    args = p.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(ROOT/"birdornot", quiet=1)  # as pip leaves what it installs
    with tempfile.TemporaryDirectory() as d:
        d = Path(d)
        if args.photos: photos, words = args.photos.resolve(), ["bird", "not_bird"]
        else:
            photos, words = d/"photos", ["bird", "forest"]
            make_sample(photos, n=40 if args.quick else 80, kinds=words)
        photo = next((photos/"bird").iterdir())
        result = dict.fromkeys(("env_mb", "install_s", "command_s")) if args.quick else install(d/"clone")
        python = sys.executable if args.quick else d/"clone"/".venv"/"bin"/"python"

        def make(out, code=PROGRAM, python=sys.executable, cache="cache"):
            return run(code, "make", *words, "--folder", photos, "--out", out, cwd=d, python=python,
                       BIRDORNOT_CACHE=d/cache, **({} if python == sys.executable else dict(PYTHONPATH="")))

        first, second = make("made", python=python)[0], make("again", python=python)[0]
        ours, said = make("ours", LOOK, cache="ours")
        theirs = make("theirs", BY_TORCH, cache="theirs")[0] if has_fastai() else None
        result |= dict(first_make_s=round(first, 1), second_make_s=round(second, 1),
                       vs_torch_first_make=theirs and round(theirs/ours, 1), torch_imported=int(said.split()[-1]))
        model = json.loads((d/"made"/"model"/"model.json").read_text(encoding="utf-8"))
        runs = dict(python=["pass"], import_birdornot=["import birdornot"], help=[PROGRAM, "--help"],
                    predict_one=[PROGRAM, "predict", "made/model", photo])
        took = {name: [] for name in runs}
        for _ in range(3 if args.quick else 10):
            for name, line in runs.items(): took[name].append(seconds(*line, cwd=d))
    result |= dict({name: round(statistics.median(ts), 3) for name, ts in took.items()},
                   pictures=sum(model["pictures"].values()), error=round(model["error"]["error"], 4))
    for name, value in result.items(): print(f"{name:<20}{'–' if value is None else value:>10}")
    print(json.dumps(result))


if __name__ == "__main__": main()
