"""Everybody with an account, for an administrator: who they are and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes, tab
from mhms_app.accounts import passwords, powers, second_factor
from mhms_app.accounts import service as accounts
from mhms_app.accounts.cookies import refused_form
from mhms_app.accounts.own_sessions import OpenSession, SignIn
from mhms_app.accounts.powers import Access
from mhms_app.actor import Actor, Role
from mhms_app.booking import worklist
from mhms_app.directory import departments, people
from mhms_app.directory.people import PersonRow
from mhms_app.web import bridge, words
from mhms_app.web.components.listing import SIZE, Listing, key_of
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen

if TYPE_CHECKING:
    from sqlmodel import Session

Text = Annotated[str, Field(max_length=400)]
Question = Literal["", "active", "password", "new_password", "sessions", "factor", "act"]
_JUST_NOW = timedelta(minutes=1)
ROLES = {"patient": "Patient", "doctor": "Doctor", "admin": "Administrator"}
_AS_WHAT = {"patient": "a patient", "doctor": "a doctor", "admin": "an administrator"}


class AccountForm(TypedDict):
    """Who somebody is, as typed."""

    full_name: Text
    email: Text
    phone: Text


class RoleForm(TypedDict, total=False):
    """What somebody may do, as chosen; only a doctor has a department."""

    role: Text
    department: Text


class NewAccountForm(AccountForm, RoleForm):
    """A new account, as typed."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the table, or in the panel beside it."""

    id: int
    doctor_id: int
    name: str
    email: str
    phone: str
    role: str
    role_name: str
    department_id: str
    department: str
    state: str
    tone: str
    active: bool
    approved: bool
    since: str


@dataclass(frozen=True, slots=True)
class Visit:
    """A session that stands, or an attempt to log in: on what, and when and from where."""

    device: str
    when: str
    refused: bool = False


NOBODY = Person(0, 0, "", "", "", "patient", "", "", "", "", "", True, False, "")


