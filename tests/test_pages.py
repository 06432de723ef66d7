"""What a page says to its reader: the short lesson stays short; each chapter and tutorial begins with its gist and ends
with a summary, where it comes from, and questions; its twins hold what they should. Only sources are read: a second."""
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/"tools"))
from twins import answers, clean_twin, has_twins  # noqa: E402

NAMES = sorted(f.relative_to(ROOT/"nbs").as_posix() for f in (ROOT/"nbs").rglob("[0-9]*.ipynb")
               if not {"made", ".ipynb_checkpoints"} & {*f.parts})
SHORT = "tutorials/00_short.ipynb"
LEVELS = ["Read", "Run", "Change", "Build"]
FOLDED = r"\n\n<details><summary>(?:Answer|Hint)</summary>\n\n(.+?)\n\n</details>$"
QUESTION = re.compile(r"^\*\*(\d+)\. (\w+)\.\*\* (.+?)" + FOLDED, re.M | re.S)
SECTIONS = re.compile(r"^## (In three lines|Where this comes from|Your turn)\n+(.*?)(?=^## |\Z)", re.M | re.S)
WITHOUT = {SHORT, "tutorials/04_slides.ipynb"}  # they have their own form


def cells(name):
    "The cells of a notebook, pairs of kind and source"
    found = json.loads((ROOT/"nbs"/name).read_text(encoding="utf-8"))["cells"]
    return [(c["cell_type"], "".join(c["source"])) for c in found]


def lines(code):
    "The lines of a cell of code that are neither empty nor directives"
    return [line for line in code.splitlines() if line.strip() and not line.startswith("#|")]


def test_the_short_lesson_is_short():
    found = cells(SHORT)
    code = [text for kind, text in found if kind == "code" and not text.startswith("#| hide")]
    assert sum(len(text.split()) for kind, text in found if kind == "markdown") <= 700
    assert len(code) <= 12 and max(len(lines(c)) for c in code) <= 5
    assert next(text for kind, text in found[1:] if kind == "markdown").startswith("![")
    pictures = sum("fig-alt" in c for c in code) + sum(text.count("![") for kind, text in found if kind == "markdown")
    assert pictures == 4 and found[-2][1] == "## Your turn"


def test_one_line_of_the_short_lesson_says_drawings_or_photos():
    code = "\n".join(text for kind, text in cells(SHORT) if kind == "code")
    assert len(re.findall(r"sample", code)) == 1


def test_pictures_that_pages_name_are_there():
    named = [(name, file) for name in NAMES for kind, text in cells(name) if kind == "markdown"
             for file in re.findall(r"!\[[^\]]*\]\((?!https?:|attachment:)([^)]+)\)", text)]
    assert named and not [(name, file) for name, file in named if not (ROOT/"nbs"/name).parent.joinpath(file).exists()]


def test_links_of_other_pages_lead_to_files():
    "As on GitHub; the site makes links between pages of those to notebooks"
    named = [(f, link) for f in (ROOT/"nbs").rglob("*.qmd") for link in
             re.findall(r"\]\((?!https?:|#|/)([^)#]+)", f.read_text(encoding="utf-8"))]
    assert len(named) > 10 and not [(f.name, link) for f, link in named if not (f.parent/link).exists()]


def test_links_to_the_repository_lead_to_files():
    ours = re.compile(r"github\.com/birdornot/birdornot/(?:blob|tree)/main/([^)#\s\"'\\]+)")
    named = [(name, path) for name in NAMES for kind, text in cells(name) if kind == "markdown"
             for path in ours.findall(text)]
    assert named and not [(name, path) for name, path in named if not (ROOT/path).exists()]


def wrong_form(found) -> list[str]:
    "What is missing in the cells of a page of what all have"
    text = [source for kind, source in found if kind == "markdown"]
    said, wrong = "\n\n".join(text), []
    gist = next((t for t in text[1:3] if t.startswith("**tl;dr** ")), "")
    if gist.count("\\\n") != 1: wrong.append("**tl;dr** in two lines, below the title")
    after = dict(SECTIONS.findall(said))
    if len(re.findall(r"^- ", after.get("In three lines", ""), re.M)) != 3: wrong.append("a summary of three lines")
    sources = after.get("Where this comes from", "")
    if not re.search(r"\]\(.+\).*\b(?:19|20)\d\d\b", sources): wrong.append("a source and its year")
    asked = QUESTION.findall(after.get("Your turn", ""))
    if not 3 <= len(asked) <= 6 or [int(n) for n, *_ in asked] != [*range(1, len(asked) + 1)]:
        wrong.append("three to six questions, each with its answer folded")
    levels = [LEVELS.index(level) if level in LEVELS else -1 for _, level, *_ in asked]
    if levels != sorted(levels) or levels[:1] != [0] or levels[-1:] != [3]: wrong.append("from *read* to *build*")
    return wrong


