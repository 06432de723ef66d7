"""Count what each notebook's cells are like, and fail with `--check` where they have become worse than `FLOOR`

    python tools/cells.py            # a table of all notebooks
    python tools/cells.py 12 20      # the chapters whose names begin so, with the places of what is counted
    python tools/cells.py --check    # only the totals; exit 1 where one is worse than its floor

The columns: `export`, cells that go into a module, those of imports aside; `use`, the other cells of code; `ratio`,
the second to the first; `runs`, runs of more than three export cells without a sentence, a use or a check between them;
`mixed`, cells with imports and something else; `large`, export cells of over 40 lines; `long`, other cells of over 12;
`doubles`, private names that this module and another both define.
"""
import argparse
import ast
import json
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

NBS = Path(__file__).parents[1]/"nbs"
FLOOR = dict(ratio=1.6, runs=0, mixed=0, large=2, long=27, doubles=0)  # ratio may not fall, the rest not grow
LONGEST_RUN, LARGE, LONG = 3, 40, 12
HEADING = re.compile(r"#+ .*")
ASKS = re.compile(r"needs?_fastai\(")  # asks for the extra before anything is imported that needs it
PLUMBING = re.compile(r"#\| *default_exp|nbdev_export\(\)|nbdev\.showdoc")


@dataclass
class Counts:
    "What one notebook's cells are like"
    name: str
    export: int = 0
    use: int = 0
    places: dict = field(default_factory=lambda: {k: [] for k in FLOOR if k != "ratio"})

    @property
    def ratio(self): return self.use/self.export if self.export else None

    def row(self):
        "The cells of the table"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return [self.name, str(self.export), str(self.use), ratio, *(str(len(p)) for p in self.places.values())]


@cache
def statements(code):
    "The statements of a cell of code, magics and shell lines aside; none where it cannot be parsed"
    try: return ast.parse(re.sub(r"(?m)^[%!].*$", "pass", code)).body
    except SyntaxError: return []


def imports(code):
    "How many of a cell's statements import, and how many do something else"
    kinds = [isinstance(s, (ast.Import, ast.ImportFrom)) for s in statements(code)]
    return sum(kinds), len(kinds) - sum(kinds)


def lines(code):
    "How many lines of a cell are code: directives, comments and empty lines do not count"
    return sum(bool(re.match(r"\s*[^#\s]", line)) for line in code.splitlines())


def definitions(code):
    "Names that a cell defines at its top level"
    for s in statements(code):
        if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)): yield s.name
        elif isinstance(s, ast.Assign): yield from (t.id for t in s.targets if isinstance(t, ast.Name))


def is_patch(code, name):
    "Whether a definition is a method that `@patch` adds to a class: two classes may each have one of that name"
    return any(getattr(s, "name", "") == name and any("patch" in ast.unparse(d) for d in s.decorator_list)
               for s in statements(code) if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef)))


@cache
def cells(file):
    "The cells of a notebook, as pairs of kind and source; the kinds are `markdown`, `export` and `use`"
    found = []
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code" and not PLUMBING.search(text):
            found.append(("export" if re.search(r"(?m)^#\| *export", text) else "use", text))
        elif cell["cell_type"] == "markdown": found.append(("markdown", text))
    return found


def private_names(files):
    "Private name → the notebooks that define it in an exported cell"
    where = {}
    for file in files:
        for kind, text in cells(file):
            for name in definitions(text) if kind == "export" else ():
                if re.match("_[^_]", name) and not is_patch(text, name): where.setdefault(name, set()).add(file.stem)
    return where


def count(file, doubles=()):
    "The `Counts` of a notebook; `doubles` are private names that several define"
    found, run = Counts(file.stem), []
    for kind, text in [*cells(file), ("use", "")]:
        first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#|")), "")
        importing, other = imports(text) if kind != "markdown" else (0, 0)
        if importing and other and not ASKS.search(text): found.places["mixed"].append(first)
        if kind == "export" and other:
            found.export += 1
            run.append(first)
            if lines(text) > LARGE: found.places["large"].append(first)
            found.places["doubles"] += [n for n in definitions(text) if n in doubles]
        elif kind == "use" and (other or not importing) or kind == "markdown" and not HEADING.fullmatch(text):
            if len(run) > LONGEST_RUN: found.places["runs"].append(f"{len(run)} from {run[0]}")
            run = []
            if kind == "use" and text and "pip install" not in first:  # by which Colab installs us: no use of anything
                found.use += 1
                if lines(text) > LONG: found.places["long"].append(first)
    return found


def total(counts):
    "All notebooks as one; tutorials and posts export nothing, and their cells do not count as uses"
    found = Counts("total", sum(c.export for c in counts), sum(c.use for c in counts if c.export))
    for c in counts:
        for k, places in c.places.items(): found.places[k] += places
    return found


def everything(nbs=NBS):
    "The `Counts` of all notebooks"
    files = sorted(nbs.rglob("*.ipynb"), key=lambda f: (f.parent != nbs, f))
    doubles = {n for n, stems in private_names(files).items() if len(stems) > 1}
    return [count(f, doubles) for f in files]


def worse(found, floor=FLOOR):
    "What of a total is worse than its floor, in words"
    said = [f"{len(p)} {k}, of which {floor[k]} are allowed" for k, p in found.places.items() if len(p) > floor[k]]
    if found.ratio < floor["ratio"]:
        said.insert(0, f"{found.ratio:.3f} cells of use or check for each export cell, under {floor['ratio']}")
    return said


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("chapters", nargs="*", help="how their names begin")
    p.add_argument("--check", action="store_true", help="show only the totals; exit 1 where one is worse than FLOOR")
    args = p.parse_args()
    counts = [c for c in everything() if not args.chapters or c.name.startswith(tuple(args.chapters))]
    heads = ["chapter", "export", "use", "ratio", *counts[0].places]
    for row in [heads, *(c.row() for c in counts if not args.check), total(counts).row()]:
        print(f"{row[0]:<20.20}" + "".join(f"{cell:>9}" for cell in row[1:]))
    for c in counts if args.chapters else ():
        for k, places in c.places.items():
            for place in places: print(f"{c.name}  {k}  {place}")
    if not args.check: return 0
    for words in (said := worse(total(counts))): print(words, file=sys.stderr)
    return bool(said)


if __name__ == "__main__": sys.exit(main())
