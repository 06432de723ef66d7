"""Tests marked `net`, `slow` or `gpu` run only when `BIRDORNOT_FLAGS` names the mark, as flagged cells do; those marked
`fastai` wherever fastai is installed.

What makes two cores last: a file to a worker, the long ones first; three workers more than cores, since some wait; one
thread of arithmetic to a process; temporary files in memory, where there is enough, since each commit of SQLite waits
for a disk; modules compiled once; garbage looked for less often; and a picture of the sample is drawn once (50 ms)
and then read from pytest's cache, which is another one when the drawing changes."""
import gc
import hashlib
import os
import re
import runpy
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import numpy
import PIL
import pytest
from filelock import FileLock
from xdist.scheduler import LoadFileScheduling

FLAGS = ("net", "slow", "gpu", "fastai")
SECONDS = {  # of processor, as measured: what takes long begins first, and nobody waits for one at the end
    "torch tunes": 85, "torch": 80, "test_site": 75, "test_cli": 65, "test_inputs": 33, "test_scale": 26,
    "test_web": 26, "test_studio_page": 26, "test_review": 25, "test_clean": 22, "test_download": 21,
    "test_studio": 20, "test_picture": 19, "test_dataset": 18, "test_change": 16, "test_light": 15, "test_app": 13,
    "test_names": 11, "test_studio_take": 10, "test_hostile": 9, "test_acceptance": 8, "test_alike": 8}
WITH_TORCH = re.compile(r"\b(?:import|from) (?:torch|fastai|timm)|compare_backbones\(path")


def pytest_configure(config):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"): os.environ.setdefault(name, "1")
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")  # or glibc keeps no large memory for threads, such as a notebook's
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    gc.set_threshold(50_000, 20, 100)
    _write_into_memory()
    _keep_drawings(config)
    sys.modules.setdefault("rfc3987_syntax", None)  # a grammar of addresses nobody asks for; jsonschema reads it, 2 s
    for flag in FLAGS: config.addinivalue_line("markers", f"{flag}: runs only with BIRDORNOT_FLAGS={flag}")


def _write_into_memory(place="/dev/shm", enough=8e9):
    "Have temporary files in memory, where programs may be run from there, unless somebody has named another place"
    if "TMPDIR" in os.environ or not os.path.isdir(place) or shutil.disk_usage(place).free < enough: return
    if not os.statvfs(place).f_flag & os.ST_NOEXEC: os.environ["TMPDIR"] = tempfile.tempdir = place


def pytest_xdist_auto_num_workers():
    from birdornot.core import cores
    return cores() + 3


def pytest_collection_modifyitems(items):
    from birdornot.core import has_fastai
    wanted = [*os.environ.get("BIRDORNOT_FLAGS", "").split(), *["fastai"]*has_fastai()]
    for item in items:
        for flag in FLAGS:
            if item.get_closest_marker(flag) and flag not in wanted:
                item.add_marker(pytest.mark.skip(reason=f"flagged {flag}: run with BIRDORNOT_FLAGS={flag}"))


def _keep_drawings(config):
    "Have every process that the tests start read what another has drawn: see tests/kept"
    if not hasattr(config, "cache"): return  # pytest was started without it
    key = hashlib.sha256(f"{numpy.__version__} {PIL.__version__}".encode())
    for name in ("drawing", "sample"): key.update((Path(__file__).parents[1]/"birdornot"/f"{name}.py").read_bytes())
    os.environ["BIRDORNOT_DRAWINGS"] = str(config.cache.mkdir(f"drawings-{key.hexdigest()[:12]}"))
    here = Path(__file__).parent/"kept"
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(here), os.environ.get("PYTHONPATH")]))
    if "birdornot.sample" not in sys.modules: runpy.run_path(str(here/"sitecustomize.py"))


class _Scheduler(LoadFileScheduling):
    """A file to a worker, so that its costly fixtures are made once; notebooks share nothing and go one by one

    but for those with torch: it and fastai take five seconds to import, and so two workers do it for all."""
    def _split_scope(self, nodeid):
        file, _, test = nodeid.partition("::")
        if file.endswith(("test_lesson.py", "test_parity.py", "test_readers.py")): return "torch"
        if not file.endswith("test_notebooks.py"): return super()._split_scope(nodeid)
        notebook = Path(__file__).parents[1]/"nbs"/test.partition("[")[2].removesuffix("]")
        if not (notebook.is_file() and WITH_TORCH.search(notebook.read_text(encoding="utf-8"))): return nodeid
        return "torch" if notebook.parent.name == "tutorials" or notebook.name > "62" else "torch tunes"

    def _assign_work_unit(self, node):
        self.workqueue.move_to_end(max(self.workqueue, key=lambda s: SECONDS.get(Path(s).stem, 0)), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config, log): return _Scheduler(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    "Have one worker rewrite a module's assertions, which takes longer than to import it, and the others read these"
    if not isinstance(collector, pytest.Module) or not hasattr(collector.config, "cache"): return (yield)
    with FileLock(collector.config.cache.mkdir("locks")/collector.path.stem): return (yield)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard():
    "A shell that starts the tests in the background has SIGINT ignored, and programs started here would inherit that"
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def browser():
    "Chromium, once for all tests of a file"
    from browser import CHROMIUM, chromium
    if not CHROMIUM: pytest.skip("no Chromium here")
    with chromium() as b: yield b


@pytest.fixture
def tab(browser):
    "A tab of the browser, on which nothing has happened yet that a page would notice"
    from browser import fresh_tab
    with fresh_tab(browser) as page: yield page


@pytest.fixture(scope="module")
def package_source(tmp_path_factory):
    "A copy of what a wheel is built from, without environments and datasets that may lie beside it"
    root, copy = Path(__file__).parents[1], tmp_path_factory.mktemp("package")/"src"
    shutil.copytree(root/"birdornot", copy/"birdornot", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "settings.ini", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(root/name, copy)
    return copy


@pytest.fixture(scope="module")
def nbs(tmp_path_factory):
    "A copy of the notebooks, in which they may leave what they make"
    root = Path(__file__).parents[1]
    home = tmp_path_factory.mktemp("notebooks")
    made = shutil.ignore_patterns("made", ".ipynb_checkpoints")
    shutil.copytree(root/"nbs", home/"nbs", symlinks=True, ignore=made)
    (home/"birdornot").symlink_to(root/"birdornot")  # where chapters find the pages that stand beside the code
    yield home/"nbs"
    shutil.rmtree(home)


@pytest.fixture
def memory(tmp_path):
    "What a search remembers of refusals, in a file of its own"
    from birdornot.search import Memory
    return Memory(tmp_path/"refused.json")


@pytest.fixture
def search(memory):
    "`search_images` on the taped engines, by a clock that moves only when somebody sleeps"
    from taped import Clock, Engines

    from birdornot.engines import Web
    from birdornot.search import search_images

    def _search(term="bird", engines=None, clock=None, **kw):
        clock = clock or Clock()
        return search_images(term, web=Web(engines or Engines(), clock=clock, sleep=clock.sleep), memory=memory, **kw)

    return _search
