"""The failures that a person can be told about.

Every refusal is a value with a sentence for the person it hits. ``field`` names the form field that
caused it, so that the page can show the sentence beside that field; ``""`` means the whole request.
"""

from __future__ import annotations


class ClinicError(Exception):
    """A named failure with a sentence for the person.

    Attributes:
        sentence: what happened and how to go on, in whole sentences.
        field: the form field that caused it, or ``""``.
    """

    sentence = "This is not possible."
    field = ""

    def __init__(self, sentence: str = "", *, field: str = "") -> None:
        self.sentence = sentence or type(self).sentence
        self.field = field or type(self).field
        super().__init__(self.sentence)


class LoginRequired(ClinicError):
    """Nobody is logged in, or the session has ended."""

    sentence = "Please log in to continue."


class NotAllowed(ClinicError):
    """The person is known but their role may not do this."""

    sentence = "Your account cannot do this."


class DutyFirst(ClinicError):
    """The person has logged in, and must do something before anything else.

    Attributes:
        duty: an ``actor.Duty``.
    """

    sentence = "One step is missing before you can go on."

    def __init__(self, duty: str) -> None:
        self.duty = duty
        super().__init__()


class NotAsSomebodyElse(ClinicError):
    """An administrator who acts as somebody else may not do this with their account."""

    sentence = "Only the person whose account this is can do that."


class NotFound(ClinicError):
    """The object does not exist, or this person may not see it: the two cannot be told apart."""

    sentence = "We could not find this. It may have been removed."


class Invalid(ClinicError):
    """One field of a form is not acceptable."""


class InvalidForm(ClinicError):
    """Several fields of a form are not acceptable.

    Attributes:
        errors: sentence by field name.
    """

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__("Please correct the fields marked below.")


class Conflict(ClinicError):
    """Somebody else changed the same thing first."""

    sentence = "Somebody changed this meanwhile. Please look again."


class TooManyAttempts(ClinicError):
    """A throttle is closed for a while; never for good.

    Attributes:
        retry_after: seconds until the next attempt is looked at.
    """

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        minutes = -(-retry_after // 60)
        wait = f"{retry_after} seconds" if retry_after < 60 else f"{minutes} minute{'s' if minutes > 1 else ''}"
        super().__init__(f"Too many attempts. Please try again in {wait}.")


class TryAgain(ClinicError):
    """It could not be done now, through no fault of the person: the same request may well succeed in a moment.

    Attributes:
        retry_after: seconds until it is worth another try.
    """

    retry_after = 5


class Busy(TryAgain):
    """More is asked for than can be answered."""

    sentence = "The clinic is very busy just now. Nothing was changed: please try again in a moment."


class Unreachable(TryAgain):
    """The database does not answer; nothing was changed."""

    sentence = "The clinic's records cannot be reached just now. Nothing was changed: please try again in a moment."


class OutcomeUnknown(ClinicError):
    """The database went away while it committed: what was asked for is done, or it is not."""

    sentence = "The connection broke while this was saved: it may be done or not. Please look before you try again."
