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
SECONDS = 20
"""Of the long form for each operation; without a bound its phases never ended."""
CHAINS = 600
"""Seconds of requests that follow from one another."""
PHASES = ("examples", "coverage", "fuzzing", "stateful")
Phases = dict[str, dict[str, bool]]
TAKING_NOTHING = {"GET /healthz", "GET /readyz", "GET /v1/billing-profile"}
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


def _labels() -> set[str]:
    """All operations, as the tool names them."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    }


LABELS = _labels()


async def _run(
    world: World,
    database: TestDatabase,
    phases: Phases,
    *modes: Mode,
    examples: int = 1,
    seconds: int | None = None,
) -> Findings:
    scene = await set_up(world)
    for operation in RENEWING:
        await scene.renew(operation)
    found = Findings()
    with conformance.served(settings_for(database)) as app:
        for mode in modes:
            # The first bad request of a flag in the query is sometimes none that can be sent.
            number = examples + (mode == "negative")
            config = conformance.configuration(
                scene, seed=SEED, examples=number, phases=phases, mode=mode, seconds=seconds
            )
            await asyncio.to_thread(conformance.run, app, config, found)
    log.info("conformance", seed=SEED, statuses=found.statuses, excused=found.excused)
    told = [f"{name}\n{text}" for name, text in found.failures.items()]
    assert not told, "\n\n".join([f"seed {SEED}", *told])
    assert not found.errors, found.errors
    assert set(found.checks) == EVERY_CHECK
    return found


def _kinds(found: Findings) -> set[str]:
    """Each operation had requests meant to be good. Returns those without any meant to be bad."""
    meant = {label: set(modes) for label, modes in found.modes.items()}
    assert set(meant) == LABELS
    assert {one for one in meant if "positive" not in meant[one]} == set()
    return {one for one in meant if "negative" not in meant[one]}


class TestConformance:
    """The document and the program say the same."""

    @pytest.mark.timeout(300)
    async def test_a_good_and_a_bad_request_of_each_operation_hold_in_every_check(
        self, world: World, database: TestDatabase
    ) -> None:
        found = await _run(world, database, _only("fuzzing"), "positive", "negative")
        assert _kinds(found) == TAKING_NOTHING
        assert len(found.modes) == len(LABELS) > 110
        assert len(found.taken) > 40, found.taken
        assert found.cases.total() > 180, found.cases


@pytest.mark.long
@pytest.mark.usefixtures("lasting_tokens")
class TestLong:
    """Many requests of each operation; then whatever follows from one another."""

    @pytest.mark.timeout(2 * SECONDS * len(LABELS))
    async def test_many_requests_hold_in_every_check(
        self, world: World, database: TestDatabase
    ) -> None:
        phases, seconds = _only("examples", "coverage", "fuzzing"), SECONDS * len(LABELS)
        found = await _run(world, database, phases, "all", examples=50, seconds=seconds)
        # Of so many, some are bad by what no operation takes: another method, a header.
        assert _kinds(found) <= TAKING_NOTHING
        assert len(found.taken) > 40, found.taken
        assert found.cases["coverage"] > 20 * len(LABELS), found.cases
        assert found.cases["fuzzing"] > 2 * len(LABELS), found.cases

    @pytest.mark.timeout(2 * CHAINS)
    async def test_chains_of_requests_hold_in_every_check(
        self, world: World, database: TestDatabase
    ) -> None:
        found = await _run(world, database, _only("stateful"), "all", examples=50, seconds=CHAINS)
        assert found.cases["stateful"] > 200, found.cases
