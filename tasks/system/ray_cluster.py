"""Objects of ours on the nodes of a Ray cluster.

Ray restarts an actor whose node died, as soon as there is room for it. Whoever asked it asks another one
then, so a call may be worked off twice: what lives there has no effect but what it returns, or writes in an order that
allows that, as `tasks.runners.shards` does.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cached_property, partial
from typing import Any

from config.runner import RayRunner
from tasks.errors import ConfigError, ServiceError
from tasks.system.child_process import answer
from tasks.system.here import start_processes
from tasks.system.ray_connection import connect
from tasks.system.worker import StartWorkers, WorkerDiedError

LOOK_SECONDS = 2.0
SILENT_SECONDS = 60.0
MOST_LANES = 64  # of a model on one node

_log = logging.getLogger("headrace")

Resources = Mapping[str, float]


class RayCluster:
    """A connection to a cluster, made when the first worker is wanted; a process has one at a time.

    Ray writes to stdout where a node dies. What stands there is Headrace's answer alone, so while it is connected all
    of the process's writing goes to stderr.
    """

    def __init__(self, config: RayRunner) -> None:
        """Nothing is contacted yet; later a ConfigError where nothing answers, or anybody could run code there."""
        self._config = config
        self._waiting: set[Future[Any]] = set()
        self._answers = 0
        self._failing_since = 0.0  # 0: the last answer was one
        self._had_nodes = True  # when they were last looked for
        self._lock = threading.Lock()
        self._is_closed = threading.Event()

    def embed(self, make: Callable[..., object], *arguments: object) -> "Sequence[RayWorker]":
        """Actors for a model, each with what the configuration gives it."""
        return self._start(self._models(), MOST_LANES, make, arguments)

    @property
    def parse(self) -> StartWorkers:
        """Actors that cut documents, where the configuration has some; else processes of this machine."""
        actors = self._config.parse
        if actors is None:
            return start_processes
        each = {"CPU": actors.num_cpus}
        return lambda make, *arguments: self._start((len(self._nodes()), each), 1, make, arguments)

    @property
    def shards(self) -> StartWorkers | None:
        """Actors with a model each, at most as many as the configuration says."""
        at_once = self._config.shards_at_once
        return self._writers if at_once > 1 else None

    def _writers(self, make: Callable[..., object], *arguments: object) -> "Sequence[RayWorker]":
        count, each = self._models()
        return self._start((min(count, self._config.shards_at_once), each), 1, make, arguments)

    def await_answer(self, reference: Any) -> "Future[Any]":
        """What the call behind a reference returns or raises; ServiceError where no node is left to answer it."""
        waiting: Future[Any] = Future()
        with self._lock:
            self._waiting.add(waiting)
        there: Future[Any] = reference.future()
        there.add_done_callback(partial(self._settle, waiting))
        return waiting

    def end(self, actor: Any) -> None:
        """End an actor, whatever it is doing."""
        if not self._is_closed.is_set():
            self._ray.kill(actor)

    def close(self) -> None:
        """Leave the cluster, which ends the actors."""
        if "_ray" in self.__dict__ and not self._is_closed.is_set():
            self._is_closed.set()
            self._ray.shutdown()
            _restore(self._stdout)

    @cached_property
    def _ray(self) -> Any:
        self._stdout = os.dup(1)
        os.dup2(2, 1)
        try:
            ray = connect(self._config.address)
        except BaseException:
            _restore(self._stdout)
            raise
        threading.Thread(target=self._look_after, name="ray nodes", daemon=True).start()
        return ray

    def _start(
        self, room: tuple[int, Resources], calls: int, make: Callable[..., object], arguments: Sequence[object]
    ) -> "list[RayWorker]":
        """So many actors with these resources, each of which works at so many calls at once."""
        count, each = room
        kind = self._ray.remote(_Instance).options(
            num_cpus=each["CPU"],
            num_gpus=each.get("GPU", 0),
            max_concurrency=calls,
            max_restarts=-1,
            max_task_retries=0,  # Ray would wait for a node in silence, while other actors have nothing to do
            scheduling_strategy="SPREAD",
        )
        return [RayWorker(self, kind.remote(make, tuple(arguments))) for _ in range(max(1, count))]

    def _models(self) -> tuple[int, Resources]:
        """For how many there is room, or are to be; ConfigError where these do not fit."""
        wanted = self._config.embed
        count, each = self._room()
        if wanted.replicas != "auto":
            if wanted.replicas > count:
                raise ConfigError(
                    f"runner.embed.replicas is {wanted.replicas}, but the Ray cluster has room for {count} actors of"
                    f" {_said(each)}: lower it, or set it to auto"
                )
            count = wanted.replicas
        return count, each

    def _room(self) -> tuple[int, Resources]:
        """For how many models beside the parsers, and what each takes; ConfigError where there is none."""
        nodes, wanted = self._nodes(), self._config.embed
        if not nodes:
            address = self._config.address
            raise ServiceError(f"the Ray cluster at {address!r} has no node with a CPU; start one, then run again")
        parser = self._config.parse.num_cpus if self._config.parse else 0.0
        free = [{**node, "CPU": node["CPU"] - parser} for node in nodes]
        num_cpus = wanted.num_cpus or (1.0 if wanted.num_gpus else max(min(node["CPU"] for node in free), 0.5))
        each = {"CPU": num_cpus, **({"GPU": wanted.num_gpus} if wanted.num_gpus else {})}
        count = sum(min(int(node.get(name, 0) // share) for name, share in each.items()) for node in free)
        if count <= 0:
            beside = " beside one for parsing" if parser else ""
            raise ConfigError(
                f"no node of the Ray cluster has room for an actor of {_said(each)}{beside}; its nodes have"
                f" {'; '.join(map(_said, nodes))}. Set num_cpus and num_gpus under `runner` to what they have"
            )
        return count, each

    def _settle(self, waiting: "Future[Any]", there: "Future[Any]") -> None:
        with self._lock:
            if waiting not in self._waiting:  # given up already
                return
            self._waiting.remove(waiting)
            self._answers += 1
        error = there.exception()
        if error is not None:
            waiting.set_exception(self._death(error))
            return
        self._failing_since = 0.0
        is_result, value = there.result()
        if is_result:
            waiting.set_result(value)
        else:
            waiting.set_exception(value)

    def _death(self, error: BaseException) -> Exception:
        """WorkerDiedError as long as another try may help."""
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        said = " ".join(str(error).split())[-400:]
        if now - self._failing_since <= self._config.patience_seconds:
            return WorkerDiedError(f"an actor of the Ray cluster ended: {said}")
        if not self._had_nodes:
            return self._nodeless()
        return ServiceError(f"no actor of the Ray cluster answers: {said}; is Headrace installed on its nodes?")

    def _look_after(self) -> None:
        """Ray waits for ever, and in silence, where no node is left, and where other jobs have taken all CPUs."""
        had_node_at = answered_at = time.monotonic()
        answers = self._answers
        while not self._is_closed.wait(LOOK_SECONDS):
            now = time.monotonic()
            if not self._waiting or self._answers != answers:
                answers, answered_at = self._answers, now
            try:
                self._had_nodes = bool(self._nodes())
            except self._ray.exceptions.RayError:  # its head is gone
                self._had_nodes = False
            if not self._waiting or self._had_nodes:
                had_node_at = now
            elif now - had_node_at > self._config.patience_seconds:
                self._give_up()
            if not self._answers and now - answered_at > SILENT_SECONDS:
                answered_at = now
                _log.warning(
                    "the Ray cluster has not answered for %.0f s; `ray status` tells whether other jobs have its CPUs",
                    SILENT_SECONDS,
                )

    def _give_up(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        for one in waiting:
            one.set_exception(self._nodeless())

    def _nodeless(self) -> ServiceError:
        return ServiceError(
            f"the Ray cluster has had no node for {self._config.patience_seconds:g} s; what was embedded is kept. Start"
            " its nodes, then run again"
        )

    def _nodes(self) -> list[dict[str, float]]:
        """The resources of those that live and have a CPU to give away: the head often has none."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return [node for node in nodes if node.get("CPU", 0) > 0]


