"""The ways out: Amazon SES, an SMTP server, or a folder of files."""

import os
import smtplib
import ssl
import tempfile
from contextlib import closing, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


class Refused(Exception):
    """The recipient's address is refused for good; sending again cannot help."""


class Sender(Protocol):
    """Hands one message on."""

    def send(self, mail: EmailMessage, key: str) -> None:
        """Send ``mail``; ``key`` is the hash of its idempotency key.

        Raises:
            Refused: permanently. Any other exception means: try again later.
        """


@dataclass(frozen=True)
class SesSender:
    """Amazon SES, API version 2.

    SES cannot recognise a repeated call, so the client should be made without automatic retries.
    """

    client: "SESV2Client"

    def send(self, mail: EmailMessage, key: str) -> None:
        """See ``Sender``."""
        self.client.send_email(
            FromEmailAddress=mail["From"].addresses[0].addr_spec,
            Destination={"ToAddresses": [mail["To"].addresses[0].addr_spec]},
            Content={"Raw": {"Data": bytes(mail)}},
        )


@dataclass(frozen=True)
class SmtpSender:
    """An SMTP server; with ``starttls`` (RFC 3207) its certificate is checked and nothing is sent in the clear."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    starttls: bool = True
    timeout: float = 10
    """Seconds for each step of the conversation."""

    def send(self, mail: EmailMessage, key: str) -> None:
        """See ``Sender``."""
        with closing(smtplib.SMTP(self.host, self.port, timeout=self.timeout)) as smtp:
            if self.starttls:
                smtp.starttls(context=ssl.create_default_context())
            if self.username:
                smtp.login(self.username, self.password)
            try:
                smtp.send_message(mail)
            except smtplib.SMTPRecipientsRefused as refusal:
                if all(code >= 500 for code, _reply in refusal.recipients.values()):
                    raise Refused from None
                raise
            # The message has left: an unfriendly goodbye must not send it again.
            with suppress(smtplib.SMTPException):
                smtp.quit()


@dataclass(frozen=True)
class FolderSender:
    """A folder of ``.eml`` files, named by the hash of the key alone.

    Linking a complete file to its name either succeeds or finds the name taken, so one key is one
    file whenever the process dies, and listing the folder reveals no address.
    """

    folder: Path

    def send(self, mail: EmailMessage, key: str) -> None:
        """See ``Sender``."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".") as draft:
            draft.write(bytes(mail))
            draft.flush()
            os.fsync(draft.fileno())
            with suppress(FileExistsError):
                os.link(draft.name, self.folder / f"{key[:32]}.eml")
