"""The mails that the worker sends: once at least, only while they are true, and without a trace."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.failpoints import EXIT_CODE
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs import runner
from flatbed.tenants.kit.jobs.runner import run_jobs
from flatbed.tenants.mail.errors import MailError, MailRefused, MailUnavailable
from flatbed.tenants.mail.port import Message, Notice
from flatbed.tenants.people.acceptance import Joined
from flatbed.tenants.people.invitations.issuing import SEND_JOB
from flatbed.tenants.people.links import PASSWORD_RESET, link
from flatbed.tenants.people.mailing.jobs import NOTICE_JOBS, RESET_JOB, mail_notice, mail_reset
from flatbed.tenants.people.mailing.postman import Postman
from flatbed.tenants.people.models import PasswordReset
from tests.api.support import BASE_URL, SECRET, World
from tests.people.door import CALLER, Door, fresh_address
from tests.support.postgres import TestDatabase

WORKER = """
import asyncio
from flatbed.app.wiring import build
from flatbed.tenants.kit.failpoints import arm
from flatbed.tenants.kit.jobs.runner import run_jobs
from flatbed.tenants.kit.settings import KernelSettings

async def main():
    program = build(KernelSettings())
    jobs = {"send_invitation": program.jobs["send_invitation"]}
    await run_jobs(program.database_url, jobs, asyncio.Event(), drain=True)

