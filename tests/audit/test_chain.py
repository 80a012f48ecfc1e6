"""The chain of seals: whatever is done to the trail behind the application's back is named."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from mhms_app import db
from mhms_app.audit import chain
from mhms_app.audit import service as audit
from mhms_app.audit.chain import Verified
from mhms_app.audit.models import AuditEntry, AuditSeal
from mhms_app.audit.rules import START, Head, head_in, seal
from tests.conftest import NOW

pytestmark = pytest.mark.usefixtures("database")

LONG_AGO = datetime.now(UTC) - timedelta(days=800)


def record(number: int = 1) -> None:
    with db.transaction() as session:
        for _ in range(number):
            audit.record(session, actor_id=7, action="test.done", object_type="user", object_id=3, detail="é\n")


def verify(expected: Head | None = None) -> Verified:
    with db.transaction(read_only=True) as session:
        return chain.verify(session, expected=expected)


def head() -> Head:
    with db.transaction(read_only=True) as session:
        return chain.head(session)


@contextmanager
def without_triggers(session: Session) -> Iterator[None]:
    """What somebody who owns the database can do."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER USER"))
        session.execute(text("ALTER TABLE audit_seal DISABLE TRIGGER USER"))
    else:
        names = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'"))
        for name in names.scalars().all():
            session.execute(text(f"DROP TRIGGER {name}"))
    yield


def tamper(*statements: str) -> None:
    with db.transaction() as session, without_triggers(session):
        for statement in statements:
            session.execute(text(statement))


def test_entries_are_sealed_without_a_gap_and_verify() -> None:
    record(3)
    assert chain.seal_all() == 3
    record(2)
    assert chain.seal_all() == 2
    assert chain.seal_all() == 0
    assert verify() == Verified(head(), "", 0)
    with db.transaction(read_only=True) as session:
        seals = session.exec(select(AuditSeal).order_by(col(AuditSeal.position))).all()
    assert [one.position for one in seals] == [1, 2, 3, 4, 5]
    assert [one.previous_hash for one in seals] == [START.hash, *(one.hash for one in seals[:-1])]


def test_a_seal_of_the_version_before_knew_no_events_and_still_holds() -> None:
    record(2)
    with db.transaction() as session:
        first = session.get_one(AuditEntry, 1)
        columns = (1, first.at, 7, "test.done", "user", 3, "é\n", "", None, None)
        made = seal(START.hash, 1, NOW, columns)
        old = {"position": 1, "entry_id": 1, "at": NOW, "previous_hash": START.hash, "hash": made}
        session.execute(insert(AuditSeal).values(old))  # as that version wrote it: without saying what it covers
    assert chain.seal_all() == 1
    assert verify() == Verified(head(), "", 0)
    tamper("UPDATE audit_seal SET covers = 1 WHERE position = 2", "UPDATE audit_entry SET event_id = 'x' WHERE id = 2")
    assert verify().problem == "Entry 2 is not what was sealed (position 2)."


def test_an_empty_trail_is_whole() -> None:
    assert chain.seal_all() == 0
    assert verify() == Verified(START, "", 0)


def test_many_entries_are_sealed_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "BATCH", 4)
    record(11)
    assert chain.seal_all() == 11
    assert verify() == Verified(head(), "", 0)
    assert head().position == 11


