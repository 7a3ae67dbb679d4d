"""The weights of a model's folder, loaded by sentence-transformers, and checked to be what they are taken for."""

import logging
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.embed.local.runtime.probes import self_test_texts
from tasks.embed.tokens.tokenizers import ModelTokenizer
from tasks.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PADDED, FLASH = "padded", "flash_attention_2"  # padded: in whatever way the library thinks best for the architecture
MISSING = re.compile(r"\|\s*(\x1b\[\d+m)?MISSING")


def load_model(folder: Path, device: str, precision: str, attention: str = PADDED) -> "SentenceTransformer":
    """The weights, ready for use; only safetensors, and no code from the model's folder."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as library

    library.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers has no types here
    chosen = {"attn_implementation": FLASH} if attention == FLASH else {}
    with _load_report() as report:
        model = SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": getattr(torch, precision), **chosen},
        )
    _refuse_strange(model, folder, report)
    return model.eval()


class _Messages(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def _load_report() -> Generator[list[str], None, None]:
    """What transformers reports of the weights that it loads: it tells it nowhere else."""
    logger, messages = logging.getLogger("transformers"), _Messages()
    level = logger.level
    logger.addHandler(messages)
    logger.setLevel(min(level, logging.WARNING) or logging.WARNING)
    try:
        yield messages.texts
    finally:
        logger.setLevel(level)
        logger.removeHandler(messages)


def _refuse_strange(model: "SentenceTransformer", folder: Path, report: Sequence[str]) -> None:
    """Raise ConfigError for weights that are not this architecture's, and for a tokenizer that would cut otherwise.

    What the file does not hold, the library fills with random numbers. The pooler is not used here, so may be missing.
    """
    if is_static(model):
        return
    missing = [
        line.partition(" | ")[0].strip() for text in report for line in text.splitlines() if MISSING.search(line)
    ]
    missing = [name for name in missing if "pooler" not in name]
    if missing:
        raise ConfigError(
            f"the weights in {folder} are not those of {type(model[0].model).__name__}: {', '.join(missing[:3])} and"
            f" {max(0, len(missing) - 3)} others are missing, expected all; most likely the model is made for code of"
            " its own, which Headrace never runs: choose another one"
        )
    texts, tokenizer = list(self_test_texts()), model.tokenizer
    own = ModelTokenizer(Path(tokenizer.name_or_path), "", 0).loaded.encode_batch_fast(texts)
    theirs = tokenizer(texts, truncation=False, verbose=False)["input_ids"]
    if [encoding.ids for encoding in own] != theirs:
        raise ConfigError(
            f"transformers cuts texts into other tokens than {folder}/tokenizer.json, which is read here, expected the"
            " same; a setting beside it changes them, do_lower_case for one: save the model's tokenizer again"
        )


def is_static(model: "SentenceTransformer") -> bool:
    """Whether it is a table of vectors without a transformer, which reads texts joined instead of padded."""
    return type(model[0]).__name__ == "StaticEmbedding"
