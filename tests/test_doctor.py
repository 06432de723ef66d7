"""The doctor asks every source, and survives what it hears."""
import time

import pytest
from taped import Engines

from birdornot.core import BirdornotError
from birdornot.engines import Reply
from birdornot.search import AUTO, doctor


def test_doctor_well(memory):
    checkup = doctor(fetch=Engines(), memory=memory)
    assert [r["source"] for r in checkup] == [*AUTO, "sample"] and all(r["works"] for r in checkup)


def test_doctor_ill(memory):
    checkup = doctor(fetch=Engines(bing=Reply(403), openverse=TimeoutError("timed out")), memory=memory, sources=AUTO)
    assert {r["source"]: r["works"] for r in checkup} == dict(
        openverse=False, duckduckgo=True, bing=False, commons=True
    )
    assert set(memory.read()) == {"bing"} and len(repr(checkup).splitlines()) == 4
    assert doctor(fetch=Engines(), memory=memory, sources=["bing"])[0]["works"] and not memory.read()


def test_doctor_does_not_wait_for_the_dead(memory):
    start = time.monotonic()
    checkup = doctor(fetch=lambda *a: time.sleep(4) or Reply(403), memory=memory, sources=AUTO, seconds=0.2)
    assert time.monotonic() - start < 3 and "no answer in" in checkup[0]["finding"]


def test_doctor_survives_a_surprise(memory):
    checkup = doctor(fetch=lambda *a: 1 / 0, memory=memory, sources=["openverse"])
    assert "division by zero" in checkup[0]["finding"] and not checkup[0]["works"]


def test_doctor_unknown_source(memory):
    with pytest.raises(BirdornotError, match="is not a known source"):
        doctor(sources=["gogle"], memory=memory)