def test_a_page_has_its_gist_its_summary_its_source_and_its_questions():
    found = {name: wrong_form(cells(name)) for name in NAMES if name not in WITHOUT}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


FORM = """# A

**tl;dr** One.\\
Two.

## In three lines

- a
- b
- c

## Where this comes from

- [A paper](https://example.org), 1998.

## Your turn

**1. Read.** Why?

<details><summary>Answer</summary>

Because.

</details>

**2. Run.** What?

<details><summary>Answer</summary>

```python
# That
```

</details>

**3. Build.** How?

<details><summary>Hint</summary>

So.

</details>"""
PAGE = [("markdown", text) for text in re.split(r"\n\n(?=\*\*tl|## )", FORM)]


@pytest.mark.parametrize("old,new", [
    ("One.\\\n", ""), ("\n- c", ""), (", 1998", ""), ("2. Run", "3. Run"), ("Read", "Run"), ("Build", "Change"),
    ("Answer</summary>\n", "Answer</summary>"), ("Run", "Think")])
def test_what_a_page_lacks_is_found(old, new):
    assert wrong_form(PAGE) == []
    assert wrong_form([(kind, text.replace(old, new)) for kind, text in PAGE])


def notebook(*found):
    "A notebook of cells, pairs of kind and source"
    from fastcore.nbio import mk_cell, new_nb
    return new_nb([mk_cell(source, kind) for kind, source in found])


def test_the_clean_twin_has_headings_and_code_only():
    code = ("code", '#| fig-alt: "x"\n#| hide\nx = 1')
    nb = notebook(*PAGE, code, ("markdown", "Prose"), ("markdown", "```\n# no\n```"))
    nb.cells[-3]["outputs"] = [dict(output_type="stream", name="stdout", text="1")]
    twin = clean_twin(nb)
    assert [c.source for c in twin.cells] == ["# A", *("## " + t for t in
        ("In three lines", "Where this comes from", "Your turn")), "#| hide\nx = 1"]
    assert not twin.cells[-1]["outputs"] and nb.cells[-3]["outputs"], "the notebook itself is left alone"


def test_the_answers_are_unfolded_a_cell_a_question():
    twin = answers(notebook(*PAGE))
    text = [c.source for c in twin.cells]
    assert text[0] == "# A: answers" and len(text) == 5 and text[2] == "**1. Read.** Why?\n\n*Answer.* Because."
    assert "```python\n# That\n```" in text[3] and answers(notebook(("markdown", "# B"))) is None


@pytest.mark.parametrize("name", [n for n in NAMES if has_twins(n)][::12])
def test_a_twin_is_a_notebook_with_all_the_code(name):
    import nbformat
    from fastcore.nbio import nb2str, read_nb
    nb = read_nb(ROOT/"nbs"/name)
    twin = nbformat.reads(nb2str(clean_twin(nb)), 4)
    nbformat.validate(twin)
    assert sum(c.cell_type == "code" for c in twin.cells) == sum(c.cell_type == "code" for c in nb.cells)


def test_commands_on_the_pages_for_others_exist():
    from birdornot import cli  # noqa: F401  (registers them)
    from birdornot.command import parser
    typed = [(f.stem, line) for f in [*(ROOT/"nbs"/"coming").glob("*.qmd"), ROOT/"nbs"/"teachers.qmd"]
             for line in re.findall(r"birdornot ([a-z]+(?: [^`|\n]*)?)", f.read_text(encoding="utf-8"))]
    assert len(typed) > 20
    for page, line in typed:
        name, options = line.split()[0], re.findall(r"--[a-z][a-z-]*", line)
        shown = parser(name).format_help()
        assert not [o for o in options if o not in shown], (page, line)
