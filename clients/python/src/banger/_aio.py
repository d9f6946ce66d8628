"""Sandboxes: clients, VMs and the programs in them."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, AsyncIterator, Sequence
from urllib.parse import urlencode

from typing_extensions import Self, Unpack
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed

from ._errors import BangerError, ExecError, NotFound, problem
from ._files import Completed, as_text, packed, temporary, unpacked
from ._operations import VM as VMInfo, AsyncOperations, NewVM
from ._transport import AsyncEventStream, AsyncTransport, Server, segment

# A program that takes no input for a while keeps the server from reading, and from
# answering a ping.
CONNECTION: dict[str, Any] = {"max_size": None, "ping_interval": None}


class AsyncBanger(AsyncOperations):
    """A banger server's client. Beside what is here it has all operations of the server.

    Without arguments it is the server of this user on this machine.
    """

    def __init__(self, socket: str | os.PathLike[str] | None = None, *, url: str | None = None, token: str | None = None, verify: ssl.SSLContext | bool = True) -> None:
        self.transport = AsyncTransport(Server.find(socket, url, token, verify))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connections. VMs of run() are removed then."""
        await self.transport.close()

    async def run(self, image: str | None = None, /, **options: Unpack[NewVM]) -> AsyncVM:
        """A VM that runs, and is removed with the client however that ends; at once by its close() or with statement."""
        if image is not None:
            options["image"] = image
        lease = self.transport.events("POST", "/v1/runs", body=dict(options))
        await lease.__aenter__()
        try:
            async for event in lease.events():
                if event.event == "ready":
                    return AsyncVM(self, event.data["name"], lease)
            raise BangerError(500, "the server ended before the VM was ready")
        except BaseException:
            await lease.__aexit__(None, None, None)
            raise

    async def create(self, image: str | None = None, /, **options: Unpack[NewVM]) -> AsyncVM:
        """A VM that stays; start=True boots it."""
        if image is not None:
            options["image"] = image
        made: VMInfo = await self.transport.ask("POST", "/v1/vms", body=dict(options))
        return AsyncVM(self, made["name"])

    async def get(self, name: str) -> AsyncVM:
        """A VM that is there."""
        return AsyncVM(self, (await self.get_vm(name))["name"])

    async def list(self) -> Sequence[AsyncVM]:
        """All VMs."""
        return [AsyncVM(self, info["name"]) for info in await self.list_vms()]


