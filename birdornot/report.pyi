# written by nbdev-export from nbs: the types of birdornot.report, with patched methods in their classes
from pathlib import Path
from fastcore.xml import FT
from birdornot.evaluate import Evaluation

def thumb(file: str | Path, alt: str, size: int = 150) -> FT: ...
def write_report(path: str | Path, result: Evaluation | None = None, file: str | Path | None = None, more: dict | None = None) -> Path: ...
