"""Schemathesis against the real application in process, with the estate's ids and real tokens."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import schemathesis
from fastapi import FastAPI
from pydantic_core.core_schema import ErrorType
from schemathesis import Case, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.config._checks import (
    MISSING_REQUIRED_HEADER_EXPECTED_STATUSES,
    NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES,
)
from schemathesis.engine import events, from_schema
from schemathesis.python.asgi import shutdown_lifespans

from flatbed.app.main import create_app
from flatbed.app.wiring import build
from flatbed.tenants.access.require import TENANT_HEADER
from flatbed.tenants.kit.settings import KernelSettings
from tests.bad_input.scene import OPERATIONS, Scene
from tests.isolation.document import DOCUMENT
from tests.support.till import with_stripe

SLOWEST = 1.0
"""Seconds."""
OFTEN = 0.8
"""How often a generated id is one that exists."""


@dataclass
class Findings:
    """What a run did and found."""

    cases: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    modes: dict[str, Counter[str]] = field(default_factory=dict)
    """By operation: how many requests meant to be good (positive) and bad (negative)."""
    taken: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    excused: Counter[str] = field(default_factory=Counter)


Mode = Literal["positive", "negative", "all"]


def configuration(
    scene: Scene,
    *,
    seed: int,
    examples: int,
    phases: dict[str, Any],
    mode: Mode,
    seconds: int | None = None,
) -> Any:
    """The run's configuration: who asks for each operation, and which ids exist.

    With ``seconds`` phases and operations share the time fairly, and start over while some is left.
    """
    known: dict[str, list[str]] = {"etag": ['"1"']}
    settings = []
    for operation in OPERATIONS.values():
        client, ids = scene.client(operation.id), scene.ids(operation.id)
        headers = {"Authorization": f"Bearer {client.token}"}
        if client.tenant is not None:
            headers[TENANT_HEADER] = client.tenant
        parameters: dict[str, Any] = {}
        for slot in operation.slots:
            if slot.where not in {"path", "query", "body"} or slot.prefix not in ids:
                continue
            known[f"{operation.id}-{slot.prefix}"] = [ids[slot.prefix]]
            name = slot.name.replace(".[]", "[*]")
            parameters[f"{slot.where}.{name}"] = {
                "dictionary": f"{operation.id}-{slot.prefix}",
                "probability": OFTEN,
            }
        if operation.conditional:
            parameters["header.if-match"] = {"dictionary": "etag", "probability": OFTEN}
        settings.append(
            {
                "include-operation-id": operation.id,
                "headers": headers,
                **({"parameters": parameters} if parameters else {}),
            }
        )
    return {
        "seed": seed,
        "generation": {
            "max-examples": examples,
            "mode": mode,
            "deterministic": True,
            "database": "none",
            # Unknown query parameters and headers are ignored on purpose: proxies add them.
            "allow-extra-parameters": False,
        },
        "dictionaries": {name: {"values": values} for name, values in known.items()},
        "operations": settings,
        "phases": phases,
        "checks": CHECKS,
        "continue-on-failure": True,
        **({} if seconds is None else {"max-time": seconds}),
    }


CHECKS: dict[str, Any] = {
    "max_response_time": SLOWEST,
    # All checks are on. Ours besides the tool's own refusals: 412, since If-Match is looked at
    # before the body, and a made-up one names no version of ours.
    "negative_data_rejection": {
        "expected-statuses": [*NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES, "412", "413"]
    },
    "missing_required_header": {
        # RFC 6585: what is missing is If-Match.
        "expected-statuses": [*MISSING_REQUIRED_HEADER_EXPECTED_STATUSES, "428"]
    },
}
RULE = "value_error"
"""Pydantic's code for what a validator of ours refuses: a code list, members that fit together."""
STATABLE = frozenset(name.replace("_", "-") for name in get_args(ErrorType) if name != RULE)
"""Pydantic's own findings: types, lengths, bounds, patterns."""


