"""Files mutated by dice: each is read, or refused in one line; nothing outside is touched.

Of models and pictures a few are tried always, the thousands are slow; the seed is fixed."""
import json
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import onnx
import pytest
import tinymodel
from onnx import TensorProto, helper
from roughpictures import bitten
from test_clean import starts
from test_hostile import hashes, made  # noqa: F401

from birdornot.cli import main
from birdornot.core import BirdornotError
from birdornot.ledger import Ledger
from birdornot.lock import rebuild, write_lock
from birdornot.model import ModelError, ModelFolder
from birdornot.predict import Classifier

SEED = 17
VALUES = ("", None, 0, -1, 2**62, 1.5, b"\0\xff", "x", "../../outside/secret.png", "/etc/passwd", "photos/../x",
          "originals/bird/" + "a"*300, "\x1b[2J", "=1+1", "0"*64, "clean", "quarantined", "downloaded", "found",
          "file:///etc/passwd", "http://[", "[", "{}", "[[1, {}, {}]]", '[[1, {"status": "clean"}, {}]]', "folder")


def lie(file, dice):
    "Put absurd values into some cells of a ledger"
    with closing(sqlite3.connect(file)) as db, db:
        for _ in range(dice.randint(1, 3)):
            table = dice.choice(["pictures"]*6 + ["about", "decisions", "history"])
            columns = [r[1] for r in db.execute(f"PRAGMA table_info({table})")]
            if not columns: continue
            some = dice.choice(["", " WHERE rowid=1", " WHERE rowid=2"])
            try: db.execute(f"UPDATE {table} SET {dice.choice(columns)}=?{some}", [dice.choice(VALUES)])
            except sqlite3.Error: pass  # two rows may not have one address


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_ledgers(part, made, tmp_path, capsys, monkeypatch):  # noqa: F811
    "Threat: untrusted datasets"
    dice, refused = random.Random(SEED + part), 0
    shutil.copytree(made, tmp_path/"all")
    monkeypatch.chdir(tmp_path/"all")
    before, here = hashes(tmp_path/"all"/"outside"), tmp_path/"all"/"set"
    with Ledger(here) as ledger: ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for i in range(100):
        shutil.rmtree(here)
        shutil.copytree(made/"set", here)
        for f in here.glob("ledger.sqlite-*"): f.unlink()
        if i % 3: lie(here/"ledger.sqlite", dice)
        else: (here/"ledger.sqlite").write_bytes(bitten((here/"ledger.sqlite").read_bytes(), dice))
        for words in (["clean"], ["undo"], ["undo", "--list"], ["lock", "--out", "x.lock"], ["report"]):
            refused += main([words[0], str(here), *words[1:]]) == 1
            said = capsys.readouterr()
            assert said.err.count("birdornot: ") <= 1, said.err
        assert hashes(tmp_path/"all"/"outside") == before
    assert refused > 50


@pytest.mark.slow
def test_lockfiles(made, tmp_path):  # noqa: F811
    "Threat: untrusted datasets"
    dice, refused = random.Random(SEED), 0
    write_lock(made/"set", tmp_path/"good.lock")
    good = (tmp_path/"good.lock").read_text(encoding="utf-8").splitlines()
    for i in range(500):
        rows = [json.loads(line) for line in good]
        if i % 2:
            for _ in range(dice.randint(1, 3)):
                row = dice.choice(rows)
                value = dice.choice([v for v in VALUES if not isinstance(v, bytes)] + [[], {}, True])
                row[dice.choice([*row, "new"])] = value
            data = "\n".join(map(json.dumps, rows)).encode()
        else: data = bitten("\n".join(good).encode(), dice)
        (tmp_path/"x.lock").write_bytes(data)
        try: rebuild(tmp_path/"x.lock", tmp_path/"made"/str(i), progress=False, tries=1, deadline=2)
        except BirdornotError as e: refused += "\n" not in str(e)
        assert not [*(tmp_path/"made").rglob("*.jpg"), *(tmp_path/"made").rglob("*.png")]  # all its files are local
        assert {f.name for f in tmp_path.iterdir()} <= {"good.lock", "x.lock", "made"}
    assert refused > 200


@pytest.mark.slow
def test_zips(tmp_path):
    "Threat: archives"
    dice, refused = random.Random(SEED), 0
    good = tinymodel.zipped(tinymodel.folder(tmp_path/"model"), tmp_path/"m.zip").read_bytes()
    for _ in range(2000):
        (tmp_path/"m.zip").write_bytes(bitten(good, dice))
        try: ModelFolder(tmp_path/"m.zip").checked("model.onnx")
        except ModelError as e: refused += "\n" not in str(e)
    assert refused > 1000


