"""flatbed clients: what an operator does to clients and their secrets."""

import json
from pathlib import Path
from typing import Any

import pytest

from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.oauth.clients.secrets import well_formed
from tests.cli.shell import Shell, parsed
from tests.oauth.signing import new_key, public


@pytest.fixture
def realm(shell: Shell) -> str:
    slug = f"cli-{uuid7().hex[-12:]}"
    parsed(shell.run("realm", "create", slug, "--name", "A", "--json"))
    return slug


def made(shell: Shell, realm: str, *more: str) -> dict[str, Any]:
    words = ("clients", "create", "An integration", "--realm", realm, "--json")
    return parsed(shell.run(*words, "--scope", "tenants:manage", *more))


class TestClients:
    def test_one_is_made_listed_disabled_and_deleted(self, shell: Shell, realm: str) -> None:
        client = made(shell, realm, "--allow", "192.0.2.0/24")
        assert well_formed(client["client_secret"])
        assert client["allowed_cidrs"] == ["192.0.2.0/24"]
        listed = parsed(shell.run("clients", "list", "--realm", realm, "--json"))["clients"]
        assert {one["name"] for one in listed} == {"Administration", "An integration"}
        assert client["client_secret"] not in json.dumps(listed)
        off = parsed(shell.run("clients", "disable", client["id"], "--json"))
        assert off == {"id": client["id"], "active": False}
        plain = shell.run("clients", "list", "--realm", realm)
        assert f"{client['id']} disabled service client_secret_basic An integration" in plain.stdout
        parsed(shell.run("clients", "delete", client["id"], "--json"))
        again = shell.run("clients", "delete", client["id"])
        assert again.exit_code == 3
        assert "Not found" in again.stderr
        listed = parsed(shell.run("clients", "list", "--realm", realm, "--json"))["clients"]
        assert [one["name"] for one in listed] == ["Administration"]

    def test_one_with_keys_has_no_secret(self, shell: Shell, realm: str, tmp_path: Path) -> None:
        file = tmp_path / "keys.json"
        file.write_text(json.dumps({"keys": [public(new_key())]}))
        client = made(shell, realm, "--jwks", str(file))
        assert client["client_secret"] is None
        assert client["token_endpoint_auth_method"] == "private_key_jwt"
        result = shell.run("clients", "secret", "create", client["id"], "--label", "x")
        assert result.exit_code == 3
        assert "signs in with its own keys" in result.stderr

    def test_an_application_has_a_kind_and_redirect_uris(self, shell: Shell, realm: str) -> None:
        uris = ("com.example.app:/callback", "http://127.0.0.1/callback")
        words = ("clients", "create", "App", "--realm", realm, "--scope", "openid")
        native = ("--kind", "native", "--redirect-uri", uris[0], "--redirect-uri", uris[1])
        client = parsed(shell.run(*words, *native, "--json"))
        assert client["redirect_uris"] == list(uris)
        assert client["client_secret"] is None
        plain = shell.run("clients", "list", "--realm", realm)
        assert f"{client['id']} active native none App" in plain.stdout
        secret = shell.run("clients", "secret", "create", client["id"], "--label", "x")
        assert secret.exit_code == 3
        assert "A native client has no secret" in secret.stderr
        web = ("--kind", "web", "--redirect-uri")
        assert parsed(shell.run(*words, *web, "https://a.example/cb", "--json"))["client_secret"]
        wrong = shell.run(*words, *web, "http://a.example/cb")
        assert wrong.exit_code == 3
        assert "/redirect_uris/0" in wrong.stderr
        assert shell.run(*words, "--kind", "web").exit_code == 3
        assert shell.run(*words, "--kind", "spa").exit_code == 2

    def test_one_is_changed_shown_and_switched_on_again(self, shell: Shell, realm: str) -> None:
        client = made(shell, realm, "--allow", "192.0.2.0/24")
        words = ("clients", "update", client["id"])
        changed = parsed(
            shell.run(*words, "--scope", "clients:manage", "--scope", "tenants:manage", "--json")
        )
        assert changed["scopes"] == ["clients:manage", "tenants:manage"]
        assert (changed["name"], changed["allowed_cidrs"]) == ("An integration", ["192.0.2.0/24"])
        changed = parsed(shell.run(*words, "--name", "Ours", "--allow", "all", "--json"))
        assert (changed["name"], changed["allowed_cidrs"]) == ("Ours", [])
        assert changed["scopes"] == ["clients:manage", "tenants:manage"]
        parsed(shell.run("clients", "disable", client["id"], "--json"))
        assert parsed(shell.run("clients", "show", client["id"], "--json"))["active"] is False
        on = parsed(shell.run("clients", "enable", client["id"], "--json"))
        assert on == {"id": client["id"], "active": True}
        plain = shell.run("clients", "show", client["id"])
        assert "scopes: clients:manage tenants:manage" in plain.stdout
        [secret] = client["secrets"]
        assert f"secret: {secret['id']} …{client['client_secret'][-4:]} until" in plain.stdout
        assert client["client_secret"] not in plain.stdout

    def test_what_may_not_be_changed_so_is_told(self, shell: Shell, realm: str) -> None:
        client = made(shell, realm)
        words = ("clients", "update", client["id"])
        wrong = shell.run(*words, "--scope", "decisions:write")
        assert wrong.exit_code == 3
        assert "/scopes/0" in wrong.stderr
        assert shell.run(*words, "--redirect-uri", "https://a.example/cb").exit_code == 3
        assert shell.run(*words, "--allow", "10.0.0.1/8").exit_code == 2
        for word in ("show", "update", "enable"):
            assert shell.run("clients", word, encode("client", uuid7())).exit_code == 3
        assert parsed(shell.run("clients", "show", client["id"], "--json"))["scopes"] == [
            "tenants:manage"
        ]

    def test_what_is_wrong_is_told(self, shell: Shell, realm: str, tmp_path: Path) -> None:
        words = ("clients", "create", "A", "--realm", realm, "--scope")
        wrong = shell.run(*words, "decisions:write")
        assert wrong.exit_code == 3
        assert "/scopes/0" in wrong.stderr
        assert shell.run(*words, "usage:read", "--allow", "10.0.0.1/8").exit_code == 2
        file = tmp_path / "keys.json"
        file.write_text("not JSON")
        assert shell.run(*words, "usage:read", "--jwks", str(file)).exit_code == 2
        nowhere = ("clients", "list", "--realm", "nowhere")
        assert shell.run(*nowhere).exit_code == 3
        assert shell.run("clients", "delete", "client_x").exit_code == 2
        assert shell.run("clients", "delete", encode("client", uuid7())).exit_code == 3

    def test_a_private_key_in_the_file_is_refused_and_not_shown(
        self,
        shell: Shell,
        realm: str,
        tmp_path: Path,
    ) -> None:
        key = new_key()
        private = str(key.as_dict(private=True)["d"])
        file = tmp_path / "keys.json"
        file.write_text(json.dumps({"keys": [{**public(key), "d": private}]}))
        words = ("clients", "create", "A", "--realm", realm, "--scope", "usage:read")
        result = shell.run(*words, "--jwks", str(file))
        assert result.exit_code == 2
        assert private not in result.output


