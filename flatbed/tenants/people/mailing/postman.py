"""The mails that people get from the worker: what each says is read anew, its link made again.

Killed between the commit and the mail, or after the mail, the job runs again: a mail goes out once
at least. What a mail was for may be over by then; nothing is sent in that case.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.jobs.runner import JobHandler
from flatbed.tenants.mail import texts
from flatbed.tenants.mail.errors import MailError
from flatbed.tenants.mail.port import Language, Mail, Message, Notice
from flatbed.tenants.people.accounts import repository as accounts
from flatbed.tenants.people.invitations import repository as invitations
from flatbed.tenants.people.invitations.issuing import LASTS, SEND_JOB
from flatbed.tenants.people.invitations.repository import Invited
from flatbed.tenants.people.links import INVITATION, PASSWORD_RESET, link
from flatbed.tenants.people.mailing import repository
from flatbed.tenants.people.mailing.jobs import NOTICE_JOBS, RESET_JOB

log = structlog.get_logger(__name__)

CALLER: Final = Caller("system:mail", "")
MINUTE: Final = timedelta(minutes=1)
GERMAN_SPEAKING: Final = frozenset({"AT", "CH", "DE", "LI"})


@dataclass(frozen=True, slots=True)
class Postman:
    """Writes and sends. ``public_url`` is where links lead."""

    database: Database
    keyring: Keyring
    mail: Mail
    public_url: str

    @property
    def jobs(self) -> Mapping[str, JobHandler]:
        """The handlers by the names of their jobs."""
        return {
            SEND_JOB: self.send_invitation,
            RESET_JOB: self.send_reset,
        } | {job: partial(self.send_notice, kind) for kind, job in NOTICE_JOBS.items()}

    async def send_invitation(self, ids: Mapping[str, UUID]) -> None:
        """Mail an invitation that may still be accepted."""
        id_ = ids["invitation_id"]
        async with self.database.login(caller=CALLER) as session:
            found = await invitations.find_invited(session, id_)
        if found is None or not found.is_open(system_now()):
            log.info("mail_outdated", kind="invitation")
            return
        await self._send(
            texts.invitation(
                found.email,
                _language(found),
                organization=found.organization or found.agency,
                link=link(self.keyring, INVITATION, id_, self.public_url),
                days=LASTS.days,
            )
        )

    async def send_reset(self, ids: Mapping[str, UUID]) -> None:
        """Mail the way to a new password, while it leads there."""
        id_ = ids["reset_id"]
        async with self.database.login(caller=CALLER) as session:
            found = await repository.find_reset(session, id_)
        is_open = found is not None and found.used_at is None and found.expires_at > system_now()
        if found is None or not is_open or not found.active:
            log.info("mail_outdated", kind="password-reset")
            return
        await self._send(
            texts.password_reset(
                found.email,
                language_of(found.locale),
                link=link(self.keyring, PASSWORD_RESET, id_, self.public_url),
                minutes=(found.expires_at - found.created_at) // MINUTE,
            )
        )

    async def send_notice(self, kind: Notice, ids: Mapping[str, UUID]) -> None:
        """Tell a person what was done to his account."""
        async with self.database.login(caller=CALLER) as session:
            found = await accounts.find_account(session, ids["user_id"])
        if found is None:
            return
        page = f"{self.public_url.rstrip('/')}{PASSWORD_RESET.path}"
        await self._send(texts.notice(kind, found.email, language_of(found.locale), link=page))

    async def _send(self, message: Message) -> None:
        try:
            await self.mail.send(message)
        except MailError as error:
            is_final = not error.is_worth_repeating
            log.warning("mail_failed", kind=message.kind, code=error.code, final=is_final)
            if not is_final:
                raise


def language_of(locale: str | None) -> Language:
    """The language of a person's account."""
    return "de" if locale == "de" else "en"


def _language(found: Invited) -> Language:
    """The invited person's own where he has an account, else that of the ISV's country."""
    if found.locale is not None:
        return language_of(found.locale)
    return "de" if found.country in GERMAN_SPEAKING else "en"
