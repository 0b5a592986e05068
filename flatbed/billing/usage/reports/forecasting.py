"""What is not billed yet, at its price, and what it is expected to come to."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.usage.caps import TOTAL, Used, room
from flatbed.billing.usage.periods import Span, first_period, month_of, periods_until
from flatbed.billing.usage.ports import CampaignFacts, Campaigns
from flatbed.billing.usage.repository import forecasts as repository
from flatbed.billing.usage.repository import ledger
from flatbed.billing.usage.rules.forecast import HISTORY, Forecast, Past, Share, forecast, share_of
from flatbed.billing.usage.rules.ranking import CampaignKey, Ranked, Stage, Unbilled, rank_all
from flatbed.billing.usage.schemas import (
    CampaignForecast,
    CurrencyForecast,
    Expectation,
    ForecastInputs,
    Tally,
    UsageForecast,
)
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.organizations.service import organization_of


async def forecast_of(
    session: TenantReadSession, campaigns: Campaigns, campaign_ref: UUID | None
) -> UsageForecast:
    """What the tenant, or one of its campaigns, is expected to come to by the period's end."""
    now, zone = session.now(), (await organization_of(session)).zone
    span = await _current_period(session, zone)
    units = await repository.unbilled(session, None)
    pasts = await repository.pasts(session, now)
    # The ISV's share is of all its units, also where one campaign is asked for.
    shares = await _shares(session, units, pasts)
    ranked = await _ranked(session, units, campaign_ref)
    facts = await campaigns.facts(session, [one.key[0] for one in ranked])
    month = month_of(now, zone)
    used = await repository.used(session, [TOTAL, month])
    told = [
        _campaign(
            one,
            forecast(
                one,
                pasts.get(one.key),
                shares.get(one.key[1], Share(0, 0)),
                room=_room(one, facts.get(one.key[0]), used, month),
                now=now,
                ends_at=span.ends_at,
            ),
        )
        for one in ranked
    ]
    return UsageForecast(
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        currencies=[
            _currency(currency, [one for one in told if one.currency == currency])
            for currency in sorted({one.currency for one in told})
        ],
        campaigns=told,
    )


async def ranked_units(session: TenantReadSession, campaign_ref: UUID | None) -> list[Ranked]:
    """Every campaign that has units, with those that are not billed at their places."""
    return await _ranked(session, await repository.unbilled(session, campaign_ref), campaign_ref)


async def _ranked(
    session: TenantReadSession, units: Iterable[Unbilled], campaign_ref: UUID | None
) -> list[Ranked]:
    return rank_all(
        [one for one in units if campaign_ref in {None, one.key[0]}],
        await repository.ranks(session),
        await repository.prices(session, campaign_ref),
    )


async def _shares(
    session: TenantReadSession, units: Sequence[Unbilled], pasts: Mapping[CampaignKey, Past]
) -> dict[str, Share]:
    now = session.now()
    voided = await repository.voided(session, now)
    recent = [one for one in units if not one.free and now - HISTORY < one.occurred_at <= now]
    return {
        currency: share_of(
            sum(past.units for key, past in pasts.items() if key[1] == currency),
            voided=voided.get(currency, 0),
            unbilled=[one for one in recent if one.key[1] == currency],
        )
        for currency in {key[1] for key in pasts}
    }


async def _current_period(session: TenantReadSession, zone: ZoneInfo) -> Span:
    """The period that holds the present; before anybody needs it, as it will be made."""
    now = session.now()
    found = await repository.period_at(session, now)
    if found is not None:
        return found
    last_end = (await ledger.place(session, now)).last_end
    if last_end is None or last_end > now:
        return first_period(now, zone)
    *_, current = periods_until(last_end, now, zone)
    return current


def _room(
    ranked: Ranked,
    facts: CampaignFacts | None,
    used: Mapping[tuple[UUID, str], Used],
    month: str,
) -> int | None:
    """How many more units may be metered, None where nobody knows of a bound."""
    if facts is None:
        return None
    if not facts.takes_units:
        return 0
    campaign, nothing = ranked.key[0], Used(0, 0)
    return room(
        facts.caps,
        total=used.get((campaign, TOTAL), nothing),
        month=used.get((campaign, month), nothing),
        unit_price=ranked.price.highest(ranked.billed.rank + 1),
    )


def _campaign(ranked: Ranked, made: Forecast | None) -> CampaignForecast:
    return CampaignForecast(
        campaign_id=ranked.key[0],
        currency=ranked.key[1],
        accepted=_tally(ranked.accepted),
        pending=_tally(ranked.pending),
        disputed=_tally(ranked.disputed),
        forecast=None
        if made is None
        else Expectation(
            units=made.units,
            amount=made.amount,
            accepted_units=made.accepted_units,
            open_units=made.open_units,
            new_units=made.new_units,
            inputs=ForecastInputs.model_validate(made.inputs),
        ),
    )


def _currency(currency: str, of: Sequence[CampaignForecast]) -> CurrencyForecast:
    made = [one.forecast for one in of if one.forecast is not None]
    return CurrencyForecast(
        currency=currency,
        accepted=_sum([one.accepted for one in of]),
        pending=_sum([one.pending for one in of]),
        disputed=_sum([one.disputed for one in of]),
        forecast=_sum([one.accepted if one.forecast is None else one.forecast for one in of])
        if made
        else None,
        campaigns_without_forecast=len(of) - len(made),
    )


def _tally(stage: Stage) -> Tally:
    return Tally(units=stage.units, amount=stage.amount)


def _sum(tallies: Sequence[Tally]) -> Tally:
    return Tally(units=sum(one.units for one in tallies), amount=sum(one.amount for one in tallies))
