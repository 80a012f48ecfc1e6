"""The second factors that somebody has, and using one. Whoever calls has locked the account (``locks.lock_user``)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Update, delete, exists, func, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts import passkeys, totp
from mhms_app.accounts.models import FactorSetup, Passkey, RecoveryCode, Totp
from mhms_app.accounts.passkeys import PasskeyRefused
from mhms_app.actor import Role
from mhms_app.sealed import Unreadable, seal, unseal
from mhms_app.settings import settings

_RECOVERY_CODES, _RECOVERY_DIGITS = 10, 25


class PasskeyCopied(PasskeyRefused):
    """Its sign count is not higher than before: somebody has a copy of it (WebAuthn Level 3, section 6.1.1)."""


@dataclass(frozen=True, slots=True)
class CodeUsed:
    """A code was right, and is used up.

    Attributes:
        codes_left: how many recovery codes are left, when it was one; None when it was one of the app.
    """

    codes_left: int | None = None


def needs_one(role: Role) -> bool:
    """Whether somebody of this role must have a second factor."""
    return settings().require_two_factor and role in (Role.DOCTOR, Role.ADMIN)


def has_one(session: Session, user_id: int) -> bool:
    """Whether somebody has a second factor; recovery codes alone are none."""
    app, passkey = (exists().where(col(table.user_id) == user_id) for table in (Totp, Passkey))
    return bool(session.scalar(select(app | passkey)))


def use_code(session: Session, *, user_id: int, code: str) -> CodeUsed | None:
    """Use a code of the authenticator app or a recovery code up; None when it is not right, or used already."""
    typed = "".join(c for c in code if c.isalnum())
    if len(typed) == totp.DIGITS:
        return CodeUsed() if _use_app(session, user_id, typed) else None
    if not _use_recovery_code(session, user_id, typed):
        return None
    return CodeUsed(codes_left(session, user_id))


def _use_app(session: Session, user_id: int, code: str) -> bool:
    """A code is good once: of two logins with it at once, one moves the step on. Its secret is sealed anew."""
    row = session.get(Totp, user_id, populate_existing=True)
    try:
        secret = unseal(row.sealed_secret) if row else ""
    except Unreadable:
        return False
    step = totp.matching_step(secret, code, now=db.clock.now()) if secret else None
    if step is None:
        return False
    moved = (
        update(Totp)
        .where(col(Totp.user_id) == user_id, col(Totp.last_step) < step)
        .values(last_step=step, sealed_secret=seal(secret))
        .execution_options(synchronize_session=False)
    )
    return _rows(session, moved) == 1


def _use_recovery_code(session: Session, user_id: int, code: str) -> bool:
    used = (
        update(RecoveryCode)
        .where(
            col(RecoveryCode.user_id) == user_id,
            col(RecoveryCode.code_hash) == _hash(code),
            col(RecoveryCode.used_at).is_(None),
        )
        .values(used_at=db.clock.now())
        .execution_options(synchronize_session=False)
    )
    return _rows(session, used) == 1


def new_recovery_codes(session: Session, user_id: int) -> tuple[str, ...]:
    """Make ten codes of 83 random bits, in place of all earlier ones; they are stored nowhere.

    They are digits, for the keyboard of a phone that asks for a code. With so many bits nobody finds one by trying,
    so a plain hash keeps them as well as a slow one would.
    """
    made = [f"{secrets.randbelow(10**_RECOVERY_DIGITS):0{_RECOVERY_DIGITS}}" for _ in range(_RECOVERY_CODES)]
    session.execute(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    session.add_all(RecoveryCode(user_id=user_id, code_hash=_hash(code)) for code in made)
    return tuple("-".join(code[start : start + 5] for start in range(0, len(code), 5)) for code in made)


def codes_left(session: Session, user_id: int) -> int:
    """How many recovery codes somebody has."""
    unused = select(func.count()).where(col(RecoveryCode.user_id) == user_id, col(RecoveryCode.used_at).is_(None))
    return session.scalar(unused) or 0


def passkeys_of(session: Session, user_id: int) -> list[Passkey]:
    """Somebody's passkeys, the oldest first."""
    theirs = select(Passkey).where(col(Passkey.user_id) == user_id).order_by(col(Passkey.id))
    return list(session.scalars(theirs.execution_options(populate_existing=True)))


def owner_of(session: Session, answer: str) -> int:
    """Whose passkey a browser has used, as it says: nothing is checked yet.

    Raises:
        PasskeyRefused: it is nobody's.
    """
    credential, _ = passkeys.named_in(answer)
    owner = session.scalar(select(col(Passkey.user_id)).where(col(Passkey.credential_id) == credential))
    if owner is None:
        raise PasskeyRefused
    return owner


def use_passkey(session: Session, *, user_id: int, answer: str, challenge: str, by_itself: bool) -> None:
    """Check what a browser answered with a passkey of this person, and write its use down.

    Args:
        by_itself: nothing else says who it is, so the passkey must (WebAuthn Level 3, section 7.2, step 6).

    Raises:
        PasskeyRefused: the passkey is not theirs, or the answer is wrong.
        PasskeyCopied: it was used elsewhere meanwhile.
    """
    credential, handle = passkeys.named_in(answer)
    row = next((one for one in passkeys_of(session, user_id) if one.credential_id == credential), None)
    if row is None or (handle != row.user_handle and (handle or by_itself)):
        raise PasskeyRefused
    count = passkeys.check_use(answer, challenge=challenge, public_key=row.public_key)
    if (count or row.sign_count) and count <= row.sign_count:
        raise PasskeyCopied
    row.sign_count, row.last_used_at = count, db.clock.now()
    session.add(row)


def take_away(session: Session, user_id: int) -> None:
    """Remove every second factor of somebody, and their recovery codes."""
    for table in (Totp, Passkey, RecoveryCode):
        session.execute(delete(table).where(col(table.user_id) == user_id))


def reseal(session: Session) -> int:
    """Seal every secret with the newest key; returns how many there were.

    Raises:
        Unreadable: one of them was sealed with a key that is not there.
    """
    for setup in session.scalars(select(FactorSetup).where(col(FactorSetup.sealed_secret) != "")):
        setup.sealed_secret = seal(unseal(setup.sealed_secret))
    apps = session.scalars(select(Totp).with_for_update()).all()
    for app in apps:
        app.sealed_secret = seal(unseal(app.sealed_secret))
    return len(apps)


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()


def _rows(session: Session, statement: Update) -> int:
    return int(session.execute(statement).rowcount)  # type: ignore[attr-defined]
