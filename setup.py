"""Hand pip the lists of `settings.ini`; identity and version come from `pyproject.toml`."""
import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

ROOT, REPO = Path(__file__).parent, "birdornot/birdornot"
ini = ConfigParser(delimiters=["="], interpolation=None)
ini.read(ROOT / "settings.ini", encoding="utf-8")
cfg = ini["DEFAULT"]


def lines(key: str) -> list[str]:
    return [line.strip() for line in cfg.get(key, "").splitlines() if line.strip()]


def long_description() -> str:
    "The README as PyPI shows it, where a link to a file of the repository has to be a whole address"
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"(!\[[^\]]*\]\()(?!\w+:|#)", rf"\1https://raw.githubusercontent.com/{REPO}/main/", text)
    return re.sub(r"(\]\()(?!\w+:|#)", rf"\1https://github.com/{REPO}/blob/main/", text)


extras = [key.removesuffix("_requirements") for key in cfg if key.endswith("_requirements")]
setup(
    long_description=long_description(),
    long_description_content_type="text/markdown",
    keywords=cfg["keywords"].split(),
    classifiers=lines("classifiers"),
    install_requires=lines("requirements"),
    extras_require={extra: lines(f"{extra}_requirements") for extra in extras},
    entry_points={"console_scripts": lines("console_scripts"), "nbdev": ["birdornot = birdornot._modidx:d"]},
)