arm()
asyncio.run(main())
"""
SHORT_LEASE = timedelta(seconds=1)


@dataclass
class Letterbox:
    """A way out for mail that keeps what it was given, and fails as often as it is told."""

    failures: list[Exception] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append(message)

    def to(self, email: str) -> list[Message]:
        return [one for one in self.messages if one.to == email]


@dataclass
class Office:
    """A worker with a letterbox; jobs that earlier tests left in the database are dropped."""

    world: World
    admin: Plain
    box: Letterbox = field(default_factory=Letterbox)

    async def work_off(self, *, lease: timedelta = runner.LEASE) -> None:
        program = self.world.program
        postman = Postman(program.database, program.keyring, self.box, BASE_URL)
        running = run_jobs(
            program.database_url, postman.jobs, asyncio.Event(), drain=True, lease=lease
        )
        await asyncio.wait_for(running, 30)


@pytest.fixture
async def office(world: World, admin_connection: Plain, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(runner, "FIRST_PAUSE", timedelta(milliseconds=1))
    monkeypatch.setattr(runner, "POLL", timedelta(milliseconds=50))
    monkeypatch.setattr(MailError, "first_pause", timedelta(milliseconds=1))
    await admin_connection.execute("DELETE FROM pgqueuer WHERE entrypoint LIKE 'send_%'")
    return Office(world, admin_connection)


class TestInvitation:
    async def test_the_link_of_the_mail_opens_the_invitation(
        self, world: World, door: Door, office: Office
    ) -> None:
        isv = await world.isv(name="Northwind Software", country="US")
        made = await door.invited(isv)
        await office.work_off()
        [mail] = office.box.to(made["email"])
        assert (mail.kind, mail.language) == ("invitation", "en")
        assert "Northwind Software" in mail.subject
        [line] = [one for one in mail.text.splitlines() if one.startswith("http")]
        assert line.startswith(f"{BASE_URL}/invitations/inv_")
        assert isinstance(await door.enter(line.rpartition("/")[2]), Joined)

    @pytest.mark.parametrize(("country", "language"), [("DE", "de"), ("CH", "de"), ("FR", "en")])
    async def test_it_is_in_the_language_of_the_isvs_country(
        self, world: World, door: Door, office: Office, country: str, language: str
    ) -> None:
        made = await door.invited(await world.isv(country=country))
        await office.work_off()
        assert [one.language for one in office.box.to(made["email"])] == [language]

    async def test_who_has_an_account_reads_his_own_language(
        self, world: World, door: Door, office: Office
    ) -> None:
        first, _ = await door.joined(await world.isv())
        await door.invited(await world.isv(country="US"), email=first["email"])
        await office.work_off()
        assert office.box.to(first["email"])[-1].language == "de"

    async def test_staff_are_invited_by_the_agency(self, world: World, office: Office) -> None:
        body = {"name": "Lee Roe", "email": fresh_address(), "role": "admin"}
        made = await world.admin.made("/v1/staff", body)
        await world.admin.made(f"/v1/staff/{made['id']}/invitation")
        await office.work_off()
        [mail] = office.box.to(made["email"])
        assert "Test agency" in mail.subject

    @pytest.mark.parametrize(
        "what",
        [
            "revoked_at = now()",
            "accepted_at = now()",
            "expires_at = now() - interval '1 second'",
        ],
    )
    async def test_one_that_is_over_is_not_mailed(
        self, world: World, door: Door, office: Office, what: str
    ) -> None:
        made = await door.invited(await world.isv())
        await office.admin.execute(f"UPDATE invitation SET {what} WHERE email = $1", made["email"])
        await office.work_off()
        assert office.box.messages == []

    async def test_sent_anew_the_older_mail_stays_away(
        self, world: World, door: Door, office: Office
    ) -> None:
        isv = await world.isv()
        made = await door.invited(isv)
        await isv.client.made(f"/v1/members/{made['id']}/invitation")
        await office.work_off()
        [mail] = office.box.to(made["email"])
        assert await door.token(made["email"]) in mail.text

    async def test_who_was_switched_off_meanwhile_gets_none(
        self, world: World, door: Door, office: Office
    ) -> None:
        isv = await world.isv()
        made = await door.invited(isv)
        changed = await isv.client.patch(f"/v1/members/{made['id']}", {"active": False}, version=1)
        assert changed.is_success
        await office.work_off()
        assert office.box.messages == []


class TestFailing:
    async def test_a_server_that_is_away_is_asked_again(
        self, world: World, door: Door, office: Office
    ) -> None:
        office.box.failures = [MailUnavailable("smtp-421"), MailUnavailable("timeout")]
        made = await door.invited(await world.isv())
        with capture_logs() as logs:
            await office.work_off()
        assert len(office.box.to(made["email"])) == 1
        told = [one for one in logs if one["event"] == "mail_failed"]
        assert [(one["kind"], one["code"], one["final"]) for one in told] == [
            ("invitation", "smtp-421", False),
            ("invitation", "timeout", False),
        ]

    async def test_it_is_left_alone_for_a_minute_first(
        self, world: World, door: Door, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who does not know us lets us in after some minutes (greylisting)."""
        monkeypatch.undo()
        office.box.failures = [MailUnavailable("smtp-451")]
        await door.invited(await world.isv())
        with suppress(TimeoutError):
            await asyncio.wait_for(office.work_off(), 4)
        assert (office.box.failures, office.box.messages) == ([], [])
        left = "SELECT execute_after - now() FROM pgqueuer WHERE entrypoint = $1"
        pause = await office.admin.fetchval(left, SEND_JOB)
        assert timedelta(seconds=45) < pause <= timedelta(minutes=1)

    async def test_an_address_that_is_refused_is_not_tried_again_nor_named(
        self, world: World, door: Door, office: Office
    ) -> None:
        office.box.failures = [MailRefused("smtp-550")]
        made = await door.invited(await world.isv())
        with capture_logs() as logs:
            await office.work_off()
        assert office.box.messages == []
        left = "SELECT count(*) FROM pgqueuer WHERE entrypoint = $1"
        assert await office.admin.fetchval(left, SEND_JOB) == 0
        [failed] = [one for one in logs if one["event"] == "mail_failed"]
        assert (failed["code"], failed["final"]) == ("smtp-550", True)
        assert made["email"] not in str(logs)

    async def test_neither_queue_nor_its_log_holds_an_address_or_a_link(
        self, world: World, door: Door, office: Office
    ) -> None:
        office.box.failures = [MailUnavailable("smtp-421")]
        made = await door.invited(await world.isv())
        seal = (await door.token(made["email"])).partition(".")[2]
        jobs = "SELECT convert_from(payload, 'UTF8') AS text FROM pgqueuer"
        kept = str([dict(row) for row in await office.admin.fetch(jobs)])
        with capture_logs() as logs:
            await office.work_off()
        log = "SELECT traceback::text FROM pgqueuer_log"
        kept += str([dict(row) for row in await office.admin.fetch(log)]) + str(logs)
        assert str(world.realm_id) in kept
        assert "MailUnavailable" in kept
        assert made["email"] not in kept
        assert seal not in kept


def written(folder: Path) -> list[str]:
    """To whom the mails of an outbox are."""
    files = folder.glob("*.eml")
    return [message_from_bytes(one.read_bytes(), policy=policy.default)["To"] for one in files]


