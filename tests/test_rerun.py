"""Outputs in the notebooks are what the code puts out: run again without a network, only timings differ."""
import copy
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/"tools"))
from rerun import differences, rerun, steady  # noqa: E402

NOTEBOOKS = sorted(f.relative_to(ROOT).as_posix() for f in (ROOT/"nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in f.parts)


def test_a_short_notebook_puts_out_the_same_again():
    assert rerun(ROOT/"nbs"/"01_lock.ipynb") == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_notebook_puts_out_the_same_again(name):
    assert rerun(ROOT/name) == []


def test_offline_means_offline(tmp_path):
    nb = json.loads((ROOT/"nbs"/"01_lock.ipynb").read_text(encoding="utf-8"))
    nb["cells"] = [dict(cell_type="code", id="a", metadata={}, outputs=[], execution_count=None,
                        source="import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=5)")]
    file = ROOT/"nbs"/"_offline.ipynb"
    try:
        file.write_text(json.dumps(nb), encoding="utf-8")
        assert any("this run is offline, and 192.0.2.1" in line for line in rerun(file))
    finally: file.unlink()


@pytest.mark.parametrize("a,b", [("took 3.2 s", "took 11 s"), ("at 0x7f3a91b2c3d0", "at 0x55d0aa01bc20"), ("12 ms ± 3 ms", "9 ms ± 1 ms"),
                                 ("http://127.0.0.1:40123/a", "http://127.0.0.1:39999/a"), ("epoch 0 00:12", "epoch 0 01:03"),
                                 ("50%\r100%", "100%"), ("written 2026-11-24 08:00", "written 2027-01-02 09:30")])
def test_what_changes_at_every_run_does_not_count(a, b): assert steady(a) == steady(b)


@pytest.mark.parametrize("a,b", [("error 3.2 %", "error 3.3 %"), ("120 pictures", "121 pictures"), ("bird 58%", "bird 57%")])
def test_what_says_something_counts(a, b): assert steady(a) != steady(b)


def test_changed_outputs_are_found():
    nb = json.loads((ROOT/"nbs"/"00_sample.ipynb").read_text(encoding="utf-8"))
    assert differences(nb, copy.deepcopy(nb)) == []
    new = copy.deepcopy(nb)
    text = next(c for c in new["cells"] for o in c.get("outputs", []) if "text/plain" in o.get("data", {}))
    text["outputs"][0]["data"]["text/plain"] = ["something else"]
    picture, other = [c for c in new["cells"] for o in c.get("outputs", []) if "image/jpeg" in o.get("data", {})][:2]
    picture["outputs"][0]["data"]["image/jpeg"] = other["outputs"][0]["data"]["image/jpeg"]
    found = "\n".join(differences(nb, new))
    assert "+something else" in found and f"({picture['id']}): a picture looks different" in found
