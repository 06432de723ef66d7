"""Cleaning harmful and broken files: good pictures come out upright, the others become a row with a reason."""
import functools
import io
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from birdornot.clean import clean_images, run_in_workers, undo
from birdornot.core import DatasetError
from birdornot.download import download_images
from birdornot.duplicates import look_alikes, perceptual_hashes
from birdornot.hits import Hit, Query, folder_hits
from birdornot.ledger import Ledger
from birdornot.picture import BadPicture, open_upright
from birdornot.sample import sample_picture


def saved(im, kind="JPEG", **kwargs):
    im.save(out := io.BytesIO(), kind, **kwargs)
    return out.getvalue()


def photo(i=0, size=(320, 240)):
    "Noise with a little structure: no two look alike"
    rng = np.random.default_rng(i)
    small = Image.fromarray(rng.integers(0, 255, (9, 9, 3), "uint8"))
    return small.resize(size, Image.Resampling.BICUBIC)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(w, h):
    "A PNG of one colour that says it is `w`×`h`: kilobytes that become gigabytes"
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(1 + w // 8 + 1)) for _ in range(min(h, 2_000))) + packer.flush()
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 1, 0, 0, 0, 0)) +
            png_chunk(b"IDAT", body) + png_chunk(b"IEND", b""))


def scan_bomb(scans=2000):
    "A progressive JPEG that sends the same scan over and over: small to store, minutes to decode"
    data = saved(Image.effect_noise((1600, 1600), 90).convert("L"), progressive=True, quality=30)
    cuts = [i for i in range(len(data) - 1) if data[i:i + 2] == b"\xff\xda"]
    scan = data[cuts[1]:cuts[2]]
    return data[:cuts[1]] + scan * scans + data[cuts[1]:]


JPEG = saved(photo(1))
MAKERS = {
    "pixel bomb": lambda: png_bomb(60_000, 60_000),
    "long side": lambda: png_bomb(400_000, 10),
    "49 megapixels that are not there": lambda: png_bomb(7000, 7000)[:4000],
    "scan bomb": scan_bomb,
    "truncated JPEG": lambda: JPEG[:len(JPEG) // 2],
    "truncated PNG": lambda: saved(photo(1), "PNG")[:5000],
    "truncated WebP": lambda: saved(photo(1), "WEBP")[:500],
    "truncated GIF": lambda: saved(photo(1), "GIF")[:2000],
    "PNG without IDAT": lambda: b"\x89PNG\r\n\x1a\n"
    + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0)) + png_chunk(b"IEND", b""),
    "PNG of no size": lambda: b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)),
    "JPEG header only": lambda: JPEG[:20],
    "HTML": lambda: b"<!DOCTYPE html><html></html>", "SVG": lambda: b"<svg onload='alert(1)'/>", "empty": lambda: b"",
    "EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "BLP": lambda: b"BLP2" + bytes(280), "FLI": lambda: bytes(4) + b"\x11\xaf" + bytes(200),
    "ICO": lambda: saved(photo(1), "ICO"),
    "PPM": lambda: saved(photo(1), "PPM"),
    "GIF and PHP": lambda: b"GIF89a<?php system('id'); ?>",
    "zip": lambda: b"PK\x03\x04" + bytes(100), "zeros": lambda: bytes(1000),
    "101 MB": lambda: b"BM" + bytes(101_000_000),
}
HOSTILE = {name: functools.cache(make) for name, make in MAKERS.items()}

PROBE = """
import sys, json, time, resource
from birdornot.picture import open_upright, BadPicture
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
try: open_upright(sys.argv[1]); why = ""
except BadPicture as e: why = str(e)
print(json.dumps([why, time.monotonic() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000]))
"""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_a_reason(name):
    "Threat: odd parsers, and exceptions that nobody documents"
    with pytest.raises(BadPicture) as e: open_upright(HOSTILE[name]())
    assert 4 < len(str(e.value)) < 130 and "\n" not in str(e.value)


