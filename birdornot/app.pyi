# written by nbdev-export from nbs: the types of birdornot.app, with patched methods in their classes
from _typeshed import Incomplete
from pathlib import Path
from birdornot.core import BirdornotError
from birdornot.picture import SafeReader
from birdornot.predict import Classifier
from birdornot.server import Limits, LocalServer

class FeedbackError(BirdornotError):
    ...
def save_feedback(dest: str | Path, data: bytes, label: str) -> int: ...
def undo_feedback(dest: str | Path, id: int) -> None: ...
class AppServer(LocalServer):
    clf: Classifier
    model: str | Path
    dataset: Incomplete
    outputs: Incomplete
    learn: Incomplete | None
    lock: Incomplete
    reader: SafeReader
    def __init__(self, model: str | Path, dataset: str | Path | None = None, port: int = 0, limits: Limits = ...) -> None: ...
    def close(self) -> None: ...
def serve(model: str | Path, dataset: str | Path | None = None, port: int = 0, browser: bool = True, wait: Incomplete | None = None) -> None: ...