class Users(Listing, Screen):
    """The filtered list of people, and one of them in the panel.

    Attributes:
        has_factor: the person has a second factor.
        must_choose: they choose a new password at the next login.
        visits: their sessions that stand.
        history: the latest attempts to log in.
        reason, reason_problem: why an administrator wants to act as them, as it was refused, and what was wrong.
        left_behind: the appointments to come that would need a person if this doctor were gone; "" when there are none.
    """

    people: list[Person] = []
    departments: list[tuple[str, str]] = []
    is_open: bool = False
    person: Person = NOBODY
    has_factor: bool = False
    must_choose: bool = False
    visits: list[Visit] = []
    history: list[Visit] = []
    reason: str = ""
    reason_problem: str = ""
    left_behind: str = ""
    chosen_role: str = "patient"
    asking: str = ""
    form: int = 0

    _route: ClassVar[str] = routes.ADMIN_USERS
    _filters: ClassVar[tuple[str, ...]] = ("q", "role", "status")

    @handler(Role.ADMIN)
    async def load(self) -> Any:
        """Show the people that the address asks for."""
        self.is_open = False
        self._read_address()
        await self._show()
        if user_id := key_of(self.router.url.query_parameters.get("person", "")):
            await self._show_person(user_id)
            return self._show_refused()
        return None

    @handler(Role.ADMIN)
    async def open(self, user_id: int) -> None:
        """Show somebody in the panel."""
        await self._show_person(user_id)

    @handler(Role.ADMIN, local=True)
    async def start(self) -> None:
        """Show an empty form for a new account in the panel."""
        self.person, self.chosen_role, self.asking, self.is_open = NOBODY, "patient", "", True
        self.form += 1

    @handler(Role.ADMIN, local=True)
    async def close(self) -> Any:
        """Put the panel away."""
        self.is_open = False
        return rx.set_focus("add-user")

    @handler(Role.ADMIN, local=True)
    async def choose_role(self, role: Literal["patient", "doctor", "admin"]) -> None:
        """Ask for what the role needs: a doctor has a department."""
        self.chosen_role = role

    @handler(Role.ADMIN, local=True)
    async def ask(self, question: Question) -> Any:
        """Ask before something that the person will feel, or think better of it."""
        return self._ask(question)

    @handler(Role.ADMIN)
    async def create(self, typed: NewAccountForm) -> None:
        """Open an account and send its owner a temporary password."""
        await bridge.admit(self)
        password, password_hash = await bridge.compute(passwords.new_temporary)
        row = await bridge.call(
            self,
            people.create_user,
            email=typed["email"],
            full_name=typed["full_name"],
            phone=typed["phone"],
            role=typed.get("role", ""),
            department_id=key_of(typed.get("department", "")),
            password=password,
            password_hash=password_hash,
        )
        await self._show_again(row.id, f"{row.name} has an account; a temporary password is on its way by e-mail.")

    @handler(Role.ADMIN)
    async def save(self, typed: AccountForm) -> None:
        """Change name, address and phone number of the person in the panel."""
        row = await bridge.call(self, accounts.edit_user, user_id=self.person.id, **typed)
        await self._show_again(row.id, f"{row.name} is saved.")

    @handler(Role.ADMIN)
    async def assign(self, typed: RoleForm) -> None:
        """Give the person in the panel another role, or a doctor another department."""
        row = await bridge.call(
            self,
            people.assign_role,
            user_id=self.person.id,
            role=typed.get("role", ""),
            department_id=key_of(typed.get("department", "")),
        )
        await self._show_again(row.id, f"{row.name} is now {_AS_WHAT[row.role]}.")

    @handler(Role.ADMIN)
    async def ask_for_new_password(self) -> None:
        """Have the person in the panel choose a new password at the next login."""
        await bridge.call(self, powers.ask_for_new_password, user_id=self.person.id)
        await self._show_again(self.person.id, f"{self.person.name} chooses a new password at the next login.")

    @handler(Role.ADMIN)
    async def end_sessions(self) -> None:
        """Log the person in the panel out everywhere."""
        await bridge.call(self, powers.end_sessions, user_id=self.person.id)
        await self._show_again(self.person.id, f"{self.person.name} is logged out everywhere.")

    @handler(Role.ADMIN)
    async def reset_factor(self) -> None:
        """Take the lost second factor away from the person in the panel."""
        await bridge.call(self, second_factor.reset, user_id=self.person.id)
        await self._show_again(self.person.id, f"{self.person.name} logs in without a second factor.")

    @handler(Role.ADMIN)
    async def set_active(self, active: bool) -> None:
        """Unlock the account in the panel, or lock it."""
        row = await bridge.call(self, accounts.set_active, user_id=self.person.id, active=active)
        done = "can log in again" if active else "can no longer log in"
        await self._show_again(row.id, f"{row.name} {done}.")

    @handler(Role.ADMIN)
    async def approve(self, doctor_id: int, approved: bool) -> None:
        """Let patients find a doctor, or no longer."""
        row = await bridge.call(self, people.set_approved, doctor_id=doctor_id, approved=approved)
        can = "can now be found and booked" if approved else "can no longer be found"
        is_shown = self.is_open and row.user_id == self.person.id
        await self._show_again(row.user_id if is_shown else 0, f"{row.name} {can} by patients.")

    @handler(Role.ADMIN)
    async def send_password(self) -> Any:
        """Send the person in the panel a temporary password."""
        await bridge.admit(self)
        password, password_hash = await bridge.compute(passwords.new_temporary)
        row = await bridge.call(
            self,
            accounts.give_temporary_password,
            user_id=self.person.id,
            password=password,
            password_hash=password_hash,
        )
        await self._show_again(row.id, f"A temporary password is on its way to {row.email}.")
        return rx.set_focus("ask-password")

    def _ask(self, question: Question) -> Any:
        self.reason = self.reason_problem = ""  # of somebody else, perhaps
        asked, self.asking = self.asking, question
        return None if question else rx.set_focus(f"ask-{asked}")

    async def _show_again(self, user_id: int, sentence: str) -> None:
        """Read the list again, and the person in the panel, and say what was done."""
        await self._show()
        if user_id:
            await self._show_person(user_id)
        self.tell(sentence)

    async def _show_person(self, user_id: int) -> None:
        row, left_behind, access = await bridge.read(self, _look_at, user_id=user_id)
        self._take(row)
        now = bridge.now()
        self.has_factor, self.must_choose = access.has_second_factor, access.must_choose
        self.visits = [_open(session, now) for session in access.sessions]
        self.history = [_attempt(sign_in, now) for sign_in in access.sign_ins]
        self.left_behind = words.count(left_behind, "appointment") if left_behind else ""

    async def _show_page(self) -> None:
        page, departments = await bridge.read(self, _look, asked=self.asked, number=self._number)
        self.people = [_person_of(row) for row in page.rows]
        self.departments = [(str(row.id), row.name) for row in departments]
        self._show_pages(len(page.rows), page.total)

    def _show_refused(self) -> Any:
        """Show why the form was refused in which the administrator asked to act as this person."""
        if refused := refused_form(tab.cookies(self), "act"):
            self.asking, self.reason = "act", refused.typed.get("reason", "")
            self.reason_problem = " ".join(refused.errors.values())
            return rx.set_focus("reason")
        return None

    def _take(self, row: PersonRow) -> None:
        self.person = _person_of(row)
        self.chosen_role, self.asking, self.is_open = row.role, "", True
        self.form += 1


