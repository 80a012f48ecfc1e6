"""What states are called and how they are tinted, wherever they are shown."""

from __future__ import annotations

APPOINTMENT = {
    "booked": ("Booked", ""),
    "checked_in": ("Checked in", "info"),
    "completed": ("Completed", "ok"),
    "no_show": ("No-show", "warn"),
    "cancelled": ("Cancelled", "bad"),
}

FOR_PATIENT = {
    "booked": ("Confirmed", "accent"),
    "checked_in": ("You are checked in", "info"),
    "completed": ("Completed", "ok"),
    "no_show": ("Missed", "warn"),
    "cancelled": ("Cancelled", "bad"),
}

SLOT = {
    "open": ("Free", "accent"),
    "busy": ("Busy elsewhere", ""),
    "held": ("Being booked", "info"),
    "booked": ("Booked", "booked"),
    "withdrawn": ("Withdrawn", ""),
}

DELIVERY = {
    "waiting": ("Waiting", "info"),
    "sending": ("Sending", "info"),
    "sent": ("Sent", "ok"),
    "dead": ("Given up", "bad"),
}
