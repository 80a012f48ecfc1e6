import hashlib
import json
import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from email_lambda.handler import MAX_BODY, Mailer
from email_lambda.senders import FolderSender, Refused
from email_lambda.store import LEASE, SqliteStore

SECRET = b"a secret of at least thirty-two bytes"


def outcome(response):
    return response["statusCode"], json.loads(response["body"])


def files(mail_dir):
    return list(mail_dir.glob("*.eml"))


class Counting:
    """Counts messages, without the folder's own protection against repeats."""

    def __init__(self) -> None:
        self.keys = []

    def send(self, mail, key):
        self.keys.append(key)


class Failing:
    def __init__(self, error):
        self.error = error

    def send(self, mail, key):
        raise self.error


def test_a_message_is_sent_once_however_often_it_is_asked_for(mailer, event, body, mail_dir):
    assert outcome(mailer.handle(event(body()))) == (200, {"status": "sent"})
    assert outcome(mailer.handle(event(body()))) == (200, {"status": "duplicate"})
    assert len(files(mail_dir)) == 1


def test_api_gateway_may_pass_the_body_as_text(mailer, event, body):
    request = event(body(name="Zoë"))
    raw = json.dumps(body(name="Zoë"))
    assert outcome(mailer.handle(request | {"body": raw, "isBase64Encoded": False})) == (200, {"status": "sent"})


def test_header_names_are_case_insensitive(mailer, event, body):
    request = event(body())
    request["headers"] = {name.upper(): value for name, value in request["headers"].items()}
    assert outcome(mailer.handle(request))[0] == 200


def tampered(request):
    return request | {"body": "A" + request["body"][1:]}


def without(name):
    return lambda request: request | {"headers": {k: v for k, v in request["headers"].items() if k != name}}


def with_header(name, value):
    return lambda request: request | {"headers": request["headers"] | {name: value}}


@pytest.mark.parametrize(
    "spoil",
    [
        tampered,
        without("x-mhms-signature"),
        without("x-mhms-timestamp"),
        with_header("x-mhms-signature", ""),
        with_header("x-mhms-signature", "v1=" + "0" * 64),
        with_header("x-mhms-signature", "ü"),
        with_header("x-mhms-timestamp", "1795000001"),
        with_header("x-mhms-timestamp", "now"),
        with_header("x-mhms-timestamp", "-1795000000"),
        with_header("x-mhms-timestamp", "١٧٩٥٠٠٠٠٠٠"),
        with_header("x-mhms-timestamp", "9" * 5000),
        lambda request: request | {"headers": {}},
    ],
)
def test_a_request_that_the_clinic_did_not_sign_is_refused(mailer, event, body, mail_dir, spoil):
    assert outcome(mailer.handle(spoil(event(body())))) == (401, {"error": "signature"})
    assert files(mail_dir) == []


def test_another_secret_signs_nothing(mailer, event, body):
    assert outcome(mailer.handle(event(body(), secret=b"another secret of thirty-two bytes")))[0] == 401


@pytest.mark.parametrize(("age", "status"), [(300, 200), (-300, 200), (301, 401), (-301, 401)])
def test_a_signature_is_good_for_five_minutes(mailer, event, body, clock, age, status):
    assert outcome(mailer.handle(event(body(), timestamp=int(clock.now) - age)))[0] == status


def test_an_invalid_message_takes_no_key(mailer, event, body, mail_dir):
    broken = body() | {"extra": "Jana"}
    assert outcome(mailer.handle(event(broken))) == (422, {"error": "invalid", "detail": "extra: extra_forbidden"})
    assert outcome(mailer.handle(event(body()))) == (200, {"status": "sent"})


def test_a_body_above_64_kb_is_refused_before_anything_else(mailer, event):
    assert outcome(mailer.handle(event(b" " * MAX_BODY)))[0] == 422
    assert outcome(mailer.handle(event(b" " * (MAX_BODY + 1)) | {"headers": {}})) == (413, {"error": "too_large"})


def test_after_a_failed_sending_the_key_is_free(mailer, event, body, mail_dir):
    failing = replace(mailer, sender=Failing(OSError("jana@example.org: no route")))
    assert outcome(failing.handle(event(body()))) == (503, {"error": "try_again"})
    assert outcome(mailer.handle(event(body()))) == (200, {"status": "sent"})
    assert len(files(mail_dir)) == 1


def test_an_address_refused_for_good_is_the_callers_to_correct(mailer, event, body):
    refusing = replace(mailer, sender=Failing(Refused()))
    detail = "recipient.email: refused by the mail server"
    assert outcome(refusing.handle(event(body()))) == (422, {"error": "invalid", "detail": detail})
    assert outcome(mailer.handle(event(body()))) == (200, {"status": "sent"})


