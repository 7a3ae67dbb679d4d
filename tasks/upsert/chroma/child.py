"""`chroma run` over a folder, for as long as somebody uses it.

`python -m tasks.upsert.chroma.child PORT FOLDER` serves the folder on loopback. Each user holds a shared lock on the
file `users`, which the kernel takes back when one is killed: whoever gets it for himself alone is without users.
"""

import fcntl
import os
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

END_SECONDS = 5.0


def main() -> None:
    """Serve the folder; what `chroma run` says comes on the standard output."""
    port, folder = sys.argv[1:]
    threading.Thread(target=_end_without_users, args=(Path(folder) / "users",), daemon=True).start()
    command = ["chroma", "run", "--host", "127.0.0.1", "--port", port, "--path", folder]
    import_module("chromadb_rust_bindings").cli(command)


def _end_without_users(path: Path) -> None:
    fcntl.flock(os.open(path, os.O_RDWR), fcntl.LOCK_EX)
    os.kill(os.getpid(), signal.SIGTERM)  # Chroma then ends in order
    time.sleep(END_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
