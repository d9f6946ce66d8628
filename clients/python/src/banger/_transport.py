"""How requests get to the server: over its Unix socket, or TCP with TLS and a token."""

from __future__ import annotations

import json
import os
import ssl
from dataclasses import dataclass
from io import IOBase
from pathlib import Path
from types import TracebackType
from typing import Any, AsyncIterable, AsyncIterator, BinaryIO, Iterable, Iterator, Mapping, Union, cast
from urllib.parse import quote

import httpx
from typing_extensions import Self

from ._errors import BangerError, problem

Content = Union[bytes, BinaryIO, Iterable[bytes], AsyncIterable[bytes]]

# What a server does takes as long as it takes; that it is there shows at once.
TIMEOUT = httpx.Timeout(None, connect=10)
CHUNK = 64 << 10


def segment(name: str) -> str:
    """A name as part of a path."""
    return quote(name, safe="")


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    event: str
    data: Any
    id: str = ""  # of some: with the last one's, as last_event_id, another request goes on behind it


@dataclass(frozen=True)
class Server:
    """Where a server is."""

    socket: str | None
    url: str
    token: str | None
    verify: ssl.SSLContext | bool

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @staticmethod
    def find(socket: str | os.PathLike[str] | None, url: str | None, token: str | None, verify: ssl.SSLContext | bool) -> Server:
        """The server that the arguments or the environment name, or else the user's own."""
        url, token = url or os.environ.get("BANGER_API_URL"), token or os.environ.get("BANGER_API_TOKEN")
        if url and not socket:
            return Server(None, url.rstrip("/"), token, verify)
        path = str(socket or os.environ.get("BANGER_API_SOCKET") or default_socket())
        return Server(path, "http://localhost", None, verify)


def default_socket() -> Path:
    """Where banger serve listens that is told nothing."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(runtime) / "banger.sock" if runtime else Path(state) / "banger" / "banger.sock"


def given(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Those that are not None, as JSON and URLs have them."""
    if values is None:
        return None
    return {key: value for key, value in values.items() if value is not None}


def in_query(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, (list, tuple)) else v for k, v in (given(values) or {}).items()}


class _Lines:
    """Makes events of lines."""

    def __init__(self) -> None:
        self.event, self.data, self.id = "", "", ""

    def feed(self, line: str) -> Event | None:
        if line.startswith("event: "):
            self.event = line[7:]
        elif line.startswith("data: "):
            self.data = line[6:]
        elif line.startswith("id: "):
            self.id = line[4:]
        elif not line and self.event:
            event, self.event = Event(self.event, json.loads(self.data), self.id), ""
            if event.event == "problem":
                raise problem(event.data)
            return event
        return None


class _Base:
    server: Server

    def arguments(self, query: Mapping[str, Any] | None, headers: Mapping[str, Any] | None, body: Mapping[str, Any] | None, content: Content | None) -> dict[str, Any]:
        out: dict[str, Any] = {"params": in_query(query), "headers": given(headers) or {}}
        if body is not None:
            out["json"] = given(body)
        if content is not None:
            out["content"] = content
            if (size := size_of(content)) is not None:
                out["headers"]["Content-Length"] = str(size)
        return out


def size_of(content: Any) -> int | None:
    """How long a file is, which then need not be read before it is sent."""
    try:
        return os.fstat(content.fileno()).st_size - int(content.tell())
    except (AttributeError, OSError, ValueError):
        return None


def result(reply: httpx.Response) -> Any:
    if reply.is_error:
        raise refusal(reply)
    return reply.json() if reply.content else None


def refusal(reply: httpx.Response) -> BangerError:
    try:
        return problem(reply.json())
    except ValueError:
        return BangerError(reply.status_code, reply.text or reply.reason_phrase)


