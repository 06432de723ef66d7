"""Every folder reader finds the classes in a project's `photos`, their counts, and nothing else."""
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from birdornot.clean import clean_images
from birdornot.download import download_images
from birdornot.exchange import write_croissant
from birdornot.export import export_model
from birdornot.probe import fit_probe, save_probe
from birdornot.project import layout_of
from birdornot.report import write_report
from birdornot.search import search_images
from birdornot.split import picture_files

WANTED = {"bird": 9, "forest": 8}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    "The photos of a project with all that a project has: originals, quarantine, training, model, report"
    where = tmp_path_factory.mktemp("readers")
    for k, (label, n) in enumerate(WANTED.items()):
        (where/"mine"/label).mkdir(parents=True)
        for i in range(n):
            squares = np.random.default_rng(100*k + i).integers(0, 256, (8, 10, 3), np.uint8)
            Image.fromarray(squares).resize((80, 64), Image.Resampling.NEAREST).save(where/"mine"/label/f"{i}.png")
        (where/"mine"/label/"broken.png").write_bytes((where/"mine"/label/"0.png").read_bytes()[:200])
    path = where/"bird_or_forest"
    for label in WANTED:
        download_images(path, search_images(label, n=99, source="folder", folder=where/"mine"), progress=False)
    clean_images(path, workers=1, progress=False)
    save_probe(probe := fit_probe(path, size=96))
    export_model(probe, layout_of(path).model)
    write_report(path, probe.result)
    write_croissant(path)
    assert {f.name for f in path.iterdir() if f.is_dir()} == {"photos", "originals", "quarantine", "training", "model"}
    assert Counter(f.parent.name for f in picture_files(path)) == WANTED
    return path/"photos"


@pytest.mark.fastai
def test_fastai_datablock(photos):
    from fastai.data.all import CategoryBlock, DataBlock, parent_label
    from fastai.vision.all import ImageBlock, RandomSplitter, Resize, get_image_files
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files, get_y=parent_label,
                      splitter=RandomSplitter(0.2, seed=42), item_tfms=Resize(32))
    dls = block.dataloaders(photos, bs=4, num_workers=0)
    assert list(dls.vocab) == list(WANTED) and len(dls.train_ds) + len(dls.valid_ds) == 17


@pytest.mark.fastai
def test_fastai_from_folder(photos):
    from fastai.vision.all import ImageDataLoaders, Resize
    dls = ImageDataLoaders.from_folder(photos, valid_pct=0.2, seed=42, item_tfms=Resize(32), bs=4, num_workers=0)
    assert list(dls.vocab) == list(WANTED)
    assert Counter(dls.vocab[int(y)] for ds in (dls.train_ds, dls.valid_ds) for _, y in ds) == WANTED


@pytest.mark.fastai
def test_torchvision(photos):
    from torchvision.datasets import ImageFolder
    found = ImageFolder(str(photos))
    assert found.classes == list(WANTED) and Counter(found.classes[y] for _, y in found.samples) == WANTED


@pytest.mark.fastai
def test_timm(photos):
    from timm.data import ImageDataset
    found = ImageDataset(str(photos))
    names = {i: name for name, i in found.reader.class_to_idx.items()}
    assert Counter(names[y] for _, y in found) == WANTED


@pytest.mark.slow
def test_hugging_face_datasets(photos, tmp_path):
    datasets = pytest.importorskip("datasets")
    found = datasets.load_dataset("imagefolder", data_dir=str(photos), cache_dir=str(tmp_path), split="train")
    names = found.features["label"].names
    assert names == list(WANTED) and Counter(names[y] for y in found["label"]) == WANTED


@pytest.mark.slow
def test_hugging_face_datasets_with_all_that_is_known(photos, tmp_path):
    datasets = pytest.importorskip("datasets")
    table = str(photos.parent/"metadata.csv")
    found = datasets.load_dataset("imagefolder", data_files=table, cache_dir=str(tmp_path), split="train")
    assert {"image", "label", "licence", "author", "page_url", "decision"} <= set(found.features)
    assert Counter(found["label"]) == WANTED and {im.mode for im in found["image"]} == {"RGB"}


def test_mlcroissant(photos):
    mlcroissant = pytest.importorskip("mlcroissant")
    found = mlcroissant.Dataset(str(photos.parent/"croissant.json"))  # raises where something is against the rules
    records = list(found.records("photos"))
    assert Counter(r["photos/label"].decode() for r in records) == WANTED
    for r in records:
        with Image.open(photos.parent/r["photos/file_name"].decode()) as im:
            assert (r["photos/image"].size, r["photos/decision"]) == (im.size, b"clean")
    pictures = list(found.records("pictures"))  # the broken ones, too: the list knows what was refused, and why
    assert len(pictures) == 17 + 2 and sum(r["pictures/status"] == "clean" for r in pictures) == 17


@pytest.mark.slow
def test_keras(photos):
    keras = pytest.importorskip("keras")
    found = keras.utils.image_dataset_from_directory(str(photos), image_size=(32, 32), batch_size=99, shuffle=False)
    ys = np.concatenate([np.asarray(y) for _, y in found])
    assert found.class_names == list(WANTED) and Counter(found.class_names[y] for y in ys) == WANTED


@pytest.mark.slow
def test_ultralytics(photos):
    pytest.importorskip("ultralytics")
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import ClassificationDataset
    found = ClassificationDataset(str(photos), get_cfg(overrides=dict(imgsz=32, cache=False)))
    names = found.base.classes
    assert names == list(WANTED) and Counter(names[s[1]] for s in found.samples) == WANTED
