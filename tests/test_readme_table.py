"""One order: the numbered files, the sidebar's parts and the README's table say the same."""
import json
import re
from pathlib import Path

import yaml

NBS = Path(__file__).parents[1]/"nbs"


def parts_of_sidebar() -> list[tuple[str, list[str]]]:
    "The sidebar's sections that hold numbered chapters: title and files"
    contents = yaml.safe_load((NBS/"sidebar.yml").read_text(encoding="utf-8"))["website"]["sidebar"]["contents"]
    parts = [(e["section"], e["contents"]) for e in contents if isinstance(e, dict) and "section" in e]
    return [(title, files) for title, files in parts if re.match(r"\d", files[0])]


def parts_of_table() -> list[tuple[str, list[str]]]:
    "The parts of the README's table of chapters, each a row in bold, and the files its rows link to"
    cells = json.loads((NBS/"index.ipynb").read_text(encoding="utf-8"))["cells"]
    table = next("".join(c["source"]) for c in cells if "".join(c["source"]).startswith("| chapter |"))
    parts = []
    for row in table.split("\n\n")[0].splitlines()[2:]:
        if part := re.match(r"\| \*\*(.+?)\*\* \|", row): parts.append((part[1], []))
        else: parts[-1][1].append(re.match(r"\| \[\w+\]\((\w+\.ipynb)\) \|", row)[1])
    return parts


def test_files_sidebar_and_readme_have_one_order():
    files = sorted(f.name for f in NBS.glob("[0-9]*.ipynb"))
    assert len({f[:2] for f in files}) == len(files), "every chapter has a number of its own"
    assert [f for _, part in parts_of_sidebar() for f in part] == files, "nbs/sidebar.yml lists the files in order"
    assert parts_of_table() == parts_of_sidebar(), "the table in nbs/index.ipynb has the sidebar's parts and chapters"


NEXT, BEFORE = r"\bnext chapter\b|\bchapter after\b|^next$", r"\b(?:last|previous) chapter\b|\bchapter before\b"


def false_neighbours(order: list[str]) -> list[str]:
    "Words such as `next chapter` in the prose that do not link to the neighbour in the folder"
    wrong = []
    for i, name in enumerate(order):
        after, before = order[i + 1] if i + 1 < len(order) else None, order[i - 1] if i else None
        for cell in json.loads((NBS/name).read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "markdown": continue
            text = "".join(cell["source"])
            links = re.findall(r"\[([^\]]*)\]\(([^)]*)\)", text)
            plain = re.sub(r"\[[^\]]*\]\([^)]*\)", "", text)
            for words, neighbour in ((NEXT, after), (BEFORE, before)):
                wrong += [f"{name}: [{said}]({to}), not {neighbour}" for said, to in links
                          if re.search(words, said, flags=re.I) and to.split("#")[0] != neighbour]
                wrong += [f"{name}: {m[0]!r} is no link; link it to {neighbour}, or name the chapter"
                          for m in re.finditer(words, plain, flags=re.I)]
    return wrong


def test_next_and_last_chapter_are_the_neighbours():
    assert false_neighbours(sorted(f.name for f in NBS.glob("[0-9]*.ipynb"))) == []
