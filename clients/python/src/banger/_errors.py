"""What goes wrong."""

from __future__ import annotations

from typing import Any


class BangerError(Exception):
    """An operation that failed, with the HTTP status that says how."""

    def __init__(self, status: int, detail: str, hint: str = "") -> None:
        super().__init__(f"{detail} ({hint})" if hint else detail)
        self.status, self.detail, self.hint = status, detail, hint


class NotFound(BangerError):
    """There is none of that name."""


class Conflict(BangerError):
    """It cannot be as things are: a name is taken, or a VM is not running."""


class ExecError(Exception):
    """A program whose exit status is not 0."""

    def __init__(self, argv: list[str], status: int, stdout: bytes, stderr: bytes) -> None:
        said = stderr[-2000:].decode(errors="replace").strip()
        super().__init__(f"{argv[0]} ended with {status}" + (f": {said}" if said else ""))
        self.argv, self.status, self.stdout, self.stderr = argv, status, stdout, stderr


def problem(p: dict[str, Any]) -> BangerError:
    """A problem of the server's, see RFC 9457."""
    kind = {404: NotFound, 409: Conflict}.get(p["status"], BangerError)
    return kind(p["status"], p["detail"], p.get("hint", ""))
