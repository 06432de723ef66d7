"""The real clients (ddgs with primp, requests) against a rough web on the loopback."""
import time

import pytest
from taped import problem

from birdornot.core import BirdornotError
from birdornot.engines import Web
from birdornot.hits import NoHits, SourceFailed
from birdornot.search import AUTO, search_images


@pytest.fixture
def rough(tmp_path, monkeypatch, memory):
    from contextlib import contextmanager

    from roughweb import RoughEngines

    @contextmanager
    def _rough(**moods):
        with RoughEngines(**moods) as web:
            for k, v in web.environment(tmp_path).items():
                monkeypatch.setenv(k, v)
            limits = dict(
                pause=0, timeout=2, deadline=6, sleep=lambda seconds: time.sleep(seconds / 20)
            )  # a patient day in short
            web.search = lambda term="bird", timeout=2, **kw: search_images(
                term, memory=memory, web=Web(**limits | dict(timeout=timeout)), **kw
            )
            yield web

    return _rough


def test_rough_all_well(rough):
    with rough() as web:
        hits = web.search(n=400)
        assert {r["source"]: r["hits"] for r in hits.report} == dict(
            openverse=130, duckduckgo=130, bing=130, commons=10
        )
        assert "https://img.example.net/bird/a%203%2B.jpg" in {h.image_url for h in hits}
        assert len(web.search(source="commons", n=130)) == 130
        with pytest.raises(NoHits):
            web.search("xyzzy")


def test_rough_openverse_rules(rough):
    with rough(n=300) as web:
        assert len(web.search(source="openverse", n=300)) == 240 and web.openverse_left == 8
        hits = web.search("forest", source="openverse", n=300)
        assert len(hits) == 160 and "wants fewer requests (HTTP 429); wait 60 s" in problem(hits, "openverse")


def test_rough_duckduckgo_pages_and_filters(rough):
    with rough(n=250) as web:
        assert len(web.search(source="duckduckgo", n=250)) == 250
        asked = [q for source, path, q in web.log if path == "/i.js"]
        assert [q.get("s") for q in asked] == [None, "100", "200"] and all("type:photo" in q["f"] for q in asked)
        web.search(source="duckduckgo", licences="public", n=5)
        assert "license:Public" in web.log[-1][2]["f"]


@pytest.mark.parametrize("source", AUTO)
@pytest.mark.parametrize(
    "mood,kind",
    [
        (403, "blocked"),
        (202, "blocked"),
        (500, "unreachable"),
        ("limited for long", "limited"),
        ("empty", "rubbish"),
        ("reset", "reset"),
    ],
)
def test_rough_refusals(rough, source, mood, kind):
    with rough(**{source: mood}) as web:
        with pytest.raises(SourceFailed) as e:
            web.search(source=source)
        assert e.value.kind == kind
        assert web.asked(source) <= (
            6 if kind == "reset" else 3
        )  # primp itself asks once more when a connection breaks


STRANGE = dict(
    truncated="reset",
    driphead="timeout",
    huge="rubbish",
    bomb="rubbish",
    nested="rubbish",
    html="rubbish",
    captcha="rubbish",
    hang="timeout",
    drip="timeout",
)
KEPT_OUT = {("duckduckgo", "html"), ("duckduckgo", "captcha"), ("duckduckgo", "nested"), ("bing", "captcha")}


@pytest.mark.parametrize("source", AUTO)
@pytest.mark.parametrize("mood", STRANGE)
def test_rough_nonsense(rough, source, mood):
    start = time.monotonic()
    with rough(**{source: mood}) as web:
        with pytest.raises(BirdornotError) as e:
            web.search(source=source, timeout=0.7 if mood in ("hang", "drip", "driphead") else 2)
    if source == "bing" and mood in ("html", "nested"):
        assert isinstance(e.value, NoHits)  # Bing has no other way to say nothing
    else:
        assert e.value.kind == ("blocked" if (source, mood) in KEPT_OUT else STRANGE[mood])
    assert time.monotonic() - start < 6


@pytest.mark.parametrize("source", AUTO)
@pytest.mark.parametrize("mood", ["limited", "reset"])
def test_rough_what_heals_is_asked_again(rough, source, mood):
    with rough(**{source: [mood, "ok"]}) as web:
        assert len(web.search(source=source, n=10)) == 10


def test_rough_day(rough):
    with rough(duckduckgo=403, openverse="hang") as web:
        hits = web.search(n=150, timeout=0.7)
        assert len(hits) == 150 and {h.source for h in hits} == {"bing", "commons"}
        assert "in time" in problem(hits, "openverse") and "403" in problem(hits, "duckduckgo")
        web.search(n=10)
        assert web.asked("duckduckgo") == 1
