"""Questions that a chat model writes: of each passage one that a reader may have, and that the passage answers.

They are nobody's own questions either, so what is measured with them is called synthetic as well. Nothing of them
stands in the documents, so the live index can be asked.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Any

from config.pipeline import Writer
from tasks.embed.api.dispatch.account import Terms
from tasks.embed.api.posts import Posts
from tasks.embed.api.sdk import Sender, count_of
from tasks.errors import ConfigError, HeadraceError, ServiceError
from tasks.evaluate.golden import LEAST_WORDS, LONGEST_QUERY, Bootstrap, Golden, read_documents, split_place
from tasks.evaluate.judgments import Span
from tasks.load.base import Source
from tasks.records import Document, DocumentId

LEAST, MOST = 200, 1_500  # characters of a passage
MOST_TOKENS = 300  # of an answer
_ASKED = (
    "Write one question that somebody might type into a search box who has not seen the text below, in the language of"
    " the text, and that the text answers. Do not mention the text, and use other words than it where you can. Answer"
    " with the question alone."
)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")


class Questions:
    """What the model wrote; `spent_usd` is what it cost."""

    def __init__(self, writer: Writer, budget: str) -> None:
        """`budget` is the database in which money is counted; ConfigError where there is no key for OpenAI itself."""
        key = writer.api_key.get_secret_value() if writer.api_key else os.environ.get("OPENAI_API_KEY", "")
        if not key and "base_url" not in writer.model_fields_set:
            raise ConfigError(
                "the writer asks OpenAI, and there is no key; export OPENAI_API_KEY=…, or name another server under"
                " `writer`: base_url: http://localhost:11434/v1"
            )
        price = writer.usd_per_million_tokens or 0.0
        own = writer.usd_per_million_output_tokens
        self._dearer = own / price if own and price else 1.0  # a token that is written, in tokens that are read
        self._writer = writer
        terms = Terms(max_usd=writer.max_usd, max_usd_per_day=writer.max_usd_per_day, usd_per_million_tokens=price)
        sender = Sender("the writer", key, "OPENAI_API_KEY", "writer")
        url = f"{writer.base_url.rstrip('/')}/chat/completions"
        self._posts: Posts[str] = Posts(sender, url, self._read, budget, terms)

    @property
    def spent_usd(self) -> float:
        """What all questions cost."""
        return self._posts.spent_usd

    def about(self, sources: Iterable[Source], most: int) -> Bootstrap:
        """So many, spread over the documents, or as many as there is money for; an error where there are none."""
        chosen = list(islice(_spread(sources), most))
        if not chosen:
            raise ConfigError(f"no document has a passage of {LEAST} characters or more, so nothing can be asked about")
        bodies = [self._body(document.text[start:end]) for document, start, end in chosen]
        tokens = [(end - start) // 3 + len(_ASKED) // 3 + round(MOST_TOKENS * self._dearer) for _, start, end in chosen]
        written = self._posts.answers(bodies, tokens)
        pairs = [
            _golden(place, answer)
            for place, answer in zip(chosen, written, strict=True)
            if isinstance(answer, str) and len(answer.split()) >= LEAST_WORDS
        ]
        if not pairs:
            why = next((answer for answer in written if isinstance(answer, HeadraceError)), None)
            kind = type(why) if why else ServiceError
            raise kind(f"the writer was to write {len(chosen)} questions, and none came: {why or 'no words'}")
        return Bootstrap(pairs)

    def _body(self, text: str) -> dict[str, Any]:
        said = [{"role": "user", "content": f"{_ASKED}\n\n{text}"}]
        own = {"max_completion_tokens": MOST_TOKENS, **self._writer.extra_body}
        return {**own, "model": self._writer.model, "messages": said}

    def _read(self, _body: Mapping[str, Any], answer: Any) -> tuple[str, int | None]:
        text = str(answer["choices"][0]["message"]["content"] or "").rpartition("</think>")[2]
        lines = [line.strip(" \t\"'“”*") for line in text.splitlines()]
        question = next(filter(None, lines), "")[:LONGEST_QUERY]
        used = answer.get("usage") or {}
        read, written = count_of(used.get("prompt_tokens")), count_of(used.get("completion_tokens"))
        billed = None if read is None or written is None else read + round(written * self._dearer)
        return question, billed


def passages(text: str) -> Iterator[tuple[int, int]]:
    """Beginning and end of paragraphs that stand together, as far as there is room; long ones are cut."""
    start = end = 0
    for at in [*(found.start() for found in _PARAGRAPHS.finditer(text)), len(text)]:
        if at - start > MOST and end - start >= LEAST:
            yield start, end
            start = end
        while at - start > MOST:
            yield start, start + MOST
            start += MOST
        end = at
    if end - start >= LEAST:
        yield start, end


def _spread(sources: Iterable[Source]) -> Iterator[tuple[Document, int, int]]:
    """Of each document one passage, then of each a second one; both in an order that hides none."""
    documents = sorted(
        (document for document in read_documents(sources) if document.text.strip()),
        key=lambda document: split_place(document.ref.id),
    )
    for row in zip_longest(*(_ordered(document) for document in documents)):
        yield from filter(None, row)


def _ordered(document: Document) -> Sequence[tuple[Document, int, int]]:
    places = ((document, start, end) for start, end in passages(document.text))
    return sorted(places, key=lambda place: split_place(DocumentId(f"{document.ref.id}:{place[1]}")))


def _golden(place: tuple[Document, int, int], question: str) -> Golden:
    document, start, end = place
    before, own = document.extent.offset, document.ref.id
    return Golden("written question", question, own, Span(own, start + before, end + before), Span(own, start, start))
