"""The e-mail Lambda as its callers meet it: HTTP in, e-mail out, processes that die in between."""

import email
import email.policy
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import icalendar
import pytest
from aiosmtpd.controller import Controller

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a secret of at least thirty-two bytes"
CLIENT = httpx.Client(timeout=30, trust_env=False)
WITH_SHORT_LEASE = "import email_lambda.store as s, email_lambda.local as l; s.LEASE = 1; l.main()"


def confirmation(key, name="Jana Meier"):
    return {
        "kind": "BOOKING_CONFIRMATION",
        "idempotency_key": key,
        "recipient": {"email": "jana@example.org", "name": name},
        "clinic": {"name": "Linden Clinic", "url": "https://linden.example"},
        "data": {
            "reference": "MH-4K7D2Q",
            "uid": "17@linden.example",
            "sequence": 0,
            "starts_at": "2026-11-26T09:00:00+00:00",
            "ends_at": "2026-11-26T09:20:00+00:00",
            "time_zone": "Europe/Berlin",
            "doctor": "Dr. A. Haddad",
            "department": "Cardiology",
            "location": "",
            "action_url": "https://linden.example/appointments/17",
        },
    }


def sign(body, timestamp, secret=SECRET):
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-MHMS-Timestamp": str(timestamp), "X-MHMS-Signature": f"v1={digest}"}


def post(url, message):
    body = json.dumps(message).encode()
    return CLIENT.post(url, content=body, headers=sign(body, int(time.time())))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def listens(url):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


def start(mail_dir, *, port=0, code=None, **env):
    """Start the local server; return its process and its address."""
    program = ["-c", code] if code else ["-m", "email_lambda.local"]
    process = subprocess.Popen(
        [sys.executable, *program, "--port", str(port), "--mail-dir", str(mail_dir)],
        cwd=ROOT,
        env=os.environ | {"MHMS_EMAIL_SECRET": SECRET, "MHMS_EMAIL_SENDER": "folder"} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return process, json.loads(process.stdout.readline())["url"]


@contextmanager
def serving(mail_dir, **options):
    process, url = start(mail_dir, **options)
    try:
        yield url
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def mail_dir(tmp_path):
    return tmp_path / "mail"


@pytest.fixture
def url(mail_dir):
    with serving(mail_dir) as address:
        yield address


def delivered(mail_dir):
    return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in mail_dir.glob("*.eml")]


def test_the_signature_of_the_contract():
    assert sign(b'{"kind":"SIGNUP_WELCOME"}', 1_795_000_000) == {
        "X-MHMS-Timestamp": "1795000000",
        "X-MHMS-Signature": "v1=1b8c4d22867f3d4d7e74f603e945307c6a78b5c2c3c7bee7f5b12b64ed5bc367",
    }


def test_a_booking_arrives_as_a_letter_with_its_invitation(url, mail_dir):
    answer = post(url, confirmation("booking:17"))
    assert (answer.status_code, answer.json()) == (200, {"status": "sent"})
    assert answer.headers["content-type"] == "application/json"
    (mail,) = delivered(mail_dir)
    assert mail["To"].addresses[0].addr_spec == "jana@example.org"
    calendar = icalendar.Calendar.from_ical(next(mail.iter_attachments()).get_content())
    (event,) = calendar.walk("VEVENT")
    assert event["DTSTART"].dt.isoformat() == "2026-11-26T10:00:00+01:00"


def test_asked_twice_it_sends_once(url, mail_dir):
    answers = [post(url, confirmation("booking:17")).json() for _ in range(2)]
    assert answers == [{"status": "sent"}, {"status": "duplicate"}]
    assert len(delivered(mail_dir)) == 1


def test_every_refusal_has_its_status(url, mail_dir):
    body = json.dumps(confirmation("k")).encode()
    now = int(time.time())
    refusals = {
        "unsigned": CLIENT.post(url, content=body),
        "tampered": CLIENT.post(url, content=body + b" ", headers=sign(body, now)),
        "stale": CLIENT.post(url, content=body, headers=sign(body, now - 400)),
        "invalid": post(url, confirmation("k") | {"kind": "GREETING"}),
        "large": post(url, confirmation("k", name="x" * 70_000)),
        "elsewhere": CLIENT.post(f"{url}/other", content=body, headers=sign(body, now)),
        "endless": CLIENT.post(url, content=iter([body]), headers=sign(body, now)),
    }
    assert {name: (answer.status_code, answer.json()) for name, answer in refusals.items()} == {
        "unsigned": (401, {"error": "signature"}),
        "tampered": (401, {"error": "signature"}),
        "stale": (401, {"error": "signature"}),
        "invalid": (422, {"error": "invalid", "detail": "kind: union_tag_invalid"}),
        "large": (413, {"error": "too_large"}),
        "elsewhere": (404, {"error": "not_found"}),
        "endless": (411, {"error": "length_required"}),
    }
    assert delivered(mail_dir) == []


