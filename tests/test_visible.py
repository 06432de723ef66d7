"""What a page shows is enough to type it along: its imports, which the site collects, and its visible cells."""
import ast
import json
import os
import sys
from pathlib import Path

import pytest
from environment import importable_with
from nbdev.test import test_nb as run_notebook

from birdornot.core import has_fastai

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/"tools"))
from visible import is_visible, plain_python, to_type_along  # noqa: E402

NAMES = sorted(f.relative_to(ROOT/"nbs").as_posix() for f in (ROOT/"nbs").rglob("*.ipynb")
               if not {"made", ".ipynb_checkpoints"} & {*f.parts})


def code(name):
    "The sources of a notebook's cells of code"
    cells = json.loads((ROOT/"nbs"/name).read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]


@pytest.mark.parametrize("name", NAMES)
def test_no_visible_cell_uses_what_a_hidden_one_makes(name):
    lines, missing = to_type_along(code(name))
    assert missing == {} and compile("\n".join(lines), name, "exec")


def test_a_hidden_name_is_found():
    hidden = "#| hide\nimport os\nfrom pathlib import Path\nx = 1\ndef f(): return 2"
    visible = ["Path(os.sep)", "def g(): return x", "y, f = 1, 3\ny + f", "[y for f in x]"]
    lines, missing = to_type_along([hidden, *visible])
    assert lines == ["import os", "from pathlib import Path"] and missing == {"x": 2}
    assert to_type_along(["if (n := 3): print(n, [m for k in [1] if (m := k)])", "m + n", "%time n"]) == ([], {})
    ours = ["#| default_exp split", "#| export\ndef split_files(path): ...", "split_files(Path())", "_key"]
    patched = ["#| default_exp suspects", "#| hide\nfrom birdornot.picture import contact_sheet", "contact_sheet"]
    typed = ["#| default_exp cli", "#| export\nfrom birdornot.command import run as main", "main([])"]
    assert to_type_along(typed) == (["from birdornot.cli import main"], {}), "where the commands are, too"
    assert to_type_along(patched) == (["from birdornot.picture import contact_sheet"], {})
    assert to_type_along(ours) == (["from birdornot.split import split_files"], {"Path": 2, "_key": 3})


def imports(source):
    "The modules that a cell imports in any case, their first names"
    nodes = ast.parse(plain_python(source)).body
    modules = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    return {m.split(".")[0] for m in modules + [n.module for n in nodes if isinstance(n, ast.ImportFrom)]}


def test_what_the_notebooks_import_is_installed_for_them():
    "By the extra `notebooks`, and where a page says so in its head by the extra `fastai`"
    there = importable_with("notebooks") | sys.stdlib_module_names
    with_fastai, missing = there | importable_with("notebooks", "fastai"), []
    for name in NAMES:
        text = (ROOT/"nbs"/name).read_text(encoding="utf-8")
        known = with_fastai if "needs the extra `fastai`:*" in text else there
        missing += [(name, m) for source in code(name) for m in imports(source) - known]
    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_page_can_be_typed_along(name, nbs, monkeypatch):
    "Its visible cells run in order, after its imports, in the notebook's folder"
    if not has_fastai() and "needs the extra `fastai`:*" in (ROOT/"nbs"/name).read_text(encoding="utf-8"):
        pytest.skip("the whole page needs fastai, as its head says")
    monkeypatch.setenv("BIRDORNOT_FLAGS", os.environ.get("BIRDORNOT_FLAGS", "").replace("net", ""))
    sources = code(name)
    nb = json.loads((ROOT/"nbs"/name).read_text(encoding="utf-8"))
    typed = ["\n".join(to_type_along(sources)[0]), *filter(is_visible, sources)]
    nb["cells"] = [dict(cell_type="code", id=f"c{n}", metadata={}, outputs=[], execution_count=None, source=source)
                   for n, source in enumerate(typed)]
    page = (nbs/name).with_name(f"typed_{Path(name).name}")
    page.write_text(json.dumps(nb), encoding="utf-8")
    assert run_notebook(page, basepath=ROOT, profile=False)[0]
