"""Passkeys: what a browser is asked, and whether its answer is right (WebAuthn Level 3, sections 7.1 and 7.2).

Nothing here reads or writes the database.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from mhms_app.errors import ClinicError
from mhms_app.settings import settings


class PasskeyRefused(ClinicError):
    """What the browser answered is wrong, too late, or was used before; which of them, nobody is told."""

    sentence = "This passkey was not accepted. Please try again."


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A credential that a browser has just made."""

    credential_id: str
    public_key: bytes
    sign_count: int


def new_challenge() -> str:
    """256 random bits, base64url."""
    return secrets.token_urlsafe(32)


def new_user_handle() -> str:
    """By which authenticators know an account: 256 random bits, base64url, that say nothing about anybody."""
    return secrets.token_urlsafe(32)


def creation_options(challenge: str, *, user_handle: str, email: str, name: str, known: Iterable[str]) -> str:
    """What a browser needs to make a passkey, as JSON.

    Args:
        known: the credentials that the person has already: no authenticator makes a second one.
    """
    return webauthn.options_to_json(
        webauthn.generate_registration_options(
            rp_id=_host(),
            rp_name=settings().clinic_name,
            user_id=base64url_to_bytes(user_handle),
            user_name=email,
            user_display_name=name,
            challenge=base64url_to_bytes(challenge),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_described(known),
        )
    )


def request_options(challenge: str, *, allowed: Iterable[str] = ()) -> str:
    """What a browser needs to use a passkey, as JSON.

    Args:
        allowed: the credentials of one person; none is whichever the person chooses.
    """
    return webauthn.options_to_json(
        webauthn.generate_authentication_options(
            rp_id=_host(),
            challenge=base64url_to_bytes(challenge),
            allow_credentials=_described(allowed),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def check_new(answer: str, *, challenge: str) -> NewPasskey:
    """Check a passkey that a browser says it has made.

    Args:
        answer: ``RegistrationResponseJSON``.
        challenge: the one that it was given; ``""`` is none.

    Raises:
        PasskeyRefused: the answer is wrong.
    """
    try:
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=_expected(challenge),
            expected_rp_id=_host(),
            expected_origin=settings().base_url,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError):
        raise PasskeyRefused from None
    return NewPasskey(bytes_to_base64url(made.credential_id), made.credential_public_key, made.sign_count)


def named_in(answer: str) -> tuple[str, str]:
    """The credential and the user handle that an answer names, in base64url; the handle may be ``""``.

    Raises:
        PasskeyRefused: it names none.
    """
    try:
        parsed = parse_authentication_credential_json(answer)
    except (WebAuthnException, ValueError):
        raise PasskeyRefused from None
    return parsed.id, bytes_to_base64url(parsed.response.user_handle or b"")


def check_use(answer: str, *, challenge: str, public_key: bytes) -> int:
    """Check that a passkey was used by a person whom it knows; returns its new sign count.

    Whether the count is higher than before is for the caller to say, who has to write it down if it is not.

    Args:
        answer: ``AuthenticationResponseJSON``.
        challenge: the one that it was given; ``""`` is none.

    Raises:
        PasskeyRefused: the answer is wrong.
    """
    try:
        used = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=_expected(challenge),
            expected_rp_id=_host(),
            expected_origin=settings().base_url,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError):
        raise PasskeyRefused from None
    return used.new_sign_count


def _expected(challenge: str) -> bytes:
    if not challenge:
        raise PasskeyRefused
    return base64url_to_bytes(challenge)


def _host() -> str:
    """The relying party: the host of the clinic's address."""
    return urlsplit(settings().base_url).hostname or ""


def _described(credentials: Iterable[str]) -> list[PublicKeyCredentialDescriptor]:

    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in credentials]
