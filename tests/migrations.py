"""``python -m tests.migrations``: the tables in the code are the tables that the migrations make, on both engines."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.databases import ENGINES, ROOT, fresh_database


def main() -> None:
    """Run ``alembic check`` against a migrated SQLite and a migrated PostgreSQL."""
    for kind in ENGINES:
        with fresh_database(kind) as url:
            subprocess.run(
                [sys.executable, "-m", "alembic", "check"],
                check=True,
                cwd=ROOT,
                env={**os.environ, "MHMS_DATABASE_URL": url},
            )


if __name__ == "__main__":
    main()
