"""The site as a reader gets it: built by the one command, then opened page by page in Chromium."""
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browser import complaints as barriers
from browser import needs_chromium, static_server
from quartolike import as_quarto

ROOT = Path(__file__).parents[1]
MODES = dict(light=dict(color_scheme="light", viewport=dict(width=1280, height=900)),
             dark=dict(color_scheme="dark", viewport=dict(width=1280, height=900)),
             phone=dict(color_scheme="light", viewport=dict(width=390, height=844), has_touch=True))
sys.path.insert(0, str(ROOT/"tools"))
from alike import differences, survey  # noqa: E402
from checksite import check_site  # noqa: E402
from finishing import finish, for_everybody, hanging, is_plot  # noqa: E402
from nbdev.config import nbpath2html  # noqa: E402
from outline import ROOT_PATH  # noqa: E402
from reference import as_typed, starred  # noqa: E402


@pytest.fixture(scope="module")
def site():
    "The built site's folder"
    pytest.importorskip("smalldocs")
    done = subprocess.run([sys.executable, "tools/site.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return ROOT/"_docs"


@pytest.fixture(scope="module")
def address(site, tmp_path_factory):
    "The site on a server of its own, in the folder in which it is published"
    root = tmp_path_factory.mktemp("server")
    (root/ROOT_PATH.strip("/")).symlink_to(site, target_is_directory=True)
    with static_server(root) as url: yield url.rstrip("/") + ROOT_PATH.rstrip("/")


def test_every_notebook_has_its_page(site):
    names = [f.relative_to(ROOT/"nbs") for f in (ROOT/"nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in f.parts]
    assert [n for n in names if not (site/nbpath2html(n)).exists()] == []
    assert {"api", "posts", "tutorials"} <= {f.name for f in site.iterdir()}


def test_what_machines_read(site):
    "llms.txt, feed, sitemap and social cards"
    llms = (site/"llms.txt").read_text(encoding="utf-8")
    assert "datablock.llms.md" in llms and (site/"datablock.llms.md").exists()
    assert "<item>" in (site/"posts"/"index.xml").read_text(encoding="utf-8")
    assert "datablock.html" in (site/"sitemap.xml").read_text(encoding="utf-8")
    page = (site/"datablock.html").read_text(encoding="utf-8")
    assert 'property="og:image" content="https://birdornot.github.io/birdornot/datablock.card.png"' in page
    assert (site/"datablock.card.png").exists()


def test_what_help_says_is_not_said_twice(site):
    assert not [f for f in site.rglob("*.md") if re.search(r"^\W*Parameters\W*$", f.read_text(encoding="utf-8"), re.M)]


def test_a_page_shows_the_source_of_what_teaches_and_folds_the_rest(site):
    page = re.sub(r"<(?!/?details)[^>]+>", "", (site/"probe.html").read_text(encoding="utf-8"))
    folded = "".join(re.findall(r"<details.*?</details>", page, flags=re.S))
    shown = re.sub(r"<details.*?</details>", "", page, flags=re.S)
    assert "def attach_head(\n" in shown and "def save_probe(\n" not in shown
    assert "\ndef save_probe(" in folded and "def _" in folded and "#| export" not in page


def test_links_of_a_page_to_its_notebook(site):
    page = (site/"datablock.html").read_text(encoding="utf-8")
    for link in ("edit/main/nbs/41_datablock.ipynb",
                 "colab.research.google.com/github/birdornot/birdornot/blob/main/nbs/41_",
                 "kaggle.com/kernels/welcome?src=https://github.com/birdornot/birdornot/blob/main/nbs/41_",
                 "mybinder.org/v2/gh/birdornot/birdornot/main?labpath=nbs%2F41_datablock.ipynb"): assert link in page


def test_what_has_a_button_installs_itself_and_can_be_downloaded(site):
    "Where a page offers Colab and Kaggle, a hidden cell before all others that import installs what it needs"
    offered = 0
    for file in (ROOT/"nbs").rglob("*.ipynb"):
        name = file.relative_to(ROOT/"nbs")
        if {".ipynb_checkpoints", "made"} & set(name.parts): continue
        page = (site/nbpath2html(name)).read_text(encoding="utf-8")
        if "colab.research.google.com/github" not in page: continue
        offered += 1
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        first = next(source for source in code if "default_exp" not in source)
        extra = "fastai,notebooks" if "page_needs_fastai()" in "".join(code) else "(fastai,)?notebooks"
        test = r"! \[ -e /content \] \|\| \[ -e /kaggle \] && "
        install = rf"#\| hide\n{test}pip install -q 'birdornot\[{extra}\]@git\+https://github.com/birdornot/birdornot'"
        assert re.match(install, first), f"{name}: {first}"
        replies = [m for source in code for m in re.findall(r'"replies/([\w.]+)"', source)]
        assert all(f"wget -qP replies https://github.com/birdornot/birdornot/raw/main/nbs/replies/{f}" in first
                   for f in replies), name
        kept = site/"notebooks"/name
        assert kept.read_bytes() == file.read_bytes() and f'notebooks/{name.as_posix()}" download' in page
    assert offered > 50


def test_sidebar_folds_its_parts_and_opens_the_one_read(site):
    page = (site/"datablock.html").read_text(encoding="utf-8")
    parts = re.findall(r'aria-expanded="(\w+)"><span class="menu-text">([^<]+)</span></a>', page)
    assert [title for opened, title in parts if opened == "true"] == ["Data"] and len(parts) > 9
    assert '<span class="menu-text">41 ' in page and "Chapter 41" in page
    marked = re.findall(r'<span class="menu-text">(\d\d|\w+)[^<]*\sᶠ</span>', page)
    assert marked == ["41", "60", "61", "65", "What", "AdamW"]  # what needs the extra `fastai`


def pages_of(site):
    "All pages but those of the studio, which has tests of its own"
    found = sorted(f.relative_to(site).as_posix() for f in site.rglob("*.html"))
    return [name for name in found if not name.startswith("studio/")]


WIDTHS = """() => [document.documentElement.scrollWidth,
    [...document.images].filter(i => i.complete && !i.naturalWidth).length,
    [...document.querySelectorAll("main pre")].filter(p => p.scrollWidth > p.clientWidth + 1).length,
    [...document.querySelectorAll("main :is(.cell-output, .sd-table)")].filter(
        t => t.scrollWidth > t.clientWidth + 1).length,
    getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every(v => v < 80)]"""


class Tab:
    "A tab that shows pages as a browser in one mode or the other does"
    def __init__(self, tab):
        self.tab, self.touch, self.scheme = tab, tab.context.new_cdp_session(tab), None
        tab.emulate_media(reduced_motion="reduce")  # nothing moves from one mode to the next

    def take(self, mode):
        how = MODES[mode]  # what has not changed is not said again: all styles of the page would be computed anew
        if how["color_scheme"] != self.scheme: self.tab.emulate_media(color_scheme=how["color_scheme"])
        self.scheme = how["color_scheme"]
        if self.tab.viewport_size == how["viewport"]: return
        self.tab.set_viewport_size(how["viewport"])
        self.touch.send("Emulation.setTouchEmulationEnabled", dict(enabled=how.get("has_touch", False)))

    def show_in(self, mode):
        self.take(mode)
        self.tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def open_in(self, mode, url):
        self.take(mode)
        self.tab.goto(url)


def complaints(browser, site, address, modes, every=1) -> dict[str, list[str]]:
    """What the browser says of the pages in each mode: console errors, requests elsewhere, failed pictures, pages too
    wide. A page is opened in the first one and then shown in the others"""
    pages, faults, seen = pages_of(site), {mode: [] for mode in modes}, []
    pages.remove("slides/index.html")  # no page like the others: see test_slides
    with browser.new_page(**MODES[modes[0]]) as tab:
        tab.on("console", lambda m: m.type in ("error", "warning") and seen.append(m.text))
        tab.on("pageerror", lambda e: seen.append(str(e)))
        tab.on("request", lambda r: r.url.startswith((address, "data:")) or seen.append(f"asked {r.url}"))
        shown = Tab(tab)
        for page, mode in ((page, mode) for page in pages[::every] for mode in modes):
            if mode == modes[0]: shown.open_in(mode, f"{address}/{page}")
            else: shown.show_in(mode)
            width, broken, wide, cut, dark = tab.evaluate(WIDTHS)
            if broken: seen.append(f"{broken} pictures do not load")
            if wide: seen.append(f"{wide} code blocks wider than their column")
            on_a_phone = mode == "phone" and not page.startswith("api/")  # where tables of a chapter may be scrolled
            if cut and not on_a_phone and page != "scale.html":  # which shows a hash of 64 digits
                seen.append(f"{cut} tables wider than their column")
            if width > MODES[mode]["viewport"]["width"]: seen.append(f"{width} pixels wide")
            if dark != (mode == "dark"): seen.append("has the other mode's background")
            faults[mode] += [f"{page}, {mode}: {what}" for what in seen]
            seen.clear()
    return faults


@pytest.mark.parametrize("line, wraps", [('        with _holding(layout, "make"):', True), ("    x = 1", False)])
def test_a_line_that_a_phone_wraps_keeps_its_indent(line, wraps):
    page = hanging(re.fullmatch(r"(<code>)(.*)</code>", f"<code>{line}</code>"))
    assert ("--indent:12ch" in page, line.strip() in page) == (wraps, True)
    assert re.sub(r"</?(?:span|code|i)[^>]*>", "", page) == line


def test_the_corner_of_a_table_is_no_heading():
    assert for_everybody("<tr><th></th><th>n</th></tr>", "") == "<tr><td></td><th>n</th></tr>"


@pytest.mark.parametrize("said, shown", [
    ("as with --croissant, or `--out`", "as with `--croissant`, or `--out`"), ("1-2 and a - b", "1-2 and a - b"),
    ("such as holiday/*.jpg or holiday/**/*.png, and", "such as `holiday/*.jpg` or `holiday/**/*.png`, and"),
    ('words: data-say="key", "other"', 'words: `data-say="key"`, "other"'),
    ("'auto' or '', the user's own", "`'auto'` or `''`, the user's own")])
def test_what_a_comment_shows_as_typed_stays_so_in_the_reference(said, shown): assert as_typed(said) == shown


def test_further_arguments_are_not_required():
    table = "f(n: int, **more)\n\n| `n` | int | required | 2**n |\n| `more` |  | required | passed on |\n"
    assert starred(table) == table.replace("| `more` |  | required |", "| `**more` |  |  |")


@pytest.fixture(scope="module")
def every_third(browser, site, address):
    "What the browser says of every third page of the site, mode → complaints"
    return complaints(browser, site, address, ["phone", "light", "dark"], every=3)


@needs_chromium
@pytest.mark.parametrize("mode", MODES)
def test_pages_in_the_browser(every_third, mode):
    "Every third page of the site in each mode; the next test takes all, and opens them in it"
    assert every_third[mode] == []


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("mode", MODES)
def test_every_page_in_the_browser(browser, site, address, mode):
    assert complaints(browser, site, address, [mode]) == {mode: []}


@needs_chromium
def test_search_and_copy_work(browser, address):
    with browser.new_page() as tab:
        tab.goto(f"{address}/datablock.html")
        tab.get_by_placeholder("Search").first.fill("quarantine")
        tab.wait_for_selector("a[href*='clean.html']:visible")
        assert tab.locator("button.code-copy-button").count() > 10
        tab.get_by_placeholder("Search").first.fill("near_pairs")  # chapters first; the reference is there, too
        tab.wait_for_selector("a.search-result[href*='duplicates.html']")
        found = [a.get_attribute("href") for a in tab.locator("a.search-result").all()]
        reference = ["api/" in link for link in found]
        assert reference == sorted(reference) and 0 < sum(reference) < len(reference), found


@needs_chromium
def test_a_page_follows_the_system_and_the_button_into_the_light_and_back(browser, address):
    "Our colours for the dark had kept the ground dark by which the page tells where it is, so it stayed there"
    with browser.new_page(**MODES["dark"]) as tab:
        tab.goto(f"{address}/404.html")
        def _becomes(dark): tab.wait_for_function(
            "dark => document.documentElement.classList.contains('quarto-dark') === dark && dark === (parseInt("
            "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]) < 128)", arg=dark, timeout=10_000)
        _becomes(True)
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)
            _becomes(scheme == "dark")
        for dark in (False, True):
            tab.locator(".quarto-color-scheme-toggle:visible").first.click()
            _becomes(dark)


@needs_chromium
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_nothing_bars_the_way(browser, address, mode):
    "What axe finds on the first page, a chapter, the lists of pages and the one for addresses that lead nowhere"
    with browser.new_page(**MODES[mode]) as tab:
        for page in ("index", "tutorials/index", *["sidecar", "posts/index", "404"]*(mode == "light")):
            tab.goto(f"{address}/{page}.html")
            assert barriers(tab) == [], page


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("mode", MODES)
def test_nothing_bars_the_way_on_any_page(browser, site, address, mode):
    found = {}
    with browser.new_page(**MODES[mode]) as tab:
        for page in pages_of(site):
            tab.goto(f"{address}/{page}")
            found[page] = barriers(tab)
    assert not {page: said for page, said in found.items() if said}


@needs_chromium
def test_by_keyboard_on_a_phone_on_paper_and_lost(browser, site, address):
    with browser.new_page(viewport=dict(width=1280, height=700)) as tab:
        tab.goto(f"{address}/evaluate.html")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.className") == "skip"
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.activeElement.tagName") == "MAIN"
        assert not tab.locator(".toc-here").is_visible()
        tab.locator("#quarto-sidebar [role=button]:has-text('Clean')").press("Enter")
        tab.wait_for_selector("#quarto-sidebar a:has-text('31 Clean'):visible")
        teal = "getComputedStyle(document.querySelector('main p a')).color"
        assert tab.evaluate(teal) == "rgb(21, 108, 101)"
        tab.emulate_media(media="print")
        shown = "#quarto-header, #quarto-sidebar, #quarto-margin-sidebar, .page-navigation, .top-line, .toc-here"
        assert not tab.locator(f":is({shown}):visible").count() and tab.locator("h1").is_visible()
        tab.emulate_media(media="screen")
        tab.set_viewport_size(dict(width=390, height=844))
        tab.locator(".toc-here summary").click()
        tab.locator(".toc-here a:has-text('Bursts')").click()
        tab.wait_for_function("scrollY > 1000")
        assert not tab.locator(".toc-here > ul").is_visible()
        wide = tab.locator("main :is(pre, .cell-output, .sd-table)").evaluate_all(
            "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.getAttribute('tabindex'))")
        assert {*wide} == {"0"}
        lost = (site/"404.html").read_text(encoding="utf-8")
        tab.route("**/api/no/such", lambda route: route.fulfill(status=404, body=lost, content_type="text/html"))
        tab.goto(f"{address}/api/no/such")
        assert tab.evaluate(teal) == "rgb(21, 108, 101)"
        tab.locator("main a").first.click()
        tab.wait_for_url(f"{address}/index.html")


def test_listings_show_their_pages_and_a_shared_link_its_card(site):
    for folder in ("tutorials", "posts"):
        pages = len([*(ROOT/"nbs"/folder).glob("*.ipynb")])
        page = (site/folder/"index.html").read_text(encoding="utf-8")
        shown = re.findall(r'<img [^>]*src="(\w+\.thumb\.jpg)"', page)
        assert len(set(shown)) == pages and all((site/folder/name).exists() for name in shown)
        assert f'property="og:image" content="https://birdornot.github.io{ROOT_PATH}{folder}/index.card.png"' in page
        assert (site/folder/"index.card.png").exists()
    page = (site/"tutorials"/"bird.html").read_text(encoding="utf-8")
    assert "/tutorials/bird.card.png" in page and "thumb.jpg" not in page


def test_the_slides_begin_on_their_page(site):
    assert (site/"slides"/"index.html").exists()
    assert 'href="../slides/index.html">Start' in (site/"tutorials"/"slides.html").read_text(encoding="utf-8")


def test_news_are_linked(site):
    for page, up in (("index", ""), ("api/core", "../")):
        head = (site/f"{page}.html").read_text(encoding="utf-8").split("</head>")[0]
        assert f'type="application/rss+xml" title="birdornot: posts" href="{up}posts/index.xml"' in head
    assert '<a href="index.xml">RSS</a>' in (site/"posts"/"index.html").read_text(encoding="utf-8")


def test_plots_are_told_from_photos(site):
    page = (site/"evaluate.html").read_text(encoding="utf-8")
    assert page.count("<img data-plot ") == 4 == page.count("data:image/jpeg")
    assert not any(is_plot(f.read_bytes()) for f in (ROOT/"nbs"/"images").glob("*.jpg"))


def test_what_is_published_is_what_was_checked(site, tmp_path):
    "Pages in Quarto's markup (a stand-in) are finished to what readers find on ours; each thing lost is a difference"
    sources = {"clean.html": ("31_clean.ipynb", "clean.ipynb"),
               "evaluate.html": ("52_evaluate.ipynb", "evaluate.ipynb"),
               "tutorials/index.html": ("tutorials/index.qmd", "tutorials/index.qmd")}
    for name in (*sources, *(f"tutorials/{f.name}" for f in (site/"tutorials").glob("*.thumb.jpg"))):
        (tmp_path/name).parent.mkdir(exist_ok=True)
        shutil.copy(site/name, tmp_path/name)
    checked = survey(tmp_path)
    for name, (notebook, source) in sources.items():
        text = as_quarto((site/name).read_text(encoding="utf-8"), notebook, source)
        (tmp_path/name).write_text(text, encoding="utf-8")
    rendered = survey(tmp_path)
    assert {said.split(": ")[1] for said in differences(checked, rendered)} >= {
        "edit links", "plots", "a way past the menus", "named landmarks", "feed", "our script"}
    finish(tmp_path)
    assert differences(checked, survey(tmp_path)) == []
    ours, theirs = ((folder/"evaluate.html").read_text(encoding="utf-8") for folder in (site, tmp_path))
    for part in ('class="hanging"', "<i>", 'role="button"', 'role="navigation"', ' aria-hidden="true" aria-expanded'):
        assert ours.count(part) == theirs.count(part), part
    listing = tmp_path/"tutorials"/"index.html"
    text = listing.read_text(encoding="utf-8").replace("words.thumb.jpg", "words.card.png")
    listing.write_text(text.replace("prefers-color", "x"), encoding="utf-8")
    (tmp_path/"clean.html").unlink()
    assert differences(checked, survey(tmp_path)) == [
        "clean.html: is missing",
        "tutorials/index.html: cards of the listing: without [('Your own words', 'tutorials/words.thumb.jpg')], "
        "with [('Your own words', 'tutorials/words.card.png')]",
        "tutorials/index.html: dark mode that follows the reader: False in place of True"]


BAD = """<a href="gone.html">x</a> <a href="other.html#nowhere">x</a> <a href="#here">x</a>
<a href="https://example.org">x</a>
<img src="a.png"> <img src="a.png" alt="a wren"> <script src="https://cdn.example.org/x.js"></script> <b id="here"></b>
a [test](https://example.org <p>1–2, with –near</p> <code>–near</code>
[<code>f</code>](f.ipynb) <pre>x[0](1)</pre> <p>#| export: true</p> <code>#| export</code>
/x/site-packages/y.py:1: UserWarning"""


def test_the_check_finds_what_is_wrong(tmp_path):
    (tmp_path/"page.html").write_text(BAD, encoding="utf-8")
    (tmp_path/"other.html").write_text("<p id='somewhere'>", encoding="utf-8")
    (tmp_path/"a.png").write_bytes(bytes(1_600_000))
    (tmp_path/"x.css").write_text("@import url('https://fonts.example.org/f.css');", encoding="utf-8")
    assert sorted(check_site(tmp_path)) == [
        "page.html: a link that was not made one: ](f.ipynb)",
        "page.html: a link that was not made one: ](https://example.org",
        "page.html: an option whose hyphens became a dash: –near",
        "page.html: broken link gone.html", "page.html: loads https://cdn.example.org/x.js from another server",
        "page.html: no such anchor other.html#nowhere", "page.html: picture without alt text: a.png",
        "page.html: shows a directive: #| export: true",
        "page.html: shows a warning or a machine's path: /x/site-packages/y.py:1:",
        f"page.html: weighs {1_600_000 + len(BAD.encode()):,} bytes, more than 1,500,000",
        "x.css: loads https://fonts.example.org/f.css from another server"]


def test_a_contact_sheet_is_described_and_gives_a_thumbnail(tmp_path):
    "To those who hear the page, and in the listings: it is HTML, where other pictures are files"
    from fastcore.basics import AttrDict
    from PIL import Image
    from processors import describe_sheets
    from staging import thumbnail

    from birdornot.picture import contact_sheet
    page = contact_sheet([Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")], ["a", "b"])._repr_html_()
    cell = AttrDict(source='#| fig-alt: "Red & blue"\nshow()', outputs=[dict(data={"text/html": [page]})])
    nb = AttrDict(cells=[cell, AttrDict(source="x", outputs=[dict(data={"text/html": page})])])
    describe_sheets(nb)
    shown = [cell.outputs[0]["data"]["text/html"] for cell in nb.cells]
    assert ' role="group" aria-label="Red &amp; blue" ' in shown[0] and shown[1] == page
    thumbnail(nb, tmp_path/"thumb.jpg", tmp_path/"card.png")
    small = Image.open(tmp_path/"thumb.jpg")
    red, blue = small.getpixel((120, 120)), small.getpixel((360, 120))
    assert small.size == (480, 240) and red[0] > 200 > 60 > red[2] and blue[2] > 200 > 60 > blue[0]
