"""The studio: its folder, its words, its page in a real browser, and what it computes beside what Python does."""
import json
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1]/"birdornot"/"page"
TABLES = {f.stem: json.loads(f.read_text(encoding="utf-8")) for f in (PAGE/"words").glob("*.json")}


@pytest.mark.parametrize("language", sorted(TABLES))
def test_a_language_has_all_words(language):
    assert set(TABLES[language]) == set(TABLES["en"])
