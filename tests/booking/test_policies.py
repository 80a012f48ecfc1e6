"""A department's policy: what an administrator may type, and what the rules receive."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session

from mhms_app.actor import Actor, Role
from mhms_app.booking import policies
from mhms_app.booking.rules import Policy, in_words
from mhms_app.directory.models import Department
from mhms_app.errors import InvalidForm, LoginRequired, NotAllowed, NotFound
from tests import builders


@pytest.fixture
def admin(session: Session) -> Actor:
    return builders.actor(session, builders.user(session, role=Role.ADMIN))


def test_a_new_department_has_the_usual_policy(session: Session) -> None:
    assert policies.policy_of(builders.department(session)) == Policy()


def test_what_is_saved_is_what_the_rules_receive(session: Session, admin: Actor) -> None:
    key = builders.key(builders.department(session))
    typed = replace(
        policies.read_policy(session, admin, department_id=key),
        notice_minutes=90,
        change_hours=2,
        reminder_hours=" 2, 48 ",
        cancel_reasons="Holiday\n\n  Moved away \n",
    )
    policies.save_policy(session, admin, department_id=key, typed=typed)
    session.expire_all()
    policy = policies.policy_of(session.get_one(Department, key))
    assert (policy.notice, policy.change_until) == (timedelta(minutes=90), timedelta(hours=2))
    assert policy.reminders == (timedelta(hours=48), timedelta(hours=2))
    assert policy.reasons == ("Holiday", "Moved away")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("notice_minutes", -1),
        ("ahead_days", 0),
        ("change_hours", 1000),
        ("horizon_weeks", 53),
        ("hold_minutes", 31),
        ("offer_longest_minutes", 1441),
        ("offer_shortest_minutes", 121),
        ("offer_shortest_minutes", 4),
        ("most_active", 0),
        ("reminder_hours", "soon"),
        ("reminder_hours", "1, 2, 3, 4"),
        ("reminder_hours", "24, 24"),
        ("cancel_reasons", " \n "),
        ("cancel_reasons", "x" * 61),
    ],
)
def test_every_limit_is_said_beside_its_field(session: Session, admin: Actor, field: str, value: object) -> None:
    key = builders.key(builders.department(session))
    typed = replace(policies.read_policy(session, admin, department_id=key), **{field: value})  # type: ignore[arg-type]
    with pytest.raises(InvalidForm) as refused:
        policies.save_policy(session, admin, department_id=key, typed=typed)
    assert list(refused.value.errors) == [field]
    assert policies.policy_of(session.get_one(Department, key)) == Policy()


def test_only_administrators_set_policies(session: Session, admin: Actor) -> None:
    key = builders.key(builders.department(session))
    typed = policies.read_policy(session, admin, department_id=key)
    doctor = builders.actor(session, builders.doctor(session))
    for stranger, refusal in ((None, LoginRequired), (doctor, NotAllowed)):
        with pytest.raises(refusal):
            policies.read_policy(session, stranger, department_id=key)
        with pytest.raises(refusal):
            policies.save_policy(session, stranger, department_id=key, typed=typed)
    with pytest.raises(NotFound):
        policies.save_policy(session, admin, department_id=999_999, typed=typed)


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(hours=24), "24 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(days=7), "7 days"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(), "0 minutes"),
    ],
)
def test_spans_are_said_as_people_say_them(span: timedelta, said: str) -> None:
    assert in_words(span) == said
