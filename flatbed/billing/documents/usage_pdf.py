"""The pages of a usage report: the words and their places. The look: usage.typ."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from flatbed.billing.documents.errors import TooManyLinesError
from flatbed.billing.documents.labels import LABELS, day_text, units_text
from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.money import money_text
from flatbed.billing.documents.report import Group, ReportLine, Tally, Total, UsageReport
from flatbed.billing.documents.texts import breakable, last_part, shortened
from flatbed.billing.documents.typesetting import set_pages

MOST_LINES: Final = 5_000
"""500 pages; a line takes 150 kB of memory while it is set."""
_LONG: Final = 300
_HASH: Final = 64
_SHORT: Final = 80


def usage_pdf(report: UsageReport) -> bytes:
    """The report on A4 pages on their side, as PDF/A-3b: the same bytes for the same report.

    Takes a whole core and lets go of Python's lock: call it in a thread.

    Raises:
        TooManyLinesError: more than 5,000 lines.
        TypesettingError: a text that no page holds.
    """
    if len(report.lines or ()) > MOST_LINES:
        raise TooManyLinesError
    return set_pages("usage.typ", _Words(report).data(), day=report.made_on)


class _Words:
    """A report's facts as texts in its language."""

    def __init__(self, report: UsageReport) -> None:
        self._of = report
        self._labels = LABELS[report.language]
        self._zone = ZoneInfo(report.period.time_zone)

    def data(self) -> dict[str, Any]:
        of, labels = self._of, self._labels
        states = of.states()
        names = [labels[state] for state in states]
        credited = [labels["credited"]] if any(one.credited for one in of.totals) else []
        forecast = [labels["forecast"]] if any(one.forecast for one in of.totals) else []
        return {
            "language": of.language,
            "labels": dict(labels),
            "title": f"{labels['usage_report']} {self._days()}",
            "heading": labels["usage_report"],
            "author": breakable(of.seller),
            "customer": breakable(of.customer),
            "facts": [
                [labels["period"], self._days()],
                [labels["time_zone"], of.period.time_zone],
                [labels["made_on"], day_text(of.made_on, of.language)],
            ],
            "totals": {
                "texts": 1,
                "heads": [labels["currency"], *names, *credited, *forecast],
                "rows": [
                    [
                        total.currency,
                        *self._cells(total),
                        *self._credited(total, credited),
                        *self._forecast(total, forecast),
                    ]
                    for total in of.totals
                ],
            },
            "grouped": labels["grouped"].format(name=self._noun(of.grouping)),
            "groups": {
                "texts": 2,
                "heads": [labels[of.grouping], labels["currency"], *names, *credited],
                "rows": [
                    [
                        breakable(group.name),
                        group.currency,
                        *self._cells(group),
                        *self._credited(group, credited),
                    ]
                    for group in of.groups
                ],
            },
            "lines": self._lines(),
            "short": shortened(of.seller, _SHORT),
            "footer": [shortened(of.seller, _SHORT)],
        }

    def _noun(self, label: str) -> str:
        # English writes it small inside a heading.
        noun = self._labels[label]
        return noun.lower() if self._of.language is Language.EN else noun

    def _days(self) -> str:
        period, language = self._of.period, self._of.language
        return f"{day_text(period.first_day, language)} – {day_text(period.last_day, language)}"

    def _cells(self, of: Total | Group) -> list[list[str]]:
        return [self._cell(of.of(state), of.currency) for state in self._of.states()]

    def _cell(self, tally: Tally, currency: str) -> list[str]:
        units = units_text(tally.units, self._of.language)
        return [units, money_text(tally.amount, currency, self._of.language)]

    def _forecast(self, total: Total, shown: list[str]) -> list[list[str] | str]:
        if not shown:
            return []
        return ["–" if total.forecast is None else self._cell(total.forecast, total.currency)]

    def _credited(self, of: Total | Group, shown: list[str]) -> list[str]:
        return [money_text(-of.credited, of.currency, self._of.language)] if shown else []

    def _lines(self) -> dict[str, Any] | None:
        if not self._of.lines:
            return None
        names = ("occurred_on", "campaign", "state", "entry", "dossier", "amount")
        return {
            "heads": [self._labels[name] for name in names],
            "rows": [self._row(line) for line in self._of.lines],
        }

    def _row(self, line: ReportLine) -> dict[str, Any]:
        of, labels = self._of, self._labels
        notes = [
            *([labels["late"]] if line.late else []),
            *([labels["replacement"]] if line.replaces is not None else []),
        ]
        noted = f" ({', '.join(notes)})" if notes else ""
        back = money_text(-line.credited, line.currency, of.language) if line.credited else None
        return {
            "occurred": day_text(line.occurred_at.astimezone(self._zone).date(), of.language),
            "campaign": breakable(line.campaign),
            "long": len(line.campaign) > _LONG,
            "state": f"{labels[line.state]}{noted}",
            "entry": breakable(line.entry_id),
            "link": line.dossier_url,
            "dossier": breakable(last_part(line.dossier_url)),
            "hash": breakable(line.dossier_hash, longest=_HASH),
            "amount": money_text(line.amount, line.currency, of.language),
            "credited": None if back is None else f"{labels['credited']} {back}",
        }
