# written by nbdev-export from nbs: the types of birdornot.review, with patched methods in their classes
from _typeshed import Incomplete
from pathlib import Path
from birdornot.picture import SafeReader
from birdornot.server import LocalServer

VIEWS: dict[str, tuple[str, Incomplete, str, str]]
def review_queue(path: str | Path, view: str = 'labels') -> list[list[dict]]: ...
class ReviewServer(LocalServer):
    path: Path
    who: str | None
    reader: SafeReader
    def __init__(self, path: str | Path, port: int = 0, who: str | None = None, **kwargs: Incomplete) -> None: ...
    def close(self) -> None: ...
def review(path: str | Path, port: int = 0, who: str | None = None, browser: bool = True, wait: Incomplete | None = None) -> int: ...
