"""Check a built site: links, anchors, alt text, size, no warnings, and that reading it asks nothing of another server.

    python tools/checksite.py _docs
"""
import re
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml.html import document_fromstring
from outline import ROOT_PATH

MAX_PAGE = 1_500_000  # bytes a page may weigh with all that it loads


class Page:
    "What a page links to, loads, shows and can be linked at"
    LOADS = "|".join(f"//{tag}/@src" for tag in ("img", "script", "source", "iframe", "video", "audio"))
    CODE = " or ".join(f"ancestor::{tag}" for tag in ("pre", "code", "script", "style"))

    def __init__(self, text: str):
        tree = document_fromstring(text)
        self.links = tree.xpath("//a/@href[. != '']")
        sheets = [link.get("href", "") for link in tree.iter("link")
                  if {"stylesheet", "icon", "preload"} & set(link.get("rel", "").split())]
        self.loads = sheets + tree.xpath(self.LOADS)
        self.ids = set(tree.xpath("//@id | //@name"))
        self.pictures = [(img.get("alt"), img.get("src", "")[:60]) for img in tree.iter("img")]
        self.pictures += [(svg.get("aria-label"), "svg") for svg in tree.iter("svg")
                          if svg.get("aria-hidden") != "true"]
        self.warnings = [path for text in tree.xpath("//text()[contains(., 'site-packages')]")
                         for path in re.findall(r"\S*site-packages\S*", text)]
        self.unmade = [link for text in tree.xpath(f"//text()[contains(., '](')][not({self.CODE})]")
                       for link in re.findall(r"\]\([^\s)]*\)?", text)]
        self.dashes = [option for text in tree.xpath(f"//text()[contains(., '–')][not({self.CODE})]")
                       for option in re.findall(r"(?<!\S)–[a-z][a-z-]*", text)]
        self.directives = tree.xpath(f"//text()[contains(., '#| ')][not({self.CODE})]")


@cache
def _file(folder: Path, path: str) -> Path:
    "The file `path` leads to from `folder`; most links are those of the sidebar, on every page the same"
    file = folder/path
    return (file/"index.html" if file.is_dir() else file).resolve()


def target(site: Path, page: Path, href: str) -> Path:
    "The file a link without scheme leads to"
    path = unquote(urlsplit(href).path)
    if not path: return page.resolve()
    return _file(site, path.removeprefix(ROOT_PATH)) if path.startswith(ROOT_PATH) else _file(page.parent, path)


def weight(site: Path, file: Path, loads: list[str]) -> int:
    "Bytes of a page and of the files it loads, fonts and pictures of its stylesheets included"
    files = {file} | {target(site, file, u) for u in loads if not urlsplit(u).scheme}
    for css in [f for f in files if f.suffix == ".css" and f.exists()]:
        urls = re.findall(r"url\([\"']?(?!data:)([^\"')]+)", css.read_text(encoding="utf-8"))
        files |= {f for f in (target(site, css, u) for u in urls) if f.suffix != ".woff"}  # woff2 is taken first
    return sum(f.stat().st_size for f in files if f.is_file())


def check_page(site: Path, file: Path, ids: dict[Path, set[str]], page: Page) -> list[str]:
    "What is wrong with one page"
    faults = []
    for href in dict.fromkeys(page.links + page.loads):
        parts = urlsplit(href)
        if parts.scheme or href.startswith("//"): continue
        to = target(site, file, href)
        if not to.exists(): faults.append(f"broken link {href}")
        elif parts.fragment and to.suffix == ".html" and not parts.fragment.startswith("category="):
            if unquote(parts.fragment) not in ids.get(to, set()): faults.append(f"no such anchor {href}")
    faults += [f"loads {u} from another server" for u in page.loads if re.match(r"(https?:)?//", u)]
    faults += [f"picture without alt text: {src}" for alt, src in page.pictures if not (alt or "").strip()]
    faults += [f"shows a warning or a machine's path: {path}" for path in page.warnings]
    faults += [f"a link that was not made one: {text}" for text in page.unmade]
    faults += [f"an option whose hyphens became a dash: {option}" for option in page.dashes]
    faults += [f"shows a directive: {text.strip()[:60]}" for text in page.directives]
    if (size := weight(site, file, page.loads)) > MAX_PAGE:
        faults.append(f"weighs {size:,} bytes, more than {MAX_PAGE:,}")
    return faults


def check_site(site: Path) -> list[str]:
    "Every fault of every page, as `page: fault`"
    site = site.resolve()
    found = [f for f in sorted(site.rglob("*.html")) if f.relative_to(site).parts[0] != "studio"]  # an application
    pages = {f: Page(f.read_text(encoding="utf-8")) for f in found}
    ids = {f: p.ids for f, p in pages.items()}
    faults = [f"{f.relative_to(site)}: {fault}" for f, p in pages.items() for fault in check_page(site, f, ids, p)]
    for css in site.rglob("*.css"):
        outside = re.findall(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')]+)", css.read_text(encoding="utf-8"))
        faults += [f"{css.relative_to(site)}: loads {u} from another server" for u in outside]
    return faults


if __name__ == "__main__":
    found = check_site(Path(sys.argv[1]))
    print("\n".join(found) or "no faults")
    sys.exit(bool(found))
