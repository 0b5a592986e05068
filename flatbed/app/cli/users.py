"""``flatbed users``: people's accounts, and the first person of a realm, by an operator."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from flatbed.app.cli.output import answer, console
from flatbed.app.cli.running import run
from flatbed.app.wiring import Program
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.logging import configure
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.oauth.clients.operator import CALLER, in_realm
from flatbed.tenants.organizations import staff_service
from flatbed.tenants.organizations.repository import email_holder
from flatbed.tenants.organizations.schemas import StaffCreate, StaffRole
from flatbed.tenants.people.accounts import repository
from flatbed.tenants.people.accounts.repository import Place
from flatbed.tenants.people.addresses import normal
from flatbed.tenants.people.invitations.staff_service import invite
from flatbed.tenants.people.models import UserAccount
from flatbed.tenants.people.operator import Ended
from flatbed.tenants.people.sessions.repository import count_sessions

app = typer.Typer(no_args_is_help=True, help="People: their accounts, and who is invited first.")

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
OfRealm = Annotated[str, typer.Option("--realm", help="The realm's slug.")]
EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL", help="The person's address.")]


@app.command("list")
def list_(realm: OfRealm, *, as_json: AsJson = False) -> None:
    """List everybody who has signed up in a realm, with his places there."""

    async def work(program: Program) -> list[dict[str, Any]]:
        async with program.database.login(caller=CALLER) as session:
            accounts = await repository.accounts_of_realm(session, realm)
            places = await repository.places(session, realm=realm)
        return [_account(one) | {"places": _places(one, places)} for one in accounts]

    people = _run(work)
    if as_json:
        answer({"users": people}, as_json=True)
        return
    for one in people:
        _print(one)
    answer({"users": len(people)}, as_json=False)


@app.command()
def show(email: EmailArgument, *, as_json: AsJson = False) -> None:
    """Show a person's account and places, in every realm."""
    address = _address(email)

    async def work(program: Program) -> dict[str, Any]:
        async with program.database.login(caller=CALLER) as session:
            account = await repository.account_of(session, address)
            if account is None:
                raise NotFoundError
            places = await repository.places(session, user_id=account.id)
            sessions = await count_sessions(session, account.id, system_now())
        return _account(account) | {"sessions": sessions, "places": _places(account, places)}

    found = _run(work)
    if as_json:
        answer(found, as_json=True)
        return
    answer({n: v for n, v in found.items() if n != "places"}, as_json=False)
    for place in found["places"]:
        console.print(f"place: {_words(place)}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def disable(email: EmailArgument, *, as_json: AsJson = False) -> None:
    """Switch an account off: signed out everywhere, and what acts for it stops.

    Applications ask anew once it is on again; personal clients of staff stay off until somebody
    switches them on.
    """
    _change(
        email,
        lambda program, session, text: program.people.accounts.disable(session, text),
        as_json=as_json,
    )


@app.command()
def enable(email: EmailArgument, *, as_json: AsJson = False) -> None:
    """Let a person sign in again; what had ended does not come back."""
    _change(
        email,
        lambda program, session, text: program.people.accounts.enable(session, text),
        as_json=as_json,
    )


@app.command("reset-totp")
def reset_totp(email: EmailArgument, *, as_json: AsJson = False) -> None:
    """Forget a lost second factor and its recovery codes.

    The person is signed out everywhere, and applications must ask anew.
    """
    _change(
        email,
        lambda program, session, text: program.people.accounts.reset_totp(session, text),
        as_json=as_json,
    )


@app.command("invite-staff")
def invite_staff(
    email: EmailArgument,
    realm: OfRealm,
    name: Annotated[str, typer.Option(help="The person's name.")] = "",
    role: Annotated[StaffRole, typer.Option(help="What he does.")] = Role.ADMIN.value,
    *,
    as_json: AsJson = False,
) -> None:
    """Invite a person to the agency's staff, or anew; the worker sends the mail."""
    address = _address(email)
    body = _staff(name or address, address, role)

    async def work(program: Program) -> dict[str, Any]:
        async with in_realm(program.database, realm) as session:
            staff_id = await email_holder(session, address)
            if staff_id is None:
                staff_id = (await staff_service.create(session, body))[0].id
            invitation = await invite(session, staff_id)
        return {"staff_id": encode("staff", staff_id), "expires_at": invitation.expires_at}

    answer(_run(work), as_json=as_json)


def _change(
    email: str,
    change: Callable[[Program, LoginSession, str], Awaitable[Ended]],
    *,
    as_json: bool,
) -> None:
    configure()  # what was done is logged as well: no audit holds accounts
    address = _address(email)

    async def work(program: Program) -> dict[str, Any]:
        async with program.database.login(caller=CALLER) as session:
            ended = await change(program, session, address)
        return _account(ended.account) | {"sessions_ended": ended.sessions}

    answer(_run(work), as_json=as_json)


def _run(work: Callable[[Program], Awaitable[T]]) -> T:
    # As the server would: a link that another secret sealed would open nothing.
    return run(work, Program.start)


def _staff(name: str, email: str, role: StaffRole) -> StaffCreate:
    try:
        return StaffCreate(name=name, email=email, role=role)
    except ValidationError:
        raise typer.BadParameter("the name has 1 to 200 characters") from None


def _address(text: str) -> str:
    found = normal(text)
    if found is None:
        raise typer.BadParameter("not an e-mail address")
    return found


def _account(account: UserAccount) -> dict[str, Any]:
    return {
        "id": encode("usr", account.id),
        "email": account.email,
        "name": account.name,
        "active": account.active,
        "second_factor": account.totp_at is not None,
    }


def _places(account: UserAccount, places: Sequence[Place]) -> list[dict[str, Any]]:
    return [
        {
            "realm": place.realm,
            "organization": place.organization,
            "role": place.role,
            "active": place.active,
        }
        for place in places
        if place.user_id == account.id
    ]


def _print(person: Mapping[str, Any]) -> None:
    state = "active" if person["active"] else "disabled"
    places = ", ".join(_words(place) for place in person["places"])
    words = f"{person['id']} {state} {person['email']} ({places})"
    console.print(words, highlight=False, markup=False, soft_wrap=True)


def _words(place: Mapping[str, Any]) -> str:
    where = f"{place['realm']}/{place['organization']}" if place["organization"] else place["realm"]
    return f"{place['role']} at {where}{'' if place['active'] else ', switched off'}"
