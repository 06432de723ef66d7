"""The program as a user starts it, in a process of its own.

On Linux that process is forked from one which has imported what most commands need, and saves them half a second each
(but not ONNX Runtime, whose threads a fork loses); elsewhere, and with limits of its own, it is a fresh one."""
import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = [sys.executable, "-c", "import sys; from birdornot.cli import main; sys.exit(main())"]
UNCACHED = [PROGRAM[0], "-B", *PROGRAM[1:]]  # under a limit of file sizes half a module would be cached
WARM = """
import json, os, signal, sys
connects = sys.argv[1]
def watch(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in ("127.0.0.1", "127.0.0.2", "::1"):
        with open(connects, "a") as f: print(args[1][0], file=f)
sys.addaudithook(watch)
import fastcore.all, filelock, numpy, onnx, PIL.Image, safetensors.numpy, slugify, tqdm, w3lib.url
import birdornot.export, birdornot.make, birdornot.probe, birdornot.report, birdornot.search, birdornot.why
from birdornot.cli import main
for line in sys.stdin:
    words, cwd, files, modules = json.loads(line)
    if not (child := os.fork()):
        for n, file in enumerate(files): os.dup2(os.open(file, os.O_RDWR), n)
        os.chdir(cwd)
        signal.alarm(300)
        sys.argv[1:] = words
        try: code = main()
        except SystemExit as e: code = e.code
        with open(modules, "w") as f: print(*sys.modules, file=f)
        for stream in sys.stdout, sys.stderr: stream.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))  # taking everything down would take a second
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


CONNECTS = Path(tempfile.gettempdir(), f"birdornot-tests-{os.getpid()}-connects")  # a line for each to the outside


@functools.cache
def _warm():
    "The process that is forked; it ends with this one, as its input does"
    CONNECTS.write_text("")
    atexit.register(CONNECTS.unlink, missing_ok=True)
    return subprocess.Popen([sys.executable, "-c", WARM, CONNECTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            text=True)


def _forked(words, cwd):
    "Let the warm process run the program; its exit code, what it wrote to both streams, and what it had imported"
    with tempfile.TemporaryDirectory() as d:
        out, err, modules = files = [Path(d, name) for name in ("out", "err", "modules")]
        for file in files: file.touch()
        words = words, str(cwd), [os.devnull, str(out), str(err)], str(modules)
        print(json.dumps(words), file=_warm().stdin, flush=True)
        return int(_warm().stdout.readline()), *(file.read_text(encoding="utf-8") for file in files)


def birdornot(*words, cwd=".", **kwargs):
    "Run the program with these words; its result with text output"
    words = list(map(str, words))
    if sys.platform == "linux" and not kwargs:
        return subprocess.CompletedProcess(words, *_forked(words, Path(cwd).resolve())[:3])
    return subprocess.run([*UNCACHED, *words], capture_output=True, text=True, cwd=cwd, timeout=300, **kwargs)


def program_and_imports(*words, cwd="."):
    "Run the program with these words; its result, and the modules that were imported when it ended"
    words = list(map(str, words))
    if sys.platform == "linux":
        *done, modules = _forked(words, Path(cwd).resolve())
    else:
        code = "import sys; from birdornot.cli import main; code = main(); print(*sys.modules); sys.exit(code)"
        ran = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=cwd, timeout=300)
        said, _, modules = ran.stdout.rstrip("\n").rpartition("\n")
        done = ran.returncode, said, ran.stderr
    return subprocess.CompletedProcess(words, *done), set(modules.split())
