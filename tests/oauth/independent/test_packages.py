"""What node's clients are installed from: exact, by hash, and from no host that a file names."""

import json
import re

from tests.oauth.independent.node import FOLDER


class TestPackages:
    """package.json and package-lock.json.

    After a change of the first: `npm install` there with `--package-lock-only --ignore-scripts
    --omit-lockfile-registry-resolved`.
    """

    def test_versions_are_exact_and_locked_by_hash_without_an_address(self) -> None:
        wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
        packages = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
        root = packages.pop("")
        assert root["dependencies"] == wanted
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
        locked = {name.rpartition("node_modules/")[2]: one for name, one in packages.items()}
        assert {name: locked[name]["version"] for name in wanted} == wanted
        for one in locked.values():
            assert one["integrity"].startswith("sha512-")
            assert not {"resolved", "hasInstallScript", "link"} & one.keys()
