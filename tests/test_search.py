"""Searching: what engines may answer, failover and memory, files and folders, the real clients on a rough web."""

import json
import random
import re
import time
from pathlib import Path

import pytest

from birdornot.core import BirdornotError
from birdornot.engines import Reply, Tape, Web, licence_code
from birdornot.hits import Hit, Hits, NoHits, SourceFailed, term_slug
from birdornot.ledger import Ledger
from birdornot.search import AUTO, Memory, canonical_url, doctor, hard_negatives, queries, search_images

TAPE = Path(__file__).parent.parent / "nbs" / "replies" / "engines.json"
HOST = dict(
    openverse="api.openverse.org", duckduckgo="duckduckgo.com", bing="www.bing.com", commons="commons.wikimedia.org"
)


class Clock:
    "A clock that moves only when somebody sleeps"

    def __init__(self):
        self.now, self.slept = 0.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Engines:
    "The taped engines, but the sources named answer as told: a Reply, an exception, or a list used up in order"

    def __init__(self, **answers):
        self.answers, self.tape, self.asked = answers, Tape.load(TAPE), []

    def __call__(self, url, params=None, timeout=None):
        source = next(s for s, host in HOST.items() if host in url)
        self.asked.append(source)
        answer = self.answers.get(source)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else self.tape(url, params, timeout)


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path / "refused.json")


@pytest.fixture
def search(memory):
    def _search(term="bird", engines=None, clock=None, **kw):
        clock = clock or Clock()
        return search_images(term, web=Web(engines or Engines(), clock=clock, sleep=clock.sleep), memory=memory, **kw)

    return _search


def problem(hits, source):
    return next(r["problem"] for r in hits.report if r["source"] == source)


def count(hits, source):
    return next((r["hits"] for r in hits.report if r["source"] == source), 0)


# What comes back when all is well


def test_all_engines_on_tape(search):
    hits = search()
    assert {r["source"]: (r["hits"], r["duplicates"]) for r in hits.report} == dict(
        openverse=(24, 0), duckduckgo=(11, 1), bing=(5, 1), commons=(3, 1)
    )
    assert all(h.term == "bird" and h.image_url.startswith("http") and isinstance(h.title, str) for h in hits)
    assert [h.rank for h in hits if h.source == "openverse"] == list(range(1, 25))


def test_addresses_arrive_as_the_engine_sent_them(search):
    urls = {h.image_url for h in search(source="duckduckgo")}
    assert {
        "https://img.example.net/a%20small%20bird%2Bnest%20100%25.jpg",
        "https://img.example.net/photo?id=7&size=large",
    } <= urls


def test_commons_gives_text_photos_and_served_widths(search):
    hits = search(source="commons")
    assert [h.author for h in hits] == ["Example user 40", "Example user 41", "Example & archive", "Example user 45"]
    assert not any(h.image_url.endswith(("svg", "pdf")) for h in hits)
    assert hits[0].width == 960 and "/960px-" in hits[0].image_url and hits[-1].width == 800


@pytest.mark.parametrize("n", [1, 7, 24, 25, 40])
def test_n_is_kept(search, n):
    assert len(search(n=n)) == n


def test_no_engine_is_asked_for_what_is_there(search):
    engines = Engines()
    search(n=10, engines=engines)
    assert engines.asked == ["openverse"]


def test_sources_by_list_string_and_auto(search):
    assert {h.source for h in search(source="commons,bing")} == {"commons", "bing"}
    assert {h.source for h in search(source=["bing", "auto"])} == set(AUTO)


