"""What a rendered site still needs: links that lead somewhere, code wrapped within its column, no fonts from afar."""
import html
import re
from pathlib import Path

from checksite import target
from outline import REPO, URL, in_order, notebooks, sidebar
from processors import page_of


def to_known_anchors(file: Path, page: str, ids: dict[Path, set[str]]) -> str:
    "A method is linked at an anchor of its own, which it does not have on every page: link it at its class there"
    def known(m):
        to, anchor = target(file.parent, file, m[1]), m[2]
        if anchor in ids.get(to, {anchor}): return m[0]
        owner = anchor.split(".")[0]
        return f'<a href="{m[1]}{"#" + owner if owner in ids[to] else ""}"'
    return re.sub(r'<a href="([\w./-]+\.html)#([\w.]+)"(?=><code>| class="to-reference")', known, page)


TAG = re.compile(r"</?span[^>]*>")


WRAPS = 32  # characters; longer lines of code may not fit on a phone 360 pixels wide


def hanging(code: re.Match) -> str:
    "Wrap the longer lines of a code block, each in an element that says how far in what does not fit goes on"
    lines, opened = [], ""
    for line in code[2].split("\n"):
        tags = TAG.findall(line := opened + line)
        opened = tags[-1] if tags and tags[-1] != "</span>" else ""  # highlighted beyond the end of the line
        if opened: line += "</span>"
        text = html.unescape(TAG.sub("", line))
        indent = len(text) - len(text.lstrip()) + 4
        lines.append(f'<span class="hanging" style="--indent:{indent}ch">{line}</span>' if len(text) > WRAPS else line)
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
