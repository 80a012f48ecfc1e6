"""What every page has: who is looking, what the last action said, which fields are wrong."""

from __future__ import annotations

import reflex as rx


class Screen(rx.State):
    """The parent of every page's State.

    The viewer's name and role decide what a page shows, never what anybody may do: that is decided by the
    services, from the session, at every event.
    """

    met: bool = False  # the server has said who is looking: until then a page shows neither "Log in" nor a name
    viewer_name: str = ""
    viewer_initials: str = ""
    viewer_role: str = ""
    acting_until: str = ""  # the viewer is an administrator who acts as this person until then
    meanwhile: str = ""  # why an answer is still to come: only ever sent, never kept (``web.meanwhile``)
    notice: str = ""
    notice_tone: str = "ok"
    errors: dict[str, str] = {}

    _time_zone: str = ""  # in which the viewer also reads times; empty is the clinic's
    _patient_id: int = 0  # who is looking, if they are a patient
    _owner: int = 0  # the login session that the contents of this tab belong to; 0 is nobody's
    _is_unread: bool = False  # the page's load handler has not come to its end: there is nothing to show
    _is_back: bool = False  # the tab has connected again: nobody has left the page, it is only read anew
    _acted_at: float = 0.0  # when this tab last changed something, in seconds since the epoch; only with a replica
    _has_duty: bool = False  # that person has to do something else first: nothing is left unasked

    def tell(self, sentence: str, *, tone: str = "ok") -> None:  # nosemgrep: handler-without-a-gate
        """Say what was done, in the page's live region."""
        self.notice, self.notice_tone = sentence, tone
