"""The contract suites catch what they are for: known mistakes of a provider, planted one at a time."""

import inspect
import uuid
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import tenacity

from tasks.embed.api.cohere import CohereProvider
from tasks.embed.api.dispatch.account import Terms
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.outcomes import Answer, MalformedError, OutageError, RateLimitedError, RefusedError
from tasks.embed.api.dispatch.transport import Side
from tasks.embed.api.embedder import PaidEmbedder
from tasks.embed.api.gemini import GeminiProvider
from tasks.embed.api.openai import OpenAIProvider
from tasks.embed.api.voyage import VoyageProvider
from tasks.errors import ConfigError, FencedError, HeadraceError, ServiceError
from tasks.records import EmbeddedBatch, VectorSpace
from tests.contracts import test_embedder as every
from tests.contracts import test_paid_embedder as paid
from tests.contracts.embedder_kinds import PAID, PaidKind, bench
from tests.contracts.toy_provider import TOY, ToyProvider, models

Promise = Callable[..., None]
Plant = Callable[[Any], Any]  # a provider's class -> the same with a mistake
PROMISES: list[Promise] = [
    promise
    for suite in (paid, every)
    for name, promise in vars(suite).items()
    if name.startswith("test_") and inspect.signature(promise).parameters
]


def is_kept(promise: Promise, kind: PaidKind, folder: Path) -> bool:
    """Whether it is, for each of its parameters."""
    marks = [mark for mark in getattr(promise, "pytestmark", []) if mark.name == "parametrize"]
    cases = [{mark.args[0]: value} for mark in marks for value in mark.args[1]] or [{}]
    return all(_is_kept(promise, kind, folder / str(number), case) for number, case in enumerate(cases))


def _is_kept(promise: Promise, kind: PaidKind, folder: Path, case: dict[str, Any]) -> bool:
    with bench(kind, folder) as made:
        subjects = {"paid": made, "kind": made, "embedder": made.open(), **case}
        try:
            promise(*(subjects[name] for name in inspect.signature(promise).parameters))
        except (Exception, pytest.fail.Exception):
            return False
        return True


# Mistakes that any provider can make


def untranslated(base: Any) -> Any:
    """The SDK's errors come out as they are."""

    class Mutant(base):
        def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
            return None

    return Mutant


def filled_up(base: Any) -> Any:
    """Vectors that are missing are made up."""

    class Mutant(base):
        def call(self, texts: list[str], side: Side, /) -> Answer:
            try:
                answer = super().call(texts, side)
            except MalformedError:
                return super().call(texts, side)
            return replace(answer, vectors=[*answer.vectors, *answer.vectors][: len(texts)])

    return Mutant


def backwards(base: Any) -> Any:
    """The order of the vectors is not that of the texts."""

    class Mutant(base):
        def call(self, texts: list[str], side: Side, /) -> Answer:
            answer = super().call(texts, side)
            return replace(answer, vectors=answer.vectors[::-1])

    return Mutant


def nothing_for_nan(base: Any) -> Any:
    """What is no vector becomes one."""

    class Mutant(base):
        def call(self, texts: list[str], side: Side, /) -> Answer:
            answer = super().call(texts, side)
            return replace(answer, vectors=[np.nan_to_num(vector, nan=1.0) for vector in answer.vectors])

    return Mutant


def not_billed(base: Any) -> Any:
    """What the provider says about the bill is not read."""

    class Mutant(base):
        def call(self, texts: list[str], side: Side, /) -> Answer:
            return replace(super().call(texts, side), billed_tokens=None)

    return Mutant


def free_of_charge(base: Any) -> Any:
    """Nothing is billed at all."""

    class Mutant(base):
        def call(self, texts: list[str], side: Side, /) -> Answer:
            return replace(super().call(texts, side), billed_tokens=0)

    return Mutant


def no_check(base: Any) -> Any:
    """A missing key is met by the first request."""

    class Mutant(base):
        @property
        def account(self) -> tuple[str, str]:
            return "", ""

    return Mutant


def a_key_before_it_is_needed(base: Any) -> Any:
    """Opening asks for the key, and a plan would need one."""

    class Mutant(base):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            _ = self.account

    return Mutant


def one_account_for_all_keys(base: Any) -> Any:
    class Mutant(base):
        @property
        def account(self) -> tuple[str, str]:
            return super().account[0], ""

    return Mutant


def one_account_for_all_servers(base: Any) -> Any:
    class Mutant(base):
        @property
        def account(self) -> tuple[str, str]:
            return "", super().account[1]

    return Mutant


def own_faults_are_the_providers(base: Any) -> Any:
    class Mutant(base):
        def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
            return super().translate(error, clock) or OutageError("something went wrong")

    return Mutant


