from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from banger import VM, AsyncBanger, Banger, BangerError, Conflict, NotFound


def test_errors(client: Banger) -> None:
    with pytest.raises(NotFound, match="no vm is called") as caught:
        client.get("no-such-vm")
    assert caught.value.status == 404
    with pytest.raises(NotFound):
        client.run("no-such-image")
    with pytest.raises(BangerError) as refused:
        client.get("../../images")
    assert refused.value.status == 400
    volume = client.create_volume(name="some", size_mib=16)
    with pytest.raises(Conflict):
        client.create_volume(name=volume["name"])
    client.remove_volume("some")
    assert client.list_volumes() == []


def test_patch_is_bytes(client: Banger, vm: VM, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before\n")
    client.sync(vm.name, dir=str(tmp_path), to="/srv/patched", push=True)
    vm.write_bytes("/srv/patched/file", b"after\n")
    patch = base64.b64decode(client.sync_patch(vm.name, dir=str(tmp_path), to="/srv/patched")["patch"])
    assert b"-before\n+after\n" in patch


def test_streams_are_bytes(vm: VM) -> None:
    assert vm.exec(["cat"], stdin=b"\xff\0").stdout == b"\xff\0"
    with pytest.raises(BangerError) as odd:
        vm.client.exec(vm.name, argv=["cat"], stdin="?", stdin_encoding="base64")
    assert odd.value.status == 400
    done = vm.exec(["printf", r"\377"])
    assert done.stdout == b"\xff"
    done = vm.exec(["head", "-c", "100000", "/dev/zero"], max_output=10)
    assert done.truncated and len(done.stdout) == 10
    with pytest.raises(BangerError) as late:
        vm.exec(["sleep", "1000"], timeout=1)
    assert late.value.status == 504


def test_process(vm: VM) -> None:
    with vm.open(["sh", "-c", "trap 'exit 5' INT; echo up; while :; do sleep 0.1; done"]) as process:
        output = iter(process)
        assert next(output) == ("stdout", b"up\n")
        process.signal("INT")
        assert process.wait() == 5
    with vm.open(["sh", "-c", "test -t 1 && stty size"], tty=True, columns=100, rows=30) as process:
        assert b"".join(data for _, data in process) == b"30 100\r\n"
    with vm.open(["true"]) as process:
        assert process._connection.ping_interval is None  # which is not answered where input waits
        assert process.wait() == 0
    with vm.open(["cat"]) as process:
        big = os.urandom(1 << 20)
        process.write(big)
        process.end_input()
        assert b"".join(data for _, data in process) == big


def test_files(vm: VM, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "data").write_bytes(os.urandom(300_000))
    (source / "run").write_text("#!/bin/sh\necho ran\n")
    (source / "run").chmod(0o755)
    (source / "link").symlink_to("sub/data")
    vm.upload(source, "/srv/up")
    assert vm.exec(["/srv/up/run"], check=True).text == "ran\n"
    vm.download("/srv/up", tmp_path / "back")
    assert (tmp_path / "back/sub/data").read_bytes() == (source / "sub/data").read_bytes()
    assert os.readlink(tmp_path / "back/link") == "sub/data"
    assert os.access(tmp_path / "back/run", os.X_OK)
    vm.upload(source / "sub/data", "/srv/one/file")
    vm.download("/srv/one/file", tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == (source / "sub/data").read_bytes()
    with pytest.raises(NotFound):
        vm.read_bytes("/no/such/file")


def test_hostile_tree(vm: VM, tmp_path: Path) -> None:
    """A link that leads out does not have anything written there."""
    vm.exec(["sh", "-c", f"mkdir -p /srv/evil && ln -s {tmp_path} /srv/evil/out && touch /srv/evil/file"], check=True)
    with pytest.raises(Exception):
        vm.download("/srv/evil", tmp_path / "into")
    assert not (tmp_path / "file").exists()


def test_killed_client_leaves_no_vm(client: Banger) -> None:
    script = "from banger import Banger; vm = Banger().run(); print(vm.name, flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    name = child.stdout.readline().strip()
    assert client.get_vm(name)["state"]["phase"] == "running"
    with client.events(vm=[name], kind=["removed"], since="2000-01-01T00:00:00Z") as stream:
        child.kill()
        child.communicate()
        removed = next(stream.events())
        assert removed.event == "removed"
    with client.events(vm=[name], kind=["removed"], last_event_id=removed.id, until=removed.data["time"]) as stream:
        assert list(stream.events()) == []
    with pytest.raises(NotFound):
        client.get_vm(name)


def test_fork(client: Banger, vm: VM) -> None:
    vm.write_bytes("/root/of", b"the first")
    copy, = vm.fork()
    with copy:
        copy.write_bytes("/root/of", b"the copy")
        assert vm.read_bytes("/root/of") == b"the first"
        assert {v.name for v in client.list()} >= {vm.name, copy.name}


def test_async_files(vm: VM, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncBanger() as client:
            same = await client.get(vm.name)
            (tmp_path / "file").write_bytes(b"x" * 200_000)
            await same.upload(tmp_path / "file", "/srv/async/file")
            await same.upload(tmp_path, "/srv/async/dir")
            (tmp_path / "empty").touch()
            await same.upload(tmp_path / "empty", "/srv/async/empty")
            await same.download("/srv/async", tmp_path / "back")
            assert (tmp_path / "back/empty").read_bytes() == b""
            assert (tmp_path / "back/dir/file").read_bytes() == b"x" * 200_000
            done = await asyncio.gather(*(same.exec(["echo", str(i)]) for i in range(10)))
            assert [d.text for d in done] == [f"{i}\n" for i in range(10)]

    asyncio.run(main())
