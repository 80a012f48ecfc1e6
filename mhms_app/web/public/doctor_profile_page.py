"""A doctor's page: the week, and the panel in which a slot is booked."""

from __future__ import annotations

import reflex as rx

from mhms_app import routes
from mhms_app.web import theme
from mhms_app.web.components.address import address
from mhms_app.web.components.nothing_free import tell_me
from mhms_app.web.gate import Role
from mhms_app.web.public.doctor_profile import Profile
from mhms_app.web.public.doctor_week import Day, Time
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame


def page() -> rx.Component:
    """The page of one doctor."""
    return frame(
        theme.loading(rx.cond(Profile.doctor.name, _doctor_and_week(), _nobody()), _skeleton()),
        address(Profile.address),
        rx.el.span(on_unmount=Profile.leave, hidden=True),
        active=routes.DOCTORS,
    )


def _doctor_and_week() -> rx.Component:
    return theme.split(
        theme.stack(_head(), _looking_for_another(), _week(), gap="loose"),
        rx.cond(Profile.chosen.id, _booking(), _invitation()),
        side_width=348,
    )


def _nobody() -> rx.Component:
    return theme.narrow(
        theme.page_heading(
            "We could not find this doctor", "They may have left the clinic, or the address has a typing mistake."
        ),
        theme.line(theme.link_button("All doctors", routes.DOCTORS, kind="primary")),
    )


def _head() -> rx.Component:
    doctor = Profile.doctor
    return rx.el.header(
        rx.el.a(theme.icon("arrow-left", size=16), doctor.department, href=doctor.department_path, class_name="back"),
        rx.el.div(
            theme.avatar(doctor.initials, size="huge"),
            rx.el.div(
                rx.el.h1(doctor.name),
                rx.el.p(doctor.title, class_name="lead"),
                rx.el.div(
                    theme.chip(doctor.department, "accent"),
                    rx.cond(doctor.languages, theme.chip(doctor.languages)),
                    class_name="chips",
                ),
            ),
            class_name="profile",
        ),
        rx.cond(doctor.bio, rx.el.p(doctor.bio, class_name="bio")),
        rx.cond(
            doctor.hidden,
            theme.notice("Patients cannot find this page until an administrator has approved the doctor.", tone="warn"),
        ),
        class_name="page-head",
    )


def _looking_for_another() -> rx.Component:
    return rx.cond(
        Profile.moving,
        theme.notice(
            "Choose another time for your appointment of ",
            rx.el.strong(Profile.moving),
            ". It stays yours until you confirm the new one.",
        ),
    )


# The week -------------------------------------------------------------------------------------------


def _week() -> rx.Component:
    return rx.el.section(
        rx.el.div(
            theme.period(
                Profile.title,
                rx.el.span(theme.chip("live", "ok"), class_name="only-wide"),
                on_previous=Profile.turn(-1),
                on_today=Profile.turn(0),
                on_next=Profile.turn(1),
                disabled=Profile.is_first,
            ),
            theme.button("Next available", kind="quiet", compact=True, on_click=Profile.jump),
            class_name="week-head",
        ),
        rx.cond(
            Profile.news,
            theme.notice(
                "New times were published. ",
                rx.el.button("Show them", type="button", on_click=Profile.show_news, class_name="as-link"),
                role="status",
            ),
        ),
        rx.cond(
            Profile.empty,
            _nothing_free(),
            rx.fragment(
                theme.day_strip(rx.foreach(Profile.days, _day_tab)),
                theme.week_grid(rx.foreach(Profile.days, _day_column)),
            ),
        ),
        rx.el.p(
            "Times in ",
            Profile.zone,
            ". A slot that somebody takes disappears here at once.",
            class_name="small second",
        ),
        rx.el.p(Profile.spoken, class_name="unseen", role="status"),
        aria_label="Free slots",
        id="week",
        tab_index=-1,
        class_name="stack",
    )


def _nothing_free() -> rx.Component:
    onwards = theme.button(Profile.onwards, kind="primary", on_click=Profile.choose_instead(Profile.following.id))
    wait = tell_me(Profile.waiting_path)
    return theme.card(
        rx.cond(
            Profile.following.id,
            theme.empty_state("No free slots this week", None, onwards, wait, icon_name="calendar-x"),
            theme.empty_state(
                "No free slots at the moment",
                Profile.nothing.text,
                theme.link_button("Others of the department", Profile.doctor.department_path),
                wait,
                icon_name="calendar-x",
            ),
        )
    )


def _day_tab(day: Day) -> rx.Component:
    return theme.day_tab(
        day.weekday,
        day.number,
        day.count,
        chosen=Profile.day == day.index,
        on_click=Profile.show_day(day.index),
        label=day.label,
    )


def _day_column(day: Day) -> rx.Component:
    return theme.day_column(
        day.weekday,
        day.number,
        rx.cond(day.morning, _part("Morning", day.morning)),
        rx.cond(day.afternoon, _part("Afternoon", day.afternoon)),
        rx.cond(day.empty, rx.cond(day.past, rx.el.p("Past", class_name="past"), theme.no_slots())),
        chosen=Profile.day == day.index,
        today=day.today,
    )


def _part(name: str, times: list[Time]) -> rx.Component:
    return rx.fragment(rx.el.h3(name, class_name="only-phone part"), rx.foreach(times, _slot))


