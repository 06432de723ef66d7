"""Every notebook, run from top to bottom as `nbdev-test` does, and counted like any other test."""
import gc
import os
from pathlib import Path

import pytest
from nbdev.config import get_config
from nbdev.test import test_nb as run_notebook

from birdornot.core import has_fastai

NBS = Path(__file__).parents[1]/"nbs"
NAMES = sorted(f.relative_to(NBS).as_posix() for f in NBS.rglob("*.ipynb"))
LONG = """61_finetune 90_cli 58_why 80_make 60_learner 59_shortcuts 56_suspects 75_predict 62_backbones 98_drawing
tutorials/layers tutorials/lots tutorials/bird 31_clean 99_sample""".split()  # they begin, so that nobody waits for one


@pytest.mark.parametrize("name", sorted(NAMES, key=lambda name: name.removesuffix(".ipynb") not in LONG))
def test_notebook(name):
    flags = [*os.environ.get("BIRDORNOT_FLAGS", "").split(), *["fastai"]*has_fastai()]
    if not has_fastai() and "needs the extra `fastai`:*" in (NBS/name).read_text(encoding="utf-8"):
        pytest.skip("the whole page needs fastai, as its head says")
    done, _ = run_notebook(NBS/name, skip_flags=get_config(NBS).tst_flags, force_flags=flags, basepath=NBS.parent)
    gc.freeze()  # what is left are modules: the shell collects garbage at its end, and need not look at them each time
    assert done


def test_the_long_ones_are_there(): assert {f"{name}.ipynb" for name in LONG} <= set(NAMES)