def check_cost(file, *names):
    "These files are refused at once, and for little memory"
    for name in names:
        file.write_bytes(HOSTILE[name]())
        why, seconds, megabytes = json.loads(subprocess.run([sys.executable, "-c", PROBE, file],
                                                            capture_output=True, text=True).stdout)
        assert why and seconds < 2 and megabytes < 120, (name, why, seconds, megabytes)


def test_a_pixel_bomb_costs_little(tmp_path):
    "Threat: a pixel bomb"
    check_cost(tmp_path/"x", "pixel bomb", "49 megapixels that are not there")


def test_a_scan_bomb_costs_little(tmp_path):
    "Threat: a scan bomb"
    check_cost(tmp_path/"x", "scan bomb")


@pytest.mark.parametrize("tail", [b"PK\x05\x06" + bytes(18), b"<script>alert(1)</script>", b"<?php system('id'); ?>"])
def test_polyglots_lose_their_payload(tmp_path, tail):
    "Threat: HTML, SVG and scripts named .jpg, and polyglots"
    (tmp_path/"in.jpg").write_bytes(JPEG + tail)
    assert tail not in saved(open_upright(tmp_path/"in.jpg"))


# ---- a dataset

def dataset(dest, files):
    "Put `files`, dict (label, name) → bytes, through the real download from a local folder"
    hits = []
    for (label, name), data in files.items():
        src = dest/"src"/label/name
        src.parent.mkdir(parents=True, exist_ok=True)
        src.write_bytes(data)
        hits.append(Hit(label, src.as_uri(), title=name, source="folder"))
    download_images(dest/"d", hits, progress=False)
    return dest/"d"


def by_name(dest):
    with Ledger(dest) as ledger: return {(r["label"], r["title"]): r for r in ledger.rows()}


def test_the_upright_is_what_the_camera_saw(tmp_path):
    "Threat: GPS in published pictures"
    from PIL import ImageOps
    want, files = photo(3, (120, 80)), {}
    for up in range(1, 9):
        exif = Image.Exif()
        exif[0x0112], exif.get_ifd(0x8825)[1] = up, "N"
        exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
        turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(up)
        held = want if turn is None else want.transpose(Image.Transpose(turn))
        assert ImageOps.exif_transpose(Image.open(io.BytesIO(saved(held, exif=exif)))).size == want.size
        files["bird", f"{up}.jpg"] = saved(held, quality=95, exif=exif)
    dest = dataset(tmp_path, files)
    clean_images(dest, progress=False)
    for r in by_name(dest).values():
        im = Image.open(dest/r["file"])
        assert np.abs(np.asarray(im, "int16") - np.asarray(want, "int16")).mean() < 5, r["title"]
        assert not im.getexif() and (r["width"], r["height"]) == want.size
        assert b"Exif" not in (dest/r["file"]).read_bytes()


def test_colours_survive(tmp_path):
    want = photo(4)
    for data in (saved(want, quality=95), saved(want.convert("CMYK"), quality=95),
                 saved(want, "PNG"), saved(want, "WEBP", quality=95), saved(want, "AVIF", quality=95)):
        assert np.abs(np.asarray(open_upright(data), "int16") - np.asarray(want, "int16")).mean() < 6
    deep = Image.fromarray((np.asarray(want.convert("L")).astype("uint16") << 8) + 99)
    assert np.abs(np.asarray(open_upright(saved(deep, "PNG")).convert("L"),
                             "int16") - np.asarray(want.convert("L"), "int16")).mean() < 1


