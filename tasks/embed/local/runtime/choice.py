"""Which runtime a model gets: the fastest one that makes the model's own vectors.

Runtimes above a cosine of 0.999 share one vector space; none is trusted before it has shown that on 32 texts, on this
machine. int8 stays below, so it is never chosen by itself and is a vector space of its own.
"""

import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from config import embedders
from tasks.embed.local.runtime.base import Runtime
from tasks.embed.local.runtime.device import has_bfloat16
from tasks.embed.local.runtime.model_cache import ModelCache
from tasks.embed.local.runtime.openvino_runtime import OpenVinoRuntime, cpu_has_bfloat16
from tasks.embed.local.runtime.probes import calibrating, reference, tested, vectors_of
from tasks.embed.local.runtime.torch_runtime import FLASH, PADDED
from tasks.embed.tokens.tokenizers import ModelTokenizer
from tasks.errors import ConfigError, HeadraceError
from tasks.records import Vectors

LEAST_COSINE = 0.999
LEAST_COSINE_INT8, LEAST_MEAN_INT8 = 0.95, 0.98


@dataclass(frozen=True, slots=True)
class LocalWeights:
    """A model's folder, the hash of its weights, and how its texts become token ids."""

    folder: Path
    hash: str
    tokenizer: ModelTokenizer
    padding: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """`must_prove` is False for what the others are compared with."""

    name: str
    open: Callable[[], Runtime]
    precision: str
    must_prove: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """`passed_over` says in words which faster runtimes could not be used, and why."""

    runtime: Runtime
    passed_over: tuple[str, ...]


def open_runtime(
    weights: LocalWeights, config: embedders.SentenceTransformersEmbedder, devices: Sequence[str]
) -> Chosen:
    """The first candidate that opens and proves itself; ConfigError where the configuration leaves none."""
    kept = ModelCache(weights.hash)
    passed_over: list[str] = []
    found = candidates(weights, config, devices, kept)
    for candidate in found:
        try:
            runtime = _proven(candidate, weights, kept)
        except MemoryError:
            raise
        except Exception as error:
            if isinstance(error, HeadraceError) and len(found) == 1:
                raise
            passed_over.append(f"{candidate.name}: {' '.join(str(error).split())[:200] or type(error).__name__}")
        else:
            return Chosen(runtime, tuple(passed_over))
    reasons = "; ".join(passed_over) or f"it does not run on {', '.join(devices)}"
    raise ConfigError(
        f"no runtime can be used for {config.model!r} with runtime {config.runtime} and precision {config.precision}:"
        f" {reasons}; set both to auto"
    )


def candidates(
    weights: LocalWeights, config: embedders.SentenceTransformersEmbedder, devices: Sequence[str], kept: ModelCache
) -> list[Candidate]:
    """Fastest first, as far as runtime and precision leave a choice."""
    library, precision = config.runtime, config.precision
    offered = _on_cpu(weights, kept, library) if devices == ("cpu",) else _on_gpu(weights, devices)
    return [
        one
        for one in offered
        if library in ("auto", one.name.split(",")[0]) and (precision == one.precision or _by_itself(one, precision))
    ]


def _by_itself(candidate: Candidate, precision: str) -> bool:
    """int8 only where it is asked for; bfloat16 in torch on a CPU is emulated on most, so only then too."""
    return precision == "auto" and candidate.precision != "int8" and candidate.name != "torch, bfloat16, cpu"


def _on_cpu(weights: LocalWeights, kept: ModelCache, library: str) -> list[Candidate]:
    precisions = ["float32", "int8"]
    if library != "torch" and cpu_has_bfloat16():  # OpenVINO knows, and is not loaded for nothing
        precisions.insert(0, "bfloat16")
    found = [Candidate(f"openvino, {one}, cpu", partial(_openvino, weights, kept, one), one) for one in precisions]
    for precision in ("float32", "bfloat16"):
        opened = partial(_torch, weights.folder, ("cpu",), precision, PADDED)
        found.append(Candidate(f"torch, {precision}, cpu", opened, precision, must_prove=precision != "float32"))
    return found


def _openvino(weights: LocalWeights, kept: ModelCache, precision: str) -> Runtime:
    """A kept model that cannot be read any more is made anew."""
    from tasks.embed.local.runtime.conversion import converted, quantised

    def model() -> Path:
        if precision == "int8":
            return quantised(kept, weights.folder, calibrating(weights.tokenizer, weights.padding))
        return converted(kept, weights.folder)

    folder = model()
    try:
        return OpenVinoRuntime(folder, precision)
    except RuntimeError:
        kept.forget(folder.name)
    return OpenVinoRuntime(model(), precision)


def _on_gpu(weights: LocalWeights, devices: Sequence[str]) -> list[Candidate]:
    """Flash attention only in half precision, and only where its library is installed."""
    forms = [("float32", PADDED)]
    if has_bfloat16(devices[0]):
        forms.insert(0, ("bfloat16", PADDED))
        if importlib.util.find_spec("flash_attn"):
            forms.insert(0, ("bfloat16", FLASH))
    return [
        Candidate(
            ", ".join(["torch", attention or "padded", precision, *devices]),
            partial(_torch, weights.folder, tuple(devices), precision, attention),
            precision,
        )
        for precision, attention in forms
    ]


def _torch(folder: Path, devices: Sequence[str], precision: str, attention: str) -> Runtime:
    if len(devices) > 1:
        from tasks.embed.local.runtime.processes import DeviceProcesses

        return DeviceProcesses(folder, devices, precision, attention)
    from tasks.embed.local.runtime.torch_runtime import TorchRuntime

    return TorchRuntime(folder, devices[0], precision, attention)


def _proven(candidate: Candidate, weights: LocalWeights, kept: ModelCache) -> Runtime:
    """Open, and closed again where it fails: it may hold a device's memory."""
    runtime = candidate.open()
    if candidate.must_prove:
        try:
            _prove(runtime, candidate, weights, kept)
        except BaseException:
            runtime.close()
            raise
    return runtime


def _prove(runtime: Runtime, candidate: Candidate, weights: LocalWeights, kept: ModelCache) -> None:
    """Raise ConfigError for vectors that are not the model's. Passed once, it holds for this hardware."""
    proof = hashlib.sha256(f"{runtime.name} {runtime.hardware}".encode()).hexdigest()[:16]
    if (kept.folder / f"proof-{proof}").exists():
        return
    features = tested(weights.tokenizer, weights.padding)
    cosines = _cosines(vectors_of(runtime, features), reference(kept, weights.folder, features))
    least, mean = float(cosines.min()), float(cosines.mean())
    is_int8 = candidate.precision == "int8"
    if least < (LEAST_COSINE_INT8 if is_int8 else LEAST_COSINE) or (is_int8 and mean < LEAST_MEAN_INT8):
        raise ConfigError(f"its vectors are not the model's: cosine {least:.5f} at least, {mean:.5f} on average")
    kept.get(f"proof-{proof}", lambda _: None)


def _cosines(one: Vectors, other: Vectors) -> Vectors:
    cosines: Vectors = np.einsum("ij,ij->i", one, other)
    return cosines
