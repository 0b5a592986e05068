"""The pages of an invoice or a credit note: the words and their places. The look: invoice.typ."""

from typing import Any, Final

from babel import Locale

from flatbed.billing.documents.labels import LABELS, day_text, units_text
from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.model import REASONED, Document, Kind, Line
from flatbed.billing.documents.money import money_text, number_text, percent_text
from flatbed.billing.documents.parties import Address, Bank
from flatbed.billing.documents.texts import breakable, last_part, line_text, shortened
from flatbed.billing.documents.typesetting import set_pages

# A row or a closing of more characters may be broken across pages: it might not fit one.
_LONG: Final = 600
_SHORT: Final = 80
"""Characters of a name where it is repeated; where it is said, it is said in full."""
_HASH: Final = 64
"""Hexadecimal digits of SHA-256: they fit on a line."""


def invoice_pdf(document: Document, *, xml: bytes = b"") -> bytes:
    """The document on A4 pages, as PDF/A-3b: the same bytes for the same document.

    Takes a whole core and lets go of Python's lock: call it in a thread.

    Args:
        document: what it says, in its language.
        xml: the invoice as EN 16931 data, to be attached as ``factur-x.xml``.

    Raises:
        TypesettingError: a text that no page holds.
    """
    return set_pages("invoice.typ", _Words(document).data(), day=document.issued_on, xml=xml)


def address_lines(address: Address, *, seen_from: str, language: Language) -> list[str]:
    """The address as it is written on an envelope; the country last if it is another one."""
    town = f"{address.postal_code} {address.city}"
    abroad = "" if address.country == seen_from else _country(address.country, language)
    return [breakable(one) for one in (*address.lines, town, abroad) if line_text(one)]


