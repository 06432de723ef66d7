"""The order of the house: chapters in the order they are read and imported, and what may not cross a wall

Nothing of birdornot is imported here: the sources are parsed, so that the whole file takes a second.
"""
import ast
import json
import re
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/"tools"))
import cells  # noqa: E402

DRAWINGS = "the drawn sample, an appendix, stands in for the web or for photos at hand"
FASTAI = "what was fine-tuned is explained by the learner itself; imported only where one was trained"
ALLOWED = {  # (module, module with a higher number that it imports) → why
    ("search", "sample"): DRAWINGS,
    ("download", "sample"): DRAWINGS,
    ("lesson", "sample"): DRAWINGS,
    ("novelty", "drawing"): DRAWINGS,
    ("web", "drawing"): DRAWINGS,
    ("web", "sample"): DRAWINGS,
    ("why", "finetune"): FASTAI,
    ("why", "learner"): FASTAI,
}
REASONS = {"Refused", "_Again", "BadPicture", "CannotCut"}  # why one picture or way failed, shown in tables
LIGHT = "core", "picture", "model", "predict"
DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef
HEAVY = {"torch", "fastai", "pandas", "matplotlib"}


def chapters():
    "Names of the notebooks that are chapters, sorted"
    return sorted(f.name for f in (ROOT/"nbs").glob("[0-9]*.ipynb"))


@cache
def numbers():
    "module → number of its chapter"
    found = {}
    for name in chapters():
        cells = json.loads((ROOT/"nbs"/name).read_text(encoding="utf-8"))["cells"]
        said = [m[1] for c in cells if (m := re.match(r"#\| *default_exp +(\w+)", "".join(c["source"])))]
        assert said == [name[3:-6]], f"{name} writes {said}: chapter and module have one name"
        found[said[0]] = int(name[:2])
    return found


@cache
def sources():
    "module → its source"
    return {f.stem: f.read_text(encoding="utf-8") for f in (ROOT/"birdornot").glob("*.py") if f.stem != "_modidx"}


parsed = cache(ast.parse)


def modules_of(node, known):
    "The modules of ours that an import statement names, as pairs of module and name there ('' for the module itself)"
    if isinstance(node, ast.Import):
        for a in node.names:
            if a.name.startswith("birdornot."): yield a.name.split(".")[1], ""
    if isinstance(node, ast.ImportFrom):
        module = "birdornot" + f".{node.module}"*bool(node.module) if node.level else node.module
        if module == "birdornot": yield from ((a.name, "") for a in node.names if a.name in known)
        elif module.startswith("birdornot."): yield from ((module.split(".")[1], a.name) for a in node.names)


def aliases(tree, known):
    "Names in a source that stand for a module of ours"
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import): names |= {a.asname for a in node.names if a.name.startswith("birdornot.")}
        if isinstance(node, ast.ImportFrom) and (node.module == "birdornot" or (node.level and not node.module)):
            names |= {a.asname or a.name for a in node.names if a.name in known}
    return names


def at_import(tree):
    "The nodes that run when a module is imported: all but the bodies of functions"
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)): yield from at_import(node)


def upward(sources, numbers):
    "Pairs of a module and one of a higher number, or of the same, that it imports, anywhere in its source"
    pairs = {(name, other) for name, text in sources.items() if name in numbers
             for node in ast.walk(parsed(text)) for other, _ in modules_of(node, sources)}
    return {(name, other) for name, other in pairs if numbers.get(other, 100) >= numbers[name] and other != name}


def private(sources):
    "Private names of other modules that a module imports, or reaches through the module: 'module line name'"
    found = []
    for name, text in sources.items():
        tree = parsed(text)
        modules = aliases(tree, sources)
        for node in ast.walk(tree):
            for other, what in modules_of(node, sources):
                if re.match("_[^_]", what) and other != name: found.append(f"{name} {node.lineno} {other}.{what}")
            if isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr):
                owner = ast.unparse(node.value)
                if owner in modules or owner.startswith("birdornot."):
                    found.append(f"{name} {node.lineno} {owner}.{node.attr}")
    return found


