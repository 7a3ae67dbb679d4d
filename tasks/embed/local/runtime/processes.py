"""One process for each GPU: Python runs one thread at a time, and one process cannot feed several fast devices."""

from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

from tasks.embed.local.runtime.base import Features, runtime_name
from tasks.embed.local.runtime.loading import PADDED
from tasks.embed.local.runtime.torch_runtime import TorchRuntime
from tasks.errors import ServiceError
from tasks.records import Vectors
from tasks.system.child_process import ChildProcess
from tasks.system.worker import StartWorker, Worker, WorkerDiedError

BATCHES_PER_WORKER = 2  # on their way to one process: while it computes one, the next is there


class DeviceProcesses:
    """A torch runtime on every device; a batch goes to whichever is free."""

    def __init__(
        self,
        folder: Path,
        devices: Sequence[str],
        precision: str,
        attention: str = PADDED,
        start: StartWorker = ChildProcess,
    ) -> None:
        """The processes start at once, and import what they need by themselves."""
        self._workers = [start(TorchRuntime, folder, device, precision, attention) for device in devices]
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers * BATCHES_PER_WORKER:
            self._free.put(worker)
        self._devices = tuple(devices)
        self.name = runtime_name("torch", precision, devices, attention)
        self.lanes = BATCHES_PER_WORKER * len(self._workers)

    @property
    def hardware(self) -> str:
        """The first device's name: the others of one machine are rarely different."""
        import torch

        return torch.cuda.get_device_name(self._devices[0]) if torch.cuda.is_available() else "cpu"

    def forward(self, features: Features, /) -> Vectors:
        """Raise MemoryError when the device has too little memory, ServiceError when its process died."""
        worker = self._free.get()
        try:
            vectors: Vectors = worker.call("forward", features)
        except WorkerDiedError as error:
            raise ServiceError(
                f"{error}; it had one of {', '.join(self._devices)}, and most likely too little memory: lower"
                " batch_tokens, or name one device"
            ) from error
        finally:
            self._free.put(worker)
        return vectors

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()
