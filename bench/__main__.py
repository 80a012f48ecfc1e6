"""``python -m bench``: how fast the clinic is, as ratios of figures from the same run on the same machine.

PostgreSQL comes from ``tests/databases.py``: the pip package, or the server that MHMS_TEST_DATABASE_URL names. An aim
that is missed fails nothing: a busy machine is no defect. The names of sections choose some of them.
"""

from __future__ import annotations

import sys
import warnings

from bench import booking, faults, finding, growth, life, live, pages, sockets, starts, timing, weights
from bench.table import machine, say

SECTIONS = {
    "booking": ("Booking in a plain loop", booking.measure),
    "starts": ("Start to the first page, SQLite", starts.measure),
    "sockets": ("Booking through the socket, PostgreSQL", sockets.measure),
    "live": ("A booking seen by a thousand tabs, PostgreSQL, one worker", live.measure),
    "slots": ("Finding a free time as the table grows", growth.measure_slots),
    "finding": ("Whole visits among ten million slots, PostgreSQL", finding.measure),
    "lists": ("The administrator's lists as the tables grow", growth.measure_lists),
    "life": ("What touches many rows, against a tenth of the size", life.measure),
    "faults": ("Faults on two machines of two workers while people book; seconds from their end", faults.measure),
    "timing": ("Does the time of an answer tell whether there is an account?", timing.measure),
    "pages": ("The pages, as Lighthouse sees them", pages.measure),
    "weights": ("The built front end", weights.measure),
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(machine())
    for name, (title, measure) in SECTIONS.items():
        if name in (sys.argv[1:] or SECTIONS):
            say(title, measure())
