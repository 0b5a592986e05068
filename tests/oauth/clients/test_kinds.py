"""The kinds of clients: what each needs, what each may not have, and what none may change."""

import json
from typing import Any

import pytest

from flatbed.tenants.access.scopes import SIGNALS
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode
from tests.api.support import new_world
from tests.oauth.clients.test_client_secrets import add
from tests.oauth.house import Credentials, House
from tests.oauth.signing import AGENCY, new_key, public
from tests.oauth.test_token import refused
from tests.support.postgres import TestDatabase

PATH = "/v1/oauth-clients"
SITE = "https://app.example.com/callback"
PHONE = "com.example.app:/callback"
LOCAL = "http://127.0.0.1:3000/callback"
METHOD = "token_endpoint_auth_method"
PEOPLE = ["openid", "profile", "email", "offline_access", "campaigns:read"]
KEYS = {METHOD: "private_key_jwt", "jwks": {"keys": [public(new_key())]}}


def body(kind: str, *uris: str, **more: Any) -> dict[str, Any]:
    """A new client of the kind, at the agency."""
    made = {"name": "A client", "owner": AGENCY, "scopes": ["campaigns:read"], "kind": kind}
    return {**made, "redirect_uris": list(uris), **more}


async def faults(house: House, sent: dict[str, Any]) -> list[tuple[str, str]]:
    """Where a creation is refused, and why."""
    reply = await house.call("POST", PATH, sent)
    assert reply.status_code == 422, reply.text
    return [(error["pointer"], error["code"]) for error in reply.json()["errors"]]


