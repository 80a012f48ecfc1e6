"""Which keys are being sent or have been sent: the reason why no message leaves twice.

A key is claimed before sending, under a lease, and marked done after it. A claim whose owner
died is free again when its lease ends. Keys arrive hashed, so a store holds no personal data.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE = 60
"""Seconds; longer than one invocation may run, so two owners never send at the same time."""
KEEP = 30 * 24 * 3600
"""Seconds that a finished key is remembered."""


class Claim(Enum):
    """What became of an attempt to claim a key."""

    CLAIMED = "claimed"
    IN_PROGRESS = "in_progress"
    DONE = "done"


class Store(Protocol):
    """Times are unix seconds; ``owner`` is unique to one attempt."""

    def claim(self, key: str, owner: str, *, now: float) -> Claim:
        """Take the key, unless it is done or another owner's lease still runs."""

    def finish(self, key: str, *, now: float) -> None:
        """Mark the key done, whoever holds it: a message that has left must not leave again."""

    def release(self, key: str, owner: str) -> None:
        """Give the key back for a retry, if it is still this owner's and not done."""


class DynamoStore:
    """One DynamoDB item per key; only unfinished ones have ``lease_until``, ``expires_at`` is the table's TTL."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def claim(self, key: str, owner: str, *, now: float) -> Claim:
        """See ``Store``."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    "key": {"S": key},
                    "owner": {"S": owner},
                    "lease_until": {"N": str(int(now) + LEASE)},
                    "expires_at": {"N": str(int(now) + KEEP)},
                },
                ConditionExpression="attribute_not_exists(#key) OR lease_until < :now",
                ExpressionAttributeNames={"#key": "key"},
                ExpressionAttributeValues={":now": {"N": str(int(now))}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refusal:
            held = cast("dict[str, object]", refusal.response.get("Item", {}))
            return Claim.IN_PROGRESS if "lease_until" in held else Claim.DONE
        return Claim.CLAIMED

    def finish(self, key: str, *, now: float) -> None:
        """See ``Store``."""
        self._client.put_item(
            TableName=self._table,
            Item={"key": {"S": key}, "expires_at": {"N": str(int(now) + KEEP)}},
        )

    def release(self, key: str, owner: str) -> None:
        """See ``Store``."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.delete_item(
                TableName=self._table,
                Key={"key": {"S": key}},
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":owner": {"S": owner}},
            )


class SqliteStore:
    """One row per key in a local file, safe between threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._connection() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(
                "CREATE TABLE IF NOT EXISTS keys"
                " (key TEXT PRIMARY KEY, owner TEXT, lease_until REAL, expires_at REAL NOT NULL) STRICT"
            )

    def claim(self, key: str, owner: str, *, now: float) -> Claim:
        """See ``Store``. Also forgets the keys whose time is over, as DynamoDB does by itself."""
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM keys WHERE expires_at < ?", (now,))
            claimed = db.execute(
                "INSERT INTO keys VALUES (:key, :owner, :lease_until, :expires_at) ON CONFLICT (key) DO UPDATE"
                " SET owner = :owner, lease_until = :lease_until, expires_at = :expires_at WHERE lease_until < :now",
                {"key": key, "owner": owner, "lease_until": now + LEASE, "expires_at": now + KEEP, "now": now},
            ).rowcount
            (lease_until,) = db.execute("SELECT lease_until FROM keys WHERE key = ?", (key,)).fetchone()
            db.execute("COMMIT")
        if claimed:
            return Claim.CLAIMED
        return Claim.DONE if lease_until is None else Claim.IN_PROGRESS

    def finish(self, key: str, *, now: float) -> None:
        """See ``Store``."""
        with self._connection() as db:
            db.execute("INSERT OR REPLACE INTO keys VALUES (?, NULL, NULL, ?)", (key, now + KEEP))

    def release(self, key: str, owner: str) -> None:
        """See ``Store``."""
        with self._connection() as db:
            db.execute("DELETE FROM keys WHERE key = ? AND owner = ?", (key, owner))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as db:
            yield db
