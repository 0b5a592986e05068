"""A command on the program: built, begun, and closed whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from flatbed.app.cli.output import told
from flatbed.app.home import settled
from flatbed.app.wiring import Program, build
from flatbed.tenants.kit.settings import KernelSettings

T = TypeVar("T")


def run(
    work: Callable[[Program], Awaitable[T]],
    begin: Callable[[Program], Awaitable[None]] = Program.guard,
) -> T:
    """Do the work; what goes wrong is told in our words.

    Args:
        work: what the command does.
        begin: how the program begins: ``Program.start`` refuses another secret, as the server does.
    """

    async def opened(settings: KernelSettings) -> T:
        program = build(settings)
        try:
            await begin(program)
            return await work(program)
        finally:
            await program.close()

    with told(), settled(KernelSettings()) as settings:
        return asyncio.run(opened(settings))
