"""Who acts: the person behind one event, and what their role allows. Below every part, so that each can ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from mhms_app.errors import DutyFirst, LoginRequired, NotAllowed, NotAsSomebodyElse


class Role(StrEnum):
    """What a person may do; one role each."""

    PATIENT = "patient"
    DOCTOR = "doctor"
    ADMIN = "admin"


class Duty(StrEnum):
    """What somebody who has logged in must do before anything else."""

    PASSWORD = "password"  # noqa: S105 - to choose one: theirs is a temporary one
    SECOND_FACTOR = "second_factor"  # to set one up: their role needs it


LoggedIn = Literal["logged in"]
LOGGED_IN: LoggedIn = "logged in"  # whoever has an account, of any role


@dataclass(frozen=True, slots=True)
class Actor:
    """The person behind one event, as the database knows them at that moment.

    Attributes:
        must_do: what they have to do before anything else, or None.
        acted_by: the administrator who acts as this person, or None.
        time_zone: in which they also read times (IANA); ``""`` is the clinic's.
        acting_until: when that ends; aware UTC.
    """

    user_id: int
    session_id: int
    role: Role
    name: str
    email: str
    patient_id: int | None
    touch_due: bool = False
    must_do: Duty | None = None
    acted_by: int | None = None
    time_zone: str = ""
    acting_until: datetime | None = None


def require_person(actor: Actor | None, *, with_duty: bool = False) -> Actor:
    """Return the actor if somebody is logged in, whatever their role.

    Args:
        with_duty: also somebody who has to do something first; only for what they do then.

    Raises:
        LoginRequired: nobody is logged in.
        DutyFirst: they have to do something else first.
    """
    if actor is None:
        raise LoginRequired
    if actor.must_do and not with_duty:
        raise DutyFirst(actor.must_do)
    return actor


def require_role(actor: Actor | None, role: Role) -> Actor:
    """Return the actor if they have the role.

    Raises:
        LoginRequired, DutyFirst: as ``require_person``.
        NotAllowed: somebody with another role is logged in.
    """
    person = require_person(actor)
    if person.role is not role:
        raise NotAllowed
    return person


def require_oneself(actor: Actor | None, *, with_duty: bool = False) -> Actor:
    """Return the actor if they act for themselves: for what nobody else may ever do with an account.

    Raises:
        LoginRequired, DutyFirst: as ``require_person``.
        NotAsSomebodyElse: it is an administrator who acts as them.
    """
    person = require_person(actor, with_duty=with_duty)
    if person.acted_by is not None:
        raise NotAsSomebodyElse
    return person
