"""Outputs in the notebooks are what the code puts out: run again without a network, only timings differ. And what
sentences say of them is so."""
import base64
import copy
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/"tools"))
from rerun import INSIDE, differences, rerun, shown, steady, unfounded  # noqa: E402

NOTEBOOKS = sorted(f.relative_to(ROOT).as_posix() for f in (ROOT/"nbs").rglob("*.ipynb")
                   if not {".ipynb_checkpoints", "made"} & {*f.parts})


def test_a_short_notebook_puts_out_the_same_again():
    assert rerun(ROOT/"nbs"/"11_engines.ipynb") == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_notebook_puts_out_the_same_again(name):
    assert rerun(ROOT/name) == []


def test_offline_means_offline(tmp_path):
    nb = json.loads((ROOT/"nbs"/"22_lock.ipynb").read_text(encoding="utf-8"))
    nb["cells"] = [dict(cell_type="code", id="a", metadata={}, outputs=[], execution_count=None,
                        source="import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=5)")]
    file = ROOT/"nbs"/"_offline.ipynb"
    try:
        file.write_text(json.dumps(nb), encoding="utf-8")
        assert any("this run is offline, and 192.0.2.1" in line for line in rerun(file))
    finally: file.unlink()


@pytest.mark.parametrize("a,b", [("took 3.2 s", "took 11 s"),
                                 ("at 0x7f3a91b2c3d0", "at 0x55d0aa01bc20"), ("12 ms ± 3 ms", "9 ms ± 1 ms"),
                                 ("http://127.0.0.1:40123/a", "http://127.0.0.1:39999/a"),
                                 ("epoch 0 00:12", "epoch 0 01:03"),
                                 ("50%\r100%", "100%"), ("<Image size=4x2>", "<Image size=4x2 at 0x7FAF13E86650>"),
                                 ("bird 0.0001619291410653155", "bird 0.00016192914106531492"),
                                 ("{'seconds': 3.5, 'n': 2}", "{'seconds': 0.126, 'n': 2}"),
                                 ("Fit(how='probe', seconds=2.94)", "Fit(how='probe', seconds=21.97)"),
                                 ("{'ms_a_picture': 62.18}", "{'ms_a_picture': 1e-05}"),
                                 ('"seconds": {"search": 1.48, "train": 5}', '"seconds": {"search": 2, "train": 11.2}'),
                                 ("written 2026-11-24 08:00", "written 2027-01-02 09:30")])
def test_what_changes_at_every_run_does_not_count(a, b): assert steady(a) == steady(b)


@pytest.mark.parametrize("a,b",
                         [("error 3.2 %", "error 3.3 %"), ("120 pictures", "121 pictures"), ("bird 58%", "bird 57%"),
                          ("{'error rate': 0.52}", "{'error rate': 0.25}"),
                          ("{'seconds': 3, 'n': 2}", "{'seconds': 3, 'n': 1}"),
                          ('"seconds": {"search": 1}', '"seconds": {"train": 1}'), ("second: 2", "second: 3"),
                          ("takes seconds, wrong: 3", "takes seconds, wrong: 4"), ("{'terms': 2}", "{'terms': 3}"),
                          ("bird 0.0001619291410653155", "bird 0.0001619291411653155")])
def test_what_says_something_counts(a, b): assert steady(a) != steady(b)


def a_table(error, seconds, *others) -> dict:
    "A cell that shows a data frame with an error, seconds and `others`, milliseconds"
    import pandas as pd
    rows = pd.DataFrame([{"error": error, "seconds": seconds, "ms a picture, one core": ms} for ms in others],
                        index=["lite0"]*len(others))
    return dict(outputs=[dict(data={"text/html": rows._repr_html_(), "text/plain": repr(rows)})])


def test_columns_of_times_do_not_count_and_the_others_do():
    assert shown(a_table(.1, 4.7, 15.32)) == shown(a_table(.1, 12, 5.1))
    assert shown(a_table(.1, 4.7, 15.32)) != shown(a_table(.2, 4.7, 15.32))
    assert shown(a_table(.1, 4.7, 15.32)) != shown(a_table(.1, 4.7, 15.32, 15.32))


