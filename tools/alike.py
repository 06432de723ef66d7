"""Where two renderings of the site differ in what a reader finds: the checked one and the published one."""
import re
from pathlib import Path, PurePosixPath

from finishing import NAMES
from lxml.html import HtmlElement, document_fromstring
from outline import REPO


def words(element: HtmlElement) -> str:
    "The text of an element in one line"
    return " ".join(element.text_content().split())


def local(page: str, href: str) -> str:
    "Where a link of `page` leads to within the site"
    parts: list[str] = []
    for part in (PurePosixPath(page).parent/re.split("[?#]", href)[0]).parts:
        if part == "..": del parts[-1:]
        else: parts.append(part)
    return "/".join(parts)


def links(page: str, tree: HtmlElement, where: str) -> list[str]:
    "The pages and files of the site that an element links to"
    hrefs = tree.xpath(f"{where}//a/@href[not(contains(., ':')) and not(starts-with(., '#')) and . != '']")
    return sorted({local(page, href) for href in hrefs})


def follows_the_reader(tree: HtmlElement) -> bool:
    "Whether a page comes with two themes, and takes the one that the browser prefers"
    themes = tree.xpath("//link[contains(@class, 'quarto-color-scheme')]")
    asks = tree.xpath("//head//script/text() | //body/script/text() | //link/@media")
    return len(themes) > 1 and "prefers-color-scheme" in "".join(asks)


def edit_links(tree: HtmlElement) -> list[str]:
    "Where a page can be edited and its source read"
    return sorted(href for href in tree.xpath("//a[contains(@class, 'toc-action')]/@href")
                  if re.search(f"{REPO}/(edit|blob)/", href))


def cards(page: str, tree: HtmlElement) -> list[tuple[str, ...]]:
    "What a listing shows: titles, and the pictures beside them"
    items = tree.xpath("//*[contains(@class, 'quarto-grid-item') or contains(@class, 'quarto-post')]")
    return [(words(item.xpath(".//*[contains(@class, 'listing-title')]")[0]),
             *(local(page, src) for src in item.xpath(".//img/@src"))) for item in items]


CONTENT = "//main[@id='quarto-document-content']"
FACTS = {  # what is compared → how it is read from a page; all else is a renderer's own business
    "title": lambda page, t: words(t.xpath("//h1")[0]),
    "description": lambda page, t: t.xpath("//meta[@name='description']/@content"),
    "card": lambda page, t: t.xpath("//meta[@property='og:image']/@content"),
    "headings": lambda page, t: t.xpath(f"{CONTENT}//section[contains(@class, 'level')]/@id"),
    "contents": lambda page, t: t.xpath("//nav[@id='TOC']//a/@href"),
    "sidebar": lambda page, t: links(page, t, "//nav[@id='quarto-sidebar']"),
    "links": lambda page, t: links(page, t, CONTENT),
    "pictures": lambda page, t: len(t.xpath(f"{CONTENT}//img")),
    "plots": lambda page, t: len(t.xpath(f"{CONTENT}//img[@data-plot]")),
    "tables": lambda page, t: len(t.xpath(f"{CONTENT}//table")),
    "code": lambda page, t: len(t.xpath(f"{CONTENT}//pre[contains(@class, 'sourceCode')]")),
    "edit links": lambda page, t: edit_links(t),
    "places to run it": lambda page, t: t.xpath("//a[contains(@class, 'open-in')]/@href"),
    "cards of the listing": cards,
    "dark mode that follows the reader": lambda page, t: follows_the_reader(t),
    "a way past the menus": lambda page, t: t.xpath("//a[@class='skip']/@href"),
    "named landmarks": lambda page, t: sorted({*NAMES.values()} & {*t.xpath("//@aria-label")}),
    "feed": lambda page, t: t.xpath("//link[@type='application/rss+xml']/@href"),
    "our script": lambda page, t: [local(page, src) for src in t.xpath("//script/@src") if src.endswith("site.js")],
}
FILES = ("search.json", "sitemap.xml", "llms.txt", "posts/index.xml", "slides/index.html", "404.html", "styles.css",
         "site.js")


def survey(site: Path) -> dict[str, dict]:
    "page → the facts of it; and the files that stand beside the pages"
    found = {"": {name: (site/name).exists() for name in FILES}}
    for file in sorted(site.rglob("*.html")):
        name = file.relative_to(site).as_posix()
        if not name.startswith(("slides/", "studio/")):  # which no renderer touches
            tree = document_fromstring(file.read_text(encoding="utf-8"))
            found[name] = {fact: read(name, tree) for fact, read in FACTS.items()}
    return found


def differences(checked: dict[str, dict], published: dict[str, dict]) -> list[str]:
    "What the published site has otherwise than the checked one, a line each: `page: fact: here, there`"
    found = [f"{page}: is missing" for page in checked.keys() - published.keys()]
    found += [f"{page}: is not on the checked site" for page in published.keys() - checked.keys()]
    for page in checked.keys() & published.keys():
        for fact, here in checked[page].items():
            if (there := published[page][fact]) != here: found.append(f"{page or 'site'}: {fact}: {told(here, there)}")
    return sorted(found)


def told(here: object, there: object) -> str:
    "Two values of a fact, lists by what only one of them has"
    if isinstance(here, list) and isinstance(there, list):
        lost, new = [x for x in here if x not in there], [x for x in there if x not in here]
        if lost or new: return f"without {lost[:5]}, with {new[:5]}"
    return f"{there!r} in place of {here!r}"