class TestKilled:
    @pytest.mark.parametrize(("where", "mails"), [("job.taken", 1), ("job.done", 2)])
    async def test_a_worker_that_is_killed_before_or_after_the_mail_loses_none(
        self,
        world: World,
        door: Door,
        office: Office,
        database: TestDatabase,
        tmp_path: Path,
        where: str,
        mails: int,
    ) -> None:
        made = await door.invited(await world.isv())

        async def worker(**more: str) -> int:
            kept = {n: t for n, t in os.environ.items() if not n.startswith("FLATBED_")}
            ours = {
                "FLATBED_DATABASE_URL": database.app_url,
                "FLATBED_SECRET_KEY": SECRET,
                "FLATBED_PUBLIC_URL": BASE_URL,
                "FLATBED_MAIL_OUTBOX": str(tmp_path),
            }
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", WORKER, env={**kept, **ours, **more}
            )
            return await asyncio.wait_for(process.wait(), 60)

        assert await worker(FLATBED_FAILPOINTS=f"{where}=exit") == EXIT_CODE
        await asyncio.sleep(SHORT_LEASE.total_seconds() * 1.5)
        await office.work_off(lease=SHORT_LEASE)
        sent = written(tmp_path)
        assert set(sent) <= {made["email"]}
        assert len(sent) + len(office.box.to(made["email"])) == mails


async def ask(world: World, user_id: UUID, **more: Any) -> UUID:
    """A password reset with its mail, in one login."""
    now, id_ = system_now(), uuid7()
    values = {"created_at": now, "expires_at": now + timedelta(minutes=30), **more}
    async with world.program.database.login(caller=CALLER) as session:
        session.add(PasswordReset(id=id_, user_id=user_id, **values))
        await mail_reset(session, id_)
    return id_


async def jobs(office: Office, *names: str) -> int:
    query = "SELECT count(*) FROM pgqueuer WHERE entrypoint = ANY($1)"
    return int(await office.admin.fetchval(query, list(names)))


class TestReset:
    async def test_its_link_is_made_again_from_the_id(
        self, world: World, door: Door, office: Office
    ) -> None:
        made, inside = await door.joined(await world.isv())
        await office.work_off()
        id_ = await ask(world, inside.user_id)
        await office.work_off()
        [mail] = [one for one in office.box.to(made["email"]) if one.kind == "password-reset"]
        assert mail.language == "de"
        assert link(world.program.keyring, PASSWORD_RESET, id_, BASE_URL) in mail.text
        assert "30 Minuten" in mail.text

    async def test_rolled_back_with_its_login_it_is_not_sent(
        self, world: World, door: Door, office: Office
    ) -> None:
        _, inside = await door.joined(await world.isv())

        async def fail() -> None:
            async with world.program.database.login(caller=CALLER) as session:
                await mail_reset(session, uuid7())
                await mail_notice(session, inside.user_id, "password-changed")
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        assert await jobs(office, RESET_JOB, *NOTICE_JOBS.values()) == 0

    @pytest.mark.parametrize(
        "more",
        [{"used_at": system_now()}, {"expires_at": system_now() - timedelta(seconds=1)}],
        ids=["used", "expired"],
    )
    async def test_one_that_is_over_is_not_sent(
        self, world: World, door: Door, office: Office, more: Mapping[str, Any]
    ) -> None:
        _, inside = await door.joined(await world.isv())
        await ask(world, inside.user_id, **more)
        await office.work_off()
        assert office.box.messages == []
        assert await jobs(office, RESET_JOB) == 0

    async def test_nor_to_an_account_that_is_off(
        self, world: World, door: Door, office: Office
    ) -> None:
        made, inside = await door.joined(await world.isv())
        await ask(world, inside.user_id)
        program = world.program
        async with program.database.login(caller=CALLER) as session:
            await program.people.accounts.disable(session, made["email"])
        await office.work_off()
        assert office.box.messages == []


class TestNotice:
    @pytest.mark.parametrize("kind", NOTICE_JOBS)
    async def test_the_person_is_told(
        self, world: World, door: Door, office: Office, kind: Notice
    ) -> None:
        made, inside = await door.joined(await world.isv())
        await office.work_off()
        async with world.program.database.login(caller=CALLER) as session:
            await mail_notice(session, inside.user_id, kind)
        await office.work_off()
        [mail] = [one for one in office.box.to(made["email"]) if one.kind == kind]
        assert f"{BASE_URL}/password-reset\n" in mail.text
