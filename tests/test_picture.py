"""The zoo: each kind of file is shown as a viewer shows it, or refused for the true reason, by every way in."""
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tinymodel
from PIL import Image
from roughpictures import REFUSED, SHOWN, UPRIGHT, film, grey, jpeg_of_size, noise, png_chunk, saved, scene

from birdornot.clean import clean_images, examine_picture
from birdornot.core import PICTURE_SUFFIXES, BirdornotError
from birdornot.download import download_images
from birdornot.hits import Hit
from birdornot.ledger import Ledger
from birdornot.picture import BadPicture, cut_out, decode_upright, find_pictures, left_out_line, open_upright
from birdornot.predict import Classifier, find_photos

OTHER = re.compile(r"(\d+)×(\d+)|stripes|palette")  # in the name of a picture that is not the whole scene


def small(im):
    "A picture's greys, coarse enough for a dithered one to be like the others"
    return np.asarray(im.convert("L").resize((20, 15), Image.Resampling.BOX), float).ravel()


def alike(im, other): return np.corrcoef(small(im), small(other))[0, 1]


@pytest.mark.parametrize("name", SHOWN)
def test_a_sound_picture_is_shown(name):
    "Threat: a refusal that is not true"
    im, size, _ = decode_upright(SHOWN[name](), 400)
    want = tuple(map(int, said.groups())) if (said := OTHER.search(name)) and said[1] else (320, 240)
    assert (im.mode, size, im.info) == ("RGB", want, {})
    if not OTHER.search(name): assert im.size == size and alike(im, scene()) > .96


@pytest.mark.parametrize("name", UPRIGHT)
def test_a_picture_held_sideways_is_upright(name):
    im, size, _ = decode_upright(UPRIGHT[name](), None)
    assert size == im.size == (320, 240) and alike(im, scene()) > .99


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_true(name):
    "Threat: a refusal that is not true"
    make, why = REFUSED[name]
    with pytest.raises(BadPicture) as e: open_upright(make(), 400)
    assert re.search(why, str(e.value)) and 4 < len(str(e.value)) < 130
    assert not re.search(r"\w(Error|Exception)\b|\n", str(e.value))


def test_what_follows_or_precedes_a_picture_changes_nothing():
    plain, motion = (open_upright(d) for d in (saved(scene()), saved(scene()) + film()))
    assert film().count(b"\xff\xda") > 100 and plain.tobytes() == motion.tobytes()
    assert open_upright(saved(scene())[:-2]).tobytes() == plain.tobytes()


def test_each_length_of_a_cut_jpeg():
    """Threat: truncated files accepted.

    A file that is cut anywhere is whole or refused; whole are at most the last bytes."""
    for kwargs in dict(), dict(progressive=True), dict(restart_marker_rows=1), dict(restart_marker_blocks=3):
        data, good = saved(scene((64, 48)), **kwargs), []
        for n in (*range(1, 60), *range(60, len(data) - 20, 7)):
            try: open_upright(data[:-n])
            except BadPicture as e: assert "cut off" in str(e)
            else: good.append(n)
        assert [1, 2] == good[:2] and max(good) <= 4, (kwargs, good)


def test_greys_of_few_levels_are_spread_the_same_for_all_pictures_of_a_camera():
    dark, light = (open_upright(saved(grey(0, top), "PNG")) for top in (2000, 4000))
    assert abs(np.asarray(light).mean()/np.asarray(dark).mean() - 2) < .05
    assert np.asarray(open_upright(saved(grey(0, 1023), "PNG"))).max() == 255


def test_a_broken_exif_block_is_no_concern_of_the_user(tmp_path, recwarn):
    "Pillow's complaints were printed while a dataset was made"
    from birdornot.picture import camera_facts
    kinds = [make for name, make in SHOWN.items() if "EXIF" in name or "TIFF" in name or "200 megapixels" in name]
    for i, make in enumerate((*kinds, *UPRIGHT.values())):
        (tmp_path/f"{i}.jpg").write_bytes(make())
        assert len(camera_facts(tmp_path/f"{i}.jpg")) == 2
    assert not [w for w in recwarn if w.category is not ResourceWarning]  # those are of files that others left open


