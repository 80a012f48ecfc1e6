"""Codes of an authenticator app, by the vectors of RFC 6238."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from mhms_app.accounts import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()  # RFC 6238, appendix B
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    20000000000: "65353130",
}
NOW, STEP, CODE = datetime.fromtimestamp(1111111109, UTC), 37037036, "081804"


@pytest.mark.parametrize(("seconds", "digits"), VECTORS.items())
def test_the_codes_are_those_of_the_rfc(seconds: int, digits: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert totp.matching_step(SECRET, digits[-6:], now=at) == seconds // 30


def test_one_step_before_and_after_is_accepted_and_no_further_one() -> None:
    half_minutes = {drift: NOW + drift * timedelta(seconds=30) for drift in range(-3, 4)}
    steps = {drift: totp.matching_step(SECRET, CODE, now=now) for drift, now in half_minutes.items()}
    assert steps == {-3: None, -2: None, -1: STEP, 0: STEP, 1: STEP, 2: None, 3: None}


@pytest.mark.parametrize("code", ["", "28708", "2870822", "abcdef", "28708²", "٢٨٧٠٨٢", "287 82", "\0" * 6])
def test_what_is_no_code_fits_nothing(code: str) -> None:
    assert totp.matching_step(SECRET, code, now=NOW) is None


def test_a_secret_is_160_random_bits_that_can_be_typed() -> None:
    secrets = {totp.new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert {len(base64.b32decode(secret)) for secret in secrets} == {20}
    assert totp.in_groups(SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"


def test_the_picture_is_an_image_that_the_page_may_show() -> None:
    assert totp.qr_code(SECRET, email="jo@example.com").startswith("data:image/svg+xml;")
