"""A processed notebook becomes the source of a page: front matter, top line, card, thumbnail, links."""
import base64
import io
import re
from pathlib import Path
from urllib.parse import quote

import yaml
from deck import DECK
from fastcore.nbio import mk_cell, read_nb, write_nb
from logo import card
from outline import NBS, PAGES, REPO, URL, front_matter, kind_of, plain_types
from PIL import Image, ImageOps
from processors import page_of
from twins import has_twins

OPEN = {  # where a notebook can be run without installing anything
    "Colab": f"https://colab.research.google.com/github/{REPO}/blob/main/nbs/{{}}",
    "Kaggle": f"https://kaggle.com/kernels/welcome?src=https://github.com/{REPO}/blob/main/nbs/{{}}",
    "Binder": f"https://mybinder.org/v2/gh/{REPO}/main?labpath=nbs%2F{{}}",
}


def top_line(name: str, meta: dict, runs: bool) -> str:
    "The line above a page's text: what kind of page it is, and if it `runs`, where, and what can be downloaded"
    links = [f'<a class="open-in" href="{url.format(quote(name))}">{place}</a>' for place, url in OPEN.items()]
    up = "../"*page_of(name).count("/")
    how = f'<a href="{up}tutorials/index.html#run">Run it</a>'
    run = f'<span>{how} in {" ".join(links)}</span>' if runs and meta.get("badges", True) else ""
    start = '<a class="open-in start" href="../slides/index.html">Start the slides</a>'*(name == DECK)
    files = [f'<a class="open-in" href="{up}notebooks/{quote(name)}" download>the notebook</a>']
    if has_twins(name): files.append(twin_links(name))
    twins = f"<span>Download {' '.join(files)}</span>" if runs else ""
    return f'<p class="top-line"><span class="kind">{kind_of(name).capitalize()}</span> {start} {run} {twins}</p>'


def twin_names(name: str) -> tuple[str, str]:
    "Where the twins of the notebook `name` lie, beside its page"
    return tuple(Path(page_of(name)).with_suffix(f".{kind}.ipynb").as_posix() for kind in ("clean", "answers"))


def twin_links(name: str) -> str:
    "Links to the twins of a notebook: without its prose, and where it asks questions, their answers"
    asks = "<summary>Answer</summary>" in (NBS/name).read_text(encoding="utf-8")
    links = [f'<a class="open-in" href="{Path(twin).name}" download>{what}</a>'
             for twin, what in zip(twin_names(name), ("without the prose", "the answers")[:1 + asks])]
    return " ".join(links)


def relink(text: str, page: str) -> str:
    "Links to notebooks and to our own site as links between pages; no links to private names, which have no anchor"
    up = "../"*page.count("/")
    text = re.sub(rf"\[(`[^`\]]+`)\]\({URL}/[\w/]+\.html#_\w+\)", r"\1", text)
    text = re.sub(rf"{URL}/([\w/-]+\.html)", rf"{up}\1", text)
    return re.sub(r"(?<=\]\()(?!https?:)([\w./-]+\.ipynb)", lambda m: page_of(m[1]), text)


def tiles(data: dict) -> list[str]:
    "The pictures of an output, base64: one, or those of a contact sheet"
    whole = ["".join(data[kind]) for kind in ("image/jpeg", "image/png") if kind in data]
    return whole[:1] or re.findall('src="data:image/webp;base64,([^"]+)"', "".join(data.get("text/html", "")))


def collage(pictures: list[Image.Image]) -> Image.Image:
    "Eight, two or one of some pictures, twice as wide as high"
    n, side = next((n, side) for n, side in ((8, 120), (2, 240), (1, 0)) if n <= len(pictures))
    if not side: return pictures[0]
    sheet = Image.new("RGB", (480, 240))
    for i, im in enumerate(pictures[:n]):
        sheet.paste(ImageOps.fit(im, (side, side)), (i*side % 480, i*side//480*side))
    return sheet


def thumbnail(nb, file: Path, card: Path) -> None:
    "The notebook's richest picture, small, for the listings; the page's card if it has none"
    shown = [tiles(out.get("data", {})) for cell in nb.cells for out in cell.get("outputs", [])]
    richest = max(shown, key=lambda some: sum(map(len, some)), default=[])
    picture = collage([Image.open(f).convert("RGB")
                       for f in [io.BytesIO(base64.b64decode(text)) for text in richest] or [card]])
    whole = 1.2 < picture.width/picture.height < 3  # such as a plot, of which nothing may be cut off
    small = (ImageOps.pad(picture, (480, 240), color=picture.getpixel((1, 1))) if whole else
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
    runs = any(cell.cell_type == "code" for cell in nb.cells)
    above = "birdornot" if name == "index.ipynb" else f"birdornot · {kind_of(name)}"
    picture = Path(page).with_suffix(".card.png")
    card(PAGES/picture, *(re.sub(r"[`*]", "", meta.get(k, d)) for k, d in (("title", name), ("description", ""))),
         above)
    if "/" in name:  # listed
        listed = picture.with_name(picture.name.replace(".card.png", ".thumb.jpg"))
        thumbnail(nb, PAGES/listed, PAGES/picture)
        picture = listed
    meta = {"image": picture.name, "image-alt": f"A picture from {meta.get('title', name)}", **meta}
    nb.cells[0].source = f"---\n{yaml.safe_dump(meta, allow_unicode=True, sort_keys=False)}---"
    if name != "index.ipynb": nb.cells.insert(1, mk_cell(top_line(name, meta, runs), "markdown"))
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


def stage_listing(folder: str) -> None:
    "Give the page that lists a folder's notebooks a card of its own"
    file = PAGES/folder/"index.qmd"
    front = yaml.safe_load((text := file.read_text(encoding="utf-8")).split("---")[1])
    card(file.with_name("index.card.png"), front["title"], front["description"], "birdornot")
    file.write_text(text.replace("---\n", "---\nimage: index.card.png\n", 1), encoding="utf-8")
