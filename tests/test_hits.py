"""Licences, duplicates, folders and tables of hits, and the names of terms."""
import re
from pathlib import Path

import pytest
from taped import problem

from birdornot.core import BirdornotError
from birdornot.engines import licence_code
from birdornot.hits import Hits, NoHits, term_slug
from birdornot.search import canonical_url, hard_negatives, queries


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
        ("a.csv", 'url\n"' + "x" * 200_000, "cannot be read"),
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
        ("x\n", "not a JSON"),
    ):
        (tmp_path / "h.jsonl").write_text(text)
        with pytest.raises(BirdornotError, match=says):
            Hits.load(tmp_path / "h.jsonl")


def test_slugs():
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
