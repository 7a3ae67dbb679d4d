"""The model in OpenVINO, on this machine's CPU: two to six times as fast as torch, by processor."""

import importlib.util
import os
import sys
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.embed.local.runtime.base import Features, runtime_name
from tasks.records import Vectors

if TYPE_CHECKING:
    import openvino

INT8_UNITS = {"avx_vnni", "avx512_vnni", "amx_int8", "i8mm"}
HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoRuntime:
    """Loads a converted model, without torch. The precision is always said: left alone, the library picks bf16."""

    def __init__(self, model: Path, precision: str) -> None:
        """`model` is the folder that a conversion left."""
        core = import_openvino().Core()
        rest = rest_of(precision)
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": HINTS[rest],
            "CACHE_DIR": str(model / "compiled"),
        }
        settings |= _share()
        if precision == "int8" and not cpu_has_int8():
            settings["LP_TRANSFORMS_MODE"] = "OFF"
        compiled = core.compile_model(str(model / "model.xml"), "CPU", settings)
        self._inputs = [port.get_any_name() for port in compiled.inputs]
        self.lanes = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._free: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for _ in range(self.lanes):
            self._free.put(compiled.create_infer_request())
        self.hardware = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        self.name = runtime_name("openvino", precision if rest == precision else f"{precision} and {rest}", ("cpu",))
        # Its Python binding sets itself up in the first call, and two first calls at once wait for each other for ever.
        self.forward({name: np.ones((1, 1), np.int64) for name in self._inputs})

    def forward(self, features: Features, /) -> Vectors:
        """Raise a RuntimeError or MemoryError when there is too little memory."""
        request = self._free.get()
        try:
            request.infer({name: features[name] for name in self._inputs}, share_inputs=True)
            vectors: Vectors = np.array(request.get_output_tensor(0).data, dtype=np.float32)
        finally:
            self._free.put(request)
        return vectors

    def close(self) -> None:
        """Let go of the compiled model, which goes with its last request."""
        while not self._free.empty():
            self._free.get()


def _share() -> dict[str, Any]:
    """As many threads as other libraries heed, where that is said; pinned, those of two processes would have one core.

    Ray says it to an actor, and whoever runs several processes on a machine.
    """
    threads = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # more of them are for nested loops
    if not threads.isdecimal() or not int(threads):
        return {}
    return {"INFERENCE_NUM_THREADS": int(threads), "ENABLE_CPU_PINNING": False}


def import_openvino() -> Any:
    """The library without its telemetry, which would call home at every import; it can do without that package."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: not to be imported
    import openvino

    return openvino


def rest_of(precision: str) -> str:
    """What is computed besides the int8 integers, which are in the model itself; the precision where there are none."""
    if precision != "int8":
        return precision
    return "bfloat16" if cpu_has_bfloat16() else "float32"


def cpu_has_bfloat16() -> bool:
    """Whether the processor has units for it; without them it would be emulated. False without the library."""
    if importlib.util.find_spec("openvino") is None:
        return False
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def cpu_has_int8() -> bool:
    """Whether the processor adds products of int8 without clipping them.

    Older ones clip, which makes other vectors, and gain nothing: there the same integers are computed in float32.
    """
    path = Path("/proc/cpuinfo")
    return path.exists() and not INT8_UNITS.isdisjoint(path.read_text().split())