def no_wish(base: Any) -> Any:
    """The server's wish is not read."""

    class Mutant(base):
        def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
            meaning = super().translate(error, clock)
            return RateLimitedError(str(meaning), None, {}) if isinstance(meaning, RateLimitedError) else meaning

    return Mutant


def taken_for(wrong: Callable[[str], HeadraceError], *statuses: int) -> Plant:
    """Errors of some statuses are taken for another kind."""

    def plant(base: Any) -> Any:
        class Mutant(base):
            def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
                meaning = super().translate(error, clock)
                is_wrong = getattr(error, "status", getattr(error, "status_code", None)) in statuses
                return wrong(str(meaning)) if is_wrong else meaning

        return Mutant

    plant.__name__ = f"{wrong.__name__} for {statuses[0]}"
    return plant


ANY: dict[Plant, Promise] = {
    untranslated: paid.test_an_outage_is_waited_for_here_and_nowhere_else,
    filled_up: paid.test_a_provider_that_cannot_count_stops_the_run,
    backwards: paid.test_no_request_has_more_texts_than_the_provider_takes,
    nothing_for_nan: paid.test_an_answer_that_does_not_fit_is_asked_for_once_more,
    not_billed: paid.test_what_the_provider_bills_is_what_the_books_and_the_batches_say,
    free_of_charge: paid.test_what_the_provider_bills_is_what_the_books_and_the_batches_say,
    no_check: paid.test_a_missing_key_names_what_to_set_before_anything_is_sent,
    a_key_before_it_is_needed: paid.test_a_missing_key_names_what_to_set_before_anything_is_sent,
    one_account_for_all_keys: paid.test_the_money_of_a_day_is_shared_by_all_with_one_key_and_server,
    one_account_for_all_servers: paid.test_the_money_of_a_day_is_shared_by_all_with_one_key_and_server,
    own_faults_are_the_providers: paid.test_a_fault_of_ours_is_not_taken_for_the_providers,
    no_wish: paid.test_a_rate_limit_waits_as_long_as_it_is_asked_to,
    taken_for(OutageError, 401): paid.test_a_refused_key_or_model_is_a_setting_to_change,
    taken_for(RefusedError, 404): paid.test_a_refused_key_or_model_is_a_setting_to_change,
    taken_for(RefusedError, 500): paid.test_an_outage_that_lasts_ends_the_run_for_good,
    taken_for(ServiceError, 503): paid.test_an_outage_is_waited_for_here_and_nowhere_else,
    taken_for(ServiceError, 400): paid.test_refused_texts_are_all_found_and_the_others_are_embedded_once,
    taken_for(ConfigError, 400): paid.test_refused_texts_are_all_found_and_the_others_are_embedded_once,
    taken_for(OutageError, 429): paid.test_a_rate_limit_waits_as_long_as_it_is_asked_to,
}


# Mistakes of the toy's own


class SwappedSides(ToyProvider):
    def call(self, texts: list[str], side: Side, /) -> Answer:
        return super().call(texts, "document" if side == "query" else "query")


class DocumentsAlone(ToyProvider):
    def call(self, texts: list[str], side: Side, /) -> Answer:
        return super().call(texts, "document")


class QueriesAlone(ToyProvider):
    def call(self, texts: list[str], side: Side, /) -> Answer:
        return super().call(texts, "query")


class TooManyTexts(ToyProvider):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.models = models(inputs=2048)


class TooManyTokens(ToyProvider):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.models = models(tokens=40_000)


class OwnRetries(ToyProvider):
    retries = 2


class ClosedForGood(ToyProvider):
    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()


class OneModel(ToyProvider):
    def __init__(self, config: Any) -> None:
        super().__init__(config.model_copy(update={"model": "toy-1"}))


class OneDimension(ToyProvider):
    def __init__(self, config: Any) -> None:
        super().__init__(config.model_copy(update={"dimensions": None}))


class Unscrubbed(ToyProvider):
    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        meaning = super().translate(error, clock)
        return type(meaning)(f"{meaning} {error}") if isinstance(meaning, RefusedError) else meaning


class NoMoneyIsALimit(ToyProvider):
    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        meaning = super().translate(error, clock)
        return RateLimitedError(str(meaning), 5.0, {}) if getattr(error, "status", 0) == 402 else meaning


class TooLargeIsRefused(ToyProvider):
    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        meaning = super().translate(error, clock)
        return RefusedError(str(meaning)) if getattr(error, "status", 0) == 413 else meaning


class AlwaysBilled(ToyProvider):
    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        meaning = super().translate(error, clock)
        return OutageError(str(meaning), may_be_billed=True) if isinstance(meaning, OutageError) else meaning


# Mistakes of whoever writes an embedder without PaidEmbedder, or changes it


class ModelLeftOut(PaidEmbedder):
    @property
    def space(self) -> VectorSpace:
        return replace(super().space, model="")


