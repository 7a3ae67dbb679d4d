"""What a sentence-transformers folder says of its model, read without loading weights or running its code."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.embed.local.weights import read_json
from tasks.errors import ConfigError

STATIC_TOKENS = 32_768  # a table of vectors reads texts of any length; a longer one has no meaning left in its mean
AFTER_FIRST = {"Pooling", "Dense", "Normalize", "LayerNorm", "Dropout"}
UNSHAPING = {"Transformer", "Pooling", "Normalize", "Dropout"}  # the others change vectors beyond the way of pooling
# Their first position is the one after the padding token's number: of 514 positions 512 can be used.
AFTER_PADDING = {
    "camembert", "data2vec-text", "ibert", "longformer", "luke", "mpnet", "roberta", "roberta-prelayernorm",
    "xlm-roberta", "xlm-roberta-xl", "xmod",
}  # fmt: skip
REMOTE_CODE = (
    "needs code of its own from the hub (trust_remote_code), which Headrace never runs; expected an architecture that"
    " transformers has itself: take such a release, or have a server run the model, and use kind: openai with base_url"
)


@dataclass(frozen=True, slots=True)
class Module:
    """One step of the model, by the last part of its class's name."""

    name: str
    folder: Path
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """How the model makes a vector. `dimension` is its own length, `sizes` are the shorter ones it was trained for.

    `pooling` names what changes a vector and stands in no weights. `digest` is a hash of all that makes one of tokens,
    beside the weights. `assumed` says what no file said.
    """

    modules: tuple[Module, ...]
    architecture: str
    pooling: str
    dimension: int
    max_tokens: int
    prompts: Mapping[str, str]
    sizes: tuple[int, ...]
    digest: str
    assumed: str

    @property
    def is_static(self) -> bool:
        """Whether it is a table of one vector for each token, without a transformer."""
        return self.modules[0].name == "StaticEmbedding"

    @property
    def is_mean(self) -> bool:
        """Whether a vector is made of the mean over all tokens, so that a part of them has one of its own."""
        names = [module.name for module in self.modules[:2]]
        return names == ["Transformer", "Pooling"] and _modes(self.modules[1].config) in (["mean"], ["mean_tokens"])

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where its weights are, the root first."""
        return tuple(dict.fromkeys(module.folder for module in self.modules))


def read_shape(folder: Path) -> Shape:
    """Raise ConfigError for a model that would be computed otherwise than it was meant."""
    modules = tuple(_modules(folder))
    first = modules[0]
    config = {**first.config, **(first.config.get("text_config") or {})}
    own = read_json(folder, "config_sentence_transformers.json")
    _refuse_remote_code(folder, config)
    poolings = [_pooling(module.config) for module in modules if module.name == "Pooling"]
    more = [module.name for module in modules if module.name not in UNSHAPING]
    dimension = own.get("truncate_dim") or _dimension(folder, modules, config)
    sizes = config.get("matryoshka_dims") or config.get("matryoshka_dimensions") or own.get("matryoshka_dims") or ()
    files = [(module.name, dict(module.config)) for module in modules]
    return Shape(
        modules=modules,
        architecture=str((config.get("architectures") or ["unknown"])[0]),
        pooling="+".join([*poolings, *more]),
        dimension=int(dimension),
        max_tokens=_max_tokens(folder, first, config),
        prompts={name: text for name, text in (own.get("prompts") or {}).items() if text},
        sizes=tuple(int(size) for size in sizes),
        digest=hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:8],
        assumed="" if len(modules) > 1 else "no file names a pooling, so sentence-transformers chooses it",
    )


def _modules(folder: Path) -> Iterator[Module]:
    """Without modules.json it is a bare transformer, which the library gives a pooling."""
    path = folder / "modules.json"
    listed = json.loads(path.read_text(encoding="utf-8")) if path.exists() else [{"type": ".Transformer", "path": ""}]
    for position, entry in enumerate(listed):
        package, _, name = str(entry["type"]).rpartition(".")
        known = AFTER_FIRST if position else {"Transformer", "StaticEmbedding"}
        if package and not package.startswith("sentence_transformers"):
            raise ConfigError(f"the model in {folder} {REMOTE_CODE}; its modules.json names {entry['type']}")
        if name not in known:
            raise ConfigError(
                f"the model in {folder} has the module {name} at place {position}, expected one of"
                f" {', '.join(sorted(known))}: its vectors would not be the model's; choose another model"
            )
        place = folder / str(entry.get("path") or "")
        config = read_json(place, "config.json")
        if name == "Pooling" and config.get("include_prompt") is False:
            raise ConfigError(
                f"the model in {folder} leaves its prompt out of the pooling (include_prompt: false), which is not done"
                " here; choose another model"
            )
        yield Module(name, place, config)


def _refuse_remote_code(folder: Path, config: Mapping[str, Any]) -> None:
    """Only a configuration that names code is worth the import that knows all architectures.

    A known type is not enough: some models call themselves BERT and are another one in their own code.
    """
    if "auto_map" in config:
        import transformers
        from transformers import CONFIG_MAPPING

        model, classes = config.get("model_type"), config.get("architectures") or []
        if model not in CONFIG_MAPPING or not set(classes) <= set(dir(transformers)):
            raise ConfigError(f"the model in {folder} {REMOTE_CODE}; it is of the type {model!r}, class {classes}")


def _pooling(config: Mapping[str, Any]) -> str:
    """In these words since the first fingerprint."""
    switches = sorted(name.removeprefix("pooling_mode_") for name, is_on in config.items() if is_on is True)
    return str(config.get("pooling_mode") or ",".join(switches))


def _modes(config: Mapping[str, Any]) -> list[str]:
    """Vectors that are put one after the other. Older files have a switch for each, newer ones a name or a list."""
    if named := config.get("pooling_mode"):
        return [named] if isinstance(named, str) else list(named)
    first = "pooling_mode_"
    return [name.removeprefix(first) for name, is_on in config.items() if name.startswith(first) and is_on is True]


def _dimension(folder: Path, modules: tuple[Module, ...], config: Mapping[str, Any]) -> int:
    size = config.get("hidden_size") or config.get("dim") or config.get("d_model") or 0
    if modules[0].name == "StaticEmbedding":
        size = _table_width(modules[0].folder)
    for module in modules[1:]:
        if module.name == "Pooling":
            width = module.config.get("word_embedding_dimension") or module.config.get("embedding_dimension") or size
            size = width * max(1, len(_modes(module.config)))
        size = module.config.get("out_features") or size
    if not size:
        raise ConfigError(f"{folder} does not say how long its vectors are; expected a sentence-transformers model")
    return int(size)


def _table_width(folder: Path) -> int:
    """Of the tables that sentence-transformers and model2vec write; read from the file's head."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="numpy") as file:
        name = next(name for name in ("embedding.weight", "embeddings") if name in file.keys())  # noqa: SIM118
        return int(file.get_slice(name).get_shape()[1])


def _max_tokens(folder: Path, first: Module, config: Mapping[str, Any]) -> int:
    """The least of what the model was trained with, what its tokenizer says, and how many positions it has."""
    if first.name == "StaticEmbedding":
        return STATIC_TOKENS
    trained = read_json(first.folder, "sentence_bert_config.json").get("max_seq_length")
    positions = config.get("max_position_embeddings") or 0
    if positions > 0 and config.get("model_type") in AFTER_PADDING:
        positions -= 1 + int(config.get("pad_token_id", 1))
    told = [trained or read_json(first.folder, "tokenizer_config.json").get("model_max_length") or 0, positions]
    limit = min((int(limit) for limit in told if 0 < limit < sys.maxsize), default=0)
    if not limit:
        raise ConfigError(f"{folder} does not say how many tokens the model reads; expected sentence_bert_config.json")
    return limit
