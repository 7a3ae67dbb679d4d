"""OpenAI's files and batches, beside its embeddings, on a loopback server: as its API reference has them."""

import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.openai_server import OpenAIServer
from tests.provider_server import Asked

STEPS = ("validating", "in_progress", "finalizing")


@dataclass
class Fate:
    """How a batch ends; `rows` of it are worked off, None: all."""

    status: str = "completed"
    rows: int | None = None
    code: str = ""  # why it is refused as a whole
    fails: set[str] = field(default_factory=set)  # texts whose requests end in an error of the server's


@dataclass
class Job:
    """A batch that was created."""

    id: str
    file: str
    metadata: dict[str, str]
    fate: Fate
    looks: int = 0
    output: str | None = None
    errors: str | None = None


class BatchServer(OpenAIServer):
    """`worked` are the texts that batches were billed for; `fates` are taken one by one; `drops` are answers lost.

    A dropped answer is `METHOD path`, and what was asked is done all the same.
    """

    def __init__(self, key: str = "sk-test") -> None:
        super().__init__(key)
        self.elsewhere = self._asked
        self.files: dict[str, bytes] = {}
        self.jobs: list[Job] = []
        self.fates: deque[Fate] = deque()
        self.worked: list[str] = []
        self.batch_tokens = 0
        self.drops: deque[str] = deque()
        self.calls: list[str] = []
        self.bend_results: Callable[[list[str]], list[str]] = lambda lines: lines

    def texts(self) -> list[list[str]]:
        """Of each batch that was created."""
        return [[row["body"]["input"][0] for row in self._rows(job)] for job in self.jobs]

    def _asked(self, method: str, path: str, content: bytes) -> tuple[int, bytes] | None:
        what, _, name = path.partition("?")[0].removeprefix("/v1/").partition("/")
        if what not in ("files", "batches"):
            return None
        call = f"{method} {what}" + ("/…" if name else "")
        self.calls.append(call)
        answer = self._done(method, what, name, content)
        if self.drops and self.drops[0] == call:
            self.drops.popleft()
            return 0, b""
        return answer

    def _done(self, method: str, what: str, name: str, content: bytes) -> tuple[int, bytes]:
        if what == "files" and method == "POST":
            return 200, self._upload(content)
        if what == "files":
            return 200, self.files[name.removesuffix("/content")]
        if method == "POST":
            return 200, self._create(json.loads(content))
        if not name:
            data = [self._shown(job) for job in reversed(self.jobs)]
            return 200, json.dumps({"object": "list", "data": data, "has_more": False}).encode()
        job = next(job for job in self.jobs if job.id == name)
        job.looks += 1
        if job.looks == len(STEPS):
            self._work(job)
        return 200, json.dumps(self._shown(job)).encode()

    def _upload(self, content: bytes) -> bytes:
        boundary = content.split(b"\r\n", 1)[0]
        parts = content.split(boundary)
        assert any(re.search(rb'name="purpose"\r\n\r\nbatch', part) for part in parts)
        file = next(part for part in parts if b'filename="' in part).split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
        self.files[name := f"file-{len(self.files)}"] = file
        return json.dumps(_file(name, len(file))).encode()

    def _create(self, body: dict[str, Any]) -> bytes:
        assert (body["endpoint"], body["completion_window"]) == ("/v1/embeddings", "24h")
        fate = self.fates.popleft() if self.fates else Fate()
        job = Job(f"batch_{len(self.jobs)}", body["input_file_id"], body.get("metadata") or {}, fate)
        self.jobs.append(job)
        rows = self._rows(job)
        assert len({row["custom_id"] for row in rows}) == len(rows) <= 50_000
        assert all(row["url"] == "/v1/embeddings" and row["method"] == "POST" for row in rows)
        return json.dumps(self._shown(job)).encode()

    def _rows(self, job: Job) -> list[Any]:
        return [json.loads(line) for line in self.files[job.file].splitlines()]

    def _work(self, job: Job) -> None:
        """Results come in another order than requests, and what went wrong in a file of its own."""
        fate, rows, output, errors = job.fate, self._rows(job), [], []
        most = 0 if fate.status == "failed" else len(rows) if fate.rows is None else fate.rows
        for row in rows[:most]:
            [text] = row["body"]["input"]
            if text in self.refused or text in fate.fails:
                status = 400 if text in self.refused else 500
                said = {"error": {"message": "no such text", "code": "invalid_input"}}
                errors.append(_line(row, {"status_code": status, "request_id": "", "body": said}))
                continue
            asked = Asked(self.key, row["body"]["model"], [text], None, row["body"].get("dimensions"))
            [vector] = self.compute(asked, asked.dimension or self.dialect.dimension)
            tokens = self.count(text)
            self.worked.append(text)
            self.batch_tokens += tokens
            body = self.dialect.answer(row["body"], [(0, vector)], tokens)
            output.append(_line(row, {"status_code": 200, "request_id": "", "body": body}))
        expired = {"code": "batch_expired", "message": "This request could not be executed before it expired."}
        if fate.status == "expired":
            errors += [_line(row, None, expired) for row in rows[most:]]
        for name, lines in (("output", self.bend_results(output[::-1])), ("errors", errors)):
            if lines:
                self.files[f"{job.id}-{name}"] = "".join(lines).encode()
                setattr(job, name, f"{job.id}-{name}")

    def _shown(self, job: Job) -> dict[str, Any]:
        is_over = job.looks >= len(STEPS)
        status = job.fate.status if is_over else STEPS[job.looks]
        said = {"object": "list", "data": [{"code": job.fate.code, "message": f"it is {job.fate.code}", "line": None}]}
        done = len(self.files[job.output].splitlines()) if job.output else 0
        total = len(self._rows(job))
        return {
            "id": job.id, "object": "batch", "endpoint": "/v1/embeddings", "completion_window": "24h",
            "input_file_id": job.file, "status": status, "created_at": 1, "metadata": job.metadata,
            "output_file_id": job.output, "error_file_id": job.errors,
            "errors": said if is_over and status == "failed" else None,
            "request_counts": {"total": total, "completed": done, "failed": 0},
        }  # fmt: skip


def _line(row: Any, response: object, error: object = None) -> str:
    return json.dumps({"id": "r", "custom_id": row["custom_id"], "response": response, "error": error}) + "\n"


def _file(name: str, size: int) -> dict[str, object]:
    return {
        "id": name,
        "object": "file",
        "bytes": size,
        "created_at": 1,
        "filename": "f",
        "purpose": "batch",
        "status": "processed",
    }
