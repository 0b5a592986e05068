"""``flatbed clients``: OAuth clients and their secrets, by an operator."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from pydantic import BaseModel, ValidationError

from flatbed.app.cli.output import answer, console
from flatbed.app.cli.running import run
from flatbed.app.wiring import Program
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.cursors import Cursors
from flatbed.tenants.kit.ids import InvalidIdError, decode
from flatbed.tenants.oauth.clients.authority import OPERATOR
from flatbed.tenants.oauth.clients.operator import in_realm, realm_of
from flatbed.tenants.oauth.clients.schemas import (
    ClientSecretCreate,
    ClientSecretRoll,
    OAuthClientCreate,
    OAuthClientUpdate,
)

app = typer.Typer(no_args_is_help=True, help="OAuth clients and their secrets.")
secret = typer.Typer(no_args_is_help=True, help="Secrets; each is shown once, when it is made.")
app.add_typer(secret, name="secret")

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
OfRealm = Annotated[str, typer.Option("--realm", help="The realm's slug.")]
ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="client_…")]
SecretArgument = Annotated[str, typer.Argument(metavar="SECRET", help="sec_…")]
PAGE = 200


@app.command("list")
def list_(realm: OfRealm, *, as_json: AsJson = False) -> None:
    """List the clients of a realm, without any secret."""

    async def work(program: Program) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with in_realm(program.database, realm) as session:
            cursors, cursor = Cursors(program.keyring, {"of": session.realm_id}), None
            while True:
                page = await program.oauth.clients.page(
                    session,
                    cursors,
                    cursor=cursor,
                    limit=PAGE,
                    organization_id=None,
                    staff_id=None,
                )
                found += [_shown(client) for client in page.data]
                cursor = page.next_cursor
                if not page.has_more:
                    return found

    clients = _run(work)
    if as_json:
        answer({"clients": clients}, as_json=True)
        return
    for client in clients:
        state = "active" if client["active"] else "disabled"
        words = f"{client['id']} {state} {client['kind']} {client['token_endpoint_auth_method']}"
        words += f" {client['name']}"
        console.print(words, highlight=False, markup=False, soft_wrap=True)
    answer({"clients": len(clients)}, as_json=False)


@app.command()
def create(  # noqa: PLR0913 - an argument is an option of the command line
    name: Annotated[str, typer.Argument(help="What it is for.")],
    realm: OfRealm,
    scope: Annotated[list[str], typer.Option(help="A scope; once for each.")],
    organization: Annotated[
        str | None, typer.Option(help="The ISV that owns it (org_…); else the agency.")
    ] = None,
    kind: Annotated[str, typer.Option(help="service, web or native.")] = "service",
    redirect_uri: Annotated[
        list[str] | None,
        typer.Option(help="Where people are sent back to; once for each, of web and native."),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            "--jwks",
            help="A file with its public keys, for private_key_jwt; else it gets a secret.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option("--allow", help="A network it may call from; else all.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a client; its secret, if it has one, is shown this once."""
    owner = {"kind": "isv", "organization_id": organization} if organization else {"kind": "agency"}
    sent: dict[str, Any] = {"name": name, "kind": kind, "owner": owner, "scopes": scope}
    sent |= {"redirect_uris": redirect_uri or [], "allowed_cidrs": network or []}
    if keys is not None:
        sent |= {"token_endpoint_auth_method": "private_key_jwt", "jwks": _read(keys)}
    body = _body(OAuthClientCreate, sent)

    async def work(program: Program) -> dict[str, Any]:
        async with in_realm(program.database, realm) as session:
            made, _ = await program.oauth.clients.create(session, OPERATOR, body)
            return _shown(made)

    made = _run(work)
    if as_json:
        answer(made, as_json=True)
        return
    names = ("client_id", "client_secret", "scopes")
    values = {n: made[n] for n in names} | {"scopes": " ".join(made["scopes"])}
    answer({n: v for n, v in values.items() if v is not None}, as_json=False)


@app.command()
def show(client: ClientArgument, *, as_json: AsJson = False) -> None:
    """Show a client and its secrets, of which no one is told."""
    client_id = _id("client", client)

    async def work(program: Program) -> dict[str, Any]:
        async with realm_of(program.database, client_id) as session:
            found, _ = await program.oauth.clients.get(session, client_id)
            return _shown(found)

    _told(_run(work), as_json=as_json)


