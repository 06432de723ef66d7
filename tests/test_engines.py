"""What engines may answer instead of pictures, formats that change, and replies that are kept."""
import json
import random
import re

import pytest
from taped import HOST, HTML, TAPE, Engines, count, problem

from birdornot.engines import Reply, Tape, Web
from birdornot.hits import Hit, Hits, NoHits, SourceFailed
from birdornot.ledger import Ledger
from birdornot.search import AUTO, search_images

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
    with pytest.raises(SourceFailed, match="not JSON|unknown"):
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