def excused(status: int, body: bytes, sent: Collection[str]) -> str:
    """Why a refusal of data that fits the schema is right, or nothing.

    A rule between members, of a code list or about rows is no type. A cursor and an ETag are
    opaque: a made-up one is none of ours. An answer that names a type, a length or a pattern is
    never excused: then the document lies.

    Args:
        status: of the answer.
        body: of the answer, a problem.
        sent: names of the query parameters and headers in the request, in lower case.
    """
    problem = json.loads(body)
    code: str = problem["code"]
    if status == 422:
        codes = {error["code"] for error in problem["errors"]}
        return "" if codes & STATABLE else f"{code} {' '.join(sorted(codes))}"
    made_up = {(412, "precondition-failed"): "if-match", (400, "invalid-cursor"): "cursor"}
    return code if made_up.get((status, code)) in sent else ""


@contextmanager
def served(settings: KernelSettings) -> Iterator[FastAPI]:
    """The application on Schemathesis' own event loop, closed in the end."""
    try:
        yield create_app(lambda: with_stripe(build(settings)))
    finally:
        shutdown_lifespans()


def run(app: FastAPI, configuration: dict[str, Any], found: Findings) -> None:
    """All phases that are on, noted in ``found``; blocks."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    config = SchemathesisConfig.from_dict(configuration)
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = app
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _note(found, event)
        elif isinstance(event, events.NonFatalError):
            found.errors.append(f"{event.label}: {event.info.format()}")
        elif isinstance(event, events.FatalError):
            found.errors.append(repr(event.exception))


INVALID = "Invalid component"
"""How the tool begins to name what it thinks was wrong."""
TENANT = re.compile("org_[0-7][0-9a-hjkmnp-tv-z]{25}")


def _forgiven(check: str, case: Case[Any], answer: Response, told: str) -> str:
    """Why a finding is none: by what we promise, or because the machine was busy."""
    if check == "max_response_time":
        # What is slow is slow each time.
        return "busy" if min(case.call().elapsed for _ in range(3)) < SLOWEST else ""
    if check == "negative_data_rejection":
        return "tenant replaced" if _replaced(answer, told) else ""
    if check == "positive_data_acceptance":
        sent = {name.lower() for name in [*(case.query or {}), *(case.headers or {})]}
        return excused(answer.status_code, answer.content, sent)
    return ""


def _replaced(answer: Response, told: str) -> bool:
    """Whether all that was wrong never left: a good tenant header was put over the bad one.

    The tool does so with what it was configured with, and still takes the request for a bad one.
    """
    only = f"parameter `{TENANT_HEADER}` in header" in told and told.count(INVALID) == 1
    sent = str(answer.request.headers.get(TENANT_HEADER))
    return only and TENANT.fullmatch(sent) is not None


def _note(found: Findings, event: events.ScenarioFinished) -> None:
    recorder = event.recorder
    for case_id, node in recorder.cases.items():
        operation = node.value.operation.label
        found.cases[event.phase.value] += 1
        meta = node.value.meta
        mode = "none" if meta is None else meta.generation.mode.value
        found.modes.setdefault(operation, Counter())[mode] += 1
        interaction = recorder.interactions.get(case_id)
        response = interaction.response if interaction else None
        if response is not None:
            found.statuses[response.status_code] += 1
            if response.status_code < 300:
                found.taken.add(operation)
    for case_id, checks in recorder.checks.items():
        for check in checks:
            found.checks[check.name] += 1
            if check.failure_info is not None:
                failure = check.failure_info.failure
                interaction = recorder.interactions.get(case_id)
                answer = interaction.response if interaction else None
                body = answer.content if answer else b""
                case = recorder.cases[case_id].value
                told = failure.message
                why = _forgiven(check.name, case, answer, told) if answer else ""
                if why:
                    found.excused[f"{check.name}: {why}"] += 1
                    continue
                key = f"{check.name} {failure.operation} {failure.title}"
                found.failures.setdefault(
                    key,
                    f"{failure.message[:500]}\n{check.failure_info.code_sample[:700]}\n{body[:400]!r}",
                )