def _slot(time: Time) -> rx.Component:
    return theme.slot_button(
        time.clock,
        label=time.label,
        chosen=Profile.chosen.id == time.id,
        taken=time.taken,
        on_click=Profile.choose(time.id),
    )


# Booking --------------------------------------------------------------------------------------------


def _invitation() -> rx.Component:
    return rx.el.div(
        theme.card(
            theme.empty_state(
                "Choose a time", "Your appointment is put together here.", icon_name="mouse-pointer-click"
            )
        ),
        class_name="only-wide",
    )


_IS_STAFF = (Screen.viewer_role == Role.DOCTOR.value) | (Screen.viewer_role == Role.ADMIN.value)


def _booking() -> rx.Component:
    return rx.fragment(
        theme.panel(
            rx.cond(_IS_STAFF, "This time", rx.cond(Profile.moving, "The new time", "Your appointment")),
            theme.well(
                rx.el.strong(Profile.chosen.long, id="chosen", tab_index=-1),
                rx.el.br(),
                Profile.doctor.name + " · " + Profile.doctor.department,
                rx.el.br(),
                Profile.doctor.place,
                rx.el.br(),
                Profile.chosen.zone,
            ),
            rx.match(Screen.viewer_role, ("patient", _form()), ("", _way_in()), _not_for_staff()),
            label="Booking",
            sheet=Profile.sheet,
        ),
        rx.cond(
            Profile.sheet,
            rx.fragment(),
            theme.bottom_bar(
                Profile.chosen.short,
                Profile.chosen.zone,
                theme.button("Continue", kind="primary", on_click=Profile.go_on),
            ),
        ),
    )


def _form() -> rx.Component:
    reason = theme.text_area(
        "Reason",
        "reason",
        optional=True,
        placeholder="What should the doctor know beforehand?",
        hint=Profile.room,
        error=Profile.errors["reason"],
        default_value=Profile.reason,
        on_change=Profile.keep_reason.debounce(300),
    )
    confirm = rx.cond(Profile.moving, "Move appointment", "Confirm booking")
    return theme.form(
        _kept(),
        rx.cond(Profile.moving, rx.fragment(), reason),
        _problem(),
        rx.cond(Profile.problem, rx.fragment(), theme.button(confirm, kind="primary", type="submit", full=True)),
        _choose_another(),
        on_submit=Profile.confirm,
    )


def _kept() -> rx.Component:
    """For how long the time is kept."""
    return rx.fragment(
        rx.cond(Profile.kept_until, theme.countdown("Kept for you until ", Profile.kept_until, Profile.kept_seconds)),
        rx.cond(Profile.lapsed, theme.notice(Profile.lapsed, tone="warn", role="status")),
    )


def _problem() -> rx.Component:
    """Why the chosen time cannot be had, and what can."""
    return rx.el.div(
        rx.cond(
            Profile.problem,
            rx.fragment(
                rx.cond(Profile.unconfirmed, _confirm_first(), _why_not()),
                rx.cond(
                    Profile.offers,
                    rx.el.div(
                        rx.el.p("Free instead:", class_name="small second"),
                        rx.foreach(
                            Profile.offers,
                            lambda time: theme.button(
                                time.clock, full=True, aria_label=time.label, on_click=Profile.choose_instead(time.id)
                            ),
                        ),
                        class_name="stack tight",
                    ),
                ),
            ),
        ),
        class_name="stack",
    )


def _why_not() -> rx.Component:
    return theme.notice(Profile.problem, tone="warn", icon_name="triangle-alert")


def _confirm_first() -> rx.Component:
    """Nobody books with an address that may be somebody else's; the time stays chosen meanwhile."""
    return theme.stack(
        theme.notice(
            "We sent a link to ",
            rx.el.strong(Profile.unconfirmed),
            ". Open it to confirm your address, then go on here. This time stays chosen, but it is not kept for you.",
            tone="warn",
            icon_name="mail",
        ),
        theme.button("I have confirmed it", kind="primary", full=True, on_click=Profile.try_again),
        theme.button("Send the link again", full=True, on_click=Profile.send_link),
    )


def _choose_another() -> rx.Component:
    return theme.button("Choose another time", kind="quiet", full=True, on_click=Profile.choose_another)


def _way_in() -> rx.Component:
    return theme.stack(
        _problem(),
        rx.el.p("Booking needs an account. This time stays chosen while you log in, but it is not kept for you."),
        theme.link_button("Log in", Profile.login_path, kind="primary", full=True),
        theme.link_button("Create account", Profile.signup_path, full=True),
        _choose_another(),
    )


def _not_for_staff() -> rx.Component:
    return theme.stack(
        rx.el.p("This is what patients see. To book for yourself, log in with a patient's account."),
        _choose_another(),
    )


def _skeleton() -> rx.Component:
    return theme.split(
        theme.stack(
            rx.el.div(
                theme.skeleton("64px", "64px", round=True),
                rx.el.div(theme.skeleton("16rem", "1.75rem"), theme.skeleton("12rem"), class_name="stack tight"),
                class_name="profile",
            ),
            theme.skeleton("12rem", "1.25rem"),
            theme.skeleton("100%", "440px"),
            gap="loose",
        )
    )
