"""The queries that a command is asked to measure with."""

from argparse import Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.pipeline import Pipeline, Writer
    from tasks.evaluate.golden import Bootstrap
    from tasks.evaluate.judgments import Judgments
    from tasks.load.base import Source
    from tasks.session import Session


class Judge:
    """Those of `--queries` and `--qrels`, or of `quality:` in the configuration, or what `--bootstrap` makes."""

    def __init__(self, pipeline: "Pipeline", options: Namespace) -> None:
        """ConfigError where it is not said which queries, or in two ways."""
        from tasks.console.charts import check_chart
        from tasks.errors import ConfigError

        check_chart(options.chart)
        if options.writer is not None and not options.bootstrap:
            raise ConfigError("--writer writes the queries of --bootstrap; say that beside it")
        given, quality = (options.queries, options.qrels), pipeline.quality
        if options.bootstrap and any((*given, options.spans)):
            raise ConfigError("--bootstrap makes the queries, so --queries, --qrels and --spans do not go with it")
        if not options.bootstrap and not any((*given, options.spans)) and quality:
            options.queries, options.qrels, options.spans = quality.queries, quality.qrels, quality.spans
        elif not options.bootstrap and not all(given):
            raise ConfigError(
                "which queries? Expected --queries FILE with --qrels FILE, `quality` in the configuration, or"
                " --bootstrap, which makes some of the documents themselves"
            )
        self._options = options
        self._spent_usd = 0.0
        self.made: Bootstrap | None = self._made(pipeline, options.bootstrap) if options.bootstrap else None

    def __call__(self, session: "Session") -> "Judgments":
        """Those for the documents of this index."""
        from tasks.evaluate.judgments import read_judgments

        if self.made:
            return self.made.judgments
        options = self._options
        return read_judgments(options.queries, options.qrels, options.spans, session.ledger.documents())

    def left(self, max_usd: float | None) -> float | None:
        """What the queries have left of the command's money."""
        return None if max_usd is None else max(0.0, max_usd - self._spent_usd)

    def sources(self, sources: "Mapping[str, Source]") -> "Mapping[str, Source]":
        """The documents to be asked for."""
        return self.made.without_queries(sources) if self.made else sources

    def _made(self, pipeline: "Pipeline", most: int) -> "Bootstrap":
        from tasks.embed.open import books_of
        from tasks.evaluate.golden import bootstrapped
        from tasks.load.open import open_source

        sources = [open_source(source) for source in pipeline.sources]
        if self._options.writer is None:
            return bootstrapped(sources, most)
        from tasks.evaluate.writer import Questions

        questions = Questions(_writer(pipeline, self._options), books_of(pipeline))
        made = questions.about(sources, most)
        self._spent_usd = questions.spent_usd
        return made


def _writer(pipeline: "Pipeline", options: Namespace) -> "Writer":
    """The one of the configuration, with the model and the money of the command."""
    from pydantic import ValidationError

    from config.pipeline import Writer
    from tasks.errors import ConfigError

    own = pipeline.writer.model_dump(exclude_unset=True) if pipeline.writer else {}
    own |= {"model": options.writer} if options.writer else {}
    own |= {"max_usd": options.max_usd} if options.max_usd is not None else {}
    try:
        return Writer.model_validate(own)
    except ValidationError as error:
        said = error.errors()[0]
        remedy = "no model is named that writes; expected --writer MODEL, or `writer: {model: …}` in the configuration"
        raise ConfigError(remedy if said["type"] == "missing" else f"writer: {said['msg']}") from error
