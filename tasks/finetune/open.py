"""The one place that knows which kinds of models can be trained here."""

from config import embedders
from tasks.embed.local.runtime.device import choose_devices
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder
from tasks.embed.local.shape import read_shape
from tasks.embed.local.weights import find_folder
from tasks.embed.models import is_installed
from tasks.errors import ConfigError, MissingExtraError
from tasks.finetune.train import Base
from tasks.session import Session


def open_section(section: embedders.Embedder) -> embedders.SentenceTransformersEmbedder:
    """The settings of a model that can be trained here; ConfigError for all others, and without the libraries."""
    if not isinstance(section, embedders.SentenceTransformersEmbedder):
        name = getattr(section, "model", section.kind)
        raise ConfigError(
            f"{name!r} (kind: {section.kind}) cannot be trained here; expected a local model of texts under `embedder`:"
            " kind: sentence-transformers"
        )
    if not (is_installed("datasets") and is_installed("accelerate")):
        raise MissingExtraError("finetune", "finetune")
    if read_shape(find_folder(section.model, section.revision)).is_static:
        raise ConfigError(
            f"{section.model!r} is a table of one vector for each token, and is not trained here; expected a"
            " transformer, such as sentence-transformers/all-MiniLM-L6-v2"
        )
    return section


def open_base(session: Session, section: embedders.SentenceTransformersEmbedder) -> Base:
    """The live generation's model to begin with; ConfigError where the configuration names another one by now."""
    embedder = session.embedder
    if not isinstance(embedder, SentenceTransformersEmbedder) or embedder.model != section.model:
        raise ConfigError(
            f"the live generation was built with {embedder.model!r}, and the configuration says {section.model!r};"
            " expected the same: run `headrace rebuild` first, or go back to that model"
        )
    folder = find_folder(section.model, section.revision)
    return Base(folder, choose_devices(section.device)[0], embedder.query_prefix, embedder.space.document_prefix)
