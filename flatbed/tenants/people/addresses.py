"""E-mail addresses in the one spelling that is stored and compared.

Lower case, the domain in Unicode whether it came so or in Punycode, the rest as NFC. Two addresses
are one only where these are equal: letters that look alike are not.
"""

from typing import Final

from pydantic import TypeAdapter, ValidationError

from flatbed.tenants.kit.schemas import Email

_ADDRESS: Final = TypeAdapter[str](Email)


def normal(text: str) -> str | None:
    """The address as it is stored, None where the text is none."""
    try:
        return _ADDRESS.validate_python(text)
    except ValidationError:
        return None
