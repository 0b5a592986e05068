"""What cannot be written down. None of these is the reader's fault: callers translate them."""

from collections.abc import Sequence


class DocumentError(ValueError):
    """The facts of a document contradict each other: nothing is made of them."""


class TotalsError(DocumentError):
    """A sum is not the sum of its parts."""


class UnknownCurrencyError(DocumentError):
    """Not the form of an ISO 4217 code."""


class AmountTooLargeError(DocumentError):
    """The amount has more digits than a spreadsheet keeps: 15."""


class TooManyLinesError(DocumentError):
    """More lines than anybody reads on paper: a workbook or CSV holds them."""


class NoElectronicInvoiceError(Exception):
    """EN 16931 does not admit this invoice.

    ``rules`` are the names of the rules that stand against it, such as ``BR-AE-02``.
    """

    def __init__(self, rules: Sequence[str]) -> None:
        super().__init__(", ".join(rules))
        self.rules = tuple(rules)


class TypesettingError(Exception):
    """The page could not be set: a mistake in a template, or a text that no page holds."""
