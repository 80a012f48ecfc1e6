"""Whoever reuses a password that a breach has shown to everybody is told so."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhms_app.accounts import breached, passwords
from tests import builders


@pytest.mark.parametrize(
    "password",
    [
        "xxO.mZQhxU2RI",
        "zUROcELiFOhI",
        "XXO.MZQHXU2RI",
        "xxo.mzqhxu2ri",
        " xxO.mZQhxU2RI ",
        "ｘｘO.mZQhxU2RI",
        "invin0veritas",
    ],
)
def test_a_breached_password_is_refused_however_it_is_written(password: str) -> None:
    """Those that zxcvbn alone finds good enough."""
    strength = passwords.judge(password)
    assert (strength.acceptable, strength.score) == (False, 0)
    assert "known from breaches" in strength.sentence


@pytest.mark.parametrize("password", [builders.PASSWORD, "violet harbour lantern 9", "xxO.mZQhxU2RJ", "\ud800" * 12])
def test_others_are_not_on_the_list(password: str) -> None:
    assert not breached.is_known(password)


def test_all_of_them_are_there() -> None:
    stored = breached._stored()
    entries = [breached._at(stored, number) for number in range(len(stored) // breached._WIDTH)]
    assert len(stored) == 43_940 * breached._WIDTH
    assert entries == sorted(set(entries))


def test_the_list_can_be_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breached, "_STORE", tmp_path / "list.bin")
    source = tmp_path / "list.txt"
    source.write_bytes("too short\nquite LONG enough\nQUITE long enough\nGr\u00fcne W\u00e4lder\n".encode() + b"\xff\n")
    breached.write(source)
    breached._stored.cache_clear()
    assert len(breached._stored()) == 2 * breached._WIDTH
    assert breached.is_known("Quite Long Enough")
    assert breached.is_known("gr\u00fcne w\u00e4lder")
    assert not breached.is_known("too short")


@pytest.fixture(autouse=True)
def forget() -> None:
    breached._stored.cache_clear()


@given(st.text(max_size=40))
def test_any_text_can_be_looked_up(text: str) -> None:
    assert breached.is_known(text) in (True, False)