class TestCreate:
    async def test_a_service_is_what_is_made_unless_it_is_said(self, house: House) -> None:
        sent = body("service")
        del sent["kind"], sent["redirect_uris"]
        made = await house.made(PATH, sent)
        assert (made["kind"], made["redirect_uris"]) == ("service", [])
        assert made[METHOD] == "client_secret_basic"

    async def test_a_web_application_has_a_secret_and_its_redirect_uris(self, house: House) -> None:
        made = await house.made(PATH, body("web", SITE, SITE + "2", scopes=PEOPLE))
        assert made["kind"] == "web"
        assert made["redirect_uris"] == [SITE, SITE + "2"]
        assert made["scopes"] == sorted(PEOPLE)
        assert made[METHOD] == "client_secret_basic"
        assert made["client_secret"]
        read = (await house.call("GET", f"{PATH}/{made['id']}")).json()
        assert (read["kind"], read["redirect_uris"]) == ("web", made["redirect_uris"])

    async def test_a_web_application_may_have_keys_instead(self, house: House) -> None:
        made = await house.made(PATH, body("web", SITE, **KEYS))
        assert made[METHOD] == "private_key_jwt"
        assert made["secrets"] == []

    @pytest.mark.parametrize("said", [{}, {METHOD: "none"}])
    async def test_a_native_application_has_neither_secret_nor_keys(
        self, house: House, said: dict[str, str]
    ) -> None:
        uris = (PHONE, "http://127.0.0.1/callback", "http://[::1]/callback", SITE)
        made = await house.made(PATH, body("native", *uris, scopes=PEOPLE, **said))
        assert made[METHOD] == "none"
        assert made["client_secret"] is None
        assert made["secrets"] == []
        assert made["jwks"] is None
        assert made["redirect_uris"] == list(uris)

    @pytest.mark.parametrize(
        ("kind", "method"),
        [
            ("service", "none"),
            ("web", "none"),
            ("native", "client_secret_basic"),
            ("native", "client_secret_post"),
            ("native", "private_key_jwt"),
        ],
    )
    async def test_a_method_of_another_kind_is_refused(
        self, house: House, kind: str, method: str
    ) -> None:
        uris = [] if kind == "service" else [SITE]
        sent = body(kind, *uris, **{METHOD: method})
        assert await faults(house, sent) == [(f"/{METHOD}", "method-not-of-kind")]
        with_keys = {**sent, "jwks": KEYS["jwks"]}
        assert await faults(house, with_keys) == [(f"/{METHOD}", "method-not-of-kind")]

    async def test_keys_of_a_native_application_are_refused(self, house: House) -> None:
        sent = body("native", PHONE, jwks=KEYS["jwks"])
        assert await faults(house, sent) == [("/jwks", "keys-not-used")]

    async def test_a_service_has_no_redirect_uri_and_an_application_one_at_least(
        self, house: House
    ) -> None:
        place = "/redirect_uris"
        assert await faults(house, body("service", SITE)) == [(place, "redirects-not-used")]
        for kind in ("web", "native"):
            assert await faults(house, body(kind)) == [(place, "redirects-required")]

    async def test_twenty_redirect_uris_are_taken_and_each_once(self, house: House) -> None:
        uris = [f"{SITE}/{n}" for n in range(21)]
        assert len((await house.made(PATH, body("web", *uris[:20])))["redirect_uris"]) == 20
        assert (await house.call("POST", PATH, body("web", *uris))).status_code == 422
        twice = await faults(house, body("web", SITE, PHONE, SITE))
        assert twice == [
            ("/redirect_uris/1", "redirect-not-allowed"),
            ("/redirect_uris/2", "redirect-repeated"),
        ]

    @pytest.mark.parametrize(
        "uri",
        [
            "http://app.example.com/callback",
            "https://app.example.com/callback#x",
            "https://*.example.com/callback",
            "https://app.example.com/../callback",
            "https://app.example.com\\@evil.example/",
            "https://\u0430pp.example.com/callback",
            "https://app.example.com/\ud800",
            "https://app.example.com/\x00",
            "javascript:alert(1)",
            "data:text/html,x",
            "x" * 2001,
            "",
        ],
        ids=ascii,
    )
    async def test_a_wrong_redirect_uri_is_refused_and_not_repeated(
        self, house: House, uri: str
    ) -> None:
        for kind in ("web", "native"):
            reply = await house.http.post(
                PATH,
                content=_ascii(body(kind, uri)),
                headers={
                    "Authorization": f"Bearer {await house.token(house.agency)}",
                    "Content-Type": "application/json",
                },
            )
            assert reply.status_code == 422
            assert reply.json()["errors"][0]["pointer"] == "/redirect_uris/0"
            assert not uri or uri not in reply.text

    async def test_a_developers_machine_is_a_server_in_a_sandbox_alone(
        self, house: House, database: TestDatabase
    ) -> None:
        assert (await house.made(PATH, body("web", LOCAL)))["redirect_uris"] == [LOCAL]
        async with new_world(database, kind="live") as live:
            reply = await live.admin.post(PATH, body("web", LOCAL))
            assert reply.status_code == 422
            assert reply.json()["errors"][0]["code"] == "redirect-not-allowed"
            await live.admin.made(PATH, body("native", "http://127.0.0.1/callback"))
            isv = await live.isv()
            reply = await isv.client.post(PATH, {**body("web", LOCAL), "owner": _isv(isv.id)})
            assert reply.status_code == 422
            assert reply.json()["errors"][0]["code"] == "redirect-not-allowed"

    async def test_a_staff_member_owns_services_only(self, house: House) -> None:
        member = await house.member("admin")
        owner = {"kind": "staff", "staff_id": member["id"]}
        for kind in ("web", "native"):
            sent = body(kind, SITE, owner=owner)
            assert await faults(house, sent) == [("/kind", "kind-not-of-owner")]

    async def test_an_application_asks_people_for_what_is_of_use_to_them(
        self, house: House
    ) -> None:
        isv = await house.isv("acme")
        of_isv = {"owner": _isv(isv["id"])}
        place = ("/scopes/0", "scope-not-allowed")
        await house.made(PATH, body("web", SITE, scopes=["disputes:decide", "openid"]))
        await house.made(PATH, body("web", SITE, scopes=["decisions:write", "openid"], **of_isv))
        for scope, more in (
            ("disputes:decide", of_isv),
            (SIGNALS, of_isv),
            (SIGNALS, {}),
            ("unknown:scope", {}),
        ):
            sent = body("web", SITE, scopes=[scope], **more)
            assert await faults(house, sent) == [place]

    @pytest.mark.parametrize("scope", ["openid", "profile", "email", "offline_access"])
    async def test_a_service_learns_nothing_of_people(self, house: House, scope: str) -> None:
        sent = body("service", scopes=[scope])
        assert await faults(house, sent) == [("/scopes/0", "scope-not-allowed")]

    @pytest.mark.parametrize("scope", ["openid ", "OPENID", "offline", "address", "phone", "a:b:c"])
    async def test_another_word_is_no_scope(self, house: House, scope: str) -> None:
        sent = body("web", SITE, scopes=[scope])
        assert (await house.call("POST", PATH, sent)).status_code == 422

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": "spa"},
            {"kind": None},
            {"redirect_uris": None},
            {"redirect_uris": SITE},
            {"redirect_uris": [7]},
            {METHOD: None},
            {"owner": None},
        ],
    )
    async def test_a_wrong_body_is_refused(self, house: House, change: dict[str, Any]) -> None:
        reply = await house.call("POST", PATH, body("web", SITE) | change)
        assert reply.status_code == 422

    async def test_without_an_owner_the_agency_is_asked_whose_it_is(self, house: House) -> None:
        sent = body("service")
        del sent["owner"]
        assert await faults(house, sent) == [("/owner", "owner-required")]

    async def test_the_audit_has_the_kind_and_the_redirect_uris(
        self, house: House, admin_connection: Plain
    ) -> None:
        made = await house.made(PATH, body("web", SITE))
        detail = await admin_connection.fetchval(
            "SELECT detail::text FROM agency_audit_pending"
            " WHERE object_id = $1 AND action = 'oauth_client.created'",
            made["id"],
        )
        assert SITE in detail
        assert '"web"' in detail


