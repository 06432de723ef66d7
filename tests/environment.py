"""Other environments, made of what is installed in this one."""
import shutil
import sysconfig
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement


def _with_what_it_needs(name):
    "The installed distribution `name` and all that it requires"
    needed, dist = [], metadata.distribution(name)
    for r in map(Requirement, dist.requires or ()):
        if not r.marker or r.marker.evaluate(dict(extra="")): needed += _with_what_it_needs(r.name)
    return [dist, *needed]


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