def heavy(sources, name):
    "Heavy packages that a module loads when it is imported, directly or through another module of ours"
    found, seen, todo = [], set(), [(name, name)]
    while todo:
        name, way = todo.pop()
        if name in seen: continue
        seen.add(name)
        for node in at_import(parsed(sources[name])):
            if isinstance(node, ast.Import): packages = {a.name.split(".")[0] for a in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level: packages = {node.module.split(".")[0]}
            else: packages = set()
            found += [f"{way} → {p}" for p in sorted(packages & HEAVY)]
            todo += [(other, f"{way} → {other}") for other, _ in modules_of(node, sources) if other in sources]
    return found


def sql(sources):
    "Modules that reach into the ledger's database, or begin a transaction of their own"
    nodes = ((name, n) for name, text in sources.items() if name != "ledger" for n in ast.walk(parsed(text)))
    return sorted({name for name, n in nodes if (isinstance(n, ast.Attribute) and n.attr in ("db", "_db")) or
                   (isinstance(n, ast.Constant) and isinstance(n.value, str) and re.match(r"\s*BEGIN\b", n.value))})


def test_chapters_are_numbered_once_and_stand_in_the_sidebar_in_this_order():
    names = chapters()
    assert len(names) > 30 and all(re.fullmatch(r"\d\d_[a-z]+\.ipynb", n) for n in names), names
    assert len({n[:2] for n in names}) == len(names), "two chapters have the same number"
    sidebar = (ROOT/"nbs"/"sidebar.yml").read_text(encoding="utf-8")
    assert re.findall(r"^ *- (\d\d\w*\.ipynb)$", sidebar, re.M) == names


def parts_of_sidebar():
    "The sidebar's parts that hold chapters, in order: title and files"
    contents = yaml.safe_load((ROOT/"nbs"/"sidebar.yml").read_text(encoding="utf-8"))["website"]["sidebar"]["contents"]
    parts = [(e["section"], e["contents"]) for e in contents if isinstance(e, dict) and "section" in e]
    return [(title, files) for title, files in parts if re.match(r"\d", files[0])]


def parts_of_table():
    "The parts of the README's table of chapters, each a row in bold, and the files that its rows link to"
    cells = json.loads((ROOT/"nbs"/"index.ipynb").read_text(encoding="utf-8"))["cells"]
    table = next("".join(c["source"]) for c in cells if "".join(c["source"]).startswith("| chapter |"))
    parts = []
    for row in table.split("\n\n")[0].splitlines()[2:]:
        if part := re.match(r"\| \*\*(.+?)\*\* \|", row): parts.append((part[1], []))
        else: parts[-1][1].append(re.match(r"\| \[\w+\]\((\w+\.ipynb)\)(?: ᶠ)? \|", row)[1])
    return parts


def test_readme_has_every_chapter_in_the_parts_and_the_order_of_the_sidebar():
    assert parts_of_table() == parts_of_sidebar(), "the table in nbs/index.ipynb has a row for each line of sidebar.yml"


def tutorials():
    "The tutorials as the file browser lists them"
    return sorted(f"tutorials/{f.name}" for f in (ROOT/"nbs"/"tutorials").glob("*.ipynb"))


def test_tutorials_have_one_order_in_file_browser_sidebar_readme_and_on_their_page():
    files = tutorials()
    assert [int(f.split("/")[1][:2]) for f in files] == list(range(len(files))), files
    sidebar, readme = ((ROOT/f).read_text(encoding="utf-8") for f in ("nbs/sidebar.yml", "README.md"))
    assert re.findall(r"^ *- (tutorials/\d\d\w*\.ipynb)$", sidebar, re.M) == files
    assert re.findall(r"^- \[[^\]]+\]\(nbs/(tutorials/\w+\.ipynb)\)", readme, re.M) == files
    heads = [json.loads((ROOT/"nbs"/f).read_text(encoding="utf-8"))["cells"][:2] for f in files]
    orders = [yaml.safe_load("".join(raw["source"]).strip("-\n"))["order"] for _, raw in heads]
    assert orders == list(range(len(files)))
    assert not [f for f, (title, _) in zip(files, heads) if "\n- " in "".join(title["source"])], "a list in Jupyter"


def test_the_readme_says_how_to_open_the_notebooks():
    "And installs the extra of which test_visible holds that no notebook imports more"
    readme = (ROOT/"README.md").read_text(encoding="utf-8")
    assert ".venv/bin/pip install jupyterlab '.[notebooks]'\n.venv/bin/jupyter lab nbs" in readme
    assert (ROOT/"nbs"/"tutorials"/re.search(r"`(00_\w+\.ipynb)`", readme)[1]).exists()


def with_fastai():
    "Pages that say in their head that they need the extra `fastai`; the site marks them in its sidebar"
    files = [f for f in (ROOT/"nbs").rglob("*.ipynb") if "needs the extra `fastai`:*" in f.read_text(encoding="utf-8")]
    return {f.relative_to(ROOT/"nbs").as_posix() for f in files}


def test_what_needs_fastai_is_marked_in_its_head_and_in_the_readme():
    assert {*re.findall(r"\]\(nbs/(\S+)\) ᶠ", (ROOT/"README.md").read_text(encoding="utf-8"))} == with_fastai()
    guarded = {n for n, text in sources().items() if f'need_fastai("birdornot.{n}")' in text}
    assert guarded == {f[3:-6] for f in with_fastai() if f[0].isdigit()} == {
        n for n in sources() if any(way.endswith("→ fastai") and way.count("→") == 1 for way in heavy(sources(), n))}


def house():
    "CONTRIBUTING.md: the parts of the house with their chapters, and all tests that its tables name"
    text = (ROOT/"CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    parts = [(row[0], re.findall(r"\d\d \w+", row[1])) for row in rows if re.match(r"\d\d \w+", row[1])]
    return parts, {name for row in rows for name in re.findall(r"\w+", row[-1]) if row[0] not in ("part", "what")}


def test_contributing_shows_every_room_and_where_its_tests_are():
    parts, tests = house()
    rooms = [(title, [f[:-6].replace("_", " ") for f in files]) for title, files in parts_of_sidebar()]
    assert parts == rooms, "the table in CONTRIBUTING.md has the parts and chapters of nbs/sidebar.yml"
    assert tests == {f.stem.removeprefix("test_") for f in (ROOT/"tests").glob("test_*.py")}


NEXT, BEFORE = r"\bnext chapter\b|\bchapter after\b|^next$", r"\b(?:last|previous) chapter\b|\bchapter before\b"


def false_neighbours(texts):
    "Words such as `next chapter` that are no link to the neighbour; `texts` is chapter → its Markdown, in order"
    wrong, order = [], list(texts)
    for before, name, after in zip([None, *order], order, [*order[1:], None]):
        links = re.findall(r"\[([^\]]*)\]\(([^)]*)\)", texts[name])
        plain = re.sub(r"\[[^\]]*\]\([^)]*\)", "", texts[name])
        for words, neighbour in ((NEXT, after), (BEFORE, before)):
            wrong += [f"{name}: [{said}]({to}), not {neighbour}" for said, to in links
                      if re.search(words, said, flags=re.I) and to.split("#")[0] != neighbour]
            wrong += [f"{name}: {m[0]!r} is no link; link it to {neighbour}, or name the chapter"
                      for m in re.finditer(words, plain, flags=re.I)]
    return wrong


def test_next_and_last_chapter_are_the_neighbours_in_the_folder():
    cells = {name: json.loads((ROOT/"nbs"/name).read_text(encoding="utf-8"))["cells"] for name in chapters()}
    assert false_neighbours({name: "\n".join("".join(c["source"]) for c in some if c["cell_type"] == "markdown")
                             for name, some in cells.items()}) == []


FLAGS = {"net", "slow", "gpu", "fastai"}


def cells_of(name):
    "The sources of a notebook's cells of code"
    cells = json.loads((ROOT/"nbs"/name).read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]


def asks(source):
    "What a cell asks `can_run` for, in which all of it but imports of ours stands"
    body = [n for n in ast.parse(source).body if not (isinstance(n, ast.ImportFrom) and n.module == "birdornot.core")]
    asked = re.match(r"if can_run\(([\w\", ]+)\):", ast.unparse(body).replace("'", '"')) if len(body) == 1 else None
    return {*re.findall(r"\w+", asked[1])} if asked else None


def test_a_flagged_cell_asks_for_what_its_flags_say():
    "So that it does not stop a person's Run All"
    found = {(f.stem, source): (flags, asks(source)) for f in (ROOT/"nbs").rglob("*.ipynb") for source in cells_of(f)
             if (flags := FLAGS & {*re.findall(r"^#\| *(\w+)$", source, re.M)})}
    assert len(found) > 40 and not [where for where, (flags, asked) in found.items() if flags != asked]


def test_a_chapter_that_is_run_writes_no_module():
    "`make export` and git's hooks do"
    assert not [f for f in (ROOT/"nbs").rglob("*.ipynb") for s in cells_of(f) if re.search(r"nbdev[._]export\b", s)]


def test_a_cell_that_needs_the_runtime_for_browsers_says_so_where_it_cannot_be_had():
    "Four pages stopped there offline, the short lesson among them"
    needs, stop = re.compile(r"\b(?:web_runtime|studio_files|write_page|write_space|write_studio)\("), []
    for f in (ROOT/"nbs").rglob("*.ipynb"):
        before, _, _ = "\0".join(cells_of(f)).partition('rest_needs("npm")')
        stop += [f"{f.stem}: {source}" for source in before.split("\0") if needs.search(source)
                 and not source.startswith("#| export") and 'can_run("npm")' not in source]
    assert not stop


def test_every_module_is_written_by_a_chapter():
    assert {n for n in sources() if not n.startswith("__")} - {"_export"} == set(numbers())
    assert not [n for n, text in sources().items() if "._export" in text and n != "_export"], "runs at export alone"


def test_no_module_imports_one_that_comes_later():
    found = upward(sources(), numbers())
    assert not found - set(ALLOWED), "imports a later chapter: move what is needed to a lower room"
    assert not set(ALLOWED) - found, "no longer needed: take it off the list of exceptions"


def test_no_module_uses_a_private_name_of_another():
    assert private(sources()) == []


def test_only_the_ledger_talks_to_its_database():
    assert sql(sources()) == []


@pytest.mark.parametrize("name", LIGHT)
def test_light_modules_load_nothing_heavy(name):
    assert heavy(sources(), name) == []


def literal(node):
    "The text of a string, or of an f-string with {} for what it shows; '' for anything else"
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in parts)


def wrong_voice(sources):
    "Errors for people that do not say 'what is wrong; what to do', in lower case and without a full stop"
    names, found = {"BirdornotError"}, []
    classes = [n for text in sources.values() for n in ast.walk(parsed(text)) if isinstance(n, ast.ClassDef)]
    for _ in classes: names |= {c.name for c in classes if names & {getattr(b, "id", "") for b in c.bases}}
    for module, text in sources.items():
        for node in ast.walk(parsed(text)):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in names - REASONS: continue
            for words in filter(re.compile(r"[^\W_]+ ").search, map(literal, node.args)):
                proper = words.startswith(("ONNX Runtime", "Ray"))
                if ";" not in words or words.endswith(".") or (words[0].isupper() and not proper):
                    found.append(f"{module} {node.lineno} {words}")
    return found


def test_errors_say_what_is_wrong_and_what_to_do():
    assert wrong_voice(sources()) == []


def texts(tree):
    "Yield each string of a module with its line, an f-string whole, but no docstrings"
    bodies = [n.body[0] for n in ast.walk(tree) if isinstance(n, DOCUMENTED)]
    docs = {id(first.value) for first in bodies if isinstance(first, ast.Expr)}
    parts = {id(p) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for p in ast.walk(n) if p is not n}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in docs | parts:
            yield node.lineno, literal(node)


def typed_options(sources):
    "Sentences that advise an option as it is typed, outside a whole command in backticks"
    whole = re.compile(r"`[a-z]+ [^`]*`|<code>.*?</code>|^torchrun .*|var\(.*?\)|^\s*:root.*", re.S)
    option = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
    return [(module, line, text) for module, source in sources.items() for line, text in texts(parsed(source))
            if " " in text.strip() and option.search(whole.sub("", text))]


def test_messages_name_options_as_python_takes_them():
    "`say` and the errors of a command write them as they are typed"
    assert typed_options({name: text for name, text in sources().items() if name not in ("cli", "command")}) == []


THINGS = ("addresses answers classes copies days decisions epochs files folders groups hits islands keywords labels "
          "lines minutes networks people photos pictures pixels processes probabilities redirects results rows runs "
          "scans seconds shards splits terms tiles words").split()
NEVER_ONE = {  # module → what is named in its texts only where it is several
    "finetune": ("{seconds['both'] / 60} minutes", "{n} pictures", "{epochs} epochs"), "make": ("{took} minutes",),
    "model": ("{len(entries)} files",), "picture": ("{h} pixels",), "report": ("{len(names)} classes",),
    "sample": ("{n} good pictures",), "suspects": ("{n} splits", "{seeds} splits"), "why": ("{k} pictures",)}


def unnamed_counts(sources):
    "Numbers in texts for people that are followed by a plural without `plural`, which would say '1 pictures'"
    noun, found = re.compile(rf" (?:(?:clean|good|held-out|more|new|other|such|wrong) )?(?:{'|'.join(THINGS)})\b"), []
    for module, text in sources.items():
        for node in (n for n in ast.walk(parsed(text)) if isinstance(n, ast.JoinedStr)):
            for before, number, then in zip([None, *node.values], node.values, node.values[1:]):
                if not isinstance(number, ast.FormattedValue) or not isinstance(then, ast.Constant): continue
                said, match = ast.unparse(number.value), noun.match(then.value)
                whole = isinstance(before, ast.Constant) and re.search(r"\bof $", before.value)  # 1 of 3 pictures
                name = re.search(r"plural\(|^str\(|^[A-Z_]+$|^backbone$", said)
                if not match or whole or name or f"{{{said}}}{match[0]}" in NEVER_ONE.get(module, ()): continue
                found.append(f"{module} {node.lineno} {{{said}}}{match[0]}")
    return found


def test_what_is_counted_is_called_one_or_many():
    assert unnamed_counts(sources()) == []


def examples(text):
    "The fenced Python in a module's docstring"
    return "\n".join(re.findall(r"```python\n(.*?)```", ast.get_docstring(parsed(text)) or "", re.S))


def wrong_examples(sources):
    "Names that examples in docstrings of modules import and that are not there, and arguments that they do not take"
    found = []
    for module, text in sources.items():
        tree = ast.parse(examples(text))
        homes = {name: other for node in ast.walk(tree) for other, name in modules_of(node, sources)}
        defined = {name: next((n for n in parsed(sources[other]).body if getattr(n, "name", "") == name), None)
                   for name, other in homes.items()}
        found += [f"{module} {homes[name]}.{name}" for name, node in defined.items() if node is None]
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            to = defined.get(getattr(call.func, "id", ""))
            if isinstance(to, ast.ClassDef): to = next((f for f in to.body if getattr(f, "name", 0) == "__init__"), 0)
            if not to or to.args.kwarg: continue
            taken = {a.arg for a in [*to.args.args, *to.args.kwonlyargs]}
            found += [f"{module} {ast.unparse(call)}" for k in call.keywords if k.arg not in taken]
    return found


def test_what_help_shows_of_a_module_can_be_typed():
    assert wrong_examples(sources()) == []
    assert {n for n, text in sources().items() if examples(text)} > {"__init__", "make", "predict", "search", "split"}


def test_a_module_says_in_one_sentence_what_it_is_for():
    "In words that hold for the module read alone: the chapter's title, which `it` could stand for, is not there"
    first = {n: (ast.get_docstring(parsed(text)) or "").partition("\n")[0] for n, text in sources().items()}
    wrong = {n: line for n, line in first.items() if not 5 < len(line.split()) < 30 or re.match("(Its?|They) ", line)}
    assert wrong == {}


def test_the_rules_find_what_breaks_them():
    numbers = dict(low=1, high=2)
    for line in ("from .high import x", "from birdornot.high import x", "from birdornot import high",
                 "from . import high", "import birdornot.high", "import birdornot.high as h",
                 "def f():\n    from .high import x"):
        assert upward(dict(low=line, high=""), numbers) == {("low", "high")}, line
        assert upward(dict(low="", high=line.replace("high", "low")), numbers) == set()
    for line in ("from .high import _x", "from birdornot.high import y, _x", "def f():\n    from .high import _x",
                 "from birdornot import high\nhigh._x", "from . import high as h\nh._x()",
                 "import birdornot.high as h\nh._x", "import birdornot.high\nbirdornot.high._x"):
        assert len(private(dict(low=line, high=""))) == 1, line
    for line in ("from .high import x", "from .high import __doc__", "import os\nos._exit(0)", "self._x",
                 "from . import high"):
        assert private(dict(low=line, high="")) == [], line
    for line in ("import torch", "try: from fastai.vision.all import *\nexcept ImportError: pass",
                 "class A:\n    import pandas"):
        assert len(heavy(dict(low="from .high import x", high=line), "low")) == 1, line
    assert heavy(dict(low="def f():\n    import torch", high=""), "low") == []
    broken = dict(a="ledger.db.execute(x)", b="con.execute('BEGIN IMMEDIATE')")
    assert sql(broken | dict(ledger="self.db", c="x")) == ["a", "b"]
    for text in ("the next chapter", "[Next](a)", "[the last chapter](b)", "[chapter before](c)", "[next chapter](a)"):
        assert len(false_neighbours(dict(a="", b=text, c=""))) == 1, text
    for text in ("[the next chapter](c)", "[Next](c#x)", "[the last chapter](a)", "the next two chapters", "[c](a)"):
        assert false_neighbours(dict(a="", b=text, c="")) == [], text
    for text in ("There is none; make one", "there is none; make one.", "there is none", "no {x}: give {y}"):
        assert len(wrong_voice(dict(a=f"class E(BirdornotError): pass\nraise E(f'{text}')"))) == 1, text
    assert wrong_voice(dict(a="raise BirdornotError(f'{x} is none; give {y}')\nraise Refused('gone')")) == []
    for text in ("too small; --min-size sets it", "f'{x}; try --near {n}'", "'(--near 0 takes it)'"):
        assert len(typed_options(dict(a=f"x = {text if text[-1] in chr(39) else repr(text)}"))) == 1, text
    for text in ("min_size=… sets it", "`birdornot make --folder` puts it aside", "a -- b", "--folder"):
        assert typed_options(dict(a=f"def f():\n    'Take --near 0'\n    return {text!r}")) == [], text
    for text in ("{n} pictures", "took {s:g} seconds", "{len(x)} more groups"):
        assert len(unnamed_counts(dict(a=f"x = f'{text}'"))) == 1, text
    for text in ("{plural(n, 1)} pictures", "{n} of {m} pictures", "{MOST} pictures", "{n} picturesque"):
        assert unnamed_counts(dict(a=f"x = f'{text}'")) == [], text
    example = '"""A\n\n```python\nfrom birdornot.low import {}\n{}\n```"""'
    for name, call in (("y", "y(1)"), ("x", "x(b=1)"), ("C", "C(b=1)")):
        low = "def x(a): pass\nclass C:\n    def __init__(self, a): pass"
        assert len(wrong_examples(dict(low=low, high=example.format(name, call)))) == 1, call
        low, call = low + "\ndef y(b): pass", call.replace("b=1", "1")
        assert wrong_examples(dict(low=low, high=example.format(name, call))) == [], call
    for text in ("x = 1", "if can_run('net'): x()\ny()", "if can_run('net') or y: x()", "from birdornot.core import x"):
        assert asks(text) is None, text
    assert asks("from birdornot.core import can_run\n\nif can_run('net', 'slow'):\n    x()") == {"net", "slow"}


def test_the_command_line_parses_calls_and_prints():
    "What it could do besides belongs where a Python user can call it"
    assert len((ROOT/"birdornot"/"cli.py").read_text(encoding="utf-8").splitlines()) < 350
    commands = [n for n in parsed(sources()["cli"]).body if isinstance(n, ast.FunctionDef)]
    lines = {f.name: f.end_lineno - f.body[0].end_lineno for f in commands}  # without parameters and docstring
    assert len(lines) > 20 and max(lines.values()) <= 12, lines


def test_cells_stand_in_company():
    assert cells.worse(cells.total(cells.everything())) == [], "`python tools/cells.py 12` shows where in chapter 12"


def test_what_is_counted_in_cells(tmp_path):
    def notebook(name, *texts):
        some = [dict(cell_type="markdown" if t.startswith(("# ", "A ")) else "code", source=[t]) for t in texts]
        (tmp_path/name).write_text(json.dumps(dict(cells=some)), encoding="utf-8")

    export = "#| export\ndef {}(): return 1"
    exports = [export.format(n) for n in ("a", "b", "_c", "d")]
    notebook("10_a.ipynb", "# A\n\n> B", "#| default_exp a", "#| export\nimport os", *exports[:3], "# heading",
             exports[3], "a()", "import re\nb()", "#| hide\nimport nbdev; nbdev.nbdev_export()")
    notebook("11_b.ipynb", *exports[:2], "A sentence.", export.format("_c"), "#| export\n" + "x = 1\n"*41, "x\n"*13,
             "#| export\n@patch\ndef _d(self: A): pass", "%time x")
    notebook("12_c.ipynb", "#| export\n@patch\ndef _d(self: B): pass", "_d()")
    a, b, c = cells.everything(tmp_path)
    assert (a.export, a.use, a.ratio) == (4, 2, 0.5) and (b.export, b.use) == (5, 2) and c.ratio == 1
    assert [len(p) for p in a.places.values()] == [1, 1, 0, 0, 1], a.places
    assert [len(p) for p in b.places.values()] == [0, 0, 1, 1, 1], b.places
    assert not any(c.places.values()), c.places
    everything = cells.total([a, b, c])
    assert cells.worse(everything, dict(ratio=0.5, runs=1, mixed=1, large=1, long=1, doubles=2)) == []
    found = cells.worse(everything, dict(ratio=0.51, runs=0, mixed=0, large=0, long=0, doubles=1))
    assert len(found) == 6 and found[0].startswith("0.500 cells"), found