class AsyncVM:
    """A VM. At the end of its with statement it is removed."""

    def __init__(self, client: AsyncBanger, name: str, lease: AsyncEventStream | None = None) -> None:
        self.client, self.name, self._lease = client, name, lease

    def __repr__(self) -> str:
        return f"<banger VM {self.name}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        await self.remove()

    async def info(self) -> VMInfo:
        """Its settings and state."""
        return await self.client.get_vm(self.name)

    async def start(self) -> None:
        """Boots it, and returns when it is up."""
        await self.client.start_vm(self.name)

    async def stop(self) -> None:
        """Shuts it down. One of run() is removed with that."""
        await self.client.stop_vm(self.name)

    async def remove(self) -> None:
        """Removes it, and kills it before where it runs. One that is gone is no error."""
        try:
            await self.client.remove_vm(self.name, force=True)
        except NotFound:
            pass
        finally:
            if self._lease:
                await self._lease.__aexit__(None, None, None)
                self._lease = None

    async def exec(self, argv: Sequence[str], *, stdin: str | bytes = "", dir: str | None = None, env: Sequence[str] | None = None, user: str | None = None, timeout: int | None = None, max_output: int | None = None, check: bool = False) -> Completed:
        """Runs a program to its end. With check, a status that is not 0 is an ExecError."""
        text, encoding = as_text(stdin)
        ran = await self.client.exec(self.name, argv=list(argv), stdin=text, stdin_encoding=encoding, dir=dir, env=env, user=user, timeout_seconds=timeout, max_output=max_output)
        done = Completed.of(ran)
        if check and done.status != 0:
            raise ExecError(list(argv), done.status, done.stdout, done.stderr)
        return done

    async def open(self, argv: Sequence[str], *, dir: str | None = None, env: Sequence[str] | None = None, user: str | None = None, tty: bool = False, columns: int = 80, rows: int = 24) -> AsyncProcess:
        """A program that is joined to this one: see Process."""
        query: dict[str, Any] = {"argv": list(argv), "env": list(env or [])}
        query |= {key: value for key, value in {"dir": dir, "user": user}.items() if value is not None}
        if tty:
            query |= {"tty": "true", "columns": columns, "rows": rows}
        server = self.client.transport.server
        path = f"/v1/vms/{segment(self.name)}/attach?{urlencode(query, doseq=True)}"
        if server.socket:
            return AsyncProcess(list(argv), await unix_connect(server.socket, "ws://localhost" + path, **CONNECTION))
        tls = server.verify if isinstance(server.verify, ssl.SSLContext) else ssl.create_default_context()
        if server.verify is False:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        uri = "ws" + server.url.removeprefix("http") + path
        return AsyncProcess(list(argv), await connect(uri, additional_headers=server.headers, ssl=tls, **CONNECTION))

    async def upload(self, local: str | os.PathLike[str], remote: str) -> None:
        """Makes a file or directory in the VM like one here. A directory's content goes into remote."""
        if os.path.isdir(local):
            with temporary() as tar:
                await asyncio.to_thread(packed, tar, local)
                await self.client.write_tree(self.name, tar, path=remote, parents=True)
            return
        with open(local, "rb") as file:
            mode = f"0{os.stat(local).st_mode & 0o777:03o}"
            await self.client.write_file(self.name, file, path=remote, mode=mode, parents=True)

    async def download(self, remote: str, local: str | os.PathLike[str]) -> None:
        """Makes a file or directory here like one in the VM. A directory's content goes into local, and nothing elsewhere."""
        listing = await self.client.list_files(self.name, path=remote, follow=True)
        is_dir = listing["type"] == "directory"
        if not is_dir:
            with open(local, "wb") as file:
                async with self.client.read_file(self.name, path=remote, follow=True) as content:
                    async for part in content:
                        file.write(part)
            return
        with temporary() as tar:
            async with self.client.read_tree(self.name, path=remote.rstrip("/") + "/.", follow=True) as content:
                async for part in content:
                    tar.write(part)
            await asyncio.to_thread(unpacked, tar, local)

    async def read_bytes(self, path: str) -> bytes:
        """What a file in the VM has."""
        async with self.client.read_file(self.name, path=path, follow=True) as content:
            return await content.read()

    async def write_bytes(self, path: str, data: bytes) -> None:
        """Makes a file in the VM, or replaces one."""
        await self.client.write_file(self.name, data, path=path, parents=True)

    def forward(self, guest_port: int, host_port: int | None = None) -> AsyncForward:
        """A port of the server's loopback that leads to one of the VM, for a with statement."""
        return AsyncForward(self.client.forward(self.name, guest_port=guest_port, host_port=host_port))

    async def snapshot(self, name: str | None = None) -> str:
        """Keeps the VM as it is, and returns under which name. client.restore_snapshot goes on from there."""
        return (await self.client.create_snapshot(self.name, name=name))["name"]

    async def fork(self, count: int = 1) -> Sequence[AsyncVM]:
        """Running copies, which stay until they are removed."""
        return [AsyncVM(self.client, info["name"]) for info in await self.client.fork_vm(self.name, count=count)]


class AsyncForward:
    """A port that leads to a VM: address is where it is, once the with statement is entered."""

    address: tuple[str, int]

    def __init__(self, stream: AsyncEventStream) -> None:
        self._stream, self._open = stream, AsyncExitStack()

    async def __aenter__(self) -> Self:
        stream = await self._open.enter_async_context(self._stream)
        async for event in stream.events():
            host, _, port = event.data["address"].rpartition(":")
            self.address = host, int(port)
            return self
        raise BangerError(500, "the server ended before the port was open")

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        await self._open.aclose()


class AsyncProcess:
    """A program in a VM, whose output is iterated over as pairs of "stdout" or "stderr" and bytes.

    At the end of its with statement a program that still runs is ended. status is there
    once the iteration has ended.
    """

    status: int | None = None

    def __init__(self, argv: Sequence[str], connection: ClientConnection) -> None:
        self.argv, self._connection = argv, connection

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        await self._connection.close()

    async def write(self, data: bytes) -> None:
        """Sends standard input."""
        for at in range(0, len(data), 64 << 10):
            await self._connection.send(b"\0" + data[at : at + (64 << 10)])

    async def end_input(self) -> None:
        """Ends standard input."""
        await self._connection.send(b"\0")

    async def signal(self, name: str) -> None:
        """Sends a signal, such as INT."""
        await self._connection.send(json.dumps({"signal": name}))

    async def resize(self, columns: int, rows: int) -> None:
        """Says how large the terminal is."""
        await self._connection.send(json.dumps({"resize": {"columns": columns, "rows": rows}}))

    async def __aiter__(self) -> AsyncIterator[tuple[str, bytes]]:
        while self.status is None:
            try:
                message = await self._connection.recv()
            except ConnectionClosed as closed:
                raise BangerError(500, f"the connection ended before {self.argv[0]} did") from closed
            if isinstance(message, bytes):
                yield ("stderr" if message[0] == 2 else "stdout"), message[1:]
                continue
            end = json.loads(message)
            if "exit" not in end:
                raise problem({"status": 500, "detail": end.get("error", "it ended")})
            self.status = end["exit"]

    async def wait(self) -> int:
        """Drops what is written until the program ends, and returns its status."""
        async for _ in self:
            pass
        assert self.status is not None
        return self.status
