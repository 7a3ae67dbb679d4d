"""Late chunking: a chunk's vector is made inside its document."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.pipeline import Chunking
from tasks.chunk.open import open_chunker
from tasks.embed.base import Late
from tasks.embed.local.late import windows
from tasks.embed.local.runtime.base import Features, Spans
from tasks.embed.local.runtime.torch_runtime import TorchRuntime
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder
from tasks.errors import ConfigError, ServiceError
from tasks.passages import Context, Passage
from tasks.records import Chunk, Document, DocumentId, DocumentRef, Vectors
from tests.tasks.embed.local.families import FAMILIES, TEXTS, build
from tests.tasks.embed.local.local_model import local

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
NAMES = ("BERT, mean", "XLM-R", "NomicBERT", "Gemma3")
SHORT = "\n\n".join(TEXTS[:4])
Folder = Callable[[str], Path]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return cache(lambda name: build(FAMILIES[name], tmp_path_factory.mktemp("late")))


def chunks_of(embedder: SentenceTransformersEmbedder, *texts: str, tokens: int = 40) -> list[list[Chunk]]:
    chunking = Chunking(max_tokens=tokens, late=True)
    chunker = open_chunker(chunking, embedder.tokenizer, embedder.late.count)
    refs = [DocumentRef(DocumentId(f"s:{number}"), "s", str(number)) for number in range(len(texts))]
    return chunker.split([Document(ref, text) for ref, text in zip(refs, texts, strict=True)])


def paragraphs(text: str) -> list[Chunk]:
    context, chunks = Context.of(text), list[Chunk]()
    for part in text.split("\n\n"):
        start = text.index(part)
        chunks.append(Chunk(part, 1, start, passage=Passage(context, start, start + len(part))))
    return chunks


def passages_of(chunks: Sequence[Chunk]) -> list[Passage]:
    return [chunk.passage for chunk in chunks if chunk.passage]


def vectors_of(late: Late, passages: Sequence[Passage]) -> Vectors:
    batches = list(late.embed(passages))
    rows = [row for batch in batches for row in batch.rows]
    assert sorted(rows) == list(range(len(passages)))
    vectors: Vectors = np.concatenate([batch.vectors for batch in batches])
    return vectors[np.argsort(rows)]


def plainly(folder: Path, prefix: str, text: str, chunks: Sequence[Chunk]) -> Vectors:
    """The whole text through the model once; the mean over each chunk's tokens, and what follows the mean."""
    import torch
    from sentence_transformers import SentenceTransformer

    model: Any = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    inputs = model.tokenizer(prefix + text, return_tensors="pt", return_offsets_mapping=True)
    offsets = inputs.pop("offset_mapping")[0].tolist()
    found: list[Any] = []
    with torch.inference_mode():
        hidden = model[0].auto_model(**inputs).last_hidden_state[0]
        for chunk in chunks:
            low, high = len(prefix) + chunk.start, len(prefix) + chunk.start + len(chunk.text)
            own = [place for place, (start, end) in enumerate(offsets) if end > low and start < high and end > start]
            answer = {"sentence_embedding": hidden[own].mean(0)[None]}
            for module in list(model)[2:]:
                answer = module(answer)
            found.append(torch.nn.functional.normalize(answer["sentence_embedding"], dim=1)[0].numpy())
    return np.stack(found)


