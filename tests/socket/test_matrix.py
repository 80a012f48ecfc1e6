"""Every handler of every State, called by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest
from sqlalchemy import ColumnElement
from sqlmodel import col, select

from mhms_app import routes
from mhms_app.accounts import sessions
from mhms_app.accounts.models import LoginSession
from mhms_app.actor import Duty
from mhms_app.errors import NotAllowed
from mhms_app.web import gate
from tests.running import RunningApp
from tests.socket.cast import Cast, tables
from tests.socket.hostile import Said, tab
from tests.socket.matrix import ADMIN, NEVER, REFLEX, WIRE_NAME, allows_duty, matrix, page_of, policies, registered

PEOPLE = ("nobody", "patient", "doctor", "admin")


def test_the_matrix_is_what_the_code_says() -> None:
    assert {name: line.who for name, line in matrix(Cast()).items()} == policies()


def test_whatever_else_is_registered_belongs_to_reflex_or_is_never_let_through() -> None:
    others = {name for name, short in registered().items() if short not in policies()}
    assert {name for name in others if name.rpartition(".")[2] not in NEVER} == REFLEX
    assert {name.rpartition(".")[2] for name in REFLEX} == gate._OWN_EVENTS_OF_REFLEX


def test_no_page_names_a_handler_like_one_of_reflex() -> None:
    assert not {name.rpartition(".")[2] for name in policies()} & gate._OWN_EVENTS_OF_REFLEX


@pytest.mark.parametrize("person", PEOPLE)
def test_whoever_may_not_call_a_handler_changes_nothing_with_it(app: RunningApp, cast: Cast, person: str) -> None:
    before = tables(app)
    refused = {name for name, line in matrix(cast).items() if not line.is_for(person)}
    for name, said in answers(app, cast, person, refused):
        assert not said.page_data, name
        if person == "nobody":
            assert said.redirect.startswith("/login?next="), name
        else:
            assert (said.notice, said.events) == (NotAllowed.sentence, []), name
    assert tables(app) == before


@pytest.mark.parametrize("person", PEOPLE)
def test_whoever_may_call_a_handler_is_let_through(app: RunningApp, cast: Cast, person: str) -> None:
    allowed = {name for name, line in matrix(cast).items() if line.is_for(person)}
    assert person != ADMIN or len(allowed) > len(policies()) / 2
    for name, said in answers(app, cast, person, allowed):
        assert not said.redirect.startswith("/login?next="), name  # as a refusal; a step that is over leads to /login
        assert not said.notice.startswith((NotAllowed.sentence, gate.UNEXPECTED)), name


@pytest.mark.parametrize("person", ["patient", "doctor", "admin"])
def test_whoever_has_a_duty_is_led_to_it_and_changes_nothing_before(app: RunningApp, cast: Cast, person: str) -> None:
    with app.database() as session:
        user_id = session.exec(select(LoginSession.user_id).where(_is_of(cast.cookie[person]))).one()
        token = sessions.open_session(session, user_id=user_id, must_do=Duty.PASSWORD)
        session.commit()
    before = tables(app)
    wanted = {name for name, line in matrix(cast).items() if line.who == person and not allows_duty(name)}
    assert wanted
    for name, said in answers(app, cast, person, wanted, token=token):
        assert not said.page_data, name
        assert said.redirect == routes.ACCOUNT_PASSWORD, name
    assert tables(app) == before


def _is_of(token: str) -> ColumnElement[bool]:
    return col(LoginSession.token_hash) == sessions.hash_token(token)


def answers(
    app: RunningApp, cast: Cast, person: str, handlers: set[str], *, token: str = ""
) -> Iterator[tuple[str, Said]]:
    """Call handlers, those of each page from that page; in the person's session unless another one is given."""
    lines = matrix(cast)
    for _, names in groupby(sorted(handlers), key=lambda name: name.rpartition(".")[0]):
        with tab(app, token or cast.cookie[person]) as hostile:
            for number, name in enumerate(names):
                if not number:
                    hostile.visit(page_of(name, cast))
                yield name, hostile.call(WIRE_NAME[name], lines[name].arguments)