class RayWorker:
    """A worker that is an actor of a Ray cluster."""

    def __init__(self, cluster: RayCluster, actor: Any) -> None:
        self._cluster = cluster
        self._actor = actor

    def call(self, method: str, *arguments: object) -> Any:
        """What the method returns or raises there; WorkerDiedError where Ray gives the actor up."""
        return self.ask(method, *arguments).result()

    def ask(self, method: str, *arguments: object) -> "Future[Any]":
        """Begin the same without waiting for it. Where the object could not be made, every call raises why."""
        return self._cluster.await_answer(self._actor.ask.remote(method, arguments))

    def close(self) -> None:
        """End the actor at once: whoever closes it wants no more answers."""
        self._cluster.end(self._actor)


class _Instance:
    """What runs in an actor: one object, made where it is needed."""

    def __init__(self, make: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._is_made, self._instance = answer(make, arguments)

    def ask(self, method: str, arguments: tuple[object, ...]) -> tuple[bool, object]:
        if not self._is_made:
            return False, self._instance
        return answer(getattr(self._instance, method), arguments)


def _restore(stdout: int) -> None:
    os.dup2(stdout, 1)
    os.close(stdout)


def _said(resources: Resources) -> str:
    return ", ".join(f"{resources[name]:g} {name}s" for name in ("CPU", "GPU") if name in resources)
