"""A real browser without a window, driven by Chromium's own protocol: opens a page, waits for words, clicks, looks."""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.prefect_server import end

WAIT_SECONDS = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """What CHROMIUM names, or the one on the PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0

    def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=WAIT_SECONDS))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def run(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def wait_for(self, script: str) -> Any:
        """The first value of the script that is true."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, f"never {script}; the page says {self.text()[:2000]}"
            time.sleep(0.2)
        return value

    def text(self) -> str:
        return str(self.run("document.body.innerText"))

    def click(self, words: str) -> None:
        """On the last button, entry of a menu or link with just these words."""
        found = (
            "[...document.querySelectorAll('button, a, [role=menuitem], [role=tab]')]"
            f".filter(one => one.innerText.trim() === {json.dumps(words)}).at(-1)"
        )
        self.wait_for(f"!!{found}")
        self.run(f"{found}.scrollIntoView({{block: 'center'}})")
        x, y = self.run(f"(box => [box.x + box.width / 2, box.y + box.height / 2])({found}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def save(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextmanager
def browser(folder: Path, width: int = 1280, height: int = 1000) -> Iterator[Page]:
    """`folder` is the browser's own."""
    command = [
        *(chromium() or "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={folder}", f"--window-size={width},{height}", "--remote-debugging-port=0", "about:blank"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            told = folder / "DevToolsActivePort"
            deadline = time.monotonic() + WAIT_SECONDS
            while not told.exists() or "\n" not in told.read_text():
                assert time.monotonic() < deadline, "the browser did not start"
                time.sleep(0.2)
            port = told.read_text().splitlines()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=WAIT_SECONDS) as answer:
                tab = next(one for one in json.load(answer) if one["type"] == "page")
            with connect(tab["webSocketDebuggerUrl"], max_size=None, open_timeout=WAIT_SECONDS) as socket:
                yield Page(socket)
        finally:
            end(process)
