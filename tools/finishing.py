"""What a rendered site still needs: links that lead somewhere, code wrapped within its column, no fonts from afar."""
import base64
import html
import io
import re
from pathlib import Path

from checksite import target
from outline import REPO, ROOT_PATH, URL, in_order, notebooks, sidebar
from PIL import Image
from processors import page_of


def to_known_anchors(file: Path, page: str, ids: dict[Path, set[str]]) -> str:
    "A method is linked at an anchor of its own, which it does not have on every page: link it at its class there"
    def known(m):
        to, anchor = target(file.parent, file, m[1]), m[2]
        if anchor in ids.get(to, {anchor}): return m[0]
        owner = anchor.split(".")[0]
        return f'<a href="{m[1]}{"#" + owner if owner in ids[to] else ""}"'
    return re.sub(r'<a href="([\w./-]+\.html)#([\w.]+)"(?=><code>| class="to-reference")', known, page)


SPAN, TAG = re.compile(r"</?span[^>]*>"), re.compile(r"</?(?:span|a)\b[^>]*>")


WRAPS = 32  # characters; longer lines of code may not fit on a phone 360 pixels wide


def hanging(code: re.Match) -> str:
    "Wrap the longer lines of a code block, each in an element that says how far in what does not fit goes on"
    lines, opened = [], ""
    for line in code[2].split("\n"):
        tags = SPAN.findall(line := opened + line)
        opened = tags[-1] if tags and tags[-1] != "</span>" else ""  # highlighted beyond the end of the line
        if opened: line += "</span>"
        text = html.unescape(TAG.sub("", line))
        indent = len(text) - len(text.lstrip()) + 4
        line = re.sub(r"^((?:<span[^>]*>|<a [^>]*></a>)*)( +)", r"\1<i>\2</i>", line)
        lines.append(f'<span class="hanging" style="--indent:{indent}ch">{line}</span>' if len(text) > WRAPS else line)
    return "\n".join([code[1] + lines[0], *lines[1:]]) + "</code>"


NAMES = {  # of the parts of a page, for those who hear them
    '<nav class="navbar ': "Site", '<nav class="quarto-secondary-nav': "This page's place",
    '<nav id="quarto-sidebar"': "All pages", '<nav id="TOC"': "On this page",
    '<nav class="page-navigation': "Pages before and after",
    '<div id="quarto-margin-sidebar"': "About this page"}
MENU = ' role="navigation"'  # what opens a part of the sidebar, twice: a title and an arrow
SECTION = re.compile(rf'(<a class="sidebar-item-text[^>]*){MENU}([^>]*>.*?</a>\s*<a class="sidebar-item-toggle[^>]*)'
                     rf"{MENU}([^>]*>)", re.S)
PRESSED = ' role="button" tabindex="0"'
SKIP = '<a class="skip" href="#quarto-document-content">Skip to the text</a>'
LISTED = re.compile(r'<h([35]) class="(no-anchor [^"]*listing-title)">(.*?)</h\1>', re.S)


def for_everybody(page: str, up: str) -> str:
    "What renderers leave out for those who use a keyboard or hear a page: names of its parts, a way past the menus"
    page = SECTION.sub(rf'\1{PRESSED}\2 aria-hidden="true"\3', page).replace(MENU, PRESSED)
    for tag, name in NAMES.items():
        role = ' role="complementary"' if tag.startswith("<div") else ""
        page = page.replace(tag, tag.replace(" ", f' aria-label="{name}"{role} ', 1))
    page = page.replace("<th></th>", "<td></td>")  # the corner of a table that pandas writes is the heading of nothing
    page = LISTED.sub(r'<h2 class="\2">\3</h2>', page)
    page = re.sub(r"<body[^>]*>", rf"\g<0>{SKIP}", page, count=1)
    page = page.replace('id="quarto-document-content"', 'id="quarto-document-content" tabindex="-1"', 1)
    head = (f'<link rel="alternate" type="application/rss+xml" title="birdornot: posts" href="{up}posts/index.xml">'
            f'<script src="{up}site.js" defer></script></head>')
    return page.replace("</head>", head, 1)


