"""A proxy with latency: it forwards each direction of a TCP connection with half of the round-trip time."""

from __future__ import annotations

import asyncio
import sys


async def forward(source: asyncio.StreamReader, target: asyncio.StreamWriter, seconds: float) -> None:
    """Copy a stream with a delay."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def write() -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                target.close()
                return
            target.write(data)
            await target.drain()

    task = asyncio.create_task(write())
    while data := await source.read(65536):
        queue.put_nowait((loop.time() + seconds, data))
    queue.put_nowait((loop.time() + seconds, b""))
    await task


async def main(listen_port: int, port: int, seconds: float) -> None:
    """Forward connections to a port with a round-trip time in seconds."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            forward(reader, far_writer, seconds / 2), forward(far_reader, writer, seconds / 2), return_exceptions=True
        )

    server = await asyncio.start_server(serve, "127.0.0.1", listen_port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