TAMPERED = {
    "altered": (("UPDATE audit_entry SET actor_id = 8 WHERE id = 3",), "Entry 3 is not what was sealed (position 3)."),
    "given to another event": (
        ("UPDATE audit_entry SET event_id = '4f2a9c1b03de' WHERE id = 3",),
        "Entry 3 is not what was sealed (position 3).",
    ),
    "another time": (
        ("UPDATE audit_entry SET at = '2020-01-01 00:00:00' WHERE id = 2",),
        "Entry 2 is not what was sealed (position 2).",
    ),
    "missing": (("DELETE FROM audit_entry WHERE id = 4",), "Entry 4 is missing (position 4)."),
    "missing with its seal": (
        ("DELETE FROM audit_entry WHERE id = 4", "DELETE FROM audit_seal WHERE position = 4"),
        "Position 4 is missing.",
    ),
    "the first is missing": (
        ("DELETE FROM audit_entry WHERE id = 1", "DELETE FROM audit_seal WHERE position = 1"),
        "Position 1 is missing.",
    ),
    "closed up": (
        (
            "DELETE FROM audit_entry WHERE id = 4",
            "DELETE FROM audit_seal WHERE position = 4",
            "UPDATE audit_seal SET position = 4 WHERE position = 5",
        ),
        "Position 4 does not follow the one before it.",
    ),
    "reordered": (
        (
            "UPDATE audit_seal SET entry_id = 99 WHERE position = 2",
            "UPDATE audit_seal SET entry_id = 2 WHERE position = 3",
            "UPDATE audit_seal SET entry_id = 3 WHERE position = 2",
        ),
        "Entry 3 is not what was sealed (position 2).",
    ),
    "sealed at another time": (
        ("UPDATE audit_seal SET at = '2020-01-01 00:00:00' WHERE position = 2",),
        "Entry 2 is not what was sealed (position 2).",
    ),
    "added": (
        (
            """INSERT INTO audit_entry (id, at, action, object_type, detail)
            VALUES (77, '2020-01-01 00:00:00', 'test.done', '', '')""",
        ),
        "Entry 77 has no seal and is not new.",
    ),
}


@pytest.mark.parametrize("way", TAMPERED)
def test_whatever_is_tampered_with_is_named(way: str, now: datetime) -> None:
    record(5)
    chain.seal_all()
    assert not verify().problem
    statements, sentence = TAMPERED[way]
    tamper(*statements)
    assert verify().problem == sentence


def test_a_cut_end_and_a_chain_made_anew_show_only_against_a_head_that_was_written_down() -> None:
    record(5)
    chain.seal_all()
    written = head()
    assert not verify(written).problem
    tamper("DELETE FROM audit_entry WHERE id = 5", "DELETE FROM audit_seal WHERE position = 5")
    assert not verify().problem
    assert verify(written).problem == "The chain ends at position 4, before the expected 5."

    tamper("UPDATE audit_entry SET detail = 'nothing'", "DELETE FROM audit_seal")
    record()
    chain.seal_all()
    assert not verify().problem
    assert verify(written).problem == "Position 5 is not what was expected there."


def test_an_entry_that_waits_for_long_is_named(now: datetime) -> None:
    record(2)
    assert verify() == Verified(START, "", 2)
    db.clock.freeze(now + chain.SOON + timedelta(seconds=1))
    assert verify().problem == "Entry 1 has no seal and is not new."


def test_an_entry_that_is_committed_late_is_sealed_late_and_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_LATE", 2)
    with db.transaction() as session:
        rows = [AuditEntry(id=number, at=NOW, action="test.done") for number in (4, 5, 9)]
        session.add_all(rows)
    chain.seal_all()
    with db.transaction() as session:  # these had their numbers before, and were committed only now
        session.add_all([AuditEntry(id=number, at=NOW, action="test.late") for number in (2, 8)])
    assert chain.seal_all() == 1
    assert chain.seal_all(thorough=True) == 1
    with db.transaction(read_only=True) as session:
        assert session.exec(select(AuditSeal.entry_id).order_by(col(AuditSeal.position))).all() == [4, 5, 9, 8, 2]
    assert not verify().problem


def test_sealers_at_once_make_one_chain() -> None:
    record(300)
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(chain.seal_all())) for _ in range(6)]
    for thread in threads:
        thread.start()
    record(50)
    for thread in threads:
        thread.join()
    chain.seal_all()
    assert verify() == Verified(head(), "", 0)
    assert head().position == 350


def test_whoever_is_not_alone_leaves_the_chain_to_the_other(database: str) -> None:
    record()
    with db.transaction() as first:
        assert chain.seal_next(first) == 1
        if database.startswith("postgresql"):  # on SQLite the second writer waits for the first
            with db.transaction() as second:
                assert chain.seal_next(second) == 0


