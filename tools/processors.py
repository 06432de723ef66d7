"""nbdev's processors, as the site uses them."""
import ast
import json
import re
from copy import deepcopy
from functools import cache
from html import escape
from pathlib import Path

from fastcore.basics import AttrDict
from fastcore.nbio import mk_cell, read_nb, write_nb
from nbdev import config, processors
from nbdev.config import nbpath2html
from nbdev.process import Processor
from nbdev.processors import (
    FilterDefaults,
    add_fold,
    add_show_docs,
    clean_show_doc,
    exec_show_docs,
    mv_exports,
    rm_export,
)
from nbdev.showdoc import showdoc_nm
from reference import as_typed
from visible import to_type_along

processors.get_config = cache(config.get_config)  # nbdev reads pyproject.toml again for every cell


class Source:
    "Some lines of an exported cell: one public definition and what belongs to it, or helpers and constants alone"
    def __init__(self, lines, nodes):
        self.text = "\n".join(line for line in lines if not line.startswith("#|")).strip("\n")
        self.nodes = nodes

    def __add__(self, other): return Source([self.text, "\n", other.text], self.nodes + other.nodes)

    @property
    def definition(self): return next((n for n in self.nodes if is_public(n)), None)

    @property
    def first_lines(self):
        "What stands for the lines while they are folded"
        shown = [self.definition] if self.definition else self.nodes
        return ", ".join(filter(None, map(short, shown)))


def is_public(node) -> bool:
    "Whether the reference describes what is defined there"
    return isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not re.search(r"(^|\.)_(?!_)", showdoc_nm(node))


def short(node) -> str:
    "A definition without its types and its body, an assignment without its value"
    if isinstance(node, ast.FunctionDef):
        args = deepcopy(node.args)
        for arg in ast.walk(args):
            if isinstance(arg, ast.arg): arg.annotation = None
        return f"def {node.name}({ast.unparse(args)})"
    if isinstance(node, ast.ClassDef): return f"class {node.name}"
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return ", ".join(ast.unparse(t) for t in targets if t)


def cut(cell) -> list[Source]:
    "An exported cell in parts, each of which ends with a public definition; none where it only imports"
    parts, lines, start, nodes = [], cell.source.splitlines(), 0, []
    tree = [n for n in cell.parsed_() if not isinstance(n, (ast.Import, ast.ImportFrom))]
    for node in tree:
        nodes.append(node)
        if is_public(node) or node is tree[-1]:
            end = len(lines) if node is tree[-1] else node.end_lineno
            parts.append(Source(lines[start:end], nodes))
            start, nodes = end, []
    return parts


class show_definitions(Processor):
    """Show what is exported: a definition that teaches (`#| exports`) as its source, the others as one sentence, their
    source folded; helpers fold with the definition they stand before. The reference has the tables of parameters"""
    def begin(self):
        self.module = next((c.directives_["default_exp"] for c in self.nb.cells if "default_exp" in c.directives_), "")
        self.titles = {t for c in self.nb.cells if c.cell_type == "markdown"
                       for t in re.findall(r"^#+ `?([\w.]+)`?(?: |$)", c.source, flags=re.M)}
        cells, helpers = [], []
        for cell in self.nb.cells:
            exported = cell.cell_type == "code" and {"export", "exports"} & set(cell.directives_)
            if exported and "hide" not in cell.directives_:
                for part in cut(cell):
                    if "exports" in cell.directives_: cells += self.shown(helpers, False) + self.shown([part], True)
                    elif part.definition: cells += self.shown([*helpers, part], False)
                    else:
                        helpers.append(part)
                        continue
                    helpers = []
            elif not {"hide", "default_exp"} & set(cell.directives_):
                cells += [*self.shown(helpers, False), cell]
                helpers = []
        self.nb.cells[:] = cells + self.shown(helpers, False)

    def shown(self, parts, opened) -> list:
        "The cells of a page that show some source"
        if not parts: return []
        part = sum(parts[1:], parts[0])
        if not opened and not part.first_lines: return []  # such as a question whether fastai is there
        fold = "" if opened else f"#| code-fold: true\n#| code-summary: {json.dumps(part.first_lines)}\n"
        code = mk_cell(fold + part.text)
        return [mk_cell(f"::: {{.library}}\n{self.heading(part.definition, opened)}", "markdown"), code,
                mk_cell(":::", "markdown")]

    def heading(self, definition, opened) -> str:
        "The name of a definition with a link to the reference, and unless its source is seen what it does"
        name = definition and showdoc_nm(definition)
        if not name or name in self.titles: return ""
        link = f"[reference](api/{self.module}.qmd#{name}){{.to-reference}}"
        said = "" if opened else as_typed(ast.get_docstring(definition) or "")
        return f"\n### {name}{'' if opened else ' {.unnumbered .unlisted}'}\n\n{link}\n\n{said}\n"


OURS_INSTEAD = {add_show_docs: show_definitions, clean_show_doc: None, exec_show_docs: None, add_fold: None,
                mv_exports: None, rm_export: None}


class Filter(FilterDefaults):
    "nbdev's processors, with `show_definitions` in place of those that run cells to show signatures"
    def base_procs(self): return list(filter(None, (OURS_INSTEAD.get(p, p) for p in super().base_procs())))


SHEET = '<div class="contact-sheet"'  # as `picture.ContactSheet` begins


def page_of(nb: str) -> str:
    "The page's notebook: `tutorials/01_x.ipynb` becomes `tutorials/x.ipynb`, whose page is `tutorials/x.html`"
    return nbpath2html(nb).with_suffix(".ipynb").as_posix()


def show_imports(nb) -> None:
    "Put what a reader has to import to type the page along in front of its first cell of code, folded where it is long"
    sources = [cell.source for cell in nb.cells if cell.cell_type == "code"]
    text = "\n".join(to_type_along(sources)[0])
    if not text: return
    first = next(n for n, cell in enumerate(nb.cells) if cell.cell_type == "code")
    fold = '#| code-fold: true\n#| code-summary: "Imports"\n' if text.count("\n") > 3 else ""
    nb.cells.insert(first, mk_cell(fold + text, metadata=AttrDict()))


def describe_sheets(nb) -> None:
    "Say of a contact sheet what it shows, as its cell's `fig-alt` has it: Quarto does so for pictures alone"
    for cell in nb.cells:
        alt = re.search(r'^#\| fig-alt: (".*")$', cell.source, re.M)
        for data in (out.get("data", {}) for out in cell.get("outputs", []) if alt):
            page = "".join(data.get("text/html", ""))
            if SHEET in page: data["text/html"] = page.replace(
                SHEET, f'{SHEET} role="group" aria-label="{escape(json.loads(alt[1]))}"')


def run_processors(nbs: Path, pages: Path, name: str) -> None:
    "Process the notebook `name` below `nbs` and write it below `pages` under its page's name"
    nb = read_nb(nbs/name)
    show_imports(nb)
    describe_sheets(nb)
    Filter()(nb)
    for cell in nb.cells:  # what says that a sentence is in a module's docstring, too
        if cell.cell_type == "markdown": cell.source = re.sub(r"\A(#\|.*\n)+", "", cell.source)
    dest = pages/page_of(name)
    dest.parent.mkdir(parents=True, exist_ok=True)
    write_nb(nb, dest)
