"""localstripe, a stand-in for Stripe's server, on a free port of the loopback interface; prints the port.

A process of its own, because it warns at import and keeps its state in globals.
"""

import asyncio
import sys

from aiohttp import web
from localstripe import resources, server


async def serve() -> None:
    """Serve until standard input ends."""
    type(resources.store).dump_to_disk = lambda _: None  # it would write to one file for all users of the machine
    runner = web.AppRunner(server.app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
