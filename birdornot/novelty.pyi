# written by nbdev-export from nbs: the types of birdornot.novelty, with patched methods in their classes
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
import numpy as np

SHARPNESS: float
@dataclass
class Strangeness:
    axes: np.ndarray
    offset: np.ndarray
    known: np.ndarray
    step: float
    def __call__(self, x: np.ndarray) -> np.ndarray: ...
@dataclass
class Novelty:
    mean: np.ndarray
    scale: np.ndarray
    centre: np.ndarray
    axes: np.ndarray
    less: np.ndarray
    step: float
    strangeness: Strangeness | None = None
    def __call__(self, x: np.ndarray) -> np.ndarray: ...
RANK: int
FLOOR: float
MORE: int
def projection(n: int, m: int) -> np.ndarray: ...
REMEMBERED: int
def fit_novelty(x: np.ndarray, folds: np.ndarray, y: np.ndarray | None = None, answers: tuple[np.ndarray, np.ndarray] | None = None) -> tuple[Novelty, np.ndarray]: ...
CERTAINTY: float
SURER: float
def allowed(n: int, share: float, certainty: float = ...) -> int: ...
SHARES: tuple[float, ...]
def choose_thresholds(confidence: np.ndarray, right: np.ndarray, novelty: np.ndarray, ood: tuple[np.ndarray, np.ndarray], coverage: float = 0.95, error: float | None = None, shown: np.ndarray | None = None, n: int | None = None) -> dict[str, float | None]: ...
def ood_names(labels: Iterable[str] = ..., half: str | None = None) -> list[str]: ...
def ood_files(labels: Iterable[str] = ..., half: str | None = None) -> list[Path]: ...
PACKAGED_OOD: dict[str, str]
def ood_embeddings(labels: Iterable[str] = ..., half: str | None = None, backbone: str = ..., size: int | None = None) -> np.ndarray: ...
