"""What the studio gives away, written by its JavaScript: Python opens it and finds what it would have written."""
import json
import subprocess
import zipfile

import numpy as np
import onnx
import pytest
from browser import NODE, needs_node
from safetensors.numpy import load

from birdornot.card import model_card, read_attribution
from birdornot.clean import clean_images
from birdornot.cli import main
from birdornot.decide import decisions, undo_decision
from birdornot.download import download_images
from birdornot.drift import REFERENCE, read_reference
from birdornot.embed import backbone_onnx, embed_files
from birdornot.export import export_model
from birdornot.follow import take_up_decisions
from birdornot.hits import FACTS
from birdornot.ledger import Ledger, content_hash
from birdornot.make import find_missing, make
from birdornot.model import ModelFolder, graph_fault
from birdornot.novelty import SHARPNESS, Novelty, Strangeness
from birdornot.predict import Classifier
from birdornot.probe import Head, fit_probe, head_arrays, make_head, read_judged
from birdornot.project import safe_name
from birdornot.sample import make_sample, sample_picture
from birdornot.web import PAGE_FOLDER, WebError, page_files, page_template, take_files, web_runtime

pytestmark = needs_node
SCRIPT = """
import {readFileSync, writeFileSync, openAsBlob} from "node:fs";
const [place, input] = process.argv.slice(2), here = name => new URL(`studio/${name}`, `file://${place}/`).href;
const {modelFolder, pageFolder, datasetFolder} = await import(here("take.js")), {zipOf} = await import(here("zip.js"));
const {photos, found, take, body, picture, sources, out, name, created} = JSON.parse(readFileSync(input));
take.picture = new Uint8Array(readFileSync(picture));
for (const photo of photos)
  photo.blob = photo.path ? await openAsBlob(photo.path, {type: "image/jpeg"}) : new Blob(["?"], {type: "image/png"});
const bytes = file => new Uint8Array(readFileSync(file));
const model = await modelFolder({...found, photos, take, name, created: new Date(created), body: bytes(body)});
const files = new Map(sources.map(([name, path]) => [name, bytes(path)]));
const made = {model, page: pageFolder({model, sources: files, take}), photos: datasetFolder({photos})};
for (const [kind, all] of Object.entries(made))
  writeFileSync(`${out}/${kind}.zip`, new Uint8Array(await (await zipOf(all, {top: name})).arrayBuffer()));
"""


def plain(value):
    "What JSON can hold: arrays as flat lists"
    if isinstance(value, np.ndarray): return value.ravel().tolist()
    if isinstance(value, dict): return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)): return [*map(plain, value)]
    return value.item() if isinstance(value, np.generic) else value


def as_found(head: Head, result, positions, valid, ood):
    "A head and its evaluation as train.js says them"
    novelty = {k: getattr(head.novelty, k) for k in ("mean", "scale", "centre", "axes", "less", "step")}
    strange = head.novelty.strangeness
    novelty["strangeness"] = dict(sharpness=SHARPNESS) | {
        k: getattr(strange, k) for k in ("axes", "offset", "known", "step")}
    judged = result.as_dict() | dict(positions=positions, probabilities=result.probabilities, novelty=result.novelty,
                                     unsure=result.unsure, right=result.right, confidence=result.confidence)
    limit = head.unsure["max_novelty"]
    curve = {"": result.unsure_curve(limit)} | {lbl: result.unsure_curve(limit, lbl) for lbl in head.labels}
    return plain(dict(judged=judged, curve=curve, ood=ood, valid=valid, head=dict(
        labels=head.labels, weight=head.weight, bias=head.bias, temperature=head.temperature, prior=head.prior,
        unsure=head.unsure, novelty=novelty)))


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("studio")/"set"
    make_sample(path, n=12, kinds=("bird", "forest"))
    return fit_probe(path)


