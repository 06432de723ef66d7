"""What lesson 1 types works on our objects too, each call as the lesson types it; and its cells, word for word."""
import builtins
import inspect
import os
import re
import shutil
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = pytest.mark.fastai


@pytest.fixture(scope="module")
def dls(tmp_path_factory):
    from birdornot.datablock import dataloaders
    from birdornot.sample import make_sample
    path = tmp_path_factory.mktemp("lesson")/"bird_or_forest"
    make_sample(path, n=20, kinds=("bird", "forest"))
    return dataloaders(path, size=64)


@pytest.fixture(scope="module")
def learn(dls):
    import matplotlib
    matplotlib.use("agg")
    from birdornot.learner import vision_learner
    learn = vision_learner(dls)
    learn.fine_tune(1)
    return learn


def axes_with_pictures():
    from matplotlib import pyplot as plt
    shown = sum(bool(ax.images) for n in plt.get_fignums() for ax in plt.figure(n).axes)
    plt.close("all")
    return shown


def test_show_batch(dls):
    import matplotlib
    matplotlib.use("agg")
    dls.show_batch(max_n=4)
    assert axes_with_pictures() == 4


def test_fine_tune_has_moved_head_and_body(dls, learn):
    from birdornot.learner import vision_learner
    before = vision_learner(dls)
    assert not np.array_equal(before.model[1][-1].weight.detach().numpy(), learn.model[1][-1].weight.detach().numpy())
    pairs = zip(before.model[0].parameters(), learn.model[0].parameters())
    assert any(not np.array_equal(a.detach().numpy(), b.detach().numpy()) for a, b in pairs)
    assert len(learn.recorder.values) == 1


def test_predict_names_a_label_with_its_probability(dls, learn):
    label, number, probs = learn.predict(dls.valid_ds.items[0])
    assert label in dls.vocab and dls.vocab[int(number)] == label
    assert probs.sum() == pytest.approx(1, abs=1e-5) and int(probs.argmax()) == int(number)


def test_predict_takes_a_pillow_picture(learn):
    from fastai.vision.all import PILImage

    from birdornot.drawing import draw
    assert learn.predict(PILImage.create(np.array(draw("bird", 0))))[0] in learn.dls.vocab


def test_show_results(learn):
    learn.show_results(max_n=4)
    assert axes_with_pictures() == 4


def test_classification_interpretation(dls, learn):
    from fastai.interpret import ClassificationInterpretation
    interp = ClassificationInterpretation.from_learner(learn)
    assert interp.confusion_matrix().sum() == len(dls.valid_ds)
    interp.plot_confusion_matrix()
    assert axes_with_pictures() == 1
    interp.plot_top_losses(4)
    assert axes_with_pictures() == 4


def test_validate_agrees_with_evaluate(learn):
    from birdornot.learner import evaluate_learner
    assert evaluate_learner(learn).error == pytest.approx(learn.validate()[1], abs=1e-6)


def test_lr_find_leaves_the_weights_alone(learn):
    before = learn.model[1][-1].weight.detach().numpy().copy()
    assert learn.lr_find(num_it=5, show_plot=False).valley > 0
    assert np.array_equal(before, learn.model[1][-1].weight.detach().numpy())


def test_export_and_load_learner(dls, learn, tmp_path):
    from fastai.learner import load_learner
    learn.export(tmp_path/"learner.pkl")
    again = load_learner(tmp_path/"learner.pkl")
    assert again.predict(dls.valid_ds.items[0])[0] == learn.predict(dls.valid_ds.items[0])[0]


