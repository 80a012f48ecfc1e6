"""A refused form travels back in a cookie: only to its own page, and only as we wrote it."""

from __future__ import annotations

import base64
import json

import pytest

from mhms_app.accounts import cookies
from mhms_app.accounts.cookies import RefusedForm, refused_form


def header(value: str) -> str:
    return f"other=1; {cookies.FORM_COOKIE}={value}; mhms=abc"


def written(data: object) -> str:
    return header(base64.urlsafe_b64encode(json.dumps(data).encode()).decode())


def test_it_comes_back_as_it_was() -> None:
    refused = RefusedForm("signup", {"full_name": "Élodie Şahin", "role": "doctor"}, {"email": "Not complete."})
    assert refused_form(header(refused.to_cookie()), "signup") == refused


@pytest.mark.parametrize("other", ["signup", "reset", "password", "forgot"])
def test_it_does_not_show_up_on_another_form(other: str) -> None:
    assert refused_form(header(RefusedForm("login", {}, {"password": "No."}).to_cookie()), other) is None


def test_two_equal_refusals_are_two() -> None:
    first, second = (RefusedForm("login", {"email": "a@b.c"}, {"password": "No."}) for _ in range(2))
    assert first.number != second.number


@pytest.mark.parametrize("character", ["漢", "x", "\0", "\ud800", '"'])
def test_it_fits_into_a_cookie_whatever_was_typed(character: str) -> None:
    typed = dict.fromkeys(("role", "full_name", "email", "department"), character * 400)
    errors = dict.fromkeys(("role", "full_name", "email", "department", "password"), "x" * 80)
    assert len(RefusedForm("signup", typed, errors).to_cookie()) <= 3900


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "other=1",
        header("%%%"),
        header("bm90IGpzb24="),
        written([]),
        written({"form": "login"}),
        written({"form": "admin", "typed": {}, "errors": {}, "number": "1"}),
        written({"form": "login", "typed": {"email": 5}, "errors": {}, "number": "1"}),
        written({"form": "login", "typed": {}, "errors": {"password": ["x"]}, "number": "1"}),
        written({"form": "login", "typed": {}, "errors": {}, "number": {"a": 1}}),
    ],
)
def test_what_we_did_not_write_is_ignored(cookie: str) -> None:
    assert refused_form(cookie, "login") is None