def with_cards(page: str) -> str:
    "A listing shows what is in a page, its thumbnail; a link that is shared shows the page's card"
    return re.sub(r"<meta [^>]*\.thumb\.jpg[^>]*>", lambda m: m[0].replace(".thumb.jpg", ".card.png"), page)


def is_plot(data: bytes) -> bool:
    "Whether a picture is drawn on dark grey, in few colours and not tiny: a plot, not a sheet of photos"
    picture = Image.open(io.BytesIO(data))
    if picture.height < 150: return False
    picture.draft("RGB", (200, 200))
    colours = picture.convert("RGB").resize((50, 50), Image.Resampling.NEAREST).getcolors(2500)
    ground = sum(n for n, (r, g, b) in colours if 28 <= max(r, g, b) <= 41 and max(r, g, b) - min(r, g, b) < 10)/2500
    return ground > 0.57 or (ground > 0.4 and len({(r >> 4, g >> 4, b >> 4) for _, (r, g, b) in colours}) < 80)


def mark_plots(file: Path, page: str) -> str:
    "Plots are stored on dark grey: mark them, so that a light page can show them on its own ground"
    def marked(m):
        kind, _, data = m[2].partition(";base64,")
        if data: data = base64.b64decode(data)
        elif (there := target(file.parent, file, kind)).suffix in (".png", ".jpg"): data = there.read_bytes()
        return f"{m[1]}data-plot {m[0][len(m[1]):]}" if data and is_plot(data) else m[0]
    return re.sub(r'(<img )(?:[^>]*? )??src="([^"]+)"', marked, page)


def at_any_depth(page: str) -> str:
    "The page for addresses that lead nowhere, whose own address may be any: its links begin at the site's root"
    return re.sub(r'(\s(?:href|src)="|:offset" content=")(?![a-z]+:|[/#"])(?:\./)?', rf"\1{ROOT_PATH}", page)


def page_depth(file: Path, site: Path) -> int:
    "How many folders below the site's first one a page lies"
    return len(file.relative_to(site).parts) - 1


def finish(site: Path) -> None:
    "Point 'Edit this page' and 'View source' at the notebooks a page comes from; take the themes' web fonts out"
    sources = {page_of(name): f"nbs/{name}" for name in notebooks()} | {"changelog.md": "CHANGELOG.md"}
    link = re.compile(rf"(https://github.com/{REPO}/(?:edit|blob)/main/)nbs/([\w./-]+)")
    ids = {f.resolve(): set(re.findall(r'\s(?:id|name)="([^"]+)"', f.read_text(encoding="utf-8")))
           for f in site.rglob("*.html")}
    for f in site.rglob("*.html"):
        page = to_known_anchors(f, f.read_text(encoding="utf-8"), ids)
        if f.parent.name == "api":  # written from the code: nothing to edit
            page = re.sub(r'<(div|li)[^>]*><a[^>]*href="[^"]*/nbs/api/[^>]*>.*?</a></\1>', "", page)
        for name in dict.fromkeys(re.findall(r"data-drive=['\"]([a-z]+)['\"]", page)):  # figures that a reader drives
            to = "../"*page_depth(f, site) + f"figures/{name}.js"
            page = page.replace("</body>", f'<script type="module" src="{to}"></script></body>')
        page = link.sub(lambda m: m[1] + sources.get(m[2], f"nbs/{m[2]}"), page)
        page = re.sub(r'(<code class="sourceCode [^"]*">)(.*?)</code>', hanging, page, flags=re.S)
        page = mark_plots(f, page)
        page = for_everybody(with_cards(page), "../"*len(f.relative_to(site).parents[:-1]))
        if f.name == "404.html": page = at_any_depth(page)
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
