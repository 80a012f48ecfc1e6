"""What every action of the trail is called, as it reads after the name of whoever did it.

A test finds every action in the code and fails when one has no words.
"""

from __future__ import annotations

GROUPS: dict[str, tuple[str, dict[str, str]]] = {
    "signing-in": (
        "Signing in",
        {
            "session.open": "logged in",
            "session.refuse": "was refused at the login",
            "session.refuse_code": "gave a wrong code at the login",
            "session.refuse_passkey": "was refused with a passkey",
            "session.close": "logged out",
            "session.end": "ended another session of their own",
            "session.end_all": "ended every session",
            "second_factor.use_recovery_code": "used a recovery code",
            "passkey.copied": "used a passkey that may be a copy",
        },
    ),
    "accounts": (
        "Accounts",
        {
            "user.sign_up": "signed up",
            "account.edit": "changed their own name, phone number or time zone",
            "account.reminders": "turned their reminders on or off",
            "account.export": "took all of their own data with them",
            "account.close": "closed their own account",
            "user.add": "opened an account",
            "user.create": "opened an administrator's account",
            "user.edit": "changed name, address or phone number",
            "user.assign_role": "gave another role",
            "user.activate": "unlocked the account",
            "user.deactivate": "locked the account",
            "user.temporary_password": "sent a temporary password",
            "user.force_password": "asked for a new password at the next login",
            "password.forget": "asked for a link for a new password",
            "password.reset": "chose a new password by a link",
            "password.change": "changed the password",
            "address.send_again": "asked for another confirmation of the address",
            "address.confirm": "confirmed the address",
            "address.ask": "asked for another address",
            "address.agree": "agreed to the other address",
            "address.take_back": "kept the address after all",
            "address.change": "has another address now",
            "doctor.edit": "changed a doctor's profile",
            "doctor.approve": "approved a doctor",
            "doctor.disapprove": "withdrew a doctor's approval",
            "feed.create": "made a private calendar address",
            "feed.revoke": "revoked a private calendar address",
            "google.connect": "connected a Google calendar",
            "google.choose": "chose a Google calendar",
            "google.disconnect": "disconnected a Google calendar",
            "summary.on": "asked for the morning's summary",
            "summary.off": "wants no morning's summary",
        },
    ),
    "acting": (
        "Acting as somebody else",
        {
            "acting.begin": "began to act as this person",
            "acting.end": "stopped acting as this person",
        },
    ),
    "appointments": (
        "Appointments",
        {
            "appointment.book": "booked an appointment",
            "appointment.move": "moved an appointment",
            "appointment.cancel": "cancelled an appointment",
            "appointment.booked": "set an appointment back to booked",
            "appointment.checked_in": "checked a patient in",
            "appointment.completed": "marked an appointment as completed",
            "appointment.no_show": "marked a patient as not come",
            "waiting.join": "joined the waiting list",
            "waiting.leave": "left the waiting list",
            "waiting.decline": "declined an offer of the waiting list",
            "waiting.see_to": "saw to somebody on the waiting list",
            "worklist.done": "took an appointment off the worklist",
        },
    ),
    "time": (
        "Slots and working hours",
        {
            "slots.publish": "published slots",
            "slots.withdraw": "withdrew slots",
            "slot.change": "gave a slot another time",
            "hours.save": "changed working hours",
            "hours.extend": "published slots from working hours",
            "leave.take": "entered a leave",
        },
    ),
    "reading": (
        "Looking at personal data",
        {
            "agenda.day": "looked at a doctor's day",
            "agenda.week": "looked at a doctor's week",
            "appointment.view": "opened an appointment",
            "appointment.list": "looked at a list of bookings",
            "appointment.export": "exported bookings",
            "worklist.list": "looked at the worklist",
            "waiting.list": "looked at who waits in vain",
            "leave.look": "looked at the appointments of a leave",
            "user.list": "looked at a list of users",
            "user.view": "opened an account",
            "message.list": "looked at the list of e-mails",
            "audit.list": "looked at the audit trail",
            "audit.export": "exported the audit trail",
        },
    ),
    "clinic": (
        "The clinic",
        {
            "department.add": "added a department",
            "department.edit": "changed a department",
            "department.open": "opened a department",
            "department.close": "closed a department",
            "department.policy": "changed the rules of a department",
            "message.resend": "sent an e-mail again",
            "audit.verify": "verified the audit trail",
            "audit.trim": "removed entries whose time of keeping is over",
            "retention.tidy": "removed what is no longer kept",
            "backup.make": "made a backup",
            "demo.load": "loaded the demo clinic",
        },
    ),
}
"""The groups of actions by their names in an address: what each is called, and its actions."""

WORDS = {action: words for _, actions in GROUPS.values() for action, words in actions.items()}
READING = frozenset(GROUPS["reading"][1])
"""Actions that look and change nothing."""


def words_of(action: str) -> str:
    """What an action is called; one of an earlier or later version is called by its name."""
    return WORDS.get(action, action)
