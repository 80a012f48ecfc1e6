import email
import email.policy
import smtplib
import socket
import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parseaddr

import boto3
import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto import mock_aws

from email_lambda.render import key_hash, render
from email_lambda.senders import FolderSender, Refused, SesSender, SmtpSender


@pytest.fixture
def self_signed(tmp_path):
    """A certificate that nobody vouches for."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    private = ec.generate_private_key(ec.SECP256R1())
    signed = (
        x509.CertificateBuilder(name, name, private.public_key(), 1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .sign(private, hashes.SHA256())
    )
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


class Inbox:
    """An SMTP server's memory; ``refuse`` is the reply to RCPT, ``goodbye`` that to QUIT."""

    def __init__(self) -> None:
        self.envelopes = []
        self.refuse = ""
        self.goodbye = "221 Bye"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_QUIT(self, server, session, envelope):
        return self.goodbye

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append(envelope)
        return "250 OK"


@pytest.fixture
def inbox():
    return Inbox()


@contextmanager
def serving(inbox, **options):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    yield SmtpSender(host="127.0.0.1", port=port)
    controller.stop()


@pytest.fixture
def smtp(inbox):
    with serving(inbox) as sender:
        yield replace(sender, starttls=False)


@pytest.fixture
def mail(message):
    return render(
        message(name="Jörg Müller"), from_address="no-reply@linden.example", now=datetime(2026, 11, 21, tzinfo=UTC)
    )


def test_smtp_delivers_the_message_as_rendered(smtp, inbox, mail):
    smtp.send(mail, key_hash("k"))
    (envelope,) = inbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@linden.example", ["jana@example.org"])
    received, rendered = (
        email.message_from_bytes(raw, policy=email.policy.default) for raw in (envelope.content, bytes(mail))
    )
    assert received["To"].addresses[0].display_name == "Jörg Müller"
    assert [part.get_payload(decode=True) for part in received.walk()] == [
        part.get_payload(decode=True) for part in rendered.walk()
    ]


@pytest.mark.parametrize(
    ("reply", "error"), [("550 no such user", Refused), ("450 come back later", smtplib.SMTPRecipientsRefused)]
)
def test_smtp_tells_a_wrong_address_from_a_bad_moment(smtp, inbox, mail, reply, error):
    inbox.refuse = reply
    with pytest.raises(error):
        smtp.send(mail, key_hash("k"))
    assert inbox.envelopes == []


def test_smtp_takes_a_rude_goodbye_for_a_delivery(smtp, inbox, mail):
    inbox.goodbye = "421 no time for that"
    smtp.send(mail, key_hash("k"))
    assert len(inbox.envelopes) == 1


def test_smtp_never_falls_back_to_the_clear(smtp, inbox, mail):
    with pytest.raises(smtplib.SMTPNotSupportedError):
        replace(smtp, starttls=True).send(mail, key_hash("k"))
    assert inbox.envelopes == []


def test_smtp_checks_the_certificate(inbox, mail, self_signed):
    with serving(inbox, tls_context=self_signed) as sender, pytest.raises(ssl.SSLCertVerificationError):
        sender.send(mail, key_hash("k"))
    assert inbox.envelopes == []


@pytest.fixture
def ses(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    with mock_aws():
        client = boto3.client("sesv2", region_name="eu-central-1")
        client.create_email_identity(EmailIdentity="linden.example")
        yield client


def test_ses_gets_the_message_raw(ses, mail):
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ses import ses_backends

    SesSender(ses).send(mail, key_hash("k"))
    (sent,) = ses_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].sent_messages
    assert sent.source == "no-reply@linden.example"
    assert {parseaddr(address)[1] for address in sent.destinations} == {"jana@example.org"}
    received = email.message_from_string(sent.raw_data, policy=email.policy.default)
    assert received["Subject"] == mail["Subject"]
    assert "text/calendar" in [part.get_content_type() for part in received.walk()]


def test_the_folder_holds_one_complete_file_a_key(mail, mail_dir):
    sender = FolderSender(mail_dir)
    complete = bytes(mail)  # the first writing chooses the boundary of the parts, which is not the threads' business
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: sender.send(mail, key_hash(f"key-{n % 3}")), range(24)))
    files = sorted(path.name for path in mail_dir.iterdir())
    assert files == sorted(f"{key_hash(f'key-{n}')[:32]}.eml" for n in range(3))
    assert all((mail_dir / name).read_bytes() == complete for name in files)


def test_only_the_owner_reads_the_folder(mail, mail_dir):
    FolderSender(mail_dir).send(mail, key_hash("k"))
    (file,) = mail_dir.iterdir()
    assert (stat.S_IMODE(mail_dir.stat().st_mode), stat.S_IMODE(file.stat().st_mode)) == (0o700, 0o600)