@app.command()
def update(
    client: ClientArgument,
    name: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="A scope, once for each that it is to have.")
    ] = None,
    redirect_uri: Annotated[
        list[str] | None,
        typer.Option(help="Where people are sent back to, once for each that it is to have."),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option("--allow", help="A network it may call from, once for each; 'all' alone."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Change what is named; all else stays."""
    sent: dict[str, Any] = {"name": name, "scopes": scope, "redirect_uris": redirect_uri}
    sent["allowed_cidrs"] = [] if network == ["all"] else network
    body = _body(OAuthClientUpdate, {k: value for k, value in sent.items() if value is not None})
    _told(_changed(client, body), as_json=as_json)


@app.command()
def enable(client: ClientArgument, *, as_json: AsJson = False) -> None:
    """Switch a client on again."""
    changed = _changed(client, OAuthClientUpdate(active=True))
    answer({"id": client, "active": changed["active"]}, as_json=as_json)


@app.command()
def disable(client: ClientArgument, *, as_json: AsJson = False) -> None:
    """Switch a client off; tokens that are out stop at once."""
    changed = _changed(client, OAuthClientUpdate(active=False))
    answer({"id": client, "active": changed["active"]}, as_json=as_json)


@app.command()
def delete(client: ClientArgument, *, as_json: AsJson = False) -> None:
    """Delete a client for good; its id stays in the audit."""
    client_id = _id("client", client)

    async def work(program: Program) -> dict[str, Any]:
        async with realm_of(program.database, client_id) as session:
            await program.oauth.clients.delete(session, OPERATOR, client_id, None)
        return {"id": client, "deleted": True}

    answer(_run(work), as_json=as_json)


@secret.command("create")
def create_secret(
    client: ClientArgument,
    label: Annotated[str, typer.Option(help="Where it is used.")],
    days: Annotated[
        int | None, typer.Option(min=1, max=364, help="How long it lives; else 365 days.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Give a client a second secret; it is shown this once."""
    client_id, sent = _id("client", client), {"label": label}
    if days is not None:
        sent["expires_at"] = (system_now() + timedelta(days=days)).isoformat()
    body = _body(ClientSecretCreate, sent)

    async def work(program: Program) -> dict[str, Any]:
        async with realm_of(program.database, client_id) as session:
            return _shown(
                await program.oauth.clients.secrets.create(session, OPERATOR, client_id, body)
            )

    answer(_run(work), as_json=as_json)


@secret.command()
def roll(
    client: ClientArgument,
    secret: SecretArgument,
    overlap: Annotated[str, typer.Option(help="0, 1h, 24h or 7d.")] = "24h",
    *,
    as_json: AsJson = False,
) -> None:
    """Put a new secret in place of one that goes on for the overlap; it is shown this once."""
    client_id, secret_id = _id("client", client), _id("sec", secret)
    body = _body(ClientSecretRoll, {"overlap": overlap})

    async def work(program: Program) -> dict[str, Any]:
        async with realm_of(program.database, client_id) as session:
            secrets = program.oauth.clients.secrets
            return _shown(await secrets.roll(session, OPERATOR, client_id, secret_id, body))

    answer(_run(work), as_json=as_json)


@secret.command()
def revoke(client: ClientArgument, secret: SecretArgument, *, as_json: AsJson = False) -> None:
    """Revoke a secret: within a second nobody gets a token by it any more."""
    client_id, secret_id = _id("client", client), _id("sec", secret)

    async def work(program: Program) -> dict[str, Any]:
        async with realm_of(program.database, client_id) as session:
            await program.oauth.clients.secrets.revoke(session, client_id, secret_id, None)
        return {"id": secret, "revoked": True}

    answer(_run(work), as_json=as_json)


def _changed(client: str, body: OAuthClientUpdate) -> dict[str, Any]:
    client_id = _id("client", client)

    async def work(program: Program) -> dict[str, Any]:
        async with realm_of(program.database, client_id) as session:
            changed, _ = await program.oauth.clients.update(
                session, OPERATOR, client_id, None, body
            )
            return _shown(changed)

    return _run(work)


def _told(client: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        answer(client, as_json=True)
        return
    names = ("id", "name", "kind", "active", "token_endpoint_auth_method")
    lists = {n: " ".join(client[n]) for n in ("scopes", "redirect_uris", "allowed_cidrs")}
    answer({n: client[n] for n in names} | {n: v for n, v in lists.items() if v}, as_json=False)
    for one in client["secrets"]:
        words = f"secret: {one['id']} …{one['last_four']} until {one['expires_at']} {one['label']}"
        console.print(words, highlight=False, markup=False, soft_wrap=True)


def _run(work: Callable[[Program], Awaitable[T]]) -> T:
    # As the server would: what is made with another secret could never sign in.
    return run(work, Program.start)


def _shown(model: BaseModel) -> dict[str, Any]:
    found: dict[str, Any] = model.model_dump(mode="json")
    return found


def _body(model: type[M], sent: Mapping[str, Any]) -> M:
    """The body of the API's own operation; what is wrong is named and not repeated."""
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)
        places = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
        raise typer.BadParameter("; ".join(places)) from None


def _read(file: Path) -> object:
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise typer.BadParameter("the file of keys is not JSON") from None


def _id(prefix: str, text: str) -> UUID:
    try:
        return decode(prefix, text)
    except InvalidIdError:
        raise typer.BadParameter(f"not an id of the form {prefix}_…") from None
