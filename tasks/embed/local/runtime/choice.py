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
from tasks.embed.local.runtime.base import Runtime, runtime_name
from tasks.embed.local.runtime.device import has_bfloat16
from tasks.embed.local.runtime.loading import FLASH, PADDED
from tasks.embed.local.runtime.model_cache import ModelCache
from tasks.embed.local.runtime.openvino_runtime import OpenVinoRuntime, cpu_has_bfloat16
from tasks.embed.local.runtime.probes import calibration_features, reference, self_test_features, vectors_of
from tasks.embed.tokens.tokenizers import ModelTokenizer
from tasks.errors import ConfigError, HeadraceError
from tasks.records import Vectors

LEAST_COSINE = 0.999
LEAST_COSINE_INT8, LEAST_MEAN_INT8 = 0.95, 0.98


@dataclass(frozen=True, slots=True)
class LocalWeights:
    """A model's folder, a name for all that is in it, and how its texts become token ids."""

    folder: Path
    name: str
    tokenizer: ModelTokenizer
    padding: int
    is_static: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A runtime that may be opened. `attention` is empty where there is no choice of it.

    `by_itself` is False for what is used only where its precision is asked for; `must_prove` is False for what the
    others are compared with.
    """

    library: str
    precision: str
    devices: tuple[str, ...]
    open: Callable[[], Runtime]
    attention: str = ""
    by_itself: bool = True
    must_prove: bool = True

    @property
    def name(self) -> str:
        """Words for a person."""
        return runtime_name(self.library, self.precision, self.devices, self.attention)

    def fits(self, library: str, precision: str) -> bool:
        """Whether these settings, each of which may be auto, allow it."""
        return library in ("auto", self.library) and (
            precision == self.precision or (precision == "auto" and self.by_itself)
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """`passed_over` says in words which faster runtimes could not be used, and why."""

    runtime: Runtime
    passed_over: tuple[str, ...]


def open_runtime(
    weights: LocalWeights, config: embedders.SentenceTransformersEmbedder, devices: Sequence[str]
) -> Chosen:
    """The first candidate that opens and proves itself; ConfigError where the configuration leaves none."""
    cache = ModelCache(weights.name)
    passed_over: list[str] = []
    offered = candidates(weights, config, devices, cache)
    for candidate in offered:
        try:
            runtime = _proven(candidate, weights, cache)
        except MemoryError:
            raise
        except Exception as error:
            if isinstance(error, HeadraceError) and len(offered) == 1:
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
    weights: LocalWeights, config: embedders.SentenceTransformersEmbedder, devices: Sequence[str], cache: ModelCache
) -> list[Candidate]:
    """Fastest first, as far as runtime and precision leave a choice."""
    offered = _on_cpu(weights, cache, config.runtime) if devices == ("cpu",) else _on_gpu(weights, devices)
    return [candidate for candidate in offered if candidate.fits(config.runtime, config.precision)]


def _on_cpu(weights: LocalWeights, cache: ModelCache, library: str) -> list[Candidate]:
    """int8 makes other vectors, and most CPUs emulate bfloat16 in torch: both only where they are asked for.

    A table of vectors has nothing to convert.
    """
    precisions = [] if weights.is_static else ["float32", "int8"]
    if precisions and library != "torch" and cpu_has_bfloat16():  # OpenVINO knows, and is not loaded for nothing
        precisions.insert(0, "bfloat16")
    devices = ("cpu",)
    return [
        *(
            Candidate(
                "openvino",
                precision,
                devices,
                partial(_openvino, weights, cache, precision),
                by_itself=precision != "int8",
            )
            for precision in precisions
        ),
        Candidate("torch", "float32", devices, partial(_torch, weights.folder, devices, "float32"), must_prove=False),
        Candidate("torch", "bfloat16", devices, partial(_torch, weights.folder, devices, "bfloat16"), by_itself=False),
    ]


def _openvino(weights: LocalWeights, cache: ModelCache, precision: str) -> Runtime:
    """A kept model that cannot be read any more is made anew."""
    from tasks.embed.local.runtime.conversion import converted, quantised

    def model() -> Path:
        if precision == "int8":
            return quantised(cache, weights.folder, calibration_features(weights.tokenizer, weights.padding))
        return converted(cache, weights.folder)

    folder = model()
    try:
        return OpenVinoRuntime(folder, precision)
    except RuntimeError:
        cache.forget(folder.name)
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
            "torch",
            precision,
            tuple(devices),
            partial(_torch, weights.folder, devices, precision, attention),
            attention=attention,
        )
        for precision, attention in forms
    ]


def _torch(folder: Path, devices: Sequence[str], precision: str, attention: str = PADDED) -> Runtime:
    if len(devices) > 1:
        from tasks.embed.local.runtime.processes import DeviceProcesses

        return DeviceProcesses(folder, devices, precision, attention)
    from tasks.embed.local.runtime.torch_runtime import TorchRuntime

    return TorchRuntime(folder, devices[0], precision, attention)


def _proven(candidate: Candidate, weights: LocalWeights, cache: ModelCache) -> Runtime:
    """Open, and closed again where it fails: it may hold a device's memory."""
    runtime = candidate.open()
    if candidate.must_prove:
        try:
            _prove(runtime, candidate, weights, cache)
        except BaseException:
            runtime.close()
            raise
    return runtime


def _prove(runtime: Runtime, candidate: Candidate, weights: LocalWeights, cache: ModelCache) -> None:
    """Raise ConfigError for vectors that are not the model's. Passed once, it holds for this hardware."""
    proof = hashlib.sha256(f"{runtime.name} {runtime.hardware}".encode()).hexdigest()[:16]
    if (cache.folder / f"proof-{proof}").exists():
        return
    features = self_test_features(weights.tokenizer, weights.padding)
    cosines = _cosines(vectors_of(runtime, features), reference(cache, weights.folder, features))
    least, mean = float(cosines.min()), float(cosines.mean())
    is_int8 = candidate.precision == "int8"
    if least < (LEAST_COSINE_INT8 if is_int8 else LEAST_COSINE) or (is_int8 and mean < LEAST_MEAN_INT8):
        raise ConfigError(f"its vectors are not the model's: cosine {least:.5f} at least, {mean:.5f} on average")
    cache.get(f"proof-{proof}", lambda _: None)


def _cosines(one: Vectors, other: Vectors) -> Vectors:
    cosines: Vectors = np.einsum("ij,ij->i", one, other)
    return cosines