class TestSecrets:
    def test_one_is_made_rolled_and_revoked(self, shell: Shell, realm: str) -> None:
        client = made(shell, realm)
        words = ("clients", "secret")
        second = parsed(
            shell.run(*words, "create", client["id"], "--label", "x", "--days", "9", "--json")
        )
        assert well_formed(second["client_secret"])
        third = shell.run(*words, "create", client["id"], "--label", "y")
        assert third.exit_code == 3
        assert "two live secrets" in third.stderr
        rolled = parsed(
            shell.run(*words, "roll", client["id"], second["id"], "--overlap", "0", "--json")
        )
        assert rolled["label"] == "x"
        assert rolled["client_secret"] != second["client_secret"]
        assert shell.run(*words, "roll", client["id"], second["id"]).exit_code == 3
        parsed(shell.run(*words, "revoke", client["id"], rolled["id"], "--json"))
        assert shell.run(*words, "revoke", client["id"], rolled["id"]).exit_code == 3
        strange = shell.run(*words, "roll", client["id"], rolled["id"], "--overlap", "2h")
        assert strange.exit_code == 2

    def test_a_secret_is_printed_once_and_never_logged(self, shell: Shell, realm: str) -> None:
        client = made(shell, realm)
        result = shell.run("clients", "secret", "create", client["id"], "--label", "x", "--json")
        text = parsed(result)["client_secret"]
        assert result.stdout.count(text) == 1
        assert text not in result.stderr
