"""npm oauth4webapi and openid-client, unchanged, act for a person who let them in on our pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from tests.oauth.independent.desk import (
    METHODS,
    NAME,
    PUBLIC,
    SCOPES,
    Desk,
    with_parameter,
)
from tests.oauth.independent.node import Node, node

LIBRARIES: Final = ("oauth4webapi", "openid-client")
REFUSED: Final = {"refused": "invalid_grant", "status": 400}

each = pytest.mark.parametrize("library", LIBRARIES)


async def act(client: Node, name: str, **facts: Any) -> dict[str, Any]:
    """Let the script do something with the library; what came of it."""
    await client.hears(act=name, **facts)
    found: dict[str, Any] = (await client.says())[name]
    return found


@asynccontextmanager
async def let_in(
    desk: Desk, library: str, method: str
) -> AsyncIterator[tuple[Node, dict[str, Any], dict[str, Any]]]:
    """The script of a new application, what it was given, and the tokens that it got."""
    given = await desk.application(method)
    async with node(f"{library}-people", **given) as client:
        await client.hears(callback=await desk.lets_in((await client.says())["visit"]))
        yield client, given, (await client.says())["tokens"]


async def refreshed(client: Node, tokens: dict[str, Any], *, rotates: bool) -> tuple[str, str]:
    """Use the refresh token; the new access token, and the refresh token to go on with."""
    found = await act(client, "refresh", token=tokens["refresh_token"])
    assert found["access_token"] != tokens["access_token"]
    kept = found.get("refresh_token", tokens["refresh_token"])
    assert (kept != tokens["refresh_token"]) is rotates
    return found["access_token"], kept


@each
class TestAuthorizationCode:
    """Discovery, PKCE, state, RFC 9207's iss, nonce, and the client's own proof."""

    @pytest.mark.parametrize("method", METHODS)
    async def test_what_a_person_lent_is_used_kept_alive_asked_about_and_given_back(
        self, desk: Desk, library: str, method: str
    ) -> None:
        async with let_in(desk, library, method) as (client, given, tokens):
            assert set(tokens["scope"].split()) == set(SCOPES)
            assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 600)
            assert (tokens["claims"]["sub"], tokens["claims"]["acr"]) == (desk.sub, "pwd")
            assert tokens["claims"]["aud"] == given["client_id"]
            assert await desk.is_let_in(tokens["access_token"])
            access, kept = await refreshed(client, tokens, rotates=method == PUBLIC)
            assert await desk.is_let_in(access)
            told = await act(client, "userinfo", token=access, sub=desk.sub)
            assert told == {
                "sub": desk.sub,
                "name": NAME,
                "locale": "en",
                "email": desk.email,
                "email_verified": True,
            }
            # Who has nothing to prove himself by may not ask: his owner's service does.
            by = {"by": desk.service} if method == PUBLIC else {}
            for token in (access, kept):
                told = await act(client, "introspect", token=token, **by)
                assert (told["active"], told["sub"]) == (True, desk.sub)
                assert (told["iss"], told["client_id"]) == (desk.url, given["client_id"])
            assert await act(client, "revoke", token=kept) == {}
            for token in (access, kept):
                assert await act(client, "introspect", token=token, **by) == {"active": False}
            assert await act(client, "refresh", token=kept) == REFUSED

    async def test_who_is_told_no_knows_it(self, desk: Desk, library: str) -> None:
        async with node(f"{library}-people", **await desk.application(PUBLIC)) as client:
            visit = (await client.says())["visit"]
            await client.hears(callback=await desk.lets_in(visit, "deny"))
            assert (await client.says())["tokens"] == {"refused": "access_denied"}

    async def test_an_answer_from_elsewhere_is_not_believed(self, desk: Desk, library: str) -> None:
        given = await desk.application("client_secret_post")
        for name in ("iss", "state"):
            async with node(f"{library}-people", **given) as client:
                callback = await desk.lets_in((await client.says())["visit"])
                await client.hears(callback=with_parameter(callback, name, "https://other.example"))
                said = (await client.says())["tokens"]["disbelieved"]
                assert said.startswith(f'unexpected "{name}" ')


@each
class TestRefresh:
    """A public client's refresh tokens, each good once."""

    async def test_one_used_again_after_the_grace_ends_the_family(
        self, desk: Desk, library: str
    ) -> None:
        async with let_in(desk, library, PUBLIC) as (client, _, tokens):
            used = tokens["refresh_token"]
            access, newest = await refreshed(client, tokens, rotates=True)
            assert await desk.is_let_in(access)
            await desk.age(used)
            assert await act(client, "refresh", token=used) == REFUSED
            assert await act(client, "refresh", token=newest) == REFUSED
            said = await act(client, "userinfo", token=access, sub=desk.sub)
            assert said["status"] == 401
            [challenge] = said["challenged"]
            assert challenge["scheme"] == "bearer"
            assert challenge["parameters"]["error"] == "invalid_token"
            assert not await desk.is_let_in(access)


class TestAccessToken:
    """RFC 9068, as a resource server that knows nothing but our metadata and keys reads it."""

    async def test_it_says_who_lent_what_to_whom_and_how_he_signed_in(self, desk: Desk) -> None:
        async with let_in(desk, "oauth4webapi", "client_secret_basic") as (client, given, tokens):
            claims = await act(client, "validate", token=tokens["access_token"])
        assert (claims["iss"], claims["aud"]) == (desk.url, desk.url)
        assert (claims["sub"], claims["client_id"]) == (desk.sub, given["client_id"])
        assert (claims["tid"], claims["role"], claims["acr"]) == (desk.isv.id, "isv_owner", "pwd")
        assert set(claims["scope"].split()) == set(SCOPES)
        assert claims["auth_time"] <= claims["iat"]
