import json
from typing import get_args

import pytest

from email_lambda.messages import Invalid, Message, parse

KINDS = [get_args(model.model_fields["kind"].annotation)[0] for model in get_args(Message)]


def refusal(body):
    with pytest.raises(Invalid) as refused:
        parse(body if isinstance(body, bytes) else json.dumps(body).encode())
    return str(refused.value)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_the_contract_is_accepted(message, kind):
    assert message(kind).kind == kind


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"SIGNUP_WELCOME"', b"NaN"])
def test_a_body_that_is_no_json_object_is_refused(raw):
    assert refusal(raw).startswith("body: ")


def test_an_unknown_kind_is_refused_without_repeating_it(body):
    assert refusal(body() | {"kind": "JANA_MEIER"}) == "kind: union_tag_invalid"
    assert refusal({"idempotency_key": "k"}) == "kind: union_tag_not_found"


@pytest.mark.parametrize(
    ("path", "value", "detail"),
    [
        (["extra"], "Jana", "extra: extra_forbidden"),
        (["recipient", "phone"], "123", "recipient.phone: extra_forbidden"),
        (["data", "notes"], "x", "data.notes: extra_forbidden"),
        (["idempotency_key"], "", "idempotency_key: string_too_short"),
        (["idempotency_key"], "k" * 129, "idempotency_key: string_too_long"),
        (["recipient", "email"], "jana", "recipient.email: string_pattern_mismatch"),
        (["recipient", "email"], "a@b.example\r\nBcc: c@d.example", "recipient.email: string_pattern_mismatch"),
        (["recipient", "email"], "a@b.example\n", "recipient.email: string_pattern_mismatch"),
        (["recipient", "email"], "a@b.example, c@d.example", "recipient.email: string_pattern_mismatch"),
        (["recipient", "name"], "\r\n\t", "recipient.name: string_too_short"),
        (["recipient", "name"], "x" * 201, "recipient.name: string_too_long"),
        (["recipient", "name"], 7, "recipient.name: string_type"),
        (["clinic", "url"], "javascript:alert(1)", "clinic.url: url_scheme"),
        (["data", "sequence"], -1, "data.sequence: greater_than_equal"),
        (["data", "sequence"], "1", "data.sequence: int_type"),
        (["data", "sequence"], 10**30, "data.sequence: less_than_equal"),
        (["data", "starts_at"], 1_790_000_000, "data.starts_at: datetime_type"),
        (["data", "starts_at"], "2026-11-26T09:00:00", "data.starts_at: timezone_aware"),
        (["data", "starts_at"], "0001-01-01T00:00:00+14:00", "data.starts_at: out_of_range"),
        (["data", "ends_at"], "9999-12-31T23:59:59-14:00", "data.ends_at: out_of_range"),
        (["data", "ends_at"], "2026-11-26T09:00:00+00:00", "data: ends_before_start"),
        (["data", "time_zone"], "Europe/Atlantis", "data.time_zone: unknown_time_zone"),
        (["data", "time_zone"], "../../etc/passwd", "data.time_zone: unknown_time_zone"),
        (["data", "time_zone"], "Europe", "data.time_zone: unknown_time_zone"),
        (["data", "action_url"], "//linden.example", "data.action_url: url_parsing"),
    ],
)
def test_a_refusal_names_the_field_and_not_its_value(body, path, value, detail):
    broken = body()
    *parents, last = path
    place = broken
    for parent in parents:
        place = place[parent]
    place[last] = value
    assert refusal(broken) == detail


def test_the_name_of_an_unknown_field_is_repeated_only_if_it_looks_like_one(body):
    assert refusal(body() | {"Jana Meier <jana@example.org>": 1}) == "body: extra_forbidden"


def test_a_missing_field_is_named(body):
    broken = body("ACCOUNT_PASSWORD")
    del broken["data"]["temporary_password"]
    assert refusal(broken) == "data.temporary_password: missing"


@pytest.mark.parametrize(
    ("kind", "changes", "detail"),
    [
        ("BOOKING_MOVED", {"old": None}, "data.old: model_type"),
        ("BOOKING_CANCELLED", {"cancelled_by": "Jana"}, "data.cancelled_by: literal_error"),
        ("BOOKING_CANCELLED", {"why": "x" * 201}, "data.why: string_too_long"),
        ("APPOINTMENT_REMINDER", {"reason": "Palpitations"}, "data.reason: extra_forbidden"),
        ("WAITLIST_OFFER", {"kept_until": "2026-11-25T17:00:00"}, "data.kept_until: timezone_aware"),
        ("DOCTOR_DAY_SUMMARY", {"day": "2026-02-30"}, "data.day: date_parsing"),
        (
            "DOCTOR_DAY_SUMMARY",
            {"appointments": [{"initials": "Jana Meier"}]},
            "data.appointments.initials: string_too_long",
        ),
    ],
)
def test_each_kind_holds_to_its_own_fields(body, kind, changes, detail):
    assert detail in refusal(body(kind, **changes)).split("; ")


def test_booleans_are_not_converted(body):
    assert refusal(body("SIGNUP_WELCOME", awaiting_approval="yes")) == "data.awaiting_approval: bool_type"


def test_a_password_is_never_shown_and_never_changed(message, body):
    parsed = message("ACCOUNT_PASSWORD", temporary_password=" two  spaces ")
    assert parsed.data.temporary_password.get_secret_value() == " two  spaces "
    assert "spaces" not in repr(parsed)
    assert refusal(body("ACCOUNT_PASSWORD", temporary_password="a\nb")) == "data.temporary_password: not_printable"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Jana\r\nBcc: all@example.org", "Jana Bcc: all@example.org"),
        ("Jana\x00\x1b[31m  Meier\u2028", "Jana [31m Meier"),
        ("\u202egpj.exe\u202c", "gpj.exe"),
        ("=?utf-8?q?a=0D=0ABcc:_b?=", "= ?utf-8?q?a=0D=0ABcc:_b?="),
        ("José Núñez-O'Brien 李", "José Núñez-O'Brien 李"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_a_name_becomes_one_line_and_keeps_its_letters(message, sent, kept):
    assert message(name=sent).recipient.name == kept
