"""Two twins of every notebook, made with the site and never committed: one without the prose, to recall a chapter from
memory, and one with the answers to its questions. A page links to both; a test reads what they hold."""
import re
from copy import deepcopy

from fastcore.nbio import mk_cell

ANSWER = re.compile(r"\n*<details><summary>(\w+)</summary>\n+(.*?)\n+</details>", re.S)
HEADING = re.compile(r"^#{1,6} .+$", re.M)


def headings(text: str) -> str:
    "The headings of a Markdown cell, those in code between fences aside"
    return "\n\n".join(HEADING.findall(re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)))


def clean_twin(nb):
    "A notebook with headings and code only: cells without a heading are gone, and so are outputs and descriptions"
    twin, cells = deepcopy(nb), []
    for cell in twin.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(r"^#\| fig-alt: .*\n", "", cell.source, flags=re.M)
            cell.outputs, cell.execution_count = [], None
            cells.append(cell)
        elif cell.cell_type == "markdown" and (said := headings(cell.source)): cells.append(mk_cell(said, "markdown"))
    twin.cells = cells
    return twin


def answers(nb):
    "A notebook of the questions of another, each with its answer unfolded; `None` where nothing is asked"
    cells = [c.source for c in nb.cells if c.cell_type == "markdown"]
    asked = [ANSWER.sub(lambda m: f"\n\n*{m[1]}.* {m[2]}", text) for text in cells if ANSWER.search(text)]
    if not asked: return None
    title = headings(cells[0]).splitlines()[0]
    questions = [part for text in asked for part in re.split(r"\n+(?=\*\*\d+\. )", text)]
    twin = deepcopy(nb)
    twin.cells = [mk_cell(f"{title}: answers", "markdown"), *(mk_cell(q, "markdown") for q in questions)]
    return twin


def has_twins(name: str) -> bool:
    "Whether a notebook is one to work through: a chapter or a tutorial"
    return bool(re.search(r"(?:^|tutorials/)\d\d_", name))
