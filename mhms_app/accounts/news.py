"""The news that somebody may no longer do what they could, or may do more."""

from __future__ import annotations

from dataclasses import dataclass

from mhms_app.facts import Topic, shared


@shared("person")
@dataclass(frozen=True, slots=True)
class PersonChanged:
    """Announced after a commit that locked or unlocked an account, or gave it another role."""

    user_id: int

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The administrators' screens."""
        return (ANY_PERSON,)


ANY_PERSON: Topic = ("person", 0)
