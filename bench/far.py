"""A server that is far away: what is said arrives half of so many seconds later, in each direction."""

from __future__ import annotations

import asyncio
import sys


async def pour(source: asyncio.StreamReader, target: asyncio.StreamWriter, seconds: float) -> None:
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


async def main(mine: int, port: int, seconds: float) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            pour(reader, far_writer, seconds / 2), pour(far_reader, writer, seconds / 2), return_exceptions=True
        )

    server = await asyncio.start_server(serve, "127.0.0.1", mine)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
