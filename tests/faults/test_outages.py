"""What a page says and does while the database cannot be reached, and that it goes on by itself afterwards."""

from __future__ import annotations

import httpx
import pytest
from reflex.state import State
from sqlmodel import select

from mhms_app import routes
from mhms_app.accounts.cookies import refused_form
from mhms_app.booking.models import Appointment
from mhms_app.errors import OutcomeUnknown, Unreachable
from mhms_app.web import meanwhile
from mhms_app.web.public.doctor_profile import Profile
from mhms_app.web.screen import Screen
from tests.faults.conftest import Shaky
from tests.faults.proxy import Line
from tests.socket.hostile import HYDRATE, tab
from tests.socket.matrix import WIRE_NAME

CHOOSE, CONFIRM = (WIRE_NAME[f"public.doctor_profile.Profile.{name}"] for name in ("choose", "confirm"))


@pytest.mark.parametrize("line", [Line.CUT, Line.STALLED])
def test_a_page_that_opens_during_an_outage_says_so_and_opens_by_itself_afterwards(clinic: Shaky, line: Line) -> None:
    clinic.line.set(line)
    with tab(clinic.app, clinic.cast.cookie["patient"]) as patient:
        patient.send(HYDRATE, {"vars": {}})
        assert patient.hears_of(Screen, "meanwhile") in (meanwhile.AWAY, meanwhile.SLOW)
        clinic.line.set(Line.OPEN)
        assert patient.hears_of(Screen, "viewer_name") == "Jo Moreau"
        said = patient.settle()
        assert said.var(Screen, "meanwhile") in ("", None)


def test_nothing_of_a_tab_is_sent_while_nobody_knows_whose_it_is(clinic: Shaky) -> None:
    with tab(clinic.app, clinic.cast.cookie["patient"]) as patient:
        assert patient.visit(routes.PATIENT).page_data
        token = patient.token
    clinic.line.set(Line.CUT)
    with tab(clinic.app, clinic.cast.cookie["doctor"], token=token) as doctor:
        doctor.send(HYDRATE, {"vars": {}})
        said = doctor.listen(3)
        assert said.var(Screen, "meanwhile") == meanwhile.AWAY
        assert "Jo Moreau" not in said.text
        assert not said.page_data


def test_a_page_shows_no_empty_list_while_its_contents_cannot_be_read(clinic: Shaky) -> None:
    with tab(clinic.app, clinic.cast.cookie["patient"]) as patient:
        patient.visit("/")
        clinic.line.set(Line.CUT)
        patient.go(routes.PATIENT)
        said = patient.listen(10)  # longer than a handler is patient
        assert said.var(Screen, "meanwhile") == meanwhile.AWAY
        assert said.var(State, "is_hydrated") is not True
        clinic.line.set(Line.OPEN)
        assert patient.hears_of(State, "is_hydrated") is True


def test_a_booking_in_the_middle_of_an_outage_is_made_once_when_it_is_over(clinic: Shaky) -> None:
    for line in (Line.CUT, Line.STALLED, Line.ONE_WAY):
        slot_id = clinic.cast.free.pop()
        with tab(clinic.app, clinic.cast.cookie["patient"]) as patient:
            patient.visit(routes.doctor_profile(clinic.cast.doctor))
            patient.call(CHOOSE, {"slot_id": slot_id})
            clinic.line.set(line)
            patient.send(CONFIRM, {"form": {"reason": "a cough"}})
            assert patient.hears_of(Screen, "meanwhile") in (meanwhile.AWAY, meanwhile.SLOW)
            clinic.line.set(Line.OPEN)
            said = patient.settle()
            assert said.redirect.startswith("/patient/booked/")
        assert len(booked(clinic, slot_id)) == 1


def test_what_could_not_be_done_in_time_says_so_and_can_be_asked_again(clinic: Shaky) -> None:
    slot_id = clinic.cast.free.pop()
    with tab(clinic.app, clinic.cast.cookie["patient"]) as patient:
        patient.visit(routes.doctor_profile(clinic.cast.doctor))
        patient.call(CHOOSE, {"slot_id": slot_id})
        clinic.line.set(Line.CUT)
        said = patient.call(CONFIRM, {"form": {"reason": "a cough"}})
        # Whether it got as far as the commit depends on which connection the pool had for it.
        assert said.notice in (Unreachable.sentence, OutcomeUnknown.sentence)
        assert said.var(Screen, "meanwhile") == ""
        assert booked(clinic, slot_id) == []
        clinic.line.set(Line.OPEN)
        assert patient.call(CONFIRM, {"form": {"reason": "a cough"}}).redirect
    assert len(booked(clinic, slot_id)) == 1


def test_whoever_lost_the_answer_reads_that_the_slot_is_theirs(clinic: Shaky) -> None:
    slot_id = clinic.cast.free.pop()
    page = routes.doctor_profile(clinic.cast.doctor, slot_id=slot_id)
    with tab(clinic.app, clinic.cast.cookie["patient"]) as patient:
        patient.visit(page)
        assert patient.call(CONFIRM, {"form": {"reason": ""}}).redirect
    with tab(clinic.app, clinic.cast.cookie["patient"]) as another:
        said = another.visit(page)
        assert said.notice.endswith("is booked: you find it among your appointments.")
        assert not said.var(Profile, "problem")


def test_a_login_during_an_outage_leads_back_to_the_form_with_a_sentence(clinic: Shaky) -> None:
    clinic.line.set(Line.CUT)
    address = clinic.app.base_url
    with httpx.Client(base_url=address, headers={"Origin": address}, timeout=30) as browser:
        answer = browser.post(routes.POST_LOGIN, data={"email": "jo@example.com", "password": "x"})
        assert answer.status_code == 303
        refused = refused_form(answer.headers["set-cookie"], "login")
        assert refused and refused.errors == {"form": Unreachable.sentence}
        assert refused.typed == {"email": "jo@example.com"}
        assert browser.get("/readyz").status_code == 503
        clinic.line.set(Line.OPEN)
        assert browser.get("/readyz").status_code == 200


def booked(clinic: Shaky, slot_id: int) -> list[Appointment]:
    with clinic.app.database() as session:
        return list(session.exec(select(Appointment).where(Appointment.slot_id == slot_id)))
