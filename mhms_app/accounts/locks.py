"""The lock on an account, under which everything about it changes."""

from __future__ import annotations

from sqlmodel import Session, select

from mhms_app.accounts.models import User
from mhms_app.errors import NotFound


def lock_user(session: Session, user_id: int) -> User:
    """Lock a user and look again: what this session read before may be old.

    Raises:
        NotFound: there is no such user.
    """
    found = select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    user = session.exec(found).first()
    if user is None:
        raise NotFound
    return user
