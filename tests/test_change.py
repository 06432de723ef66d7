"""What a learner does with a page: changes words, numbers, the seed, or where pictures come from; runs it twice; uses
what it made. Run as "Run All" runs it, in a folder of its own, without a network. The page as it stands is run with the
other notebooks (test_notebooks.py); here it is said, too, what only the numbers shown there are to be held to."""
import json
import re
import socket
import sys
from pathlib import Path

import pytest
from execnb.shell import CaptureShell
from fastcore.nbio import read_nb, write_nb
from fastcore.xtras import working_directory

from birdornot.sample import make_sample

NBS = Path(__file__).parents[1]/"nbs"
BIRD, WORDS = "tutorials/01_bird", "tutorials/02_words"
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    "No machine but this one can be reached"
    connect = socket.socket.connect
    def connect_here(self, address):
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1", "localhost")):
            raise OSError(f"this run is offline, and {address[0]} is another machine")
        return connect(self, address)
    monkeypatch.setattr(socket.socket, "connect", connect_here)


class Page:
    "A notebook in a folder of its own, `changes` made to its source, run from top to bottom; what it left behind"
    def __init__(self, name, folder, changes=()):
        nb = read_nb(NBS/f"{name}.ipynb")
        for old, new in dict(changes).items():
            assert any(old in c.source for c in nb.cells), f"{name} has no {old!r} to change"
            for c in nb.cells: c.source = c.source.replace(old, new)
        self.file, self.folder = folder/f"{Path(name).name}.ipynb", folder
        write_nb(nb, self.file)

    def run(self) -> dict:  # the variables of the page at its end
        shell = CaptureShell(self.file, mpl_format=None)
        try:
            with working_directory(self.folder): shell.run_all(self.read(), exc_stop=True)
            return shell.user_ns
        finally: shell.close()

    def read(self): return read_nb(self.file)


def refused(page) -> str:
    "The sentence with which a page stops"
    from birdornot.core import BirdornotError
    with pytest.raises(BirdornotError) as e: page.run()
    return str(e.value)


@pytest.fixture
def no_fastai(monkeypatch):
    "As where fastai is not installed: its import alone takes longer than a page"
    monkeypatch.setitem(sys.modules, "timm", None)


def photos(folder, words=("bird", "forest"), n=12, **more):
    "A folder of somebody's own photos"
    make_sample(folder/"photos", n=n, kinds=("bird", "forest", "thing")[:len(words)], **more)
    for kind, word in zip(("bird", "forest", "thing"), words): (folder/"photos"/kind).rename(folder/"photos"/word)


OWN = {'"bird", "forest"\n': '"heron", "reeds"\n', 'n=50, source="sample"': 'folder="photos"'}


def test_bird_follows_three_words_and_another_number(tmp_path, no_fastai):
    page = Page(BIRD, tmp_path, {'words = "bird", "forest"': 'words = "bird", "forest", "thing"', "n=50": "n=8",
                                 "fit_probe(path)": "fit_probe(path, seed=3)"}).run()  # the split keeps its own
    assert page["path"] == Path("made/bird_or_forest_or_thing") and len(page["hits"]) == 24
    assert page["clf"].labels == ["bird", "forest", "thing"]


def test_bird_takes_photos_of_ones_own_goes_on_and_is_of_use_afterwards(tmp_path, no_fastai):
    photos(tmp_path, ("heron", "reeds"), n=8)
    before = {f: f.read_bytes() for f in (tmp_path/"photos").rglob("*.jpg")}
    page = Page(BIRD, tmp_path, OWN)
    first, second = page.run(), page.run()
    assert len(first["downloads"].rows) == len(first["hits"]) == 16 and not second["downloads"].rows
    assert str(first["probe"].result) == str(second["probe"].result) and first["valid"] == second["valid"]
    assert "have no licence that lets everybody use them" in first["space"]  # of one's own photos nothing is known
    assert {f: f.read_bytes() for f in (tmp_path/"photos").rglob("*.jpg")} == before
    command = next(c.source for c in page.read().cells if "python -m http.server -d " in c.source)
    assert "-d made/bird_or_forest/site" in command and (tmp_path/"made/heron_or_reeds/site/index.html").exists()
    with working_directory(tmp_path):
        from birdornot.probe import fit_probe
        assert str(fit_probe(first["path"]).result) == str(first["probe"].result)


@pytest.mark.parametrize("changes,said", [
    ({', source="sample"': ""}, "no source could be asked for 'bird'"),
    ({', source="sample"': "", '"bird", "forest"\n': '"heron", "gull"\n'}, "use a folder of your own, or practise on"),
    ({'"bird", "forest"\n': '"heron", "gull"\n'}, "no drawings of 'heron'; choose from bird, forest, thing, or"),
    (OWN | {'"bird", "forest"\n': '"bird", "gull"\n'}, "'photos' has no folder for 'gull' (folders there: 'bird', 'fo"),
    ({'n=50, source="sample"': 'folder="fotos"'}, "there is no folder 'fotos'; give one that has a folder for each"),
    ({"n=50": 'n="20"'}, "n='20' is not a whole number; give the number"),
    ({"for word in words: hits += search_images(word": "hits += search_images(words"}, "search for each word by its"),
    ({"n=50": "n=3"}, "too few different pictures of bird, forest (found bird: 3, forest: 3"),
    ({'words = "bird", "forest"': 'words = ["bird"]', "n=50": "n=6"}, "pictures of at least two classes")])
