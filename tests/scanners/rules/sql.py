# What the rule of sql.yml finds, and what it lets through.
from sqlalchemy import literal_column, select, text


def found(session, connection, cursor):
    # ruleid: sql-text-outside-of-reviewed-places
    session.execute(text("SELECT 1"))
    # ruleid: sql-text-outside-of-reviewed-places
    session.execute(text("SELECT id FROM slot WHERE state = :state"), {"state": "open"})
    # ruleid: sql-text-outside-of-reviewed-places
    session.scalar(text("SELECT count(*) FROM slot"))
    # ruleid: sql-text-outside-of-reviewed-places
    connection.exec_driver_sql("PRAGMA foreign_keys")
    # ruleid: sql-text-outside-of-reviewed-places
    cursor.execute("DELETE FROM slot")


def let_through(session, table, name):
    # ok: sql-text-outside-of-reviewed-places
    session.execute(select(table).where(table.name == name))
    # ok: sql-text-outside-of-reviewed-places
    only_open = text("state = 'open'")
    # ok: sql-text-outside-of-reviewed-places
    one = literal_column("1")
    return only_open, one
