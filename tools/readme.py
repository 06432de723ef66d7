"""Write README.md from nbs/index.ipynb, or with `--check` say whether it is in step.

nbdev's own `nbdev-readme` does this with Quarto; here nbdev's processors and plain GitHub Markdown are enough.
"""
import argparse
import difflib
import re
import sys
from pathlib import Path

from fastcore.nbio import read_nb
from nbdev.process import NBProcessor
from nbdev.processors import FilterDefaults

ROOT = Path(__file__).parents[1]
FOR_QUARTO = {"FrontmatterProc", "add_show_docs", "insert_warning", "exec_show_docs", "add_fold"}


def _outputs(cell) -> list[str]:
    "The text and HTML of a cell's outputs"
    texts = []
    for out in cell.get("outputs", []):
        data = out.get("data", {})
        text = data.get("text/html") or data.get("text/markdown")
        plain = out.get("text") or data.get("text/plain")
        if text: texts.append("".join(text))
        elif plain: texts.append("```text\n" + "".join(plain).rstrip() + "\n```")
    return texts


def readme(file: Path) -> str:
    "The notebook as GitHub Markdown"
    procs = [p for p in FilterDefaults().base_procs() if p.__name__ not in FOR_QUARTO]
    parts = ["<!-- written by tools/readme.py from nbs/index.ipynb: edit that -->"]
    for cell in NBProcessor(nb=read_nb(file), procs=procs, process=True).nb.cells:
        if cell.cell_type == "markdown": parts.append(cell.source)
        elif cell.cell_type == "code" and cell.source.strip():
            parts += [f"```python\n{cell.source.strip()}\n```", *_outputs(cell)]
    text = "\n\n".join(p.strip() for p in parts if p.strip()) + "\n"
    return re.sub(r"\]\((?=[\w/]+\.(?:ipynb|jpg|png|svg)\))", "](nbs/", text)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--check", action="store_true", help="write nothing; exit 1 and show the difference if out of step")
    check = p.parse_args().check
    new, file = readme(ROOT/"nbs"/"index.ipynb"), ROOT/"README.md"
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    if check and new != old:
        sys.stderr.writelines(difflib.unified_diff(old.splitlines(True),
                                                   new.splitlines(True), "README.md", "index.ipynb"))
        return 1
    if not check: file.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__": sys.exit(main())
