"""SQL is written by hand or by SQLAlchemy, and values reach it as parameters only."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.databases import ROOT

EXECUTES = {"execute", "exec", "exec_driver_sql", "executemany", "scalar", "scalars", "text", "literal_column"}

# Statements that are put together, from parts that stand in our own source.
WRITTEN_OUT = {
    ("mhms_app/db.py", "f'PRAGMA {pragma}'"),  # a connection's settings, from a tuple in the line above
    ("mhms_app/availability/slots.py", "f\"'{state.value}'\""),  # a slot's state, from our own enumeration
    ("mhms_app/booking/statement.py", "_IN_SHORT"),  # the one statement, without its line breaks
}


def put_together(node: ast.expr) -> bool:
    """Whether a text is made from pieces: an f-string, ``+``, ``%``, ``format`` or ``join``."""
    match node:
        case ast.JoinedStr(values=parts):
            return any(isinstance(part, ast.FormattedValue) for part in parts)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr="format" | "join" | "replace" | "format_map" | "__mod__")):
            return True
    return False


def statements(source: str) -> Iterator[str]:
    """Every text that a program hands to a database and that is not written out in it."""
    tree = ast.parse(source)
    made = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and put_together(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for argument in node.args[:1] if name in EXECUTES else ():
            if put_together(argument) or (isinstance(argument, ast.Name) and argument.id in made):
                yield ast.unparse(argument)


def test_no_statement_is_put_together_from_values() -> None:
    sources = [path for folder in ("mhms_app", "email_lambda") for path in (ROOT / folder).rglob("*.py")]
    assert len(sources) > 50
    found = {(str(path.relative_to(ROOT)), text) for path in sources for text in statements(path.read_text("utf-8"))}
    assert found == WRITTEN_OUT


@pytest.mark.parametrize(
    "line",
    [
        "session.execute(text(f'SELECT {x}'))",
        "session.execute(text('SELECT ' + x))",
        "cursor.execute('SELECT %s' % x)",
        "connection.exec_driver_sql('SELECT {}'.format(x))",
        "query = f'SELECT {x}'; session.exec(query)",
    ],
)
def test_the_search_for_them_finds_them(line: str) -> None:
    assert list(statements(line))
