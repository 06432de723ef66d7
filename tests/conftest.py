"""Tests marked `net`, `slow` or `gpu` run only when `BIRDORNOT_FLAGS` names the mark, as flagged cells do."""
import os
import shutil
import signal
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

FLAGS = ("net", "slow", "gpu")


def pytest_configure(config):
    for flag in FLAGS: config.addinivalue_line("markers", f"{flag}: runs only with BIRDORNOT_FLAGS={flag}")


def pytest_collection_modifyitems(items):
    wanted = os.environ.get("BIRDORNOT_FLAGS", "").split()
    for item in items:
        for flag in FLAGS:
            if flag in item.keywords and flag not in wanted:
                item.add_marker(pytest.mark.skip(reason=f"flagged {flag}: run with BIRDORNOT_FLAGS={flag}"))


class _Scheduler(LoadFileScheduling):
    "A file to a worker, so that its costly fixtures are made once; notebooks share nothing and go one by one"
    def _split_scope(self, nodeid):
        return nodeid if "test_notebooks.py" in nodeid else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config, log): return _Scheduler(config, log)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard():
    "A shell that starts the tests in the background has SIGINT ignored, and programs started here would inherit that"
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def package_source(tmp_path):
    "A copy of what a wheel is built from, without environments and datasets that may lie beside it"
    root, copy = Path(__file__).parents[1], tmp_path/"src"
    shutil.copytree(root/"birdornot", copy/"birdornot", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "settings.ini", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(root/name, copy)
    return copy