def test_colours_of_few_levels_are_spread_as_greys_are():
    from roughpictures import deep, deep_png, deep_tiff
    want = np.asarray(scene()).astype(int)
    for top in (255, 1023, 4095, 65535):
        kinds = dict(png=deep_png(deep(top)), clear=deep_png(deep(top, clear=True)), tiff=deep_tiff(deep(top)),
                     order=deep_tiff(deep(top), ">"), packed=deep_tiff(deep(top), packed=True))
        for kind, data in kinds.items():
            assert np.abs(np.asarray(open_upright(data)).astype(int) - want).max() <= 1, (top, kind)
    grey = np.asarray(scene().convert("L")).astype(int)
    got = np.asarray(open_upright(deep_png(deep(1023, 1, clear=True)))).astype(int)
    assert np.abs(got - grey[..., None]).max() <= 1
    with pytest.raises(BadPicture, match="takes about") as e: decode_upright(deep_png(deep(4095)), 400, megabytes=1)
    assert e.value.option == "megabytes=10"


def test_what_a_camera_wrote_is_read_within_the_limits(monkeypatch):
    "Cleaning asks for it of every picture of a session, hostile ones among them"
    from roughpictures import jpeg_with, tiff_with

    from birdornot import picture
    from birdornot.picture import camera_facts
    monkeypatch.setattr(picture.Image, "open", lambda *a, **k: pytest.fail("opened past the limits"))
    exif, (edited, shot) = Image.Exif(), ("2024:05:02 08:00:00", "2024:05:01 12:30:00")
    exif[0x0132], exif[0x0110], exif.get_ifd(0x8769)[0x9003] = edited, "K1", shot
    for kind in ("JPEG", "PNG", "WEBP", "AVIF"):
        assert camera_facts(saved(scene(), kind, exif=exif)) == (shot, "K1"), kind
    assert camera_facts(saved(scene(), "TIFF", exif=exif)) == (edited, "K1")  # all that Pillow writes
    assert camera_facts(saved(scene(), exif=exif) + film()) == (shot, "K1")
    for make in (*SHOWN.values(), *(m for m, _ in REFUSED.values())): assert len(camera_facts(make())) == 2
    round_and_round = b"II*\0\x08\0\0\0" + b"\1\0" + b"\x69\x87\4\0\1\0\0\0\x08\0\0\0" + bytes(4)
    assert camera_facts(jpeg_with(0xE1, b"Exif\0\0" + round_and_round)) == ("", "")
    assert camera_facts(tiff_with((0x8769, 4, 1, 4_000_000_000))) == ("", "")


def test_heic_is_read_or_says_how(tmp_path, monkeypatch):
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = saved(scene(), "HEIF", quality=90)
    assert alike(open_upright(data), scene()) > .98
    from birdornot.picture import heif_plugin
    heif_plugin.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(BadPicture, match="pip install pillow-heif, or save it as JPEG") as e: open_upright(data)
    assert e.value.retry
    monkeypatch.undo()
    assert open_upright(data).size == (320, 240)


# ---- limits

def test_each_limit_can_be_raised_and_its_message_names_the_option():
    "Threat: a refusal that is not true"
    huge = jpeg_of_size(16320, 12240, progressive=True)
    said = examine_picture(huge)[1]
    mb = re.search(r"more than 500; save it smaller, or allow it: megabytes=(\d+)$", said["reason"])[1]
    assert said["retry"] == 1
    from birdornot.picture import _check_cut
    _check_cut((16320, 12240), cut_out(huge), 400, int(mb), 60)
    tiny, flat, night = scene((28, 28)), Image.new("RGB", (99, 99), "black"), Image.new("L", (99, 99), 0)
    night.putpixel((5, 5), 9)
    for im, option, limit in (tiny, "min_size", 28), (flat, "min_contrast", 0), (night, "min_contrast", 0):
        reason = examine_picture(saved(im, "PNG"))[1]["reason"]
        assert f"{option}=…" in reason
        assert "reason" not in examine_picture(saved(im, "PNG"), **{option: limit})[1]


def test_a_webp_of_24_megapixels_is_within_the_limits():
    """cases/phone_50mp: those of more than 20 were refused."""
    from birdornot.picture import MEGABYTES, SECONDS, _check_cut
    large = SHOWN["WebP with a damaged EXIF"]()
    cut = cut_out(large[:24] + (6000 - 1).to_bytes(3, "little") + (4000 - 1).to_bytes(3, "little") + large[30:])
    assert cut.size == (6000, 4000) and _check_cut(cut.size, cut, 400, MEGABYTES, SECONDS) <= 5e8


