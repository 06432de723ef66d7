"""A stand-in for Quarto, which pip cannot install: a finished page as Quarto 1.9 would have rendered it

It has the markup of Quarto's that `tools/finishing.py` and `tools/alike.py` read, from its templates and published
pages: what they make of these pages is tested here, and what Quarto itself does only where it is installed."""
import re

ASKS = "<script>const prefersDark = window.matchMedia('(prefers-color-scheme: dark)');</script>"


def lines_with_anchors(code: re.Match) -> str:
    "A block of code, each of its lines in an element that can be linked at"
    text = re.sub(r'<span class="hanging"[^>]*>(.*)</span>$', r"\1", code[2], flags=re.M)
    lines = re.sub("</?i>", "", text).split("\n")
    marked = (f'<span id="cb1-{n}"><a href="#cb1-{n}" aria-hidden="true" tabindex="-1"></a>{line}</span>'
              for n, line in enumerate(lines, 1))
    return code[1] + "\n".join(marked) + "</code>"


def as_quarto(page: str, notebook: str, source: str) -> str:
    "A finished page of `nbs/{notebook}`, which Quarto renders from `source`"
    page = re.sub(r'<a class="skip".*?</a>', "", page)
    page = re.sub(r'<link rel="alternate"[^>]*><script src="[^"]*site.js" defer></script>', "", page)
    page = re.sub(r' (?:tabindex="-1"|role="complementary"|data-plot)', "", page)
    page = re.sub(r'(<(?:nav|div)) aria-label="[^"]*"', r"\1", page)
    page = page.replace('role="button" tabindex="0"', 'role="navigation"')
    page = page.replace(' aria-hidden="true" aria-expanded', ' role="navigation" aria-expanded')
    page = page.replace(".card.png", ".thumb.jpg") if "/tutorials/" in source or "/posts/" in source else page
    page = re.sub(r"<script>\(function\(\).*?</script>", ASKS, page)
    page = re.sub(r'media="[^"]*prefers-color-scheme[^"]*"', "", page)
    page = re.sub(r'<div class="action-links">(<a [^>]*)>(.*?)</div>',
                  lambda m: f'<li>{m[1].replace(notebook, source)} target="_blank">{m[2]}</li>', page)
    page = re.sub(r'<h2 class="(no-anchor [^"]*listing-title)">(.*?)</h2>', r'<h5 class="\1">\2</h5>', page)
    page = re.sub(r'<img ([^>]*)src="(\w+\.thumb\.jpg)"', r'<img loading="lazy" src="./\2" \1', page)
    page = re.sub(r'href="(?=\w+\.html)', 'href="./', page)
    return re.sub(r'(<code class="sourceCode [^"]*">)(.*?)</code>', lines_with_anchors, page, flags=re.S)
