"""Every notebook, run from its first cell to its last as "Run All" does, flagged cells included, without a network;
and counted like any other test. What a flagged cell needs is found by `can_run`; BIRDORNOT_FLAGS may overrule it."""
import gc
import os
import socket
import sys
from pathlib import Path

import pytest
from nbdev.test import test_nb as run_notebook

from birdornot.core import has_fastai

NBS = Path(__file__).parents[1]/"nbs"
NAMES = sorted(f.relative_to(NBS).as_posix() for f in NBS.rglob("*.ipynb"))
LONG = """61_finetune 90_cli 58_why 80_make 60_learner 59_shortcuts 56_suspects 75_predict 62_backbones 98_drawing
tutorials/layers tutorials/lots tutorials/bird 31_clean 99_sample""".split()  # they begin, so that nobody waits for one


WITH_FASTAI = [name for name in NAMES if "needs the extra `fastai`:*" in (NBS/name).read_text(encoding="utf-8")]


@pytest.fixture(autouse=True)
def no_more_than_was_asked(monkeypatch):
    "No network, and none of what takes minutes, unless BIRDORNOT_FLAGS names it"
    monkeypatch.setenv("BIRDORNOT_FLAGS", flags := os.environ.get("BIRDORNOT_FLAGS", ""))
    connect = socket.socket.connect
    def connect_here(self, address):
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1", "localhost")):
            raise OSError(f"this run is offline, and {address[0]} is another machine")
        return connect(self, address)
    if "net" not in flags.split(): monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.mark.parametrize("name", sorted(NAMES, key=lambda name: name.removesuffix(".ipynb") not in LONG))
def test_notebook(name):
    if not has_fastai() and name in WITH_FASTAI: pytest.skip("the whole page needs fastai, as its head says")
    done, _ = run_notebook(NBS/name, basepath=NBS.parent)
    gc.freeze()  # what is left are modules: the shell collects garbage at its end, and need not look at them each time
    assert done


@pytest.mark.parametrize("name", WITH_FASTAI)
def test_a_page_about_fastai_ends_well_without_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    done, _ = run_notebook(NBS/name, basepath=NBS.parent)
    assert done


def test_the_long_ones_are_there(): assert {f"{name}.ipynb" for name in LONG} <= set(NAMES)