class _Words:
    """A document's facts as texts in its language."""

    def __init__(self, document: Document) -> None:
        self._of = document
        self._labels = LABELS[document.language]
        self._credit = document.kind is Kind.CREDIT_NOTE

    def data(self) -> dict[str, Any]:
        of, seller = self._of, self._of.seller
        return {
            "language": of.language,
            "labels": dict(self._labels),
            "title": f"{self._labels[of.kind]} {line_text(of.number)}",
            "author": breakable(seller.legal_name),
            "short": shortened(seller.legal_name, _SHORT),
            "sender": self._sender(),
            "buyer": [breakable(of.buyer.legal_name), *self._address(of.buyer.address)],
            "facts": self._facts(),
            "heads": self._heads(),
            "rows": [self._row(line) for line in of.lines],
            "totals": self._totals(),
            "tax_note": self._tax_note(),
            "payment": self._payment(),
            "terms": breakable(of.payment_terms),
            "held": self._held(),
            "long": self._closes_at_length(),
            "proof": self._proof(),
            "footer": self._footer(),
        }

    def _address(self, address: Address) -> list[str]:
        of = self._of
        # Both see the other's country; at home neither is written.
        other = of.buyer if address is of.seller.address else of.seller
        return address_lines(address, seen_from=other.address.country, language=of.language)

    def _money(self, minor: int) -> str:
        return money_text(minor, self._of.currency, self._of.language)

    def _label(self, name: str) -> str:
        """The credit note's own word for it, if it has one."""
        own = self._labels.get(f"{name}_{self._of.kind}")
        return own or self._labels[name]

    def _facts(self) -> list[list[str]]:
        of, buyer = self._of, self._of.buyer
        period = of.period
        days = [day_text(day, of.language) for day in (period.first_day, period.last_day)]
        rows = [("number", of.number), ("issued_on", day_text(of.issued_on, of.language))]
        if of.corrects is not None:
            issued = of.corrects.issued_on
            when = "" if issued is None else f" ({day_text(issued, of.language)})"
            rows.append(("corrects", f"{of.corrects.number}{when}"))
        else:
            rows.append(("due_on", day_text(of.due_on, of.language)))
        rows += [("period", " – ".join(days)), ("time_zone", period.time_zone)]
        if buyer.purchase_order:
            rows.append(("purchase_order", buyer.purchase_order))
        if buyer.vat_id:
            rows.append(("buyer_vat_id", buyer.vat_id))
        rows += [("buyer_tax_id", one.value) for one in buyer.tax_ids]
        return [[self._labels[name], breakable(value)] for name, value in rows]

    def _heads(self) -> list[str]:
        names = ("position", "service", "occurred_on", "accepted_on")
        amount = f"{self._labels['amount']} ({self._of.currency})"
        return [*(self._labels[name] for name in names), amount]

    def _row(self, line: Line) -> dict[str, Any]:
        of = self._of
        details = [" · ".join(filter(line_text, (line.campaign, line.price_text)))]
        if line.corrects_entry_id is not None:
            details.append(f"{self._labels['correcting']} {line.corrects_entry_id}")
        accepted = line.accepted_on
        return {
            "position": str(line.position),
            "text": breakable(line.text),
            "details": [breakable(one) for one in details if one],
            "long": len(line.text) + len(line.campaign) + len(line.price_text) > _LONG,
            "entry": breakable(line.entry_id),
            "link": line.dossier_url,
            "dossier": f"{self._labels['dossier']} {breakable(last_part(line.dossier_url))}",
            "hash": breakable(line.dossier_hash, longest=_HASH),
            "occurred": day_text(line.occurred_on, of.language),
            "accepted": "–" if accepted is None else day_text(accepted, of.language),
            "amount": number_text(line.net, of.currency, of.language),
        }

    def _totals(self) -> list[dict[str, Any]]:
        totals, tax = self._of.totals, self._of.tax
        name = self._labels["tax"]
        if tax.category not in REASONED:
            name = f"{name} {percent_text(tax.rate, self._of.language)}"
        rows = [(self._labels["net"], totals.net), (name, totals.tax)]
        if totals.paid:
            rows += [(self._label("gross"), totals.gross), (self._labels["paid"], -totals.paid)]
            rows.append((self._label("due"), totals.due))
        else:
            rows.append((self._label("gross"), totals.gross))
        strong = len(rows) - 1
        return [
            {"name": name, "amount": self._money(minor), "strong": index == strong}
            for index, (name, minor) in enumerate(rows)
        ]

    def _tax_note(self) -> list[str]:
        tax = self._of.tax
        if tax.category not in REASONED or tax.reason is None:
            return []
        return [self._labels[f"tax_{tax.category.value}"], breakable(tax.reason)]

    def _payment(self) -> dict[str, Any] | None:
        of = self._of
        if self._credit:
            # The seller's account on a credit note would ask for the money once more.
            return None
        if not of.totals.due:
            return {"text": self._labels["nothing_due"], "bank": []}
        text = self._labels["please_pay"].format(
            amount=self._money(of.totals.due),
            day=day_text(of.due_on, of.language),
            number=line_text(of.number),
        )
        bank = of.seller.bank
        return {"text": text, "bank": [] if bank is None else self._bank(bank)}

    def _bank(self, bank: Bank) -> list[list[str]]:
        rows = [("account_holder", bank.account_holder), ("iban", _fours(bank.iban))]
        if bank.bic:
            rows.append(("bic", bank.bic))
        return [[self._labels[name], breakable(value)] for name, value in rows]

    def _held(self) -> str:
        held = self._of.held
        if not held.units or self._credit:
            return ""
        units = units_text(held.units, self._of.language)
        return self._labels["held_text"].format(units=units, amount=self._money(held.amount))

    def _closes_at_length(self) -> bool:
        of, bank = self._of, self._of.seller.bank
        texts = (of.payment_terms, of.tax.reason or "", bank.account_holder if bank else "")
        return sum(map(len, texts)) > _LONG

    def _proof(self) -> dict[str, Any]:
        proof = self._of.proof
        text = self._labels["proof_text"]
        return {
            "text": text.format(first=proof.from_sequence, last=proof.to_sequence),
            "hashes": [
                [self._labels["chain_from"], proof.from_hash],
                [self._labels["chain_to"], proof.to_hash],
                [self._labels["statement_hash"], proof.statement_hash],
            ],
        }

    def _sender(self) -> str:
        seller = self._of.seller
        parts = [seller.legal_name, *self._address(seller.address)]
        return " · ".join(shortened(part, _SHORT) for part in parts)

    def _footer(self) -> list[str]:
        seller = self._of.seller
        who = [shortened(seller.email, _SHORT)]
        if seller.vat_id:
            who.append(f"{self._labels['vat_id']} {shortened(seller.vat_id, _SHORT)}")
        if seller.tax_number:
            who.append(f"{self._labels['tax_number']} {shortened(seller.tax_number, _SHORT)}")
        return [self._sender(), " · ".join(who)]


def _country(code: str, language: Language) -> str:
    name = Locale(language.value).territories.get(code, code)
    return str(name).upper()


def _fours(iban: str) -> str:
    return " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))
