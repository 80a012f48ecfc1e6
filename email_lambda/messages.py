"""The contract: every kind of message and its fields.

A new kind is one class here, named in ``Message``, and two templates named after it.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


class Invalid(Exception):
    """The body breaks the contract; ``str()`` names the fields and never their values."""


def _one_line(value: Any) -> Any:
    """Make text fit for a header.

    Line breaks, controls and direction overrides become one space. So does the inside of ``=?``, the start of an
    encoded word (RFC 2047, section 2), which the email package would decode, line breaks and all.
    """
    if not isinstance(value, str):
        return value
    kept = (" " if c in BIDI_CONTROLS or unicodedata.category(c) in UNPRINTABLE else c for c in value)
    return " ".join("".join(kept).replace("=?", "= ?").split())


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise PydanticCustomError("unknown_time_zone", "not an IANA time zone") from None
    return value


def _printable(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().isprintable():
        raise PydanticCustomError("not_printable", "a password is printable characters")
    return value


def _in_utc(value: datetime) -> datetime:
    if not 2000 <= value.year < 2200:
        raise PydanticCustomError("out_of_range", "a year from 2000 to 2199")
    return value.astimezone(UTC)


Line = Annotated[str, StringConstraints(min_length=1, max_length=200), BeforeValidator(_one_line)]
LineOrEmpty = Annotated[str, StringConstraints(max_length=200), BeforeValidator(_one_line)]
Initials = Annotated[str, StringConstraints(min_length=1, max_length=8), BeforeValidator(_one_line)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]
Password = Annotated[SecretStr, Field(min_length=1, max_length=128), AfterValidator(_printable)]

# "Valid e-mail address" of the WHATWG HTML standard; an international domain comes as punycode.
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EmailAddress = Annotated[
    str,
    StringConstraints(max_length=254, pattern=rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})*$"),
]


class Strict(BaseModel):
    """No conversion between types, no unknown fields, no change after reading."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Recipient(Strict):
    """Whom the message is for."""

    email: EmailAddress
    name: Line


class Clinic(Strict):
    """Who speaks."""

    name: Line
    url: HttpUrl


class Span(Strict):
    """From when until when; instants are aware UTC, shown in ``time_zone``."""

    starts_at: Instant
    ends_at: Instant
    time_zone: TimeZone

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise PydanticCustomError("ends_before_start", "ends_at must be after starts_at")
        return self


class Visit(Span):
    """A time with a doctor."""

    doctor: Line
    department: Line
    location: LineOrEmpty
    action_url: HttpUrl


class Appointment(Visit):
    """One appointment as its patient sees it; ``sequence`` rises with every change (RFC 5546, section 2.1.4).

    ``own_time_zone`` is where the patient reads times too, if that is not the clinic's.
    """

    reference: Line
    uid: Line
    sequence: Annotated[int, Field(ge=0, le=2**31 - 1)]
    own_time_zone: TimeZone | None = None


class Envelope(Strict):
    """What every kind shares."""

    idempotency_key: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    recipient: Recipient
    clinic: Clinic


class CalendarMessage(Envelope):
    """A kind that changes the patient's calendar, by a method of iTIP (RFC 5546, section 3.2)."""

    method: ClassVar[Literal["REQUEST", "CANCEL"]]

    data: Appointment


class SignupWelcome(Envelope):
    """Somebody signed up; doctors may have to wait until the clinic has checked them."""

    class Data(Strict):
        """``action_url`` leads to the first thing to do."""

        role: Literal["patient", "doctor"]
        awaiting_approval: bool
        action_url: HttpUrl

    kind: Literal["SIGNUP_WELCOME"]
    data: Data


class BookingConfirmation(CalendarMessage):
    """An appointment was booked."""

    method = "REQUEST"

    kind: Literal["BOOKING_CONFIRMATION"]


class BookingCancelled(CalendarMessage):
    """An appointment will not take place."""

    class Data(Appointment):
        """``why`` is said by whoever cancelled, if anything; ``action_url`` leads to booking again."""

        cancelled_by: Literal["patient", "clinic"]
        why: LineOrEmpty

    method = "CANCEL"

    kind: Literal["BOOKING_CANCELLED"]
    data: Data


class BookingMoved(CalendarMessage):
    """An appointment takes place at another time, perhaps with another doctor."""

    class Data(Appointment):
        """``old`` is the time that no longer holds."""

        old: Span

    method = "REQUEST"

    kind: Literal["BOOKING_MOVED"]
    data: Data


class AppointmentReminder(Envelope):
    """An appointment is near."""

    kind: Literal["APPOINTMENT_REMINDER"]
    data: Appointment


class WaitlistOffer(Envelope):
    """A time became free and is kept for somebody who waits."""

    class Data(Visit):
        """``action_url`` leads to taking the offer, until ``kept_until``."""

        kept_until: Instant

    kind: Literal["WAITLIST_OFFER"]
    data: Data


class DoctorDaySummary(Envelope):
    """Who comes on one day, for their doctor: times and initials, nothing clinical."""

    class Data(Strict):
        """``action_url`` leads to the day."""

        day: date
        appointments: Annotated[list["DoctorDaySummary.Patient"], Field(max_length=300)]
        action_url: HttpUrl

    class Patient(Span):
        """One patient of the day."""

        initials: Initials

    kind: Literal["DOCTOR_DAY_SUMMARY"]
    data: Data