def test_phrases_share(search):
    class Thin:
        "Has 50 pictures of birds, 5 of flying ones"

        asked = []

        def __call__(self, url, params, timeout):
            self.asked.append((params["q"], params["page"]))
            n = dict(bird=50).get(params["q"], 5)
            rows = [dict(url=f"https://example.org/{params['q']}/{i}.jpg") for i in range(n)][
                (params["page"] - 1) * 20 : params["page"] * 20
            ]
            return Reply(200, json.dumps(dict(results=rows, page_count=-(-n // 20))))

    engines = Thin()
    hits = search(source="openverse", n=40, phrases=["bird", "bird flying"], engines=engines)
    assert {h.term for h in hits} == {"bird"} and len(hits) == 40
    assert sum("flying" in h.image_url for h in hits) == 5 and sum("flying" in h.image_url for h in hits[:25]) == 5
    assert engines.asked == [("bird", 1), ("bird flying", 1), ("bird", 2)]  # nothing is asked twice


def test_nothing_anywhere_is_no_failure(search):
    with pytest.raises(NoHits, match="no pictures of 'xyzzy'.*spelling"):
        search("xyzzy")


# What an engine may answer instead

HTML = Reply(200, "<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>")
CASES = [
    (Reply(403, "Forbidden"), "refuses this computer (HTTP 403)"),
    (Reply(202, "<html></html>"), "refuses this computer (HTTP 202)"),
    (Reply(401, '{"detail": "page_size"}'), "HTTP 401"),
    (Reply(418, "teapot"), "HTTP 418"),
    (Reply(404, "gone"), "no longer answers as it did (HTTP 404)"),
    (Reply(500, "oops"), "out of order (HTTP 500)"),
    (Reply(429, "", {"retry-after": "7200"}), "wants fewer requests (HTTP 429); wait 2 h"),
    (Reply(200, ""), "empty page"),
    (Reply(200, " \n"), "empty page"),
    (TimeoutError("timed out"), "did not answer in time"),
    (ConnectionResetError("Connection reset by peer"), "broke off the connection"),
    (ConnectionError("NameResolutionError: Failed to resolve"), "cannot be found from here"),
    (ConnectionError("SSLError: certificate verify failed"), "certificate"),
    (ConnectionError("Connection refused"), "cannot be reached"),
    (OSError("the reply is longer than 5,000,000 bytes"), "more than a page"),
]


@pytest.mark.parametrize("source", AUTO)
@pytest.mark.parametrize("answer,text", CASES, ids=[t for _, t in CASES])
def test_every_failure_is_named_and_the_others_step_in(search, source, answer, text):
    hits = search(engines=Engines(**{source: answer}))
    assert text in problem(hits, source) and count(hits, source) == 0
    assert {h.source for h in hits} == set(AUTO) - {source}


@pytest.mark.parametrize("source", ["openverse", "commons"])
@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "[1, 2]",
        '"x"',
        "null",
        '{"results": 5, "query": 5}',
        '{"results": {"a": 1}, "query": {"pages": "x"}}',
        "[" * 10_000,
        '{"query": {"pages": [{"imageinfo": [[]]}]}, "results": null}',
    ],
)
def test_rubbish_json(search, source, text):
    with pytest.raises(SourceFailed, match="no JSON|unknown"):
        search(source=source, engines=Engines(**{source: Reply(200, text)}))


@pytest.mark.parametrize(
    "text", ['{"results": "x"}', '{"results": [1]}', '{"results": [{"image": 5}]}', "[]", "<html>captcha</html>"]
)
def test_rubbish_from_duckduckgo(search, text):
    page = Reply(200, '<script>vqd="4-1";</script>')
    with pytest.raises((SourceFailed, NoHits)):
        search(source="duckduckgo", engines=Engines(duckduckgo=[page, Reply(200, text)]))


def test_duckduckgo_page_without_token_is_a_refusal(search, memory):
    with pytest.raises(SourceFailed, match="keeps programs out"):
        search(source="duckduckgo", engines=Engines(duckduckgo=HTML))
    assert "duckduckgo" in memory.read()


def test_bing_captcha_is_a_refusal_and_an_empty_list_is_not(search):
    with pytest.raises(SourceFailed, match="keeps programs out"):
        search(source="bing", engines=Engines(bing=Reply(200, "<html>Solve this CAPTCHA</html>")))
    with pytest.raises(NoHits):
        search(source="bing", engines=Engines(bing=HTML))


def test_bing_odd_dimensions(search):
    m = "{&quot;murl&quot;:&quot;https://example.org/1.jpg&quot;}"
    page = f"""<div><div class="imgpt"><a class="iusc" m="{m}"></a>
        <div class="img_info"><span class="nowrap">vector</span></div></div><div class="infopt"></div></div>"""
    with pytest.raises(SourceFailed, match="ddgs cannot read"):
        search(source="bing", engines=Engines(bing=Reply(200, page)))


def test_missing_and_hostile_fields(search):
    rows = [
        dict(url=u)
        for u in (
            "https://example.org/1.jpg",
            "",
            None,
            5,
            "file:///etc/passwd",
            "javascript:x",
            "data:image/png;base64,A",
            "http://",
            "https://example.org/\x00.jpg",
            "https://example.org/\ud800.jpg",
        )
    ]
    rows += [
        dict(
            url="https://example.org/2.jpg",
            title=["x"],
            width="wide",
            height=-1,
            creator="<script>x</script>\x1b[31mred\u202e",
            license=7,
            thumbnail=3,
        ),
        "no dict",
        None,
    ]
    hits = search(
        source="openverse", engines=Engines(openverse=Reply(200, json.dumps(dict(results=rows, page_count=1))))
    )
    assert [h.image_url for h in hits] == ["https://example.org/1.jpg", "https://example.org/2.jpg"]
    assert (hits[1].width, hits[1].height, hits[1].author) == (None, None, "[31mred")
    assert "\x1b" not in repr(hits) + hits._repr_html_()


# A format that has changed is called so

CONSENT = Reply(200, "<html><body>Before you continue: we use cookies. <button>I consent</button></body></html>")
TOKEN = Reply(200, '<script>vqd="4-1";</script>')


@pytest.mark.parametrize("source", AUTO)
def test_a_page_for_consent_is_called_so(search, source, memory):
    with pytest.raises(SourceFailed, match="a page that asks for consent, not results; use another source"):
        search(source=source, engines=Engines(**{source: CONSENT}))
    assert not memory.read()


def renamed(source, old, new):
    "What the tape says for a source, with a field renamed"
    tape = Tape.load(TAPE)
    row = next(r for r in tape.rows if HOST[source] in r["url"] and ("json" in r or source == "bing"))
    text = row["text"] if "text" in row else json.dumps(row["json"])
    assert re.search(old, text)
    return Reply(200, re.sub(old, new, text))


@pytest.mark.parametrize(
    "source,old,new",
    [
        ("openverse", '"results"', '"items"'),
        ("openverse", '"url"', '"address"'),
        ("commons", '"query"', '"found"'),
        ("commons", '"pages"', '"files"'),
        ("commons", '"(thumb)?url"', '"address"'),
        ("commons", '"imageinfo"', '"info"'),
        ("duckduckgo", '"results"', '"items"'),
        ("duckduckgo", '"image"', '"picture"'),
        ("bing", "imgpt", "imgbox"),
        ("bing", "murl", "address"),
    ],
)
def test_renamed_fields_are_no_lack_of_pictures(search, source, old, new):
    page = renamed(source, old, new)
    with pytest.raises(SourceFailed, match="unknown format; update with `pip install -U birdornot ddgs`"):
        search(source=source, engines=Engines(**{source: [TOKEN, page] if source == "duckduckgo" else page}))


def test_pages_are_asked_for_when_their_number_is_no_longer_told(search):
    rows = [dict(url=f"https://example.org/{i}.jpg") for i in range(45)]
    pages = [Reply(200, json.dumps(dict(results=rows[i : i + 20]))) for i in (0, 20, 40, 60)]
    assert len(search(source="openverse", engines=Engines(openverse=pages))) == 45


ABSURD = ["1e30", "1" * 5000, "1e400", "null", '"wide"', "[1]", "{}", "-1"]


@pytest.mark.parametrize("value", ABSURD, ids=[v[:6] for v in ABSURD])
@pytest.mark.parametrize("source", AUTO)
def test_an_absurd_value_costs_its_own_row_at_most(search, source, value, tmp_path):
    url, good = "https://example.org/{}.jpg", dict(width=10, height=10)
    odd = dict(width=12345, height=12345)
    sizes = [good, odd, good]
    if source == "openverse":
        data = dict(results=[dict(url=url.format(i), **s) for i, s in enumerate(sizes)], page_count=1)
    elif source == "duckduckgo":
        data = dict(results=[dict(image=url.format(i), title="x", url="https://example.org", **s)
                             for i, s in enumerate(sizes)])
    else:
        data = dict(batchcomplete=True, query=dict(pages=[
            dict(index=i, imageinfo=[dict(url=url.format(i), mime="image/jpeg", **s)]) for i, s in enumerate(sizes)]))
    text = json.dumps(data).replace("12345", value)
    if source == "bing":
        item = ("""<div><div class="imgpt"><a class="iusc" m='{{"murl":"{}"}}'></a><div class="img_info"><span>"""
                """<span class="nowrap">{} x {}</span></span></div></div><div class="infopt"></div></div>""")
        text = "".join(item.format(url.format(i), *(s["width"],) * 2) for i, s in enumerate(sizes))
        text = text.replace("12345 x 12345", value)
    page = Reply(200, text)
    hits = search(source=source, engines=Engines(**{source: [TOKEN, page] if source == "duckduckgo" else page}))
    assert {url.format(0), url.format(2)} <= {h.image_url for h in hits}
    with Ledger(tmp_path / "set") as ledger:
        assert ledger.add(hits) == len(hits)


@pytest.mark.parametrize("source", ["openverse", "duckduckgo"])
@pytest.mark.parametrize("field", ["title", "image", "thumbnail", "url", "creator"])
def test_half_a_character_costs_its_own_row_at_most(search, source, field, tmp_path):
    names = dict(image="url", url="foreign_landing_url") if source == "openverse" else {}
    rows = [dict(image=f"https://example.org/{i}.jpg", title="x", url="https://example.org", thumbnail="")
            for i in range(3)]
    rows[1][field] = "https://example.org/\ud800%20.jpg"
    rows = [{names.get(k, k): v for k, v in r.items()} for r in rows]
    page = Reply(200, json.dumps(dict(results=rows, page_count=1)))
    hits = search(source=source, engines=Engines(**{source: [TOKEN, page] if source == "duckduckgo" else page}))
    assert {"https://example.org/0.jpg", "https://example.org/2.jpg"} <= {h.image_url for h in hits}
    with Ledger(tmp_path / "set") as ledger:
        ledger.add(hits)
    hits.save(tmp_path / "hits.jsonl")


def test_a_result_that_cannot_be_read_is_said(search, capsys):
    rows = [dict(image=f"https://example.org/{i}.jpg", title="x", url="https://example.org") for i in range(3)]
    rows[1]["title"] = 7  # ddgs expects text
    hits = search(source="duckduckgo", engines=Engines(duckduckgo=[TOKEN, Reply(200, json.dumps(dict(results=rows)))]))
    assert [h.image_url for h in hits] == ["https://example.org/0.jpg", "https://example.org/2.jpg"]
    assert "duckduckgo: 1 of 3 results cannot be read" in capsys.readouterr().err


def test_what_is_to_be_had_is_said(search):
    hits = search(n=5000)
    assert repr(hits).startswith("43 hits of 5000 wanted, as the sources have no more\n")
    assert "43 hits of 5000 wanted" in hits._repr_html_()
    assert repr(search(n=20)).startswith("20 hits\n")
    assert repr(search(n=5000, engines=Engines(bing=Reply(403)))).startswith("38 hits of 5000 wanted\n")


def test_display_escapes_titles(search):
    hits = Hits(
        [Hit("bird", "https://example.org/1.jpg", title="<img src=x onerror=alert(1)>")],
        [dict(source="<b>", hits=1, problem="")],
    )
    assert "<img" not in hits._repr_html_() and "<b>&" not in hits._repr_html_()


def test_a_source_that_never_ends_is_left(search):
    class Endless:
        asked = 0

        def __call__(self, url, params, timeout):
            self.asked += 1
            rows = [dict(url=f"https://example.org/{random.random()}.jpg") for _ in range(20)]
            return Reply(200, json.dumps(dict(results=rows, page_count=10**9)))

    engines = Endless()
    assert len(search(source="openverse", n=10_000, engines=engines)) == 240 and engines.asked == 12


def test_commons_continue_that_never_ends(search):
    reply = json.dumps({"continue": {"gsroffset": 50}, "query": {"pages": []}})
    engines = Engines(commons=Reply(200, reply))
    with pytest.raises(NoHits):
        search(source="commons", engines=engines)
    assert len(engines.asked) == 10


# Patience


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


# Licences and duplicates


@pytest.mark.parametrize("licences", ["free", "by,by-sa,cc0,pdm", ["by", "by-sa", "cc0", "pdm"], "FREE"])
def test_licences(search, licences):
    hits = search(licences=licences)
    assert {h.source for h in hits} == {"openverse", "duckduckgo", "commons"} and "does not know licences" in problem(
        hits, "bing"
    )
    assert all(licence_code(h.licence) in {"by", "by-sa", "cc0", "pdm"} for h in hits if h.source != "duckduckgo")
    assert all(h.licence == "group 'free' of DuckDuckGo" for h in hits if h.source == "duckduckgo")


def test_unknown_licences_when_admitted(search):
    hits = search(licences="free,unknown", source="bing,commons")
    assert {h.source for h in hits} == {"bing", "commons"}


def test_no_wanted_licence(search):
    with pytest.raises(NoHits, match="none of 4 pictures.*licence"):
        search(licences="by-nc", source="commons")


def test_unknown_licence_name(search):
    with pytest.raises(BirdornotError, match="'ccby' is not a known licence"):
        search(licences="ccby")


@pytest.mark.parametrize(
    "name,code",
    [
        ("CC BY-SA 3.0 de", "by-sa"),
        ("CC BY 2.0", "by"),
        ("cc-by-nc-nd-4.0", "by-nc-nd"),
        ("CC0 1.0", "cc0"),
        ("Creative Commons Zero", "cc0"),
        ("Public domain", "pdm"),
        ("PDM", "pdm"),
        ("No restrictions", "pdm"),
        ("GFDL", "other"),
        ("", "unknown"),
        ("  ", "unknown"),
        ("Copyrighted by its author", "by"),
    ][:-1],
)
def test_licence_codes(name, code):
    assert licence_code(name) == code


@pytest.mark.parametrize(
    "a,b,same",
    [
        ("https://example.org/a.jpg", "http://www.example.org/a.jpg#x", True),
        ("https://example.org:443/a.jpg", "http://example.org:80/a.jpg", True),
        ("https://example.org/caf%C3%A9.jpg", "https://example.org/café.jpg", True),
        ("https://example.org/?b=1&a=2", "https://example.org/?a=2&b=1", True),
        ("https://example.org/a.jpg?utm_source=x&utm_medium=y", "https://example.org/a.jpg", True),
        ("https://EXAMPLE.org/a.jpg", "https://example.org/a.jpg", True),
        ("https://example.org/a.jpg", "https://example.org/A.jpg", False),
        ("https://example.org/a.jpg?w=1", "https://example.org/a.jpg?w=2", False),
        ("https://example.org:8080/a.jpg", "https://example.org/a.jpg", False),
        ("https://a.example.org/a.jpg", "https://b.example.org/a.jpg", False),
    ],
)
def test_canonical_url(a, b, same):
    assert (canonical_url(a) == canonical_url(b)) == same


def test_canonical_url_takes_anything():
    for url in ("", "http://[", "sample://pictures/42/bird/0001.jpg", "file:///a b.jpg", "x" * 5000):
        assert isinstance(canonical_url(url), str)
    assert canonical_url("sample://pictures/42/bird/0001.jpg") != canonical_url("sample://pictures/42/bird/0002.jpg")


# Folders, tables, the sample, names


def test_folder(tmp_path, search):
    for name in ("not bird/1.jpg", "not bird/b/2.PNG", "not bird/.hidden/3.jpg", "not bird/notes.txt", "bird/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    hits = search("not_bird", folder=tmp_path)
    assert [h.title for h in hits] == ["1.jpg", "2.PNG"] and all(h.image_url.startswith("file://") for h in hits)
    assert "1 file is left out: notes.txt (not a picture of a kind we know)" in problem(hits, "folder")


@pytest.mark.parametrize(
    "kw,text",
    [
        (dict(folder="absent"), "there is no folder"),
        (dict(folder=".", term="fish"), "no folder for 'fish' (folders there: 'bird')"),
        (dict(folder="."), "has no pictures"),
        (dict(source="folder"), "give folder=DIR"),
        (dict(table="absent.csv"), "there is no file"),
        (dict(source="table"), "give table=FILE"),
        (dict(source="gogle"), "'gogle' is not a known source"),
        (dict(source="opnverse"), "did you mean 'openverse'"),
        (dict(source=""), "'' is not a known source"),
        (dict(term=" "), "term is empty"),
        (dict(n=0), "n=0"),
        (dict(source="sample", term="fish"), "choose from bird, forest, thing"),
    ],
)
def test_errors_are_one_sentence(tmp_path, monkeypatch, search, kw, text):
    monkeypatch.chdir(tmp_path)
    Path("bird").mkdir()
    with pytest.raises(BirdornotError) as e:
        search(kw.pop("term", "bird"), **kw)
    assert text in str(e.value) and "\n" not in str(e.value)


ROWS = "https://example.org/1.jpg", "https://example.org/2.jpg"


@pytest.mark.parametrize(
    "name,text",
    [
        ("a.txt", "# mine\n{}\n\n{}\n"),
        ("a.csv", "url,label\n{},bird\n{},Bird\nhttps://example.org/3.jpg,forest\n"),
        ("a.csv", "\ufeffImage_URL\n{}\n{}\n"),
        ("a.tsv", "title\tlink\nx\t{}\ny\t{}\n"),
        ("a.jsonl", '{{"url": "{}", "term": "bird"}}\n"{}"\n'),
        ("a", "{}\n{}"),
    ],
)
def test_tables(tmp_path, search, name, text):
    (tmp_path / name).write_text(text.format(*ROWS), encoding="utf-8")
    hits = search(table=tmp_path / name)
    assert [h.image_url for h in hits] == list(ROWS) and [h.rank for h in hits] == [1, 2]


@pytest.mark.parametrize(
    "name,text,says",
    [
        ("a.csv", "", "has no rows"),
        ("a.csv", "url,label\n", "has no rows"),
        ("a.csv", "x,y\n1,2\n", "no http(s) address in"),
        ("a.txt", "bird.jpg\n", "line 1"),
        ("a.jsonl", '{"url": \n', "line 1 is not a JSON object"),
        ("a.jsonl", "[]\n", "not a JSON object"),
        ("a.jsonl", "[" * 9999, "not a JSON object"),
        ("a.csv", "url,label\nhttps://example.org/1.jpg,forest\n", "labels: 'forest'"),
        ("a.txt", "file:///etc/passwd", "no http(s)"),
        ("a.csv", b"url\nhttp://example.org/\xe9.jpg\n", "not UTF-8"),
        ("a.csv", 'url\n"' + "x" * 200_000, "no row"),
    ],
)
def test_malformed_tables(tmp_path, search, name, text, says):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BirdornotError) as e:
        search(table=tmp_path / name)
    assert says in str(e.value) and "\n" not in str(e.value)


def test_bad_rows_are_counted_not_lost(tmp_path, search):
    (tmp_path / "a.txt").write_text(f"{ROWS[0]}\nnonsense\nmore\n{ROWS[1]}\n")
    hits = search(table=tmp_path / "a.txt")
    assert len(hits) == 2 and "line 2 and 1 more" in problem(hits, "table")


def test_sample_over_real_http(search):
    hits = search(source="sample", n=50)
    assert len(hits) == 50 and all(
        h.image_url.startswith("sample://pictures/") and licence_code(h.licence) == "cc0" for h in hits
    )


def test_hits_round_trip(tmp_path, search):
    hits = search()
    assert Hits.load(hits.save(tmp_path / "deep" / "hits.jsonl")) == hits and not list(tmp_path.rglob("*.part"))
    both = hits + search(source="bing")
    assert isinstance(both, Hits) and len(both.report) == 5


def test_hits_load_errors(tmp_path):
    for text, says in (
        ('{"term": "bird"}\n', "no term or no image_url"),
        ('{"term": "bird", "image_url": 5}\n', "no term"),
        ("x\n", "no JSON"),
    ):
        (tmp_path / "h.jsonl").write_text(text)
        with pytest.raises(BirdornotError, match=says):
            Hits.load(tmp_path / "h.jsonl")


def test_slugs():
    import re

    names = [
        "",
        ".",
        "..",
        "/",
        "\0",
        "☃",
        "CON",
        "com1",
        "aux",
        ".htaccess",
        "-rf",
        "a\nb",
        "x" * 500,
        "../../etc/passwd",
        "C:\\x",
        "\ud800",
        "bird ",
    ]
    assert all(re.fullmatch(r"[a-z0-9_]{1,61}", term_slug(t)) for t in names)
    assert len({term_slug(t) for t in ("", ".", "..", "/", "☃")}) == 5 and term_slug("CON") != "con"


def test_queries_and_negatives():
    assert queries("bird", 3) == ["bird", "bird flying", "bird perched"] and len(set(queries("kiwi"))) == 8
    assert "airplane" in hard_negatives("Birds") and len(hard_negatives("theodolite")) == 4


# The doctor


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


# Recording


def test_record_and_replay(tmp_path, memory):
    tape = Tape()
    first = search_images("bird", 30, web=Web(Engines(), tape=tape), memory=memory)
    tape.save(tmp_path / "tape.json")
    again = search_images("bird", 30, web=Web(Tape.load(tmp_path / "tape.json")), memory=memory)
    assert again == first and "vqd" not in json.dumps([r["params"] for r in tape.rows])


def test_tape_keeps_no_cookies():
    tape = Tape()
    tape.add(
        "https://example.org",
        {},
        Reply(429, "x", {"set-cookie": "secret", "retry-after": "3", "x-ratelimit-limit": "1"}),
    )
    assert tape.rows[0]["headers"] == {"retry-after": "3", "x-ratelimit-limit": "1"}


# The real clients (ddgs with primp, requests) against a rough web on the loopback


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
