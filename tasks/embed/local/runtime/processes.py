"""A model in several workers: a process for each GPU, since one alone cannot feed them all, or actors of a cluster."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tasks.embed.local.runtime.base import Features, runtime_name
from tasks.embed.local.runtime.loading import PADDED
from tasks.embed.local.runtime.torch_runtime import TorchRuntime
from tasks.errors import ServiceError
from tasks.records import Vectors
from tasks.system.child_process import ChildProcess
from tasks.system.worker import StartWorkers, Worker, WorkerDiedError

PAUSE_SECONDS = 1.0
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
        self._workers = workers
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in workers * BATCHES_PER_WORKER:
            self._free.put(worker)
        self._devices = tuple(devices)
        self.name = runtime_name("torch", precision, devices, attention)
        self.lanes = BATCHES_PER_WORKER * len(workers)

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


class ElsewhereRuntime:
    """A model's runtime in workers that may be on other machines, each of which chooses its own for its devices.

    They compute what they are sent, and nothing else: a batch that is worked off twice, since its answer was lost, has
    no effect but the time it takes. A worker is given something once it has said that it is there, and how many batches
    it computes at once; one more is on its way.
    """

    hardware = "elsewhere"

    def __init__(self, start: StartWorkers, make: Callable[..., object], *arguments: object) -> None:
        """`make(*arguments)` is a runtime; an error of its making is raised here."""
        self._is_closed = False
        self._free: SimpleQueue[Worker | BaseException] = SimpleQueue()  # an error is for all who wait
        self._workers = start(make, *arguments)
        for worker in self._workers:
            self._offer(worker, is_new=True)
        try:
            name, self.devices, lanes = self._call("described")
        except BaseException:
            self.close()
            raise
        count = len(self._workers)
        self.name = f"{name}, in {count} {'actor' if count == 1 else 'actors'}"
        self.lanes = (lanes + 1) * count

    def forward(self, features: Features, /) -> Vectors:
        """Raise MemoryError when the device has too little memory, ServiceError when the workers are given up."""
        vectors: Vectors = self._call("forward", features)
        return vectors

    def close(self) -> None:
        """End the workers."""
        self._is_closed = True
        self._free.put(ServiceError("the run ends early, nothing more is embedded"))
        for worker in self._workers:
            worker.close()

    def _call(self, method: str, *arguments: object) -> Any:
        """What a worker left behind is another's; their keeper says when it is enough."""
        while True:
            worker = self._free.get()
            if isinstance(worker, BaseException):
                self._free.put(worker)
                raise worker
            try:
                answer = worker.call(method, *arguments)
            except WorkerDiedError:
                self._offer(worker)
                continue
            except BaseException:
                self._free.put(worker)
                raise
            self._free.put(worker)
            return answer

    def _offer(self, worker: Worker, *, is_new: bool = False) -> None:
        worker.ask("described").add_done_callback(partial(self._offered, worker, is_new))

    def _offered(self, worker: Worker, is_new: bool, answer: "Future[Any]") -> None:
        error = answer.exception()
        if error is None:
            *_, lanes = answer.result()
            for _ in range(lanes + 1 if is_new else 1):
                self._free.put(worker)
        elif not isinstance(error, WorkerDiedError):
            self._free.put(error)
        elif not self._is_closed:
            again = threading.Timer(PAUSE_SECONDS, self._offer, [worker], {"is_new": is_new})
            again.daemon = True
            again.start()
