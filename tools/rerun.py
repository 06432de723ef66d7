"""Run notebooks again, without a network, and show what came out differently; timings, addresses and paths do not
count. And warn where a sentence has a number that no output above it has.

    python tools/rerun.py                      # all
    python tools/rerun.py nbs/22_lock.ipynb    # one
"""
import argparse
import base64
import difflib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
OFFLINE = """import socket
_connect = socket.socket.connect
def connect(self, address):
    if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1", "localhost")):
        raise OSError(f"this run is offline, and {address[0]} is another machine")
    return _connect(self, address)
socket.socket.connect = connect
"""
RUN = """import sys
from nbdev.config import get_config
from nbdev.test import test_nb
done, _ = test_nb(sys.argv[1], skip_flags=get_config(sys.argv[2]).tst_flags, force_flags=["fastai"],
                  basepath=sys.argv[2], save=True, profile=False)
sys.exit(not done)
"""
UNIT = r"(?:ns|µs|us|ms|s|sec|secs|seconds?|min|minutes?|h)"
CHANGING = [  # what may differ between two runs, and what it is called in the comparison
    (r"\x1b\[[0-9;]*[A-Za-z]", ""),
    (r"( at )?0x[0-9A-Fa-f]{6,}", ""),  # nbdev-clean takes them out
    (r"(127\.0\.0\.1|localhost):\d+", "HOST"),
    (r"/(?:tmp|var/folders)/[\w./-]*", "TMP"),
    (r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z|\+00:00)?", "DATE"),
    (r"\b\d\d?:\d\d(:\d\d)?(\.\d+)?\b", "TIME"),
    (rf"\b\d[\d,.]*( ?± ?\d[\d,.]*)? ?{UNIT}\b", "TIME"),
    (r"\b\d[\d,.]* ?(it|pictures|rows|img|images|files)/s", "RATE"),
    # sums depend on the order of threads in their last digits
    (r"\d+\.\d{13,}(e[+-]?\d+)?", lambda m: f"{float(m[0]):.12g}"),
]


NUMBER = r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?"
TIME = r"(?:[a-z]+_)*(?:seconds|ms|minutes)(?:_\w+)?"  # what a key or a column of times is called
KEY = re.compile(rf"((?P<q>['\"]){TIME}(?P=q): ?|\b{TIME}=)({NUMBER}|\{{[^{{}}]*\}})")
TABLE = re.compile(r"<table\b.*?</table>", re.S)
ROW = re.compile(r"<tr\b.*?</tr>", re.S)
CELL = re.compile(r"(<t[hd]\b[^>]*>)(.*?)(</t[hd]>)", re.S)


def without_times(table: str) -> str:
    "An HTML table with `TIME` for the numbers of those columns whose heading, in the first row, is a time's"
    headings = [text for _, text, _ in CELL.findall((ROW.findall(table) or [""])[0])]
    def cleared(row):
        columns = iter(headings)
        def cell(m):
            time = re.fullmatch(rf"{TIME}( .*)?", next(columns, "")) and re.fullmatch(NUMBER, m[2])
            return f"{m[1]}TIME{m[3]}" if time else m[0]
        return CELL.sub(cell, row[0])
    return ROW.sub(cleared, table)


def without_serial(m: re.Match) -> str:
    "An Ogg sound, as base64, without the number a run chose for its stream and the sums over it"
    return re.sub(rb"(OggS.{10}).{4}(.{4}).{4}", rb"\1\2", base64.b64decode(m[2]), flags=re.S).hex()