class Reply:
    """An answer that is read as it comes. Use it in a with statement."""

    def __init__(self, client: httpx.Client, request: httpx.Request) -> None:
        self._client, self._request = client, request

    def __enter__(self) -> Self:
        self._reply = self._client.send(self._request, stream=True)
        if self._reply.is_error:
            self._reply.read()
            raise refusal(self._reply)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._reply.close()

    def __iter__(self) -> Iterator[bytes]:
        return self._reply.iter_bytes(CHUNK)

    def read(self) -> bytes:
        return b"".join(self)


class EventStream(Reply):
    """Server-sent events, to be read as they come."""

    _events: Iterator[Event] | None = None  # whose end would hang up

    def events(self) -> Iterator[Event]:
        """Those that are still to come."""
        if self._events is None:
            self._events = self._read_events()
        return self._events

    def _read_events(self) -> Iterator[Event]:
        lines = _Lines()
        for line in self._reply.iter_lines():
            if event := lines.feed(line):
                yield event


class Transport(_Base):
    """A server, for functions."""

    def __init__(self, server: Server) -> None:
        self.server = server
        over = httpx.HTTPTransport(uds=server.socket, verify=server.verify, limits=httpx.Limits(max_connections=None))
        self.client = httpx.Client(transport=over, base_url=server.url, headers=server.headers, timeout=TIMEOUT)

    def ask(self, method: str, path: str, query: Mapping[str, Any] | None = None, headers: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None, content: Content | None = None) -> Any:
        return result(self.client.request(method, path, **self.arguments(query, headers, body, content)))

    def stream(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> Reply:
        return Reply(self.client, self.client.build_request(method, path, **self.arguments(query, None, body, None)))

    def events(self, method: str, path: str, query: Mapping[str, Any] | None = None, headers: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> EventStream:
        return EventStream(self.client, self.client.build_request(method, path, **self.arguments(query, headers, body, None)))

    def close(self) -> None:
        self.client.close()


class AsyncReply:
    """An answer that is read as it comes. Use it in an async with statement."""

    def __init__(self, client: httpx.AsyncClient, request: httpx.Request) -> None:
        self._client, self._request = client, request

    async def __aenter__(self) -> Self:
        self._reply = await self._client.send(self._request, stream=True)
        if self._reply.is_error:
            await self._reply.aread()
            raise refusal(self._reply)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        await self._reply.aclose()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._reply.aiter_bytes(CHUNK)

    async def read(self) -> bytes:
        return b"".join([part async for part in self])


class AsyncEventStream(AsyncReply):
    """Server-sent events, to be read as they come."""

    _events: AsyncIterator[Event] | None = None  # whose end would hang up

    def events(self) -> AsyncIterator[Event]:
        """Those that are still to come."""
        if self._events is None:
            self._events = self._read_events()
        return self._events

    async def _read_events(self) -> AsyncIterator[Event]:
        lines = _Lines()
        async for line in self._reply.aiter_lines():
            if event := lines.feed(line):
                yield event


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while part := file.read(CHUNK):
        yield part


class AsyncTransport(_Base):
    """A server, for coroutines."""

    def __init__(self, server: Server) -> None:
        self.server = server
        over = httpx.AsyncHTTPTransport(uds=server.socket, verify=server.verify, limits=httpx.Limits(max_connections=None))
        self.client = httpx.AsyncClient(transport=over, base_url=server.url, headers=server.headers, timeout=TIMEOUT)

    async def ask(self, method: str, path: str, query: Mapping[str, Any] | None = None, headers: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None, content: Content | None = None) -> Any:
        arguments = self.arguments(query, headers, body, content)
        if isinstance(content, IOBase) or hasattr(content, "file"):
            arguments["content"] = _chunks(cast(BinaryIO, content))
        return result(await self.client.request(method, path, **arguments))

    def stream(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> AsyncReply:
        return AsyncReply(self.client, self.client.build_request(method, path, **self.arguments(query, None, body, None)))

    def events(self, method: str, path: str, query: Mapping[str, Any] | None = None, headers: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> AsyncEventStream:
        return AsyncEventStream(self.client, self.client.build_request(method, path, **self.arguments(query, headers, body, None)))

    async def close(self) -> None:
        await self.client.aclose()
