"""The kernel's settings, read from the environment (``FLATBED_…``).

There is no default secret: what is missing stops the program at its start. The embedded default
(no database URL) generates its own secret into its data folder.
"""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX: Final = "FLATBED_"


class BadSettingError(Exception):
    """Settings that are not usable. The text names each variable and never holds its value."""


def _proxies(value: object) -> object:
    """The networks of a comma-separated list; nobody's word is taken for everybody's."""
    if not isinstance(value, str):
        return value
    try:
        found = [ip_network(part.strip()) for part in value.split(",") if part.strip()]
    except ValueError:
        raise ValueError("not networks such as 10.0.0.0/8, with commas between") from None
    if any(network.prefixlen == 0 for network in found):
        raise ValueError("a proxy is not everywhere")
    return tuple(str(network) for network in found)


class ToldSettings(BaseSettings):
    """Settings whose refusal names each variable, and never shows a value."""

    @model_validator(mode="wrap")
    @classmethod
    def _told(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 - what was read, of any type
        try:
            return handler(values)
        except ValidationError as error:
            # Its messages name types and limits only; the trace would show half a secret.
            prefix = cls.model_config.get("env_prefix", "")
            found = (f"{prefix}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
            raise BadSettingError("; ".join(found)) from None


class KernelSettings(ToldSettings):
    """Where the database is and which secret all keys derive from."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: SecretStr | None = Field(
        default=None, description="URL of role flatbed_app; absent: the embedded PostgreSQL."
    )
    owner_database_url: SecretStr | None = Field(
        default=None, description="URL of role flatbed_owner, for migrations only."
    )
    secret_key: SecretStr | None = Field(
        default=None, description="At least 32 bytes; all other keys derive from it."
    )
    data_dir: Path = Field(default=Path("var"), description="Folder of the embedded PostgreSQL.")
    pool_size: int = Field(default=10, ge=1, le=200, description="Connections per process.")
    pool_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Longest wait for a connection, where admission did not prevent it.",
    )
    admission_seconds: float = Field(
        default=0.25, ge=0, description="Longest wait of a request for its turn; then 503."
    )
    public_url: str = Field(
        default="http://127.0.0.1:8080", description="The URL that clients use; the token issuer."
    )
    signing_key_days: int = Field(
        default=90, ge=1, le=3650, description="How long a key signs tokens before the next one."
    )
    anchor_file: Path | None = Field(
        default=None, description="Where ledger heads are also written, outside the database."
    )
    drain_seconds: int = Field(
        default=0,
        ge=0,
        le=300,
        description="How long a server that is told to stop still takes requests, not ready.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_proxies)] = Field(
        default=(),
        description="Networks whose X-Forwarded-For is believed, with commas between; else none.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Bearer for /metrics; absent: only the machine itself is answered.",
    )
