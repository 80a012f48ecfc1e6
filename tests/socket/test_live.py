"""What open pages learn by themselves after somebody else has changed something, and what they do not."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from uuid import uuid4

from mhms_app import routes
from mhms_app.accounts.models import User
from mhms_app.booking import service as booking
from mhms_app.directory.models import Department
from mhms_app.web.admin.bookings import Bookings
from mhms_app.web.admin.overview import Overview
from mhms_app.web.admin.users import Users
from mhms_app.web.admin.worklist import Worklist
from mhms_app.web.components.desk_count import DeskCount
from mhms_app.web.doctor.availability import Availability
from mhms_app.web.doctor.day import Day
from mhms_app.web.patient.home import Home
from mhms_app.web.public.doctor_profile import Profile
from mhms_app.web.public.doctors import Directory
from mhms_app.web.public.landing import Landing
from tests import builders
from tests.running import RunningApp
from tests.socket.cast import MORNING, STRANGERS_NAME, Cast
from tests.socket.hostile import Said, tab

CHOOSE, LEAVE, CONFIRM = (f"{Profile.get_full_name()}.{name}" for name in ("choose", "leave", "confirm"))
WITHDRAW = f"{Day.get_full_name()}.withdraw"


def week(cast: Cast) -> str:
    return routes.doctor_profile(cast.doctor, week=MORNING.date())


def slots(said: Said) -> dict[int, bool]:
    """The slots of the week that is shown, and whether each is struck through."""
    days = said.var(Profile, "days") or []
    return {time["id"]: time["taken"] for day in days for time in (*day["morning"], *day["afternoon"])}


def test_a_withdrawn_slot_is_struck_through_on_every_page_and_then_gone(app: RunningApp, cast: Cast) -> None:
    slot_id = cast.free.pop()
    with ExitStack() as stack:
        visitors = [stack.enter_context(tab(app)) for _ in range(5)]
        doctor = stack.enter_context(tab(app, cast.cookie["doctor"]))
        assert [slots(visitor.visit(week(cast)))[slot_id] for visitor in visitors] == [False] * 5
        doctor.visit(routes.doctor_day(MORNING.date()))
        doctor.call(WITHDRAW, {"slot_id": slot_id})
        for visitor in visitors:
            visitor.hears_that(lambda said: slots(said).get(slot_id))
            visitor.hears_that(lambda said: slots(said) and slot_id not in slots(said))
            assert slot_id not in slots(visitor.visit(week(cast)))


def test_a_held_slot_is_free_for_its_patient_alone_and_comes_back_for_all(app: RunningApp, cast: Cast) -> None:
    slot_id = cast.free.pop()
    with tab(app) as visitor, tab(app, cast.cookie["patient"]) as patient:
        visitor.visit(week(cast))
        patient.visit(week(cast))
        patient.send(CHOOSE, {"slot_id": slot_id})
        said = visitor.hears_that(lambda said: slots(said).get(slot_id))
        assert "Moreau" not in said.text
        assert slots(patient.hears_that(slots))[slot_id] is False
        assert slots(patient.visit(routes.doctor_profile(cast.doctor, slot_id=slot_id)))[slot_id] is False
        patient.call(LEAVE)
        visitor.hears_that(lambda said: slots(said).get(slot_id) is False)


def test_whoever_has_chosen_what_is_gone_hears_of_it_and_keeps_what_was_typed(app: RunningApp, cast: Cast) -> None:
    slot_id = cast.free.pop()
    with tab(app) as visitor, tab(app, cast.cookie["doctor"]) as doctor:
        visitor.visit(week(cast))
        visitor.call(CHOOSE, {"slot_id": slot_id})
        visitor.call(f"{Profile.get_full_name()}.keep_reason", {"text": "Palpitations"})
        doctor.visit(routes.doctor_day(MORNING.date()))
        doctor.call(WITHDRAW, {"slot_id": slot_id})
        said = visitor.hears_that(lambda said: said.var(Profile, "problem"))
        assert said.var(Profile, "reason") is None  # not sent: it stays as it is


def test_the_next_free_times_of_the_landing_page_and_the_directory_follow(app: RunningApp, cast: Cast) -> None:
    with tab(app) as landing, tab(app) as directory, tab(app, cast.cookie["doctor"]) as doctor:
        before = landing.visit(routes.HOME).var(Landing, "offers")
        rows = directory.visit(routes.DOCTORS).var(Directory, "rows")
        doctor.visit(routes.doctor_day(MORNING.date()))
        first = cast.free.pop(0)
        doctor.call(WITHDRAW, {"slot_id": first})
        landing.hears_that(lambda said: said.var(Landing, "offers") not in (None, before))
        directory.hears_that(lambda said: said.var(Directory, "rows") not in (None, rows))


def test_a_doctors_screens_and_the_numbers_of_the_clinic_follow(app: RunningApp, cast: Cast) -> None:
    slot_id = cast.free.pop()
    with ExitStack() as stack:
        doctor, other = (stack.enter_context(tab(app, cast.cookie["doctor"])) for _ in range(2))
        admins = [stack.enter_context(tab(app, cast.cookie["admin"])) for _ in range(3)]
        doctor.visit(routes.doctor_day(MORNING.date()))
        other.visit(routes.doctor_week(MORNING.date()))
        for admin in admins:
            admin.visit(routes.ADMIN)
        doctor.call(WITHDRAW, {"slot_id": slot_id})
        other.hears_that(lambda said: said.var(Availability, "lanes"))
        for admin in admins:
            admin.hears_that(lambda said: said.var(Overview, "numbers"))


def test_a_patient_hears_what_the_clinic_has_done_and_strangers_do_not(app: RunningApp, cast: Cast) -> None:
    slot_id = cast.free.pop()
    with ExitStack() as stack:
        at_home, booking = (stack.enter_context(tab(app, cast.cookie["patient"])) for _ in range(2))
        stranger, admin = stack.enter_context(tab(app)), stack.enter_context(tab(app, cast.cookie["admin"]))
        at_home.visit(routes.PATIENT)
        stranger.visit(week(cast))
        booking.visit(week(cast))
        booking.call(CHOOSE, {"slot_id": slot_id})
        reference = booking.call(CONFIRM, {"form": {"reason": "A secret matter."}}).redirect.rpartition("/")[2]
        at_home.hears_that(lambda said: reference in str(said.vars))
        admin.visit(routes.ADMIN_BOOKINGS)
        admin.call(f"{Bookings.get_full_name()}.open", {"reference": reference})
        admin.call(f"{Bookings.get_full_name()}.cancel", {"form": {"note": "The doctor is ill."}})
        at_home.hears_that(lambda said: reference in str(said.var(Home, "before")))
        told = stranger.hears_that(lambda said: slots(said).get(slot_id) is False)
    assert not [word for word in (reference, "Moreau", "secret", "ill.") if word in told.text]


def test_a_list_of_bookings_follows_as_it_is_filtered_and_so_does_its_panel(app: RunningApp, cast: Cast) -> None:
    bookings = Bookings.get_full_name()
    with ExitStack() as stack:
        reader, other, colleague = (stack.enter_context(tab(app, cast.cookie["admin"])) for _ in range(3))
        patient = stack.enter_context(tab(app, cast.cookie["patient"]))
        reader.visit(routes.with_query(routes.ADMIN_BOOKINGS, q="Moreau", status="booked"))
        other.visit(routes.with_query(routes.ADMIN_BOOKINGS, q="Canarybird"))
        colleague.visit(routes.ADMIN_BOOKINGS)
        patient.visit(week(cast))
        patient.call(CHOOSE, {"slot_id": cast.free.pop()})
        reference = patient.call(CONFIRM, {"form": {"reason": ""}}).redirect.rpartition("/")[2]
        for admin in (reader, colleague):
            admin.hears_that(lambda said: reference in str(said.var(Bookings, "lines")))
            assert admin.call(f"{bookings}.open", {"reference": reference}).var(Bookings, "chosen")["patient"]
        colleague.call(f"{bookings}.cancel", {"form": {"note": "The doctor is ill."}})
        gone = reader.hears_that(lambda said: "no longer on this page" in said.notice)
        assert reference not in str(gone.var(Bookings, "lines"))
        assert gone.var(Bookings, "chosen") is None  # the panel stays, and with it what is being typed there
        lines = other.hears_that(lambda said: said.var(Bookings, "lines")).var(Bookings, "lines")
        assert {line["patient"] for line in lines} == {STRANGERS_NAME}


def test_the_worklist_follows_what_colleagues_do(app: RunningApp, cast: Cast) -> None:
    with app.database() as session:
        within = session.get_one(Department, cast.department)
        leaver = builders.doctor(session, name="Dr. Lea Ver", within=within)
        slot = builders.slot(session, leaver, MORNING + timedelta(days=9))
        patient = builders.actor(session, session.get_one(User, cast.user["patient"]))
        reference = booking.book(session, patient, slot_id=builders.key(slot), reason="", key=str(uuid4())).reference
        user_id = leaver.user_id
    worklist, users = Worklist.get_full_name(), Users.get_full_name()
    with ExitStack() as stack:
        desk, colleague, elsewhere = (stack.enter_context(tab(app, cast.cookie["admin"])) for _ in range(3))
        desk.visit(routes.ADMIN_BOOKINGS)  # another list, which is about other things
        assert reference not in str(desk.visit(routes.ADMIN_WORKLIST).var(Worklist, "lines"))
        elsewhere.visit(routes.ADMIN_WORKLIST)
        elsewhere.go(routes.ADMIN_USERS)
        colleague.visit(routes.ADMIN_USERS)
        colleague.call(f"{users}.open", {"user_id": user_id})
        colleague.call(f"{users}.set_active", {"active": False})
        desk.hears_that(lambda said: reference in str(said.var(Worklist, "lines")))
        colleague.visit(routes.ADMIN_WORKLIST)
        colleague.call(f"{worklist}.open", {"reference": reference})
        colleague.call(f"{worklist}.finish", {"form": {"note": "Called."}})
        done = desk.hears_that(lambda said: said.var(Worklist, "lines") == [])
        assert done.var(DeskCount, "number") == ""
        assert elsewhere.drain().var(Worklist, "lines") is None
