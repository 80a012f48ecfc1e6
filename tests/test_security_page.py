"""docs/security.md names tests: each of them exists."""

from __future__ import annotations

import re

from tests.databases import ROOT


def test_every_promise_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    module, named = "", 0
    for path, test in re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`", page):
        module = path or module
        if module:
            source = (ROOT / module).read_text(encoding="utf-8")
            assert not test or f"def {test}(" in source, f"{module}::{test}"
            named += bool(test)
    assert named > 60