def test_what_cannot_be_is_said_in_a_sentence(tmp_path, no_fastai, changes, said):
    photos(tmp_path, n=1)
    assert said in refused(Page(BIRD, tmp_path, changes))


def test_words_follow_other_numbers_and_another_seed(tmp_path):
    page = Page(WORDS, tmp_path, {"bird=60, forest=30, thing=10), 50": "bird=6, forest=9, thing=7), 8",
                                  "seed=42": "seed=7"}).run()
    assert page["weak"] == "bird" and page["result"].n == 22 and page["after"].n == 24
    assert (tmp_path/"made").is_dir()


MATRIX = [(BIRD, c) for c in (
    {'"bird", "forest"\n': '"forest", "thing"\n', "n=50": "n=20"}, {"n=50": "n=20"},
    {'words = "bird", "forest"': 'words = "bird", "forest", "thing"', "n=50": "n=60"},
    {"split_files(path)": "split_files(path, seed=7)", "fit_probe(path)": "fit_probe(path, seed=7)", "n=50": "n=30"},
    OWN)] + [(WORDS, c) for c in (
    {"bird=60, forest=30, thing=10), 50": "bird=20, thing=10, forest=8), 15"}, {"seed=42": "seed=1"},
    {"bird=60, forest=30, thing=10), 50": "bird=30, thing=10), 30"})] + [
    ("tutorials/05_lots", {"N, N_TEST = 62, 30": "N, N_TEST = 20, 12"}),
    ("tutorials/03_backbones", {"dict(bird=60, forest=30, thing=10)": "dict(bird=20, thing=12)"})]


@pytest.mark.slow
@pytest.mark.parametrize("name,changes", MATRIX)
def test_every_change_that_a_page_names_works_twice(tmp_path, name, changes):
    photos(tmp_path, ("heron", "reeds"), n=30)
    page = Page(name, tmp_path, changes)
    page.run()
    page.run()


@pytest.mark.slow
def test_what_the_text_of_bird_says_of_the_numbers_shown(tmp_path):
    page = Page(BIRD, tmp_path).run()
    report, probe, files = page["report"], page["probe"], page["files"]
    assert report.look_alikes and not report.conflicts and len(report.reasons) >= 3
    [car] = [r["file"] for r in report.rows if "wrong_label" in r["image_url"]]
    with working_directory(tmp_path):
        assert any(f.as_posix().endswith(car) for f, _ in page["silent"]) and page["clf"](page["pizza"]()).unsure
    assert sum(r["unsure"] for r in probe.ood) > .5*sum(r["pictures"] for r in probe.ood)
    assert page["by_probe"] < page["by_hand"] and probe.valid == page["valid"] and probe.files == files


def shown(name) -> str:
    "All text that a page shows as it stands"
    cells = json.loads((NBS/f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [o for c in cells for o in c.get("outputs", [])]
    parts = [o.get("data", {}).get(kind, []) for o in outputs for kind in ("text/plain", "text/markdown")]
    return "\n".join(map("".join, [*parts, *(o.get("text", []) for o in outputs)]))


def test_what_the_texts_say_of_the_numbers_shown():
    bird, words = shown(BIRD), shown(WORDS)
    assert "1 × exact duplicate" in bird and "1 × too small" in bird and "cut off" in bird and "in 1 group" in bird
    assert "0 of 19 wrong, where the rule of green had 7" in bird
    assert "unsure=True" in bird.partition("Prediction(")[2].partition("Prediction(")[2]  # the pizza
    few, more = re.findall(r"(\d+) of (\d+) thing pictures were called something else, and (\d+) of the (\d+)", words)
    assert int(few[0])/int(few[1]) > 2*int(few[2])/int(few[3]), "the class that is a tenth makes most of the mistakes"
    assert int(more[0])/int(more[1]) < int(few[0])/int(few[1]), "with more of them, fewer are wrong"
    curve = re.findall(r"^ *(\d+) +([\d.]+)% +([\d.]+)%$", shown("tutorials/05_lots"), re.M)
    assert all(float(by_embedding) < float(by_pixels) for n, by_embedding, by_pixels in curve if int(n) > 1)
    assert float(dict((n, e) for n, e, _ in curve)["16"]) < 5, "right nineteen times in twenty"
    right, all_of_them = map(int, re.search(r"(\d+) of (\d+) others are right", shown("tutorials/06_layers")).groups())
    assert right > .8*all_of_them
