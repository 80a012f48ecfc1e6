"""Every character of a password counts, whatever it is; and weak ones are refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bcrypt
import pytest

from mhms_app.accounts import passwords, rules
from mhms_app.settings import settings
from tests.builders import PASSWORD


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "a" * 72,
        "a" * 73,
        "a" * 128,
        "\U0001f98a" * 128,
        "twelve\x00twelve",
        "\x00" * 12,
        " leading and trailing ",
        "half a character \ud800",
    ],
)
def test_a_password_fits_its_own_hash_and_no_other(password: str) -> None:
    stored = passwords.hash_password(password)
    assert passwords.verify(password, stored)
    assert not passwords.verify(password[:-1], stored)
    assert not passwords.verify(password + "a", stored)
    assert not passwords.verify(password[:-1] + "b", stored)


def test_what_bcrypt_would_not_look_at_counts_too() -> None:
    assert not passwords.verify("a" * 80 + "b", passwords.hash_password("a" * 80 + "c"))
    assert not passwords.verify("before\x00after", passwords.hash_password("before\x00other"))


def test_one_text_typed_on_two_systems_is_one_password() -> None:
    assert passwords.verify("Zoe\u0308s Garten", passwords.hash_password("Zo\u00ebs Garten"))


def test_a_hash_is_salted() -> None:
    assert passwords.hash_password(PASSWORD) != passwords.hash_password(PASSWORD)


@pytest.mark.parametrize("stored", [None, passwords.hash_password(PASSWORD)], ids=["unknown", "known"])
def test_an_unknown_user_costs_one_bcrypt_as_a_known_one(monkeypatch: pytest.MonkeyPatch, stored: str | None) -> None:
    passwords.verify("warm up", None)
    costs = []
    checkpw = bcrypt.checkpw
    monkeypatch.setattr(
        bcrypt, "checkpw", lambda password, hashed: costs.append(hashed[:7]) or checkpw(password, hashed)
    )
    monkeypatch.setattr(bcrypt, "hashpw", lambda *_: pytest.fail("a login hashes nothing"))
    assert not passwords.verify("not the password", stored)
    assert costs == [b"$2b$%02d$" % settings().bcrypt_cost]


def test_an_old_account_costs_as_much_as_none(
    monkeypatch: pytest.MonkeyPatch, configure: Callable[[str, str], None]
) -> None:
    """Each cost is twice the work of the one below."""
    stored, work = passwords.hash_password(PASSWORD), []
    configure("MHMS_BCRYPT_COST", "7")
    checkpw = bcrypt.checkpw
    monkeypatch.setattr(
        bcrypt, "checkpw", lambda typed, hashed: work.append(2 ** int(hashed.split(b"$")[2])) or checkpw(typed, hashed)
    )
    assert passwords.verify(PASSWORD, stored)
    assert sum(work) == 2**7
    assert not passwords.verify(PASSWORD, None)
    assert sum(work) == 2 * 2**7


def test_nobody_has_no_password() -> None:
    assert not passwords.verify("", None)
    assert not passwords.verify(PASSWORD, None)


def test_a_hash_of_a_lower_cost_is_to_be_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = passwords.hash_password(PASSWORD)
    assert not passwords.needs_rehash(stored)
    raised = settings().model_copy(update={"bcrypt_cost": settings().bcrypt_cost + 1})
    monkeypatch.setattr(passwords, "settings", lambda: raised)
    assert passwords.needs_rehash(stored)
    assert not passwords.needs_rehash(passwords.hash_password(PASSWORD))


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("a" * 11, "at least 12"),
        ("e\u0301" * 11, "at least 12"),
        ("a" * 129, "at most 128"),
    ],
)
def test_the_length_is_judged_first(password: str, word: str) -> None:
    assert word in rules.password_length_problem(password)
    assert word in passwords.judge(password).sentence


@pytest.mark.parametrize("length", [12, 128])
def test_both_ends_of_the_allowed_lengths_are_allowed(length: int) -> None:
    assert rules.password_length_problem("a" * length) == ""


@pytest.mark.parametrize(
    "password", ["passwordpasswort", "qwertyuiop[]", "aaaaaaaaaaaaaaaaa", "1234567890123a", "a" * 128]
)
def test_common_passwords_are_refused_with_a_hint(password: str) -> None:
    strength = passwords.judge(password)
    assert not strength.acceptable
    assert strength.sentence.endswith("Add a few words that do not belong together.")


@pytest.mark.parametrize(
    "password",
    [
        "violet harbour lantern 9",
        "Grüne Wälder rauschen leise",
        "🦊 zwölf Laternen am Hafen",
        "half a \ud800 character is text",
    ],
)
def test_a_few_words_are_accepted(password: str) -> None:
    assert passwords.judge(password).acceptable


def test_words_about_the_person_and_the_clinic_do_not_count() -> None:
    context = ("Wilhelmine.Krautwurst@example.com", "Wilhelmine Krautwurst")
    password = "krautwurstWilhelmine"
    assert passwords.judge(password).acceptable
    assert not passwords.judge(password, context=context).acceptable
    assert not passwords.judge("linden clinic mhms").acceptable


def test_one_judgement_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """zxcvbn keeps the context words in a global: two at once would be judged by each other's."""
    inside: list[str] = []
    most = []
    judged = passwords.zxcvbn

    def slowly(password: str, user_inputs: list[str]) -> dict[str, Any]:
        inside.append(password)
        time.sleep(0.01)
        most.append(len(inside))
        inside.remove(password)
        return dict(judged(password, user_inputs=user_inputs))

    monkeypatch.setattr(passwords, "zxcvbn", slowly)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(passwords.judge, [PASSWORD] * 8))
    assert most == [1] * 8


def test_temporary_passwords_are_strong_easy_to_type_and_never_the_same() -> None:
    made = {passwords.new_temporary() for _ in range(20)}
    assert len({password for password, _ in made}) == 20
    for password, stored in made:
        assert passwords.verify(password, stored)
        assert rules.password_length_problem(password) == ""
        assert not set(password) & set("lo01I")
