"""Every notebook, run from its first cell to its last as "Run All" does, flagged cells included, without a network;
and counted like any other test. What a flagged cell needs is found by `can_run`; BIRDORNOT_FLAGS may overrule it."""
import gc
import os
import socket
import sys
import tempfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from environment import importable_with
from IPython.core.interactiveshell import InteractiveShell
from nbdev.test import test_nb as run_notebook

from birdornot.core import has_fastai

sys.path.insert(0, str(Path(__file__).parents[1]/"tools"))
from rerun import OFFLINE  # noqa: E402

NO_MORE = """import sys
from importlib.machinery import PathFinder
class Fewer(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in {names} else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Fewer
"""
NBS = Path(__file__).parents[1]/"nbs"
NAMES = sorted(f.relative_to(NBS).as_posix() for f in NBS.rglob("*.ipynb")
               if not {"made", ".ipynb_checkpoints"} & {*f.parts})
LONG = """61_finetune 90_cli 58_why 80_make 60_learner 59_shortcuts 56_suspects 75_predict 62_backbones 98_drawing
31_clean 99_sample tutorials/06_layers tutorials/05_lots tutorials/01_bird""".split()  # they begin, to end in time


WITH_FASTAI = [name for name in NAMES if "needs the extra `fastai`:*" in (NBS/name).read_text(encoding="utf-8")]


@pytest.fixture(autouse=True)
def no_more_than_was_asked(monkeypatch):
    "No network, and none of what takes minutes, unless BIRDORNOT_FLAGS names it"
    monkeypatch.setenv("BIRDORNOT_FLAGS", flags := os.environ.get("BIRDORNOT_FLAGS", ""))
    monkeypatch.setattr(socket.socket, "connect", socket.socket.connect)  # as it was, afterwards
    if "net" not in flags.split(): exec(OFFLINE, {})


def _forget_learners(names):
    "Delete learners, DataLoaders and tensors, which the shell would keep; what patches use, such as modules, stays"
    for k, v in [*names.items()]:
        if type(v).__module__.partition(".")[0] in ("fastai", "torch") and not isinstance(v, type): del names[k]


@pytest.mark.parametrize("name", sorted(NAMES, key=lambda name: name.removesuffix(".ipynb") not in LONG))
def test_notebook(name, nbs, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # what a page leaves for its reader to use goes afterwards
    if not has_fastai() and name in WITH_FASTAI: pytest.skip("the whole page needs fastai, as its head says")
    done, _ = run_notebook(nbs/name, basepath=NBS.parent, profile=False)
    if shell := InteractiveShell._instance: _forget_learners(shell.user_ns)
    gc.collect()
    gc.freeze()  # what is left are modules, which need not be looked at each time
    assert done


@pytest.mark.parametrize("name", WITH_FASTAI)
def test_a_page_about_fastai_ends_well_without_it(name, nbs, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    done, _ = run_notebook(nbs/name, basepath=NBS.parent, profile=False)
    assert done


def run_all(notebook, first):
    "What Jupyter puts out when all cells of a notebook are run, after a cell `first`; raises for one that fails"
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    nb = nbformat.read(notebook, as_version=4)
    nb.cells.insert(0, nbformat.v4.new_code_cell(first))
    nbclient.NotebookClient(nb, timeout=600, resources=dict(metadata=dict(path=str(notebook.parent)))).execute()
    return [o for cell in nb.cells for o in cell.get("outputs", [])]


def test_a_notebook_runs_in_jupyter(nbs): assert run_all(nbs/"00_core.ipynb", OFFLINE)


@pytest.mark.slow
@pytest.mark.parametrize("extras", [("notebooks",), ("notebooks", "fastai", "scale")], ids=" ".join)
@pytest.mark.parametrize("name", NAMES)
def test_every_notebook_runs_in_jupyter(name, extras, nbs, monkeypatch):
    monkeypatch.setenv("BIRDORNOT_FLAGS", "")
    hidden = {*packages_distributions()} - importable_with(*extras)
    first = OFFLINE + NO_MORE.format(names=sorted(hidden))
    said = [o.text for o in run_all(nbs/name, first) if o.get("name") == "stderr"]
    assert not [text for text in said if "IProgress" in text or "it/s]" in text]


def test_the_long_ones_are_there(): assert {f"{name}.ipynb" for name in LONG} <= set(NAMES)