def test_predict_and_evaluate_take_the_limits_that_their_refusals_name(tmp_path, capsys):
    from birdornot.cli import main
    tinymodel.folder(tmp_path/"model")
    for i, place in enumerate(("bird", "forest")):
        (tmp_path/"photos"/place).mkdir(parents=True)
        (tmp_path/"photos"/place/"a.png").write_bytes(saved(scene((1600, 1200), i), "PNG"))
    photo, model = str(tmp_path/"photos"/"bird"/"a.png"), str(tmp_path/"model")
    assert main(["predict", model, photo, "--megabytes", "15"]) == 1
    out = capsys.readouterr().out
    option = re.search("more than 15; save it smaller, or allow it: (--megabytes) (20)\n", out).groups()
    assert main(["predict", model, photo, *option]) == 0
    labels = Classifier(model).labels
    for old, new in zip(("bird", "forest"), labels): (tmp_path/"photos"/old).rename(tmp_path/"photos"/new)
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path/"photos"), "--model", model, *option]) == 0
    assert main(["predict", model, photo, "--megabytes", "-5"]) == 1
    assert "--megabytes is -5.0; give a number from 10 to 1,000,000" in capsys.readouterr().err


def test_an_explanation_opens_photos_within_the_limits():
    "A photo of 200 megapixels is as large as a small one by the time that it is explained"
    from birdornot.why import overlay
    huge = SHOWN["200 megapixels, 16320×12240"]()
    assert overlay(huge, np.zeros((7, 7))).size == (300, 225)


def test_two_colours_of_one_luminance_are_a_picture():
    im = Image.new("RGB", (80, 60), (200, 0, 0))
    im.paste((0, 102, 0), (0, 0, 40, 60))
    assert np.ptp(np.asarray(im.convert("L"))) <= 1 and "reason" not in examine_picture(saved(im, "PNG"))[1]