@bridge.may_be_stale
def _look(session: Session, actor: Actor | None, *, asked: Mapping[str, str], number: int) -> Any:
    """Everything on the page, in one transaction."""
    role = asked["role"] if asked["role"] in ROLES else ""
    status = asked["status"] if asked["status"] in ("active", "inactive", "pending") else ""
    return (
        people.list_people(session, actor, search=asked["q"], role=role, status=status, page=number, size=SIZE),
        departments.list_departments(session, actor),
    )


def _look_at(session: Session, actor: Actor | None, *, user_id: int) -> tuple[PersonRow, int, Access]:
    """Somebody, how many appointments to come are with them, and how they can get in."""
    return (
        people.get_person(session, actor, user_id=user_id),
        worklist.left_behind(session, actor, user_id=user_id),
        powers.access(session, actor, user_id=user_id),
    )


def _open(session: OpenSession, now: datetime) -> Visit:
    seen = "now" if now - session.last_seen_at < _JUST_NOW else words.ago(session.last_seen_at, now=now)
    return Visit(
        session.device or "Unknown device",
        f"since {words.moment_within(session.since, now=now)}, seen {seen}, {session.address or 'address unknown'}",
    )


def _attempt(one: SignIn, now: datetime) -> Visit:
    place = f"{words.moment(one.at, now=now)}, {one.address or 'address unknown'}"
    return Visit(one.device or ("Refused" if not one.succeeded else "Unknown device"), place, not one.succeeded)


def _person_of(row: PersonRow) -> Person:
    """What to say of somebody."""
    pending = row.doctor_id is not None and not row.approved
    state, tone = ("Locked", "") if not row.active else ("Awaiting approval", "warn") if pending else ("Active", "ok")
    return Person(
        id=row.id,
        doctor_id=row.doctor_id or 0,
        name=row.name,
        email=row.email,
        phone=row.phone,
        role=row.role,
        role_name=ROLES[row.role],
        department_id=str(row.department_id or ""),
        department=row.department,
        state=state,
        tone=tone,
        active=row.active,
        approved=row.approved,
        since=words.date_of(words.local(row.created_at).date()),
    )
