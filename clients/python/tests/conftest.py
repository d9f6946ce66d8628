"""The tests use the server of BANGER_API_SOCKET, whose configured image they boot."""

from __future__ import annotations

from typing import Iterator

import pytest

from banger import VM, Banger


@pytest.fixture(scope="session")
def client() -> Iterator[Banger]:
    with Banger() as client:
        yield client


@pytest.fixture(scope="session")
def vm(client: Banger) -> Iterator[VM]:
    with client.run() as vm:
        yield vm
