"""The plain aiohttp proxy that most people would write first: `python -m tests.bench.plain PORT UPSTREAM_PORT TOKEN`.

It does what any of them must: streams bodies both ways, drops hop-by-hop headers, sets the credential.
"""

import sys
from collections.abc import AsyncIterator

import uvloop
from aiohttp import ClientSession, TCPConnector, web

HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})
DROPPED = HOP | {"authorization", "content-length", "host"}


def plain_app(upstream: str, token: str) -> web.Application:
    """Build an application that streams every request to `upstream` (scheme and authority) and the answer back."""
    app = web.Application(client_max_size=2**40)
    session = web.AppKey("session", ClientSession)

    async def client(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession(connector=TCPConnector(limit=0), auto_decompress=False) as app[session]:
            yield

    async def forward(request: web.Request) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in DROPPED]
        headers.append(("Authorization", f"Bearer {token}"))
        data = request.content if request.can_read_body else None
        async with app[session].request(
            request.method, upstream + request.raw_path, headers=headers, data=data, allow_redirects=False
        ) as answer:
            reply = web.StreamResponse(status=answer.status, reason=answer.reason)
            reply.headers.extend((name, value) for name, value in answer.headers.items() if name.lower() not in HOP)
            await reply.prepare(request)
            async for piece in answer.content.iter_any():
                await reply.write(piece)
            await reply.write_eof()
            return reply

    app.cleanup_ctx.append(client)
    app.router.add_route("*", "/{path:.*}", forward)
    return app


if __name__ == "__main__":
    uvloop.install()
    app = plain_app(f"http://127.0.0.1:{sys.argv[2]}", sys.argv[3])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