def test_a_huge_body_is_refused_unread(url):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", str(11 * 1024 * 1024))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_trouble_with_the_sender_asks_for_a_retry(mail_dir):
    with serving(
        mail_dir, MHMS_EMAIL_SENDER="smtp", MHMS_SMTP_HOST="127.0.0.1", MHMS_SMTP_PORT=str(free_port())
    ) as url:
        answers = [post(url, confirmation("k")) for _ in range(2)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(503, {"error": "try_again"})] * 2


def test_health_needs_no_signature(url):
    assert CLIENT.get(f"{url}/healthz").status_code == 200


def test_it_listens_on_the_loopback_address_only(url):
    port = int(url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=5)


def test_without_a_secret_it_does_not_start(mail_dir):
    env = {name: value for name, value in os.environ.items() if name != "MHMS_EMAIL_SECRET"}
    command = [sys.executable, "-m", "email_lambda.local", "--port", "0", "--mail-dir", str(mail_dir)]
    refused = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (1, "email_lambda: MHMS_EMAIL_SECRET is not set\n")


class SlowInbox:
    """An SMTP server that takes its time and remembers what it got."""

    def __init__(self):
        self.keys = []
        self.busy = threading.Event()
        self.go_on = threading.Event()

    async def handle_DATA(self, server, session, envelope):
        import asyncio

        self.busy.set()
        await asyncio.to_thread(self.go_on.wait, 30)
        self.keys.append(email.message_from_bytes(envelope.content)["Message-ID"])
        return "250 OK"


@pytest.fixture
def slow_inbox():
    inbox = SlowInbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    inbox.env = {
        "MHMS_EMAIL_SENDER": "smtp",
        "MHMS_SMTP_HOST": "127.0.0.1",
        "MHMS_SMTP_PORT": str(controller.port),
        "MHMS_SMTP_STARTTLS": "false",
    }
    yield inbox
    inbox.go_on.set()
    controller.stop()


def test_two_servers_and_many_clients_send_one_message(mail_dir, slow_inbox):
    """Over SMTP, where nothing but the claimed key prevents a second message."""
    with serving(mail_dir, **slow_inbox.env) as one, serving(mail_dir, **slow_inbox.env) as two:
        with ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(post, (one, two)[n % 2], confirmation("k")) for n in range(16)]
            assert slow_inbox.busy.wait(30)
            while sum(answer.done() for answer in asked) < 15:
                time.sleep(0.01)
            slow_inbox.go_on.set()
        answers = Counter((a.result().status_code, a.result().text) for a in asked)
        late = post(two, confirmation("k")).json()
    assert answers == {(409, '{"error": "in_progress"}'): 15, (200, '{"status": "sent"}'): 1}
    assert late == {"status": "duplicate"}
    assert len(slow_inbox.keys) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_finishes_what_it_is_sending(mail_dir, slow_inbox, number):
    process, url = start(mail_dir, **slow_inbox.env)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, url, confirmation("k"))
        assert slow_inbox.busy.wait(30)
        process.send_signal(number)
        while listens(url):
            time.sleep(0.01)
        slow_inbox.go_on.set()
        assert answer.result().json() == {"status": "sent"}
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert [json.loads(line)["outcome"] for line in output.splitlines()] == ["sent"]


def test_killed_again_and_again_it_still_sends_each_message_once(mail_dir):
    """A server that dies six times under a client that retries, as the dispatcher does."""
    port, keys, answers = free_port(), [f"booking:{n}" for n in range(70)], {}

    def deliver(key):
        while key not in answers:
            try:
                answer = post(f"http://127.0.0.1:{port}", confirmation(key))
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code == 200:
                answers[key] = answer.json()["status"]
            else:
                assert answer.status_code == 409
                time.sleep(0.1)

    with ThreadPoolExecutor(8) as pool:
        deliveries = [pool.submit(deliver, key) for key in keys]
        for life in range(1, 7):
            process, _ = start(mail_dir, port=port, code=WITH_SHORT_LEASE)
            while len(answers) < 10 * life:
                time.sleep(0.001)
            process.kill()
            process.communicate()
        with serving(mail_dir, port=port, code=WITH_SHORT_LEASE):
            for delivery in deliveries:
                delivery.result()

    expected = {f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@clinic.example>" for key in keys}
    assert sorted(mail["Message-ID"] for mail in delivered(mail_dir)) == sorted(expected)