def steady(text: str) -> str:
    "`text` without what changes at every run"
    text = re.sub(r"(data:audio/ogg;base64,)([\w+/=]+)", without_serial, text)
    text = TABLE.sub(lambda m: without_times(m[0]), text)
    text = KEY.sub(lambda m: m[1] + re.sub(rf"(?<![\w.]){NUMBER}", "TIME", m[3]), text)
    for pattern, name in CHANGING: text = re.sub(pattern, name, text)
    return "\n".join(line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")).strip()


def same_picture(a: str, b: str) -> bool:
    "Whether two pictures, as base64, look alike: one size, and on average less than 2 of 255 apart"
    a, b = (Image.open(io.BytesIO(base64.b64decode(o))).convert("RGB") for o in (a, b))
    return a.size == b.size and np.abs(np.asarray(a, float) - np.asarray(b, float)).mean() < 2


def joined(text) -> str:
    "Notebook text, which may be a list of lines, as one string"
    return "".join(text) if isinstance(text, list) else text or ""


INSIDE = re.compile(r"data:image/(?:webp|jpeg|png);base64,([\w+/=]+)")  # a picture in a page, such as a contact sheet's


def shown(cell: dict) -> tuple[str, list[str]]:
    "What a cell put out: its text, steady, and its pictures"
    texts, pictures = [], []
    for out in cell.get("outputs", []):
        data = dict(out.get("data", {}))
        if (table := joined(data.get("text/html"))) != without_times(table):  # says the same
            data.pop("text/plain", None)
        for kind, value in sorted(data.items()):
            if kind in ("image/png", "image/jpeg"): pictures.append(joined(value))
            elif kind.startswith("text/") or kind == "image/svg+xml":
                pictures += INSIDE.findall(joined(value))
                texts.append(INSIDE.sub("PICTURE", joined(value)))
        texts.append(joined(out.get("text")) + joined(out.get("evalue")))
    return steady("\n".join(t for t in texts if t)), pictures


def of_times(cell: dict) -> bool:
    "Whether the alternative text of a cell's picture says that it draws seconds or milliseconds"
    return bool(re.search(r"fig-alt:.*\b(milli)?seconds\b", joined(cell["source"])))


def differences(old: dict, new: dict) -> list[str]:
    "Where two runs of a notebook put out different things, as lines of a diff"
    lines, fresh = [], {c["id"]: c for c in new["cells"]}
    for n, cell in enumerate(old["cells"]):
        (was, pics), (now, new_pics) = shown(cell), shown(fresh[cell["id"]])
        if was != now:
            lines += [f"cell {n} ({cell['id']})",
                      *list(difflib.unified_diff(was.splitlines(), now.splitlines(), lineterm="", n=0))[2:]]
        if len(pics) != len(new_pics):
            lines.append(f"cell {n} ({cell['id']}): {len(pics)} pictures became {len(new_pics)}")
        elif not of_times(cell) and not all(map(same_picture, pics, new_pics)):
            lines.append(f"cell {n} ({cell['id']}): a picture looks different")
    return lines


FIGURE = r"(?<![A-Za-z_\d.])-?(\d[\d,]*\.?\d*|\.\d+)(e-?\d{1,2}(?!\d))?"
# what a sentence says came out: a share, a decimal fraction, so many of so many; not the end of a range or a version
CLAIM = re.compile(r"(?<![\w.,/#√–−-])(?:(?P<share>\d[\d,]*(?:\.\d+)?) ?%|(?P<decimal>\d+\.\d+)(?![\d.]*\w)"
                   r"|(?P<some>\d+) (?:of|in) (?:the )?(?P<all>\d+)\b)")
# where the numbers of a sentence come from elsewhere: another measurement, somebody's work, a round or imagined number
ELSEWHERE = re.compile(r"\b(about|nearly|almost|measured|photos?|suppose|say that|fastai|Python|version|in training)"
                       r"\b|sets\b|\]\(http", re.I)
CONSTANTS = {0, 1, .05, .1, .5, 5, 10, 50, 80, 90, 95, 99, 100}  # of confidence, of chance, of everything


def figures(text: str) -> set[float]:
    "The numbers in a text"
    found = ((m[1].replace(",", "").rstrip(".")[:300], m[2] or "") for m in re.finditer(FIGURE, text))
    return {float(n + e) for n, e in found}


def sentences(source: str) -> list[str]:
    "The sentences of a Markdown cell, without tables, code, addresses and HTML"
    for part in (r"```.*?```", r"^\|.*$", r"`[^`]*`( \d[\d.]*\d)?", r"<[^>]+>"):
        source = re.sub(part, " ", source, flags=re.S | re.M)
    return re.split(r"(?<=[.!?:;)])\s+(?=[A-Z(*\[])|\n\n", re.sub(r"(\]\()(?!http)[^)]*\)", r"]", source))


def came_out(value: str, share: bool, there: set[float]) -> bool:
    "Whether a number is one of `there`, rounded as it is, as a share or as what remains to the whole"
    n, off = float(value.replace(",", "")), .501*10**-len(value.partition(".")[2])
    ways = [*there, *(100*x for x in there)] if share else there
    return any(abs(x - n) <= off or share and abs(100 - x - n) <= off for x in ways)


def unfounded(nb: dict) -> list[str]:
    "Numbers in sentences that neither the code above has nor an output above, in this section or the last, as lines"
    code, last, here, lines = set(CONSTANTS), set(), set(), []
    for n, cell in enumerate(nb["cells"]):
        source = joined(cell["source"])
        if source.startswith("## "): last, here = here, set()
        if cell["cell_type"] == "code":
            code |= figures(re.sub(r"#.*", "", source))
            for out in cell.get("outputs", []):
                texts = [joined(v) for k, v in out.get("data", {}).items() if k.startswith("text/")]
                here |= figures(re.sub(r"<[^>]+>", " ", "\n".join([joined(out.get("text")), *texts])))
        for said in sentences(source) if cell["cell_type"] == "markdown" else ():
            for m in CLAIM.finditer(said) if not ELSEWHERE.search(said) else ():
                parts = [(v, k == "share") for k, v in m.groupdict().items() if v]
                if not all(came_out(*part, code | last | here) for part in parts):
                    lines.append(f"cell {n}: {m[0]!r} is in no output above: {' '.join(said.split())[:100]!r}")
    return lines


def rerun(file: Path) -> list[str]:
    "Run `file` from top to bottom in a copy of its folder; the differences and unfounded numbers, or the error"
    file = file.resolve()
    with tempfile.TemporaryDirectory() as tmp:
        shutil.copytree(ROOT/"nbs", Path(tmp)/"nbs", symlinks=True, ignore=shutil.ignore_patterns("made"))
        (Path(tmp)/"birdornot").symlink_to(ROOT/"birdornot")  # where chapters find the pages that stand beside the code
        copy = Path(tmp)/"nbs"/file.relative_to(ROOT/"nbs")
        (Path(tmp)/"sitecustomize.py").write_text(OFFLINE, encoding="utf-8")
        path = os.pathsep.join([tmp, str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run([sys.executable, "-c", RUN, copy, ROOT], env=os.environ | {"PYTHONPATH": path},
                              capture_output=True, text=True)
        if done.returncode: return ["did not run to its end:", *done.stderr.splitlines()[-12:]]
        old, new = (json.loads(f.read_text(encoding="utf-8")) for f in (file, copy))
        return differences(old, new) + unfounded(new)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("notebooks", nargs="*", type=Path, help="which; without any, all below nbs/")
    files = p.parse_args().notebooks or sorted(f for f in (ROOT/"nbs").rglob("*.ipynb")
                                               if not {".ipynb_checkpoints", "made"} & {*f.parts})
    changed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, lines in zip(files, pool.map(rerun, files)):
            print(f"{file}: {'only timings differ' if not lines else ''}",
                  *lines, sep="\n" if lines else "", flush=True)
            changed += bool(lines)
    print(f"{len(files)} notebooks, {changed} put out something else")
    return bool(changed)


if __name__ == "__main__": sys.exit(main())
