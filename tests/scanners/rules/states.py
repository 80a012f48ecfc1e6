# What the rules of states.yml find, and what they let through.
import reflex as rx


class Found(Listing, Screen):
    name: str = ""
    # ruleid: secret-in-a-public-var
    password: str = ""
    # ruleid: secret-in-a-public-var
    reset_token: str
    # ruleid: secret-in-a-public-var
    recovery_codes: list[str] = []
    # ruleid: secret-in-a-public-var
    secret_uri: str = ""
    # ruleid: secret-in-a-public-var
    key_hash: str = ""

    # ruleid: handler-without-a-gate
    async def delete_all(self) -> None:
        self.name = ""

    # ruleid: handler-without-a-gate
    def rename(self, name: str) -> None:
        self.name = name

    # ruleid: handler-without-a-gate
    @rx.event
    async def close(self) -> None:
        self.name = ""


class FoundInAMixin(rx.State, mixin=True):
    # ruleid: handler-without-a-gate
    async def step(self) -> None: ...


class LetThrough(Screen):
    # ok: secret-in-a-public-var
    name: str = ""
    # ok: secret-in-a-public-var
    _token: str = ""
    # ok: secret-in-a-public-var
    keyboard: str = ""
    # ok: secret-in-a-public-var
    codes_left: int = 0

    # ok: handler-without-a-gate
    @handler(Role.PATIENT)
    async def save(self, name: str) -> None:
        # ok: secret-in-a-public-var
        code: str = name
        self.name = code

    # ok: handler-without-a-gate
    @handler()
    async def load(self) -> None:
        self._show()

    # ok: handler-without-a-gate
    def _show(self) -> None:
        self.name = self._token

    # ok: handler-without-a-gate
    @rx.var
    def greeting(self) -> str:
        return f"Hello {self.name}"


class NoState:
    # ok: secret-in-a-public-var
    token: str = ""

    # ok: handler-without-a-gate
    def rename(self, name: str) -> None: ...
