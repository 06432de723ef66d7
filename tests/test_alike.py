"""Alike is not the same: what is a copy, what is only like it, and what one camera took at one place."""
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from birdornot.clean import clean_images
from birdornot.cli import main
from birdornot.core import BirdornotError, DatasetError
from birdornot.download import download_images
from birdornot.duplicates import connected, look_alikes, perceptual_hashes, star_groups
from birdornot.embed import Embedder
from birdornot.hits import Hit
from birdornot.ledger import Ledger
from birdornot.picture import open_upright
from birdornot.report import write_report
from birdornot.split import check_classes, join_alike, split_files, stratified_folds

COLOURS = ("#c81e1e", "#1e3cc8", "#148c3c", "#f0c814", "#141414", "#9650c8", "#fa7814", "#784628")


def saved(img, quality=90, **kwargs):
    img.save(out := io.BytesIO(), "JPEG", quality=quality, **kwargs)
    return out.getvalue()


def scene(i, size=(240, 180)):
    "Noise with a little structure: no two look alike"
    small = np.random.default_rng(i).integers(0, 255, (9, 9, 3), "uint8")
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def frame(closed, i, exposure=(.45, 1.25)):
    "What a fixed camera sees of a gate: daylight, white balance and noise differ"
    img, rng = scene(99), np.random.default_rng(i + 1000*closed)
    img.paste((150, 120, 90) if closed else (40, 60, 40), (75, 52, 165, 158))
    pixels = np.asarray(img)*rng.uniform(*exposure)*rng.uniform(.9, 1.1, 3)
    pixels = pixels + rng.normal(0, rng.uniform(2, 12), pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def thing(i, size=(240, 180)):
    "A thing on a white ground, of 8 shapes and 8 colours"
    img = Image.new("RGB", size, "white")
    pen, (x, y), colour, r = ImageDraw.Draw(img), (size[0]//2, size[1]//2), COLOURS[(3*i + i//8) % 8], 20 + 7*i % 40
    box, corners = (x - r, y - r, x + r, y + r), (None, None, 3, 4, 5, 6, 0, 0)[i % 8]
    if corners: pen.regular_polygon((x, y, r), corners, fill=colour, rotation=10*i % 45)
    elif i % 8 == 0: pen.ellipse(box, fill=colour)
    elif i % 8 == 1: pen.ellipse(box, outline=colour, width=r//3)
    elif i % 8 == 6: pen.rectangle((x - r, y - r//4, x + r, y + r//4), fill=colour)
    else: pen.rectangle((x - r//4, y - r, x + r//4, y + r), fill=colour)
    return img


def copies(img):
    w, h = img.size
    return dict(q60=img, q30=img, half=img.resize((w//2, h//2)), mirrored=ImageOps.mirror(img),
                brighter=ImageEnhance.Brightness(img).enhance(1.2), darker=ImageEnhance.Brightness(img).enhance(.8),
                grey=img.convert("L").convert("RGB"), cropped=img.crop((w//40, h//40, w - w//40, h - h//40)))


def dataset(tmp_path, files, times=None):
    "The files, (label, name) → picture, downloaded into a dataset folder"
    hits, exif = [], Image.Exif()
    for (label, name), img in files.items():
        f = tmp_path/"raw"/label/f"{name}.jpg"
        f.parent.mkdir(parents=True, exist_ok=True)
        if times: exif.get_ifd(0x8769)[0x9003] = times[label, name]
        f.write_bytes(saved(img, 30 if name.endswith("q30") else 60 if name.endswith("q60") else 90, exif=exif))
        hits.append(Hit(label, f.as_uri(), title=name, source="folder"))
    download_images(tmp_path/"set", hits, progress=False)
    return tmp_path/"set"


def hashed(pictures): return [perceptual_hashes(p) for p in pictures]


def gate(n=12, **kwargs): return {(k, f"{i}"): frame(k == "closed", i, **kwargs) for k in ("open", "closed")
                                  for i in range(n)}


def runs(rows, key):
    "How often the group changes in each class when its pictures are in order"
    out = {}
    for label in {r["label"] for r in rows}:
        groups = [r["dup_group"] for r in sorted((r for r in rows if r["label"] == label), key=key)]
        out[label] = len(set(groups)), 1 + sum(a != b for a, b in zip(groups, groups[1:]))
    return out


# ---- one place, one camera

@pytest.mark.parametrize("light", [(.45, 1.25), (1, 1.001)], ids=["daylight", "indoors"])
def test_a_fixed_camera_is_a_session_split_by_blocks(tmp_path, light):
    dest = dataset(tmp_path, gate(exposure=light))
    report = clean_images(dest, progress=False)
    assert report.sessions == dict(open=12, closed=12) and not report.conflicts and not report.look_alikes
    assert {r["group_kind"] for r in report.rows} == {"session"}
    assert runs(report.rows, lambda r: int(r["title"])) == dict(open=(6, 6), closed=(6, 6))
    assert "12 pictures of closed and 12 pictures of open come from one place and camera" in repr(report)
    assert "near=0" in repr(report)
    files, labels, train, valid = split_files(dest)
    assert len({labels[i] for i in valid}) == 2 and len(train) + len(valid) == 24
    assert "one place and camera" in write_report(dest).read_text(encoding="utf-8")
    again = clean_images(dest, progress=False)
    assert [r["dup_group"] for r in again.rows] == [r["dup_group"] for r in report.rows]


def test_the_blocks_of_a_session_follow_the_time_that_the_camera_wrote(tmp_path):
    frames = gate()
    minutes = dict(zip(frames, [5*i % 12 for i in range(12)]*2))
    times = {k: f"2024:05:01 12:{m:02}:00" for k, m in minutes.items()}
    report = clean_images(dataset(tmp_path, frames, times), progress=False)
    assert runs(report.rows, lambda r: minutes[r["label"], r["title"]]) == dict(open=(6, 6), closed=(6, 6))


def test_a_burst_and_copies_of_a_web_photo_are_no_session(tmp_path):
    burst = {("a", f"burst{i}"): frame(False, i) for i in range(10)}
    others = {(k, f"{k}{i}"): scene(i + 50*(k == "b")) for k in ("a", "b") for i in range(11)}
    report = clean_images(dataset(tmp_path, burst | others), progress=False)
    assert report.sessions == {} and [len(g) for g in report.look_alikes] == [10]
    assert {r["group_kind"] for r in report.rows} == {"copy"}


def test_the_whole_way_with_a_fixed_camera_warns_in_the_model_card(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for (label, name), img in gate().items():
        (tmp_path/"raw"/label).mkdir(parents=True, exist_ok=True)
        img.save(tmp_path/"raw"/label/f"{name}.jpg", quality=90)
    assert main(["make", "open", "closed", "--folder", "raw", "--out", "gate"]) == 0
    card = (tmp_path/"gate"/"model"/"MODEL_CARD.md").read_text(encoding="utf-8")
    assert "12 pictures of closed and 12 pictures of open come from one place and camera" in card
    assert "one place and camera" in capsys.readouterr().err


# ---- likeness sees grounds and colours, and does not chain

def test_things_on_a_white_ground_are_not_one_picture():
    assert len(set(look_alikes(hashed(thing(i) for i in range(40))))) >= 37


def test_two_classes_that_differ_by_colour_only_are_two(tmp_path):
    def shape(i, colour):
        img = Image.new("RGB", (240, 180), "white")
        ImageDraw.Draw(img).regular_polygon((120, 90, 40 + 5*i), 3 + i, fill=colour)
        return img
    files = {(k, f"{i}"): shape(i, k) for k in ("red", "blue") for i in range(6)}
    report = clean_images(dataset(tmp_path, files), progress=False)
    assert not report.conflicts and len({r["dup_group"] for r in report.rows}) >= 10


def test_two_colours_of_one_luminance_differ_even_if_there_is_no_ground():
    red, green = ImageOps.grayscale(scene(1)), (1, .55)
    tinted = [Image.merge("RGB", [red.point(lambda v, k=k: int(v*k)) for k in ks])
              for ks in ((green[0], .2, .2), (.2, green[1], .2))]
    assert look_alikes(hashed(tinted)) == [0, 1]


@pytest.mark.parametrize("make", [scene, thing], ids=["photo", "on white"])
def test_copies_are_found_as_before(make):
    for i in range(4):
        img = make(i)
        kin = [img, *copies(img).values()]
        assert set(look_alikes(hashed(kin))) == {0}, i


@pytest.mark.parametrize(("n", "m"), [(1, 0), (5, 3), (1000, 900), (1000, 3000), (50_000, 50_000)])
def test_groups_of_copies_are_the_parts_of_a_graph(n, m):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    for pairs in (np.random.default_rng(m).integers(0, n, (m, 2)), np.stack([np.arange(n - 1), np.arange(1, n)], 1)):
        part = connected_components(coo_array((np.ones(len(pairs)), tuple(pairs.T)), (n, n)), directed=False)[1]
        assert (connected(n, pairs) == np.unique(part, return_index=True)[1][part]).all()


def test_likeness_does_not_chain():
    pairs = np.array([[i, i + 1] for i in range(99)])
    assert max(np.bincount(star_groups(100, pairs))) == 3
    steps = [sum(1 << b for b in range(40*i, 40*i + 60)) % (1 << 256) for i in range(6)]
    rows = [dict(phash=f"{s:064x}", phash_mirror=f"{s ^ (1 << 256) - 1:064x}") for s in steps]
    apart = [(steps[0] ^ s).bit_count() for s in steps]
    groups = look_alikes(rows, most=80)
    assert max(apart) > 80 and len(set(groups)) > 1
    for i, g in enumerate(groups): assert (steps[i] ^ steps[g]).bit_count() <= 160


# ---- the limit is an option

def test_near_0_takes_each_picture_by_itself(tmp_path, capsys):
    dest = dataset(tmp_path, {("a", name): img for name, img in copies(scene(1)).items()})
    assert len({r["dup_group"] for r in clean_images(dest, progress=False).rows}) == 1
    report = clean_images(dest, near=0, progress=False)
    assert not report.look_alikes and not report.sessions and len({r["dup_group"] for r in report.rows}) == 8
    assert main(["clean", str(dest)]) == 0 and "8 clean ones look alike" in capsys.readouterr().err
    assert main(["clean", str(dest), "--near", "0"]) == 0 and "look alike" not in capsys.readouterr().err
    with pytest.raises(BirdornotError, match="near is -1; give a number of bits from 0 to 128"):
        clean_images(dest, near=-1)
    assert main(["make", "a", "b", "--near", "300", "--out", str(tmp_path/"new")]) == 1
    assert "near is 300" in capsys.readouterr().err and not (tmp_path/"new").exists()


def test_too_few_pictures_name_a_remedy_that_works():
    with pytest.raises(DatasetError, match="clean with near=0 if none is a copy"):
        check_classes(["a"]*9 + ["b"]*9, [*range(9)] + ["x"]*9)


def test_a_ledger_of_before_is_looked_at_again(tmp_path):
    dest = dataset(tmp_path, {("a", f"{i}"): thing(i) for i in range(8)})
    clean_images(dest, progress=False)
    with Ledger(dest) as ledger:
        for r in ledger.rows(): ledger.update(r["id"], thumb=None, group_kind=None, dup_group=1)
    report = clean_images(dest, progress=False)
    assert report.done == 8 and all(r["thumb"] for r in report.rows) and len({r["dup_group"] for r in report.rows}) == 8
    assert clean_images(dest, progress=False).done == 0


# ---- millions of pictures are grouped in the same way

def test_scale_groups_as_clean_does(tmp_path):
    "A fixed camera is a session in blocks, things on a white ground are no copies, copies are"
    pa = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    from birdornot.scale import count_near, near_duplicates
    pictures = gate() | {("a", f"{i}"): thing(i) for i in range(8)} | {("b", f"{i}"): scene(i) for i in range(9)}
    pictures |= {("b", name): img for name, img in copies(scene(5)).items()}
    rows = [dict(row=i, label=label, image_url=f"https://a.b/{name}.jpg", status="clean", width=img.width,
                 height=img.height, **perceptual_hashes(img))
            for i, ((label, name), img) in enumerate(pictures.items())]
    (tmp_path/"run.json").write_text(json.dumps(dict(rows=len(rows), shard=len(rows))), encoding="utf-8")
    (tmp_path/"done").mkdir()
    pa.write_table(pyarrow.Table.from_pylist(rows), tmp_path/"done"/"000000.parquet")
    t = near_duplicates(tmp_path, workers=1, progress=False).merge(pyarrow.Table.from_pylist(rows).to_pandas())
    gates = t[t.label.isin(["open", "closed"])]
    assert set(gates.group_kind) == {"session"} and gates.groupby("label").group.nunique().tolist() == [6, 6]
    assert set(t[t.group_kind == "session"].label) == {"open", "closed"}
    assert t[t.label == "a"].group.nunique() == 8
    assert t[t.label == "b"].group.nunique() == 9  # all copies are with the one picture that they are of
    assert "24 come from one place and camera" in count_near(tmp_path, workers=1, progress=False)


# ---- copies that the hash misses, by their embeddings

PHOTOS = sorted((Path(__file__).parents[2]/"shared"/"photos").rglob("*.jpg"))
with_photos = pytest.mark.skipif(not PHOTOS, reason="no folder of photos beside this one")


@pytest.fixture(scope="module")
def embedded():
    "Forty photos of different things, and their embeddings"
    photos = [open_upright(f, max_size=400).convert("RGB") for f in PHOTOS[::4]]
    return photos, Embedder()(photos)


def cut(im, how):
    "A picture that holds most of another one, or all of it"
    w, h = im.size
    s = min(w, h, int(.9*max(w, h)))
    if how == "crop": return im.crop((w//20, h//20, w - w//20, h - h//20))
    if how == "square": return im.crop(((w - s)//2, (h - s)//2, (w + s)//2, (h + s)//2))
    return ImageOps.expand(im, (w//10, h//10), "white")


@with_photos
@pytest.mark.parametrize("how, most", [("crop", 13), ("square", 13), ("frame", 8)])
def test_what_was_cut_stays_with_its_photo(embedded, how, most):
    photos, x = embedded
    copies = [cut(im, how) for im in photos[:15]]
    hashed = look_alikes([perceptual_hashes(im) for im in photos + copies])
    labels = [("bird", "other")[i % 2] for i in [*range(40), *range(15)]]
    groups = join_alike(np.concatenate([x, Embedder()(copies)]), labels, [f"{i:02}" for i in range(55)])
    found = [groups[40 + i] == groups[i] for i in range(15)]
    assert sum(found) >= most > sum(hashed[40 + i] == hashed[i] for i in range(15))
    assert len(set(groups)) == 55 - sum(found)  # and nothing else was joined
    folds = stratified_folds(labels, groups)
    assert all(folds[40 + i] == folds[i] for i in range(15) if found[i])


@with_photos
def test_different_photos_and_frames_of_one_camera_are_left_alone(embedded):
    photos, x = embedded
    names = [f"{i:02}" for i in range(80)]
    assert join_alike(x, ["bird", "other"]*20, names[:40]) == names[:40]
    rng, frames = np.random.default_rng(0), []
    for i in range(40):
        im, guest = photos[25].resize((320, 240)), photos[i].copy()
        guest.thumbnail((90, 90))
        if i % 2: im.paste(guest, tuple(int(v) for v in rng.uniform(0, (220, 140))))
        frames.append(ImageEnhance.Brightness(im).enhance(rng.uniform(.5, 1.2)))
    y = np.concatenate([x, Embedder()(frames)])
    z = (y - y.mean(0))/y.std(0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    assert ((z[40:] @ z[40:].T > .75).sum(1) > 1).mean() > .5  # by the cosine alone, most frames would be joined
    assert join_alike(y, ["bird", "other"]*40, names) == names
