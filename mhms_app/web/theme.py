"""What belongs into the head of every page."""
from __future__ import annotations
import reflex as rx
HEAD: list[rx.Component] = []
