"""Hosts two agents on the protocol's own SDK, in its memory: what longhaul's sessions stand beside."""

import asyncio
import logging
import sys

import structlog
from arcp._transport.websocket import serve_websocket
from arcp._runtime.server import ARCPRuntime, RuntimeInfo
from arcp.runtime import StaticBearerVerifier


async def noop(_input, _context):
    return None


async def emit(asked, context):
    """Says as many lines as it is asked for, each as long as that."""
    for number in range(asked["n"]):
        await context.log("info", f"{number} ".ljust(asked["size"], "x"))
    return {"emitted": asked["n"]}


async def serve(port):
    runtime = ARCPRuntime(
        runtime=RuntimeInfo(name="sdk", version="1"),
        bearer=StaticBearerVerifier({"tok": "alice"}),
    )
    runtime.register_agent("noop", noop)
    runtime.register_agent("emit", emit)
    server = await serve_websocket(runtime.accept, host="127.0.0.1", port=port, path="/arcp")
    async with server:
        await server.serve_forever()


# What it logs of each job is its own business and would be its own slowness.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
asyncio.run(serve(int(sys.argv[1])))
