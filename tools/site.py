"""Build the site: notebooks through nbdev's processors, then pages by smalldocs or by Quarto, then check every page.

    python tools/site.py             # with smalldocs (pip install -e '.[docs]'), into _docs
    python tools/site.py --quarto    # and the published one, held against it; needs Quarto 1.9 or newer

What a page says about itself stands in its first cell, `# title` and `> description`, and in a raw cell below it,
between two lines `---`: `author: …`, `date: 2026-11-24`, `categories: [lesson]`, `toc: false`, `badges: false`,
`hide: true` (in no listing).
"""
import argparse
import functools
import gc
import os
import re
import shutil
import sys
import time
from pathlib import Path

import yaml
from fastcore.nbio import read_nb, write_nb
from fastcore.xml import Safe, to_xml
from nbdev.doclinks import _build_modidx, nbglob
from nbdev.quarto import refresh_quarto_yml

sys.path.insert(0, str(Path(__file__).parent))
from alike import differences, survey  # noqa: E402  (its folder has to be on the path first)
from checksite import check_site  # noqa: E402
from deck import write_deck  # noqa: E402
from finishing import finish  # noqa: E402
from outline import NBS, PAGES, ROOT, SITE, chapters, front_matter, in_order, needs_fastai, notebooks, numbered, sidebar  # noqa: E402
from processors import page_of, run_processors  # noqa: E402
from reference import write_api  # noqa: E402
from staging import relink, stage, stage_listing, twin_names  # noqa: E402
from twins import answers, clean_twin, has_twins  # noqa: E402

from birdornot.studio import write_studio  # noqa: E402


def merged(a: dict, b: dict) -> dict:
    "Two mappings as one, the second winning, mappings inside merged likewise"
    return a | {k: merged(a[k], v) if isinstance(v, dict) and isinstance(a.get(k), dict) else v for k, v in b.items()}


def write_config(quarto: bool) -> None:
    "One `_quarto.yml` from the project's, nbdev's and the sidebar, with API reference and changelog added"
    config = yaml.safe_load((ROOT/"_quarto.yml").read_text(encoding="utf-8"))
    for name in config.pop("metadata-files"):
        config = merged(config, yaml.safe_load((NBS/name).read_text(encoding="utf-8")))
    config["format"].pop("commonmark", None)
    config.pop("format-links", None)
    if not quarto:  # smalldocs compiles no SCSS; styles.css sets the same colours
        config["format"]["html"].pop("respect-user-color-scheme")
        theme = config["format"]["html"]["theme"]
        theme.update({mode: names[0] for mode, names in theme.items()})
    config["project"]["resources"] = ["*.card.png", "*.thumb.jpg", "images/**", "figures/**", "site.js"]
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


def keep_links(layout) -> None:
    "Make a link of the sidebar once for all pages of a folder, but for the page that it leads to: there are 17,000"
    make, made = layout.side_item, {}

    def side_item(self, item, depth):
        if item.section or item.sep or item.page is self.page: return make(self, item, depth)
        if (key := (id(item), self.page.out.parent)) not in made:
            made[key] = Safe(to_xml(make(self, item, depth), indent=False))
        return made[key]
    layout.side_item = side_item


def write_changelog() -> None:
    "CHANGELOG.md as a page"
    text = (ROOT/"CHANGELOG.md").read_text(encoding="utf-8").split("\n", 1)[1]
    (PAGES/"changelog.md").write_text("---\ntitle: Changelog\n---\n" + text, encoding="utf-8")


def write_notebooks() -> None:
    "Every notebook to download, and beside its page its twins: without its prose, and the answers to its questions"
    for name in notebooks():
        (SITE/"notebooks"/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(NBS/name, SITE/"notebooks"/name)
    for name in filter(has_twins, notebooks()):
        nb = read_nb(NBS/name)
        for twin, dest in zip((clean_twin(nb), answers(nb)), twin_names(name)):
            if twin: write_nb(twin, SITE/dest)


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
        if dest.suffix == ".qmd": dest.write_text(relink(Path(f).read_text(encoding="utf-8"), ""), encoding="utf-8")
        else: shutil.copy2(f, dest)
    for name in names:
        run_processors(NBS, PAGES, name)
        stage(name)
    for folder in ("tutorials", "posts"): stage_listing(folder)
    write_api()
    write_changelog()
    write_config(quarto)
    if quarto:
        from nbdev.quarto_render import render_quarto
        render_quarto(PAGES, SITE, n_workers=1)
    else:
        from smalldocs import highlight, layout, markdown
        from smalldocs.site import build as render
        highlight.css_class = functools.cache(highlight.css_class)  # asked of each word; and a page is rendered twice
        highlight.get_lexer_by_name = functools.cache(highlight.get_lexer_by_name)
        markdown.highlight = functools.cache(markdown.highlight)
        keep_links(layout.Layout)
        made = render(PAGES, quiet=True)
        shutil.move(made.out, SITE)
        if made.warnings: sys.exit("smalldocs: " + "\n".join(made.warnings))
    finish(SITE)
    write_notebooks()
    write_deck(SITE)
    write_studio(SITE/"studio")


def main() -> int:
    gc.disable()  # what is made lasts to the end, and to look through it again and again takes a tenth of the time
    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the heads of 3,000 cells are read, and twice
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quarto", action="store_true", help="render with Quarto, too, and fail where the two differ")
    start = time.perf_counter()
    quarto = p.parse_args().quarto
    build()
    faults = check_site(SITE)
    if quarto:
        checked = survey(SITE)
        build(quarto=True)
        faults += differences(checked, survey(SITE))
    for fault in faults: print(fault, file=sys.stderr)
    pages = len(list(SITE.rglob("*.html")))
    print(f"{pages} pages in {SITE.name}, {time.perf_counter() - start:.0f} s, {len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    failed = main()
    gc.freeze()  # each notebook's shell would collect garbage at the end, all of fifty-odd
    sys.exit(failed)
