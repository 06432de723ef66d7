# written by nbdev-export from nbs: the types of birdornot.report, with patched methods in their classes
from _typeshed import Incomplete
from pathlib import Path
from fastcore.xml import FT

def thumb(file: str | Path, alt: str, size: int = 150) -> FT: ...
def write_report(path: str | Path, result: Incomplete | None = None, file: str | Path | None = None, more: dict | None = None) -> Path: ...