def run_script(where, photos, found, **more):
    "Have Node write the three zips, and unpack them: kind → folder"
    needed = take_files()
    (where/"probe.png").write_bytes(needed["probe.png"])
    take = json.loads(needed["take.json"])
    (where/"page.html").write_text(page_template(shared=False), encoding="utf-8")
    sources = {name: PAGE_FOLDER/name for name in take["page"]["sources"]} | {
        "page.html": where/"page.html", "ort/LICENSE.txt": PAGE_FOLDER/"ort-LICENSE.txt"}
    task = dict(photos=photos, found=found, take=take, body=str(backbone_onnx()), out=str(where),
                picture=str(where/"probe.png"), sources=[(k, str(v)) for k, v in sources.items()],
                created="2026-11-28T04:44:14.500Z", name="bird_or_forest") | more
    (where/"task.json").write_text(json.dumps(task), encoding="utf-8")
    (where/"script.mjs").write_text(SCRIPT)
    done = subprocess.run([NODE, where/"script.mjs", PAGE_FOLDER, where/"task.json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for kind in ("model", "page", "photos"):
        with zipfile.ZipFile(where/f"{kind}.zip") as z:
            assert z.testzip() is None
            z.extractall(where/kind)
    return {kind: where/kind/task["name"] for kind in ("model", "page", "photos")}


def as_photos(probe):
    return [dict(name=f.name, label=f.parent.name, sha256=content_hash(f), group=g, path=str(f), embedding=x.tolist())
            for f, g, x in zip(probe.files, probe.groups, embed_files(probe.files))]


@pytest.fixture(scope="module")
def taken(probe, tmp_path_factory):
    "What the studio would write of this head"
    photos = as_photos(probe)
    photos[0]["group"] = photos[1]["group"] = "two of one"
    photos[2]["decisions"] = [dict(action="move", at="2026-11-28T04:00:00Z", **{"from": "forest"})]
    photos[3]["decisions"] = [dict(action="keep", at="2026-11-28T04:00:01Z")]
    found = as_found(probe.head, probe.result, list(range(len(photos))), list(probe.valid), probe.ood)
    return run_script(tmp_path_factory.mktemp("taken"), photos, found)


@pytest.fixture(scope="module")
def ours(probe, tmp_path_factory): return export_model(probe, tmp_path_factory.mktemp("ours")/"model")


def test_the_graph_is_the_one_that_python_writes(taken, ours):
    theirs, own = (onnx.load(m/"model.onnx") for m in (taken["model"], ours))
    told = [json.loads(m.metadata_props[0].value) for m in (theirs, own)]
    assert told[0] == told[1]
    for m in (theirs, own): del m.metadata_props[:]
    assert theirs.SerializeToString(deterministic=True) == own.SerializeToString(deterministic=True)


def test_python_opens_it_and_hears_the_same_answers(taken, ours, probe, monkeypatch, tmp_path):
    "All checks of a folder from elsewhere are made, the trial in a process of its own included"
    monkeypatch.setenv("BIRDORNOT_CACHE", str(tmp_path))  # where no graph is known yet
    assert graph_fault((taken["model"]/"model.onnx").read_bytes()) == ""
    classifiers = [Classifier(m) for m in (taken["model"], ours)]
    for photo in probe.files[::6]:
        one, other = (clf(photo) for clf in classifiers)
        assert one.answer == other.answer and abs(one.novelty - other.novelty) < 1e-5
        assert all(abs(one.probabilities[k] - other.probabilities[k]) < 1e-5 for k in other.probabilities)
    assert Classifier(taken["model"].parents[1]/"model.zip")(probe.files[0]).answer  # as it was downloaded


def test_the_description_is_complete(taken, ours):
    theirs, own = (ModelFolder(m).info for m in (taken["model"], ours))
    assert {*own} - {*theirs} == {"largest_logit_difference", "seconds"}  # nothing to compare with, and not asked for
    same = ("labels", "curve", "size", "max_size", "temperature", "unsure", "head", "ood", "error", "pictures", "data",
            "mean", "licences", "trained_on", "maps", "seed", "coverage", "solved_on_all", "asked_size", "backbone")
    assert {k: theirs[k] for k in same} == {k: own[k] for k in same}
    assert np.allclose(theirs["probe"]["logits"], own["probe"]["logits"], atol=1e-4)
    assert theirs["fit"]["why"] == "made in the studio" and "onnxruntime-web" in theirs["versions"]
    for file in theirs["sha256"]: assert ModelFolder(taken["model"]).checked(file)


def test_the_card_is_the_one_that_python_writes(taken):
    model = ModelFolder(taken["model"])
    rows = read_attribution(model.read("ATTRIBUTION.csv").decode())
    card = model.read("MODEL_CARD.md").decode()
    assert card == model_card(model.info, rows, "bird_or_forest") and "made in the studio" in card
    assert "timm" not in card.split("## Data")[0].split("## In other")[1]  # which would need the weights


def test_the_table_of_what_was_judged_is_read_back(taken, ours, probe):
    theirs, own = (read_judged(ModelFolder(m).checked("judged.csv").decode()) for m in (taken["model"], ours))
    assert len(theirs) == len(own)
    own = {r["sha256"]: r for r in own}
    for r in theirs:
        for k in ("file", "label", "part", "unsure"): assert r[k] == own[r["sha256"]][k]
        for k in ("bird", "forest", "novelty"): assert abs(float(r[k]) - float(own[r["sha256"]][k])) < 1e-9
    assert len({r["group"] for r in theirs}) == len(theirs) - 1  # those two of one


def test_it_can_be_trained_on(taken, ours):
    "The weights of its body are those of the package"
    (body, head), (own_body, own_head) = (ModelFolder(m).weights() for m in (taken["model"], ours))
    assert body.keys() == own_body.keys() and all((body[k] == own_body[k]).all() for k in body)
    assert all(np.array_equal(head[k], own_head[k]) for k in own_head)
    again = make_head(head, ModelFolder(taken["model"]).info["head"])
    assert head_arrays(again).keys() == own_head.keys()


def test_later_photos_can_be_compared_with_those_it_knows(taken, ours):
    theirs, own = (read_reference(load(ModelFolder(m).checked(REFERENCE))) for m in (taken["model"], ours))
    for k in ("confidence", "right", "novelty", "unsure"): assert np.allclose(getattr(theirs, k), getattr(own, k)), k
    near = np.abs(theirs.points[:, None].astype(float) - own.points[None].astype(float)).max(-1)
    assert len(theirs.points) == len(own.points) - 1 and near.min(1).max() < 0.002  # without one of the two of one


def test_its_page_is_the_one_that_python_writes(taken):
    model = ModelFolder(taken["model"])
    wanted = page_files(model, sha256=model.info["sha256"]["model.onnx"],
                        bytes=(taken["model"]/"model.onnx").stat().st_size)
    got = {f.relative_to(taken["page"]).as_posix(): f.read_bytes() for f in taken["page"].rglob("*") if f.is_file()}
    drawn = {name for name in wanted if name.startswith("examples/")} | {"share.jpg"}
    assert got.keys() - wanted.keys() == {"model.onnx"} and wanted.keys() - got.keys() == drawn
    about, ours = (json.loads(files["page.json"]) for files in (got, wanted))
    assert about == ours | dict(examples=[])
    page, without = (files["index.html"].decode().splitlines() for files in (got, wanted))
    without = [line for line in without if "og:image" not in line and "twitter:card" not in line]
    assert [line for line in page if line] == [line for line in without if line]
    assert all(got[name] == wanted[name] for name in got.keys() & wanted.keys() - {"page.json", "index.html"})


def test_export_writes_the_page_of_a_model_that_was_downloaded(taken, tmp_path, capsys):
    model = str(taken["model"].parents[1]/"model.zip")
    try: web_runtime()
    except WebError as e: pytest.skip(str(e))
    assert main(["export", model, "--web", str(tmp_path/"site")]) == 0
    assert (tmp_path/"site"/"index.html").exists() and "page " in capsys.readouterr().out
    assert main(["export", model]) == 1 and "is a model already; give --web" in capsys.readouterr().err


def test_make_goes_on_with_the_photos(taken, probe, tmp_path, capsys):
    "Groups and decisions of the studio are kept, and no photo is lost"
    make(folder=taken["photos"], out=(home := tmp_path/"continued"), near=1)
    said = capsys.readouterr().err
    assert "2 decisions of the studio taken over" in said and "photos.jsonl" not in said
    with Ledger(home) as ledger: rows = {r["sha256"]: r for r in ledger.rows(status="clean")}
    photos = as_photos(probe)
    assert {h: r["label"] for h, r in rows.items()} == {p["sha256"]: p["label"] for p in photos}
    together = [rows[p["sha256"]]["dup_group"] for p in photos[:3]]
    assert together[0] == together[1] != together[2] and len({r["dup_group"] for r in rows.values()}) == len(photos) - 1
    assert {(d["action"], d["label"], d["why"]) for d in decisions(home)} == {
        ("keep", "bird", "kept in the studio, 2026-11-28 04:00"),
        ("move", "bird", "moved from forest in the studio, 2026-11-28 04:00")}
    assert take_up_decisions(home, taken["photos"]) == 0


@pytest.mark.parametrize("row", [
    dict(group=dict(a=1), decisions=3), dict(group=["x"], decisions=[["move"]]), dict(label=None, decisions=[None]),
    dict(label="bird", decisions=[dict(action=["move"], **{"from": 1})]), dict(label=["bird"], group="\0\ud800"),
    dict(label="bird", decisions=[dict(action="move", at={}, **{"from": "../../forest"})]), dict(sha256=5)])
def test_odd_facts_about_a_photo_harm_nobody(tmp_path, row):
    "What is no group and no decision is none; a class that a photo was moved from stays a name"
    photos = tmp_path/"mine"
    for kind in ("bird", "forest"):
        (photos/kind).mkdir(parents=True)
        (photos/kind/"1.jpg").write_bytes(sample_picture(kind, 9_500))
    facts = [dict(sha256=content_hash(f), label=f.parent.name) | row for f in photos.rglob("*.jpg")]
    (photos/FACTS).write_text("".join(f"{json.dumps(fact)}\n" for fact in facts), encoding="utf-8")
    download_images(tmp_path/"set", find_missing(["bird", "forest"], tmp_path/"set", folder=photos), progress=False)
    clean_images(tmp_path/"set", workers=1, progress=False)
    n = take_up_decisions(tmp_path/"set", photos)
    assert n == len(decisions(tmp_path/"set")) == int("../../forest" in str(row))
    if n: undo_decision(tmp_path/"set")
    with Ledger(tmp_path/"set") as ledger: assert len(ledger.rows(status="clean")) == 2
    assert {f.name for f in tmp_path.iterdir()} == {"mine", "set"} and len([*(tmp_path/"set").rglob("*.jpg")]) == 4


HOSTILE = ["../../out", "a/b", "C:\\x", "con", "NUL.txt", " .hidden", "x"*300, "<script>alert(1)</script>", "Ünïcode",
           "unicode\u202egpj", "", "trailing. ", "\ud800", "=1+1", 'naïve, "quoted"', "tab\tand\nline"]
LABELS = ['bird, "a"', "<b>*not* bird</b>", "=cmd|' /C calc'!A1", "Vögel | 鸟"]


def invented(rng, n=30, channels=1280):
    "Photos with hostile names in hostile classes, and a head that somebody dreamt of"
    from birdornot.evaluate import Evaluation
    k, labels = len(LABELS), sorted(LABELS)
    y = rng.integers(k, size=n)
    y[:n//2] = 0
    photos = [dict(name=HOSTILE[i % len(HOSTILE)], label=labels[c], sha256=f"{i:064x}", group=str(i//2))
              for i, c in enumerate(y)]
    result = Evaluation(labels, y, rng.dirichlet(np.ones(k), n), unsure=rng.random(n) < 0.3, novelty=rng.random(n)*2,
                        groups=[p["group"] for p in photos], judged="", warnings=["*These* look like bursts: 30%."])
    cloud = Novelty(*(rng.random(channels) for _ in range(3)), rng.random((channels, 5)), rng.random(5), 1.5,
                    Strangeness(rng.random((channels, 128)), rng.random(128), rng.random((7, 128)), 0.5))
    limits = dict(min_confidence=0.0625, max_novelty=1.125, coverage=0.95, error=0.0125, ood_unsure=1.0)
    head = Head(labels, rng.random((k, channels)).astype("f4"), rng.random(k), 0.1234567, novelty=cloud, unsure=limits,
                prior=[1/k]*k)
    return photos, as_found(head, result, list(range(n)), list(range(n)), [
        dict(kind="thing", pictures=20, unsure=12, called={labels[0]: 5, labels[1]: 3})])


def test_hostile_names_and_classes_become_files_and_a_card(tmp_path):
    "Threat: labels and titles as paths"
    photos, found = invented(np.random.default_rng(4))
    made = run_script(tmp_path, photos, found)
    model = ModelFolder(made["model"])
    rows = read_attribution(model.read("ATTRIBUTION.csv").decode())
    assert model.read("MODEL_CARD.md").decode() == model_card(model.info, rows, "bird_or_forest")
    judged = read_judged(model.checked("judged.csv").decode())
    assert {r["label"] for r in judged} == {p["label"] for p in photos} and len({r["file"] for r in judged}) == 30
    assert all({*LABELS} <= r.keys() and ".." not in r["file"] and r["file"].count("/") == 1 for r in judged)
    for place in (r["file"] for r in judged):
        assert all(safe_name(name) for name in place.split("/")), place
    page = (made["page"]/"index.html").read_text(encoding="utf-8")
    assert "<b>" not in page and "&lt;b&gt;" in page


def test_a_zip_takes_no_name_that_leads_out_of_it_or_stands_for_two(tmp_path):
    "Threat: archives"
    names = ["../x", "/etc/x", "a/../b", "a\\b", "con", "C:x", "a//b", ""]
    script = """
      const {zipOf, apart, safeName} = await import(`file://${process.argv[2]}/studio/zip.js`), said = [];
      for (const name of JSON.parse(process.argv[3]))
        said.push(await zipOf(new Map([[name, new Uint8Array(1)]])).then(() => "written", e => e.message));
      said.push(...apart(["A.jpg", "a.jpg", "a-2.jpg", "a.JPG", "b"]), safeName("x".repeat(200) + ".jpeg").length);
      console.log(JSON.stringify(said));"""
    (tmp_path/"names.mjs").write_text(script)
    done = subprocess.run([NODE, tmp_path/"names.mjs", PAGE_FOLDER, json.dumps(names)], capture_output=True, text=True)
    *refused, a, b, c, d, e, length = json.loads(done.stdout)
    assert len(refused) == len(names) and all("is not a name for a file in a zip" in r for r in refused)
    assert [a, b, c, d, e, length] == ["A.jpg", "a-2.jpg", "a-2-2.jpg", "a-3.JPG", "b", 112]