def test_a_backbone_is_a_function_or_a_name_and_means_the_same_wherever_it_goes(dls, tmp_path):
    "resnet18 the function is torchvision's, as in fastai; it was a crash, and as `arch=` it was exported as lite0"
    from torchvision.models import resnet18

    from birdornot.datablock import dataloaders
    from birdornot.embed import one_core_session
    from birdornot.learner import Fit, restore_learner, save_learner, vision_learner
    path = dls.train_ds.items[0].parents[1]
    learn = vision_learner(dataloaders(path, size=64), arch=resnet18, pretrained=False)
    assert learn.dls.after_batch.fs[-1].mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert learn.describe()["backbone"] == "torchvision:resnet18" and type(learn.model[0][0]).__name__ == "Conv2d"
    files = learn.valid_files[:4]
    part = learn.dls.valid
    pixels = np.stack([x.numpy() for x in part.before_batch([part.do_item(i)[0] for i in range(4)])])
    (tmp_path/"graph.onnx").write_bytes(learn.graph().SerializeToString())
    said = one_core_session(tmp_path/"graph.onnx").run(["logits"], {"pixels": pixels.astype(np.float32)/255})[0]
    assert np.allclose(said, learn.logits(files), atol=1e-3)
    save_learner(learn, path, Fit("finetune", "", 0.), seed=42)
    assert np.allclose(restore_learner(path).logits(files), learn.logits(files), atol=1e-5)


@pytest.mark.parametrize("arch", ["vit_tiny_patch16_224", "resnet18"])
def test_weights_that_cannot_be_had_leave_the_dataloaders_as_they_were(dls, monkeypatch, arch):
    "and the call that the refusal advises works"
    import torchvision
    from fastai.data.transforms import Normalize
    from huggingface_hub import constants

    from birdornot.datablock import dataloaders
    from birdornot.embed import WeightsUnavailable
    from birdornot.learner import vision_learner
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "/nowhere")
    fresh = dataloaders(dls.train_ds.items[0].parents[1], size=64)
    if arch == "resnet18":
        arch = torchvision.models.resnet18
        weights = torchvision.models.ResNet18_Weights.DEFAULT.value
        monkeypatch.setattr(weights, "url", "http://127.0.0.1:9/0.pth")
    start = time.monotonic()
    with pytest.raises(WeightsUnavailable, match="could not be fetched") as refused: vision_learner(fresh, arch)
    assert time.monotonic() - start < 5
    assert not [f for f in fresh.after_batch.fs if isinstance(f, Normalize)]
    call = re.search(r"type (vision_learner\(.*?\))", str(refused.value))[1]
    assert eval(call, dict(vision_learner=vision_learner, dls=fresh)).backbone == "tf_efficientnet_lite0"


def test_imbalanced_classes_each_have_their_say(tmp_path):
    """Thirty forests and ten birds: a probe that always answered forest would be right three times in four."""
    from birdornot.datablock import dataloaders
    from birdornot.learner import evaluate_learner, probe_learner, vision_learner
    from birdornot.sample import make_sample
    make_sample(tmp_path, n=30, kinds=("forest",), seed=7)  # drawn for the chapter on drift as well
    make_sample(tmp_path, n=10, kinds=("bird",), seed=7)
    learn = vision_learner(dataloaders(tmp_path, size=128, valid_pct=0.33))
    probe_learner(learn)
    recall = {r["label"]: r["recall"] for r in evaluate_learner(learn).per_class}
    assert recall.keys() == {"bird", "forest"} and min(recall.values()) >= 0.5


