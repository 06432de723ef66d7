"""Which pages the site has, in which order, under which names."""
import re
import sys
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from nbdev.doclinks import nbglob

ROOT = Path(__file__).parents[1]
NBS, PAGES, SITE = ROOT/"nbs", ROOT/"_proc", ROOT/"_docs"
URL, REPO = "https://birdornot.github.io/birdornot", "birdornot/birdornot"
ROOT_PATH = f"{urlsplit(URL).path}/"  # what a link to the site's root begins with


@cache
def sidebar() -> list[dict | str]:
    "The entries of `nbs/sidebar.yml`"
    return yaml.safe_load((NBS/"sidebar.yml").read_text(encoding="utf-8"))["website"]["sidebar"]["contents"]


def in_order(contents: list) -> list[str]:
    "The files a sidebar names, from top to bottom"
    files = []
    for entry in contents:
        if isinstance(entry, str): files.append(entry)
        else: files += [*filter(None, [entry.get("href")]), *in_order(entry.get("contents", []))]
    return files


def notebooks() -> list[str]:
    "Every notebook below `nbs`, in the sidebar's order; raises `SystemExit` when the sidebar and the folder differ"
    there = {Path(f).relative_to(NBS).as_posix() for f in nbglob(NBS)}
    listed = [f for f in in_order(sidebar()) if f.endswith(".ipynb")]
    if missing := sorted(there - set(listed) - {f for f in there if f.startswith("posts/")}):
        sys.exit(f"in no place of nbs/sidebar.yml: {', '.join(missing)}; add a line for each")
    if gone := sorted(set(listed) - there):
        sys.exit(f"nbs/sidebar.yml names files that do not exist: {', '.join(gone)}")
    return listed + sorted(there - set(listed))


def chapters() -> list[str]:
    "The numbered chapters, which stand in the sidebar's parts"
    return [name for name in in_order(sidebar()) if re.match(r"\d\d_", name)]


def front_matter(cell) -> dict:
    "The front matter of a processed notebook's first cell"
    return yaml.safe_load(cell.source.split("---")[1]) if cell.cell_type == "raw" else {}


def kind_of(name: str) -> str:
    "What a reader calls the page: `chapter 41`, as its file is numbered, `tutorial` or `post`"
    if name in chapters(): return f"chapter {name[:2]}"
    return dict(tutorials="tutorial", posts="post").get(name.split("/")[0], "")


def needs_fastai(name: str) -> bool:
    "Whether a page says in its head that it needs the extra `fastai`"
    return name.endswith(".ipynb") and "needs the extra `fastai`:*" in (NBS/name).read_text(encoding="utf-8")


def numbered(contents: list, titles: dict[str, str]) -> list:
    "A sidebar's entries, chapters with the numbers of their files, and those that need the extra `fastai` with a mark"
    new = []
    for entry in contents:
        if isinstance(entry, dict):
            new.append(entry | ({"contents": numbered(entry["contents"], titles)} if "contents" in entry else {}))
        elif entry in titles:
            number, mark = entry[:2] + " " if entry in chapters() else "", "\u00a0ᶠ" if needs_fastai(entry) else ""
            new.append(dict(text=f"{number}{titles[entry][:1].upper()}{titles[entry][1:]}{mark}", href=entry))
        else: new.append(entry)
    return new


def plain_types(text: str) -> str:
    "Types in signatures as a reader calls them: a page's own classes without a module, and functions written in C"
    text = re.sub(r"<(\w+\.\w+): \w+>", r"\1", text)  # a member of an enumeration
    text = re.sub(r"Annotated\[(\w+), \{.*?\}\]", r"\1", text)  # what is added there is for the command line's parser
    return text.replace("__main__.", "").replace("builtin_function_or_method", "function")