# ---- model folders

NUMBERS = (0, 1, -1, 2, 3, 7, 32, 2**10, 2**16, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -2**63)
KINDS = sorted(s.name for s in onnx.defs.get_all_schemas() if s.domain == "")
SIZED = "ConstantOfShape Expand Tile Resize Pad Range Reshape OneHot TopK".split()
SETTINGS = "axis axes pads strides kernel_shape group transB to keepdims value shape mode ends starts k epsilon".split()


def numbers(dice): return [dice.choice(NUMBERS) for _ in range(dice.randint(1, 4))]


def strange(dice):
    "The tiny graph, with some things in it that do not belong there"
    net = tinymodel.graph()
    g, names = net.graph, ["pixels", "w", "b", "mean", "embedding", "logits", ""]
    for i in range(dice.randint(1, 4)):
        node, what = dice.choice(g.node), dice.randrange(12)
        if what == 0: node.op_type = dice.choice(KINDS)
        elif what == 1: node.input[dice.randrange(len(node.input))] = dice.choice(names)
        elif what == 2: dice.choice(g.initializer).dims[:] = numbers(dice)
        elif what == 3: node.attribute.append(helper.make_attribute(dice.choice(SETTINGS), dice.choice(
            (numbers(dice), dice.choice(NUMBERS), 0.5, "x", tinymodel.graph().graph))))
        elif what == 4:
            tensor = dice.choice(g.initializer)
            tensor.data_location = TensorProto.EXTERNAL
            where = dice.choice(("../outside/notes.txt", "model.json", "/dev/zero"))
            tensor.external_data.add(key="location", value=where)
        elif what == 5: net.opset_import[0].version = dice.choice((1, 7, 13, 21, 23, 99, -1))
        elif what == 6: g.input[0].type.tensor_type.shape.dim[dice.randrange(4)].dim_value = dice.choice(NUMBERS)
        else:  # an operation more, whose sizes may be anything
            values = numbers(dice)
            g.initializer.append(helper.make_tensor(f"n{i}", TensorProto.INT64, [len(values)], values))
            kind = dice.choice(KINDS + SIZED*8)
            ins = [f"n{i}"] if kind == "ConstantOfShape" else [dice.choice(names), f"n{i}", *dice.choices(names, k=2)]
            g.node.append(helper.make_node(kind, ins[:dice.randint(1, 4)], [f"x{i}"]))
            if dice.random() < 0.7: g.output.append(helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, None))
            names += [f"n{i}", f"x{i}"]
    return net.SerializeToString()


def misdescribed(info, dice):
    "A description with some absurd values"
    for place in dice.choices([info]*4 + [info["probe"], info["sha256"]], k=dice.randint(1, 3)):
        value = dice.choice([v for v in VALUES if not isinstance(v, bytes)] + [[], {}, True, [[[]]], 2**70, [1, -1]])
        place[dice.choice([*place, "new"])] = value


def spoil(model, dice):
    "Make a model folder worse in one way or another"
    info, how, file = json.loads((model/"model.json").read_text()), dice.random(), model/"model.onnx"
    if how < 0.6: file.write_bytes(strange(dice))
    elif how < 0.75: file.write_bytes(bitten(file.read_bytes(), dice))
    elif how < 0.8: (model/"probe.png").write_bytes(bitten((model/"probe.png").read_bytes(), dice))
    elif how < 0.85:
        (file := model/dice.choice(["model.onnx", "model.json", "probe.png", "judged.csv"])).unlink(missing_ok=True)
        file.symlink_to(model.parent/"outside"/"notes.txt")
    for f in ("model.onnx", "probe.png"): info["sha256"][f] = sha256((model/f).read_bytes()).hexdigest()
    if how < 0.8: (model/"model.json").write_text(json.dumps(info))
    if how < 0.85: return
    if dice.random() < 0.9: misdescribed(info, dice)
    text = json.dumps(info).encode()
    (model/"model.json").write_bytes(text if dice.random() < 0.8 else bitten(text, dice))


