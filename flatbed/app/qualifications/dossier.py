"""The evidence dossier: what a qualification rests on, frozen at the instant of submission.

It names rows by id and carries every figure with what it was computed from. Words of people
(statements, plan texts) stand by their hash: the text stays in its row, and may be erased there
without breaking the dossier's own hash. Scores are decimal texts, so that the stored JSON is the
canonical one and anybody can hash it again.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from flatbed.app.candidates.pipeline import criteria
from flatbed.app.candidates.pipeline.cases import Case
from flatbed.app.candidates.rules.gate_criteria import GateCheck
from flatbed.app.candidates.rules.initiative import InitiativeNumbers, msi
from flatbed.app.candidates.rules.situation import Situation
from flatbed.app.candidates.rules.snapshot import PlanVersion
from flatbed.app.candidates.rules.timing import Stretch, stretches
from flatbed.app.candidates.rules.touches import EffectiveTouch, Side
from flatbed.app.qualifications.rules.free_rides import RideResult
from flatbed.app.qualifications.rules.states import Origin
from flatbed.tenants.kit.canonical import canonical, digest
from flatbed.tenants.kit.ids import encode

FORMAT: Final = "2026-2"
DAY: Final = timedelta(days=1)


def freeze(case: Case, gate: GateCheck, now: datetime) -> tuple[dict[str, Any], str]:
    """The dossier of a passed gate, as plain JSON, and its SHA-256.

    ``judged_at`` is when the gates were judged, ``qualified_at`` when the unit was metered: later,
    with ``over_cap`` saying why, where the candidate had to wait for room.
    """
    s = Situation(case.snapshot, case.rubric, now)
    content = {
        "format": FORMAT,
        "judged_at": now,
        "qualified_at": now,
        "over_cap": None,
        "candidate_id": encode("cand", case.candidate.id),
        "campaign": _campaign(case),
        "price": _price(case),
        "rubric": case.rubric.to_json(),
        "criteria": [one.model_dump() for one in criteria.shown(criteria.of_gate(gate))],
        "fit": _fit(s),
        "msi": _msi(s),
        "decision": _decision(s),
        "hands_off": _hands_off(s),
        "plan": _plan(s.plan),
        "contacts": _contacts(s),
        "facts": _facts(s),
        "judgements": _judgements(s),
    }
    return _sealed(content)


def freeze_ride(
    case: Case, contract: dict[str, Any], results: Sequence[RideResult], now: datetime
) -> tuple[dict[str, Any], str]:
    """The dossier of a company that the ISV contracted itself: no gate was passed.

    Args:
        case: its candidate.
        contract: what was reported of it, plain and without words of people.
        results: why it is billed.
        now: when it is metered.
    """
    content = {
        "format": FORMAT,
        "origin": Origin.FREE_RIDE,
        "judged_at": now,
        "qualified_at": now,
        "candidate_id": encode("cand", case.candidate.id),
        "campaign": _campaign(case),
        "price": _price(case),
        "rubric": case.rubric.to_json(),
        "criteria": [asdict(one) for one in results],
        "contract": contract,
    }
    return _sealed(content)


def waiting(dossier: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The dossier of a candidate that waits for room, and its SHA-256: it is not qualified yet."""
    return _sealed({**dossier, "qualified_at": None})


def admitted(
    dossier: dict[str, Any], waiting_id: UUID, dossier_hash: str, since: datetime, now: datetime
) -> tuple[dict[str, Any], str]:
    """The frozen dossier of a reservation that is admitted now, and its SHA-256.

    With ``qualified_at`` and ``over_cap`` null again it has the hash that it waited with.
    """
    waited = {"id": encode("wait", waiting_id), "since": since, "dossier_hash": dossier_hash}
    return _sealed({**dossier, "qualified_at": now, "over_cap": waited})


def judged_at(dossier: dict[str, Any]) -> datetime | None:
    """Up to when the dossier knows what happened; None in one that does not say."""
    said = dossier.get("judged_at") or dossier.get("qualified_at")
    return None if said is None else datetime.fromisoformat(said)


def _sealed(content: dict[str, Any]) -> tuple[dict[str, Any], str]:
    frozen: dict[str, Any] = json.loads(canonical(content))
    return frozen, digest(frozen)


def _campaign(case: Case) -> dict[str, Any]:
    campaign = case.campaign
    return {
        "id": encode("camp", campaign.id),
        "programme_id": encode("prog", campaign.programme_id),
        "profile_version_id": encode("ippv", campaign.profile_version_id),
        "ordered_at": campaign.ordered_at,
        "fit_floor": campaign.fit_floor,
        "revenue_floor": campaign.revenue_floor,
    }


def _price(case: Case) -> dict[str, Any]:
    list_id = case.campaign.price_list_id
    return {
        "price_list_id": None if list_id is None else encode("price", list_id),
        "unit_price": case.campaign.unit_price,
        "currency": case.campaign.currency,
    }


def _fit(s: Situation) -> dict[str, Any]:
    fit = s.snapshot.fit
    return {
        "value": fit.value,
        "low": fit.low,
        "high": fit.high,
        "contributions": [
            {"criterion": one.criterion, "points": one.points, "low": one.low, "high": one.high}
            for one in fit.contributions
        ],
    }


