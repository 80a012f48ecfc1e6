"""A field for a password that somebody chooses, judged while they type; the password itself is never kept."""

from __future__ import annotations

from typing import Annotated

import reflex as rx
from pydantic import Field

from mhms_app.accounts import passwords
from mhms_app.web import bridge, theme
from mhms_app.web.gate import handler
from mhms_app.web.public.entry import Entry, password_field

_HINT = "At least 12 characters; a sentence is easiest to remember."


class NewPassword(Entry):
    """A form in which a password is chosen.

    Attributes:
        score, strength: how good it is, and what to do about it.
    """

    score: int = 0
    strength: str = _HINT

    _words: dict[str, str] = {}  # name and address, which must not be the password

    @handler()
    async def judge(self, password: Annotated[str, Field(max_length=1024)]) -> None:
        """Say how good the password is."""
        judged = await bridge.compute(passwords.judge, password, context=tuple(self._words.values()))
        self.score, self.strength = judged.score, judged.sentence if password else _HINT
        self._say("password", "")

    def _begin(self, **words: str) -> None:
        """Begin anew, with an empty field.

        Args:
            words: what is known of the person, which must not be their password.
        """
        self.score, self.strength, self._words = 0, _HINT, words


def new_password_field(label: str = "Password") -> rx.Component:
    """The field, with its strength below."""
    return password_field(
        label, auto_complete="new-password", on_change=NewPassword.judge.debounce(250), after=_strength()
    )


def _strength() -> rx.Component:
    return theme.stack(
        rx.el.div(
            *(rx.el.i() for _ in range(4)),
            class_name="meter",
            custom_attrs={"data-score": NewPassword.score},
            aria_hidden="true",
        ),
        rx.el.p(NewPassword.strength, class_name="hint", aria_live="polite"),
        gap="tight",
    )
