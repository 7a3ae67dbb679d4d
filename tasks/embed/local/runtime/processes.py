"""One process for each GPU: Python runs one thread at a time, and one process cannot feed several fast devices."""

from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

from tasks.embed.local.runtime.base import Features, runtime_name
from tasks.embed.local.runtime.torch_runtime import PADDED, TorchRuntime
from tasks.errors import ServiceError
from tasks.records import Vectors
from tasks.system.child_process import ChildDiedError, ChildProcess

EACH = 2  # batches on their way to one process: while it computes one, the next is there


class DeviceProcesses:
    """A torch runtime on every device; a batch goes to whichever is free."""

    def __init__(self, folder: Path, devices: Sequence[str], precision: str, attention: str = PADDED) -> None:
        """The processes start at once, and import what they need by themselves."""
        self._children = [ChildProcess(TorchRuntime, folder, device, precision, attention) for device in devices]
        self._free: SimpleQueue[ChildProcess] = SimpleQueue()
        for child in self._children * EACH:
            self._free.put(child)
        self._devices = tuple(devices)
        self.name = runtime_name("torch", precision, devices, attention)
        self.lanes = EACH * len(self._children)

    @property
    def hardware(self) -> str:
        """Of the first device: the others of one machine are rarely different."""
        import torch

        return torch.cuda.get_device_name(self._devices[0]) if torch.cuda.is_available() else "cpu"

    def forward(self, features: Features, /) -> Vectors:
        """Raise MemoryError when the device has too little memory, ServiceError when its process died."""
        child = self._free.get()
        try:
            found: Vectors = child.call("forward", features)
        except ChildDiedError as error:
            raise ServiceError(
                f"{error}; it had one of {', '.join(self._devices)}, and most likely too little memory: lower"
                " batch_tokens, or name one device"
            ) from error
        finally:
            self._free.put(child)
        return found

    def close(self) -> None:
        """End the processes."""
        for child in self._children:
            child.close()