class DimensionLeftOut(PaidEmbedder):
    @property
    def space(self) -> VectorSpace:
        return replace(super().space, dimension=8)


class AnotherSpaceEachTime(PaidEmbedder):
    @cached_property
    def _number(self) -> str:
        return uuid.uuid4().hex

    @property
    def space(self) -> VectorSpace:
        return replace(super().space, revision=self._number)


class AddressInTheSpace(PaidEmbedder):
    @property
    def space(self) -> VectorSpace:
        return replace(super().space, revision=str(self._config.base_url))


class NoPrice(PaidEmbedder):
    def _terms(self) -> Terms:
        return replace(super()._terms(), usd_per_million_tokens=0.0)


class NoLimitOfARun(PaidEmbedder):
    def _terms(self) -> Terms:
        return replace(super()._terms(), max_usd=None)


class NoLimitOfADay(PaidEmbedder):
    def _terms(self) -> Terms:
        return replace(super()._terms(), max_usd_per_day=None)


class Misnamed(PaidEmbedder):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.model = "some model"


class _Other(PaidEmbedder):
    def other(self, texts: Sequence[str], tokens: Sequence[int]) -> Generator[EmbeddedBatch, None, None]:
        yield from super().embed(texts, tokens)


class LosesWhatIsPaid(_Other):
    """Ends where it is told to, with requests on their way."""

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        for batch in self.other(texts, tokens):  # noqa: UP028 - `yield from` would hand the error on
            yield batch


class GoesOn(_Other):
    """Does not hear that it was overtaken."""

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        error: FencedError | None = None
        for batch in self.other(texts, tokens):
            try:
                yield batch
            except FencedError as thrown:
                error = thrown
                yield EmbeddedBatch((), batch.vectors[:0])
        if error:
            raise error


class HandsOutTwice(_Other):
    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        for batch in self.other(texts, tokens):
            yield batch
            yield batch


class LosesTheLast(_Other):
    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        for batch in self.other(texts, tokens):
            if len(texts) - 1 in batch.rows and len(texts) > 90:
                batch = replace(batch, rows=batch.rows[:-1], vectors=batch.vectors[:-1])
            yield batch


TOYS: dict[type[ToyProvider], Promise] = {
    SwappedSides: paid.test_documents_and_queries_go_to_their_own_side,
    DocumentsAlone: paid.test_documents_and_queries_go_to_their_own_side,
    QueriesAlone: paid.test_documents_and_queries_go_to_their_own_side,
    TooManyTexts: paid.test_no_request_has_more_texts_than_the_provider_takes,
    TooManyTokens: paid.test_no_request_has_more_tokens_than_the_provider_takes,
    OwnRetries: paid.test_an_outage_is_waited_for_here_and_nowhere_else,
    ClosedForGood: every.test_what_was_closed_may_be_used_again,
    OneModel: paid.test_the_model_and_the_dimension_of_the_settings_are_asked_for,
    OneDimension: paid.test_the_model_and_the_dimension_of_the_settings_are_asked_for,
    Unscrubbed: paid.test_a_refusal_quotes_neither_the_document_nor_the_key,
    NoMoneyIsALimit: paid.test_an_account_without_money_stops_at_once,
    TooLargeIsRefused: paid.test_a_request_that_is_too_large_is_halved,
    AlwaysBilled: paid.test_a_server_that_was_never_reached_ends_the_run_soon_and_costs_nothing,
}
EMBEDDERS: dict[type[PaidEmbedder], Promise] = {
    ModelLeftOut: every.test_another_model_or_dimension_is_another_space,
    DimensionLeftOut: every.test_another_model_or_dimension_is_another_space,
    AnotherSpaceEachTime: every.test_a_space_is_the_same_each_time_and_under_settings_that_change_no_vector,
    AddressInTheSpace: every.test_a_space_is_the_same_each_time_and_under_settings_that_change_no_vector,
    NoPrice: paid.test_what_the_provider_bills_is_what_the_books_and_the_batches_say,
    NoLimitOfARun: paid.test_the_money_limit_of_a_run_is_never_passed_by_documents_and_queries_together,
    NoLimitOfADay: paid.test_the_money_of_a_day_is_shared_by_all_with_one_key_and_server,
    Misnamed: every.test_an_embedder_says_its_model_as_the_settings_do_and_what_it_costs,
    LosesWhatIsPaid: paid.test_a_run_that_was_overtaken_gets_all_that_is_paid_and_sends_nothing_more,
    GoesOn: paid.test_a_run_that_was_overtaken_gets_all_that_is_paid_and_sends_nothing_more,
    HandsOutTwice: every.test_each_text_gets_one_vector_of_unit_length,
    LosesTheLast: every.test_more_texts_than_go_together_come_each_in_its_place,
}


