"""Files mutated by dice: each is read, or refused in one line; nothing outside is touched. Slow; the seed is fixed."""
import json
import random
import shutil
import sqlite3
from contextlib import closing

import pytest
import tinymodel
from test_hostile import hashes, made  # noqa: F401

from birdornot.cli import main
from birdornot.core import BirdornotError
from birdornot.ledger import Ledger
from birdornot.lock import rebuild, write_lock
from birdornot.model import ModelError, ModelFolder

SEED = 17
VALUES = ("", None, 0, -1, 2**62, 1.5, b"\0\xff", "x", "../../outside/secret.png", "/etc/passwd", "photos/../x",
          "originals/bird/" + "a"*300, "\x1b[2J", "=1+1", "0"*64, "clean", "quarantined", "downloaded", "found",
          "file:///etc/passwd", "http://[", "[", "{}", "[[1, {}, {}]]", '[[1, {"status": "clean"}, {}]]', "folder")


def bitten(data, dice):
    "Bytes with some changed, a piece cut out, doubled, or the end cut off"
    raw, n = bytearray(data), dice.randint(1, 6)
    for _ in range(n): raw[dice.randrange(len(raw))] = dice.randrange(256)
    at, length = dice.randrange(len(raw)), dice.randrange(1, 200)
    how = dice.random()
    if how < 0.2: del raw[at:at + length]
    elif how < 0.3: raw[at:at] = raw[at:at + length]
    elif how < 0.4: del raw[at:]
    return bytes(raw)


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
    dice, refused = random.Random(SEED), 0
    good = tinymodel.zipped(tinymodel.folder(tmp_path/"model"), tmp_path/"m.zip").read_bytes()
    for _ in range(2000):
        (tmp_path/"m.zip").write_bytes(bitten(good, dice))
        try: ModelFolder(tmp_path/"m.zip").checked("model.onnx")
        except ModelError as e: refused += "\n" not in str(e)
    assert refused > 1000
