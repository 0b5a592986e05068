"""Check a statement's proof without a database: everything is computed again from the file.

What it shows: the ledger's entries of the period follow each other without a gap, none was edited,
each unit of the period is billed once, held, cancelled or written off, each line costs what the
frozen price says, and the figures and the hash are those of the content.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flatbed.billing.pricing.rules.tiers import TierError, price_from
from flatbed.billing.statements.rules.content import PROOF_FORMAT, statement_hash
from flatbed.billing.statements.rules.rating import HELD, LineKind, amount_of, price_text
from flatbed.billing.usage.chain import Head, seal

Document = Mapping[str, Any]
_REFUNDS: Final = frozenset({"reversal", "credit"})


def verify_proof(document: object) -> list[str]:
    """Everything that is wrong with a proof, in words; empty if nothing is."""
    if not isinstance(document, Mapping) or document.get("format") != PROOF_FORMAT:
        return [f"this is no document of the format {PROOF_FORMAT}"]
    try:
        return list(_findings(document))
    except (KeyError, TypeError, ValueError, AttributeError, TierError) as error:
        return [f"a member is missing or of another type ({type(error).__name__})"]


def _findings(document: Document) -> Iterator[str]:
    statement = document["statement"]
    if statement_hash(document["previous_hash"], statement) != document["hash"]:
        yield "the content does not give the statement's hash"
    yield from _chain(statement, document["entries"])
    yield from _carried(statement, document["carried"])
    entries = {
        link["content"]["id"]: link["content"]
        for link in (*document["entries"], *document["carried"])
    }
    yield from _sums(statement)
    yield from _lines(statement, entries)
    yield from _ranks(statement)
    yield from _complete(statement, [link["content"] for link in document["entries"]])


def _chain(statement: Document, links: list[Document]) -> Iterator[str]:
    last = Head(statement["ledger_from"], statement["ledger_from_hash"])
    for link in links:
        sequence = link["content"]["sequence"]
        if sequence != last.sequence + 1:
            yield f"entry {last.sequence + 1} is missing or displaced"
        if link["previous_hash"] != last.hash:
            yield f"entry {sequence} does not follow the entry before"
        yield from _sealed(link)
        last = Head(sequence, link["hash"])
    if last != Head(statement["ledger_to"], statement["ledger_to_hash"]):
        yield "the entries do not end where the statement says"


def _carried(statement: Document, links: list[Document]) -> Iterator[str]:
    for link in links:
        if link["content"]["sequence"] > statement["ledger_from"]:
            yield f"entry {link['content']['sequence']} is not of an earlier statement"
        yield from _sealed(link)


def _sealed(link: Document) -> Iterator[str]:
    content = link["content"]
    if seal(Head(0, link["previous_hash"]), content) != link["hash"]:
        yield f"entry {content['sequence']} does not give its hash"


def _sums(statement: Document) -> Iterator[str]:
    lines, rest = statement["lines"], statement["rest"]
    charges = [line["amount"] for line in lines if line["kind"] == LineKind.CHARGE]
    back = [line["amount"] for line in lines if line["kind"] == LineKind.CREDIT]
    held = [one["amount"] for one in rest if one["fate"] in HELD]
    wanted = {
        "units": len(charges),
        "charges": sum(charges),
        "credits": sum(back),
        "total": sum(charges) + sum(back),
        "held_units": len(held),
        "held_amount": sum(held),
    }
    for name, value in wanted.items():
        if statement[name] != value:
            yield f"{name} is {statement[name]}, the lines give {value}"
    net = Counter[str]()
    for invoice in statement["invoices"]:
        net[invoice["kind"]] += invoice["net"]
        if invoice["gross"] != invoice["net"] + invoice["tax"]:
            yield f"{invoice['number']} does not add up"
    if net["invoice"] != sum(charges):
        yield "the invoice does not ask for the charges"
    if net["credit_note"] != -sum(back):
        yield "the credit notes do not give back the credits"


def _lines(statement: Document, entries: Mapping[str, Document]) -> Iterator[str]:
    seen = Counter(line["entry_id"] for line in statement["lines"])
    seen.update(one["entry_id"] for one in statement["rest"])
    for entry_id, times in seen.items():
        if times > 1:
            yield f"entry {entry_id} is told of more than once"
        if entry_id not in entries:
            yield f"entry {entry_id} is not in the file"
    for place, line in enumerate(statement["lines"], start=1):
        entry = entries.get(line["entry_id"])
        if line["position"] != place:
            yield f"line {place} is displaced"
        if entry is not None:
            yield from _line(place, line, entry, statement["currency"])


def _line(place: int, line: Document, entry: Document, currency: str) -> Iterator[str]:
    if entry["currency"] != currency:
        yield f"line {place} is of another currency"
    if line["dossier_hash"] != entry["evidence_hash"]:
        yield f"line {place} names another dossier"
    if line["campaign_ref"] != entry["campaign_ref"]:
        yield f"line {place} names another campaign"
    if line["kind"] == LineKind.CREDIT:
        corrected = entry["reverses_id"] or entry["credits_id"]
        if entry["kind"] not in _REFUNDS or line["corrects_entry_id"] != corrected:
            yield f"line {place} corrects another entry"
        if line["amount"] != entry["amount"]:
            yield f"line {place} gives back another amount than its entry"
    elif entry["kind"] != "qualified":
        yield f"line {place} bills what is no unit"
    else:
        yield from _charge(place, line, entry)


def _charge(place: int, line: Document, entry: Document) -> Iterator[str]:
    price, rank = price_from(entry["tiers"], entry["amount"]), line["rank"]
    if (rank is None) != (entry["replaces_id"] is not None):
        yield f"line {place}: only a replacement has no rank"
    if line["amount"] != amount_of(price, rank):
        yield f"line {place} costs {line['amount']}, its price is {amount_of(price, rank)}"
    if line["price_text"] != price_text(price, rank):
        yield f"line {place} tells another price"


def _ranks(statement: Document) -> Iterator[str]:
    last: dict[str, int] = {}
    accepted = ""
    for line in statement["lines"]:
        if line["kind"] != LineKind.CHARGE:
            continue
        if line["accepted_at"] < accepted:
            yield f"line {line['position']} is not in the order of acceptance"
        accepted = line["accepted_at"]
        campaign, rank = line["campaign_ref"], line["rank"]
        if rank is None:
            continue
        if campaign in last and rank != last[campaign] + 1:
            yield f"line {line['position']} is not the next unit of its campaign"
        last[campaign] = rank


def _complete(statement: Document, contents: list[Document]) -> Iterator[str]:
    """Nothing of the period is left out."""
    told = {line["entry_id"] for line in statement["lines"]}
    told |= {one["entry_id"] for one in statement["rest"]}
    for content in contents:
        is_of_it = content["period_id"] == statement["period_id"]
        if not is_of_it or content["currency"] != statement["currency"]:
            continue
        has_money = content["kind"] == "qualified" or content["amount"] != 0
        if has_money and content["id"] not in told:
            yield f"entry {content['sequence']} is neither billed nor told of"
