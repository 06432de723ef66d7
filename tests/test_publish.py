"""A Space that is a page and a card, and the gate before it."""
import json

import pytest
import tinymodel
from browser import chromium, needs_chromium, static_server, watched

from birdornot.card import ATTRIBUTION_COLUMNS as COLUMNS
from birdornot.publish import LicenceError, write_space
from birdornot.web import WebError, web_runtime


def papers(*codes):
    "A card, and a table with one picture of each licence code"
    rows = [dict.fromkeys(COLUMNS, "") | dict(file=f"sea/{i}.jpg", code=c, page_url=f"https://site{i}.example/p")
            for i, c in enumerate(codes)]
    lines = [",".join(COLUMNS), *(",".join(r[k] for k in COLUMNS) for r in rows)]
    return {"MODEL_CARD.md": "---\nlicense: other\n---\n\n# sunset or sea?\n",
            "ATTRIBUTION.csv": "\r\n".join(lines) + "\r\n"}


@pytest.fixture(scope="module", autouse=True)
def runtime():
    try: web_runtime()
    except WebError as e: pytest.skip(str(e))  # the npm registry cannot be reached


@pytest.mark.parametrize("code", ["unknown", "other", "by-nc", "by-nd", "by-nc-sa"])
def test_the_gate_names_the_picture(tmp_path, code):
    "Threat: opt-outs and licences"
    model = tinymodel.folder(tmp_path/"model", papers=papers("cc0", "by", code, "by-sa", "pdm"))
    with pytest.raises(LicenceError, match=f"1 of 5 .* 1 {code} .sea/2.jpg from site2.example"):
        write_space(model, tmp_path/"space")
    assert not (tmp_path/"space").exists()
    assert (write_space(model, tmp_path/"space", allow=code)/"index.html").exists()


def test_an_old_space_stays_when_the_new_one_is_refused(tmp_path):
    good = tinymodel.folder(tmp_path/"good", papers=papers("cc0"))
    write_space(good, tmp_path/"space")
    with pytest.raises(LicenceError):
        write_space(tinymodel.folder(tmp_path/"bad", papers=papers("unknown")), tmp_path/"space")
    assert (tmp_path/"space"/"model.onnx").read_bytes() == (good/"model.onnx").read_bytes()
    assert [f.name for f in tmp_path.iterdir() if f.name.startswith(".")] == []


def test_a_space_of_an_earlier_kind_is_not_lost(tmp_path):
    model = tinymodel.folder(tmp_path/"model", papers=papers("cc0"))
    (tmp_path/"space").mkdir()
    (tmp_path/"space"/"app.py").write_text("import gradio")
    with pytest.raises(WebError, match="'app.py' would be lost"): write_space(model, tmp_path/"space")


@needs_chromium
def test_the_space_is_a_page_that_answers_and_a_card_that_the_hub_reads(tmp_path):
    model = tinymodel.folder(tmp_path/"model", papers=papers("cc0"))
    space = write_space(tinymodel.zipped(model, tmp_path/"model.zip"), tmp_path/"space")
    head, body = (space/"README.md").read_text(encoding="utf-8").split("---\n")[1:3]
    facts = {k: json.loads(v) for k, v in (line.split(": ", 1) for line in head.splitlines())}
    assert (facts["sdk"], facts["app_file"], facts["title"]) == ("static", "index.html", "Sunset or sea?")
    assert body.strip() == "# sunset or sea?"
    with static_server(space) as url, chromium() as browser, watched(browser, url) as page:
        page.wait_for_selector("body[data-ready]")
        photo = (model/"probe.png").read_bytes()
        page.set_input_files("#file", [dict(name="a.png", mimeType="image/png", buffer=photo)])
        page.wait_for_selector("article h2:text('Sunset')")
