"""Secrets, assertions, codes and tokens get into no log, no row, no refusal, and out once only."""

from typing import Any

import pytest

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.oauth import authentication
from flatbed.tenants.oauth.grants.redeeming import secrets
from tests.oauth.grants.conftest import Case
from tests.oauth.grants.folk import VERIFIER
from tests.oauth.house import Credentials, House
from tests.oauth.signing import Signer
from tests.support.canaries import Canaries

pytestmark = pytest.mark.own_database

CLIENTS = "/v1/oauth-clients"
TOKENS = ("access_token", "refresh_token", "id_token")


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


async def _of_clients(house: House, canaries: Canaries) -> None:
    """A secret is made, shown, shown no more, used, rolled, mistyped and revoked."""
    body = {"name": "A client", "owner": {"kind": "agency"}, "scopes": ["audit:read"]}
    key = {"Idempotency-Key": uuid7().hex}
    made = (await house.call("POST", CLIENTS, body, headers=key)).json()
    secret = canaries.plant("secret", made["client_secret"])
    again = (await house.call("POST", CLIENTS, body, headers=key)).json()
    assert (again["id"], again["client_secret"]) == (made["id"], None)
    place = f"{CLIENTS}/{made['id']}"
    read = await house.call("GET", place)
    assert secret not in read.text
    canaries.plant("token", await house.token(Credentials(made["client_id"], secret)))
    rolling = f"{place}/secrets/{read.json()['secrets'][0]['id']}/roll"
    key = {"Idempotency-Key": uuid7().hex}
    rolled = await house.call("POST", rolling, {"overlap": "1h"}, headers=key)
    canaries.plant("rolled secret", rolled.json()["client_secret"])
    again = await house.call("POST", rolling, {"overlap": "1h"}, headers=key)
    assert again.json()["client_secret"] is None
    wrong = canaries.plant("wrong secret", f"{secret[:-8]}mistyped")
    assert (await house.ask(Credentials(made["client_id"], wrong))).status_code == 401
    sent = {"grant_type": "client_credentials", "client_id": made["id"], "client_secret": secret}
    assert (await house.http.post(f"/oauth/token?client_secret={secret}", data=sent)).is_error


async def _of_people(case: Case, canaries: Canaries) -> None:
    """A code is redeemed, sent again; tokens are used, refreshed, shown, and refused."""
    folk, application = case.folk, case.application
    kind = application.redirect_uri
    if application.secret:
        canaries.plant(f"application's secret {kind}", application.secret)
    code = canaries.plant(f"code {kind}", await case.code())
    told = (await folk.redeem(application, code)).json()
    told["refresh_token"] = told.get("refresh_token") or await case.refresh_token()
    for name in TOKENS:
        canaries.plant(f"{name} {kind}", told[name])
    refreshed = (await folk.refresh(application, told["refresh_token"])).json()
    canaries.plant(f"next access token {kind}", refreshed["access_token"])
    assert (await folk.whoami(refreshed["access_token"])).status_code == 200
    assert (await folk.whoami(told["id_token"])).status_code == 401
    shown = {"token": refreshed["access_token"]}
    await folk.post("/oauth/introspect", application, shown)
    wrong = canaries.plant(f"wrong verifier {kind}", "w" * 43)
    assert (await folk.redeem(application, code, code_verifier=wrong)).status_code == 400
    assert (await folk.whoami(refreshed["access_token"])).status_code == 401
    assert (await folk.refresh(application, told["refresh_token"])).status_code == 400
    assert (await folk.post("/oauth/revoke", application, shown)).status_code == 200


class TestFlows:
    async def test_no_secret_of_a_client_and_no_token_is_logged_stored_or_repeated(
        self,
        house: House,
        web: Case,
        native: Case,
        signer: Signer,
        canaries: Canaries,
        admin_connection: Plain,
    ) -> None:
        canaries.plant("verifier", VERIFIER)
        canaries.plant("private key", str(signer.key.as_dict(private=True)["d"]))
        with canaries.listening(house.http):
            await _of_clients(house, canaries)
            for case in (web, native):
                await _of_people(case, canaries)
            assertion = canaries.plant("assertion", signer.assertion())
            assert (await signer.ask(assertion)).status_code == 200
            assert (await signer.ask(assertion)).status_code == 401
        assert len(canaries.secrets) > 18
        assert sum("/oauth/token" in line for line in canaries.logged) > 10
        assert len(canaries.answered) >= 10
        assert canaries.in_logs() == []
        assert canaries.in_answers() == []
        assert await canaries.in_rows(admin_connection) == {}

    async def test_nor_by_an_error_that_nobody_foresaw(
        self,
        house: House,
        web: Case,
        canaries: Canaries,
        admin_connection: Plain,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Each error's text is made of what must not get out."""

        def digest(_: Any, __: str, text: str) -> bytes:
            raise RuntimeError(f"no digest of {text}")

        def matching(_: Any, secret: str, stored: Any) -> int:
            raise ValueError(f"{secret} is none of {stored}")

        secret = canaries.plant("secret", web.application.secret)
        code = canaries.plant("code", await web.code())
        with canaries.listening(house.http):
            with monkeypatch.context() as patch:
                patch.setattr(secrets, "digest", digest)
                assert (await web.folk.redeem(web.application, code)).status_code == 500
            with monkeypatch.context() as patch:
                patch.setattr(authentication, "matching", matching)
                reply = await house.ask(Credentials(web.application.client_id, secret))
                assert reply.status_code == 500
        assert sum("unhandled" in line for line in canaries.logged) == 2
        assert canaries.in_logs() == []
        assert canaries.in_answers() == []
        assert await canaries.in_rows(admin_connection) == {}
