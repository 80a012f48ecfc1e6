"""The commands with which an operator keeps the trail."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from mhms_app import db
from mhms_app.audit import chain
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.cli import app
from mhms_app.errors import ClinicError

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def entries(database: str) -> None:
    with db.transaction() as session:
        for _ in range(3):
            audit.record(session, actor_id=None, action="test.done")


def run(*words: str) -> str:
    """What a command prints; a refusal is raised."""
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None:
        raise done.exception
    return done.output


def test_entries_are_sealed_and_the_head_is_printed_to_be_written_down() -> None:
    assert run("audit", "seal") == "3 entries were sealed.\n"
    printed = run("audit", "verify")
    with db.transaction(read_only=True) as session:
        head = str(chain.head(session))
    assert printed.startswith("The audit trail is whole, with 0 entries still to be sealed.")
    assert printed.split()[-1] == head
    assert run("audit", "verify", "--expect", head) == printed


def test_what_is_not_as_it_was_written_down_is_a_failure() -> None:
    run("audit", "seal")
    with pytest.raises(ClinicError, match="Position 3 is not what was expected there"):
        run("audit", "verify", "--expect", f"3:{'a' * 64}")
    with pytest.raises(ClinicError, match="The chain ends at position 3, before the expected 4"):
        run("audit", "verify", "--expect", f"4:{'a' * 64}")
    with pytest.raises(ClinicError, match="POSITION:HASH"):
        run("audit", "verify", "--expect", "yesterday")


def test_checking_says_what_the_page_says_and_fails_when_something_is_broken(
    configure: Callable[[str, str], None],
) -> None:
    configure("MHMS_EMAIL_URL", "http://127.0.0.1:9")  # nobody listens there
    done = CliRunner().invoke(app, ["check"])
    lines = done.output.splitlines()
    assert lines[0].startswith(("ok    Database: SQLite", "ok    Database: PostgreSQL"))
    assert "LOOK  Workers: None has spoken for a minute." in lines
    assert lines[-2] == "FAIL  E-mail service: It does not answer (ConnectError)."
    assert done.exit_code == 1


def test_checking_knows_of_the_last_backup(tmp_path: Path, configure: Callable[[str, str], None]) -> None:
    configure("MHMS_BACKUP_MAX_AGE_DAYS", "1")
    assert "LOOK  Backup: None was ever made." in CliRunner().invoke(app, ["check"]).output
    run("backup", str(tmp_path / "clinic.backup"))
    assert "ok    Backup: The last one was made" in CliRunner().invoke(app, ["check"]).output
    with db.transaction(read_only=True) as session:
        noted = session.exec(select(AuditEntry).where(AuditEntry.action == "backup.make")).one()
    size = (tmp_path / "clinic.backup").stat().st_size
    assert re.fullmatch(rf"[1-9]\d* rows, {size} bytes, revision \d{{4}}", noted.detail)


def test_tidying_says_what_went() -> None:
    assert run("tidy") == "Nothing was too old.\n"
