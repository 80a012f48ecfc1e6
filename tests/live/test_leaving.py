"""A worker that nobody would replace leaves, whenever its main process has died."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from contextlib import suppress
from multiprocessing.connection import Connection

import psutil

from mhms_app.live.leaving import Leaving

SPAWN = multiprocessing.get_context("spawn")  # as Granian starts its workers


def test_a_worker_whose_main_process_died_while_it_started_leaves() -> None:
    hears, says = SPAWN.Pipe(duplex=False)
    main = SPAWN.Process(target=start_a_worker, args=(says,))
    main.start()
    assert hears.poll(60)
    worker = psutil.Process(hears.recv())
    main.kill()
    main.join()
    try:
        worker.wait(timeout=60)
    finally:
        with suppress(psutil.NoSuchProcess):
            worker.kill()


def start_a_worker(says: Connection) -> None:
    """What the main process does."""
    SPAWN.Process(target=start_late, args=(says,)).start()
    time.sleep(120)


def start_late(says: Connection) -> None:
    """What the worker does: by the time that its application starts, its main process is gone."""
    main = os.getppid()
    says.send(os.getpid())
    while os.getppid() == main:
        time.sleep(0.01)
    asyncio.run(Leaving().run())
