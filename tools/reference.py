"""The API reference: a page for each module, its tables made from the comments beside the parameters."""
import importlib
import inspect
import pkgutil
import re
from functools import cache

import numpy as np
import yaml
from fastcore.docments import docstring
from outline import PAGES, REPO, URL, plain_types


class Numbers:
    "Stands for an array in a signature: the tables' maker compares defaults, and a reader does not want fifty numbers"
    def __init__(self, array): self.text = f"{array.size} numbers, {array.max():g} to {array.min():g}"
    def __repr__(self): return self.text


def shorten_defaults() -> None:
    "Put `Numbers` where a function's default is an array"
    import birdornot
    for module in pkgutil.iter_modules(birdornot.__path__, "birdornot."):
        for o in vars(importlib.import_module(module.name)).values():
            if inspect.isfunction(o) and o.__defaults__:
                o.__defaults__ = tuple(Numbers(d) if isinstance(d, np.ndarray) else d for d in o.__defaults__)


CODE = re.compile(r"(`[^`]*`)|--[a-z][\w-]*|[\w-]+=\"[^\"]*\"|(?<!\w)'[\w.-]*'(?!\w)"
                  r"|[^\s,;()]*\*[^\s,;()]*")


def as_typed(text: str) -> str:
    "Set as code what a comment shows as it is typed, and Markdown would change: options, attributes, strings, patterns"
    return CODE.sub(lambda m: m[1] or f"`{m[0]}`", text)


def remembered(name_of):
    "`name_of`, which looks through all names of a module, asked once for each type"
    kept = cache(name_of)
    def _name_of(anno, mod):
        try: return kept(anno, mod)
        except TypeError: return name_of(anno, mod)  # such as a type that carries a dictionary
    return _name_of


def first_part(sym) -> str:
    "A docstring without the sections for `help`: a page shows the comments that they are made from"
    said, *more = re.split(r"\n\n(?:Parameters|Returns|Raises|Attributes)\n-", docstring(sym))[0].split("\n\n")
    return "\n\n".join([as_typed(said), *more])


def starred(section: str) -> str:
    "Name a function's further arguments in its table as in its signature, and require none of them"
    for stars, name in set(re.findall(r"(?<![\w*])(\*\*?)(\w+)", section)):
        section = re.sub(rf"(?m)^\| `{name}` \| (.*) \| required \|", rf"| `{stars}{name}` | \1 |  |", section)
    return section


def write_api() -> None:
    "One reference page a module, its tables made from the docments, and one that lists them"
    from smalldocs import api
    shorten_defaults()
    api.doc, cell = first_part, api.cell
    api.cell = lambda text: cell(as_typed(text))
    api.name_of = remembered(api.name_of)
    inspect.getsourcelines = cache(inspect.getsourcelines)  # for a class it parses the module, and it is asked thrice
    api.build(api.Settings.read(PAGES, dict(packages=["birdornot"], root="..", linkify=False,
                                            source=f"https://github.com/{REPO}/blob/main")))
    for f in [PAGES/"_symbols.json", PAGES/"api"/".smalldocs-api"]: f.unlink()
    for f in (PAGES/"api").glob("*.qmd"):
        text = re.sub(rf"^Docs: {URL}/(\w+)\.html\.md$", r"[Read the chapter](../\1.ipynb)",
                      f.read_text(encoding="utf-8"), flags=re.M)
        text = "".join(map(starred, re.split(r"(?m)^(?=##+ )", text)))
        f.write_text(plain_types(text), encoding="utf-8")
    rows = [f"| [{f.stem}]({f.name}) | {yaml.safe_load(f.read_text(encoding='utf-8').split('---')[1])['description']} |"
            for f in sorted((PAGES/"api").glob("*.qmd"))]
    head = ("---\ntitle: API reference\ndescription: Every public name of every module\n---\n\n"
            "| module | what it is for |\n|---|---|\n")
    (PAGES/"api"/"index.qmd").write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
