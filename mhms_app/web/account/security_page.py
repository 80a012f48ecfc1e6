"""What the page of the second factors looks like."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.settings import settings
from mhms_app.web import theme
from mhms_app.web.account.frame import account_frame
from mhms_app.web.account.security import Key, Security
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.components.passkey import make_passkey

_PRINT: rx.Var[Any] = rx.Var("() => window.print()")


def page() -> rx.Component:
    """The page."""
    return account_frame(
        theme.page_heading(
            "Security", "What is asked for besides your password, so that your password alone opens nothing."
        ),
        theme.loading(
            rx.cond(Security.drawn, theme.stack(_notices(), _new_codes(), _app(), _passkeys(), _codes(), gap="loose")),
            theme.card(theme.skeleton_rows(3), flush=True),
        ),
        rx.el.div(on_unmount=Security.close),
        active=routes.ACCOUNT_SECURITY,
    )


def _notices() -> rx.Component:
    """What comes first: a duty, and what somebody who came in with a recovery code should know."""
    duty = rx.cond(
        Security.has_one,
        _all_done(),
        theme.notice(
            "Your role needs a second factor. Set up an authenticator app or a passkey, and you can go on.",
            tone="warn",
            icon_name="shield-alert",
        ),
    )
    recovered = theme.notice(
        rx.el.strong("You logged in with a recovery code, and it is used up."),
        rx.el.p(
            rx.match(
                Security.codes_left,
                (0, "No codes are left."),
                (1, "1 code is left."),
                f"{Security.codes_left} codes are left.",
            ),
            " If your phone is gone, set up another one here.",
        ),
        rx.cond(Security.next_path, rx.el.p(rx.el.a("Go on to where you were going", href=Security.next_path))),
        tone="warn",
        icon_name="life-buoy",
    )
    return rx.fragment(
        rx.cond(Security.is_duty, rx.cond(Security.codes, rx.fragment(), duty)),
        rx.cond(Security.recovered, recovered),
    )


def _all_done() -> rx.Component:
    return theme.card(
        rx.el.p("Your second factor is set up. That was all."),
        posted_form(routes.POST_GO_ON, theme.button("Go on", kind="primary", type="submit")),
    )


def _new_codes() -> rx.Component:
    """Codes just made, shown once."""
    codes: Any = rx.Var.create(Security.codes).to(list[str])
    panel = theme.card(
        rx.el.p(
            "If you lose your phone, each of these opens your account once, instead of its code. "
            "Keep them where your phone is not. They are shown only now."
        ),
        rx.el.ul(rx.foreach(Security.codes, rx.el.li), class_name="codes numbers"),
        theme.line(
            theme.button("Copy", icon_name="copy", on_click=rx.set_clipboard(codes.join("\n"))),
            theme.button(
                "Download",
                icon_name="download",
                on_click=rx.download(data="data:text/plain," + codes.join("%0A"), filename="recovery-codes.txt"),
            ),
            theme.button("Print", icon_name="printer", custom_attrs={"onClick": _PRINT}),
        ),
        posted_form(routes.POST_GO_ON, theme.button("I have kept them", kind="primary", type="submit", full=True)),
        title=f"Your recovery codes for {settings().clinic_name}",
    )
    return rx.cond(Security.codes, rx.el.div(panel, class_name="printed"))


def _app() -> rx.Component:
    return theme.card(
        rx.match(
            Security.open,
            ("app", _app_form()),
            ("app_off", _app_off_form()),
            rx.fragment(
                rx.el.p(
                    "An app on your phone shows a code of six digits, a new one every half minute. "
                    "After your password we ask for it.",
                    class_name="second",
                ),
                rx.cond(
                    Security.app,
                    theme.line(
                        theme.button("Use another phone", icon_name="refresh-cw", on_click=Security.begin("app")),
                        theme.button("Remove", kind="danger", on_click=Security.begin("app_off")),
                    ),
                    theme.line(theme.button("Set up", icon_name="smartphone", on_click=Security.begin("app"))),
                ),
            ),
        ),
        title="Authenticator app",
        aside=rx.cond(Security.app, theme.chip(Security.app, "ok", icon_name="check"), theme.chip("Not set up")),
    )


def _app_form() -> rx.Component:
    return rx.fragment(
        rx.el.ol(
            rx.el.li("Scan this with an authenticator app, such as the one that keeps your other codes."),
            rx.el.li("Type the code that it shows."),
            class_name="second numbered",
        ),
        rx.el.div(
            rx.el.img(src=Security.qr_code, alt="QR code for your authenticator app", width="180", height="180"),
            rx.el.div(
                rx.el.p("Cannot scan it? Type this key into the app:", class_name="small second"),
                rx.el.code(Security.secret),
                theme.button("Copy key", icon_name="copy", compact=True, on_click=rx.set_clipboard(Security.secret)),
                class_name="stack tight",
            ),
            class_name="scan",
        ),
        theme.form(
            _code_field("Code of the app", "code", auto_focus=True),
            rx.cond(
                Security.app,
                _code_field("Code of the app until now", "old_code", hint="Or one of your recovery codes."),
            ),
            _password(),
            _ways(theme.button("Use this app", kind="primary", type="submit")),
            on_submit=Security.add_app,
        ),
    )


def _app_off_form() -> rx.Component:
    return theme.form(
        theme.well("We will no longer ask for its codes. Recovery codes end with your last second factor."),
        _code_field("Code of the app", "code", hint="Or one of your recovery codes.", auto_focus=True),
        _password(),
        _ways(theme.button("Remove app", kind="danger", solid=True, type="submit")),
        on_submit=Security.remove_app,
    )


def _passkeys() -> rx.Component:
    listed = theme.rows(rx.foreach(Security.keys, _passkey))
    add = rx.match(
        Security.open,
        ("passkey", rx.cond(Security.question, _passkey_maker(), _passkey_form())),
        theme.line(theme.button("Add a passkey", icon_name="plus", on_click=Security.begin("passkey"))),
    )
    return theme.card(
        rx.el.p(
            "Your fingerprint, face or PIN on this device logs you in, without your password. "
            "No other site can ask for it.",
            class_name="second",
        ),
        rx.cond(Security.keys, listed),
        add,
        title="Passkeys",
    )


def _passkey(key: Key) -> rx.Component:
    question = theme.form(
        rx.el.strong("Remove “", key.name, "”?"),
        rx.el.p("Nobody can log in with it any more.", class_name="second"),
        _password(),
        _ways(theme.button("Remove passkey", kind="danger", solid=True, type="submit")),
        on_submit=Security.remove_passkey,
    )
    row = theme.list_row(
        key.name,
        key.when,
        theme.button("Remove", kind="danger", compact=True, on_click=Security.ask_remove(key.id)),
        lead=theme.disc("fingerprint"),
    )
    return rx.cond(Security.asked == key.id, rx.el.li(question), row)


def _passkey_form() -> rx.Component:
    return theme.form(
        theme.text_field(
            "Name",
            "name",
            hint="By which you will know it, such as “Phone” or “Laptop at work”.",
            max_length=60,
            auto_focus=True,
            error=Security.errors["name"],
        ),
        _password(),
        _ways(theme.button("Continue", kind="primary", type="submit")),
        on_submit=Security.name_passkey,
    )


def _passkey_maker() -> rx.Component:
    return theme.stack(
        rx.el.p("Now your device asks for your fingerprint, face or PIN."),
        make_passkey("Make the passkey", options=Security.question, on_made=Security.add_passkey),
        theme.line(_way_out()),
    )


def _codes() -> rx.Component:
    card = theme.card(
        rx.cond(
            Security.open == "codes",
            theme.form(
                theme.well("The codes that you have now will no longer work."),
                _password(auto_focus=True),
                _ways(theme.button("Make new codes", kind="primary", type="submit")),
                on_submit=Security.make_codes,
            ),
            rx.fragment(
                rx.el.p(
                    "For the day on which you have lost your phone: each opens your account once.", class_name="second"
                ),
                theme.line(theme.button("Make new codes", icon_name="refresh-cw", on_click=Security.begin("codes"))),
            ),
        ),
        title="Recovery codes",
        aside=theme.chip(
            rx.el.span(Security.codes_left, " left"),
            rx.cond(Security.codes_left > 2, "ok", "warn"),
            icon_name="life-buoy",
        ),
    )
    return rx.cond(Security.has_one, card)


def _code_field(label: str, name: str, **props: Any) -> rx.Component:
    return theme.text_field(
        label,
        name,
        auto_complete="one-time-code",
        input_mode="numeric",
        max_length=40,
        error=Security.errors[name],
        **props,
    )


def _password(**props: Any) -> rx.Component:
    return theme.password_field(
        "Your password",
        "current",
        shown=Security.shown,
        on_toggle=Security.toggle_characters,
        auto_complete="current-password",
        error=Security.errors["current"],
        **props,
    )


def _ways(action: rx.Component) -> rx.Component:
    return theme.line(action, _way_out())


def _way_out() -> rx.Component:
    return theme.button("Never mind", kind="quiet", on_click=Security.close)
