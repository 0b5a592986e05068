"""`python -m tests.support.chromium`: a Chromium for the tests, from Debian's packages.

Playwright's own download is not to be had everywhere, a Debian mirror is. The packages are only
unpacked, into the user's cache: that needs no root, changes nothing of the system, and is the same
way for everybody. What the system has installed already is not fetched again.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from flatbed.tenants.kit.embedded.locks import FileLock

GIVEN: Final = "FLATBED_TEST_CHROMIUM"
"""Names another Chromium."""
INSTALLED: Final = Path("/usr/bin/chromium")
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flatbed"
ROOT: Final = CACHE / "chromium"
UNPACKED: Final = ROOT / "usr/lib/chromium/chromium"
FONTS: Final = ROOT / "fonts.conf"
PACKAGES: Final = ("chromium", "fontconfig-config", "fonts-dejavu-core")
UPDATE_SECONDS: Final = 180
FETCH_SECONDS: Final = 900
UNPACK_SECONDS: Final = 120
LAST_LINES: Final = 12


class NoChromiumError(Exception):
    """There is none, and none can be installed; says why."""


def find() -> Path | None:
    """The one of FLATBED_TEST_CHROMIUM, else the system's, else the unpacked one.

    Raises:
        NoChromiumError: FLATBED_TEST_CHROMIUM names no program.
    """
    if given := os.environ.get(GIVEN):
        if not os.access(given, os.X_OK):
            raise NoChromiumError(f"{GIVEN}={given} is no program")
        return Path(given)
    return next((path for path in (INSTALLED, UNPACKED) if os.access(path, os.X_OK)), None)


def environment(program: Path) -> dict[str, str | float | bool]:
    """What it needs to run: the unpacked one its libraries and fonts."""
    if program != UNPACKED:
        return dict(os.environ)
    return {**os.environ, **_libraries(ROOT), "FONTCONFIG_FILE": str(FONTS)}


def install() -> Path:
    """Find one, or unpack one; several processes may ask at once.

    Raises:
        NoChromiumError: there is no apt, or it did not bring one.
    """
    if (found := find()) is not None:
        return found
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise NoChromiumError(f"no {INSTALLED}, and no apt to get one: name yours with {GIVEN}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "chromium.lock").alone():
        if (found := find()) is None:
            _unpack(CACHE / "chromium.new")
            found = UNPACKED
    return found


def _libraries(root: Path) -> dict[str, str]:
    folders = sorted({str(found.parent) for found in root.rglob("*.so*")})
    return {"LD_LIBRARY_PATH": ":".join(folders)}


def _unpack(place: Path) -> None:
    """Fetch and unpack beside the final place, and move there what is complete."""
    shutil.rmtree(place, ignore_errors=True)  # of an installation that was killed
    for folder in ("apt/lists/partial", "apt/cache/archives/partial", "root"):
        (place / folder).mkdir(parents=True)
    apt = [
        "apt-get",
        "-qq",
        f"-oDir::State::lists={place}/apt/lists",
        f"-oDir::Cache={place}/apt/cache",
        "-oDebug::NoLocking=true",  # the lists and the cache are ours alone
        "-oAPT::Sandbox::User=",  # the other user of apt's own could not enter our folder
        "-oAcquire::Retries=3",
    ]
    # One broken source among several need not matter: what is missing shows in the next step.
    _run([*apt, "update"], UPDATE_SECONDS, may_fail=True)
    fetch = ["install", "--download-only", "--no-install-recommends", "--yes", *PACKAGES]
    _run([*apt, *fetch], FETCH_SECONDS)
    root = place / "root"
    for package in sorted((place / "apt/cache/archives").glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(root)], UNPACK_SECONDS)
    program = root / UNPACKED.relative_to(ROOT)
    if not program.exists():
        raise NoChromiumError("the package chromium of this system holds no Chromium")
    _run([str(program), "--version"], UNPACK_SECONDS, env=_libraries(root))
    (root / FONTS.name).write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n'
        f"<fontconfig><dir>{ROOT}/usr/share/fonts</dir><dir>/usr/share/fonts</dir>"
        f"<cachedir>{CACHE}/fonts</cachedir></fontconfig>\n",
        encoding="utf-8",
    )
    shutil.rmtree(ROOT, ignore_errors=True)
    root.rename(ROOT)
    shutil.rmtree(place)


def _run(
    command: list[str],
    seconds: float,
    *,
    may_fail: bool = False,
    env: Mapping[str, str] = MappingProxyType({}),
) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
            text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **env},
        )
    except subprocess.TimeoutExpired as error:
        raise NoChromiumError(f"{command[0]} took longer than {seconds} s") from error
    if done.returncode and not may_fail:
        said = "\n".join(done.stdout.splitlines()[-LAST_LINES:])
        raise NoChromiumError(f"{command[0]} ended with {done.returncode}:\n{said}")


def main() -> int:
    """Install; without success outside of CI only say so: the tests of pages are then skipped."""
    began = time.monotonic()
    try:
        found = install()
    except NoChromiumError as error:
        sys.stderr.write(f"NO CHROMIUM: the tests of pages will be skipped\n{error}\n")
        return 1 if os.environ.get("CI") == "true" else 0
    if (took := time.monotonic() - began) > 1:
        sys.stdout.write(f"Chromium unpacked in {took:.0f} s: {found}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
