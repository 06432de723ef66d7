"""The logo, a bird in a viewfinder, drawn from one list of shapes as SVG and on a page's social card.

    python tools/logo.py        # writes nbs/images/logo.svg
"""
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FILE = Path(__file__).parents[1]/"nbs"/"images"/"logo.svg"
INK, SKY, SUN, BEAK, LEAF = "#10454f", "#e8f3f1", "#f6b73c", "#e4572e", "#17766f"
# on a square of 64: ("disc", cx, cy, rx, ry, colour) or ("poly", points, colour)
SHAPES = [
    ("poly", [(14, 37), (4, 29), (7, 41), (3, 47), (18, 46)], LEAF),  # tail
    ("disc", 29, 37, 17, 14, SUN),  # body
    ("disc", 43, 25, 10.5, 10.5, SUN),  # head
    ("poly", [(52, 21), (63, 26), (52, 29)], BEAK),
    ("disc", 25, 36, 10, 6, LEAF),  # wing
    ("disc", 45, 23, 2.6, 2.6, INK),  # eye
    ("poly", [(26, 50), (28, 50), (28, 57), (26, 57)], BEAK),
    ("poly", [(33, 50), (35, 50), (35, 57), (33, 57)], BEAK),
]
CORNERS = [[(2, 14), (2, 2), (14, 2)], [(50, 2), (62, 2), (62, 14)],
           [(62, 50), (62, 62), (50, 62)], [(14, 62), (2, 62), (2, 50)]]


def svg() -> str:
    "The logo as an SVG file"
    def at(points):
        return " ".join(f"{x:g},{y:g}" for x, y in points)
    body = "".join(f'<ellipse cx="{s[1]}" cy="{s[2]}" rx="{s[3]}" ry="{s[4]}" fill="{s[5]}"/>' if s[0] == "disc"
                   else f'<polygon points="{at(s[1])}" fill="{s[2]}"/>' for s in SHAPES)
    frame = "".join(f'<polyline points="{at(c)}" fill="none" stroke="{LEAF}" stroke-width="4"/>' for c in CORNERS)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" '
            f'role="img" aria-label="A bird in a viewfinder">'
            f'{frame}{body}</svg>\n')


@cache
def picture(size: int, corners=LEAF) -> Image.Image:
    "The logo as an RGBA picture, `size` pixels wide"
    k = size*4/64
    im = Image.new("RGBA", (size*4, size*4))
    d = ImageDraw.Draw(im)
    for c in CORNERS: d.line([(x*k, y*k) for x, y in c], fill=corners, width=round(4*k), joint="curve")
    for s in SHAPES:
        if s[0] == "disc": d.ellipse([(s[1]-s[3])*k, (s[2]-s[4])*k, (s[1]+s[3])*k, (s[2]+s[4])*k], fill=s[5])
        else: d.polygon([(x*k, y*k) for x, y in s[1]], fill=s[2])
    return im.resize((size, size), Image.Resampling.LANCZOS)


def wrap(draw: ImageDraw.ImageDraw, text: str, font, width: int) -> list[str]:
    "Lines of `text` no wider than `width` pixels"
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font=font) <= width: lines[-1] = longer
        else: lines.append(word)
    return lines


def card(file: Path, title: str, text: str, above: str) -> None:
    "A social card, 1200×630: the logo, what kind of page it is, its title and its first sentence"
    im = Image.new("RGB", (1200, 630), SKY)
    d = ImageDraw.Draw(im)
    d.rectangle([0, 606, 1200, 630], fill=LEAF)
    logo = picture(260)
    im.paste(logo, (60, 170), logo)
    small, big, body = (ImageFont.load_default(size) for size in (30, 64, 34))
    lines = wrap(d, title, big, 760)[:3]
    shown = wrap(d, text, body, 760)[:4]
    y = max(60, (600 - 56 - 74*len(lines) - 24 - 44*len(shown))//2)
    d.text((380, y), above, font=small, fill=LEAF)
    y += 56
    for line in lines:
        d.text((380, y), line, font=big, fill=INK, stroke_width=1, stroke_fill=INK)
        y += 74
    y += 24
    for line in shown:
        d.text((380, y), line, font=body, fill=INK)
        y += 44
    im.quantize(32, Image.Quantize.FASTOCTREE).save(file)


if __name__ == "__main__": FILE.write_text(svg(), encoding="utf-8")
