"""How long a search waits, how often it asks again, and which refusals it remembers."""
import time

import pytest
from taped import HTML, Clock, Engines, count, problem

from birdornot.engines import Reply, Web
from birdornot.hits import SourceFailed
from birdornot.search import AUTO, Memory, search_images


def test_retry_after_is_honoured(search):
    clock = Clock()
    hits = search(
        source="openverse", engines=Engines(openverse=[Reply(429, "", {"retry-after": "9"}), None]), clock=clock
    )
    assert len(hits) == 24 and 9 in clock.slept


def test_retry_after_as_a_date(search):
    from email.utils import formatdate

    clock = Clock()
    search(
        source="openverse",
        engines=Engines(openverse=[Reply(503, "", {"retry-after": formatdate(time.time() + 20, usegmt=True)}), None]),
        clock=clock,
    )
    assert 15 < max(clock.slept) <= 20


@pytest.mark.parametrize("value", ["-5", "soon", "", "9" * 400, "Wed, 99 Foo 9999 99:99:99 GMT"])
def test_strange_retry_after(search, value):
    clock = Clock()
    engines = Engines(openverse=[Reply(429, "", {"retry-after": value}), None])
    try:
        search(source="openverse", engines=engines, clock=clock)
    except SourceFailed as e:
        assert e.kind == "limited"
    assert clock.now < 45


def test_backoff_doubles_is_jittered_and_ends(search):
    waits = set()
    for _ in range(5):
        clock, engines = Clock(), Engines(openverse=ConnectionResetError("reset"))
        with pytest.raises(SourceFailed, match="broke off"):
            search(source="openverse", engines=engines, clock=clock)
        assert len(engines.asked) == 3 and 0.5 <= clock.slept[0] <= 1 <= clock.slept[1] <= 2
        waits.add(clock.slept[0])
    assert len(waits) > 1


def test_refusals_are_not_retried(search):
    engines = Engines(bing=Reply(403))
    with pytest.raises(SourceFailed):
        search(source="bing", engines=engines)
    assert engines.asked == ["bing"]


def test_deadline_for_each_source(search):
    clock = Clock()

    class Slow(Engines):
        def __call__(self, url, params=None, timeout=None):
            assert timeout <= 10
            clock.now += 30
            return super().__call__(url, params, timeout)

    hits = search(engines=Slow(), clock=clock)
    assert len(hits) > 20 and clock.now < 4 * (45 + 30)
    assert "took 45 s" in problem(hits, "duckduckgo")


def test_deadline_for_the_whole_search(search):
    clock = Clock()

    class Slow(Engines):
        def __call__(self, url, params=None, timeout=None):
            clock.now += 12
            if "openverse" not in url: return Reply(200, "{}")
            return super().__call__(url, dict(params or {}, q="bird"), timeout)

    hits = search(n=500, engines=Slow(), clock=clock, phrases=[f"bird {i}" for i in range(60)], source="openverse")
    assert hits and clock.now < 300 + 45
    assert "the search has taken 5 min" in problem(hits, "openverse")


def test_hits_before_a_failure_are_kept(search):
    hits = search(source="openverse", engines=Engines(openverse=[None, Reply(403)]))
    assert len(hits) == 20 and "403" in problem(hits, "openverse")


def test_requests_are_paced():
    clock = Clock()
    web = Web(clock=clock, sleep=clock.sleep, pause=0.5)
    for _ in range(3):
        web.get("x", "https://example.org", fetch=lambda *a: Reply(200, "x"))
    assert clock.slept == [0.5, 0.5]


# Memory

def test_a_refusal_is_remembered_and_forgotten(search, memory):
    clock = [1000.0]
    memory.now = lambda: clock[0]
    search(engines=Engines(duckduckgo=Reply(403)))
    engines = Engines()
    assert (
        "left alone for 60 min more" in problem(search(engines=engines), "duckduckgo")
        and "duckduckgo" not in engines.asked
    )
    clock[0] += 3601
    assert count(search(), "duckduckgo") == 11 and not memory.read()


def test_asking_by_name_ignores_and_success_clears_the_memory(search, memory):
    search(engines=Engines(bing=Reply(403)))
    assert len(search(source="bing")) == 6 and not memory.read()


def test_the_wait_an_engine_names_is_remembered(search, memory):
    memory.now = lambda: 0
    search(engines=Engines(openverse=Reply(429, "", {"retry-after": "300"})))
    assert memory.read()["openverse"][0] == 300


@pytest.mark.parametrize("answer", [TimeoutError("timed out"), HTML, Reply(500)])
def test_what_may_pass_is_not_remembered(search, memory, answer):
    search(engines=Engines(openverse=answer))
    assert not memory.read()


@pytest.mark.parametrize(
    "junk", ["", "{", "[]", "null", '{"bing": 3}', '{"bing": ["x", "y"]}', '{"bing": [null, 1]}', "\x00"]
)
def test_a_damaged_memory_is_empty(search, memory, junk):
    memory.path.write_text(junk)
    assert memory.read() == {} and len(search()) == 43


def test_a_memory_from_a_clock_that_was_set_back_is_not_believed(search, memory):
    memory.now = lambda: 365 * 86_400
    search(engines=Engines(bing=Reply(403)))
    assert memory.read()
    memory.now = lambda: 0
    assert not memory.read()


def test_memory_that_cannot_be_written(search, tmp_path):
    (tmp_path / "file").write_text("")
    blocked = Memory(tmp_path / "file" / "refused.json")
    hits = search_images("bird", web=Web(Engines(bing=Reply(403))), memory=blocked)
    assert "403" in problem(hits, "bing")


def test_all_refused_and_remembered_says_so(search):
    engines = Engines(**{s: Reply(403) for s in AUTO})
    for _ in range(2):
        with pytest.raises(SourceFailed, match="birdornot doctor") as e:
            search(engines=engines)
        assert "\n" not in str(e.value) and len(engines.asked) == 4