def test_repeats_conflicts_and_undo(tmp_path):
    a, b, c = (saved(photo(i)) for i in range(3))
    dest = dataset(tmp_path, {("bird", "a"): a, ("bird", "a2"): a,
                              ("bird", "b"): b, ("forest", "b"): b, ("forest", "c"): c, ("forest", "bad"): c[:900],
                              ("forest", "tiny"): saved(photo(9, (20, 20))),
                              ("forest", "blank"): saved(Image.new("RGB", (99, 99), "grey"))})
    before = {p: p.read_bytes() for p in dest.glob("originals/*/*")}
    dry = clean_images(dest, dry_run=True, progress=False)
    assert {p: p.read_bytes() for p in dest.glob("originals/*/*")} == before and not (dest/"photos").exists()
    report = clean_images(dest, progress=False)
    assert dry.counts == report.counts == {"bird": {"clean": 1, "quarantined": 2},
                                           "forest": {"clean": 1, "quarantined": 4}}
    rows = by_name(dest)
    assert rows["bird", "a2"]["reason"].startswith("exact duplicate of photos/bird/")
    twice = ("the same picture is under bird and forest; review asks where it belongs, "
             "multilabel=True gives it both labels")
    assert rows["bird", "b"]["reason"] == rows["forest", "b"]["reason"] == twice
    assert "cut off" in rows["forest", "bad"]["reason"] and "small" in rows["forest", "tiny"]["reason"]
    assert "blank" in rows["forest", "blank"]["reason"]
    # nothing was deleted
    kept = Counter(p.read_bytes() for where in ("originals", "quarantine") for p in dest.glob(f"{where}/*/*"))
    assert kept == Counter(before.values())
    # a person knows where it belongs
    assert undo(dest, [rows["bird", "b"]["id"]]) == 1
    clean_images(dest, progress=False)
    after = by_name(dest)
    assert after["bird", "b"]["status"] == "clean" and after["forest", "b"]["status"] == "quarantined"
    # and all the rest comes back, but what cannot be opened
    undo(dest)
    clean_images(dest, progress=False)
    assert {k for k, r in by_name(dest).items() if r["status"] == "quarantined"} == {("bird", "a2"), ("forest", "bad")}


def test_clean_and_undo_on_the_command_line(tmp_path, capsys):
    from birdornot.cli import main
    dest = str(dataset(tmp_path, {("bird", f"{i}"): saved(photo(i)) for i in range(3)}
                       | {("bird", "tiny"): saved(photo(9, (20, 20)))}))

    def says(*words):
        assert main(["clean", dest, *words]) == 0
        return capsys.readouterr().err

    assert "would be: 3 clean, 1 in quarantine (1 × too small" in says("--dry-run")
    assert not Path(dest, "photos").exists()
    assert "3 clean, 1 in quarantine" in says()
    assert "would bring 1 picture back" in says("--undo", "--dry-run") and "1 in quarantine" in says()
    assert "1 picture brought back from quarantine" in says("--undo") and "4 clean, 0 in quarantine" in says()
    with Ledger(dest) as ledger:
        assert {r["who"] for r in ledger.execute("SELECT who FROM history")} == {"download", "clean", "undo"}


def test_a_conflict_found_later_takes_the_working_copy_along(tmp_path):
    a = saved(photo(1))
    dest = dataset(tmp_path, {("bird", "a"): a})
    clean_images(dest, progress=False)
    assert len([*dest.glob("photos/bird/*.jpg")]) == 1
    dataset(tmp_path, {("forest", "a"): a})
    assert clean_images(dest, progress=False).counts == {"bird": {"clean": 0, "quarantined": 1},
                                                         "forest": {"clean": 0, "quarantined": 1}}
    assert not [*dest.glob("photos/*/*.jpg")]


def test_hostile_files_among_good_ones(tmp_path):
    "Threat: HTML, SVG and scripts named .jpg, and polyglots"
    files = {("bird", f"good{i}"): saved(photo(i)) for i in range(20)}
    files |= {("bird", n): make() for n, make in HOSTILE.items()}
    dest = dataset(tmp_path, files)
    clean_images(dest, progress=False)
    rows = by_name(dest)
    assert all(r["status"] == "clean" for (_, n), r in rows.items() if n.startswith("good"))
    assert all(r["status"] in ("failed", "quarantined") and r["reason"] for (_, n), r in rows.items() if n in HOSTILE)


