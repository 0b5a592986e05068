"""People as one object, made once in the composition root (``app.state.people``)."""

from dataclasses import dataclass
from typing import Self

from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.people.acceptance import Invitations
from flatbed.tenants.people.failures.counting import Failures
from flatbed.tenants.people.invitations.staff_service import StaffDepartures
from flatbed.tenants.people.members.service import Members
from flatbed.tenants.people.new_password.service import NewPasswords
from flatbed.tenants.people.operator import Accounts
from flatbed.tenants.people.passwords import Passwords
from flatbed.tenants.people.ports import GrantEnding
from flatbed.tenants.people.second_factor.service import SecondFactors
from flatbed.tenants.people.sessions.service import Sessions
from flatbed.tenants.people.signing_in.service import SigningIn


@dataclass(frozen=True, slots=True)
class People:
    """All parts, for the routers, the pages and the command line."""

    database: Database
    members: Members
    invitations: Invitations
    departures: StaffDepartures
    accounts: Accounts
    passwords: Passwords
    sessions: Sessions
    signing_in: SigningIn
    second_factors: SecondFactors
    new_passwords: NewPasswords

    @classmethod
    def of(cls, database: Database, keyring: Keyring, grants: GrantEnding) -> Self:
        """Put the parts together."""
        passwords, failures = Passwords(), Failures(database, keyring)
        sessions = Sessions(keyring, grants)
        signing_in = SigningIn(database, keyring, passwords, failures, sessions)
        return cls(
            database,
            Members(grants),
            Invitations(keyring),
            StaffDepartures(grants),
            Accounts(grants),
            passwords,
            sessions,
            signing_in,
            SecondFactors(database, keyring, sessions, signing_in, grants),
            NewPasswords(database, keyring, sessions, signing_in, grants),
        )

    def close(self) -> None:
        """Let the threads go."""
        self.passwords.close()
