"""Chunks that a provider embeds inside their documents, through the endpoint that Voyage has for them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tasks.embed.api.embedder import PaidEmbedder
from tasks.embed.base import Late
from tasks.errors import BudgetError, ConfigError, FencedError
from tasks.passages import Context, Passage
from tests.contracts.embedder_kinds import PAID, Bench, bench
from tests.provider_server import Fault, vector_of
from tests.voyage_server import chunk_vectors

ONE = ("Alpha opens the gate.", "It is heavy.", "Nobody else may touch it.")
OTHER = ("Beta costs two crowns.", "It is blue.")
SINGLE = ("It is heavy.",)
SIZE = 256


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Bench]:
    with bench(PAID["voyage context"], tmp_path) as made:
        yield made


def passages(*chunks: str) -> list[Passage]:
    text = " ".join(chunks)
    starts = [len(" ".join((*chunks[:place], ""))) for place in range(len(chunks))]
    spans = tuple((start, start + len(chunk)) for start, chunk in zip(starts, chunks, strict=True))
    return [Passage(Context.of(text, spans), *span) for span in spans]


def vectors_of(embedder: PaidEmbedder, asked: Sequence[Passage]) -> tuple[dict[int, np.ndarray], dict[int, str]]:
    assert embedder.late
    found: dict[int, np.ndarray] = {}
    rejected: dict[int, str] = {}
    for batch in embedder.late.embed(asked):
        assert not found.keys() & set(batch.rows), "each row once"
        found.update(zip(batch.rows, batch.vectors, strict=True))
        rejected.update(batch.rejected)
    return found, rejected


def expected(*chunks: str) -> list[np.ndarray]:
    return chunk_vectors(chunks, vector_of("\0".join(chunks), SIZE, "document"), "document")


def test_the_chunks_of_a_document_go_together_in_their_order_and_each_gets_its_own_vector(paid: Bench) -> None:
    asked = [*passages(*ONE), *passages(*OTHER), *passages(*SINGLE)]
    mixed = [asked[place] for place in (4, 0, 5, 2, 3, 1)]
    found, rejected = vectors_of(paid.open(), mixed)
    assert not rejected
    [body] = paid.server.bodies
    assert sorted(body["inputs"]) == sorted([[*ONE], [*OTHER], [*SINGLE]])
    assert (body["input_type"], body["output_dimension"], body["model"]) == ("document", SIZE, "voyage-context-4")
    right = [*expected(*ONE), *expected(*OTHER), *expected(*SINGLE)]
    for row, place in enumerate((4, 0, 5, 2, 3, 1)):
        np.testing.assert_allclose(found[row], right[place], atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(found[row]), 1.0, atol=1e-6)
    assert float(found[5] @ found[2]) < 0.99, "the same text, in its document and alone"


def test_whichever_chunks_are_asked_for_the_whole_document_is_sent(paid: Bench) -> None:
    embedder = paid.open()
    found, _ = vectors_of(embedder, passages(*ONE)[1:2])
    assert paid.server.bodies[0]["inputs"] == [[*ONE]]
    np.testing.assert_allclose(found[0], expected(*ONE)[1], atol=1e-6)


def test_a_query_is_a_list_of_one(paid: Bench) -> None:
    query = paid.open().embed_query("who")
    [body] = paid.server.bodies
    assert (body["inputs"], body["input_type"]) == ([["who"]], "query")
    np.testing.assert_allclose(query, vector_of("who", SIZE, "query"), atol=1e-6)


def test_another_cut_elsewhere_in_the_document_is_another_context() -> None:
    text = "One. Two. Three."
    whole, cut = Context.of(text, ((0, 4), (5, 16))), Context.of(text, ((0, 4), (5, 9), (10, 16)))
    assert Passage(whole, 0, 4).mark != Passage(cut, 0, 4).mark
    assert Context.of(text).digest not in (whole.digest, cut.digest)


def test_documents_are_put_together_up_to_the_limit_and_a_longer_one_goes_in_parts(paid: Bench) -> None:
    embedder = paid.open()
    most = 32_000 / 1.5
    long = [f"{number} " + "word " * 1000 for number in range(50)]
    found, _ = vectors_of(embedder, [*passages(*long), *passages(*ONE)])
    assert len(found) == 53
    sent = [chunks for body in paid.server.bodies for chunks in body["inputs"]]
    assert sorted(chunk for chunks in sent for chunk in chunks) == sorted([*long, *ONE])
    assert [*ONE] in sent
    for body in paid.server.bodies:
        counts = embedder.tokenizer.count([chunk for chunks in body["inputs"] for chunk in chunks])
        assert sum(counts) <= most
    again, _ = vectors_of(embedder, passages(*long)[40:41])
    np.testing.assert_allclose(again[0], found[40], atol=1e-6)


@pytest.mark.parametrize("bend", ["nan", "zero"])
def test_one_chunk_without_a_vector_rejects_its_document_and_no_other(paid: Bench, bend: str) -> None:
    paid.server.senseless.add("\0".join(ONE))
    found, rejected = vectors_of(paid.open(), [*passages(*ONE), *passages(*OTHER)])
    assert (sorted(found), sorted(rejected)) == ([3, 4], [0, 1, 2])
    paid.server.senseless.clear()
    paid.server.faults.append(Fault(bend=bend))
    found, rejected = vectors_of(paid.open(), [*passages(*ONE), *passages(*OTHER)])
    assert (len(found), rejected) == (5, {}), "a second answer is better"


def test_a_document_that_is_refused_is_found_and_the_others_are_embedded(paid: Bench) -> None:
    embedder = paid.open()
    vectors_of(embedder, passages("first"))
    paid.server.refused.add("\0".join(ONE))
    others = [passages(f"{number} and", "more of it") for number in range(9)]
    asked = [one for document in (*others[:4], passages(*ONE), *others[4:]) for one in document]
    found, rejected = vectors_of(embedder, asked)
    assert sorted(rejected) == [8, 9, 10]
    assert len(found) == 18


def test_answers_that_do_not_fit_are_asked_for_again_and_another_dimension_is_told(paid: Bench) -> None:
    for bend in ("short", "reorder"):
        paid.server.faults.append(Fault(bend=bend))
        found, _ = vectors_of(paid.open(), [*passages(*ONE), *passages(*OTHER)])
        np.testing.assert_allclose(found[1], expected(*ONE)[1], atol=1e-6)
    paid.server.faults.append(Fault(bend="dimension"))
    with pytest.raises(ConfigError, match="257 dimensions, expected 256"):
        vectors_of(paid.open(), passages(*ONE))


def test_what_a_document_costs_is_booked_and_bounded(paid: Bench) -> None:
    embedder = paid.open()
    asked = [*passages(*ONE), *passages(*OTHER)]
    assert embedder.late
    batches = list(embedder.late.embed(asked))
    billed = paid.server.billed_tokens
    assert sum(batch.billed_tokens for batch in batches) == billed
    assert embedder.spent_usd == pytest.approx(billed * 0.12 / 1e6)
    paid.server.forget()
    with pytest.raises(BudgetError):
        vectors_of(paid.open(max_usd=1e-9), asked)
    assert paid.server.requests == []


def test_an_overtaken_run_sends_no_more_documents(paid: Bench) -> None:
    embedder = paid.open(concurrency=1, batch_texts=1)
    assert embedder.late
    batches = embedder.late.embed([one for number in range(9) for one in passages(f"text {number}", "more")])
    rows = [*next(batches).rows]
    with pytest.raises(FencedError, match="overtaken"):  # noqa: PT012 - what was paid for comes first
        rows += batches.throw(FencedError("overtaken")).rows
        for batch in batches:
            rows += batch.rows
    assert len(rows) == 2 * len(paid.server.requests) < 18


def test_only_models_for_chunks_in_context_have_that_way(paid: Bench) -> None:
    late: Late | None = paid.open().late
    assert late
    assert late.count is None
    assert paid.open(model="voyage-4").late is None
