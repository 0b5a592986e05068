"""What ``flatbed serve`` and ``flatbed worker`` do once the settings name a database."""

import asyncio
import signal
from typing import Final

import uvicorn

from flatbed.app.main import create_app
from flatbed.app.wiring import build
from flatbed.app.worker import run_worker
from flatbed.tenants.kit.settings import KernelSettings

GRACE_SECONDS: Final = 10


def serve_http(settings: KernelSettings, host: str, port: int) -> None:
    """Serve the API until interrupted."""
    config = uvicorn.Config(
        create_app(lambda: build(settings)),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run()


def work_jobs(settings: KernelSettings) -> None:
    """Run jobs, deadlines and sealing until interrupted."""
    asyncio.run(_work(settings))


async def _work(settings: KernelSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    program = build(settings)
    try:
        await program.start()
        await run_worker(program, stop)
    finally:
        await program.close()
