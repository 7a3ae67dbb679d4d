"""Which device a local model runs on, in which precision, and how much it takes at once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.errors import ConfigError

if TYPE_CHECKING:
    import torch

# Padded tokens per batch. On CPU more only falls out of the cache; on a GPU it fills the chip.
CPU_BATCH_TOKENS = 4096
GPU_BATCH_TOKENS = 65536


@dataclass(frozen=True)
class Device:
    """bf16 keeps a cosine above 0.999 of fp32, so it shares the vector space; fp16 is never chosen."""

    name: str
    dtype: "torch.dtype"
    batch_tokens: int


def choose_device(wanted: str, batch_tokens: int | None) -> Device:
    """`auto` takes CUDA, else MPS, else the CPU; ConfigError for a device that is not there."""
    import torch

    name = _best() if wanted == "auto" else wanted
    kind = name.split(":")[0]
    is_there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if not is_there.get(kind, False):
        raise ConfigError(f"device {wanted!r} is not there; expected auto, cpu, cuda, cuda:N or mps on this machine")
    has_bf16 = kind == "cuda" and torch.cuda.is_bf16_supported()
    default = CPU_BATCH_TOKENS if kind == "cpu" else GPU_BATCH_TOKENS
    return Device(name, torch.bfloat16 if has_bf16 else torch.float32, batch_tokens or default)


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has a class of its own for it; MPS and the CPU's allocator only a message."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and ("out of memory" in str(error) or "can't allocate memory" in str(error))


def release_memory(device: Device) -> None:
    """Give cached blocks back before trying again."""
    import torch

    if device.name.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device.name == "mps":
        torch.mps.empty_cache()


def _best() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
