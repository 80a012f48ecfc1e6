"""The week as a calendar: dragging, the same by the keyboard and by a form, the day view, the change of the clocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from playwright.sync_api import Locator, expect

from mhms_app.availability.rules import DAY
from mhms_app.web import words
from mhms_app.web.doctor import week
from tests import builders
from tests.browser.clinic import ADoctor, a_doctor, a_patient, a_tuesday, at, day_name, free
from tests.browser.conftest import Arrive
from tests.browser.test_looks import is_accessible_and_fits
from tests.browser.visitor import Visitor
from tests.running import RunningApp

Place = tuple[date, str]


@dataclass
class Calendar:
    """A doctor's open week, and a mouse over it."""

    visitor: Visitor

    def open(self, day: date) -> None:
        """Look at the week of a day."""
        self.visitor.open(f"/doctor/availability?week={words.monday_of(day)}")

    def lane(self, day: date) -> Locator:
        """One day of it."""
        return self.visitor.page.locator(f'.lane[data-day="{day}"]')

    def block(self, day: date, text: str) -> Locator:
        """What stands there and begins with this text."""
        return self.lane(day).locator(".block").filter(has_text=re.compile(f"^{text}"))

    def point(self, place: Place) -> tuple[float, float]:
        """Where a time is on the screen."""
        day, clock = place
        hours = self.visitor.page.locator(".scale li")
        first, count = int(hours.first.inner_text()[:2]), hours.count()
        box = self.lane(day).bounding_box()
        assert box
        minutes = int(clock[:2]) * 60 + int(clock[3:]) - first * 60
        return box["x"] + box["width"] / 2, box["y"] + box["height"] * minutes / (count * 60)

    def press_and_move(self, start: Place, end: Place) -> None:
        """Drag, and do not let go yet."""
        mouse = self.visitor.page.mouse
        mouse.move(*self.point(start))
        mouse.down()
        mouse.move(*self.point(end), steps=5)

    def drag(self, start: Place, end: Place) -> None:
        """Drag from one time to another."""
        self.press_and_move(start, end)
        self.visitor.page.mouse.up()


def at_work(app: RunningApp, visitor: Arrive, name: str, *, phone: bool = False) -> tuple[ADoctor, Calendar]:
    doctor = a_doctor(app, name)
    return doctor, Calendar(visitor(phone=phone).enters_as(doctor.email))


def taken(app: RunningApp, doctor: ADoctor, visitor: Arrive, day: date, clock: str, *, reason: str) -> None:
    """A patient books a time."""
    free(app, doctor, day, clock)
    patient = visitor().enters_as(a_patient(app, "Chie Sato"))
    patient.open(doctor.week_of(day))
    patient.chooses(clock)
    patient.confirms(reason=reason)


def test_hours_over_which_a_doctor_drags_are_planned_and_published(app: RunningApp, visitor: Arrive) -> None:
    (_, calendar), tuesday = at_work(app, visitor, "Dr. Dora Zug"), a_tuesday()
    calendar.open(tuesday)
    calendar.drag((tuesday, "12:00"), (tuesday, "11:00"))  # upwards too
    doctor = calendar.visitor
    doctor.sees(re.compile(f"^3 new slots on {day_name(tuesday)}"))
    expect(doctor.field("From")).to_have_value("11:00")
    expect(doctor.field("Until")).to_have_value("12:00")
    expect(doctor.page.get_by_role("checkbox", name="Tuesday")).to_be_checked()
    expect(calendar.block(tuesday, "11:00 – 12:00, 3 slots")).to_be_visible()
    expect(doctor.page.locator("#panel")).to_be_focused()
    is_accessible_and_fits(doctor)
    doctor.button("Publish 3 slots").click()
    doctor.sees("3 slots published.")
    expect(calendar.lane(tuesday).locator(".block")).to_have_text(["11:00 free", "11:20 free", "11:40 free"])


def test_a_free_slot_is_dragged_to_another_time_and_others_see_it_go(app: RunningApp, visitor: Arrive) -> None:
    (doctor, calendar), tuesday = at_work(app, visitor, "Dr. Mira Zug"), a_tuesday()
    wednesday = tuesday + DAY
    free(app, doctor, tuesday, "09:00", "09:20")
    onlooker = visitor()
    onlooker.open(doctor.week_of(tuesday))
    expect(onlooker.slot("09:00")).to_be_visible()
    calendar.open(tuesday)
    calendar.drag((tuesday, "09:10"), (wednesday, "11:10"))
    calendar.visitor.sees(f"The slot is now on {day_name(wednesday)}, 11:00 – 11:20.")
    expect(calendar.block(wednesday, "11:00 free")).to_be_focused()
    expect(calendar.lane(tuesday).locator(".block")).to_have_text(["09:20 free"])
    expect(onlooker.slot("09:00")).to_have_count(0)

    box = calendar.block(wednesday, "11:00 free").bounding_box()
    assert box
    edge = box["y"] + box["height"] - 2 - calendar.point((wednesday, "11:20"))[1]
    mouse = calendar.visitor.page.mouse
    mouse.move(box["x"] + 20, box["y"] + box["height"] - 2)
    mouse.down()
    mouse.move(box["x"] + 20, calendar.point((wednesday, "11:45"))[1] + edge, steps=5)
    mouse.up()
    calendar.visitor.sees(f"The slot is now on {day_name(wednesday)}, 11:00 – 11:45.")
    expect(calendar.visitor.page.locator(".ghost, [data-away]")).to_have_count(0)
    calendar.visitor.page.keyboard.press("Space")  # on the block, which has the focus
    expect(calendar.block(wednesday, "11:00 free")).to_have_attribute("aria-pressed", "true")


