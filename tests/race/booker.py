"""A process that books, and says aloud what it has been promised: ``python -m tests.race.booker <file>``.

The file holds attempts, a JSON list of ``[token, slot_id, key]``; the database is ``MHMS_DATABASE_URL``. Half of the
attempts go through the guarded statement, half through the service.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from tests.race.cast import Answer, Attempt, Way, book

CONNECTIONS = 4
PIPE_SIZE = 4096  # bytes: who is not listened to stops after ninety lines, instead of finishing


def main() -> None:
    """Book everything, several at once, and print a line for each answer as soon as it is there."""
    attempts = [Attempt(*fields) for fields in json.loads(Path(sys.argv[1]).read_text())]
    with ThreadPoolExecutor(CONNECTIONS) as connections:
        for answer in connections.map(_book_and_say, range(len(attempts)), attempts):
            assert answer.reference, answer.refusal


def _book_and_say(number: int, wanted: Attempt) -> Answer:
    answer = book(wanted, way=Way.SHIPPED if number % 2 else Way.UNLOCKED)
    os.write(1, f"{wanted.key} {answer.reference}\n".encode())  # in one piece, whenever the process dies
    return answer


@contextmanager
def booking(url: str, file: Path, attempts: Sequence[Attempt]) -> Iterator[Popen[bytes]]:
    """The process at work; at the end it is killed with SIGKILL if it still runs."""
    file.write_text(json.dumps([(a.token, a.slot_id, a.key) for a in attempts]))
    with Popen(
        [sys.executable, "-m", "tests.race.booker", str(file)],
        stdout=PIPE,
        bufsize=0,
        pipesize=PIPE_SIZE,
        env={**os.environ, "MHMS_DATABASE_URL": url},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    main()
