"""What the demo shows at its end, as tables."""

from rich.table import Table

from flatbed.app.demo.client import JSON
from flatbed.app.demo.seed import World
from flatbed.app.demo.settlement import money
from flatbed.app.demo.story import Played
from flatbed.app.demo.teller import Teller

STATES = ("pending", "disputed", "accepted", "billed", "cancelled", "reversed", "written_off")


def seeded(teller: Teller, world: World) -> None:
    """Where the seeded candidates stand."""
    table = Table(title="Seeded candidates", title_justify="left")
    table.add_column("stage or status")
    table.add_column("candidates", justify="right")
    for stage, number in sorted(world.stages.items(), key=lambda one: (-one[1], one[0])):
        table.add_row(stage, str(number))
    teller.console.print(table)
    teller.say(f"{len(world.companies)} companies, {world.touchpoints} touchpoints")


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


def seconds(teller: Teller) -> None:
    """How long each part took."""
    total = sum(teller.seconds.values())
    parts = ", ".join(f"{name} {took:.1f} s" for name, took in teller.seconds.items())
    teller.say(f"{parts}; {total:.1f} s in all", style="dim")


def _usage(teller: Teller, usage: JSON) -> None:
    table = Table(title="GET /v1/usage", title_justify="left")
    table.add_column("currency")
    for state in STATES:
        table.add_column(f"{state} (units)", justify="right")
    for total in usage["totals"]:
        cells = [
            f"{money(total[state]['amount'], total['currency'])} ({total[state]['units']})"
            for state in STATES
        ]
        table.add_row(total["currency"], *cells)
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