def check_models(where, seed, n):
    "Open mutated model folders: how many were refused, the slowest, and the most memory that was taken, MB"
    dice, refused, slowest = random.Random(seed), 0, 0
    (where/"outside").mkdir()
    (where/"outside"/"notes.txt").write_text("milk and bread")
    good = tinymodel.folder(where/"good")
    for _ in range(n):
        shutil.copytree(good, model := where/"model")
        spoil(model, dice)
        before, start, said = hashes(where), time.monotonic(), ""
        try: Classifier(model)(good/"probe.png")
        except BirdornotError as e: said = str(e)
        slowest = max(slowest, time.monotonic() - start)
        assert "\n" not in said and "milk" not in said and (not said or len(said) > 20), said
        assert hashes(where) == before, said
        refused += said != ""
        shutil.rmtree(model)
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return refused, slowest, max(resource.getrusage(k).ru_maxrss for k in kinds)/1000


def test_few_model_folders(tmp_path):
    "Threat: untrusted models"
    refused, slowest, _ = check_models(tmp_path, SEED, 12)
    assert refused > 6 and slowest < 20


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_model_folders(part, tmp_path, monkeypatch, capsys):
    "Threat: untrusted models"
    monkeypatch.setenv("BIRDORNOT_CACHE", str(tmp_path.with_name(f"cache{part}")))
    start = time.monotonic()
    refused, slowest, megabytes = check_models(tmp_path, SEED + part, 500)
    with capsys.disabled():
        print(f"\n500 model folders, seed {SEED + part}: {refused} refused in {time.monotonic() - start:.0f} s, "
              f"slowest {slowest:.1f} s, {megabytes:.0f} MB")
    assert 300 < refused < 500 and slowest < 20 and megabytes < 1000


# ---- pictures

LOOK = """
import json, os, sys, time, random, re
from pathlib import Path
from birdornot.clean import examine_picture
from birdornot.picture import BadPicture, camera_facts, open_upright
from roughpictures import lied
folder, seed, many = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
starts = [p.read_bytes() for p in sorted(folder.iterdir())]
dice, n, slowest, written, last = random.Random(seed), {}, 0, [], os.open(sys.argv[4], os.O_RDWR | os.O_CREAT)
open_upright(starts[0])  # what is imported for the first picture is written down by Python


def watch(event, args):
    if event == "open" and (set(args[1] or "") & set("wax+") or (args[2] or 0) & (os.O_WRONLY | os.O_RDWR)):
        written.append(str(args[0]))


sys.addaudithook(watch)
for i in range(many):
    data = lied(dice.choice(starts), dice)
    os.truncate(last, 0), os.pwrite(last, data, 0)  # what to look at after a crash
    start = time.monotonic()
    try: said = open_upright(data, 64).mode
    except BadPicture as e: said = "refused" if str(e) and "\\n" not in str(e) else "no reason"
    camera_facts(data)
    if i % 4 == 0: examine_picture(data)
    n[said], slowest = n.get(said, 0) + 1, max(slowest, time.monotonic() - start)
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())  # ru_maxrss would count the parent's
print(json.dumps([n, slowest, int(peak[1])/1000, written]))
"""


def check_pictures(where, seed, n):
    "Decode mutated pictures in a process of its own: how many are shown and refused, the slowest, memory in MB"
    done = subprocess.run([sys.executable, "-c", LOOK, starts(where/"starts"), str(seed), str(n), where/"last"],
                          capture_output=True, text=True, timeout=900, cwd=Path(__file__).parent)
    assert done.returncode == 0, f"seed {seed}, the variant is {where/'last'}: {done.stderr[-2000:]}"
    counts, slowest, megabytes, written = json.loads(done.stdout)
    assert {*counts} == {"RGB", "refused"} and not written
    return counts, slowest, megabytes


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux says it")
def test_some_pictures(tmp_path):
    "Threat: odd parsers, and exceptions that nobody documents"
    counts, slowest, megabytes = check_pictures(tmp_path, SEED, 400)
    assert min(counts.values()) > 50 and slowest < 20 and megabytes < 600


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_pictures(part, tmp_path, capsys):
    "Threat: odd parsers, and exceptions that nobody documents"
    start = time.monotonic()
    counts, slowest, megabytes = check_pictures(tmp_path, SEED + part, 5000)
    with capsys.disabled():
        print(f"\n5,000 pictures, seed {SEED + part}: {counts} in {time.monotonic() - start:.0f} s, "
              f"slowest {slowest:.1f} s, {megabytes:.0f} MB")
    assert min(counts.values()) > 500 and slowest < 20 and megabytes < 1000
