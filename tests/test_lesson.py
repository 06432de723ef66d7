"""What lesson 1 types works on our objects too, each call as the lesson types it."""
import re
import time

import numpy as np
import pytest

pytestmark = pytest.mark.fastai


@pytest.fixture(scope="module")
def dls(tmp_path_factory):
    from birdornot.datablock import dataloaders
    from birdornot.sample import make_sample
    path = tmp_path_factory.mktemp("lesson")/"bird_or_forest"
    make_sample(path, n=20, kinds=("bird", "forest"), seed=3)
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
    from birdornot.learner import evaluate
    assert evaluate(learn).error == pytest.approx(learn.validate()[1], abs=1e-6)


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
    """Forty forests and twelve birds: a probe that always answered forest would be right three times in four."""
    from birdornot.datablock import dataloaders
    from birdornot.learner import evaluate, probe_learner, vision_learner
    from birdornot.sample import make_sample
    make_sample(tmp_path, n=40, kinds=("forest",), seed=3)
    make_sample(tmp_path, n=12, kinds=("bird",), seed=3)
    learn = vision_learner(dataloaders(tmp_path, size=128, valid_pct=0.33))
    probe_learner(learn)
    recall = {r["label"]: r["recall"] for r in evaluate(learn).per_class}
    assert recall.keys() == {"bird", "forest"} and min(recall.values()) >= 0.5


def test_why_prints_the_training_pictures_most_like_a_photo(tmp_path, capsys):
    from PIL import Image

    from birdornot.cli import main
    from birdornot.drawing import draw
    from birdornot.sample import make_sample
    make_sample(tmp_path/"set", n=6, kinds=("bird", "forest"), seed=3)
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
