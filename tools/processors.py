"""nbdev's processors, as the site uses them."""
import ast
import os
import re
import warnings
from functools import cache
from pathlib import Path

from fastcore import docments
from fastcore.basics import AttrDict
from fastcore.nbio import mk_cell, read_nb, write_nb
from nbdev import config, processors
from nbdev.config import nbpath2html
from nbdev.processors import FilterDefaults, exec_show_docs
from visible import to_type_along

_whole = docments.docstring


def first_part(sym) -> str:
    "A docstring without the sections for `help`: a page shows the comments that they are made from"
    return re.split(r"\n\n(?:Parameters|Returns|Attributes)\n-", _whole(sym))[0]


docments.docstring = first_part
processors.get_config = cache(config.get_config)  # nbdev reads pyproject.toml again for every cell


class exec_definitions(exec_show_docs):
    "Run what `show_doc` needs; of a cell that imports and does something else, such as asking first, only the imports"
    def __call__(self, cell):
        tree = cell.parsed_() if cell.cell_type == "code" else None
        if not tree or "export" in cell.directives_: return super().__call__(cell)
        inside = [n for statement in tree for n in (statement.body if isinstance(statement, ast.If) else [statement])]
        imports = [n for n in inside if isinstance(n, (ast.Import, ast.ImportFrom))]
        if not imports or len(imports) == len(inside): return super().__call__(cell)
        super().__call__(mk_cell("\n".join(map(ast.unparse, imports))))


class Filter(FilterDefaults):
    "nbdev's processors, with ours in place of `exec_show_docs`"
    def base_procs(self): return [exec_definitions if p is exec_show_docs else p for p in super().base_procs()]


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
    nb.cells.insert(first, mk_cell(f"#| eval: false\n{fold}{text}", metadata=AttrDict()))
    for n, cell in enumerate(nb.cells): cell.idx_ = n  # nbdev puts documentation beside the cell of this number


def run_processors(nbs: Path, pages: Path, name: str) -> None:
    "Process the notebook `name` below `nbs` and write it below `pages` under its page's name"
    os.environ["IN_TEST"] = "1"
    nb = read_nb(nbs/name)
    show_imports(nb)
    with warnings.catch_warnings(action="ignore"):  # imports run alone here, without the cells that silence them
        Filter()(nb)
    dest = pages/page_of(name)
    dest.parent.mkdir(parents=True, exist_ok=True)
    write_nb(nb, dest)
