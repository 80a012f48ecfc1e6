"""Who acts: the person behind one event, and what their role allows. Below every part, so that each can ask."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mhms_app.errors import LoginRequired, NotAllowed


class Role(StrEnum):
    """What a person may do; one role each."""

    PATIENT = "patient"
    DOCTOR = "doctor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Actor:
    """The person behind one event, as the database knows them at that moment."""

    user_id: int
    session_id: int
    role: Role
    name: str
    email: str
    patient_id: int | None
    touch_due: bool = False


def require_role(actor: Actor | None, role: Role) -> Actor:
    """Return the actor if they have the role.

    Raises:
        LoginRequired: nobody is logged in.
        NotAllowed: somebody with another role is.
    """
    if actor is None:
        raise LoginRequired
    if actor.role is not role:
        raise NotAllowed
    return actor
