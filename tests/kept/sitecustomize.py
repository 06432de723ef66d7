"""Read by every Python that the tests start: a picture of the sample is drawn once (50 ms), by the process that asks
for it, and then read from a folder.
What `BIRDORNOT_WITHOUT` names cannot be imported, as if it were not installed.

Chapter 99 draws its own, and so does a process that is started without `PYTHONPATH`."""
import functools
import importlib.machinery
import os
import sys
import threading
from pathlib import Path


def keep_drawings(draw, folder):
    "`sample_picture`, reading what another test has drawn"
    @functools.wraps(draw)
    def sample_picture(kind, i, seed=42, fault=""):
        file = folder/f"{seed}-{kind}-{i}-{fault}"
        if file.exists(): return file.read_bytes()
        part = file.with_name(f"{file.name}.{os.getpid()}.{threading.get_ident()}")
        part.write_bytes(data := draw(kind, i, seed, fault))
        try: part.replace(file)
        except PermissionError: part.unlink()  # Windows: another reads it just now
        return data
    return sample_picture


def keep_last(draw, n=40):
    "`draw`, which keeps its last pictures in memory: files of a drawing and its faulty twins are asked for together"
    drawn = functools.lru_cache(n)(draw)
    return functools.wraps(draw)(lambda kind, i, seed=42: drawn(kind, i, seed).copy())


class Without(importlib.machinery.PathFinder):
    "Finds what is installed, but for the packages that `BIRDORNOT_WITHOUT` names"
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in os.environ["BIRDORNOT_WITHOUT"].split(): return super().find_spec(name, path)


class Finder:
    "Finds `birdornot.sample` as ever, and has its pictures kept"
    def find_spec(name, path=None, target=None):
        if name != "birdornot.sample": return
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            module.draw = keep_last(module.draw)
            module.sample_picture = keep_drawings(module.sample_picture, Path(os.environ["BIRDORNOT_DRAWINGS"]))
            module._Studio.patience = float("inf")  # no helpers: the other cores are busy with other tests

        spec.loader.exec_module = exec_module
        return spec


if "BIRDORNOT_WITHOUT" in os.environ: sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Without
if "BIRDORNOT_DRAWINGS" in os.environ: sys.meta_path.insert(0, Finder)
