"""What other tools read of the code: types of everything exported, and help that says what parameters mean."""
import ast
import pydoc
import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(f for f in (ROOT/"birdornot").glob("[a-z]*.py"))
write = runpy.run_path(str(ROOT/"birdornot"/"_export.py"))
SOURCE = """
class Nest:
    "A place for eggs"
    def __init__(self, eggs: int = 2): self.eggs, self.full = eggs, False

@patch(as_prop=True)
def warm(self: Nest) -> bool:  # felt from below
    "Tell whether somebody sits on it"
    return self.eggs > 0

@patch
def lay(self: Nest,
    n: int = 1,  # eggs
    name=None):
    "Lay some"
    self.eggs += n
"""


def test_a_patched_method_is_its_classes():
    said = write["stub"](SOURCE, "nest").splitlines()
    assert [line.strip() for line in said[2:]] == [
        "", "class Nest:", "eggs: int", "full: bool", "def __init__(self, eggs: int = 2) -> None: ...", "@property",
        "def warm(self) -> bool: ...", "def lay(self, n: int = 1, name: Incomplete | None = None) -> None: ..."]


def test_comments_become_the_docstrings_sections():
    names = {f.name: ast.get_docstring(f) for f in ast.parse(write["documented"](SOURCE)).body}
    assert names["lay"] == "Lay some\n\nParameters\n----------\nn\n    eggs"
    assert names["warm"] == "Tell whether somebody sits on it\n\nReturns\n-------\nbool\n    felt from below"
    assert names["Nest"] == "A place for eggs"


def test_an_only_parameter_is_none_that_comes_back_and_what_is_raised_has_its_section():
    source = 'def fly(\n    height,  # in metres\n):%s\n    "Fly"\n'
    alone, refuses = (write["documented"](source % said) for said in ("", "  # raises `Storm` in bad weather"))
    assert "height\n        in metres" in alone and "Returns" not in alone
    assert "Raises\n    ------\n    Storm\n        in bad weather" in refuses and "Returns" not in refuses


@pytest.mark.parametrize("name", ["search.search_images", "predict.Classifier.predict_many", "make.make",
                                  "split.split_by_group", "evaluate.Evaluation.interval_of"])
def test_help_says_what_parameters_mean(name):
    text = pydoc.plain(pydoc.render_doc(f"birdornot.{name}"))
    assert re.search(r"Parameters\n +-+\n +\w+\n +\w", text) and text.count("Parameters\n") == 1


def exports(module):
    "The names that a module exports"
    return next((ast.literal_eval(n.value) for n in ast.parse(module.read_text(encoding="utf-8")).body
                 if isinstance(n, ast.Assign) and n.targets[0].id == "__all__"), [])


def names_of(node):
    "The names that a statement of a stub makes"
    if isinstance(node, (ast.Import, ast.ImportFrom)): return [a.asname for a in node.names]
    return [node.target.id if isinstance(node, ast.AnnAssign) else node.name]


@pytest.mark.parametrize("module", MODULES, ids=lambda f: f.stem)
def test_everything_exported_has_its_type(module):
    exported = exports(module)
    typed = ast.parse(module.with_suffix(".pyi").read_text(encoding="utf-8")).body
    names = {name for node in typed for name in names_of(node)}
    assert set(exported) <= names


def test_the_typed_program_covers_all_that_its_chapters_export():
    chapters = tomllib.loads((ROOT/"pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["files"][1:]
    program = ast.parse((ROOT/"tests"/"typed.py").read_text(encoding="utf-8"))
    used = {ast.unparse(n) for n in ast.walk(program) if isinstance(n, ast.Attribute)}
    assert len(chapters) >= 12
    for file in map(ROOT.joinpath, chapters):
        unused = {f"{file.stem}.{name}" for name in exports(file.with_suffix(".py"))} - used
        assert not unused, f"call them in tests/typed.py: {unused}"
        assert "Incomplete" not in (text := file.read_text(encoding="utf-8")), f"no type is written down in\n{text}"