class AccountPassword(Envelope):
    """The clinic set a temporary password."""

    class Data(Strict):
        """``action_url`` leads to the log-in, until ``good_for`` (``3 days``) is over."""

        temporary_password: Password
        good_for: Line
        action_url: HttpUrl

    kind: Literal["ACCOUNT_PASSWORD"]
    data: Data


class SignInNewDevice(Envelope):
    """Somebody logged in with an account on a browser that it was never used with."""

    class Data(Strict):
        """``at`` is shown in ``time_zone``; ``action_url`` leads to the open sessions, ``forgot_url`` to a password."""

        device: Line
        address: LineOrEmpty
        at: Instant
        time_zone: TimeZone
        action_url: HttpUrl
        forgot_url: HttpUrl

    kind: Literal["SIGN_IN_NEW_DEVICE"]
    data: Data


class Link(Strict):
    """``action_url`` leads to what can be done once, until ``good_for`` (``30 minutes``) is over."""

    good_for: Line
    action_url: HttpUrl


class EmailConfirm(Envelope):
    """An address has to be confirmed: whose it is has just signed up (``welcome``), or it was changed."""

    class Data(Link):
        """The link confirms the address."""

        welcome: bool

    kind: Literal["EMAIL_CONFIRM"]
    data: Data


class EmailChange(Envelope):
    """An account is to have another address, and both mailboxes are asked; one that has an account is only told."""

    class Data(Link):
        """``side`` is the mailbox to which this goes."""

        side: Literal["old", "new", "taken"]
        new_email: EmailAddress

    kind: Literal["EMAIL_CHANGE"]
    data: Data


class EmailChanged(Envelope):
    """An account has another address."""

    class Data(Strict):
        """``by`` is who changed it; ``action_url`` leads to the log-in."""

        by: Literal["owner", "clinic"]
        action_url: HttpUrl

    kind: Literal["EMAIL_CHANGED"]
    data: Data


class PasswordReset(Envelope):
    """Somebody asked for a link with which a new password is chosen."""

    kind: Literal["PASSWORD_RESET"]
    data: Link


class PasswordChanged(Envelope):
    """An account has another password."""

    class Data(Strict):
        """``action_url`` leads to a new password, for whom it was not."""

        action_url: HttpUrl

    kind: Literal["PASSWORD_CHANGED"]
    data: Data


class ActedForYou(Envelope):
    """An administrator of the clinic acts in somebody's account, for a while."""

    class Data(Strict):
        """``reason`` is what the administrator has given; ``action_url`` leads to the account."""

        reason: Annotated[str, StringConstraints(min_length=1, max_length=300), BeforeValidator(_one_line)]
        action_url: HttpUrl

    kind: Literal["ACTED_FOR_YOU"]
    data: Data


class AccountAction(Envelope):
    """An administrator of the clinic has done something to somebody's account."""

    class Data(Strict):
        """``action_url`` leads to the log-in."""

        action: Literal["locked", "unlocked", "new_password_asked", "sessions_ended"]
        action_url: HttpUrl

    kind: Literal["ACCOUNT_ACTION"]
    data: Data


class SecondFactorChanged(Envelope):
    """The second factor of an account was changed, used in an emergency, or taken away by the clinic."""

    class Data(Strict):
        """``action_url`` leads to where it is changed back."""

        change: Literal["app_on", "app_off", "passkey_on", "passkey_off", "codes_new", "code_used", "reset"]
        action_url: HttpUrl

    kind: Literal["SECOND_FACTOR_CHANGED"]
    data: Data


class AccountClosed(Envelope):
    """Somebody has closed their account: the last that they hear."""

    class Data(Strict):
        """``action_url`` leads to signing up again."""

        action_url: HttpUrl

    kind: Literal["ACCOUNT_CLOSED"]
    data: Data


Message = (
    SignupWelcome
    | AccountPassword
    | EmailConfirm
    | EmailChange
    | EmailChanged
    | PasswordReset
    | PasswordChanged
    | SignInNewDevice
    | AccountClosed
    | SecondFactorChanged
    | ActedForYou
    | AccountAction
    | BookingConfirmation
    | BookingMoved
    | BookingCancelled
    | AppointmentReminder
    | WaitlistOffer
    | DoctorDaySummary
)

_message: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def parse(body: bytes) -> Message:
    """Read one request body (JSON, UTF-8).

    Raises:
        Invalid: the body is no JSON, or breaks the contract.
    """
    try:
        return _message.validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise Invalid("; ".join(map(_problem, problems))) from None


def _problem(problem: Mapping[str, Any]) -> str:
    """Name field and fault with pydantic's own codes, because its sentences may quote the value."""
    if str(problem["type"]).startswith("union_tag"):
        return f"kind: {problem['type']}"
    _kind, *path = problem["loc"] or ("body",)
    field = ".".join(name for name in map(str, path) if re.fullmatch(r"[a-z_]{1,40}", name))
    return f"{field or 'body'}: {problem['type']}"
