"""flatbed users: the first person of a realm, and what an operator does to accounts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import select

from flatbed.app.wiring import Program, build
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import Caller, LoginSession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs.runner import run_jobs
from flatbed.tenants.people.acceptance import Joined, NewAccount
from flatbed.tenants.people.models import RecoveryCode, UserAccount, UserSession
from tests.api.support import settings_for
from tests.cli.shell import Shell, parsed
from tests.support.postgres import TestDatabase

CALLER = Caller("system:test", "")
T = TypeVar("T")


@dataclass
class Deployment:
    """A realm, its shell, and an outbox for its worker."""

    shell: Shell
    database: TestDatabase
    realm: str
    outbox: Path

    def run(self, *words: str) -> dict[str, Any]:
        return parsed(self.shell.run("users", *words, "--json"))

    def on_program(self, work: Callable[[Program], Awaitable[T]]) -> T:
        async def built() -> T:
            program = build(settings_for(self.database))
            try:
                return await work(program)
            finally:
                await program.close()

        return asyncio.run(built())

    def in_login(self, work: Callable[[LoginSession], Awaitable[T]]) -> T:
        async def opened(program: Program) -> T:
            async with program.database.login(caller=CALLER) as session:
                return await work(session)

        return self.on_program(opened)

    def mail(self) -> list[str]:
        """Let the worker send; what it has written."""

        async def work(program: Program) -> None:
            jobs = {"send_invitation": program.jobs["send_invitation"]}
            await run_jobs(program.database_url, jobs, asyncio.Event(), drain=True)

        self.on_program(work)
        texts = [one.read_text() for one in sorted(self.outbox.glob("*.eml"))]
        return [text.replace("=\n", "").replace("=3D", "=") for text in texts]

    def accept(self, mail: str) -> UUID:
        """Follow the link of a mail."""
        [line] = [one for one in mail.splitlines() if "/invitations/" in one]
        token = line.rpartition("/")[2]

        async def work(program: Program) -> Joined:
            async with program.database.login(caller=CALLER) as session:
                account = NewAccount("Kim Doe", "en", "made-of-a-password")
                found = await program.people.invitations.accept_new(session, token, account)
            assert isinstance(found, Joined)
            return found

        return self.on_program(work).user_id

    def signed_up(self) -> tuple[str, UUID]:
        """An admin who has an account: his address and who he is."""
        email = f"{uuid7().hex}@agency.example"
        self.run("invite-staff", email, "--realm", self.realm)
        [mail] = [one for one in self.mail() if email in one]
        return email, self.accept(mail)


@pytest.fixture
def deployment(
    shell: Shell, database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Deployment:
    monkeypatch.setenv("FLATBED_MAIL_OUTBOX", str(tmp_path))
    slug = f"cli-{uuid7().hex[-12:]}"
    parsed(shell.run("realm", "create", slug, "--name", "A", "--json"))
    return Deployment(shell, database, slug, tmp_path)


def browser(user_id: UUID, **more: Any) -> UserSession:
    now = system_now()
    values = {"expires_at": now + timedelta(hours=12), **more}
    return UserSession(
        user_id=user_id,
        digest=uuid7().bytes,
        acr="mfa",
        agent="x",
        created_at=now,
        auth_at=now,
        seen_at=now,
        **values,
    )


class TestInviteStaff:
    def test_a_new_realms_first_admin_gets_a_link_and_an_account(
        self, deployment: Deployment
    ) -> None:
        email, _ = deployment.signed_up()
        [shown] = deployment.run("list", "--realm", deployment.realm)["users"]
        place = {"realm": deployment.realm, "organization": None, "role": "admin", "active": True}
        assert (shown["email"], shown["active"], shown["places"]) == (email, True, [place])
        found = deployment.run("show", email.upper())
        assert (found["sessions"], found["places"]) == (0, [place])
        again = deployment.shell.run("users", "invite-staff", email, "--realm", deployment.realm)
        assert again.exit_code == 3
        assert "already signed up" in again.stderr

    def test_invited_twice_he_is_one_person_with_one_link(self, deployment: Deployment) -> None:
        words = ("invite-staff", "lee@agency.example", "--realm", deployment.realm)
        first, second = deployment.run(*words, "--role", "hunter"), deployment.run(*words)
        assert first["staff_id"] == second["staff_id"]
        assert datetime.fromisoformat(first["expires_at"]) < datetime.fromisoformat(
            second["expires_at"]
        )
        assert len([one for one in deployment.mail() if "lee@agency.example" in one]) == 1

    def test_what_is_wrong_is_told(self, deployment: Deployment) -> None:
        run, realm = deployment.shell.run, deployment.realm
        assert run("users", "invite-staff", "lee", "--realm", realm).exit_code == 2
        words = ("users", "invite-staff", "lee@agency.example", "--realm")
        assert run(*words, realm, "--role", "boss").exit_code == 2
        assert run(*words, realm, "--name", " ").exit_code == 2
        assert run(*words, "nowhere").exit_code == 3


class TestDisable:
    def test_the_person_is_signed_out_everywhere_and_may_come_back(
        self, deployment: Deployment
    ) -> None:
        email, user_id = deployment.signed_up()

        async def sign_in(session: LoginSession) -> None:
            session.add_all([browser(user_id), browser(user_id)])
            session.add(browser(user_id, expires_at=system_now() - timedelta(seconds=1)))

        deployment.in_login(sign_in)
        assert deployment.run("show", email)["sessions"] == 2
        found = deployment.run("disable", email)
        assert (found["active"], found["sessions_ended"]) == (False, 2)
        assert deployment.run("show", email)["sessions"] == 0
        plain = deployment.shell.run("users", "list", "--realm", deployment.realm)
        assert f"disabled {email} (admin at {deployment.realm})" in plain.stdout
        found = deployment.run("enable", email)
        assert (found["active"], found["sessions_ended"]) == (True, 0)

    def test_nobody_has_the_address(self, deployment: Deployment) -> None:
        for word in ("disable", "enable", "reset-totp", "show"):
            result = deployment.shell.run("users", word, "nobody@agency.example")
            assert result.exit_code == 3
            assert deployment.shell.run("users", word, "nobody").exit_code == 2


class TestResetTotp:
    def test_second_factor_codes_and_sessions_are_gone(self, deployment: Deployment) -> None:
        email, user_id = deployment.signed_up()

        async def prove(session: LoginSession) -> None:
            account = await session.get_one(UserAccount, user_id)
            account.totp_box, account.totp_at, account.totp_step = b"box", system_now(), 1
            session.add_all([browser(user_id), RecoveryCode(user_id=user_id, digest=b"d")])

        async def codes(session: LoginSession) -> int:
            statement = select(RecoveryCode).where(RecoveryCode.user_id == user_id)
            return len((await session.scalars(statement)).all())

        deployment.in_login(prove)
        assert deployment.run("show", email)["second_factor"] is True
        found = deployment.run("reset-totp", email)
        assert (found["second_factor"], found["active"]) == (False, True)
        assert found["sessions_ended"] == 1
        assert deployment.in_login(codes) == 0
