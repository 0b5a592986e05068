"""`python -m lints.sbom`: write build/sbom.cdx.json, what the program is installed from.

CycloneDX 1.6, made by cyclonedx-py from requirements.lock: every package with its version and
the hashes of its releases. The same lock gives the same bytes; no clock, no serial number, no
address of a registry. Exit code 1 when it does not name all that the lock pins.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lints.pins import Pin, normal, pins

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements.lock"
PLACE: Final = ROOT / "build" / "sbom.cdx.json"


def made(lock: Path) -> dict[str, Any]:
    """The bill of materials of a lock."""
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "--pyproject"]
    command += [str(ROOT / "pyproject.toml"), "--output-reproducible", "--no-validate"]
    # Without an address of an index the packages are named by their purl alone.
    command += ["--spec-version", "1.6", "--index-url", "", "--output-file", "-", str(lock)]
    done = subprocess.run(  # noqa: S603 - our own tool and arguments, no shell
        command, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    bill: dict[str, Any] = json.loads(done.stdout)
    for tool in bill["metadata"]["tools"]["components"]:
        tool.pop("externalReferences", None)
    for component in bill["components"]:
        del component["description"]  # the lock's own line once more
    return bill


def invalid(text: str) -> str | None:
    """What CycloneDX's own schema has against a bill; None when nothing."""
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return None if error is None else str(error)


def missing(bill: Mapping[str, Any], pinned: tuple[Pin, ...]) -> list[str]:
    """What a bill lacks of a lock, or has beside it: names with what is wrong."""
    components = {normal(component["name"]): component for component in bill["components"]}
    found: list[str] = []
    for pin in pinned:
        component = components.pop(pin.name, None)
        if component is None or component.get("version") != pin.version:
            found.append(f"{pin.name} {pin.version} is not in it")
            continue
        hashes = {
            digest["content"]
            for reference in component.get("externalReferences", ())
            for digest in reference.get("hashes", ())
        }
        if hashes != pin.hashes:
            found.append(f"{pin.name} {pin.version} has other hashes")
    return [*found, *(f"{name} is not pinned" for name in components)]


def main() -> int:
    """Write the bill; 0 when it is valid and names what the lock pins, else 1."""
    pinned = tuple(pins(LOCK.read_text(encoding="utf-8")))
    bill = made(LOCK)
    text = json.dumps(bill, indent=1, sort_keys=True) + "\n"
    wrong = missing(bill, pinned)
    if (error := invalid(text)) is not None:
        wrong.append(error)
    if not pinned:
        wrong.append("the lock pins nothing")
    for line in wrong:
        print(f"sbom: {line}", file=sys.stderr)
    if wrong:
        return 1
    PLACE.parent.mkdir(exist_ok=True)
    PLACE.write_text(text, encoding="utf-8")
    print(f"sbom: {len(pinned)} packages in {PLACE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
