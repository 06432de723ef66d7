"""A Space that really runs, offline, from the folder alone; and the gate before it."""
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
import tinymodel

from birdornot.card import COLUMNS
from birdornot.publish import LicenceError, write_space

PROGRAM = [sys.executable, "-c", "import sys; from birdornot.cli import main; sys.exit(main())"]


def papers(*codes):
    "A card, and a table with one picture of each licence code"
    rows = [dict.fromkeys(COLUMNS, "") | dict(file=f"sea/{i}.jpg", code=c, page_url=f"https://site{i}.example/p")
            for i, c in enumerate(codes)]
    lines = [",".join(COLUMNS), *(",".join(r[k] for k in COLUMNS) for r in rows)]
    return {"MODEL_CARD.md": "---\nlicense: other\n---\n\n# sunset or sea?\n",
            "ATTRIBUTION.csv": "\r\n".join(lines) + "\r\n"}


@pytest.mark.parametrize("code", ["unknown", "other", "by-nc", "by-nd", "by-nc-sa"])
def test_the_gate_names_the_picture(tmp_path, code):
    model = tinymodel.folder(tmp_path/"model", papers=papers("cc0", "by", code, "by-sa", "pdm"))
    with pytest.raises(LicenceError, match=f"1 of 5 .* 1 {code} .sea/2.jpg from site2.example"):
        write_space(model, tmp_path/"space")
    assert not (tmp_path/"space").exists()
    assert (write_space(model, tmp_path/"space", allow=code)/"app.py").exists()


def test_an_old_space_stays_when_the_new_one_is_refused(tmp_path):
    good = tinymodel.folder(tmp_path/"good", papers=papers("cc0"))
    write_space(good, tmp_path/"space")
    with pytest.raises(LicenceError):
        write_space(tinymodel.folder(tmp_path/"bad", papers=papers("unknown")), tmp_path/"space")
    infos = [json.loads((folder/"model.json").read_text()) for folder in (tmp_path/"space"/"model", good)]
    assert infos[0] == infos[1]
    assert [f.name for f in tmp_path.iterdir() if f.name.startswith(".")] == []


def test_the_space_runs_and_answers(tmp_path):
    pytest.importorskip("gradio")
    from gradio_client import Client, handle_file
    model = tinymodel.folder(tmp_path/"model", papers=papers("cc0"))
    space = write_space(tinymodel.zipped(model, tmp_path/"model.zip"), tmp_path/"space")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "http_proxy", "https_proxy")}
    env |= dict(GRADIO_SERVER_PORT=str(port), GRADIO_SERVER_NAME="127.0.0.1", GRADIO_ANALYTICS_ENABLED="False")
    with open(tmp_path/"log", "w") as log:
        app = subprocess.Popen([sys.executable, "app.py"], cwd=space, env=env, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and app.poll() is None:
            try: urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=5).read()
            except OSError: time.sleep(0.3)
            else: break
        assert app.poll() is None, (tmp_path/"log").read_text()
        said = Client(f"http://127.0.0.1:{port}/",
                      verbose=False).predict(handle_file(str(model/"probe.png")), api_name="/answer")
        assert "Sunset" in str(said), said
    finally:
        app.terminate()
        app.wait(20)
