"""What the API takes and gives for a client's public keys: inline, and public parts only."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from flatbed.tenants.kit.schemas import Input, Output

MOST_KEYS: Final = 5

Kid = Annotated[
    str, Field(pattern="^[!-~]{1,128}$", description="Named in the header of each assertion.")
]
Coordinate = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{43}$", description="base64url.")]
Modulus = Annotated[
    str, Field(pattern="^[A-Za-z0-9_-]{342,684}$", description="base64url; 2048 to 4096 bits.")
]


class EcKey(Input):
    """An ES256 key (JWK)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Coordinate
    y: Coordinate
    kid: Kid
    use: Literal["sig"] = "sig"
    alg: Literal["ES256"] = "ES256"


class RsaKey(Input):
    """An RS256 key (JWK)."""

    kty: Literal["RSA"]
    n: Modulus
    e: Literal["AQAB"]
    kid: Kid
    use: Literal["sig"] = "sig"
    alg: Literal["RS256"] = "RS256"


ClientKey = Annotated[EcKey | RsaKey, Field(discriminator="kty")]


def _distinct(keys: list[ClientKey]) -> list[ClientKey]:
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("Two keys have the same kid.")
    return keys


class ClientKeys(Input):
    """A JWK set of public keys; a member that only a private key has is refused."""

    keys: Annotated[
        list[ClientKey], Field(min_length=1, max_length=MOST_KEYS), AfterValidator(_distinct)
    ]


class EcKeyRead(Output):
    """An ES256 key of a client."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: str
    use: Literal["sig"]
    alg: Literal["ES256"]


class RsaKeyRead(Output):
    """An RS256 key of a client."""

    kty: Literal["RSA"]
    n: str
    e: str
    kid: str
    use: Literal["sig"]
    alg: Literal["RS256"]


class ClientKeysRead(Output):
    """The public keys of a client."""

    keys: list[Annotated[EcKeyRead | RsaKeyRead, Field(discriminator="kty")]]
