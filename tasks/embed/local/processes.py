"""One process for each GPU: Python runs one thread at a time, and one process cannot feed several fast devices."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from queue import SimpleQueue

from tasks.embed.local.runtime import Features
from tasks.embed.local.torch_runtime import PADDED, TorchRuntime
from tasks.errors import ServiceError
from tasks.records import Vectors

EACH = 2  # batches on their way to one process: while it computes one, the next is there


class DeviceProcesses:
    """A torch runtime on every device; a batch goes to whichever is free."""

    def __init__(self, folder: Path, devices: Sequence[str], precision: str, attention: str = PADDED) -> None:
        """The processes start with the first batch, and import what they need by themselves."""
        context = multiprocessing.get_context("spawn")
        self._pools = [
            ProcessPoolExecutor(1, context, initializer=_load, initargs=(folder, device, precision, attention))
            for device in devices
        ]
        self._free: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        for pool in self._pools * EACH:
            self._free.put(pool)
        self._devices = tuple(devices)
        self.name = ", ".join(["torch", attention or "padded", precision, *devices])
        self.lanes = EACH * len(self._pools)

    @property
    def hardware(self) -> str:
        """Of the first device: the others of one machine are rarely different."""
        import torch

        return torch.cuda.get_device_name(self._devices[0]) if torch.cuda.is_available() else "cpu"

    def forward(self, features: Features, /) -> Vectors:
        """Raise MemoryError when the device has too little memory, ServiceError when its process died."""
        pool = self._free.get()
        try:
            return pool.submit(_forward, features).result()
        except BrokenProcessPool as error:
            raise ServiceError(
                f"a process of {', '.join(self._devices)} died, most likely for lack of memory; lower batch_tokens, or"
                " name one device"
            ) from error
        finally:
            self._free.put(pool)

    def close(self) -> None:
        """End the processes."""
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)


_loaded: list[TorchRuntime] = []  # in the device's own process: its one model


def _load(folder: Path, device: str, precision: str, attention: str) -> None:
    _loaded[:] = [TorchRuntime(folder, device, precision, attention)]


def _forward(features: Features) -> Vectors:
    return _loaded[0].forward(features)
