"""Which devices a local model runs on."""

import sys
from pathlib import Path

from tasks.errors import ConfigError

# Made by the drivers of NVIDIA, of AMD, and of Windows' Linux. Without one torch is not asked: it loads slowly.
GPU_NODES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def choose_devices(wanted: str) -> tuple[str, ...]:
    """`auto` and `cuda` take every CUDA device, `auto` else MPS, else the CPU; ConfigError for what is not there."""
    if wanted == "cpu" or (wanted == "auto" and not _may_have_gpu()):
        return ("cpu",)
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [f"cuda:{number}" for number in range(count)]
    there: dict[str, tuple[str, ...]] = {"cpu": ("cpu",), **{name: (name,) for name in names}}
    if count:
        there["cuda"] = tuple(names)
    if torch.backends.mps.is_available():
        there["mps"] = ("mps",)
    if wanted == "auto":
        return there.get("cuda") or there.get("mps") or ("cpu",)
    if wanted not in there:
        raise ConfigError(f"device {wanted!r} is not there; expected auto, cpu, cuda, cuda:N or mps on this machine")
    return there[wanted]


def has_bfloat16(device: str) -> bool:
    """Whether a GPU computes in bfloat16 without emulating it."""
    import torch

    return device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has a class of its own for it; MPS and the CPU's allocators only a message."""
    if isinstance(error, MemoryError):
        return True
    words = ("out of memory", "can't allocate memory", "bad_alloc", "Failed to allocate")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def release_memory(device: str) -> None:
    """Give cached blocks back before trying again."""
    if device == "cpu":
        return
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    else:
        torch.mps.empty_cache()


def _may_have_gpu() -> bool:
    return "torch" in sys.modules or sys.platform != "linux" or any(Path(node).exists() for node in GPU_NODES)