class TestUpdate:
    async def test_redirect_uris_are_replaced(self, house: House) -> None:
        path = f"{PATH}/{(await house.made(PATH, body('web', SITE)))['id']}"
        reply = await house.change(path, {"redirect_uris": [SITE + "2"]})
        assert reply.status_code == 200
        assert reply.headers["etag"] == '"2"'
        assert reply.json()["redirect_uris"] == [SITE + "2"]
        stale = {"If-Match": '"1"'}
        sent = {"redirect_uris": [SITE]}
        assert (await house.call("PATCH", path, sent)).status_code == 428
        assert (await house.call("PATCH", path, sent, headers=stale)).status_code == 412
        assert (await house.call("GET", path)).json()["redirect_uris"] == [SITE + "2"]

    async def test_what_may_not_be_made_may_not_become(self, house: House) -> None:
        web, native = body("web", SITE), body("native", PHONE)
        for made, change, code in (
            (web, {"redirect_uris": []}, "redirects-required"),
            (web, {"redirect_uris": [PHONE]}, "redirect-not-allowed"),
            (web, {METHOD: "none"}, "method-not-of-kind"),
            (web, {"scopes": [SIGNALS]}, "scope-not-allowed"),
            (native, {"redirect_uris": []}, "redirects-required"),
            (native, {"redirect_uris": [LOCAL]}, "redirect-not-allowed"),
            (native, {METHOD: "client_secret_basic"}, "method-not-of-kind"),
            (native, KEYS, "method-not-of-kind"),
            (native, {"jwks": KEYS["jwks"]}, "keys-not-used"),
            (body("service"), {"redirect_uris": [SITE]}, "redirects-not-used"),
            (body("service"), {METHOD: "none"}, "method-not-of-kind"),
            (body("service"), {"scopes": ["openid"]}, "scope-not-allowed"),
        ):
            path = f"{PATH}/{(await house.made(PATH, made))['id']}"
            reply = await house.change(path, change)
            assert reply.status_code == 422, change
            assert [error["code"] for error in reply.json()["errors"]] == [code]
            assert (await house.call("GET", path)).headers["etag"] == '"1"'

    @pytest.mark.parametrize("change", [{"kind": "web"}, {"redirect_uris": None}])
    async def test_the_kind_never_changes(self, house: House, change: dict[str, Any]) -> None:
        path = f"{PATH}/{(await house.made(PATH, body('native', SITE)))['id']}"
        assert (await house.change(path, change)).status_code == 422

    async def test_an_application_keeps_what_it_has_when_something_else_changes(
        self, house: House
    ) -> None:
        for sent in (body("web", SITE, **KEYS), body("native", PHONE)):
            path = f"{PATH}/{(await house.made(PATH, sent))['id']}"
            before = (await house.call("GET", path)).json()
            after = (await house.change(path, {"name": "Renamed"})).json()
            for name in ("kind", "redirect_uris", METHOD, "jwks", "scopes"):
                assert after[name] == before[name]


class TestSecrets:
    async def test_a_native_application_gets_none(self, house: House) -> None:
        made = await house.made(PATH, body("native", PHONE))
        reply = await add(house, Credentials(made["id"], ""))
        assert reply.status_code == 409
        assert reply.json()["code"] == "client-is-public"
        other = await house.made(PATH, body("service"))
        rolled = f"{PATH}/{made['id']}/secrets/{other['secrets'][0]['id']}/roll"
        reply = await house.call("POST", rolled, {"overlap": "0"})
        assert reply.status_code == 409
        assert reply.json()["code"] == "client-is-public"

    async def test_a_row_of_a_secret_lets_no_native_application_in(
        self, house: House, admin_connection: Plain
    ) -> None:
        """Whatever brought it there: the method decides."""
        client = await house.client(AGENCY, "campaigns:read")
        assert (await house.ask(client)).status_code == 200
        await admin_connection.execute(
            "UPDATE oauth_client SET kind = 'native', token_endpoint_auth_method = 'none',"
            " redirect_uris = ARRAY['com.example.app:/'] WHERE id = $1",
            decode("client", client.client_id),
        )
        # From elsewhere: whoever has just proved himself is remembered for a second.
        async with house.at("192.0.2.9") as http:
            form = {"grant_type": "client_credentials"}
            login = (client.client_id, client.client_secret)
            refused(await http.post("/oauth/token", data=form, auth=login), "invalid_client")


class TestToken:
    async def test_an_application_gets_no_token_of_its_own(self, house: House) -> None:
        made = await house.made(PATH, body("web", SITE))
        reply = await house.ask(Credentials(made["id"], made["client_secret"]))
        refused(reply, "unauthorized_client")
        native = await house.made(PATH, body("native", PHONE))
        refused(await house.ask(Credentials(native["id"], "")), "invalid_client")


class TestDelete:
    async def test_each_kind_is_deleted(self, house: House) -> None:
        for sent in (body("web", SITE), body("web", SITE, **KEYS), body("native", PHONE)):
            path = f"{PATH}/{(await house.made(PATH, sent))['id']}"
            reply = await house.call("DELETE", path, headers={"If-Match": '"1"'})
            assert reply.status_code == 204
            assert (await house.call("GET", path)).status_code == 404


def _isv(organization_id: str) -> dict[str, str]:
    return {"kind": "isv", "organization_id": organization_id}


def _ascii(sent: dict[str, Any]) -> bytes:
    # A lone surrogate cannot be sent but as an escape.
    return json.dumps(sent).encode()
