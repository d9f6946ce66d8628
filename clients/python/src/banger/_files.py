"""What both clients make of programs' ends and of trees."""

from __future__ import annotations

import base64
import os
import tarfile
import tempfile
from dataclasses import dataclass
from typing import IO, Any, Literal, Mapping


@dataclass(frozen=True)
class Completed:
    """A program that has ended."""

    status: int
    stdout: bytes
    stderr: bytes
    truncated: bool  # there was more output

    @property
    def text(self) -> str:
        """What it wrote to its standard output."""
        return self.stdout.decode(errors="replace")

    @staticmethod
    def of(ran: Mapping[str, Any]) -> Completed:
        if ran["encoding"] == "base64":
            out, err = base64.b64decode(ran["stdout"]), base64.b64decode(ran["stderr"])
        else:
            out, err = ran["stdout"].encode(), ran["stderr"].encode()
        return Completed(ran["status"], out, err, ran["truncated"])


def as_text(data: str | bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    """Bytes as JSON has them, and in which encoding."""
    if isinstance(data, bytes):
        return base64.b64encode(data).decode(), "base64"
    return data, "utf-8"


def temporary() -> IO[bytes]:
    """A file for a tar that is on its way."""
    return tempfile.TemporaryFile()


def packed(tar: IO[bytes], directory: str | os.PathLike[str]) -> None:
    """Writes what is in a directory, whose files are nobody's in particular."""

    def anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        return info

    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as out:
        for name in sorted(os.listdir(directory)):
            out.add(os.path.join(directory, name), arcname=name, filter=anonymous)
    tar.seek(0)


def unpacked(tar: IO[bytes], directory: str | os.PathLike[str]) -> None:
    """Unpacks a guest's tar: nothing of it gets outside the directory."""
    tar.seek(0)
    os.makedirs(directory, exist_ok=True)
    with tarfile.open(fileobj=tar, mode="r") as content:
        content.extractall(directory, filter="data")