def test_what_cannot_be_dragged_says_why_and_is_back_in_its_place(app: RunningApp, visitor: Arrive) -> None:
    (doctor, calendar), tuesday = at_work(app, visitor, "Dr. Nele Zug"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    taken(app, doctor, visitor, tuesday, "10:00", reason="Back pain")
    calendar.open(tuesday)
    lane = calendar.lane(tuesday)
    as_before = ["09:00 free", "10:00 C. SatoBack pain"]
    expect(lane.locator(".block")).to_have_text(as_before)
    booked = calendar.block(tuesday, "10:00")
    expect(booked).to_have_accessible_name(re.compile("^10:00 – 10:20, Chie Sato, Back pain, Tuesday"))

    calendar.drag((tuesday, "10:10"), (tuesday, "12:00"))
    calendar.visitor.sees("This slot is booked. Cancel the appointment if it cannot take place.")
    calendar.drag((tuesday, "09:10"), (tuesday, "10:10"))
    calendar.visitor.sees("You have another slot at this time.")
    expect(calendar.visitor.page.locator(".ghost, [data-away]")).to_have_count(0)
    expect(lane.locator(".block")).to_have_text(as_before)

    calendar.visitor.button("Dismiss message").click()
    calendar.press_and_move((tuesday, "09:10"), (tuesday, "12:10"))
    expect(lane.locator(".ghost")).to_have_text("12:00 – 12:20")
    calendar.visitor.page.keyboard.press("Escape")
    expect(lane.locator(".ghost")).to_have_count(0)
    calendar.visitor.page.mouse.up()
    calendar.drag((tuesday, "11:00"), (tuesday, "11:20"))  # what comes next is answered
    calendar.visitor.sees(re.compile("^1 new slot"))
    expect(calendar.block(tuesday, "09:00 free")).to_be_visible()
    expect(calendar.visitor.page.locator(".block.chosen")).to_have_count(0)


def test_a_slot_is_given_another_time_with_the_keyboard_alone(app: RunningApp, visitor: Arrive) -> None:
    (doctor, calendar), tuesday = at_work(app, visitor, "Dr. Tilda Taste"), a_tuesday()
    thursday = tuesday + 2 * DAY
    free(app, doctor, tuesday, "09:00", "09:20")
    free(app, doctor, thursday, "09:20", "11:00")
    calendar.open(tuesday)
    keyboard, page = calendar.visitor.page.keyboard, calendar.visitor.page
    calendar.block(tuesday, "09:00").focus()
    for key, day, clock in (
        ("ArrowDown", tuesday, "09:20"),
        ("ArrowRight", thursday, "09:20"),
        ("ArrowDown", thursday, "11:00"),
        ("ArrowUp", thursday, "09:20"),
    ):
        keyboard.press(key)
        expect(calendar.block(day, clock)).to_be_focused()
    keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_focused()
    calendar.visitor.sees("1 slot chosen")
    is_accessible_and_fits(calendar.visitor)
    for name in ("start", "end"):
        while page.evaluate("document.activeElement.name") != name:
            keyboard.press("Tab")
        keyboard.press("ArrowUp")  # the hour
    keyboard.press("Enter")
    calendar.visitor.sees(f"The slot is now on {day_name(thursday)}, 10:20 – 10:40.")
    expect(calendar.block(thursday, "10:20 free")).to_be_focused()

    keyboard.press("Enter")
    calendar.visitor.sees("1 slot chosen")  # the form of publishing, which it replaces, has a field of this name too
    calendar.visitor.field("Until").fill("11:10")
    calendar.visitor.button("Change time").click()
    calendar.visitor.sees("You have another slot at this time.")
    calendar.visitor.field("Until").fill("10:20")
    calendar.visitor.button("Change time").click()
    expect(calendar.visitor.field("Until")).to_have_accessible_description(
        re.compile("The end must be after the start")
    )


def test_a_phone_shows_a_day_that_scrolls_and_a_slot_is_changed_by_its_form(app: RunningApp, visitor: Arrive) -> None:
    (doctor, calendar), tuesday = at_work(app, visitor, "Dr. Frieda Fon", phone=True), a_tuesday()
    wednesday = tuesday + DAY
    free(app, doctor, tuesday, "09:00")
    free(app, doctor, wednesday, "10:00")
    calendar.open(tuesday)
    person = calendar.visitor
    expect(person.page.locator(".lane").filter(visible=True)).to_have_count(1)
    person.page.get_by_role("button", name=re.compile(f"^Wednesday, {wednesday.day} ")).click()
    expect(calendar.lane(wednesday)).to_be_visible()
    expect(calendar.lane(tuesday)).to_be_hidden()
    expect(calendar.lane(wednesday)).to_have_css("touch-action", "auto")
    calendar.block(wednesday, "10:00 free").tap()
    person.button("Continue").tap()
    is_accessible_and_fits(person)
    person.field("From").fill("14:00")
    person.field("Until").fill("14:30")
    person.button("Change time").tap()
    person.sees(f"The slot is now on {day_name(wednesday)}, 14:00 – 14:30.")
    expect(calendar.block(wednesday, "14:00 free")).to_be_visible()


def test_a_day_can_be_looked_at_alone_and_its_address_is_kept(app: RunningApp, visitor: Arrive) -> None:
    (doctor, calendar), tuesday = at_work(app, visitor, "Dr. Alma Tag"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    calendar.open(tuesday)
    person = calendar.visitor
    person.link("Day").click()
    expect(person.page.get_by_role("heading", level=1)).to_have_text(f"Tuesday, {words.long_day(tuesday)[9:]}")
    expect(person.page.locator(".lane").filter(visible=True)).to_have_count(1)
    is_accessible_and_fits(person)
    person.page.get_by_role("link", name="Next day").click()
    expect(person.page.get_by_role("heading", level=1)).to_contain_text("Wednesday")
    person.sees("No slots on this day")
    person.reload()
    expect(calendar.lane(tuesday + DAY)).to_be_visible()
    person.link("Week").click()
    expect(person.page.locator(".lane").filter(visible=True)).to_have_count(5)
    person.sees(re.compile(r"^Times are Berlin time \("))


def test_each_state_is_said_and_drawn(app: RunningApp, visitor: Arrive) -> None:
    (doctor, calendar), tuesday = at_work(app, visitor, "Dr. Ilse Bunt"), a_tuesday()
    past = a_tuesday(weeks=-1)
    free(app, doctor, tuesday, "09:00")
    free(app, doctor, past, "09:00")
    with app.database() as session:
        row = session.get_one(builders.Doctor, doctor.id)
        builders.slot(session, row, at(tuesday, "09:40"), state="held")
        builders.slot(session, row, at(tuesday, "10:20"), state="withdrawn")
    taken(app, doctor, visitor, tuesday, "11:00", reason="")
    calendar.open(tuesday)
    person = calendar.visitor
    expect(calendar.lane(tuesday).locator(".block")).to_have_text(["09:00 free", "09:40 being booked", "11:00 C. Sato"])
    looks = [block.evaluate("b => getComputedStyle(b).border + getComputedStyle(b).backgroundImage")
             for block in calendar.lane(tuesday).locator(".block").all()]  # fmt: skip
    assert len(set(looks)) == 3
    calendar.block(tuesday, "09:40").click(force=True)
    person.sees("Somebody is booking this slot just now.")
    is_accessible_and_fits(person)
    calendar.open(past)
    expect(calendar.lane(past).locator(".block")).to_have_text(["09:00 unused"])
    is_accessible_and_fits(person)


def test_when_the_clocks_change_every_slot_stands_where_the_clock_shows_it(app: RunningApp, visitor: Arrive) -> None:
    doctor, calendar = at_work(app, visitor, "Dr. Uhr Wechsel")
    sunday = a_tuesday()
    while not week.odd_time(sunday):
        sunday += DAY
    saturday = sunday - DAY
    for day in (saturday, sunday):
        free(app, doctor, day, "01:00", "09:00")
    calendar.open(sunday)
    person = calendar.visitor
    person.sees(re.compile("^On Sunday the clocks go (forward|back): 02:00 – 03:00 (does not exist|comes twice).$"))
    expect(calendar.block(sunday, "02:00 – 03:00")).to_be_visible()
    for clock in ("01:00", "09:00"):
        places = [calendar.block(day, f"{clock} free").bounding_box() for day in (saturday, sunday)]
        assert places[0] and places[1]
        assert abs(places[0]["y"] - places[1]["y"]) < 1, clock
    calendar.block(sunday, "01:00 free").scroll_into_view_if_needed()
    calendar.drag((sunday, "01:10"), (sunday, "03:00"))  # to ten minutes before and after it
    person.sees("The clocks change at this time, so no slot can be here.")
    expect(calendar.block(sunday, "01:00 free")).to_be_visible()
    is_accessible_and_fits(person)
