"""The command line: ``python -m mhms_app.cli``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import httpx
import typer
from sqlalchemy.exc import SQLAlchemyError

from mhms_app import backup, db, demo, launch, sealed
from mhms_app.accounts import factors, passwords, second_factor
from mhms_app.accounts import service as accounts
from mhms_app.actor import Role
from mhms_app.audit import chain
from mhms_app.audit import service as audit
from mhms_app.audit.rules import head_in
from mhms_app.availability import hours
from mhms_app.calendars import google
from mhms_app.errors import ClinicError
from mhms_app.notifications import dispatcher
from mhms_app.oversight import backups, figures, retention, system
from mhms_app.oversight.system import Finding, Mood
from mhms_app.settings import Settings, SettingsError, settings

_MARKS = {Mood.WELL: "ok  ", Mood.ATTENTION: "LOOK", Mood.BROKEN: "FAIL"}

app = typer.Typer(
    help="MHMS, the appointment system of a clinic.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
trail = typer.Typer(help="The audit trail and its chain of seals.", no_args_is_help=True)
app.add_typer(trail, name="audit")


@app.command()
def serve() -> None:
    """Build what is missing, migrate, and serve the clinic until Ctrl-C."""
    chosen = settings()
    if launch.build_pages(chosen):
        typer.echo("The pages are built.")
    launch.migrate()
    if chosen.demo and launch.load_demo():
        typer.echo("The demo clinic is loaded.")
    with launch.local_email(chosen):
        threading.Thread(target=_say_where_to_go, args=(chosen,), daemon=True).start()
        launch.serve(chosen)


def _say_where_to_go(chosen: Settings) -> None:
    """Wait until the server answers, then say where it is and as whom to log in."""
    if not launch.wait_until_ready(chosen):
        return
    lines = [f"{chosen.clinic_name} is open:  {chosen.base_url}"]
    if chosen.demo:
        lines += [f"  {email}" for email in (demo.ADMIN, demo.DOCTOR, demo.PATIENT)]
        lines += [f"  password for each of them: {demo.PASSWORD}"]
    if chosen.local_email:
        lines += [f"E-mails are written to  {chosen.data_dir / 'mail'}"]
    typer.echo("\n".join(("", *lines, "Ctrl-C closes it.")))


@app.command()
def build() -> None:
    """Build the pages, so that the next start takes seconds."""
    typer.echo("The pages are built." if launch.build_pages(settings()) else "The pages are up to date.")


@app.command()
def create_admin(
    email: Annotated[str, typer.Option(prompt="E-mail")],
    name: Annotated[str, typer.Option(prompt="Full name")],
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, envvar="ADMIN_PASSWORD")
    ],
) -> None:
    """Create an administrator; the first one is made here, later ones also in the browser."""
    strength = passwords.judge(password, context=(email, name))
    if not strength.acceptable:
        raise ClinicError(strength.sentence)
    hashed = passwords.hash_password(password)
    with db.transaction() as session:
        user = accounts.add_user(session, email=email, full_name=name, password_hash=hashed, role=Role.ADMIN)
        audit.record(
            session, actor_id=None, action="user.create", object_type="user", object_id=user.id, detail="admin"
        )
    typer.echo(f"{email} is an administrator.")


@app.command("demo")
def load_demo() -> None:
    """Load the demo clinic into an empty database."""
    launch.migrate()
    typer.echo(
        "The demo clinic is loaded." if launch.load_demo() else "There are people here already: nothing was added."
    )


@app.command()
def new_key() -> None:
    """Print a new key for MHMS_ENCRYPTION_KEYS."""
    typer.echo(sealed.new_key())


@app.command()
def reseal() -> None:
    """Seal every secret with the newest key of MHMS_ENCRYPTION_KEYS: after that the older ones can go."""
    with db.transaction() as session:
        apps, calendars = factors.reseal(session), google.reseal(session)
    typer.echo(f"{apps} authenticator apps and {calendars} calendars are sealed with the newest key.")


@app.command()
def reset_second_factor(email: Annotated[str, typer.Argument(help="Of the account.")]) -> None:
    """Take a lost second factor away from somebody; for the last administrator, who has nobody else to ask."""
    with db.transaction() as session:
        second_factor.reset_from_outside(session, email=email)
    typer.echo(f"{email} logs in with the password alone, until there is a new second factor.")


@app.command()
def dispatch(
    once: Annotated[bool, typer.Option(help="Send what is due now and stop.")] = False,
) -> None:
    """Send the messages of the outbox, in a process of its own."""
    if once:
        typer.echo(f"{dispatcher.dispatch_once()} messages were tried.")
    else:
        dispatcher.dispatch_forever()


@app.command()
def tidy() -> None:
    """Remove what is no longer kept, as the MHMS_KEEP_* settings say; the app does so every hour."""
    done = {kind: number for kind, number in retention.tidy().items() if number}
    typer.echo(", ".join(f"{number} {kind}" for kind, number in done.items()) or "Nothing was too old.")


@app.command("backup")
def save_backup(file: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Write the whole database to a file, as it is at this moment; the clinic goes on meanwhile."""
    saved = backup.save(file)
    typer.echo(f"{file} holds {saved.total} rows, as they were at {saved.made_at}.")
    try:
        with db.transaction() as session:
            backups.note(session, rows=saved.total, size=file.stat().st_size, revision=saved.revision)
    except SQLAlchemyError as error:  # a replica can be saved, and takes no notes
        typer.echo(f"It is whole, but the audit trail does not know of it ({type(error).__name__}).", err=True)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` has written.")],
    replace: Annotated[bool, typer.Option(help="Give up everything that the database holds now.")] = False,
) -> None:
    """Fill an empty database from a backup and look whether all is well; the app must be stopped meanwhile."""
    backup.read(file)
    if replace:
        backup.clear()
    launch.migrate()
    restored = backup.restore(file)
    typer.echo(f"{restored.total} rows are restored, as they were at {restored.made_at}: all of them are in order.")


@trail.command()
def seal() -> None:
    """Seal the entries that wait for it; the app does so every few seconds."""
    typer.echo(f"{chain.seal_all(thorough=True)} entries were sealed.")


@trail.command()
def verify(
    expect: Annotated[str, typer.Option(metavar="POSITION:HASH", help="A head that was written down earlier.")] = "",
) -> None:
    """Walk the chain of the audit trail; name the first thing that is wrong, or print where it ends."""
    expected = head_in(expect)
    if expect and expected is None:
        raise ClinicError("Give --expect as POSITION:HASH, as this command prints it.")
    with db.transaction(read_only=True) as session:
        found = chain.verify(session, expected=expected)
    if found.problem:
        raise ClinicError(found.problem)
    typer.echo(f"The audit trail is whole, with {found.unsealed} entries still to be sealed. It ends at\n{found.head}")


@app.command()
def publish_hours() -> None:
    """Publish the slots that working hours ask for, up to today's horizon; the app does so every hour."""
    typer.echo(f"{hours.publish_due()} slots are new.")


@app.command()
def check() -> None:
    """Say how everything stands, as /admin/system does, and whether the e-mail service answers; exit 1 if broken."""
    findings = (*_look(), _email_service())
    for each in findings:
        typer.echo(f"{_MARKS[each.mood]}  {each.name}: {each.words}")
        if each.advice:
            typer.echo(f"      {each.advice}")
    if any(each.mood is Mood.BROKEN for each in findings):
        raise typer.Exit(1)


def _look() -> tuple[Finding, ...]:
    try:
        with db.transaction(read_only=True) as session:
            if db.is_migrated(session):
                return system.judge(figures.read(session))
    except SQLAlchemyError as error:
        return (Finding("Database", f"{type(error).__name__}.", Mood.BROKEN, "See that it runs: MHMS_DATABASE_URL."),)
    missing = "It has not every migration of this version."
    return (Finding("Database", missing, Mood.BROKEN, "Run alembic upgrade head."),)


def _email_service() -> Finding:
    try:
        httpx.get(settings().email_url, timeout=5)
    except httpx.HTTPError as error:
        advice = "Messages wait in the outbox until it does: see that it runs, and MHMS_EMAIL_URL."
        return Finding("E-mail service", f"It does not answer ({type(error).__name__}).", Mood.BROKEN, advice)
    return Finding("E-mail service", "It answers.")


def main() -> None:
    """Run a command; a wrong setting or a refusal is one sentence and exit 1, not a stack trace."""
    try:
        app()
    except (SettingsError, ClinicError, launch.LaunchFailed, sealed.Unreadable) as problem:
        typer.echo(f"MHMS: {problem}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
