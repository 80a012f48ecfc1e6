"""What is installed is what was chosen: every package pinned, and every file of it known by its hash."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.databases import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CHOSEN = {
    "requirements.txt": PROJECT["project"]["dependencies"],
    "requirements-dev.txt": PROJECT["dependency-groups"]["dev"],
    "requirements-tools.txt": PROJECT["dependency-groups"]["tools"],
    "email_lambda/requirements.txt": PROJECT["dependency-groups"]["lambda"],
}


def pins(path: str) -> dict[str, str]:
    """The version of each package of a file, every one of which has hashes."""
    text = re.sub(r"(?m)^ *#.*\n?", "", (ROOT / path).read_text("utf-8")).replace("\\\n", "")
    found = {}
    for line in text.splitlines():
        requirement, *hashes = line.split("--hash=")
        assert hashes, line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64} *", each) for each in hashes), line
        wanted = Requirement(requirement.strip())
        assert wanted.url is None, line
        (version,) = wanted.specifier
        assert version.operator == "=="
        found[canonicalize_name(wanted.name)] = version.version
    return found


@pytest.mark.parametrize("path", CHOSEN)
def test_what_was_chosen_is_pinned_with_what_it_needs_and_with_hashes(path: str) -> None:
    chosen = {canonicalize_name(each.name): str(each.specifier) for each in map(Requirement, CHOSEN[path])}
    pinned = pins(path)
    assert {name: f"=={pinned[name]}" for name in chosen} == chosen
    assert len(pinned) > len(chosen)


def test_nothing_names_where_packages_come_from() -> None:
    for path in CHOSEN:
        text = (ROOT / path).read_text("utf-8")
        assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text), path


def test_two_files_never_want_two_versions_of_one_package() -> None:
    app, development, deployed = (pins(path) for path in CHOSEN if "tools" not in path)
    for one, other in ((app, development), (app, deployed), (development, deployed)):
        assert {name: one[name] for name in one.keys() & other.keys()} == {
            name: other[name] for name in one.keys() & other.keys()
        }
