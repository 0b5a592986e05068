"""The operating system user that the server runs as: PostgreSQL refuses to run as root."""

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flatbed.tenants.kit.embedded.errors import EmbeddedPostgresError

UNPRIVILEGED = ("postgres", "nobody", "daemon")
"""Users that a root program may run the server as, the most fitting first."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user with a passwd entry (initdb refuses one without), and how to run programs as him."""

    name: str
    uid: int
    gid: int
    switched: bool
    """Whether this program is root and has to become this user first."""

    def run(
        self,
        command: Sequence[str | Path],
        *,
        seconds: float,
        extra: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this user with an environment of our own (no inherited `PG…`).

        Raises `EmbeddedPostgresError` when it cannot be started or takes over `seconds`; an exit
        code other than zero is the caller's to judge.
        """
        try:
            return subprocess.run(  # noqa: S603 - our own binaries and arguments, no shell
                [str(part) for part in command],
                user=self.uid if self.switched else None,
                group=self.gid if self.switched else None,
                extra_groups=[] if self.switched else None,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **(extra or {})},
                cwd="/",
                umask=0o077,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedPostgresError(
                f"{command[0]} did not run as user {self.name}: {error}"
            ) from error

    def reaches(self, folder: Path) -> bool:
        """Whether this user may enter the folder (each parent lets him pass)."""
        found = self.run(["/bin/sh", "-c", 'cd "$1"', "sh", folder], seconds=30)
        return found.returncode == 0

    def own(self, path: Path) -> None:
        """Give this user a folder that we made a moment ago."""
        if self.switched:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def write(self, path: Path, text: str) -> None:
        """Write a file that only this user can read, whole or not at all.

        The folder belongs to an unprivileged user and we may be root: a new name is opened
        exclusively, so that a link placed there leads nowhere.
        """
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if self.switched:
                os.fchown(file.fileno(), self.uid, self.gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def read(path: Path) -> str | None:
    """Return the text of a file of ours, never through a link; None where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, encoding="utf-8") as file:
        return file.read()


def account_for(owner: int | None) -> Account:
    """Choose the user: ourselves, or for root the data's owner, or an unprivileged one.

    `owner` is the user id that existing data belong to. Raises `EmbeddedPostgresError` when no
    fitting user exists.
    """
    me = os.geteuid()
    if me != 0:
        if owner not in {None, me}:
            raise EmbeddedPostgresError(
                f"the database's files belong to user id {owner}, this program runs as {me}: "
                "start it as the same user as before, or as root, or use another folder"
            )
        return _account(_by_id(me), switched=False)
    if owner:
        return _account(_by_id(owner), switched=True)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return _account(entry, switched=True)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and none of the users "
        f"{', '.join(UNPRIVILEGED)} exists: start as another user or set FLATBED_DATABASE_URL"
    )


def _by_id(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedPostgresError(
            f"user id {uid} has no passwd entry, which PostgreSQL needs: "
            "add one or set FLATBED_DATABASE_URL"
        ) from None


def _account(entry: pwd.struct_passwd, *, switched: bool) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switched)
