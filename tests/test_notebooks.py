"""Every notebook, run from top to bottom as `nbdev-test` does, and counted like any other test."""
import os
from pathlib import Path

import pytest
from nbdev.config import get_config
from nbdev.test import test_nb as run_notebook

NBS = Path(__file__).parents[1]/"nbs"


@pytest.mark.parametrize("name", sorted(f.relative_to(NBS).as_posix() for f in NBS.rglob("*.ipynb")))
def test_notebook(name):
    flags = os.environ.get("BIRDORNOT_FLAGS", "").split()
    done, _ = run_notebook(NBS/name, skip_flags=get_config(NBS).tst_flags, force_flags=flags, basepath=NBS.parent)
    assert done
