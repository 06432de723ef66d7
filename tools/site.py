"""Build the site: notebooks through nbdev's processors, then pages by smalldocs or by Quarto, then check every page.

    python tools/site.py             # with smalldocs (pip install -e '.[docs]'), into _docs
    python tools/site.py --quarto    # the published one; needs Quarto 1.8 or newer

What a page says about itself stands in its first cell: `# title`, `> description`, then lines such as `- author: …`,
`- date: 2026-11-24`, `- categories: [lesson]`, `- toc: false`, `- badges: false`, `- hide: true` (in no listing).
"""
import argparse
import base64
import gc
import html
import importlib
import inspect
import io
import os
import pkgutil
import re
import shutil
import sys
import time
from functools import cache
from pathlib import Path
from urllib.parse import quote

import numpy as np
import yaml
from fastcore.docments import docstring
from fastcore.nbio import mk_cell, read_nb, write_nb
from nbdev.doclinks import _build_modidx, nbglob
from nbdev.quarto import refresh_quarto_yml
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).parent))
from checksite import check_site, target  # noqa: E402  (its folder has to be on the path first)
from logo import card  # noqa: E402
from processors import page_of, run_processors  # noqa: E402

ROOT = Path(__file__).parents[1]
NBS, PAGES, SITE = ROOT/"nbs", ROOT/"_proc", ROOT/"_docs"
URL, REPO = "https://birdornot.github.io/birdornot", "birdornot/birdornot"
OPEN = {  # where a notebook can be run without installing anything
    "Colab": f"https://colab.research.google.com/github/{REPO}/blob/main/nbs/{{}}",
    "Kaggle": f"https://kaggle.com/kernels/welcome?src=https://github.com/{REPO}/blob/main/nbs/{{}}",
    "Binder": f"https://mybinder.org/v2/gh/{REPO}/main?labpath=nbs%2F{{}}",
}


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


def top_line(name: str, meta: dict) -> str:
    "The line above a page's text: what kind of page it is and where it can be run"
    links = [f'<a class="open-in" href="{url.format(quote(name))}">{place}</a>' for place, url in OPEN.items()]
    how = f'<a href="{"../"*page_of(name).count("/")}tutorials/index.html#run">Run it</a>'
    run = f'<span>{how} in {" ".join(links)}</span>' if meta.get("badges", True) else ""
    return f'<p class="top-line"><span class="kind">{kind_of(name).capitalize()}</span> {run}</p>'


def relink(text: str, page: str) -> str:
    "Links to notebooks and to our own site as links between pages; no links to private names, which have no anchor"
    up = "../"*page.count("/")
    text = re.sub(rf"\[(`[^`\]]+`)\]\({URL}/[\w/]+\.html#_\w+\)", r"\1", text)
    text = re.sub(rf"{URL}/([\w/-]+\.html)", rf"{up}\1", text)
    return re.sub(r"(?<=\]\()(?!https?:)([\w./-]+\.ipynb)", lambda m: page_of(m[1]), text)


def plain_types(text: str) -> str:
    "Types in signatures as a reader calls them: a page's own classes without a module, and functions written in C"
    return text.replace("__main__.", "").replace("builtin_function_or_method", "function")


def thumbnail(nb, file: Path) -> None:
    "The notebook's richest picture, small, for the listings; nothing if it has none"
    shown = [out["data"][kind] for cell in nb.cells for out in cell.get("outputs", [])
             for kind in ("image/jpeg", "image/png") if kind in out.get("data", {})]
    if not shown: return
    picture = Image.open(io.BytesIO(base64.b64decode("".join(max(shown, key=len))))).convert("RGB")
    whole = 1.2 < picture.width/picture.height < 3  # such as a plot, of which nothing may be cut off
    small = (ImageOps.pad(picture, (480, 240), color="white") if whole else
             ImageOps.fit(picture, (480, 240), centering=(0, 0)))
    small.save(file, quality=80)


def as_in_a_terminal(text: str) -> str:
    "What stays of `text` on a terminal, where a carriage return goes back to the line's beginning: no progress bars"
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.removesuffix("\n").split("\n")]
    return "\n".join(lines).strip("\n")


