"""What the demo shows at its end, as tables."""

from collections.abc import Sequence
from typing import Final

from rich.box import SIMPLE
from rich.table import Table

from flatbed.app.demo.books import Billed
from flatbed.app.demo.cast import Isv
from flatbed.app.demo.client import JSON
from flatbed.app.demo.seed import World
from flatbed.app.demo.settlement import money
from flatbed.app.demo.story import Played
from flatbed.app.demo.teller import Teller

STATES = ("pending", "disputed", "accepted", "billed", "cancelled", "reversed", "written_off")
ALL: Final = "Invoices and credit notes of all ISVs, here and at the fake Stripe"
HUNDRED: Final = 100
"""Tax rates are hundredths of a percent."""


def seeded(teller: Teller, world: World) -> None:
    """Where the seeded candidates stand."""
    table = Table(title="Seeded candidates", title_justify="left")
    table.add_column("stage or status")
    table.add_column("candidates", justify="right")
    for stage, number in sorted(world.stages.items(), key=lambda one: (-one[1], one[0])):
        table.add_row(stage, str(number))
    teller.console.print(table)
    units = ", ".join(f"{number} {state}" for state, number in sorted(world.units.items()))
    teller.say(
        f"{len(world.companies)} companies, {len(world.candidates)} candidates, "
        f"{world.contacts} contacts, {world.facts} facts, {world.touchpoints} touchpoints; "
        f"units: {units or 'none'}; {world.disputes} disputes"
    )


def owed(teller: Teller, played: Played, base_url: str) -> None:
    """Usage, the statement's preview, and each unit with its evidence."""
    _usage(teller, played.usage)
    _statement(teller, played.preview, base_url)
    table = Table(title="Units of the story", title_justify="left")
    for column in ("", "company", "MSI when qualified", "state", "price"):
        table.add_column(column)
    for unit in played.units:
        price = money(unit.amount, unit.currency)
        table.add_row(unit.letter, unit.company, f"{unit.msi:.2f}", unit.state, price)
    teller.console.print(table)
    for unit in played.units:
        teller.say(f"  {unit.letter} evidence  {unit.dossier}")


def invoice(teller: Teller, billed: Billed, base_url: str) -> None:
    """An invoice or credit note, line by line, here and at the fake Stripe."""
    ours, currency = billed.invoice, billed.invoice["currency"]
    name = ours["kind"].replace("_", " ")
    title = f"{name} {ours['number']}, {ours['issued_on']}, {billed.isv.name}"
    table = Table(title=title, title_justify="left")
    for column in ("unit", "price", "evidence"):
        table.add_column(column)
    for line in billed.lines:
        opened = f"[green]{line['dossier_hash'][:12]}… opened, same[/green]"
        table.add_row(line["qualification_id"], money(line["amount"], currency), opened)
    rate = ours["tax_rate"] / HUNDRED
    for what, amount in (
        ("net", ours["net"]),
        (f"tax, {ours['tax_category']} {rate:g} %", ours["tax"]),
        ("[bold]gross[/bold]", ours["gross"]),
    ):
        table.add_row(what, money(amount, currency), "")
    if billed.theirs is not None:
        there = f"{billed.theirs['id'][:14]}… [green]{billed.collection['status']}[/green]"
        table.add_row("at the fake Stripe", money(billed.theirs["total"], currency), there)
    teller.console.print(table)
    for line in billed.lines:
        teller.say(f"  evidence  {base_url}{line['dossier']}")


def collected(teller: Teller, everything: Sequence[Billed]) -> None:
    """Every invoice of every ISV, its evidence, and how it stands at the fake Stripe."""
    table = Table(title=ALL, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("number", no_wrap=True)
    table.add_column("ISV", no_wrap=True)
    table.add_column("gross", justify="right", no_wrap=True)
    for column in ("tax", "evidence", "there"):
        table.add_column(column, no_wrap=True)
    for one in everything:
        ours = one.invoice
        there = "no look" if one.theirs is None else f"same, {one.collection['status']}"
        table.add_row(
            ours["number"],
            one.isv.name.partition(" ")[0],
            ("-" if ours["kind"] == "credit_note" else "") + money(ours["gross"], ours["currency"]),
            f"{ours['tax_category']} {ours['tax_rate'] / HUNDRED:g} %",
            f"{len(one.lines)} opened",
            there,
        )
    teller.console.print(table)


def reconciled(teller: Teller, reports: Sequence[tuple[Isv, JSON]]) -> None:
    """Each ISV's report."""
    table = Table(title="GET /v1/reconciliation", title_justify="left", box=SIMPLE)
    table.add_column("ISV", no_wrap=True)
    for column in ("statements", "invoices", "Stripe asked", "findings"):
        table.add_column(column, justify="right")
    for isv, report in reports:
        asked = "yes" if report["collects"] else "no"
        figures = (str(report["statements"]), str(report["invoices"]), asked)
        table.add_row(isv.name, *figures, f"[green]{report['open_findings']}[/green]")
    teller.console.print(table)


def seconds(teller: Teller) -> None:
    """How long each part took."""
    total = sum(teller.seconds.values())
    parts = ", ".join(f"{name} {took:.1f} s" for name, took in teller.seconds.items())
    teller.say(f"{parts}; {total:.1f} s in all", style="dim")


def _usage(teller: Teller, usage: JSON) -> None:
    table = Table(title="GET /v1/usage", title_justify="left")
    table.add_column("state")
    table.add_column("units", justify="right")
    table.add_column("amount", justify="right")
    for total in usage["totals"]:
        for state in STATES:
            if total[state]["units"]:
                amount = money(total[state]["amount"], total["currency"])
                table.add_row(state, str(total[state]["units"]), amount)
    teller.console.print(table)


def _statement(teller: Teller, preview: JSON, base_url: str) -> None:
    begin, end = preview["starts_at"][:10], preview["ends_at"][:10]
    title = f"GET /v1/statements/preview: {begin} to {end}, {preview['time_zone']}"
    table = Table(title=title, title_justify="left")
    for column in ("unit", "accepted", "price", "carried over"):
        table.add_column(column)
    for draft in preview["statements"]:
        for line in draft["lines"]:
            table.add_row(
                line["qualification_id"],
                line["accepted_at"][:10],
                money(line["amount"], draft["currency"]),
                "yes" if line["carried_over"] else "no",
            )
        sum_ = money(draft["total"], draft["currency"])
        table.add_row(f"[bold]{draft['units']} units[/bold]", "", f"[bold]{sum_}[/bold]", "")
    teller.console.print(table)
    for draft in preview["statements"]:
        for line in draft["lines"]:
            teller.say(f"  evidence  {base_url}{line['dossier']}")
