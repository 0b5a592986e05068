"""Node's own OAuth clients, each case a script beside this file that talks in lines of JSON."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.tools import NODE, missing

FOLDER: Final = Path(__file__).parent
SECONDS: Final = 20


@dataclass
class Node:
    """A script that runs."""

    process: asyncio.subprocess.Process

    async def hears(self, **facts: Any) -> None:
        """Send it one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(facts).encode() + b"\n")
        await self.process.stdin.drain()

    async def says(self) -> dict[str, Any]:
        """Its next line; the test fails with its error when it ended instead."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        async with asyncio.timeout(SECONDS):
            line = await self.process.stdout.readline()
            if not line:
                pytest.fail((await self.process.stderr.read()).decode() or "it said nothing more")
        said: dict[str, Any] = json.loads(line)
        return said


@asynccontextmanager
async def node(script: str, **given: Any) -> AsyncIterator[Node]:
    """Start a script of this folder and tell it what it works with, for the block."""
    if not (FOLDER / "node_modules/.package-lock.json").exists():
        missing("no packages for node: `make node` installs them")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        NODE, FOLDER / f"{script}.mjs", stdin=pipe, stdout=pipe, stderr=pipe, env={}
    )
    try:
        running = Node(process)
        await running.hears(**given)
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
