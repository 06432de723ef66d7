"""Hand pip the lists of `settings.ini`; identity and version come from `pyproject.toml`."""
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

ini = ConfigParser(delimiters=["="], interpolation=None)
ini.read(Path(__file__).parent / "settings.ini", encoding="utf-8")
cfg = ini["DEFAULT"]


def lines(key: str) -> list[str]:
    return [line.strip() for line in cfg.get(key, "").splitlines() if line.strip()]


extras = [key.removesuffix("_requirements") for key in cfg if key.endswith("_requirements")]
setup(
    keywords=cfg["keywords"].split(),
    classifiers=lines("classifiers"),
    install_requires=lines("requirements"),
    extras_require={extra: lines(f"{extra}_requirements") for extra in extras},
    entry_points={"console_scripts": lines("console_scripts"), "nbdev": ["birdornot = birdornot._modidx:d"]},
)
