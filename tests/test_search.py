"""Searching: what comes back when all is well, and what is asked for."""
import json

import pytest
from taped import Engines

from birdornot.engines import Reply
from birdornot.hits import NoHits
from birdornot.search import AUTO


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
