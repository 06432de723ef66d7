"""Other environments, made of what is installed in this one."""
import shutil
import sysconfig
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def _with_what_it_needs(name):
    "The installed distribution `name` and all that it requires"
    needed, dist = [], metadata.distribution(name)
    for r in map(Requirement, dist.requires or ()):
        if not r.marker or r.marker.evaluate(dict(extra="")): needed += _with_what_it_needs(r.name)
    return [dist, *needed]


def importable_with(*extras):
    "Top-level names that can be imported beside birdornot, some of its extras and JupyterLab, of those installed here"
    ini = ConfigParser(delimiters=("=",), interpolation=None)
    ini.read(Path(__file__).parents[1]/"settings.ini", encoding="utf-8")
    there, todo = {"birdornot"}, ["pip", "jupyterlab"]
    for key in ("requirements", *(f"{extra}_requirements" for extra in extras)):
        todo += [Requirement(line).name for line in ini["DEFAULT"][key].strip().splitlines()]
    while todo:
        name = canonicalize_name(todo.pop())
        if name in there: continue
        there.add(name)
        try: needed = metadata.requires(name) or ()
        except metadata.PackageNotFoundError: continue
        todo += [r.name for r in map(Requirement, needed) if not r.marker or r.marker.evaluate(dict(extra=""))]
    owners = metadata.packages_distributions()
    return {"birdornot", *(top for top, dists in owners.items() if there & {*map(canonicalize_name, dists)})}


def _put(dist, site):
    "Put an installed distribution into another environment: by links, which takes no time and no package index"
    for top in {f.parts[0] for f in dist.files} - {"..", "__pycache__"} - {f.name for f in site.iterdir()}:
        there = Path(dist.locate_file(top))
        try: (site/top).symlink_to(there, target_is_directory=there.is_dir())
        except OSError: (shutil.copytree if there.is_dir() else shutil.copy)(there, site/top)  # Windows may not link


def put_in_environment(name, env):
    "Put an installed distribution and all that it requires into the virtual environment `env`"
    site = Path(sysconfig.get_path("purelib", "venv", dict(base=env)))
    for dist in _with_what_it_needs(name): _put(dist, site)