def in_best_window(folder: Path, text: str, chunk: Chunk) -> Any:
    """Of all windows the one with most on the chunk's poorer side; the mean over the chunk's tokens there."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    body = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, end = body["input_ids"], chunk.start + len(chunk.text)
    own = [at for at, (low, high) in enumerate(body["offset_mapping"]) if high > chunk.start and low < end]
    parts = windows(len(ids), 254)
    sides = [
        min(own[0] - low if low else len(ids), high - own[-1] if high < len(ids) else len(ids)) for low, high in parts
    ]
    low, high = parts[sides.index(max(sides))]
    inputs = torch.tensor([[tokenizer.cls_token_id, *ids[low:high], tokenizer.sep_token_id]])
    with torch.inference_mode():
        hidden = AutoModel.from_pretrained(folder)(inputs).last_hidden_state[0]
    mean = hidden[own[0] - low + 1 : own[-1] - low + 2].mean(0)
    return torch.nn.functional.normalize(mean, dim=0).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_the_means_over_the_chunks_tokens_in_the_whole_document(name: str, folder: Folder) -> None:
    embedder = local(model=str(folder(name)), runtime="torch")
    chunks = paragraphs(SHORT)
    prefix = embedder.space.document_prefix
    ours, theirs = vectors_of(embedder.late, passages_of(chunks)), plainly(folder(name), prefix, SHORT, chunks)
    assert np.einsum("ij,ij->i", ours, theirs).min() > 0.99999
    other = passages_of(paragraphs(f"Another beginning.\n\n{SHORT}")[1:])
    assert np.einsum("ij,ij->i", vectors_of(embedder.late, other), ours).min() < 0.99999


def test_a_document_beyond_the_models_length_goes_through_it_in_windows(folder: Folder) -> None:
    embedder = local(model=str(folder("BERT, mean")), runtime="torch", batch_tokens=600)
    text = "\n\n".join(f"{number}. {TEXTS[number % 4]}" for number in range(40))
    [chunks] = chunks_of(embedder, text)
    passages = passages_of(chunks)
    whole = vectors_of(embedder.late, passages)
    sent = embedder.late.count([text])[0]
    assert 256 * 3 < embedder.tokenizer.count([text])[0] < sent < 1.5 * embedder.tokenizer.count([text])[0]
    assert sum(chunk.tokens for chunk in chunks) == sent
    some = slice(3, None, 7)
    np.testing.assert_allclose(vectors_of(embedder.late, passages[some]), whole[some], atol=1e-5)
    for place in (0, len(chunks) // 3, len(chunks) // 2, len(chunks) - 1):
        np.testing.assert_allclose(whole[place], in_best_window(folder("BERT, mean"), text, chunks[place]), atol=1e-5)


@given(st.integers(0, 3000), st.integers(8, 300), st.data())
def test_each_window_fits_and_each_chunk_is_whole_in_one(length: int, room: int, data: st.DataObject) -> None:
    parts = windows(length, room)
    assert parts[0][0] == 0
    assert parts[-1][1] == length
    assert all(0 <= end - start <= room for start, end in parts)
    assert sum(end - start for start, end in parts) <= max(length * 1.5 + room, length)
    size = data.draw(st.integers(0, min(length, room // 4)))
    start = data.draw(st.integers(0, length - size))
    assert any(low <= start and start + size <= high for low, high in parts)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("BERT, two poolings", {}, "expected the mean over all tokens"),
        ("static", {}, "expected the mean over all tokens"),
        ("BERT, mean", {"precision": "int8"}, "set both to auto"),
    ],
)
def test_what_cannot_embed_inside_a_document_says_why(
    name: str, settings: dict[str, object], words: str, folder: Folder
) -> None:
    with pytest.raises(ConfigError, match=words):
        _ = local(model=str(folder(name)), **settings).late


def test_a_model_that_reads_hardly_more_than_a_chunk_is_refused(folder: Folder) -> None:
    with pytest.raises(ConfigError, match=r"set chunking.max_tokens to 64 or less"):
        chunks_of(local(model=str(folder("BERT, mean"))), SHORT, tokens=100)


def test_a_window_that_never_fits_is_an_error_not_a_loop(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = local(model=str(folder("BERT, mean")), runtime="torch")
    [passages] = map(passages_of, chunks_of(embedder, SHORT))
    sizes: list[int] = []

    def full(_: TorchRuntime, features: Features, spans: Spans) -> Vectors:
        sizes.append(len(features["input_ids"]))
        raise MemoryError

    monkeypatch.setattr(TorchRuntime, "forward", full)
    with pytest.raises(ServiceError, match=r"too little memory for up to \d+ tokens of a document"):
        vectors_of(embedder.late, passages)
    assert sizes == [1]


@pytest.mark.model
def test_a_pronoun_knows_whom_it_means() -> None:
    embedder = local(runtime="torch")
    same = "It was founded by two brothers, and its dishes come from their grandmother's village."
    texts = [
        f"{name} is {what}. Everybody in town knows {name}.\n\n{same}"
        for name, what in (("The Blue Door", "a restaurant by the harbour"), ("Tonello", "a bakery by the station"))
    ]
    documents = chunks_of(embedder, *texts, tokens=30)
    assert [chunks[-1].text for chunks in documents] == [same, same]
    vectors = vectors_of(embedder.late, [passage for chunks in documents for passage in passages_of(chunks[-1:])])
    for number, name in enumerate(("The Blue Door", "Tonello")):
        scores = vectors @ embedder.embed_query(f"Who founded {name}?")
        assert scores.argmax() == number
        assert abs(float(scores[0] - scores[1])) > 0.05
