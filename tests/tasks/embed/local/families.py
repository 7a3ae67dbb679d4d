"""Small models of the real architectures, saved by sentence-transformers with a tokenizer that was trained here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXTS = (
    "How long do refunds take, and who approves them?",
    "Refunds are approved by the shop's manager within five days. They take two weeks.",
    "def f(x: int) -> list[str]:\n    return [str(n) for n in range(x)]",
    "Zürich, naïve café; 日本語の文章, Привет мир!",
    "one",
    " ".join(f"word{n} and number {n}," for n in range(24)),
)
WIDTH = 32
_SMALL = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_CAUSAL = {**_SMALL, "num_key_value_heads": 2, "head_dim": 8}
PROMPTS = {"query": "search_query: ", "document": "search_document: "}


@dataclass(frozen=True)
class Family:
    """`vocabulary` is how the tokenizer cuts and what stands at the ends; `modules` come behind the pooling."""

    architecture: str
    config: Mapping[str, Any]
    vocabulary: str = "bert"
    pooling: str | tuple[str, ...] = "mean"
    prompts: Mapping[str, str] = field(default_factory=dict[str, str])
    modules: tuple[str, ...] = ("Normalize",)


FAMILIES = {
    "BERT, mean": Family("Bert", _SMALL | {"max_position_embeddings": 256}),
    "BERT, CLS and a prompt": Family(
        "Bert", _SMALL | {"max_position_embeddings": 256}, pooling="cls", prompts={"query": "Represent this: "}
    ),
    "BERT, two poolings": Family("Bert", _SMALL | {"max_position_embeddings": 256}, pooling=("cls", "mean")),
    "XLM-R": Family("XLMRoberta", _SMALL | {"max_position_embeddings": 258, "pad_token_id": 1}, "roberta",
                    prompts={"query": "query: ", "passage": "passage: "}),
    "MPNet": Family("MPNet", _SMALL | {"max_position_embeddings": 258, "pad_token_id": 1}, "roberta"),
    "ModernBERT": Family(
        "ModernBert", _SMALL | {"max_position_embeddings": 2048, "local_attention": 16}, pooling="cls", prompts=PROMPTS
    ),
    "NomicBERT": Family("NomicBert", _SMALL | {"max_position_embeddings": 2048}, prompts=PROMPTS),
    "Qwen3, last token": Family(
        "Qwen3", _CAUSAL | {"max_position_embeddings": 2048}, "qwen", "lasttoken",
        {"query": "Instruct: Find the passage\nQuery:"},
    ),
    "Gemma3": Family(
        "Gemma3Text",
        _CAUSAL | {"max_position_embeddings": 2048, "sliding_window": 16, "use_bidirectional_attention": True,
                   "query_pre_attn_scalar": 8},
        "gemma",
        prompts={"query": "task: search result | query: ", "document": "title: none | text: "},
        modules=("Dense", "Dense", "Normalize"),
    ),
    "layer norm": Family("Bert", _SMALL | {"max_position_embeddings": 256}, modules=("LayerNorm", "Normalize")),
    "static": Family("", {}, modules=("Normalize",), prompts=PROMPTS),
}  # fmt: skip


def build(family: Family, folder: Path) -> Path:
    """The model's folder, with random weights."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as kinds

    torch.manual_seed(7)
    weights = folder / "weights"
    tokenizer = _tokenizer(family.vocabulary)
    modules: list[Any]
    if not family.architecture:
        modules = [kinds.StaticEmbedding(tokenizer._tokenizer, embedding_dim=WIDTH)]
    else:
        settings = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, **family.config}
        config = getattr(transformers, f"{family.architecture}Config")(**settings)
        model = getattr(transformers, f"{family.architecture}Model")(config)
        for parameter in model.parameters():  # larger than usual, so that the vectors of two texts differ
            parameter.data.mul_(10 if parameter.dim() > 1 else 1)
        model.save_pretrained(weights)
        tokenizer.save_pretrained(weights)
        modules = [kinds.Transformer(str(weights)), kinds.Pooling(WIDTH, family.pooling)]
    width = WIDTH if isinstance(family.pooling, str) else WIDTH * len(family.pooling)
    for name in family.modules:
        if name == "Dense":
            modules.append(kinds.Dense(width, width := 24 if width == WIDTH else 20))
        else:
            modules.append(getattr(kinds, name)(*([width] if name == "LayerNorm" else [])))
    if "LayerNorm" in family.modules:
        torch.nn.init.normal_(modules[2].norm.weight)
        torch.nn.init.normal_(modules[2].norm.bias)
    made = SentenceTransformer(modules=modules, device="cpu", prompts=dict(family.prompts))
    made.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def edit(folder: Path, name: str, **settings: Any) -> None:
    """Change some settings in one of the model's files."""
    path = folder / name
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **settings}))


def _tokenizer(vocabulary: str) -> Any:
    """A fast tokenizer: word pieces, or byte pairs with the special tokens of their family."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    pieces = vocabulary == "bert"
    names = {
        "bert": {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"},
        "roberta": {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
        "qwen": {"pad_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
        "gemma": {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"},
    }[vocabulary]
    special = list(dict.fromkeys(names.values()))
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]") if pieces else models.BPE())
    trainer: Any = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    if pieces:
        trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False)
        tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer() if pieces else pre_tokenizers.ByteLevel(False)
    tokenizer.decoder = decoders.WordPiece() if pieces else decoders.ByteLevel()
    tokenizer.train_from_iterator(TEXTS, trainer)
    form = {"bert": "[CLS] $A [SEP]", "roberta": "<s> $A </s>", "qwen": "$A <|endoftext|>", "gemma": "<bos> $A <eos>"}
    ids = [(token, tokenizer.token_to_id(token)) for token in special]
    tokenizer.post_processor = processors.TemplateProcessing(single=form[vocabulary], special_tokens=ids)
    side = "left" if vocabulary == "qwen" else "right"
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, padding_side=side, **names)
