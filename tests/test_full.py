"""Full and read-only disks at every stage: one sentence with the place and the remedy, and all that can be read is."""
import subprocess
import sys

import pytest
from test_dataset import own_folder, project

from birdornot.core import DiskFull, disk_full_errors, system_words
from birdornot.make import export, train


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A project with a model, and photos of the user's own"
    where = tmp_path_factory.mktemp("made")
    project(where/"d", own_folder(where/"mine"))
    train(where/"d")
    export(where/"d")
    return where


def mounted(script, *words):
    "What a program says and does where only it sees what it mounts; skips where the system does not allow it"
    command = ["unshare", "-rm", "sh", "-ec", script, "sh", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no private mounts here: " + done.stderr.strip())
    return done


PROGRAM = """
import sys
from birdornot.cli import main
for line in sys.stdin.read().splitlines():
    words = line.split("\\t")
    try: code = main(words)
    except SystemExit as e: code = e.code
    for stream in (sys.stdout, sys.stderr): print("##", words[0], code, file=stream, flush=True)
"""


def told(text):
    "What was written for each command: [(command, exit code, lines)]"
    out, lines = [], []
    for line in text.splitlines():
        if line.startswith("## "):
            out.append((*line.split()[1:3], lines))
            lines = []
        else: lines.append(line)
    return out


def test_a_read_only_dataset_can_be_asked_everything(made, tmp_path):
    photo = next((made/"d/photos/bird").iterdir())
    reads = [["evaluate", "d"], ["evaluate", "d", "--folds", "2"], ["evaluate", made/"mine", "--model", "d/model"],
             ["lock", "d", "--out", tmp_path/"d.lock"], ["why", "d", photo], ["predict", "d/model", photo],
             ["suspects", "d"], ["undo", "d", "--list"]]
    writes = [["lock", "d"], ["clean", "d"], ["download", "d"], ["export", "d"], ["report", "d"], ["undo", "d"],
              ["rename", "d", "bird", "owl"], ["make", "--folder", made/"mine", "--out", "d"]]
    (tmp_path/"words").write_text("\n".join("\t".join(map(str, w)) for w in reads + writes))
    (tmp_path/"ro").mkdir()
    script = ('mount -t tmpfs -o size=50m tmpfs "$1"; cp -r "$2" "$1/d"; cd "$1"; "$3" -c "$5"; ls d/*-wal >&2; '
              'mount -o remount,ro "$1"; cd "$1"; exec "$3" -c "$4" < "$6"')
    leave = ("import os; from birdornot.ledger import Ledger\n"
             "Ledger('d').update(1, title='written before it was killed'); os._exit(0)")
    done = mounted(script, tmp_path/"ro", made/"d", sys.executable, PROGRAM, leave, tmp_path/"words")
    assert "Traceback" not in done.stderr, done.stderr
    said = told(done.stderr)
    assert [(name, code) for name, code, _ in said[:len(reads)]] == [(str(w[0]), "0") for w in reads], done.stderr
    assert "written before it was killed" in (tmp_path/"d.lock").read_text()
    for name, code, lines in said[len(reads):]:
        errors = [line for line in lines if line.startswith("birdornot: ")]
        assert code == "1" and len(errors) == 1, (name, lines)
        assert "; name another place" in errors[0] or "; name a folder that you may write" in errors[0], errors


FILL = """
import os, sys
n = int(sys.argv[1])
with open("filling", "wb", 0) as f:
    try:
        while True: f.write(bytes(4096))
    except OSError: pass
os.truncate("filling", max(0, os.path.getsize("filling") - n))
"""


def test_a_full_disk_is_one_sentence_at_every_stage(made, tmp_path):
    stages = [["lock", "d"], ["train", "d", "--seed", "7"], ["export", "d", "--out", "m"], ["report", "d"],
              ["clean", "d", "--undo"], ["make", "--folder", made/"mine", "--out", "new"],
              ["rename", "d", "bird", "owl"], ["scale", made/"mine", "run"], ["rebuild", "d.lock", "again"]]
    (tmp_path/"words").write_text("\n".join("\t".join(map(str, w)) for w in stages))
    (tmp_path/"small").mkdir()
    script = ('mount -t tmpfs -o size=45m tmpfs "$1"; cp -r "$2" "$1/d"; cd "$1"; "$3" -m birdornot lock d; '
              '"$3" -c "$5" 0; exec "$3" -c "$4" < "$6"')
    done = mounted(script, tmp_path/"small", made/"d", sys.executable, PROGRAM, FILL, tmp_path/"words")
    assert "Traceback" not in done.stderr, done.stderr
    said = told(done.stderr)
    assert [name for name, *_ in said] == [w[0] for w in stages]
    for name, code, lines in said:
        errors = [line for line in lines if line.startswith("birdornot: ")]
        assert code == "0" or len(errors) == 1 and "is full; free some space and run it" in errors[0], (name, lines)
    assert sum(code == "1" for _, code, _ in said) >= 6, said


def test_what_a_library_says_of_a_full_disk_is_understood(tmp_path):
    with pytest.raises(DiskFull, match="free some space"), disk_full_errors(tmp_path):
        raise RuntimeError("I/O error: No space left on device (os error 28)")
    with pytest.raises(RuntimeError), disk_full_errors(tmp_path): raise RuntimeError("something else")
    assert system_words(OSError(30, "Read-only file system", "x/y")).startswith("'x/y' lies where nothing can be wri")
    assert system_words(PermissionError(13, "Permission denied", "x")).startswith("Permission denied: x; check the n")
