"""Sandboxes in microVMs, over banger serve.

    from banger import Banger

    with Banger() as client, client.run() as vm:
        print(vm.exec(["uname", "-r"]).text)

AsyncBanger is the same for coroutines.
"""

from ._aio import AsyncBanger, AsyncForward, AsyncProcess, AsyncVM
from ._errors import BangerError, Conflict, ExecError, NotFound
from ._files import Completed
from ._sync import VM, Banger, Forward, Process
from ._transport import Event

__all__ = [
    "AsyncBanger", "AsyncForward", "AsyncProcess", "AsyncVM", "Banger", "BangerError", "Completed", "Conflict", "Event", "ExecError", "Forward",
    "NotFound", "Process", "VM",
]
