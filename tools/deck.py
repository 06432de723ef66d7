"""The tutorial that is also a talk, as a deck for the browser: one page, its slides turned with the arrow keys."""
import re
from html import escape
from pathlib import Path

from fastcore.nbio import read_nb
from markdown_it import MarkdownIt
from outline import NBS

DECK, HERE = "tutorials/04_slides.ipynb", Path(__file__).parent
markdown = MarkdownIt("commonmark").enable("table").render


def slides(nb) -> list[list]:
    "The cells of each slide, those to skip left out; cells before the first slide are not part of any"
    parts = []
    for cell in nb.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if kind == "slide": parts.append([])
        if parts and kind != "skip": parts[-1].append((kind, cell))
    return parts


def pictures(cell) -> str:
    "What a cell of code shows, without its code: a drawing, or photos from edge to edge"
    data = [out.get("data", {}) for out in cell.get("outputs", [])]
    said = re.search(r'^#\| fig-alt: "(.*)"$', cell.source, re.M)[1]
    if drawn := ["".join(d["image/svg+xml"]) for d in data if "image/svg+xml" in d]:
        return f'<div class="drawing">{"".join(drawn)}</div>'
    photos = re.findall(r'<img [^>]*?src="([^"]+)"', "".join("".join(d.get("text/html", "")) for d in data))
    shown = "".join(f'<img src="{src}" alt="{n} of {len(photos)}">' for n, src in enumerate(photos, 1))
    columns = min(len(photos), 5)
    return f'<div class="photos" role="group" aria-label="{escape(said)}" style="--n:{columns}">{shown}</div>'


def slide(cells, n: int, last: int) -> str:
    "One slide: its heading and text, what its code shows, and below, unless they are asked for, the speaker's notes"
    text = "".join(markdown(c.source) for kind, c in cells if c.cell_type == "markdown" and kind != "notes")
    text = text.replace("h2>", "h1>")  # only one slide is there at a time
    notes = "".join(markdown(c.source) for kind, c in cells if kind == "notes")
    shown = "".join(pictures(c) for _, c in cells if c.cell_type == "code")
    return (f'<section class="slide" id="{n}" aria-label="{n} of {last}"><div class="text">{text}</div>{shown}'
            f'<aside class="notes" hidden>{notes}</aside></section>')


def deck(nb) -> str:
    "The whole page, with its styles and its script"
    title, subtitle = re.match(r"# (.+)\n> (.+)", nb.cells[0].source).groups()
    parts = slides(nb)
    style, script = ((HERE/name).read_text(encoding="utf-8") for name in ("deck.css", "deck.js"))
    shown = "".join(slide(cells, n, len(parts)) for n, cells in enumerate(parts, 1))
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} – birdornot</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{escape(subtitle)}">
<link rel="icon" href="../images/logo.svg"><style>{style}</style></head><body><main tabindex="0">
<section class="slide cover" id="0" aria-label="Cover"><img src="../images/logo.svg" alt="A bird in a viewfinder">
<h1>{title}</h1><p>{subtitle}</p><p><button id="start">Start</button></p>
<p class="small"><kbd>→</kbd> <kbd>←</kbd> turn the pages, <kbd>s</kbd> shows the speaker's notes, <kbd>f</kbd> fills
the screen. <a href="../tutorials/slides.html">Read it as a page</a></p></section>
{shown}</main>
<nav aria-label="Slides"><button id="back" aria-label="Back">←</button><span id="place"></span>
<button id="on" aria-label="On">→</button></nav><script>{script}</script></body></html>
"""


def write_deck(site: Path) -> None:
    "The deck as `slides/index.html` below `site`"
    (site/"slides").mkdir(exist_ok=True)
    (site/"slides"/"index.html").write_text(deck(read_nb(NBS/DECK)), encoding="utf-8")
