"""Searches a collection as its pipeline would."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from config.fields import SearchLanguage
from config.pipeline import Rerank, SearchMode
from tasks.embed.open import books_of
from tasks.errors import ConfigError, DocumentError, NoTextIndexError
from tasks.freshness import freshness, require_fresh
from tasks.image import Image
from tasks.load.parse.open import parse_image
from tasks.records import Condition, Filter, Hit, PointId, Query, Vector
from tasks.search.embedding import query_vector
from tasks.search.fusion import DEPTH, folded, fused, same_weight, spread, weight_by_kind
from tasks.search.links import link_of
from tasks.search.permission import Asker, permitted
from tasks.search.rerank import open_reranker, readable
from tasks.session import Session, check_space
from tasks.upsert.words.tokens import has_unspaced, mostly_unspaced

DIGITS = 4  # of a score, as it is shown and compared
USUAL_PER_DOCUMENT = 2
_NO_VECTOR = np.empty(0, np.float32)
_UNSPACED = (
    "no text has these words as they are indexed; where that is not by whole words already, set"
    " `search: {language: none}` and run `headrace rebuild`, which embeds nothing"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which results are shown: `offset` counts those that are left by `per_document`.

    None shows at most USUAL_PER_DOCUMENT of a document as long as there are others. `mode` and `rerank` None are as
    configured. `asker` None is refused where documents have readers. `links` are looked for among the files.
    With `copies` the same text is a result each time that it stands somewhere.
    """

    limit: int
    offset: int = 0
    conditions: Sequence[Condition] = ()
    min_score: float | None = None
    per_document: int | None = None
    neighbours: int = 0
    mode: SearchMode | None = None
    asker: Asker | None = None
    max_age_seconds: float | None = None
    rerank: bool | None = None
    links: bool = True
    copies: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk near the query; `document` is its id, `score` the cosine similarity, `link` opens it where one can.

    `before` and `after` are the texts of its neighbours in the document, as far as these were asked for. `copies` say
    where else the same text stands.
    """

    score: float
    document: str
    text: str
    metadata: Mapping[str, Any]
    link: str = ""
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    copies: Sequence["Found"] = ()

    def as_json(self) -> dict[str, Any]:
        """One of `hits` in `search --json`."""
        copies = [copy._place() for copy in self.copies]
        return {
            "score": round(self.score, DIGITS),
            "text": self.text,
            **self._place(),
            **({"before": [*self.before], "after": [*self.after]} if self.before or self.after else {}),
            **({"copies": copies} if copies else {}),
        }

    def _place(self) -> dict[str, Any]:
        return {"document": self.document, "metadata": self.metadata, "link": self.link or None}


class Results(NamedTuple):
    """`mode` is how they were found, `rerank` names who sorted them; `note` says why it is not as it was asked for.

    `complete_at` is when the last complete sync ended, as far as that is known.
    """

    hits: list[Found]
    mode: SearchMode
    note: str = ""
    complete_at: float | None = None
    rerank: str = ""


def search_collection(session: Session, query: str | Image, wanted: Wanted) -> Results:
    """Ask the store by the query's vector, by its words, or by both.

    CollectionError for a collection of another space, or one that is older than is wanted.

    ConfigError for what the model or the store cannot look for.
    """
    sentinel = session.store.sentinel()
    if sentinel is None:
        raise ConfigError(f"{session.pipeline.name!r} has no collection yet; run `headrace sync` first")
    check_space(session, sentinel)
    now = session.clock()
    if wanted.max_age_seconds is not None:
        require_fresh(session.pipeline.name, sentinel, now, wanted.max_age_seconds)
    found = answered(Asking(session, query, wanted.asker), wanted)
    note = "; ".join(filter(None, [found.note, session.note if wanted.mode in (None, "hybrid") else ""]))
    return found._replace(complete_at=freshness(sentinel, now).complete_at, note=note)


def answered(asking: "Asking", wanted: Wanted) -> Results:
    """The results of one query, in a collection whose space was checked."""
    session, query = asking.session, asking.query
    if isinstance(query, str) and not query.strip():
        raise ConfigError("the query is empty; expected words to look for")
    mode = wanted.mode or session.pipeline.search.mode if isinstance(query, str) else "dense"
    note = ""
    try:
        hits, copies = _shown(asking, mode, wanted)
    except NoTextIndexError as error:
        if mode == "text" or wanted.mode:
            raise
        mode, note = "dense", f"by vectors alone: {error}"
        hits, copies = _shown(asking, mode, wanted)
    if (
        mode != "dense"
        and asking.finds_no_words
        and has_unspaced(str(query))
        and not _indexes_unspaced(session.pipeline.search.language, hits)
    ):
        note = _UNSPACED
    sources = session.pipeline.sources if wanted.links else ()

    def shown(hit: Hit) -> Found:
        metadata, others = hit.payload["metadata"], tuple(map(shown, copies.get(hit.id, ())))
        link = link_of(metadata, sources)
        return Found(hit.score, _document(hit), hit.payload["text"], metadata, link, copies=others)

    found = [*map(shown, hits)]
    if wanted.neighbours:
        found = [asking.with_neighbours(hit, wanted.neighbours) for hit in found]
    settings = asking.reranks(wanted)
    return Results(found, mode, note, rerank=settings.model if settings else "")


def _indexes_unspaced(language: SearchLanguage, near: Sequence[Hit]) -> bool:
    """Whether it does so, as far as the settings and the texts say."""
    return language == "none" or (language == "auto" and mostly_unspaced([hit.payload["text"] for hit in near]))


def read_image(path: Path) -> Image:
    """A picture to look for, read as those of a source are; ConfigError for what is none."""
    try:
        return parse_image(str(path), path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; expected a picture to look for") from error
    except DocumentError as error:
        raise ConfigError(str(error)) from error


class Asking:
    """One query, put to the store as often as it takes; its vector is made once."""

    def __init__(
        self, session: Session, query: str | Image, asker: Asker | None, embed: Callable[[], Vector] | None = None
    ) -> None:
        """Nothing is asked yet; ConfigError where nobody says whose search it is, and documents have readers.

        `embed` gives the query's vector, where many are embedded together.
        """
        self.session = session
        self.query = query
        self._permitted = permitted(session.pipeline, asker)
        self._embed = embed or partial(query_vector, session.embedder, query)
        self._read: dict[PointId, float] = {}  # what the reranker says
        self._answers: dict[tuple[bool, int, tuple[Condition, ...]], list[Hit]] = {}

    @cached_property
    def _vector(self) -> Vector:
        return self._embed()

    def best(self, mode: SearchMode, conditions: Sequence[Condition], depth: int) -> tuple[list[Hit], bool]:
        """Best first, out of `depth` of each list, and whether these were all there are."""
        conditions = [*self._permitted, *conditions]
        weight = self.session.pipeline.search.dense_weight
        worded = self._asked(conditions, depth, by_words=True) if mode != "dense" else []
        if mode == "text":
            return worded, len(worded) < depth
        near = self._asked(conditions, depth, by_words=False)
        if mode == "dense":
            return near, len(near) < depth
        return fused(near, worded, weight_by_kind if weight is None else partial(same_weight, weight)), len(
            near
        ) < depth and len(worded) < depth

    def reranks(self, wanted: Wanted) -> Rerank | None:
        """Who is to sort the results anew; a picture is nothing to read. ConfigError where nobody is configured."""
        settings = self.session.pipeline.search.rerank
        if wanted.rerank and settings is None:
            raise ConfigError("--rerank: no model is named; expected `rerank: {model: …}` under `search`")
        return settings if wanted.rerank is not False and isinstance(self.query, str) else None

    def reranked(self, hits: Sequence[Hit], wanted: Wanted) -> list[Hit]:
        """The first of them sorted anew; those behind have not been read, and score nothing."""
        settings = self.reranks(wanted)
        if settings is None or not hits:
            return list(hits)
        first, rest = hits[: settings.top], hits[settings.top :]
        if unread := [hit for hit in first if hit.id not in self._read]:
            opened = open_reranker(settings, books_of(self.session.pipeline))  # pyright: ignore[reportArgumentType] - a frozen section has a hash
            scores = opened.scores(str(self.query), [readable(hit) for hit in unread])
            self._read |= {hit.id: score for hit, score in zip(unread, scores, strict=True)}
        scored = [replace(hit, score=self._read[hit.id]) for hit in first]
        return sorted(scored, key=lambda hit: -hit.score) + [replace(hit, score=0.0) for hit in rest]

    @property
    def finds_no_words(self) -> bool:
        """Whether it asked for words, and no record has any of them."""
        return any(by_words and not hits for (by_words, *_), hits in self._answers.items())

    def forget(self) -> None:
        """Let go of the answers, and keep the vector."""
        self._answers.clear()

    def _asked(self, conditions: Sequence[Condition], depth: int, *, by_words: bool) -> list[Hit]:
        key = by_words, depth, tuple(conditions)
        if key not in self._answers:
            vector, words = (_NO_VECTOR, str(self.query)) if by_words else (self._vector, "")
            hits = self.session.store.search(Query(vector, depth, conditions, words=words))
            self._answers[key] = list(map(_with_all_parts, hits))
        return self._answers[key]

    def with_neighbours(self, hit: Found, number: int) -> Found:
        """The hit with the texts of so many chunks before and after it."""
        place = hit.metadata.get("position")
        if not isinstance(place, int):
            return hit
        places = [at for at in range(place - number, place + number + 1) if at != place]
        same = [Filter(name, "in", (hit.metadata[name],)) for name in ("source", "document")]
        conditions = [*self._permitted, *same, Filter("position", "in", tuple(places))]
        asked = Query(self._vector, 2 * number, conditions)
        near = map(_with_all_parts, self.session.store.search(asked))
        texts = {one.payload["metadata"]["position"]: one.payload["text"] for one in near}
        before, after = (
            [texts[at] for at in sorted(texts) if (at < place) is is_before] for is_before in (True, False)
        )
        return replace(hit, before=before, after=after)


def _shown(asking: Asking, mode: SearchMode, wanted: Wanted) -> tuple[list[Hit], Mapping[PointId, Sequence[Hit]]]:
    """The results, and the copies of each by its id.

    Asks for more as long as folding leaves too few, and the store has some that are near enough.
    """
    end = wanted.offset + wanted.limit
    depth = max(DEPTH, end)
    while True:
        hits, is_all = asking.best(mode, wanted.conditions, depth)
        hits, copies = (hits, {}) if wanted.copies else folded(hits)
        hits = asking.reranked(hits, wanted)
        near = [hit for hit in hits if _is_near(hit, wanted)]
        first, rest = spread(near, wanted.per_document or USUAL_PER_DOCUMENT, _document)
        ordered = first if wanted.per_document else first + rest
        if len(ordered) >= end or is_all or len(near) < len(hits):
            return ordered[wanted.offset : end], copies
        depth *= 4


def _with_all_parts(hit: Hit) -> Hit:
    """The hit with what is read of each; a record that others have written or changed may lack any of it."""
    text, metadata, book = (hit.payload.get(part) for part in ("text", "metadata", "headrace"))
    if isinstance(text, str) and isinstance(metadata, dict) and isinstance(book, dict) and "document" in book:
        return hit
    parts = {
        "text": text if isinstance(text, str) else "",
        "metadata": metadata if isinstance(metadata, dict) else {},
        "headrace": {"document": hit.id},
    }
    return replace(hit, payload=hit.payload | parts)


def _document(hit: Hit) -> str:
    return str(hit.payload["headrace"]["document"])


def _is_near(hit: Hit, wanted: Wanted) -> bool:
    """The score as it is shown decides: what a user has read is found again by it."""
    return wanted.min_score is None or round(hit.score, DIGITS) >= wanted.min_score