def _msi(s: Situation) -> dict[str, Any]:
    numbers = s.rubric.initiative
    found = msi(s.touches, s.now, numbers)
    return {
        "value": found.value,
        "partner": found.partner,
        "ours": found.ours,
        "kappa": numbers.kappa,
        "half_life_days": numbers.half_life_days,
        "touches": [_touch(one, s.now, numbers) for one in s.touches],
    }


def _touch(one: EffectiveTouch, now: datetime, numbers: InitiativeNumbers) -> dict[str, Any]:
    isv = one.touch.side is Side.ISV
    weight = 0.0 if isv else numbers.weight(one)
    age = (now - one.touch.occurred_at) / DAY
    return {
        "id": encode("touch", one.touch.id),
        "side": one.touch.side,
        "class": one.cls,
        "provenance": one.provenance,
        "counted": one.counted,
        "elicited": one.elicited,
        "occurred_at": one.touch.occurred_at,
        "age_days": age,
        "weight": weight,
        "points": weight * 2.0 ** (-age / numbers.half_life_days),
    }


def _decision(s: Situation) -> dict[str, Any] | None:
    """The first C-level decision in principle, which the hands-off test counts from."""
    for evidence, decided_at, who in s.decisions:
        if who is None or not who.c_level:
            continue
        touch_id = evidence.touchpoint_id
        return {
            "evidence_id": encode("evid", evidence.id),
            "touchpoint_id": None if touch_id is None else encode("touch", touch_id),
            "contact_id": encode("cont", who.id),
            "role": evidence.role,
            "dated": evidence.occurred_at,
            "counts_from": decided_at,
            "statement_sha256": digest(evidence.statement),
        }
    return None


def _hands_off(s: Situation) -> dict[str, Any] | None:
    """The stretch without a push of ours that passed, and the partner's signals inside it."""
    first = next((at for _, at, who in s.decisions if who is not None and who.c_level), None)
    if first is None:
        return None
    needed = timedelta(hours=s.rubric.hands_off_hours)
    pushes = [one.touch.occurred_at for one in s.touches if one.is_our_push]
    found = stretches(first, pushes, s.snapshot.waiting, s.now)
    passed = [(_signals(s, one), one) for one in found if one.length >= needed]
    if not passed:
        return None
    signals, stretch = max(passed, key=lambda one: len(one[0]))
    return {
        "start": stretch.start,
        "end": stretch.end,
        "hours": stretch.length / timedelta(hours=1),
        "hours_needed": s.rubric.hands_off_hours,
        "signals": [encode("touch", one.touch.id) for one in signals],
        "waiting": [{"start": one.start, "end": one.end} for one in s.snapshot.waiting],
    }


def _signals(s: Situation, stretch: Stretch) -> tuple[EffectiveTouch, ...]:
    return tuple(
        one for one in s.proactive if one.is_proven and stretch.holds(one.touch.occurred_at)
    )


def _plan(plan: PlanVersion | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return {
        "id": encode("plan", plan.id),
        "number": plan.number,
        "fields": [
            {
                "name": field.name,
                **_value(field.value),
                "author": field.author,
                "source_touchpoint_id": None
                if field.source_touchpoint_id is None
                else encode("touch", field.source_touchpoint_id),
            }
            for field in plan.fields
        ],
    }


def _value(value: str | int) -> dict[str, Any]:
    """A number or a date as it is, words by their hash."""
    if isinstance(value, int):
        return {"value": value}
    try:
        return {"value": date.fromisoformat(value)}
    except ValueError:
        return {"value_sha256": digest(value)}


def _contacts(s: Situation) -> list[dict[str, Any]]:
    """Whoever took part: touched, decided, or sat in a meeting."""
    involved = {one.touch.contact_id for one in s.touches}
    for one in s.snapshot.evidence:
        involved |= {one.contact_id, *one.partner_attendees}
    roles: dict[UUID, set[str]] = {}
    for evidence, _, who in s.decisions:
        if who is not None and evidence.role:
            roles.setdefault(who.id, set()).add(evidence.role)
    return [
        {
            "id": encode("cont", one.id),
            "c_level": one.c_level,
            "roles": sorted(roles.get(one.id, ())),
        }
        for one in s.snapshot.contacts
        if one.id in involved
    ]


def _facts(s: Situation) -> list[dict[str, Any]]:
    """Whatever was known of the company: fit rests on it, and messages cited some of it."""
    cited = {id_ for one in s.snapshot.evidence for id_ in one.fact_ids}
    return [
        {
            "id": encode("fact", one.id),
            "source": one.source,
            "source_kind": one.source_kind,
            "attribute": one.attribute,
            "value_sha256": None if one.attribute is None else digest(one.value),
            "observed_on": one.observed_on,
            "trigger_on": one.trigger_on,
            "cited": one.id in cited,
        }
        for one in s.snapshot.facts
    ]


def _judgements(s: Situation) -> list[dict[str, Any]]:
    """The last word on each judged criterion: later ones do not change what was billed."""
    return [
        {
            "id": encode("judg", one.id),
            "criterion": one.criterion,
            "verdict": one.verdict,
            "thousandths": one.thousandths,
            "source_kind": one.source_kind,
            "at": one.at,
        }
        for one in s.snapshot.judgements
    ]