PROBE = """
import json, re, sys, time
from birdornot.picture import BadPicture, open_upright
from PIL import Image
def most(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])/1000
open_upright(Image.new("RGB", (99, 99)), 50)
for file in sys.argv[1:]:
    open("/proc/self/clear_refs", "w").write("5")
    start, had = time.process_time(), most()
    try: said = open_upright(file, 400).size
    except BadPicture as e: said = str(e)
    print(json.dumps([said, time.process_time() - start, most() - had]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux says it")
def test_large_hostile_files_cost_little(tmp_path):
    """Threat: a decoder that crashes, hangs or takes all memory.

    Padding, markers, comments, chunks by the million: each was a minute or a gigabyte; bombs: 50 MB."""
    jpeg, png, gif = saved(scene()), saved(scene(), "PNG"), saved(scene().quantize(16), "GIF")
    at = 13 + (3 << (gif[10] & 7) + 1)
    files = {
        "padding": jpeg[:2] + b"\xff"*50_000_000 + jpeg[2:],
        "padding at the end": jpeg[:-2] + b"\xff"*50_000_000 + jpeg[-2:],
        "markers": jpeg[:2] + b"\xff\xfe\0\2"*12_000_000 + jpeg[2:],
        "comments": gif[:at] + b"!\xfe\1x\0"*8_000_000 + gif[at:],
        "chunks": png[:33] + png_chunk(b"tEXt", b"a\0b")*2_000_000 + png[33:],
        "notes": REFUSED["TIFF of no size"][0]()[:8] + SHOWN["TIFF with 60,000 notes"](),
        "pixels": SHOWN["50 megapixels, 8192×6144"](), "more pixels": SHOWN["200 megapixels, 16320×12240"](),
        "progressive": REFUSED["progressive, 200 megapixels"][0](), "WebP": REFUSED["WebP of 16384×16384"][0](),
    }
    for name, data in files.items(): (tmp_path/name).write_bytes(data)
    done = subprocess.run([sys.executable, "-c", PROBE, *(tmp_path/n for n in files)], capture_output=True, text=True)
    found = dict(zip(files, map(json.loads, done.stdout.splitlines())))
    assert len(found) == len(files), done.stderr
    for name, (_, seconds, megabytes) in found.items():
        assert seconds < 15 and megabytes < (250 if len(files[name]) > 1e7 else 50), (name, found[name])


# ---- all ways in

@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    "The zoo in a folder, without names that help: dict of path → None, or what the reason says"
    folder, found = tmp_path_factory.mktemp("zoo")/"bird", {}
    folder.mkdir()
    for i, (make, why) in enumerate([*((m, None) for m in (*SHOWN.values(), *UPRIGHT.values())), *REFUSED.values()]):
        (folder/f"{i:03}.jpg").write_bytes(make())
        found[folder/f"{i:03}.jpg"] = why
    return found


def test_predict_answers_for_the_zoo(zoo, tmp_path):
    tinymodel.folder(tmp_path/"model")
    rows = list(Classifier(tmp_path/"model").predict_many(zoo))
    assert [r.path for r in rows] == [str(f) for f in zoo]
    for row, why in zip(rows, zoo.values()): assert re.search(why, row.error) if why else row.label and not row.error


def test_clean_takes_the_zoo(zoo, tmp_path):
    hits = [Hit("bird", f.as_uri(), title=f.name, source="folder") for f in zoo]
    download_images(tmp_path/"d", hits, progress=False)
    clean_images(tmp_path/"d", progress=False, min_contrast=0, min_size=28)  # some are grey, of many megapixels
    with Ledger(tmp_path/"d") as ledger: rows = {r["title"]: r for r in ledger.rows()}
    for file, why in zoo.items():
        row = rows[file.name]
        if why: assert row["status"] in ("failed", "quarantined") and re.search(why, row["reason"]), row["reason"]
        else: assert row["status"] == "clean" or row["reason"].startswith("exact duplicate"), (file, row["reason"])


def test_a_reason_of_this_machine_is_tried_again(tmp_path):
    pictures = dict(large=saved(scene((1500, 1000)), "PNG"), tiny=saved(scene((28, 28)), "PNG"), good=saved(scene()))
    for name, data in pictures.items(): (tmp_path/name).write_bytes(data)
    hits = [Hit("bird", (tmp_path/n).as_uri(), title=n, source="folder") for n in pictures]
    download_images(dest := tmp_path/"d", hits, progress=False)

    def after(**limits):
        report = clean_images(dest, progress=False, **limits)
        return {r["title"]: r["status"] for r in report.rows}, report.done

    assert after(megabytes=12) == (dict(large="quarantined", tiny="quarantined", good="clean"), 3)
    with Ledger(dest) as ledger: said = {r["title"]: r["reason"] for r in ledger.rows()}
    assert "takes about 20 MB to decode, more than 12; save it smaller, or allow it: megabytes=20" in said["large"]
    assert after(megabytes=20, dry_run=True)[0]["large"] == "clean"
    assert after() == (dict(large="clean", tiny="quarantined", good="clean"), 1)
    assert after(min_size=28) == (dict.fromkeys(pictures, "clean"), 1)
    assert after(min_size=28)[1] == 0
    with Ledger(dest) as ledger:
        for r in ledger.rows(): assert not r["reason"] and not r["retry"] and "quarantine" not in r["original"]
    # nothing is left aside, and both have working copies
    assert not [f for f in dest.rglob("*quarantine/*/*") if f.is_file()]


def test_advice_that_was_followed_is_not_repeated(tmp_path):
    "A photo that an earlier version refused for want of a library is looked at again"
    (tmp_path/"phone.jpg").write_bytes(saved(scene()))
    hit = Hit("bird", (tmp_path/"phone.jpg").as_uri(), source="folder")
    download_images(dest := tmp_path/"d", [hit], progress=False)
    with Ledger(dest) as ledger:
        ledger.add_columns(retry="INTEGER", contrast="REAL")
        ledger.update(1, status="quarantined", reason="an HEIC photo: pip install pillow-heif, or save it as JPEG")
    assert [r["status"] for r in clean_images(dest, progress=False, workers=1).rows] == ["clean"]


def test_what_is_no_file_is_refused_without_being_opened(tmp_path):
    tinymodel.folder(tmp_path/"model")
    places = tmp_path/"places"
    places.mkdir()
    (places/"good.jpg").write_bytes(saved(scene()))
    os.mkfifo(places/"pipe.jpg")
    (places/"gone.jpg").symlink_to(places/"nowhere")
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(places)  # a socket's path must be short
        try: s.bind("socket.jpg")
        finally: os.chdir(here)
    (places/"secret.jpg").write_bytes(saved(scene()))
    (places/"secret.jpg").chmod(0)
    clf = Classifier(tmp_path/"model")
    photos = [*find_photos(places), places/"a\0b.jpg", "/dev/zero"]
    rows = {Path(r.path).name: r.error for r in clf.predict_many(photos)}
    assert rows["good.jpg"] == "" and "a named pipe, not a file" in rows["pipe.jpg"]
    assert "a socket, not a file" in rows["socket.jpg"] and "cannot be opened (No such file" in rows["gone.jpg"]
    assert "null byte" in rows["a\0b.jpg"] and "a device, not a file" in rows["zero"]
    if os.geteuid(): assert "cannot be opened (Permission denied)" in rows["secret.jpg"]
    # some that are named and not there are rows, all of them are an error
    assert find_photos([places/"good.jpg", places/"no.jpg"])[-1] == places/"no.jpg"
    with pytest.raises(BirdornotError, match="there is no file or folder"): find_photos([places/"no.jpg"])


def test_sorting_goes_on_past_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    from birdornot.predict import Prediction, sort_into
    (tmp_path/"a.jpg").write_bytes(saved(scene()))
    real = Path.read_bytes
    def read(self):
        if self.name == "a.jpg": raise PermissionError(13, "Permission denied")
        return real(self)
    monkeypatch.setattr(Path, "read_bytes", read)
    refused = Prediction(path=str(tmp_path/"a.jpg"), error="no")
    assert [copy for _, copy in sort_into([refused], ["sea"], tmp_path/"s")] == [None]


# ---- folders

def test_pictures_of_all_names_are_found_and_the_rest_is_named(tmp_path):
    data = saved(scene())
    for suffix in (*PICTURE_SUFFIXES, ".JFIF", ".Jpe", ".bak", ""): (tmp_path/f"photo{suffix}").write_bytes(data)
    (tmp_path/"notes.txt").write_text("buy milk")
    (tmp_path/"Thumbs.db").write_bytes(noise(99))
    (tmp_path/"film.mp4").write_bytes(film()[:99])
    os.mkfifo(tmp_path/"pipe")
    pictures, left_out = find_pictures(tmp_path)
    assert len(pictures) == len(PICTURE_SUFFIXES) + 4
    assert {f.name for f in left_out} == {"notes.txt", "film.mp4", "pipe"}
    line = left_out_line(left_out)
    assert line.startswith("3 files are left out: ") and "film.mp4 (a video, not a picture)" in line
    assert "pipe (a named pipe, not a file; name a picture file)" in line


def test_linked_folders_are_followed_without_going_round(tmp_path):
    for name in ("all/a/1.jpg", "all/b/2.jpg", "elsewhere/3.jpg"):
        (tmp_path/name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path/name).write_bytes(saved(scene()))
    (tmp_path/"all/c").symlink_to(tmp_path/"elsewhere")
    (tmp_path/"all/a/up").symlink_to(tmp_path/"all")
    (tmp_path/"elsewhere/again").symlink_to(tmp_path/"elsewhere")
    (tmp_path/"all/b/out").symlink_to(tmp_path)  # holds all of it once more
    pictures, left_out = find_pictures(tmp_path/"all")
    assert [p.relative_to(tmp_path).as_posix() for p in pictures] == ["all/a/1.jpg", "all/b/2.jpg", "all/c/3.jpg"]
    assert {p.relative_to(tmp_path/"all").as_posix() for p in left_out} == {"a/up", "b/out", "c/again"}


def test_the_command_line_says_what_it_leaves_out(tmp_path, capsys):
    from birdornot.cli import main
    tinymodel.folder(tmp_path/"model")
    (tmp_path/"photos").mkdir()
    for name in ("a.jpg", "b.jfif", "c.jpe", "d.heif", "e"): (tmp_path/"photos"/name).write_bytes(saved(scene()))
    (tmp_path/"photos/f.nef2").write_bytes(b"II*\0\x10\0\0\0CR\2\0")
    assert main(["predict", str(tmp_path/"model"), str(tmp_path/"photos")]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5 and "1 file is left out: f.nef2 (a camera's raw file; save it as JPEG)" in err