def test_a_sound_is_the_same_whatever_its_stream_is_called():
    def player(serial, sound):
        page = b"OggS" + bytes(10) + serial + bytes(4) + serial[::-1] + sound
        return steady(f'<source src="data:audio/ogg;base64,{base64.b64encode(page).decode()}" type="audio/ogg">')
    assert player(b"1234", b"song") == player(b"\n\xff\x00a", b"song")
    assert player(b"1234", b"song") != player(b"1234", b"rain")


def test_changed_outputs_are_found():
    nb = json.loads((ROOT/"nbs"/"99_sample.ipynb").read_text(encoding="utf-8"))
    assert differences(nb, copy.deepcopy(nb)) == []
    new = copy.deepcopy(nb)
    text = next(c for c in new["cells"] for o in c.get("outputs", []) if "text/plain" in o.get("data", {}))
    text["outputs"][0]["data"]["text/plain"] = ["something else"]
    sheets = ((c, "".join(o.get("data", {}).get("text/html", ""))) for c in new["cells"] for o in c.get("outputs", []))
    (picture, page), (_, other) = [(c, text) for c, text in sheets if "contact-sheet" in text][:2]
    changed = page.replace(INSIDE.search(page)[1], INSIDE.search(other)[1])
    picture["outputs"][0]["data"]["text/html"] = changed
    found = "\n".join(differences(nb, new))
    assert "+something else" in found and f"({picture['id']}): a picture looks different" in found
    old_picture = next(c for c in nb["cells"] if c["id"] == picture["id"])
    old_picture["source"] = '#| fig-alt: "Error against milliseconds"\n' + "".join(old_picture["source"])
    assert "looks different" not in "\n".join(differences(nb, new))


def a_page(*cells) -> dict:
    "A notebook of Markdown cells, text, and code cells, pairs of source and output"
    def made(cell):
        if isinstance(cell, str): return dict(cell_type="markdown", source=cell)
        return dict(cell_type="code", source=cell[0], outputs=[dict(data={"text/plain": cell[1]})])
    return dict(cells=[made(c) for c in cells])


@pytest.mark.parametrize("text", ["Of 24 pictures, 83 % were right.", "The error was 0.25.", "Wrong were 3 of 24.",
                                  "It took 17 %: see [the table](other.ipynb).", "**12.6 %** were *unsure*."])
def test_a_sentence_whose_number_did_not_come_out_is_found(text):
    found = unfounded(a_page("## Result", ("evaluate(path, n=24)", "error 12.5% (2 of 24 wrong)"), text))
    assert len(found) == 1 and found[0].startswith("cell 2: "), found


@pytest.mark.parametrize("text", ["The error was 12.5 %, or 0.125, or 13 %: 2 of 24; 87.5 % were right.",
                                  "With `n=99` and `torch` 2.14, 83 % on about 300 photos.", "A 95 % interval.",
                                  "| 83 % | 0.33 |\n|---|---|", "Python 3.11", "It was measured once: 61 %.",
                                  "Sums of [1.5](https://example.org/2.7) and 10–27 %", "```\n83 %\n```"])
def test_a_sentence_whose_numbers_came_out_or_come_from_elsewhere_is_left_alone(text):
    assert unfounded(a_page("## Result", ("evaluate(path)", "{'error': 0.125, 'wrong': '2 of 24'}"), text)) == []


def test_an_output_counts_in_its_section_and_the_next_and_code_everywhere_below():
    run, text = ("n = 24\nevaluate()", "error 12.5%"), "The error was 12.5 %."
    assert unfounded(a_page("## A", run, "## B", text)) == []
    assert len(unfounded(a_page("## A", run, "## B", "## C", text))) == 1
    assert unfounded(a_page("## A", run, "## B", "## C", "All 24 of 24")) == []
    assert len(unfounded(a_page(text, run))) == 1


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_sentences_say_came_out(name):
    assert unfounded(json.loads((ROOT/name).read_text(encoding="utf-8"))) == []