class Broken:
    """A store that is out of reach for one of its methods."""

    def __init__(self, store, method):
        self.store, self.method = store, method

    def __getattr__(self, name):
        if name == self.method:
            raise ConnectionError("table is out of reach")
        return getattr(self.store, name)


def test_without_the_store_nothing_is_sent(mailer, event, body, mail_dir):
    assert outcome(replace(mailer, store=Broken(mailer.store, "claim")).handle(event(body())))[0] == 503
    assert files(mail_dir) == []


def test_a_message_that_left_is_sent_even_if_it_cannot_be_marked(mailer, event, body, mail_dir):
    forgetful = replace(mailer, store=Broken(mailer.store, "finish"))
    assert outcome(forgetful.handle(event(body()))) == (200, {"status": "sent"})
    assert len(files(mail_dir)) == 1


def test_without_the_secret_nobody_is_trusted(mailer, event, body):
    def unreachable():
        raise ConnectionError("no parameter store")

    assert outcome(replace(mailer, secret=unreachable).handle(event(body()))) == (503, {"error": "try_again"})


def test_while_one_invocation_sends_another_is_told_to_wait(mailer, event, body):
    answers = []

    class Meanwhile:
        def send(self, mail, key):
            answers.append(outcome(mailer.handle(event(body()))))

    answers.append(outcome(replace(mailer, sender=Meanwhile()).handle(event(body()))))
    assert answers == [(409, {"error": "in_progress"}), (200, {"status": "sent"})]


def test_many_at_once_send_one_message(mailer, event, body):
    counting, start = Counting(), Barrier(16)
    racing = replace(mailer, sender=counting)

    def ask(_):
        start.wait()
        return outcome(racing.handle(event(body())))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))
    assert len(counting.keys) == 1
    assert answers.count((200, {"status": "sent"})) == 1
    assert {status for status, _ in answers} <= {200, 409}


class DiesAfterSending:
    def __init__(self, mail_dir):
        self.folder = FolderSender(mail_dir)

    def send(self, mail, key):
        self.folder.send(mail, key)
        os.kill(os.getpid(), signal.SIGKILL)


def die_while_sending(mail_dir, request, now):
    store = SqliteStore(mail_dir / ".keys.sqlite3")
    Mailer(lambda: SECRET, store, DiesAfterSending(mail_dir), "no-reply@linden.example", lambda: now).handle(request)


def test_a_process_killed_between_sending_and_marking_leaves_one_file(mailer, event, body, clock, mail_dir):
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=die_while_sending, args=(mail_dir, event(body()), clock.now))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(files(mail_dir)) == 1
    assert outcome(mailer.handle(event(body()))) == (409, {"error": "in_progress"})

    clock.now += LEASE + 1
    later = event(body(), timestamp=int(clock.now))
    assert outcome(mailer.handle(later)) == (200, {"status": "sent"})
    assert outcome(mailer.handle(later)) == (200, {"status": "duplicate"})
    assert len(files(mail_dir)) == 1


@pytest.mark.parametrize(
    ("traceparent", "told"),
    [(f"00-{'4' * 32}-{'2' * 16}-01", "4" * 32), ("00-forged\n", None), (f"00-{'4' * 32}-{'2' * 16}-01\n", None)],
)
def test_a_caller_that_traces_finds_its_trace_in_the_log(mailer, event, body, capfd, traceparent, told):
    request = event(body())
    mailer.handle(request | {"headers": request["headers"] | {"Traceparent": traceparent}})
    (line,) = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert (line["outcome"], line.get("trace")) == ("sent", told)


def test_the_log_tells_outcomes_and_no_secrets(mailer, event, body, capfd):
    password = "brisk-otter-42-lake"
    request = event(body("ACCOUNT_PASSWORD", key="account:jana", temporary_password=password))
    mailer.handle(request)
    mailer.handle(request)
    mailer.handle(tampered(request))
    mailer.handle(event(body() | {"Jana Meier\n": password}))
    replace(mailer, sender=Failing(ValueError("jana@example.org\nforged line"))).handle(event(body()))
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["outcome"] for line in lines] == ["sent", "duplicate", "signature", "invalid", "failed"]
    assert [line.get("kind") for line in lines] == ["ACCOUNT_PASSWORD"] * 2 + [None] * 2 + ["BOOKING_CONFIRMATION"]
    assert lines[0]["key"] == hashlib.sha256(b"account:jana").hexdigest()[:16]
    signature = request["headers"]["x-mhms-signature"]
    for secret in ("jana", "Jana", "Meier", password, SECRET.decode(), signature, "forged", "Linden"):
        assert secret not in out + err
