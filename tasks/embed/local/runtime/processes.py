"""A model in several workers: a process for each GPU, since one alone cannot feed them all, or actors of a cluster."""

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

from tasks.embed.local.runtime.base import Features, runtime_name
from tasks.embed.local.runtime.loading import PADDED
from tasks.embed.local.runtime.torch_runtime import TorchRuntime
from tasks.errors import ServiceError
from tasks.records import Vectors
from tasks.system.child_process import ChildProcess
from tasks.system.worker import StartWorkers, Worker, WorkerDiedError

BATCHES_PER_WORKER = 2  # on their way to one process: while it computes one, the next is there


class DeviceProcesses:
    """A torch runtime on every device; a batch goes to whichever is free."""

    def __init__(
        self,
        folder: Path,
        devices: Sequence[str],
        precision: str,
        attention: str = PADDED,
    ) -> None:
        """The processes start at once, and import what they need by themselves."""
        workers = [ChildProcess(TorchRuntime, folder, device, precision, attention) for device in devices]
        self._shared = SharedWorkers(workers)
        self._devices = tuple(devices)
        self.name = runtime_name("torch", precision, devices, attention)
        self.lanes = self._shared.lanes

    @property
    def hardware(self) -> str:
        """The first device's name: the others of one machine are rarely different."""
        import torch

        return torch.cuda.get_device_name(self._devices[0]) if torch.cuda.is_available() else "cpu"

    def forward(self, features: Features, /) -> Vectors:
        """Raise MemoryError when the device has too little memory, ServiceError when its process died."""
        try:
            return self._shared.forward(features)
        except WorkerDiedError as error:
            raise ServiceError(
                f"{error}; it had one of {', '.join(self._devices)}, and most likely too little memory: lower"
                " batch_tokens, or name one device"
            ) from error

    def close(self) -> None:
        """End the processes."""
        self._shared.close()


class ElsewhereRuntime:
    """A model's runtime in workers that may be on other machines, each of which chooses its own for its devices.

    They compute what they are sent, and nothing else: a batch that is worked off twice, since its answer was lost, has
    no effect but the time it takes.
    """

    hardware = "elsewhere"

    def __init__(self, start: StartWorkers, make: Callable[..., object], *arguments: object) -> None:
        """`make(*arguments)` is a runtime; an error of its making is raised here."""
        workers = start(make, *arguments)
        self._shared = SharedWorkers(workers)
        try:
            name, self.devices = workers[0].call("described")
        except BaseException:
            self.close()
            raise
        self.name = f"{name}, in {len(workers)} {'actor' if len(workers) == 1 else 'actors'}"
        self.lanes = self._shared.lanes

    def forward(self, features: Features, /) -> Vectors:
        """Raise MemoryError when the device has too little memory, ServiceError when its worker is given up."""
        try:
            return self._shared.forward(features)
        except WorkerDiedError as error:
            raise ServiceError(
                f"{error}; see the cluster's own log, then run again: what was embedded is kept"
            ) from error

    def close(self) -> None:
        """End the workers."""
        self._shared.close()


class SharedWorkers:
    """Runtimes in workers; a batch goes to whichever is free, and the next is there when one is done."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in [*workers] * BATCHES_PER_WORKER:
            self._free.put(worker)
        self.lanes = BATCHES_PER_WORKER * len(workers)

    def forward(self, features: Features, /) -> Vectors:
        """Raise what the runtime raises there, and WorkerDiedError where its worker ends."""
        worker = self._free.get()
        try:
            vectors: Vectors = worker.call("forward", features)
        finally:
            self._free.put(worker)
        return vectors

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.close()
