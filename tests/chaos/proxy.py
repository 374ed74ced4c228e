"""A network that fails: a TCP proxy on real sockets that holds up, delays, cuts and refuses."""

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

CHUNK = 65536
CHUNKS_UNDER_WAY = 64  # then the sender's own buffers fill up, as on a real way
CALL_SECONDS = 10.0


class Direction(enum.Flag):
    """Which way bytes go."""

    TO_TARGET = enum.auto()
    TO_CLIENT = enum.auto()
    BOTH = TO_TARGET | TO_CLIENT


@dataclass
class _Way:
    """What happens to the bytes of one direction."""

    flows: asyncio.Event = field(default_factory=asyncio.Event)
    delay_seconds: float = 0.0


class Proxy:
    """Listens on 127.0.0.1 and passes everything on to one target, as long as it is let.

    Bytes are never dropped out of an open connection, as TCP never does: a black hole holds them
    up, and they arrive late when it ends (`restore`), or never when the connections are cut.
    """

    def __init__(self, target_host: str, target_port: int) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._target = (target_host, target_port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._call(self._begin())

    def blackhole(self, direction: Direction = Direction.BOTH) -> None:
        """Nothing gets through any more this way; connections stay open, and new ones open."""
        self._call(self._set_ways(direction, flows=False))

    def delay(self, seconds: float, direction: Direction = Direction.BOTH) -> None:
        """Every byte arrives so much later; order and speed stay."""
        self._call(self._set_ways(direction, delay_seconds=seconds))

    def cut(self) -> None:
        """Reset all connections, with all that is under way; new ones are accepted."""
        self._call(self._cut())

    def refuse(self) -> None:
        """Reset all connections, and refuse new ones."""
        self._call(self._refuse())

    def restore(self) -> None:
        """Everything flows at once again, in both directions, and new connections are accepted."""
        self._call(self._restore())

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._writers) // 2

    def close(self) -> None:
        """End the proxy with all its connections."""
        self._call(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS)

    async def _begin(self) -> None:
        self._ways = {Direction.TO_TARGET: _Way(), Direction.TO_CLIENT: _Way()}
        await self._restore()

    async def _restore(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        await self._set_ways(Direction.BOTH, flows=True, delay_seconds=0.0)

    async def _set_ways(
        self,
        direction: Direction,
        *,
        flows: bool | None = None,
        delay_seconds: float | None = None,
    ) -> None:
        for each in direction:
            way = self._ways[each]
            if delay_seconds is not None:
                way.delay_seconds = delay_seconds
            if flows:
                way.flows.set()
            elif flows is not None:
                way.flows.clear()

    async def _cut(self) -> None:
        for writer in list(self._writers):
            connection = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):  # lingering for 0 s is a reset
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _accept(
        self, near_reader: asyncio.StreamReader, near_writer: asyncio.StreamWriter
    ) -> None:
        """Serve one client, until either side ends."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(near_writer)
        writers = [near_writer]
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            writers.append(far_writer)
            self._writers.add(far_writer)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(near_reader, far_writer, Direction.TO_TARGET))
                pumps.create_task(self._pump(far_reader, near_writer, Direction.TO_CLIENT))
        except* (OSError, asyncio.CancelledError):  # the target is not there, or it is cut
            pass
        finally:
            self._tasks.discard(task)
            for writer in writers:
                self._writers.discard(writer)
                writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        """Pass on all bytes of one direction, and its end."""
        way = self._ways[direction]
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_UNDER_WAY)

        async def take_in() -> None:
            data = b"-"
            while data:
                data = await reader.read(CHUNK)
                await under_way.put((self._loop.time() + way.delay_seconds, data))

        async def give_out() -> None:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                await way.flows.wait()
                if not data:
                    writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()

        async with asyncio.TaskGroup() as halves:
            halves.create_task(take_in())
            halves.create_task(give_out())
