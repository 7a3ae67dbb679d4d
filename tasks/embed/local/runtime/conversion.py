"""A torch model made into one of OpenVINO, once: with pooling and all that follows it, whatever the architecture."""

import logging
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from statistics import mode
from typing import TYPE_CHECKING, Any

from tasks.embed.local.runtime.base import Features
from tasks.embed.local.runtime.loading import load_model
from tasks.embed.local.runtime.model_cache import ModelCache
from tasks.embed.local.runtime.openvino_runtime import import_openvino
from tasks.errors import MissingExtraError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Weights and activations as int8 integers, outliers smoothed into the weights first.
SMOOTHING = 0.8
RECIPE = "int8-2"  # names the vector space: raised when the same model would be made into other integers

_log = logging.getLogger("headrace")


def converted(cache: ModelCache, folder: Path) -> Path:
    """The folder of the model in float32."""
    message = f"preparing the model in {folder} for this processor, once: some seconds"
    return _cached(cache, "float32", message, lambda: _as_openvino(folder))


def quantised(cache: ModelCache, folder: Path, calibration: list[Features]) -> Path:
    """The folder of the model in int8; MissingExtraError without the library that makes it."""
    message = f"turning the model in {folder} into integers, once: up to a minute"
    return _cached(cache, "int8", message, lambda: _quantised(_as_openvino(folder), calibration))


def _cached(cache: ModelCache, name: str, message: str, model: Callable[[], Any]) -> Path:
    def make(scratch: Path) -> None:
        _log.info(message)
        _save(model(), scratch)

    return cache.get(name, make)


def _save(model: Any, folder: Path) -> None:
    """Weights are kept as they are: the default would round them to fp16."""
    import_openvino().save_model(model, str(folder / "model.xml"), compress_to_fp16=False)


def _as_openvino(folder: Path) -> Any:
    """A torch model is traced with a small batch; both of its sizes stay open."""
    import torch
    from transformers.utils.logging import get_verbosity, set_verbosity

    model = load_model(folder, "cpu", "float32")
    names = _inputs(model)
    example = {name: torch.ones(2, 8, dtype=torch.long) for name in names}
    spoken = get_verbosity()
    set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of each shape that it takes for a constant
            traced = import_openvino().convert_model(_positional(model, names), example_input=tuple(example.values()))
    finally:
        set_verbosity(spoken)
    for port, name in zip(traced.inputs, names, strict=True):
        port.get_tensor().set_names({name})
    return traced


def _inputs(model: "SentenceTransformer") -> list[str]:
    """What this model's tokenizer makes and its forward pass reads."""
    known = ("input_ids", "attention_mask", "token_type_ids")
    return [name for name in known if name in model.tokenizer.model_input_names]


def _positional(model: "SentenceTransformer", names: list[str]) -> Any:
    """Tracing hands over tensors by position; sentence-transformers wants them in a dictionary."""
    import torch

    class Positional(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> Any:
            return self.model(dict(zip(names, tensors, strict=True)))["sentence_embedding"]

    return Positional().eval()


def _quantised(model: Any, calibration: list[Features]) -> Any:
    """The model in int8, made in silence: the library writes its progress to stdout, where the answer belongs."""
    with redirect_stdout(StringIO()):
        return _made_of_integers(model, calibration)


def _made_of_integers(model: Any, calibration: list[Features]) -> Any:
    import_openvino()
    try:
        import nncf
        from nncf.quantization import advanced_parameters as advanced
    except ImportError as error:
        raise MissingExtraError("precision: int8", "int8") from error
    inputs = {port.get_any_name() for port in model.inputs}
    batches = [{name: batch[name] for name in batch if name in inputs} for batch in calibration]
    return nncf.quantize(
        model,
        nncf.Dataset(batches),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(batches),
        ignored_scope=nncf.IgnoredScope(names=_wide_readers(model)),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=advanced.AdvancedSmoothQuantParameters(matmul=SMOOTHING),
        ),
    )


def _wide_readers(model: Any) -> list[str]:
    """The layers that read more numbers than the model is wide: the second half of each feed-forward block.

    What they read has outliers: in int8 they alone cost a third of the neighbours that int8 loses.
    """
    reads: dict[str, int] = {}
    for operation in model.get_ordered_ops():
        if operation.get_type_name() == "MatMul":
            weights = operation.input(1).get_partial_shape()
            if weights.is_static and len(weights) == 2:
                axis = 1 if operation.get_attributes()["transpose_b"] else 0
                reads[operation.get_friendly_name()] = weights[axis].get_length()
    width = mode(reads.values()) if reads else 0
    return [name for name, read in reads.items() if read > width]