@pytest.mark.parametrize("statement", ["UPDATE audit_seal SET hash = ''", "DELETE FROM audit_seal"])
def test_seals_can_only_be_appended(statement: str) -> None:
    record()
    chain.seal_all()
    with pytest.raises(IntegrityError) as refusal, db.transaction() as session:
        session.execute(text(statement))
    assert db.violated(refusal.value) == "audit_seal_append_only"


def long_ago(number: int) -> None:
    """Entries of two years ago, sealed at that time."""
    db.clock.freeze(LONG_AGO)
    record(number)
    chain.seal_all()
    db.clock.freeze(None)


def trim(before: datetime, most: int = 5000) -> int:
    with db.transaction() as session:
        return chain.trim(session, before=before, most=most)


def entries() -> int:
    with db.transaction(read_only=True) as session:
        return session.exec(select(func.count()).select_from(AuditEntry)).one()


def test_what_is_old_goes_from_the_front_and_the_rest_verifies() -> None:
    long_ago(5)
    record(3)
    chain.seal_all()
    written = head()
    assert trim(LONG_AGO + timedelta(days=1), most=2) == 2
    assert trim(LONG_AGO + timedelta(days=1)) == 3
    assert trim(LONG_AGO + timedelta(days=1)) == 0
    assert not verify(written).problem
    chain.seal_all()
    assert verify(written) == Verified(head(), "", 0)
    assert entries() == 3 + 2
    with db.transaction(read_only=True) as session:
        (last,) = session.exec(
            select(AuditEntry.detail)
            .where(AuditEntry.action == chain.TRIM)
            .order_by(col(AuditEntry.id).desc())
            .limit(1)
        )
    assert last.startswith("3 up to 5:")
    assert verify(Head(2, "0" * 64)).problem == "Position 2 is no longer kept: compare with a later one."


def test_more_than_was_recorded_as_removed_is_missed() -> None:
    long_ago(5)
    assert trim(LONG_AGO + timedelta(days=1), most=2) == 2
    tamper("DELETE FROM audit_entry WHERE id = 3", "DELETE FROM audit_seal WHERE position = 3")
    assert verify().problem == "Position 3 is missing."


def test_the_last_seal_stays() -> None:
    long_ago(3)
    assert trim(LONG_AGO + timedelta(days=1)) == 2
    chain.seal_all()
    assert verify() == Verified(head(), "", 0)


def test_the_database_keeps_every_entry_for_a_year_whoever_asks() -> None:
    long_ago(1)
    record()
    chain.seal_all()
    for table in ("audit_entry", "audit_seal"):
        with pytest.raises(IntegrityError) as refusal, db.transaction() as session:
            session.execute(text(f"DELETE FROM {table}"))
        assert db.violated(refusal.value) == f"{table}_append_only"
    with db.transaction() as session:
        session.execute(text("DELETE FROM audit_entry WHERE id = 1"))
    assert entries() == 1


def test_the_canonical_form_is_the_same_whatever_the_database_gives_back() -> None:
    here = timedelta(hours=2)
    entry = (1, NOW, None, "test.done", "", None, "ü", "::1", 4, None)
    moved = (1, NOW.astimezone(tz=None), *entry[2:])
    assert seal(START.hash, 1, NOW, entry) == seal(START.hash, 1, NOW, moved)
    assert seal(START.hash, 1, NOW, entry) != seal(START.hash, 1, NOW + here, entry)
    assert seal(START.hash, 1, NOW, entry) != seal(START.hash, 2, NOW, entry)
    assert seal(START.hash, 1, NOW, entry) != seal("1" * 64, 1, NOW, entry)


@pytest.mark.parametrize(("found", "is_one"), [(f"9:{'a' * 64}", True), ("", False), (f"9:{'a' * 63}", False)])
def test_a_head_is_read_as_it_is_written(found: str, is_one: bool) -> None:
    assert str(head_in(found) or "") == (found if is_one else "")
