"""``flatbed verify statement``: the ISV's own check, with the file alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from flatbed.app.cli.main import app
from tests.api.support import World
from tests.billing.statements.closed import closed_month

NOWHERE = {"FLATBED_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere"}


@pytest_asyncio.fixture
async def proof(world: World, tmp_path: Path) -> Path:
    """The file as the API hands it out."""
    isv = await world.isv()
    month = await closed_month(world, isv)
    answer = await isv.client.get(f"/v1/statements/{month.statement}/proof")
    file = tmp_path / "proof.json"
    file.write_bytes(answer.content)
    return file


def run(file: Path) -> tuple[int, dict[str, Any]]:
    """Exit code and what was found, without a database."""
    done = CliRunner().invoke(app, ["verify", "statement", str(file), "--json"], env=NOWHERE)
    return done.exit_code, json.loads(done.stdout)


class TestVerifyStatement:
    def test_a_proof_holds_without_any_database(self, proof: Path) -> None:
        assert run(proof) == (0, {"checked": 1, "findings": []})

    def test_a_changed_amount_is_found(self, proof: Path) -> None:
        document = json.loads(proof.read_text(encoding="utf-8"))
        document["statement"]["lines"][0]["amount"] += 1
        proof.write_text(json.dumps(document), encoding="utf-8")
        code, told = run(proof)
        assert code == 1
        assert "the content does not give the statement's hash" in told["findings"]

    @pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b"null"])
    def test_what_is_no_proof_is_said_to_be_none(self, content: bytes, tmp_path: Path) -> None:
        file = tmp_path / "proof.json"
        file.write_bytes(content)
        code, told = run(file)
        assert code == 1
        assert told["findings"] == ["this is no document of the format flatbed-statement-proof/1"]

    def test_a_missing_file_is_wrong_usage(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["verify", "statement", str(tmp_path / "none.json")])
        assert done.exit_code == 2
