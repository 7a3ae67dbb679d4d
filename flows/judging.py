"""The queries that a command is asked to measure with."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.pipeline import Pipeline
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
        self.made: Bootstrap | None = _made(pipeline, options.bootstrap) if options.bootstrap else None

    def __call__(self, session: "Session") -> "Judgments":
        """Those for the documents of this index."""
        from tasks.evaluate.judgments import read_judgments

        if self.made:
            return self.made.judgments
        options = self._options
        spans = Path(options.spans) if options.spans else None
        return read_judgments(Path(options.queries), Path(options.qrels), spans, session.ledger.documents())

    def sources(self, sources: "Mapping[str, Source]") -> "Mapping[str, Source]":
        """The documents to be asked for."""
        return self.made.without_queries(sources) if self.made else sources


def _made(pipeline: "Pipeline", most: int) -> "Bootstrap":
    from tasks.evaluate.golden import bootstrapped
    from tasks.load.open import open_source

    return bootstrapped([open_source(source) for source in pipeline.sources], most)
