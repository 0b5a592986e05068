"""What the OpenAPI document promises, tried with what Schemathesis makes of it."""

import asyncio
import json

import pytest
import structlog

from tests.api.support import World, settings_for
from tests.bad_input import conformance
from tests.bad_input.conformance import Findings, Mode
from tests.bad_input.scene import RENEWING, set_up
from tests.isolation.document import DOCUMENT
from tests.support.postgres import TestDatabase

log = structlog.get_logger(__name__)

SEED = 20_261_122
LONGEST = 3_600
"""Seconds of one test of the long form."""
PHASES = ("examples", "coverage", "fuzzing", "stateful")
Phases = dict[str, dict[str, bool]]
TAKING_NOTHING = {"GET /healthz", "GET /readyz"}
EVERY_CHECK = {
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
    "object_level_authorization",
    "max_response_time",
}


def _only(*phases: str) -> Phases:
    return {name: {"enabled": name in phases} for name in PHASES}


def _labels() -> dict[str, set[str]]:
    """By tag: its operations, as the tool names them."""
    found: dict[str, set[str]] = {}
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for tag in operation["tags"]:
                found.setdefault(tag, set()).add(f"{method.upper()} {path}")
    return found


LABELS = _labels()


async def _run(
    world: World,
    database: TestDatabase,
    phases: Phases,
    *modes: Mode,
    examples: int = 1,
    tag: str | None = None,
) -> Findings:
    scene = await set_up(world)
    for operation in RENEWING:
        await scene.renew(operation)
    found = Findings()
    with conformance.served(settings_for(database)) as app:
        for mode in modes:
            config = conformance.configuration(
                scene, seed=SEED, examples=examples, phases=phases, mode=mode
            )
            await asyncio.to_thread(conformance.run, app, config, found, tag)
    log.info("conformance", seed=SEED, statuses=found.statuses, excused=found.excused)
    told = [f"{name}\n{text}" for name, text in found.failures.items()]
    assert not told, "\n\n".join([f"seed {SEED}", *told])
    assert not found.errors, found.errors
    assert set(found.checks) == EVERY_CHECK
    return found


def _kinds(found: Findings, labels: set[str]) -> None:
    """Each operation had requests meant to be good, and bad where it takes anything."""
    meant = {label: set(modes) for label, modes in found.modes.items()}
    assert set(meant) == labels
    assert {one for one in meant if "positive" not in meant[one]} == set()
    assert {one for one in meant if "negative" not in meant[one]} == TAKING_NOTHING & labels


class TestConformance:
    """The document and the program say the same."""

    @pytest.mark.timeout(300)
    async def test_a_good_and_a_bad_request_of_each_operation_hold_in_every_check(
        self, world: World, database: TestDatabase
    ) -> None:
        found = await _run(world, database, _only("fuzzing"), "positive", "negative")
        _kinds(found, set().union(*LABELS.values()))
        assert len(found.modes) == 98
        assert len(found.taken) > 40, found.taken
        assert found.cases.total() > 180, found.cases


@pytest.mark.long
@pytest.mark.usefixtures("lasting_tokens")
class TestLong:
    """Many requests of each operation, a tag a test; then whatever follows from one another."""

    @pytest.mark.timeout(LONGEST)
    @pytest.mark.parametrize("tag", sorted(LABELS))
    async def test_many_requests_hold_in_every_check(
        self, world: World, database: TestDatabase, tag: str
    ) -> None:
        phases = ("examples", "coverage", "fuzzing")
        found = await _run(world, database, _only(*phases), "all", examples=50, tag=tag)
        _kinds(found, LABELS[tag])
        assert found.cases["coverage"] > 0
        assert found.cases["fuzzing"] > 0

    @pytest.mark.timeout(LONGEST)
    async def test_chains_of_requests_hold_in_every_check(
        self, world: World, database: TestDatabase
    ) -> None:
        found = await _run(world, database, _only("stateful"), "all", examples=50)
        assert found.cases["stateful"] > 200, found.cases
