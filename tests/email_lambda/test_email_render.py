import email
import email.policy
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import email_lambda.render
from email_lambda.messages import Invalid, Message
from email_lambda.render import key_hash, render

KINDS = [get_args(model.model_fields["kind"].annotation)[0] for model in get_args(Message)]
OF_A_VISIT = ["BOOKING_CONFIRMATION", "BOOKING_MOVED", "BOOKING_CANCELLED", "APPOINTMENT_REMINDER", "WAITLIST_OFFER"]
HEADERS = ["Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
TEMPLATES = Path(email_lambda.render.__file__).parent / "templates"


def sent(message):
    """The message as its receiver parses it."""
    mail = render(message, from_address="no-reply@linden.example", now=datetime(2026, 11, 21, 8, tzinfo=UTC))
    return email.message_from_bytes(bytes(mail), policy=email.policy.default)


def part(mail, subtype):
    return mail.get_body((subtype,)).get_content()


class Elements(HTMLParser):
    """The tags and the links of a page, as a browser sees them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.text = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data):
        self.text += data


def test_every_kind_has_its_two_templates():
    written = {path.name for path in TEMPLATES.iterdir()} - {"layout.html", "parts.html", "footer.txt"}
    assert written == {f"{kind.lower()}.{form}" for kind in KINDS for form in ("html", "txt")}


def test_a_confirmation_states_time_and_zone_in_subject_text_and_page(message):
    mail = sent(message())
    assert mail["Subject"] == "Confirmed: Thu 26 Nov, 10:00 – 10:20 (Berlin time, CET)"
    for form in ("plain", "html"):
        for fact in (
            *("Thu 26 Nov, 10:00 – 10:20", "Berlin time, CET", "Thursday, 26 November 2026", "Dr. A. Haddad"),
            *("Cardiology", "Building B, 2nd floor", "MH-4K7D2Q", "https://linden.example/appointments/17"),
        ):
            assert fact in part(mail, form)


@pytest.mark.parametrize("kind", OF_A_VISIT)
def test_an_unknown_location_leaves_no_empty_row(message, kind):
    mail = sent(message(kind, location=""))
    assert "Where" not in part(mail, "plain") + part(mail, "html")


@pytest.mark.parametrize(
    ("kind", "subject", "facts"),
    [
        (
            "BOOKING_MOVED",
            "Moved: Thu 26 Nov, 10:00 – 10:20 (Berlin time, CET)",
            ["Tue 24 Nov, 09:00 – 09:20", "Dr. A. Haddad", "Building B, 2nd floor", "MH-4K7D2Q"],
        ),
        (
            "BOOKING_CANCELLED",
            "Cancelled: Thu 26 Nov, 10:00 – 10:20 (Berlin time, CET)",
            ["the clinic had to cancel", "Dr. Haddad is ill.", "Book another time", "MH-4K7D2Q"],
        ),
        (
            "APPOINTMENT_REMINDER",
            "Reminder: Thu 26 Nov, 10:00 – 10:20 (Berlin time, CET)",
            ["Dr. A. Haddad", "Building B, 2nd floor", "cancel or move it", "MH-4K7D2Q"],
        ),
        (
            "WAITLIST_OFFER",
            "Free for you: Thu 26 Nov, 10:00 – 10:20 (Berlin time, CET)",
            ["Dr. A. Haddad", "Cardiology", "Wed 25 Nov, 18:00", "not booked yet"],
        ),
    ],
)
def test_a_message_says_what_has_to_be_known(message, kind, subject, facts):
    mail = sent(message(kind))
    assert mail["Subject"] == subject
    for form in ("plain", "html"):
        for fact in ("Thu 26 Nov, 10:00 – 10:20", "Berlin time, CET", "https://linden.example/appointments/17", *facts):
            assert fact in part(mail, form)


def test_the_time_that_no_longer_holds_is_struck_through(message):
    assert "<s>Tue 24 Nov, 09:00 – 09:20</s>" in part(sent(message("BOOKING_MOVED")), "html")
    assert "<s>Thu 26 Nov, 10:00 – 10:20</s>" in part(sent(message("BOOKING_CANCELLED")), "html")


def test_a_patient_who_cancelled_is_not_told_that_the_clinic_did(message):
    mail = sent(message("BOOKING_CANCELLED", cancelled_by="patient", why=""))
    for form in ("plain", "html"):
        text = part(mail, form).lower()
        assert "you cancelled this appointment" in text
        assert "sorry" not in text
        assert "why" not in text


def test_a_day_is_times_and_initials_in_order(message):
    mail = sent(message("DOCTOR_DAY_SUMMARY"))
    assert mail["Subject"] == "Thu 26 Nov: 2 appointments"
    assert "    10:00 – 10:20  JM\n    10:00 – 10:40  ZÖ\n" in part(mail, "plain").replace("\r\n", "\n")
    page = part(mail, "html")
    assert page.index("10:00 – 10:20") < page.index("JM") < page.index("10:00 – 10:40") < page.index("ZÖ")
    assert "Thursday, 26 November 2026" in page


def test_a_day_without_anybody_says_so(message):
    mail = sent(message("DOCTOR_DAY_SUMMARY", appointments=[]))
    assert mail["Subject"] == "Thu 26 Nov: No appointments"
    assert "Times are" not in part(mail, "plain") + part(mail, "html")


@pytest.mark.parametrize(
    ("start", "minutes", "zone", "said"),
    [
        ("2026-10-24T22:30", 20, "Europe/Berlin", "Sun 25 Oct, 00:30 – 00:50 (Berlin time, CEST)"),
        ("2026-10-25T02:00", 20, "Europe/Berlin", "Sun 25 Oct, 03:00 – 03:20 (Berlin time, CET)"),
        ("2026-10-25T00:50", 20, "Europe/Berlin", "Sun 25 Oct, 02:50 – 02:10 (Berlin time, CEST then CET)"),
        ("2026-11-26T22:50", 20, "Europe/Berlin", "Thu 26 Nov, 23:50 – Fri 27 Nov, 00:10 (Berlin time, CET)"),
        ("2026-11-05T13:00", 30, "America/New_York", "Thu 5 Nov, 08:00 – 08:30 (New York time, EST)"),
        ("2026-11-05T13:00", 30, "Asia/Kathmandu", "Thu 5 Nov, 18:45 – 19:15 (Kathmandu time, UTC+0545)"),
        ("2026-11-05T13:00", 30, "UTC", "Thu 5 Nov, 13:00 – 13:30 (UTC)"),
        ("2026-11-05T13:00", 30, "Etc/GMT+5", "Thu 5 Nov, 08:00 – 08:30 (UTC-05)"),
    ],
)
def test_the_time_is_the_clinics_and_names_its_zone(message, start, minutes, zone, said):
    end = datetime.fromisoformat(f"{start}:00+00:00") + timedelta(minutes=minutes)
    mail = sent(message(starts_at=f"{start}:00Z", ends_at=end.isoformat(), time_zone=zone))
    assert mail["Subject"] == f"Confirmed: {said}"


@pytest.mark.parametrize(
    ("role", "awaiting", "subject", "said"),
    [
        ("patient", False, "Your account is ready - Linden Clinic", "Choose a doctor and a time"),
        ("doctor", False, "Your account is ready - Linden Clinic", "Say when you can be seen"),
        ("doctor", True, "Your account is being checked - Linden Clinic", "find or book you."),
        ("patient", True, "Your account is being checked - Linden Clinic", "before you can book."),
    ],
)
def test_a_welcome_says_what_can_be_done_next(message, role, awaiting, subject, said):
    mail = sent(message("SIGNUP_WELCOME", role=role, awaiting_approval=awaiting))
    assert mail["Subject"] == subject
    assert said in part(mail, "plain")
    assert said in part(mail, "html")


def test_a_temporary_password_stands_in_the_body_alone(message):
    mail = sent(message("ACCOUNT_PASSWORD", temporary_password="<b>&'\" 7"))
    assert "<b>&'\" 7" in part(mail, "plain")
    page = part(mail, "html")
    assert "<b>&'\" 7" in Elements(page).text
    preview = page[page.index("<body") : page.index("<table")]
    assert "&lt;b&gt;" not in preview
    assert all("<b>" not in str(value) for _, value in mail.items())


@pytest.mark.parametrize("kind", KINDS)
def test_markup_in_names_is_text(message, kind):
    plain, hostile = message(kind), message(kind, name="<script>alert(1)</script><a href='https://evil.example'>")
    expected, page = Elements(part(sent(plain), "html")), Elements(part(sent(hostile), "html"))
    assert (page.tags, page.links) == (expected.tags, expected.links)
    assert "<script>alert(1)</script>" in page.text


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *(("BOOKING_CONFIRMATION", field) for field in ("doctor", "department", "location", "reference")),
        *((kind, "doctor") for kind in OF_A_VISIT),
        ("BOOKING_CANCELLED", "why"),
    ],
)
def test_markup_in_an_appointment_is_text(message, kind, field):
    page = Elements(part(sent(message(kind, **{field: "<script>alert(1)</script>"})), "html"))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text


def test_a_link_cannot_leave_its_attribute(message):
    page = Elements(part(sent(message(action_url="https://linden.example/?a=1&b='onclick='x'")), "html"))
    assert page.links == ["https://linden.example/?a=1&b=%27onclick=%27x%27", "https://linden.example/"]


@settings(deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=200), kind=st.sampled_from(KINDS))
@example(text='Meier, Jana "J" <x@evil.example>, Dr. Ünal; (and a comment) ' * 3, kind="SIGNUP_WELCOME")
@example(text="Jana\r\nBcc: everybody@evil.example\r\n\r\nHello", kind="ACCOUNT_PASSWORD")
@example(text="=?utf-8?q?Jana=0D=0ABcc:_everybody@evil.example?=", kind="ACCOUNT_PASSWORD")
def test_no_text_adds_a_header_or_a_receiver(message, text, kind):
    names = dict.fromkeys(("doctor", "department", "location"), text) if kind in OF_A_VISIT else {}
    try:
        parsed = message(kind, name=text, clinic=text, **names)
    except Invalid:
        return
    name = parsed.recipient.name
    mail = sent(parsed)
    assert mail.keys() == HEADERS
    assert [address.addr_spec for address in mail["To"].addresses] == ["jana@example.org"]
    assert [address.addr_spec for address in mail["From"].addresses] == ["no-reply@linden.example"]
    # The email package may fold a long name at a place where it then adds a space.
    assert mail["To"].addresses[0].display_name.replace(" ", "") == name.replace(" ", "")
    if kind in ("SIGNUP_WELCOME", "ACCOUNT_PASSWORD"):
        assert mail["Subject"].replace(" ", "").endswith(name.replace(" ", ""))


def test_the_text_reads_alone(message):
    for kind in KINDS:
        text = part(sent(message(kind)), "plain").replace("\r\n", "\n")
        assert text.startswith("Hello Jana Meier,\n")
        assert "{" not in text
        assert "\n\n\n" not in text
        assert max(map(len, text.splitlines())) <= 78


def test_headers_keep_vacation_replies_away_and_let_receivers_recognise_a_repeat(message):
    mail = sent(message(key="booking:17"))
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{key_hash('booking:17')[:32]}@linden.example>"
    assert str(mail["From"]) == "Linden Clinic <no-reply@linden.example>"


def test_lines_keep_within_the_limit_of_smtp(message):
    for kind in KINDS:
        mail = render(message(kind, name="x" * 200), from_address="a@b.example", now=datetime(2026, 1, 1, tzinfo=UTC))
        assert max(map(len, bytes(mail).split(b"\r\n"))) <= 998


@pytest.mark.parametrize("kind", ["BOOKING_CONFIRMATION", "BOOKING_MOVED", "APPOINTMENT_REMINDER"])
@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/Lisbon", "For you 09:00 – 09:20, Lisbon time, WET"),
        ("Pacific/Auckland", "For you 22:00 – 22:20, Auckland time, NZDT"),
        ("America/Los_Angeles", "For you 01:00 – 01:20, Los Angeles time, PST"),
        ("Pacific/Kiritimati", "For you 23:00 – 23:20, Kiritimati time, UTC+14"),
        ("Europe/Paris", ""),
    ],
)
def test_whoever_lives_elsewhere_reads_when_it_is_there(message, kind, zone, said):
    mail = sent(message(kind, own_time_zone=zone))
    for form in ("plain", "html"):
        text = part(mail, form)
        assert "10:00 – 10:20" in text
        assert (said in text) if said else ("For you" not in text)


def test_a_day_that_is_another_elsewhere_is_named(message):
    at = {"starts_at": "2026-11-26T17:00:00+00:00", "ends_at": "2026-11-26T17:20:00+00:00"}
    text = part(sent(message("APPOINTMENT_REMINDER", own_time_zone="Asia/Tokyo", **at)), "plain")
    assert "For you Fri 27 Nov, 02:00 – 02:20, Tokyo time, JST" in text