def stage(name: str) -> None:
    "Give a processed notebook its front matter, top line, card and links"
    page = page_of(name)
    nb = read_nb(PAGES/page)
    meta = front_matter(nb.cells[0])
    meta.pop("output-file", None)
    above = "birdornot" if name == "index.ipynb" else f"birdornot · {kind_of(name)}"
    picture = Path(page).with_suffix(".card.png")
    card(PAGES/picture, *(re.sub(r"[`*]", "", meta.get(k, d)) for k, d in (("title", name), ("description", ""))),
         above)
    thumbnail(nb, PAGES/Path(page).with_suffix(".thumb.jpg"))
    meta = {"image": picture.name, "image-alt": f"A picture from {meta.get('title', name)}", **meta}
    nb.cells[0].source = f"---\n{yaml.safe_dump(meta, allow_unicode=True, sort_keys=False)}---"
    if name != "index.ipynb": nb.cells.insert(1, mk_cell(top_line(name, meta), "markdown"))
    for cell in nb.cells:
        if cell.cell_type == "markdown": cell.source = relink(cell.source, page)
        for out in [*cell.get("outputs", [])]:
            if "\r" in (text := "".join(out.get("text", ""))):
                out["text"] = as_in_a_terminal(text)
                if not out["text"]: cell.outputs.remove(out)
            for kind in ("text/markdown", "text/html"):
                if kind in out.get("data", {}):
                    out["data"][kind] = relink(plain_types("".join(out["data"][kind])), page)
    write_nb(nb, PAGES/page)


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


def merged(a: dict, b: dict) -> dict:
    "Two mappings as one, the second winning, mappings inside merged likewise"
    return a | {k: merged(a[k], v) if isinstance(v, dict) and isinstance(a.get(k), dict) else v for k, v in b.items()}


def write_config() -> None:
    "One `_quarto.yml` from the project's, nbdev's and the sidebar, with API reference and changelog added"
    config = yaml.safe_load((ROOT/"_quarto.yml").read_text(encoding="utf-8"))
    for name in config.pop("metadata-files"):
        config = merged(config, yaml.safe_load((NBS/name).read_text(encoding="utf-8")))
    config["format"].pop("commonmark", None)
    config.pop("format-links", None)
    config["project"]["resources"] = ["*.card.png", "*.thumb.jpg", "images/**"]
    told = [*chapters(), *(name for name in in_order(sidebar()) if needs_fastai(name))]
    titles = {name: front_matter(read_nb(PAGES/page_of(name)).cells[0]).get("title", name) for name in told}
    reference = dict(text="Reference", href="api/index.qmd")
    modules = [f"api/{f.name}" for f in sorted((PAGES/"api").glob("*.qmd")) if f.stem != "index"]
    config["website"]["navbar"]["left"] += [reference, dict(text="Changes", href="changelog.md")]
    config["website"]["sidebar"]["contents"] = numbered(sidebar(), titles) + [
        dict(section="Reference", contents=[reference["href"], dict(section="Modules", contents=modules)]),
        "changelog.md"]
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    (PAGES/"_quarto.yml").write_text(re.sub(r"[\w./-]+\.ipynb", lambda m: page_of(m[0]), text), encoding="utf-8")


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


def first_part(sym) -> str:
    "A docstring without the sections for `help`: a page shows the comments that they are made from"
    return re.split(r"\n\n(?:Parameters|Returns|Raises|Attributes)\n-", docstring(sym))[0]


def write_api() -> None:
    "One reference page a module, its tables made from the docments, and one that lists them"
    from smalldocs import api
    shorten_defaults()
    api.doc = first_part
    inspect.getsourcelines = cache(inspect.getsourcelines)  # for a class it parses the module, and it is asked thrice
    api.build(api.Settings.read(PAGES, dict(packages=["birdornot"], root="..", linkify=False,
                                            source=f"https://github.com/{REPO}/blob/main")))
    for f in [PAGES/"_symbols.json", PAGES/"api"/".smalldocs-api"]: f.unlink()
    for f in (PAGES/"api").glob("*.qmd"):
        text = re.sub(rf"^Docs: {URL}/(\w+)\.html\.md$", r"[Read the chapter](../\1.ipynb)",
                      f.read_text(encoding="utf-8"), flags=re.M)
        f.write_text(plain_types(text), encoding="utf-8")
    rows = [f"| [{f.stem}]({f.name}) | {yaml.safe_load(f.read_text(encoding='utf-8').split('---')[1])['description']} |"
            for f in sorted((PAGES/"api").glob("*.qmd"))]
    head = ("---\ntitle: API reference\ndescription: Every public name of every module\n---\n\n"
            "| module | what it is for |\n|---|---|\n")
    (PAGES/"api"/"index.qmd").write_text(head + "\n".join(rows) + "\n", encoding="utf-8")


def write_changelog() -> None:
    "CHANGELOG.md as a page"
    text = (ROOT/"CHANGELOG.md").read_text(encoding="utf-8").split("\n", 1)[1]
    (PAGES/"changelog.md").write_text("---\ntitle: Changelog\n---\n" + text, encoding="utf-8")


def to_known_anchors(file: Path, page: str, ids: dict[Path, set[str]]) -> str:
    "A method is linked at an anchor of its own, which it does not have on every page: link it at its class there"
    def known(m):
        to, anchor = target(file.parent, file, m[1]), m[2]
        if anchor in ids.get(to, {anchor}): return m[0]
        owner = anchor.split(".")[0]
        return f'<a href="{m[1]}{"#" + owner if owner in ids[to] else ""}"'
    return re.sub(r'<a href="([\w./-]+\.html)#([\w.]+)"(?=><code>| class="to-reference")', known, page)