class OwnRetriesOfOpenAI(OpenAIProvider):
    @cached_property
    def _client(self) -> Any:
        return super()._client.with_options(max_retries=2)


def other_side(base: Any) -> Any:
    """Documents are sent as queries, and queries as documents."""

    class Mutant(base):
        def call(self, texts: list[str], side: Side, /) -> Answer:
            return super().call(texts, "document" if side == "query" else "query")

    return Mutant


def one_model_for_both(base: Any) -> Any:
    """The model of queries is not read."""

    class Mutant(base):
        def __init__(self, config: Any) -> None:
            super().__init__(config.model_copy(update={"query_model": None}))

    return Mutant


class QueriesAtTheDocumentsPrice(PaidEmbedder):
    def _terms(self) -> Terms:
        return replace(super()._terms(), query_usd_per_million_tokens=None)


class OwnRetriesOfCohere(CohereProvider):
    @cached_property
    def _client(self) -> Any:
        import cohere
        from cohere.core import http_client

        http_client.MAX_RETRY_DELAY_SECONDS = 0.01  # it sleeps in earnest
        address, key = self.account
        return cohere.ClientV2(key, base_url=address, max_retries=2, httpx_client=self._connections.client)


class OwnRetriesOfGemini(GeminiProvider):
    @cached_property
    def _client(self) -> Any:
        client = super()._client
        client._api_client._retry = tenacity.Retrying(stop=tenacity.stop_after_attempt(3), reraise=True)
        return client


class OneContentForAll(GeminiProvider):
    """What a plain list of texts is for the newer models."""

    def call(self, texts: list[str], side: Side, /) -> Answer:
        return super().call([" ".join(texts)], side)


class DocumentsOfVoyage(VoyageProvider):
    """No input type, as the SDK has it unless it is told."""

    def call(self, texts: list[str], side: Side, /) -> Answer:
        return super().call(texts, cast(Side, None))


def mutants_of(name: str) -> list[tuple[str, PaidKind, Promise]]:
    """What each provider of two sides could get wrong."""
    kind = PAID[name]
    plants = {other_side: paid.test_documents_and_queries_go_to_their_own_side, backwards: ANY[backwards]}
    if kind.relative:
        plants[one_model_for_both] = paid.test_queries_may_be_embedded_by_a_relative_at_its_own_price
    return [
        (f"{name}: {plant.__name__}", replace(kind, provider=plant(kind.provider)), promise)
        for plant, promise in plants.items()
    ]


OPENAI = PAID["openai"]
MUTANTS: list[tuple[str, PaidKind, Promise]] = [
    *((f"toy: {plant.__name__}", replace(TOY, provider=plant(ToyProvider)), ANY[plant]) for plant in ANY),
    *((f"toy: {mutant.__name__}", replace(TOY, provider=mutant), TOYS[mutant]) for mutant in TOYS),
    *((f"toy: {mutant.__name__}", replace(TOY, embedder=mutant), EMBEDDERS[mutant]) for mutant in EMBEDDERS),
    *((f"openai: {plant.__name__}", replace(OPENAI, provider=plant(OpenAIProvider)), ANY[plant]) for plant in ANY),
    ("openai: OwnRetries", replace(OPENAI, provider=OwnRetriesOfOpenAI), TOYS[OwnRetries]),
    *(mutant for name in ("cohere", "voyage", "gemini") for mutant in mutants_of(name)),
    ("cohere: OwnRetries", replace(PAID["cohere"], provider=OwnRetriesOfCohere), TOYS[OwnRetries]),
    ("gemini: OwnRetries", replace(PAID["gemini"], provider=OwnRetriesOfGemini), TOYS[OwnRetries]),
    (
        "gemini: OneContentForAll",
        replace(PAID["gemini"], provider=OneContentForAll),
        paid.test_no_request_has_more_texts_than_the_provider_takes,
    ),
    (
        "voyage: DocumentsOfVoyage",
        replace(PAID["voyage"], provider=DocumentsOfVoyage),
        paid.test_documents_and_queries_go_to_their_own_side,
    ),
    (
        "cohere: QueriesAtTheDocumentsPrice",
        replace(PAID["cohere"], embedder=QueriesAtTheDocumentsPrice),
        paid.test_queries_may_be_embedded_by_a_relative_at_its_own_price,
    ),
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__.removeprefix("test_"))
def test_a_small_provider_without_a_mistake_keeps_every_promise(promise: Promise, tmp_path: Path) -> None:
    assert is_kept(promise, TOY, tmp_path)


@pytest.mark.parametrize(("mutant", "promise"), [pytest.param(*rest, id=name) for name, *rest in MUTANTS])
def test_a_mistake_breaks_the_promise_that_it_is_against(mutant: PaidKind, promise: Promise, tmp_path: Path) -> None:
    assert not is_kept(promise, mutant, tmp_path)
