"""The commands, run in process as in a deployment."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from flatbed.app.cli.main import app
from tests.api.support import SECRET
from tests.support.postgres import TestDatabase


class Shell:
    """Runs commands with the environment of a deployment on the test database."""

    def __init__(self, database: TestDatabase) -> None:
        self.env: dict[str, str] = {
            "FLATBED_DATABASE_URL": database.app_url,
            "FLATBED_OWNER_DATABASE_URL": database.owner_url,
            "FLATBED_SECRET_KEY": SECRET,
        }

    def run(self, *words: str, **env: str) -> Result:
        """Run a command; ``env`` stands over the deployment's."""
        return CliRunner().invoke(app, words, env={**self.env, **env})


def parsed(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found
