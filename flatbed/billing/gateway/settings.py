"""How Stripe is reached (``FLATBED_STRIPE_…``). Without a key nothing is collected.

A key belongs to the live mode or to a sandbox, and says which: `mode_of`.
"""

from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from flatbed.billing.gateway.rules.signature import TOLERANCE_S
from flatbed.tenants.kit.settings import BadSettingError, ToldSettings

PREFIX: Final = "FLATBED_STRIPE_"
STRIPE: Final = "https://api.stripe.com"
API_VERSION: Final = "2026-05-27.dahlia"
"""The version whose OpenAPI document our requests are checked against, and not the library's,
which changes with every upgrade. The webhook endpoint is set to it too."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

Mode = Literal["live", "test"]


def mode_of(key: str) -> Mode:
    """Whether a key moves real money.

    Raises:
        ValueError: it is no secret or restricted key of Stripe's.
    """
    kind, _, rest = key.partition("_")
    mode, _, token = rest.partition("_")
    is_whole = kind in {"sk", "rk"} and token != "" and token.isascii() and token.isprintable()
    if is_whole and " " not in token:
        if mode == "live":
            return "live"
        if mode == "test":
            return "test"
    raise ValueError("no secret or restricted key (sk_live_…, sk_test_…, rk_…)")


class StripeSettings(ToldSettings):
    """Where Stripe is, who we are there, and how long we wait."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    key: SecretStr | None = Field(
        default=None, description="Secret or restricted key; absent: nothing is collected."
    )
    webhook_secret: SecretStr | None = Field(
        default=None, min_length=16, description="Signing secret of the webhook endpoint."
    )
    base_url: str = Field(default=STRIPE, description="Another address: the fake Stripe's.")
    api_version: str = Field(
        default=API_VERSION, pattern=r"^\d{4}-\d{2}-\d{2}\.[a-z]+$", description="Pinned."
    )
    connect_seconds: int = Field(default=5, ge=1, le=60, description="Until a connection stands.")
    answer_seconds: int = Field(
        default=30, ge=1, le=120, description="Between two pieces of an answer."
    )
    total_seconds: int = Field(
        default=90, ge=1, le=600, description="For one call with all its retries and pauses."
    )
    retries: int = Field(
        default=2, ge=0, le=5, description="After a lost connection, a 409 or a 5xx."
    )
    tolerance_seconds: int = Field(
        default=TOLERANCE_S, ge=1, le=3600, description="Age of a webhook's signature, both ways."
    )

    @property
    def mode(self) -> Mode | None:
        """The key's mode; None without a key."""
        return None if self.key is None else mode_of(self.key.get_secret_value())

    @field_validator("key")
    @classmethod
    def _is_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            mode_of(key.get_secret_value())
        return key

    @field_validator("base_url")
    @classmethod
    def _is_base(cls, url: str) -> str:
        parts = urlsplit(url)
        is_bare = not (parts.query or parts.fragment or parts.username) and parts.path in {"", "/"}
        if not parts.hostname or not is_bare:
            raise ValueError("no scheme and host alone")
        if parts.scheme != "https" and (parts.scheme, parts.hostname) not in {
            ("http", host) for host in LOOPBACK
        }:
            raise ValueError("the key would travel unencrypted: use https")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _stays_home(self) -> Self:
        if self.mode == "live" and self.base_url != STRIPE:
            raise BadSettingError(f"{PREFIX}BASE_URL: a live key is sent to {STRIPE} alone")
        return self
