"""Tests marked `net`, `slow` or `gpu` run only when `BIRDORNOT_FLAGS` names the mark, as flagged cells do."""
import os

import pytest

FLAGS = ("net", "slow", "gpu")


def pytest_configure(config):
    for flag in FLAGS: config.addinivalue_line("markers", f"{flag}: runs only with BIRDORNOT_FLAGS={flag}")


def pytest_collection_modifyitems(items):
    wanted = os.environ.get("BIRDORNOT_FLAGS", "").split()
    for item in items:
        for flag in FLAGS:
            if flag in item.keywords and flag not in wanted:
                item.add_marker(pytest.mark.skip(reason=f"flagged {flag}: run with BIRDORNOT_FLAGS={flag}"))
