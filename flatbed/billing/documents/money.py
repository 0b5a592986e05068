"""Minor units as people and files read them. Pure; whole numbers and ``Decimal``, never a float."""

import re
from decimal import MAX_PREC, Context, Decimal, localcontext
from typing import Final

from babel.numbers import format_decimal

from flatbed.billing.documents.errors import UnknownCurrencyError
from flatbed.billing.documents.languages import Language

# ISO 4217, list one: every currency that has not two decimals. CLDR, babel's source, differs (it
# writes no decimals where coins are out of use), and what is owed follows ISO.
_EXPONENTS: Final = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
            *("PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_CODE: Final = re.compile("[A-Z]{3}")
_EXACT: Final = Context(prec=MAX_PREC)
NO_BREAK_SPACE: Final = "\u00a0"


def exponent(currency: str) -> int:
    """How many decimals the currency has: EUR 2, JPY 0, KWD 3.

    Raises:
        UnknownCurrencyError: not three capital letters.
    """
    if _CODE.fullmatch(currency) is None:
        raise UnknownCurrencyError(currency)
    return _EXPONENTS.get(currency, 2)


def exact(minor: int, currency: str) -> Decimal:
    """The amount in whole currency with all of its decimals: 360000 EUR is ``3600.00``."""
    sign, digits, _ = Decimal(minor).as_tuple()
    return Decimal((sign, digits, -exponent(currency)))


def number_text(minor: int, currency: str, language: Language) -> str:
    """The amount without its currency: ``3.600,00`` or ``3,600.00``."""
    decimals = exponent(currency)
    pattern = "#,##0." + "0" * decimals if decimals else "#,##0"
    # babel quantizes in the context that it finds: that of a thread may be too short.
    with localcontext(_EXACT):
        return format_decimal(exact(minor, currency), format=pattern, locale=language.value)


def money_text(minor: int, currency: str, language: Language) -> str:
    """The amount with its ISO 4217 code, which no reader takes for another country's dollar."""
    number = number_text(minor, currency, language)
    match language:
        case Language.DE:
            return f"{number}{NO_BREAK_SPACE}{currency}"
        case Language.EN:
            return f"{currency}{NO_BREAK_SPACE}{number}"


def percent_text(rate: Decimal, language: Language) -> str:
    """A rate in percent: ``19 %``, ``8,1 %`` or ``19%``."""
    number = format_decimal(rate, format="0.####", locale=language.value)
    match language:
        case Language.DE:
            return f"{number}{NO_BREAK_SPACE}%"
        case Language.EN:
            return f"{number}%"