def test_why_prints_the_training_pictures_most_like_a_photo(tmp_path, capsys):
    from PIL import Image

    from birdornot.cli import main
    from birdornot.drawing import draw
    from birdornot.sample import make_sample
    make_sample(tmp_path/"set", n=6, kinds=("bird", "forest"))
    draw("bird", 40).save(tmp_path/"photo.jpg")
    assert main(["why", str(tmp_path/"set"), str(tmp_path/"photo.jpg"),
                 "--k", "3", "--out", str(tmp_path/"why.jpg")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(Image.open(line.split("  ")[2]) for line in lines)
    assert [line[:4] for line in lines] == sorted((line[:4] for line in lines), reverse=True)
    assert Image.open(tmp_path/"why.jpg").width > 400


def test_too_short_a_time_gives_the_probe_and_says_so(dls, tmp_path, capsys):
    "Whatever way was asked for; the second run takes it up, and nothing of it needed the whole network"
    from birdornot.make import train
    photos = dls.train_ds.items[0].parents[1]
    asked = dict(how="finetune", size=64, minutes=0.001, out=tmp_path/"project")
    trained = train(photos, **asked)
    said = capsys.readouterr().err
    assert type(trained).__name__ == "Probe" and "0.001 minutes are too short for a single epoch of finetune" in said
    assert "instead of 0.001; nothing is shorter than a probe" in said
    train(photos, **asked)
    assert "the probe of the last run is taken" in capsys.readouterr().err


# Lesson 1's own notebook. Its text is not ours; where it is not at hand, the same calls stand in for it.

CELLS = """# %%
urls = search_images("bird", max_images=1)
# %%
from fastdownload import download_url
download_url(urls[0], "bird.jpg", show_progress=False)
from fastai.vision.all import *
Image.open("bird.jpg").to_thumb(64, 64)
# %%
path = Path("bird_or_not")
for o in ("forest", "bird"):
    (path/o).mkdir(exist_ok=True, parents=True)
    download_images(path/o, urls=search_images(f"{o} photo"))
    resize_images(path/o, max_size=400, dest=path/o)
# %%
failed = verify_images(get_image_files(path))
failed.map(Path.unlink)
# %%
dls = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files,
                splitter=RandomSplitter(valid_pct=0.2, seed=42), get_y=parent_label,
                item_tfms=[Resize(224, method="squish")]).dataloaders(path)
dls.show_batch()
# %%
learn = vision_learner(dls, "vit_tiny_patch16_224", metrics=error_rate)
learn.fine_tune(10)
"""
HITS = 45  # of each word, where the lesson's web has 200: enough for a whole batch of 64


def cells():
    "The lesson's cells"
    beside = [p/"shared"/"lesson_one.py" for p in Path(__file__).parents]
    text = next((f.read_text(encoding="utf-8") for f in beside if f.exists()), CELLS)
    return [c for c in re.split("(?m)^# %%", text)[1:] if c.strip()]


def briefly():
    "A callback that ends each fit after a batch of four pictures: what is trained is not asked here"
    from fastai.callback.core import Callback, CancelFitException

    class Briefly(Callback):
        def before_batch(self):
            if self.training: self.learn.xb, self.learn.yb = (tuple(x[:4] for x in b) for b in (self.xb, self.yb))

        def after_batch(self):
            if self.training: raise CancelFitException
    return Briefly


@pytest.fixture(scope="module")
def lesson_run(tmp_path_factory):
    "Function that runs the cells but the last, plain or patched, in a folder of its own; → their names"
    import fastprogress.fastprogress as bars
    import matplotlib
    from fastai.learner import defaults
    matplotlib.use("agg")
    patch, home, ran = pytest.MonkeyPatch(), os.getcwd(), {}
    patch.setenv("BIRDORNOT_SOURCE", "sample")
    patch.setattr(defaults, "cpus", 0)  # DataLoaders without processes
    patch.setattr(bars, "NO_BAR", True)
    if "slow" not in os.environ.get("BIRDORNOT_FLAGS", ""):
        patch.setattr(defaults, "callbacks", [*defaults.callbacks, briefly()])

    def run(front):
        if front in ran: return ran[front]
        names = {}
        os.chdir(tmp_path_factory.mktemp("lesson"))
        exec(front, names)
        search = names["search_images"]
        names["search_images"] = lambda term, max_images=HITS: search(term, max_images)
        try:
            for cell in cells()[:-1]: exec(cell, names)
        finally: names["unpatch_fastai"]()
        names["here"] = Path.cwd()
        os.chdir(home)
        return ran.setdefault(front, names)
    yield run
    os.chdir(home)
    patch.undo()


PLAIN, PATCHED = "from birdornot.lesson import *", "from birdornot.lesson import *; patch_fastai()"


def last_cell(names, was, now, front):
    "Run the last cell with `now` in place of `was`"
    from birdornot import lesson
    home = os.getcwd()
    os.chdir(names["here"])
    if front == PATCHED: lesson.patch_fastai()
    try: exec(cells()[-1].replace(f'"{was}"', now), names)
    finally:
        lesson.unpatch_fastai()
        os.chdir(home)


def test_the_lesson_runs_cell_for_cell(lesson_run):
    "fastai's own functions, on addresses that know their hit; the backbone with its packaged weights"
    from fastai.vision import learner, utils

    from birdornot.backbone import packaged_weights
    from birdornot.embed import as_tensors
    names = lesson_run(PLAIN)
    assert names["download_images"] is utils.download_images and names["vision_learner"] is learner.vision_learner
    assert type(names["urls"]).__name__ == "L" and isinstance(names["urls"][0], str) and names["urls"][0].hit.licence
    assert len(names["failed"]) > 0  # what is cut off, or no picture, has come as it is
    assert len(names["get_image_files"](names["here"]/"bird_or_not")) + len(names["failed"]) == 2*HITS
    names["weights"] = dict(state_dict=as_tensors(packaged_weights()))
    last_cell(names, "vit_tiny_patch16_224", '"tf_efficientnet_lite0", pretrained_cfg_overlay=weights', PLAIN)
    assert names["learn"].dls.vocab == ["bird", "forest"] and names["learn"].opt is not None


def test_the_patched_lesson_runs_cell_for_cell_and_loses_nothing(lesson_run, monkeypatch):
    from huggingface_hub import constants

    from birdornot.embed import WeightsUnavailable
    from birdornot.ledger import Ledger
    from birdornot.split import picture_files
    names = lesson_run(PATCHED)
    path = names["here"]/"bird_or_not"
    assert names["download_images"].__module__ == "birdornot.lesson" and len(names["failed"]) == 0
    with Ledger(path) as ledger:
        rows = ledger.rows()
        good = [ledger.locate(r["file"]) for r in rows if r["status"] == "clean"]
    assert len(rows) == 2*HITS and all(r["reason"] for r in rows if r["status"] != "clean") and len(good) < 2*HITS
    assert {f.resolve() for f in good} == {f.resolve() for f in picture_files(path)}
    assert {r["licence"] for r in rows} == {"CC0 1.0"}
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "/nowhere")
    start = time.monotonic()
    with pytest.raises(WeightsUnavailable) as refused: last_cell(names, "", "", PATCHED)
    assert time.monotonic() - start < 5
    call = re.search(r"type vision_learner\(dls, ('.*?')\)", str(refused.value))[1]
    last_cell(names, "vit_tiny_patch16_224", call, PATCHED)
    assert names["learn"].backbone == "tf_efficientnet_lite0"


@pytest.mark.net
@pytest.mark.parametrize("front", [PLAIN, PATCHED])
def test_the_lessons_own_backbone(lesson_run, front):
    last_cell(names := lesson_run(front), "", "", front)
    assert type(names["learn"].model[0].model).__name__ == "VisionTransformer"


def cleaner_of(learn, monkeypatch):
    "fastbook's cleaner with two decisions made in it; where ipywidgets is not installed, the decisions alone"
    files = [f for f in learn.dls.train_ds.items if f.parent.name == "bird"]
    if not find_spec("ipywidgets"):
        return SimpleNamespace(fns=files, delete=lambda: [0], change=lambda: [(1, "forest")])
    from fastai.vision.widgets import ImageClassifierCleaner
    monkeypatch.setattr(builtins, "display", lambda *args: None, raising=False)  # a notebook has it
    cleaner = ImageClassifierCleaner(learn, max_n=4)
    for box, said in zip(cleaner.iw.widget.children, ("<Delete>", "forest")): box.children[1].value = said
    return cleaner


def test_the_way_of_the_book(lesson_run, tmp_path, monkeypatch, capsys):
    "Deleted pictures stay away, moved ones have their new label, and the learner is exported and loaded"
    names = lesson_run(PATCHED)
    monkeypatch.chdir(names["here"])
    last_cell(names, "vit_tiny_patch16_224", '"tf_efficientnet_lite0"', PATCHED)
    path, learn = names["path"], names["learn"]
    cleaner = cleaner_of(learn, monkeypatch)
    (gone,), ((moved, label),) = [list(cleaner.delete()), list(cleaner.change())]
    for idx in cleaner.delete(): cleaner.fns[idx].unlink()
    for idx, cat in cleaner.change(): shutil.move(str(cleaner.fns[idx]), path/cat)
    capsys.readouterr()
    exec("patch_fastai()\ndownload_images(path/'bird', urls=search_images('bird photo'))\nunpatch_fastai()", names)
    assert "2 × deleted or moved by hand" in capsys.readouterr().err
    assert not cleaner.fns[gone].exists() and not cleaner.fns[moved].exists() and label == "forest"
    assert (path/"forest"/cleaner.fns[moved].name).exists()
    exec(cells()[-2], names)
    items = [*names["dls"].train_ds.items, *names["dls"].valid_ds.items]
    assert names["path"]/"forest"/cleaner.fns[moved].name in items and len(items) == len(learn.dls.train_ds.items
                                                                                        + learn.dls.valid_ds.items) - 1
    learn.export(tmp_path/"export.pkl")
    again = names["load_learner"](tmp_path/"export.pkl")
    assert again.predict(items[0])[0] in again.dls.vocab == ["bird", "forest"]


def test_our_functions_take_what_fastais_take():
    "Positions, names and defaults"
    import fastdownload
    from fastai.vision import learner, utils

    from birdornot import lesson
    for theirs in (utils.download_images, utils.verify_image, utils.verify_images, utils.resize_image,
                   utils.resize_images, fastdownload.download_url):
        ours = inspect.signature(getattr(lesson, theirs.__name__))
        theirs = inspect.signature(theirs).parameters.values()
        assert [p.name for p in ours.parameters.values()] == [p.name for p in theirs]
        differ = {p.name for p in theirs if ours.parameters[p.name].default != p.default}
        assert differ <= {"max_workers"}, differ  # as many as cores: fastai's own number depends on where it runs
    mine, theirs = (list(inspect.signature(m.vision_learner).parameters.values()) for m in (lesson, learner))
    assert [(p.name, p.default) for p in mine[:6]] == [(p.name, p.default) for p in theirs[:6]]


def test_what_fastais_functions_lose_is_kept_and_said(tmp_path, monkeypatch, capsys):
    "The end of an address, a file made to fill the memory, an address in the own network"
    from roughpictures import png_chunk

    from birdornot import lesson
    from birdornot.ledger import Ledger
    monkeypatch.setenv("BIRDORNOT_SOURCE", "sample")
    urls = [f"{lesson.search_images('bird', 1)[0]}?id=7&size=large", "http://127.0.0.1:9/secret.jpg"]
    assert lesson.download_images(tmp_path/"set"/"bird", urls=urls) is None
    with Ledger(tmp_path/"set") as ledger: rows = {r["image_url"]: (r["status"], r["reason"]) for r in ledger.rows()}
    assert rows[urls[0]] == ("clean", "") and rows[urls[1]][0] == "failed" and "private" in rows[urls[1]][1]
    head = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", (60_000).to_bytes(4)*2 + b"\x08\x02\0\0\0")
    (tmp_path/"bomb.png").write_bytes(head + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""))
    capsys.readouterr()
    assert lesson.verify_images([tmp_path/"bomb.png"]) == [tmp_path/"bomb.png"]
    assert re.search("1 of 1 file cannot be opened: bomb.png .*60000×60000", capsys.readouterr().err)
