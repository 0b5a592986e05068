"""The kernel's settings, read from the environment (``FLATBED_…``).

There is no default secret: what is missing stops the program at its start. The embedded default
(no database URL) generates its own secret into its data folder.
"""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class KernelSettings(BaseSettings):
    """Where the database is and which secret all keys derive from."""

    model_config = SettingsConfigDict(env_prefix="FLATBED_", extra="ignore", frozen=True)

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
    public_url: str = Field(
        default="http://127.0.0.1:8080", description="The URL that clients use; the token issuer."
    )
    anchor_file: Path | None = Field(
        default=None, description="Where ledger heads are also written, outside the database."
    )
