"""What is made once for a model and kept: its converted forms, and what a self-test compares with."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tasks.system.file_system import user_cache

FORM = 2  # raised when what is kept is made in another way
MAKERS = ("openvino", "torch", "transformers", "sentence-transformers", "nncf")


class ModelCache:
    """A folder below the user's cache, named by the model and by the versions of what works on it."""

    def __init__(self, model: str) -> None:
        """`model` names weights and modules: equal weights with another pooling are another model."""
        made_with = hashlib.sha256(f"{FORM} {[_version(name) for name in MAKERS]}".encode()).hexdigest()[:12]
        self.folder = user_cache() / "models" / f"{model}-{made_with}"

    def get(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder `name`; `make` fills it the first time. Of two processes that make it at once, one wins.

        Raises OSError where the user's cache cannot be written.
        """
        folder = self.folder / name
        if folder.exists():
            return folder
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=self.folder))
        try:
            make(scratch)
            scratch.rename(folder)
        except OSError:
            if not folder.exists():
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return folder

    def forget(self, name: str) -> None:
        """What was kept under this name is damaged, so what it has proved is worth nothing."""
        for path in [self.folder / name, *self.folder.glob("proof-*")]:
            shutil.rmtree(path, ignore_errors=True)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
