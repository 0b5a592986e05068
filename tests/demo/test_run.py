"""`flatbed demo run` as a person starts it: processes, sockets, and the fake Stripe beside them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flatbed.app.demo.account import shared_account
from flatbed.app.demo.client import DemoError
from tests.api.support import SECRET
from tests.support.postgres import TestDatabase

# Its worker does all that waits, also for what other tests have left.
pytestmark = pytest.mark.own_database

SECONDS = 240


def run(database: TestDatabase, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, on a database that is there."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FLATBED_")}
    environment = {
        **kept,
        "FLATBED_DATABASE_URL": database.app_url,
        "FLATBED_SECRET_KEY": SECRET,
        "FLATBED_DATA_DIR": str(folder),
        # A busy machine is no reason to refuse what the demo sends at once.
        "FLATBED_ADMISSION_SECONDS": "20",
        # The way to the outside is no way to this machine.
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "DEMO_EXIT": "1",
    }
    code = "from flatbed.app.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "demo", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@dataclass
class Run:
    """A demo that has ended."""

    folder: Path
    told: str
    summary: dict[str, Any]

    @property
    def story(self) -> dict[str, Any]:
        """What the one story came to."""
        (found,) = self.summary["objects"]["stories"]
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def shown(database: TestDatabase, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small demo, once for all that look at it."""
    folder = tmp_path_factory.mktemp("var")
    done = run(database, folder, "run", "--small", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    return Run(folder, done.stderr, json.loads(done.stdout))


@pytest.mark.timeout(SECONDS)
class TestRun:
    def test_it_ends_in_an_invoice_that_is_paid_to_the_cent(self, shown: Run) -> None:
        story = shown.story
        assert story["gross"] == story["paid"] == story["stripe_total"] == 1_071_000
        invoices = at_stripe(shown.folder, "invoice")
        (mine,) = (one for one in invoices if one["number"] == story["invoice"])
        assert (mine["status"], mine["total"], mine["currency"]) == ("paid", 1_071_000, "eur")
        assert len(invoices) == story["invoices"] > 1
        assert {one["status"] for one in invoices} == {"paid"}

    def test_every_line_opens_its_evidence(self, shown: Run) -> None:
        lines = [
            line
            for invoice in at_stripe(shown.folder, "invoice")
            for line in at_stripe(shown.folder, f"line_item:{invoice['id']}")
        ]
        credited = len(at_stripe(shown.folder, "credit_note"))
        assert shown.story["evidence_opened"] == len(lines) + credited > 3
        assert shown.told.count("opened, same") == 3
        assert "evidence  http://127.0.0.1:" in shown.told

    def test_a_guarantee_case_ends_in_a_credit(self, shown: Run) -> None:
        story = shown.story
        assert story["credited"] == story["stripe_credited"] == 267_750
        (note,) = at_stripe(shown.folder, "credit_note")
        assert (note["memo"], note["total"]) == (story["credit_note"], 267_750)
        assert story["guarantee_case"].startswith("gcase_")

    def test_nothing_is_found_by_the_reconciliation(self, shown: Run) -> None:
        assert shown.story["findings"] == 0
        assert "GET /v1/reconciliation" in shown.told

    def test_secrets_are_in_its_files_alone(self, shown: Run) -> None:
        kept = json.loads((shown.folder / "demo-stripe.json").read_text(encoding="utf-8"))
        clients = json.loads((shown.folder / "demo.json").read_text(encoding="utf-8"))["clients"]
        logs = [one.read_text(encoding="utf-8") for one in shown.folder.glob("demo-*.log")]
        assert logs
        shows = "\n".join((shown.told, json.dumps(shown.summary), *logs))
        for secret in (
            *(kept[name] for name in ("key", "webhook_secret")),
            *(one["client_secret"] for one in clients),
        ):
            assert secret not in shows
        for file in ("demo.json", "demo-stripe.json"):
            assert (shown.folder / file).stat().st_mode & 0o077 == 0

    @pytest.mark.long
    def test_another_runs_beside_its_state(self, shown: Run, database: TestDatabase) -> None:
        done = run(database, shown.folder, "run", "--small", "--json")
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(done.stdout)
        assert found["realm"] != shown.summary["realm"]
        (again,) = found["objects"]["stories"]
        assert again["findings"] == 0
        assert again["invoice"] != shown.story["invoice"]


def at_stripe(folder: Path, kind: str) -> list[dict[str, Any]]:
    """What the fake remembers of a kind."""
    found: dict[str, dict[str, Any]] = {}
    for line in (folder / "demo-stripe.jsonl").read_text(encoding="utf-8").splitlines():
        for of, key, changed in json.loads(line):
            if of != kind:
                continue
            if changed is None:
                found.pop(key, None)
            else:
                found[key] = changed
    return list(found.values())


class TestAccount:
    def test_whoever_comes_second_joins_and_the_environment_is_given_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FLATBED_STRIPE_KEY", "somebody-s-own")
        monkeypatch.delenv("FLATBED_STRIPE_BASE_URL", raising=False)
        with shared_account(tmp_path) as first:
            assert os.environ["FLATBED_STRIPE_KEY"] == first.key
            assert os.environ["FLATBED_STRIPE_BASE_URL"] == first.base_url
            with shared_account(tmp_path) as second:
                assert (first.serves, second.serves) == (True, False)
                assert (second.port, second.key) == (first.port, first.key)
        assert os.environ["FLATBED_STRIPE_KEY"] == "somebody-s-own"
        assert "FLATBED_STRIPE_BASE_URL" not in os.environ
        with shared_account(tmp_path) as later:
            assert later.serves
            assert (later.key, later.webhook_secret) == (first.key, first.webhook_secret)

    def test_a_strange_file_is_told_and_kept(self, tmp_path: Path) -> None:
        (tmp_path / "demo-stripe.json").write_text("[]", encoding="utf-8")
        with pytest.raises(DemoError, match="not written by the demo"), shared_account(tmp_path):
            pass
        assert (tmp_path / "demo-stripe.json").read_text(encoding="utf-8") == "[]"
