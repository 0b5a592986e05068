"""Secrets that sing when they get out: into logs, tracebacks, answers or rows.

Plant each secret of a flow under a name, run the flow inside :meth:`Canaries.listening`, and ask
at the end where they were heard. Log events are taken at the lowest level, with their tracebacks,
before any renderer could leave something out, but
for the libraries that the program silences; rows of every table as the text that they are.
"""

import logging
from collections.abc import Collection, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, quote_plus

import httpx
import structlog

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.logging import SILENT

SHORTEST: Final = 6
"""Characters: less is found by chance."""
OURS: Final = {"httpx", "httpcore", "playwright"}
"""Loggers of what a test itself calls the program with."""
_TABLES: Final = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1
"""


@dataclass
class Canaries:
    """What must stay secret, and what was said meanwhile."""

    secrets: dict[str, str] = field(default_factory=dict)
    logged: list[str] = field(default_factory=list)
    answered: list[tuple[str, str]] = field(default_factory=list)
    """What each failed request was answered, by its status and path's first step."""

    def plant(self, name: str, secret: str) -> str:
        """A secret of the flow. Returns it."""
        assert len(secret) >= SHORTEST, name
        self.secrets[name] = secret
        return secret

    @contextmanager
    def listening(self, *https: httpx.AsyncClient) -> Iterator[None]:
        """Hear every log event, and every answer of these clients that is a refusal."""
        old, root = structlog.get_config(), logging.getLogger()
        silent = {name: logging.getLogger(name) for name in SILENT}
        levels = {name: logger.level for name, logger in silent.items()}
        handler, level = _Heard(self.logged), root.level
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.format_exc_info,
                self._hear,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        )
        for logger in silent.values():
            logger.setLevel(logging.CRITICAL)
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        for http in https:
            http.event_hooks["response"].append(self._keep)
        try:
            yield
        finally:
            for http in https:
                http.event_hooks["response"].remove(self._keep)
            root.setLevel(level)
            root.removeHandler(handler)
            for name, logger in silent.items():
                logger.setLevel(levels[name])
            structlog.configure(**old)

    async def in_rows(self, admin: Plain, *, shown: Collection[str] = ()) -> dict[str, list[str]]:
        """Which secrets stand in which tables, as text or as bytes; ``shown``: may stand there."""
        found: dict[str, list[str]] = {}
        for record in await admin.fetch(_TABLES):
            for name, secret in self.secrets.items():
                for form in {secret, secret.encode().hex()} if name not in shown else ():
                    query = (
                        f"SELECT EXISTS (SELECT FROM {record[0]} t WHERE strpos(t::text, $1) > 0)"
                    )
                    if await admin.fetchval(query, form):
                        found.setdefault(name, []).append(record[0])
        return found

    def in_logs(self) -> list[str]:
        """The secrets that were logged."""
        return self._in("\n".join(self.logged))

    def in_answers(self, *, shown: Collection[str] = ()) -> list[str]:
        """The secrets that a refusal repeated; ``shown``: those that a page shows on purpose."""
        told = "\n".join(text for _, text in self.answered)
        return [name for name in self._in(told) if name not in shown]

    def _in(self, text: str) -> list[str]:
        return [
            name
            for name, secret in self.secrets.items()
            if any(form in text for form in {secret, quote(secret), quote_plus(secret)})
        ]

    def _hear(self, _: Any, method: str, event: MutableMapping[str, Any]) -> str:
        self.logged.append(f"{method} {event!r}")
        raise structlog.DropEvent

    async def _keep(self, answer: httpx.Response) -> None:
        if answer.is_error:
            await answer.aread()
            told = f"{answer.headers!r}\n{answer.text}"
            self.answered.append((f"{answer.status_code} {answer.request.url.path}", told))


class _Heard(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._heard = heard
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record with its arguments and its traceback."""
        if record.name.partition(".")[0] in OURS:
            return
        self._heard.append(self.format(record))
