"""The model in torch, on a CPU, an NVIDIA or AMD GPU, or Apple's."""

from pathlib import Path
from typing import Any

import numpy as np

from tasks.embed.local.runtime.base import Features, Spans, runtime_name
from tasks.embed.local.runtime.device import is_out_of_memory, release_memory
from tasks.embed.local.runtime.loading import FLASH, PADDED, is_static, load_model
from tasks.records import Vectors


class TorchRuntime:
    """`attention` FLASH joins the texts of a batch without padding, where the model and the library can."""

    def __init__(self, folder: Path, device: str, precision: str, attention: str = PADDED) -> None:
        """`precision` is float32 or bfloat16; fp16 is never used, for some models overflow in it."""
        self._model = load_model(folder, device, precision, attention)
        self._device = device
        self._is_static = is_static(self._model)
        self._flattens = attention == FLASH and bool(self._model[0].can_flatten_inputs)
        self.name = runtime_name("torch", precision, (device,), "flash attention" if self._flattens else "")
        # While a GPU computes one batch, the next is tokenised and copied.
        self.lanes = 2 if device.startswith("cuda") else 1

    @property
    def hardware(self) -> str:
        """The GPU's name; a CPU in torch is the reference and needs no test."""
        import torch

        return torch.cuda.get_device_name(self._device) if self._device.startswith("cuda") else self._device

    def forward(self, features: Features, /, spans: Spans | None = None) -> Vectors:
        """Raise MemoryError when the device has too little memory.

        With `spans`, each of them gets a vector instead of each text: the mean over its tokens, and what follows that.
        """
        try:
            return self._forward(features) if spans is None else self._within(features, spans)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Not before the error is gone: its traceback holds the tensors.
        release_memory(self._device)
        raise MemoryError

    def close(self) -> None:
        """Give the device's memory back: the next runtime finds it empty."""
        del self._model
        release_memory(self._device)

    def _forward(self, features: Features) -> Vectors:
        import torch

        with torch.inference_mode():
            if self._is_static:
                tensors = self._tensors(_bags(features))
            else:
                tensors = self._flat(features) if self._flattens else self._tensors(features)
            vectors: Vectors = self._model(tensors)["sentence_embedding"].float().cpu().numpy()
        return vectors

    def _within(self, features: Features, spans: Spans) -> Vectors:
        import torch

        with torch.inference_mode():
            transformer, _, *rest = self._model
            hidden = transformer(self._tensors(features))["token_embeddings"]
            means = [hidden[row, low:high].float().mean(0) for row, own in enumerate(spans) for low, high in own]
            answer = {"sentence_embedding": torch.stack(means).to(hidden.dtype)}
            for module in rest:
                answer = module(answer)
            vectors: Vectors = answer["sentence_embedding"].float().cpu().numpy()
        return vectors

    def _tensors(self, features: Features) -> dict[str, Any]:
        """The features on the device: from pinned memory a GPU copies while it computes."""
        import torch

        tensors = {name: torch.from_numpy(array) for name, array in features.items()}
        if self._device.startswith("cuda"):
            return {name: tensor.pin_memory().to(self._device, non_blocking=True) for name, tensor in tensors.items()}
        return {name: tensor.to(self._device) for name, tensor in tensors.items()}

    def _flat(self, features: Features) -> dict[str, Any]:
        """The texts joined without padding, as the library does it; models of RoBERTa's family count positions on."""
        first: Any = self._model[0]
        lengths = features["attention_mask"].sum(axis=1)
        rows = zip(features["input_ids"], lengths, strict=True)
        flat = first.data_collator([{"input_ids": ids[:length].tolist()} for ids, length in rows])
        flat.pop("labels", None)
        flat["position_ids"] = flat["position_ids"] + first._flatten_position_offset
        return {name: _moved(value, self._device) for name, value in flat.items()}


def _bags(features: Features) -> Features:
    """The texts joined, as a table of vectors reads them, and where each begins."""
    mask = features["attention_mask"].astype(bool)
    lengths = mask.sum(axis=1)
    return {"input_ids": features["input_ids"][mask], "offsets": np.cumsum(lengths) - lengths}


def _moved(value: Any, device: str) -> Any:
    return value.to(device) if hasattr(value, "to") else value