TAG = re.compile(r"</?span[^>]*>")


def hanging(code: re.Match) -> str:
    "Wrap the longer lines of a code block, each in an element that says how far in what does not fit goes on"
    lines, opened = [], ""
    for line in code[2].split("\n"):
        tags = TAG.findall(line := opened + line)
        opened = tags[-1] if tags and tags[-1] != "</span>" else ""  # highlighted beyond the end of the line
        if opened: line += "</span>"
        text = html.unescape(TAG.sub("", line))
        indent = len(text) - len(text.lstrip()) + 4
        lines.append(f'<span class="hanging" style="--indent:{indent}ch">{line}</span>' if len(text) > 40 else line)
    return "\n".join([code[1] + lines[0], *lines[1:]]) + "</code>"


def finish(site: Path) -> None:
    "Point 'Edit this page' and 'View source' at the notebooks a page comes from; take the themes' web fonts out"
    sources = {page_of(name): f"nbs/{name}" for name in notebooks()} | {"changelog.md": "CHANGELOG.md"}
    link = re.compile(rf"(https://github.com/{REPO}/(?:edit|blob)/main/)nbs/([\w./-]+)")
    ids = {f.resolve(): set(re.findall(r'\s(?:id|name)="([^"]+)"', f.read_text(encoding="utf-8")))
           for f in site.rglob("*.html")}
    for f in site.rglob("*.html"):
        page = to_known_anchors(f, f.read_text(encoding="utf-8"), ids)
        if f.parent.name == "api":  # written from the code: nothing to edit
            page = re.sub(r'<div class="action-links"><a[^>]*href="[^"]*/nbs/api/.*?</a></div>', "", page)
        if f.name == "index.html":  # a listing shows what is in a page, not its card
            def seen(m, f=f):
                return m[0].replace(".card.png", ".thumb.jpg") if (f.parent/f"{m[1]}.thumb.jpg").exists() else m[0]
            page = re.sub(r'<img src="([\w/-]+)\.card\.png"', seen, page)
        page = link.sub(lambda m: m[1] + sources.get(m[2], f"nbs/{m[2]}"), page)
        page = re.sub(r'(<code class="sourceCode [^"]*">)(.*?)</code>', hanging, page, flags=re.S)
        f.write_text(page, encoding="utf-8")
    if (llms := site/"llms.txt").exists():  # in the order one reads, not by the alphabet
        order = [Path(page_of(f)).with_suffix("").as_posix() for f in in_order(sidebar())]
        def place(line):
            return next((n for n, name in enumerate(order) if line.endswith(f"({URL}/{name}.llms.md)")), len(order))
        head, pages = llms.read_text(encoding="utf-8").split("## Pages\n\n")
        llms.write_text(f"{head}## Pages\n\n" + "\n".join(sorted(pages.splitlines(), key=place)) + "\n",
                        encoding="utf-8")
    for f in site.rglob("*.css"):
        css = f.read_text(encoding="utf-8")
        f.write_text(re.sub(r"@import\s*url\([\"']?https://fonts\.[^)]*\);?", "", css), encoding="utf-8")


def build(quarto: bool = False) -> None:
    "Process, stage and render every page into `_docs`"
    os.chdir(ROOT)
    for folder in (PAGES, SITE): shutil.rmtree(folder, ignore_errors=True)
    refresh_quarto_yml()
    _build_modidx()
    names = notebooks()
    for f in nbglob(NBS, file_glob="", skip_file_re=r"^[.]|\.ipynb$", skip_folder_re=r"^[_.]|^made$"):
        dest = PAGES/Path(f).relative_to(NBS)
        dest.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(f, dest)
    for name in names:
        run_processors(NBS, PAGES, name)
        stage(name)
    write_api()
    write_changelog()
    write_config()
    if quarto:
        from nbdev.quarto_render import render_quarto
        render_quarto(PAGES, SITE, n_workers=1)
    else:
        from smalldocs.site import build as render
        made = render(PAGES, quiet=True)
        shutil.move(made.out, SITE)
        if made.warnings: sys.exit("smalldocs: " + "\n".join(made.warnings))
    finish(SITE)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quarto", action="store_true", help="render with Quarto instead of smalldocs")
    start = time.perf_counter()
    quarto = p.parse_args().quarto
    build(quarto)
    faults = check_site(SITE)
    for fault in faults: print(fault, file=sys.stderr)
    pages = len(list(SITE.rglob("*.html")))
    print(f"{pages} pages in {SITE.name}, {time.perf_counter() - start:.0f} s, {len(faults)} faults")
    return bool(faults) and not quarto  # Quarto's own parts are not ours to mend; the same pages passed with smalldocs


if __name__ == "__main__":
    failed = main()
    gc.freeze()  # each notebook's shell would collect garbage at the end, all of fifty-odd
    sys.exit(failed)
