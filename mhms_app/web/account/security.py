"""The second factors of one's own account: an authenticator app, passkeys, recovery codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.accounts import own_password, second_factor
from mhms_app.accounts.second_factor import Factors
from mhms_app.web import bridge, words
from mhms_app.web.gate import LOGGED_IN, handler
from mhms_app.web.screen import Screen

_Password = Annotated[str, Field(max_length=1024)]
_Code = Annotated[str, Field(max_length=40)]


class AppForm(TypedDict):
    """A code of the new app, one of the app until now if there is one, and the password."""

    code: _Code
    old_code: NotRequired[_Code]
    current: _Password


class CodeForm(TypedDict):
    """A code and the password."""

    code: _Code
    current: _Password


class NameForm(TypedDict):
    """How a passkey is called, and the password."""

    name: Annotated[str, Field(max_length=200)]
    current: _Password


class PasswordForm(TypedDict):
    """The password."""

    current: _Password


@dataclass(frozen=True, slots=True)
class Key:
    """A passkey."""

    id: int
    name: str
    when: str


class Security(Screen):
    """The page. What is secret stands in it only while it is shown.

    Attributes:
        drawn: the server has answered.
        is_duty: nothing else can be done before there is one.
        has_one: there is one.
        app: since when there is an authenticator app; ``""`` when there is none.
        open: what is being done: ``app``, ``app_off``, ``passkey``, ``codes``; ``""`` nothing.
        asked: the passkey that is to be removed, or 0.
        secret, qr_code: of a new app, to be typed or scanned.
        question: what the browser needs to make a passkey, as JSON.
        codes: recovery codes just made.
        recovered: somebody has just logged in with a recovery code.
        next_path: where they were going then.
        shown: the password can be read.
    """

    drawn: bool = False
    is_duty: bool = False
    has_one: bool = False
    app: str = ""
    keys: list[Key] = []
    codes_left: int = 0
    open: str = ""
    asked: int = 0
    # Shown to their owner once, while they are set up.
    secret: str = ""  # nosemgrep: secret-in-a-public-var
    qr_code: str = ""  # nosemgrep: secret-in-a-public-var
    question: str = ""
    codes: list[str] = []  # nosemgrep: secret-in-a-public-var
    recovered: bool = False
    next_path: str = ""
    shown: bool = False

    @handler(LOGGED_IN, with_duty=True)
    async def load(self) -> None:
        """Show how everything stands; what is shown only once stays when the connection was lost meanwhile."""
        if not self._is_back:
            self._close()
        await self._read()
        query = self.router.url.query_parameters
        self.recovered, self.next_path = query.get("recovered") == "1", routes.safe_next(query.get("next", ""))

    @handler(LOGGED_IN, with_duty=True)
    async def begin(self, what: Literal["app", "app_off", "passkey", "codes"]) -> None:
        """Open one of the forms."""
        self._close()
        if what == "app":
            made = await bridge.call(self, second_factor.begin_app)
            self.secret, self.qr_code = made.secret, made.qr_code
        self.open = what

    @handler(LOGGED_IN, with_duty=True, local=True)
    async def ask_remove(self, passkey_id: int) -> None:
        """Ask before removing a passkey."""
        self._close()
        self.asked = passkey_id

    @handler(LOGGED_IN, with_duty=True, local=True)
    async def close(self) -> None:
        """Put the open form away, and whatever was secret in it."""
        self._close()

    @handler(LOGGED_IN, with_duty=True, local=True)
    async def toggle_characters(self) -> None:
        """Show the password's characters, or hide them again."""
        self.shown = not self.shown

    @handler(LOGGED_IN, with_duty=True)
    async def add_app(self, form: AppForm) -> None:
        """Use the new authenticator app from now on."""
        known = await self._prove(form["current"])
        codes = await bridge.call(
            self, second_factor.add_app, known_hash=known, code=form["code"], old_code=form.get("old_code", "")
        )
        await self._done("Your authenticator app is set up.", codes)

    @handler(LOGGED_IN, with_duty=True)
    async def remove_app(self, form: CodeForm) -> None:
        """Do without the authenticator app."""
        known = await self._prove(form["current"])
        await bridge.call(self, second_factor.remove_app, known_hash=known, code=form["code"])
        await self._done("Your authenticator app is removed.")

    @handler(LOGGED_IN, with_duty=True)
    async def name_passkey(self, form: NameForm) -> None:
        """Begin to make a passkey."""
        known = await self._prove(form["current"])
        self.question = await bridge.call(self, second_factor.begin_passkey, known_hash=known, name=form["name"])

    @handler(LOGGED_IN, with_duty=True)
    async def add_passkey(self, answer: Annotated[str, Field(max_length=4096)]) -> None:
        """Take the passkey that the browser has made."""
        codes = await bridge.call(self, second_factor.add_passkey, answer=answer)
        await self._done("Your passkey is set up.", codes)

    @handler(LOGGED_IN, with_duty=True)
    async def remove_passkey(self, form: PasswordForm) -> None:
        """Remove the passkey that was asked about."""
        known = await self._prove(form["current"])
        await bridge.call(self, second_factor.remove_passkey, known_hash=known, passkey_id=self.asked)
        await self._done("The passkey is removed. Delete it on your device, too.")

    @handler(LOGGED_IN, with_duty=True)
    async def make_codes(self, form: PasswordForm) -> None:
        """Make new recovery codes."""
        known = await self._prove(form["current"])
        codes = await bridge.call(self, second_factor.new_codes, known_hash=known)
        await self._done("These are your new recovery codes.", codes)

    async def _prove(self, password: str) -> str:
        """Check the password that was typed again; returns its hash."""
        owner = await bridge.read(self, own_password.own)
        await bridge.compute(own_password.prove, owner, password=password, address=bridge.client_address(self))
        return owner.password_hash

    async def _done(self, sentence: str, codes: tuple[str, ...] = ()) -> None:
        await self._show()
        self.codes = list(codes)
        self.tell(sentence)

    async def _show(self) -> None:
        self._close()
        await self._read()

    async def _read(self) -> None:
        found: Factors = await bridge.read(self, second_factor.overview)
        now = bridge.now()
        self.is_duty, self.codes_left = found.is_duty, found.codes_left
        self.app = f"Since {words.date_of(words.local(found.app_since).date())}" if found.app_since else ""
        self.keys = [
            Key(
                one.id,
                one.name,
                f"Last used: {words.moment(one.last_used_at, now=now)}"
                if one.last_used_at
                else f"Added: {words.moment(one.created_at, now=now)}",
            )
            for one in found.passkeys
        ]
        self.has_one, self.drawn = bool(self.app or self.keys), True

    def _close(self) -> None:
        self.open, self.asked, self.secret, self.qr_code, self.question = "", 0, "", "", ""
        self.codes, self.shown = [], False
