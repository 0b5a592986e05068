"""``flatbed keys``: what is listed, rotated and revoked, and that nothing private is printed."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest_asyncio
from typer.testing import CliRunner, Result

from flatbed.app.cli.main import app
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.urls import Plain
from tests.api.support import SECRET
from tests.cli.logs import kept_logs
from tests.support.postgres import TestDatabase

OLDER = "UPDATE signing_key SET created_at = created_at - interval '24 hours' WHERE state = 'next'"


class Desk:
    """The command on a deployment without keys."""

    def __init__(self, database: TestDatabase, admin: Plain) -> None:
        self.database = database
        self.admin = admin
        self.printed = ""

    async def run(self, *words: str, **more: str) -> Result:
        env = {"FLATBED_DATABASE_URL": self.database.app_url, "FLATBED_SECRET_KEY": SECRET, **more}
        told = ["keys", *words]
        done = await asyncio.to_thread(lambda: CliRunner().invoke(app, told, env=env))
        self.printed += done.output
        return done

    async def json(self, *words: str) -> dict[str, Any]:
        done = await self.run(*words, "--json")
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest_asyncio.fixture
async def desk(database: TestDatabase, admin_connection: Plain) -> AsyncIterator[Desk]:
    await admin_connection.execute("DELETE FROM signing_key")
    with kept_logs():
        yield Desk(database, admin_connection)
    await admin_connection.execute("DELETE FROM signing_key")


class TestRotate:
    async def test_it_says_from_when_the_next_key_may_sign_and_then_lets_it(
        self, desk: Desk
    ) -> None:
        first = await desk.json("rotate")
        assert (first["rotated"], first["retired"], first["revoked"]) == (False, None, [])
        made = await desk.admin.fetchval("SELECT created_at FROM signing_key WHERE state = 'next'")
        may_sign = datetime.fromisoformat(first["next_may_sign_from"])
        assert may_sign == made + timedelta(hours=24)
        await desk.admin.execute(OLDER)
        done = await desk.json("rotate")
        assert (done["rotated"], done["retired"]) == (True, first["active"])
        assert done["active"] == first["next"]
        assert done["next"] not in first.values()

    async def test_a_compromised_key_is_replaced_and_taken_away_at_once(self, desk: Desk) -> None:
        first = await desk.json("rotate")
        done = await desk.json("rotate", "--now", "--revoke", first["active"])
        assert (done["retired"], done["revoked"]) == (first["active"], [first["active"]])
        assert done["active"] == first["next"]

    async def test_now_does_not_wait_and_keeps_the_old_key_verifying(self, desk: Desk) -> None:
        first = await desk.json("rotate")
        done = await desk.json("rotate", "--now")
        assert (done["rotated"], done["retired"]) == (True, first["active"])
        [old] = [k for k in (await desk.json("list"))["keys"] if k["kid"] == first["active"]]
        assert (old["state"], old["published"], old["revoked_at"]) == ("retired", True, None)

    async def test_a_kid_that_is_not_there_is_told_and_nothing_done(self, desk: Desk) -> None:
        before = await desk.json("rotate")
        done = await desk.run("rotate", "--now", "--revoke", "nobody")
        assert done.exit_code == 3
        assert "no signing key is called nobody" in done.stderr
        assert (await desk.json("rotate"))["active"] == before["active"]

    async def test_another_secret_rotates_nothing(self, desk: Desk) -> None:
        await desk.json("rotate")
        before = await desk.json("list")
        other = "another secret of 32 bytes or more"
        done = await desk.run("rotate", "--now", FLATBED_SECRET_KEY=other)
        assert done.exit_code == 3
        assert "FLATBED_SECRET_KEY is not the one" in done.stderr
        assert await desk.json("list") == before

    async def test_a_period_that_is_none_is_told(self, desk: Desk) -> None:
        done = await desk.run("list", FLATBED_SIGNING_KEY_DAYS="0")
        assert "FLATBED_SIGNING_KEY_DAYS" in f"{done.output}{done.exception}"
        assert done.exit_code != 0


class TestList:
    async def test_it_makes_none(self, desk: Desk) -> None:
        assert await desk.json("list") == {"keys": []}
        assert await desk.json("list") == {"keys": []}

    async def test_every_key_is_shown_with_its_instants_the_active_one_first(
        self, desk: Desk
    ) -> None:
        first = await desk.json("rotate")
        await desk.json("rotate", "--now", "--revoke", first["active"])
        active, gone, following = (await desk.json("list"))["keys"]
        assert [one["state"] for one in (active, gone, following)] == ["active", "retired", "next"]
        assert set(active) == {
            "kid",
            "state",
            "published",
            "created_at",
            "activated_at",
            "retired_at",
            "revoked_at",
        }
        assert gone["kid"] == first["active"]
        assert gone["published"] is False
        assert gone["retired_at"] == gone["revoked_at"] == active["activated_at"]
        shown = await desk.run("list")
        assert shown.exit_code == 0
        lines = shown.stdout.splitlines()
        assert lines[0].startswith(f"kid={active['kid']} state=active published=True created_at=")
        assert "retired_at" not in lines[0]
        assert len(lines) == 3

    async def test_no_private_part_is_ever_printed(self, desk: Desk) -> None:
        first = await desk.json("rotate")
        box = Keyring(SECRET.encode()).box("signing-key")
        boxes = "SELECT private_box FROM signing_key WHERE private_box IS NOT NULL"
        rows = [row["private_box"] for row in await desk.admin.fetch(boxes)]
        await desk.run("rotate", "--now", "--revoke", first["active"])
        await desk.run("list")
        await desk.json("list")
        assert first["active"] in desk.printed
        assert len(rows) == 2
        for row in rows:
            assert json.loads(box.decrypt(row))["d"] not in desk.printed
            assert row.decode() not in desk.printed
