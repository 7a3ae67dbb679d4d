"""Starts Prefect's server and a worker on this machine and registers examples; Ctrl-C ends all. `make server` runs it.

PORT=4201 moves the server; its runs, schedules and logs are kept where PREFECT_HOME says.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HOME = Path(__file__).parents[1]
EXAMPLES = ("quickstart", "hashing")
START_SECONDS = 180


def main() -> int:
    """Until somebody ends it, or one of the two ends."""
    url = f"http://127.0.0.1:{os.environ.get('PORT', '4200')}"
    environment = {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # it would tell its makers of this machine
        **os.environ,
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_UI_API_URL": f"{url}/api",
    }
    prefect = [sys.executable, "-m", "prefect"]
    serve = [*prefect, "server", "start", "--port", url.rpartition(":")[2]]
    work = [*prefect, "worker", "start", "--pool", "headrace"]
    started = [subprocess.Popen(serve, env=environment)]  # noqa: S603 - words of our own, here and below
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        _wait(url, started[0])
        for name in EXAMPLES:
            command = [sys.executable, "-m", "flows.cli", "deploy", f"config/examples/{name}.yaml"]
            subprocess.run(command, env=environment, cwd=HOME, check=True)  # noqa: S603
        sys.stderr.write(f"The UI is at {url}; for your own pipelines: export PREFECT_API_URL={url}/api\n")
        started.append(subprocess.Popen(work, env=environment, cwd=HOME))  # noqa: S603
        while all(process.poll() is None for process in started):
            time.sleep(1)
    except KeyboardInterrupt:
        return 130
    finally:
        for process in reversed(started):  # the worker first, which tells the server
            process.terminate()
            process.wait()
    return 1


def _wait(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(START_SECONDS):
        try:
            with urllib.request.urlopen(f"{url}/api/health", timeout=1):  # noqa: S310 - of http
                return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(1)
    raise SystemExit(f"the Prefect server at {url} did not start; is the port taken? See PORT=4201 make server")


if __name__ == "__main__":
    sys.exit(main())
