"""What a reader of a page sees of its notebook, and what has to be imported to type it along.

A page shows neither cells flagged `hide` nor exported ones, whose names a reader imports from the chapter's module."""
import ast
import builtins
import re
import symtable
import sys
from functools import cache
from pathlib import Path
from textwrap import wrap

from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
KNOWN = {*dir(builtins), "display", "get_ipython"}


@cache
def plain_python(source: str) -> str:
    "A cell, with lines such as %time and !ls as calls"
    return TransformerManager().transform_cell(source) if re.search(r"^ *[%!]|= *[%!]", source, re.M) else source


def directives(source: str) -> dict[str, str]:
    "The directives on top of a cell, name → value"
    return dict(re.findall(r"^#\s*\| *([\w-]+):? *(.*)$", source, re.M))


def is_visible(source: str) -> bool:
    "Whether a page shows a cell to be typed along: exported ones need not be, their names are imported"
    said = directives(source)
    return not said.keys() & {"hide", "export", "exports", "exporti", "default_exp"} and said.get("echo") != "false"


def names(source: str) -> tuple[set[str], set[str]]:
    "The names that a cell makes, and those that it uses and does not make"
    top = symtable.symtable(plain_python(source), "cell", "exec")
    made = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    used, todo = {s.get_name() for s in top.get_symbols() if s.is_referenced()}, [*top.get_children()]
    while todo:
        table = todo.pop()
        outside = [s for s in table.get_symbols() if s.is_global()]
        used |= {s.get_name() for s in outside if s.is_referenced()}
        made |= {s.get_name() for s in outside if s.is_assigned()}  # by := in a comprehension
        todo += table.get_children()
    return made, used - made - KNOWN


def imported(sources: list[str]) -> dict[str, tuple[str, str]]:
    "Names that cells import → where from, and as it is written: `('os', '')`, `('pathlib', 'Path')`"
    found = {}
    importing = [plain_python(source) for source in sources if "import" in source]
    for node in (n for source in importing for n in ast.walk(ast.parse(source))):
        for a in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            written = a.name + f" as {a.asname}"*bool(a.asname)
            if isinstance(node, ast.ImportFrom): found[a.asname or a.name] = node.module, written
            else: found[a.asname or a.name.split(".")[0]] = written, ""
    return found


@cache
def module_names(module: str) -> set[str]:
    "The names that a module of ours defines, or gives to what it imports; what `@patch` puts into a class leaves none"
    source = (ROOT/"birdornot"/f"{module}.py").read_text(encoding="utf-8")
    top = symtable.symtable(source, module, "exec")
    patched = {*re.findall(r"^@patch.*\n(?:@.*\n)*def (\w+)", source, re.M)}
    named = {a.asname for n in ast.parse(source).body if isinstance(n, ast.ImportFrom) for a in n.names} - {None}
    return {s.get_name() for s in top.get_symbols() if s.is_assigned() and not s.is_imported()} - patched | named


def import_lines(wanted: dict[str, tuple[str, str]], width: int = 80) -> list[str]:
    "Import statements, no wider than a page: of Python itself, then of others, then of ours"
    parts = {}
    for module, name in wanted.values(): parts.setdefault((module, bool(name)), set()).add(name)
    def order(part):
        first = re.match(r"\w+", part[0])[0]
        return first == "birdornot", first not in sys.stdlib_module_names, part[1], part[0]
    lines = []
    for module, named in sorted(parts, key=order):
        line = f"from {module} import {', '.join(sorted(parts[module, named]))}" if named else f"import {module}"
        lines += [line] if len(line) <= width else wrap(
            line.replace(" import ", " import (") + ")", width, subsequent_indent="    ", break_long_words=False)
    return lines


def to_type_along(sources: list[str]) -> tuple[list[str], dict[str, int]]:
    "Of a notebook's cells of code: imports that its visible ones need from others, and what no import gives → its cell"
    module = next((said["default_exp"] for s in sources if "default_exp" in (said := directives(s))), None)
    ours = {name: (f"birdornot.{module}", name) for name in module_names(module)} if module else {}
    known = imported([s for s in sources if not is_visible(s)]) | ours
    wanted, missing, made = {}, {}, set()
    for n, source in enumerate(sources):
        if not is_visible(source): continue
        new, used = names(source)
        for name in used - made:
            if name in known: wanted[name] = known[name]
            else: missing.setdefault(name, n)
        made |= new | used
    return import_lines(wanted), missing
