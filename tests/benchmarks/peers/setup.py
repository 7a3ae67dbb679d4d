"""Makes each peer's own environment under build/benchmarks/peers/, with the packages that its requirements fix.

python -m tests.benchmarks.peers.setup [PEER…]
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.corpus import FOLDER

HERE = Path(__file__).parent
HOME = FOLDER / "peers"
PEERS = tuple(sorted(path.stem for path in (HERE / "requirements").glob("*.txt")))


def python(peer: str) -> Path:
    """Its interpreter, whether it is there already or not."""
    return HOME / "environments" / peer / "bin" / "python"


def install(peer: str) -> None:
    """Nothing to do where the requirements are the ones that were installed."""
    wanted = (HERE / "requirements" / f"{peer}.txt").read_text()
    folder = python(peer).parents[1]
    stamp = folder / "requirements.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    uv = Path(sys.executable).with_name("uv")
    places = {"UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", ""), "VIRTUAL_ENV": str(folder)}
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
    # Copies: nltk, which LlamaIndex brings, refuses to read the hard links that uv would make.
    command = [uv, "pip", "install", "--quiet", "--link-mode", "copy", "--compile-bytecode", "-r", "-"]
    subprocess.run(command, input=wanted, text=True, check=True, env={**os.environ, **places})
    stamp.write_text(wanted)


def main(names: list[str]) -> None:
    for peer in names or PEERS:
        install(peer)


if __name__ == "__main__":
    main(sys.argv[1:])