def test_look_alikes_across_labels(tmp_path):
    im = photo(5, (640, 480))
    kin = [im, im.resize((320, 240)), im.crop((8, 6, 632, 474)),
           im.transpose(Image.Transpose.FLIP_LEFT_RIGHT), im.point(lambda v: int(v * .8)), im.convert("L")]
    files = {("bird" if i % 2 else "forest", f"kin{i}"): saved(k, quality=60) for i, k in enumerate(kin)}
    dest = dataset(tmp_path, files | {("bird", f"other{i}"): saved(photo(10 + i)) for i in range(30)})
    report = clean_images(dest, progress=False)
    assert [{r["title"] for r in g} for g in report.look_alikes] == [{f"kin{i}" for i in range(6)}]
    # grouped, not removed
    assert len({r["dup_group"] for r in report.rows}) == 31 and report.counts["forest"]["clean"] == 3
    assert report.conflicts == report.look_alikes  # under two labels: that is for a person to decide
    best = report.look_alikes[0][0]
    assert best["id"] == best["dup_group"] and best["width"] * best["height"] == 640 * 480
    assert "under two labels" in repr(report)


def test_odd_pictures_are_clean_with_a_note(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 1
    spoilt = saved(photo(6), exif=exif)
    place = spoilt.index(b"Exif") + 10
    fine = Image.effect_noise((300, 200), 60).convert("RGB")
    dest = dataset(tmp_path, {("bird", "good"): saved(fine), ("bird", "dark"): saved(fine.point(lambda v: v // 9)),
                              ("bird", "long"): saved(fine.resize((900, 120))),
                              ("bird", "exif"): spoilt[:place] + b"\xff" + spoilt[place + 1:]})
    report = clean_images(dest, progress=False)
    rows = {t: r for (_, t), r in by_name(dest).items()}
    assert {r["status"] for r in rows.values()} == {"clean"} and not rows["good"]["flags"]
    assert not rows["good"]["oddity"]
    assert "dark (brightness " in rows["dark"]["flags"] and rows["dark"]["oddity"] > 1
    assert "of an odd shape (long by short side 7.5, more than 3)" in rows["long"]["flags"]
    assert rows["exif"]["warning"].startswith("Corrupt EXIF data") and not rows["good"]["warning"]
    assert "1 × dark" in repr(report) and "1 × of an odd shape" in repr(report), report
    assert [r["title"] for r in report.odd] == sorted((t for t in rows if rows[t]["flags"]),
                                                      key=lambda t: -rows[t]["oddity"])


def test_look_alikes_of_thousands_are_fast_even_if_all_are_the_same():
    start, rng = time.monotonic(), np.random.default_rng(0)
    rows = [dict(phash=h.tobytes().hex(), phash_mirror=h[::-1].tobytes().hex())
            for h in rng.integers(0, 256, (3000, 32), "uint8")]
    assert len(set(look_alikes(rows))) == 3000
    assert set(look_alikes(rows[:1] * 2000)) == {0}
    assert time.monotonic() - start < 8


def test_real_photos_do_not_look_alike():
    photos = sorted((Path(__file__).parents[2]/"shared/photos").glob("*/*.jpg"))
    if not photos: pytest.skip("the real photos are not here")
    assert len(set(look_alikes([perceptual_hashes(open_upright(p, 400)) for p in photos]))) == len(photos)


# ---- nothing is lost

SCRIPT = ("import sys; from birdornot.clean import clean_images; "
          "print('go', flush=True); clean_images(sys.argv[1], workers=2)")


def run(dest):
    p = subprocess.Popen([sys.executable, "-c", SCRIPT, dest], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    p.stdout.readline()
    return p


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory):
    "A hundred photos, some cut off, one of them twice"
    files = {("bird" if i % 2 else "forest", f"{i}"): saved(photo(i, (500, 400)))[:6000 if i % 9 == 0 else None]
             for i in range(100)}
    return dataset(tmp_path_factory.mktemp("many"), files | {("bird", "again"): files["bird", "1"]})


@pytest.fixture
def many(downloaded, tmp_path): return shutil.copytree(downloaded, tmp_path/"d")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stop_and_resume(many, how):
    "Threat: lost work"
    for n in (10, 40):
        p, end = run(many), time.monotonic() + 20
        while len([*many.glob("photos/*/*.jpg")]) < n and time.monotonic() < end: time.sleep(.01)
        assert len([*many.glob("photos/*/*.jpg")]) >= n
        p.send_signal(how)
        begin = time.monotonic()
        p.communicate(timeout=10)
        assert time.monotonic() - begin < 5
    report = clean_images(many, progress=False)
    n = Counter(r["status"] for r in report.rows)
    assert n == {"clean": 100 - 12, "quarantined": 13}
    for r in report.rows: assert (many/r["file"]).exists() and (many/r["original"]).exists()
    for p in many.glob("photos/*/*.jpg"): Image.open(p).load()
    assert len([*many.glob("photos/*/*.jpg")]) == n["clean"] and clean_images(many, progress=False).done == 0


def test_full_disk(tmp_path):
    "A file system with room for the originals and few copies, mounted where only this test sees it"
    noise = (Image.effect_noise((400, 400), 99) for _ in range(40))
    dest = dataset(tmp_path, {("bird", f"{i}"): saved(Image.merge("RGB", [im, im.rotate(90), im.rotate(180)]))
                              for i, im in enumerate(noise)})
    size = sum(-(-p.stat().st_size // 4096) * 4 for p in dest.rglob("*") if p.is_file()) + 1000
    (tmp_path/"small").mkdir()
    code = ("import sys; from birdornot.clean import *; from birdornot.core import DiskFull\n"
            "try: clean_images(sys.argv[1])\nexcept DiskFull as e: print(e)")
    inner = (f"cd {tmp_path} && mount -t tmpfs -o size={size}k tmpfs small "
             f"&& cp -r d small && {sys.executable} -c '{code}' small/d; ls small/d/unfinished small/d/photos/bird; "
             "ls small/d/originals/bird | wc -l")
    done = subprocess.run(["unshare", "-rm", "sh", "-c", inner], capture_output=True, text=True)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no private mounts here: " + done.stderr.strip())
    assert "is full; free some space" in done.stdout, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "40" and 0 < done.stdout.count(".jpg") < 40


def test_a_folder_without_ledger_is_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match="download pictures into it first"): clean_images(tmp_path)
    with pytest.raises(DatasetError): undo(tmp_path/"nowhere")
    assert not [*tmp_path.iterdir()]


def worst(i):
    "What a decoder may do: nothing bad but for three files"
    if i == 111: time.sleep(60)
    if i == 222: os.kill(os.getpid(), signal.SIGKILL)
    return len(bytearray(8*2**30)) if i == 333 else i


def test_400_good_ones_come_out_beside_a_hang_a_crash_and_a_hog():
    "Threat: a decoder that crashes, hangs or takes all memory"
    got = list(run_in_workers(worst, [(i,) for i in range(403)], workers=2, seconds=4))
    assert [g for g in got if isinstance(g, int)] == [i for i in range(403) if i not in (111, 222, 333)]
    for i, why in ((111, "longer than 4 seconds"), (222, "crashes"), (333, "memory")): assert why in got[i]["reason"]


# ---- fuzz

def starts(folder):
    "A picture of every format and fault to begin with"
    im = photo(1, (90, 60))
    files = dict(jpg=saved(im), progressive=saved(im, progressive=True),
                 png=saved(im, "PNG"), palette=saved(im.quantize(16), "PNG"), gif=saved(im, "GIF"),
                 webp=saved(im, "WEBP"), lossless=saved(im, "WEBP", lossless=True),
                 bmp=saved(im, "BMP"), tiff=saved(im, "TIFF"), packed=saved(im, "TIFF", compression="tiff_lzw"),
                 avif=saved(im, "AVIF", speed=10), cmyk=saved(im.convert("CMYK")))
    files |= {fault: sample_picture("bird", 0, fault=fault) for fault in ("exif_rotated", "animated", "transparent")}
    folder.mkdir()
    for name, data in files.items(): (folder/name).write_bytes(data)
    return folder


def test_fuzzed_files_become_rows_with_a_reason(tmp_path):
    "Threat: odd parsers, and exceptions that nobody documents. Through download and cleaning, a thousand at a time"
    rng, seeds = random.Random(time.strftime("%F")), [p.read_bytes() for p in sorted(starts(tmp_path/"seeds").iterdir())
                                                      if p.stat().st_size < 10_000]
    files = {}
    for i in range(1000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 9)): data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        if rng.random() < .3: del data[rng.randrange(len(data)):]
        files["bird", f"{i:04}"] = bytes(data)
    dest = dataset(tmp_path, files)
    start = time.monotonic()
    report = clean_images(dest, progress=False)
    rows = by_name(dest)
    n = Counter(r["status"] for r in rows.values())
    assert sum(n.values()) == 1000 and not n["found"] + n["downloaded"] and n["quarantined"] > 100
    assert time.monotonic() - start < 120
    assert all(r["reason"] for r in rows.values() if r["status"] != "clean")
    assert n["clean"] == sum(c["clean"] for c in report.counts.values())


UNGUARDED = """from multiprocessing import set_start_method
print("begun", flush=True)
if __name__ == "__main__": set_start_method("spawn")  # what Windows and macOS do; and then no such line as this one:
from birdornot.clean import clean_images, run_in_workers
spawned = "'--multiprocessing-fork' in __import__('sys').orig_argv"
print([*run_in_workers(eval, [(spawned,)]*2, workers=2)], clean_images("d", progress=False).counts["bird"]["clean"])
"""


def test_a_script_without_a_guard_cleans_where_processes_are_spawned(tmp_path):
    dataset(tmp_path, {("bird", f"{i}.jpg"): sample_picture("bird", i) for i in range(3)})
    (tmp_path/"script.py").write_text(UNGUARDED)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["begun", "[True, True] 3"], done.stderr[-500:]


def test_what_is_odd_beside_the_others_follows_the_dataset(tmp_path):
    "One grey photo and one of another size among twelve; when most are grey, the coloured ones are not noted"
    def add(names):
        (tmp_path/"src"/"owl").mkdir(parents=True, exist_ok=True)
        for i, name in names:
            im = photo(i, (2400, 1800) if name == "large" else (320, 240))
            (im.convert("L") if name == "grey" else im).save(tmp_path/"src"/"owl"/f"{i}.jpg")
        hits = list(folder_hits(Query("owl", "owl", folder=tmp_path/"src")))
        download_images(tmp_path/"set", hits, progress=False)
        report = clean_images(tmp_path/"set", near=0, workers=1, progress=False)
        with Ledger(tmp_path/"set") as ledger: kept = {r["id"]: r["flags"] for r in ledger.rows(status="clean")}
        assert kept == {r["id"]: r["flags"] for r in report.rows}
        noted = (f.partition(" (")[0] for flags in kept.values() for f in flags.split("; "))
        return Counter(f for f in noted if f.startswith(("far", "grey")))
    found = add([*((i, "plain") for i in range(10)), (10, "grey"), (11, "large")])
    assert found == {"far larger than the rest": 1, "greyscale, unlike most": 1}
    assert add([(i, "grey") for i in range(12, 26)]) == {"far larger than the rest": 1}
