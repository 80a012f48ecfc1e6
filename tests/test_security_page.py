"""docs/security.md answers every requirement of OWASP ASVS 5.0.0, levels 1 and 2, and the tests that it names exist."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from tests.databases import ROOT

# The level of each requirement: section 1.2 has ten, of which the first five are of level 1. Only numbers stand here;
# the text is in github.com/OWASP/ASVS, 5.0/docs_en, as OWASP wrote it (CC BY-SA 4.0).
LEVELS = """
1.1 22 · 1.2 1111122223 · 1.3 112222222223 · 1.4 222 · 1.5 123
2.1 122 · 2.2 112 · 2.3 12223 · 2.4 23
3.1 3 · 3.2 113 · 3.3 12223 · 3.4 11222233 · 3.5 11122333 · 3.6 3 · 3.7 22333
4.1 12233 · 4.2 23333 · 4.3 22 · 4.4 1222
5.1 2 · 5.2 112333 · 5.3 113 · 5.4 222
6.1 122 · 6.2 111111112222 · 6.3 11223333 · 6.4 112233 · 6.5 22222333 · 6.6 2223 · 6.7 33 · 6.8 2222
7.1 222 · 7.2 1111 · 7.3 22 · 7.4 11222 · 7.5 223 · 7.6 22
8.1 1233 · 8.2 1123 · 8.3 133 · 8.4 23
9.1 111 · 9.2 1222
10.1 22 · 10.2 223 · 10.3 22223 · 10.4 1111122222233333 · 10.5 22222 · 10.6 22 · 10.7 222
11.1 2233 · 11.2 22233 · 11.3 11233 · 11.4 1222 · 11.5 23 · 11.6 23 · 11.7 33
12.1 12233 · 12.2 11 · 12.3 22223
13.1 2333 · 13.2 222223 · 13.3 2233 · 13.4 1222233
14.1 22 · 14.2 12223333 · 14.3 122
15.1 12233 · 15.2 12233 · 15.3 1222222 · 15.4 3333
16.1 2 · 16.2 22222 · 16.3 2222 · 16.4 222 · 16.5 2223
17.1 23 · 17.2 22223333 · 17.3 22
"""
LEVEL = {
    f"{section}.{number}": int(level)
    for section, levels in re.findall(r"([\d.]+) (\d+)", LEVELS)
    for number, level in enumerate(levels, 1)
}
_ROW = re.compile(r"^\| (\d[\d., –]*) \|(.+)\|(.+)\|$", re.MULTILINE)
_NAMED = re.compile(r"`((?:tests|bench)/[\w/]+\.py)?(?:::(\w+))?`")


@cache
def page() -> str:
    return (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def rows() -> list[tuple[list[str], str, str]]:
    """The requirements, what MHMS does, and what shows it, of each row."""
    return [(numbers(first), does.strip(), shown.strip()) for first, does, shown in _ROW.findall(page())]


def numbers(cell: str) -> list[str]:
    """``6.2.1, 6.3.1–6.3.3`` in full."""
    found = []
    for part in cell.replace(" ", "").split(","):
        first, _, last = part.partition("–")
        section, _, start = first.rpartition(".")
        end = (last or first).rpartition(".")[2]
        found += [f"{section}.{number}" for number in range(int(start), int(end) + 1)]
    return found


def test_the_numbers_are_those_of_the_standard() -> None:
    assert Counter(LEVEL.values()) == {1: 70, 2: 183, 3: 92}


def test_every_requirement_of_level_1_and_2_is_answered_once() -> None:
    answered = Counter(number for named, _, _ in rows() for number in named)
    assert [number for number, times in answered.items() if times > 1] == []
    assert sorted(answered.keys() - LEVEL.keys()) == []
    assert [number for number, level in LEVEL.items() if level < 3 and number not in answered] == []


def test_every_answer_is_shown_by_something_or_says_that_it_is_not() -> None:
    for named, does, shown in rows():
        assert does, named
        if "`" not in shown:
            assert shown == "-" and does.startswith(("Does not apply: ", "**Gap:** ")), named


def test_every_test_that_is_named_exists() -> None:
    module, named = "", 0
    for path, test in _NAMED.findall(page()):
        module = path or module
        if module:
            source = (ROOT / module).read_text(encoding="utf-8")
            assert not test or f"def {test}(" in source, f"{module}::{test}"
            named += bool(test)
    assert named > 200
    for path in re.findall(r"`((?:docs|mhms_app|email_lambda|bench)/[\w/.-]+|[\w.-]+\.(?:md|toml|txt|py))`", page()):
        assert (ROOT / path).exists(), path
