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
