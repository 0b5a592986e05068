"""The commands in process: what they print, and their exit codes."""

import socket
from typing import Any

import pytest

from flatbed.tenants.kit.database.urls import with_database
from flatbed.tenants.kit.ids import uuid7
from tests.cli.shell import Shell, parsed
from tests.support.postgres import TestDatabase


class TestRealmCreate:
    @pytest.mark.parametrize("kind", ["live", "sandbox"])
    def test_a_realm_is_made_and_its_secret_shown(self, shell: Shell, kind: str) -> None:
        slug = f"cli-{uuid7().hex[-12:]}"
        made = parsed(shell.run("realm", "create", slug, "--name", "A", "--kind", kind, "--json"))
        assert (made["slug"], made["kind"]) == (slug, kind)
        assert made["realm"].startswith("realm_")
        assert made["client_id"].startswith("client_")
        assert len(made["client_secret"]) > 40
        again = shell.run("realm", "create", slug, "--name", "A")
        assert again.exit_code == 3
        assert "slug is taken" in again.stderr

    @pytest.mark.parametrize(
        ("slug", "name"), [("BAD slug", "A"), ("a/b", "A"), ("-a", "A"), ("fine", " "), ("", "A")]
    )
    def test_a_slug_or_name_that_is_none_is_refused(
        self, shell: Shell, slug: str, name: str
    ) -> None:
        result = shell.run("realm", "create", "--name", name, "--", slug)
        assert result.exit_code == 3
        assert "slug or name is not usable" in result.stderr

    def test_another_secret_than_the_databases_makes_nothing(self, shell: Shell) -> None:
        parsed(shell.run("realm", "create", f"cli-{uuid7().hex[-12:]}", "--name", "A", "--json"))
        slug = f"cli-{uuid7().hex[-12:]}"
        for words in (("realm", "create", slug, "--name", "A"), ("serve",), ("worker",)):
            result = shell.run(*words, FLATBED_SECRET_KEY="another secret of 32 bytes or more")
            assert result.exit_code == 3
            assert "FLATBED_SECRET_KEY is not the one" in result.stderr
        parsed(shell.run("realm", "create", slug, "--name", "A", "--json"))

    def test_a_database_that_is_not_migrated_is_told(
        self, shell: Shell, database: TestDatabase
    ) -> None:
        url = with_database(database.app_url, "postgres")
        result = shell.run("realm", "create", "a", "--name", "A", FLATBED_DATABASE_URL=url)
        assert result.exit_code == 3
        assert "flatbed db status" in result.stderr


class TestDatabaseStatus:
    def test_a_database_at_head_is_so(self, shell: Shell) -> None:
        found = parsed(shell.run("db", "status", "--json"))
        assert found["at_head"] is True
        assert found["revision"] == found["head"]

    def test_an_address_that_is_none_or_answers_not_is_told(self, shell: Shell) -> None:
        for url in (
            "nonsense",
            "mysql://a@127.0.0.1/x",
            "postgresql://a@127.0.0.1:port/x",
            "postgresql://a@127.0.0.1:1/x",
        ):
            result = shell.run("db", "status", FLATBED_OWNER_DATABASE_URL=url)
            assert result.exit_code == 3, url
            assert result.stderr.strip(), url
            assert "Traceback" not in result.output


class TestServe:
    """The program refuses to start as owner, superuser or with BYPASSRLS, and says why."""

    @pytest.mark.parametrize(
        "command",
        [
            ("serve", "--port", "1"),
            ("worker",),
            ("jobs", "dead"),
            ("jobs", "revive"),
            ("keys", "list"),
            ("keys", "rotate"),
            ("verify", "ledger"),
            ("verify", "audit"),
        ],
        ids=" ".join,
    )
    def test_an_unsafe_role_is_named(
        self, shell: Shell, database: TestDatabase, command: tuple[str, ...]
    ) -> None:
        for url, why in (
            (database.owner_url, "owns tables or the database"),
            (database.admin_url, "is a superuser"),
        ):
            result = shell.run(*command, FLATBED_DATABASE_URL=url)
            assert result.exit_code == 3
            assert why in result.stderr
            assert "serves http" not in result.stderr

    def test_a_weak_or_missing_secret_is_named(self, shell: Shell) -> None:
        for secret in ("short", None):
            env: dict[str, Any] = {"FLATBED_SECRET_KEY": secret}
            result = shell.run("serve", **env)
            assert result.exit_code == 3
            assert "FLATBED_SECRET_KEY" in result.stderr

    def test_a_port_that_is_taken_is_named(self, shell: Shell) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            result = shell.run("serve", "--port", port)
        assert result.exit_code == 3
        assert f"cannot listen on 127.0.0.1:{port}" in result.stderr


class TestSettings:
    """A wrong setting is named in one line, without its value."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("FLATBED_METRICS_TOKEN", "hush-canary"),
            ("FLATBED_POOL_SIZE", "hush-canary"),
            ("FLATBED_POOL_SIZE", "91919191"),
            ("FLATBED_DRAIN_SECONDS", "-91919191"),
            ("FLATBED_ADMISSION_SECONDS", "hush-canary"),
        ],
    )
    @pytest.mark.parametrize(
        "words",
        [
            ("serve", "--port", "1"),
            ("worker",),
            ("db", "status"),
            ("db", "migrate"),
            ("realm", "create", "a", "--name", "A"),
            ("verify", "ledger"),
            ("jobs", "dead"),
            ("demo", "play"),
        ],
    )
    def test_it_is_named_and_the_command_ends(
        self, shell: Shell, words: tuple[str, ...], name: str, value: str
    ) -> None:
        result = shell.run(*words, **{name: value})
        assert result.exit_code == 3, result.output
        assert result.stderr.startswith(f"{name}: "), result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert value.strip("-") not in result.output
        assert result.stdout == ""

    def test_all_that_are_wrong_are_named_at_once(self, shell: Shell) -> None:
        result = shell.run("serve", FLATBED_POOL_SIZE="0", FLATBED_POOL_SECONDS="x")
        assert result.exit_code == 3
        assert "FLATBED_POOL_SIZE: " in result.stderr
        assert "; FLATBED_POOL_SECONDS: " in result.stderr
