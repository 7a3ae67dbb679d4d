"""How well searches answer, on collections that lie outside the project: `make quality DATA=FOLDER`.

Every folder below DATA that holds these is a collection, and is called by its own name:

    files/         the documents
    queries.jsonl  {"_id": …, "text": …} in each line
    qrels.tsv      query, document and grade
    spans.tsv      query, document, first and last character of each answer; optional

Cranfield is also taken as it is handed round: cran.all.1400, cran.qry and cranqrel. Everything is
embedded with the configuration's own default model, which takes some minutes; what is known by name has a bar.
"""

import io
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from flows.cli import main as headrace

CONFIG = """\
name: {name}
sources: [{{kind: files, path: ./files}}]
embedder: {{kind: sentence-transformers, model: sentence-transformers/all-MiniLM-L6-v2}}
store: {{kind: qdrant, path: ./db}}
"""


class Bar(NamedTuple):
    """`least` is for hybrid search; it must not be below search by vectors alone by more than chance."""

    measure: str
    least: float


BARS = {
    "cranfield": Bar("ndcg@10", 0.399),
    "covidqa": Bar("answer@1000", 0.86),
    "fastapi": Bar("answer@1000", 0.70),
    "stdlib": Bar("answer@1000", 0.0),
}


def main(data: Path) -> int:
    """0 where all that was found is above its bar."""
    below = list[str]()
    collections = sorted(path.parent for name in ("queries.jsonl", "cran.qry") for path in data.rglob(name))
    if not collections:
        sys.stderr.write(f"{data} holds no collections; expected folders with files/, queries.jsonl and qrels.tsv\n")
        return 2
    print("| collection | queries | measure | by vectors | hybrid | difference | bar |\n|---|---|---|---|---|---|---|")
    for folder in collections:
        with tempfile.TemporaryDirectory(prefix="headrace-quality-") as place:
            shape = measured(folder, Path(place))
        below += list(rows(folder.name, shape))
    for one in below:
        sys.stderr.write(f"below its bar: {one}\n")
    return 1 if below else 0


def rows(name: str, shape: dict[str, Any]) -> Iterator[str]:
    """Prints a row for each measure; what is below its bar is told."""
    measures = [name for name in ("ndcg@10", "answer@1000", "mrr:chunk", "recall@100") if name in shape["metrics"]]
    bar = BARS.get(name)
    for measure in measures:
        mean, (gain, low, high) = shape["metrics"][measure], shape["difference"][measure]
        least = bar.least if bar and bar.measure == measure else None
        before = shape["against"]["metrics"][measure]
        change = f"{gain:+.3f} [{low:+.3f}, {high:+.3f}]"
        cells = name, shape["queries"], measure, f"{before:.3f}", f"{mean:.3f}", change, (least and f">= {least}") or ""
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        if least and mean < least:
            yield f"{name}: {measure} {mean:.3f}, expected {least}"
        if high < 0:
            yield f"{name}: {measure} is worse than by vectors alone, by {-gain:.3f} [{low:+.3f}, {high:+.3f}]"


def measured(collection: Path, place: Path) -> dict[str, Any]:
    """What `headrace evaluate --against dense` says of it."""
    config = place / "headrace.yaml"
    config.write_text(CONFIG.format(name=collection.name))
    if (collection / "cran.qry").exists():
        write_cranfield(collection, place)
        source = place
    else:
        source = collection
        (place / "files").symlink_to((collection / "files").absolute(), target_is_directory=True)
    asked = ["--queries", str(source / "queries.jsonl"), "--qrels", str(source / "qrels.tsv")]
    if (source / "spans.tsv").exists():
        asked += ["--spans", str(source / "spans.tsv")]
    run("sync", str(config), "--direct")
    return run("evaluate", str(config), *asked, "--against", "dense")


def run(*words: str) -> dict[str, Any]:
    out = io.StringIO()
    with redirect_stdout(out):
        code = headrace([*words, "--json"])
    shape: dict[str, Any] = json.loads(out.getvalue())
    if code:
        raise SystemExit(f"headrace {words[0]}: {shape.get('error') or shape.get('notes')}")
    return shape


def write_cranfield(collection: Path, place: Path) -> None:
    """The title is the first line of a document, and not once more in its text; queries are numbered as they come."""
    (place / "files").mkdir()
    for number, fields in smart(collection / "cran.all.1400"):
        title, body = " ".join(fields.get("T", "").split()), " ".join(fields.get("W", "").split())
        text = body.removeprefix(title).strip()
        (place / "files" / f"{number}.txt").write_text(f"{title}\n\n{text}\n")
    queries = enumerate((fields for _, fields in smart(collection / "cran.qry")), start=1)
    lines = (json.dumps({"_id": str(number), "text": " ".join(fields["W"].split())}) for number, fields in queries)
    (place / "queries.jsonl").write_text("\n".join(lines))
    # Its code -1 stands once for each query, and says that the document is of no use.
    judged = [line.split()[:3] for line in (collection / "cranqrel").read_text().splitlines()]
    grades = [f"{query} 0 {document} {5 - int(code)}" for query, document, code in judged if 1 <= int(code) <= 4]
    (place / "qrels.tsv").write_text("\n".join(grades))


def smart(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and fields of each record, in the format of the SMART system."""
    for record in re.split(r"^\.I ", path.read_text(encoding="latin-1"), flags=re.MULTILINE)[1:]:
        number, _, rest = record.partition("\n")
        parts = re.split(r"^\.([A-Z])[ \t]*\n", rest, flags=re.MULTILINE)
        yield int(number), dict(zip(parts[1::2], parts[2::2], strict=True))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
