"""What the server says of itself."""

import pytest

from tests.oauth.house import ISSUER, House

PATHS = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]


class TestMetadata:
    @pytest.mark.parametrize("path", PATHS)
    async def test_it_names_what_exists_from_the_configured_issuer(
        self, house: House, path: str
    ) -> None:
        headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
        reply = await house.http.get(path, headers=headers)
        assert reply.status_code == 200
        body = reply.json()
        assert body["issuer"] == ISSUER
        assert "evil" not in reply.text
        assert body["response_types_supported"] == ["code"]
        assert body["response_modes_supported"] == ["query"]
        assert body["grant_types_supported"] == [
            "authorization_code",
            "client_credentials",
            "refresh_token",
        ]
        assert body["code_challenge_methods_supported"] == ["S256"]
        assert body["authorization_response_iss_parameter_supported"] is True
        assert body["id_token_signing_alg_values_supported"] == ["ES256"]
        assert body["subject_types_supported"] == ["public"]
        assert "none" in body["token_endpoint_auth_methods_supported"]
        assert "none" not in body["introspection_endpoint_auth_methods_supported"]
        assert {"openid", "usage:read"} <= set(body["scopes_supported"])
        for unsupported in ("request", "request_uri", "claims"):
            assert body[f"{unsupported}_parameter_supported"] is False

    async def test_every_endpoint_that_it_names_answers(self, house: House) -> None:
        body = (await house.http.get(PATHS[0])).json()
        named = {name for name in body if name.endswith("_endpoint") or name == "jwks_uri"}
        assert len(named) >= 6
        for name in named:
            assert body[name].startswith(ISSUER)
            reply = await house.http.request("OPTIONS", body[name].removeprefix(ISSUER))
            assert reply.status_code == 405, name

    async def test_the_api_says_who_issues_its_tokens(self, house: House) -> None:
        body = (await house.http.get("/.well-known/oauth-protected-resource")).json()
        assert body["resource"] == ISSUER
        assert body["authorization_servers"] == [ISSUER]
        assert body["bearer_methods_supported"] == ["header"]
        assert "openid" not in body["scopes_supported"]

    async def test_a_missing_scope_is_told_with_the_place(self, house: House) -> None:
        token = await house.token(house.agency, scope="tenants:manage")
        headers = {"Authorization": f"Bearer {token}"}
        reply = await house.http.get("/v1/oauth-clients", headers=headers)
        assert reply.status_code == 403
        assert reply.headers["www-authenticate"] == (
            'Bearer error="insufficient_scope", scope="clients:manage",'
            f' resource_metadata="{ISSUER}/.well-known/oauth-protected-resource"'
        )
