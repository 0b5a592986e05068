"""The ETags that the corpus sends along."""

from dataclasses import dataclass, field

ACCOUNT = "/v1/billing-account"
"""Nobody has changed it yet."""
PART = "/terms"
"""Of the same account, and its version."""


@dataclass
class Versions:
    """By the path of what has a version: the ETag that came last."""

    last: dict[str, str] = field(default_factory=lambda: {ACCOUNT: '"0"'})

    def of(self, path: str) -> str:
        """The ETag to send."""
        return self.last.get(path.removesuffix(PART), '"1"')

    def learn(self, path: str, etag: str) -> None:
        """Keep the ETag of an answer."""
        self.last[path.removesuffix(PART)] = etag
