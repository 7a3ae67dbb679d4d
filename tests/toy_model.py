"""A transformer of a few thousand weights over some words of its own, and a corpus that can be learnt by it."""

import json
import random
from pathlib import Path

_PAIRS = (
    "pump rotor, bearing sleeve, gate sluice, storm gale, valve tap, boiler kettle, chain links, rope cord,"
    " anchor hook, mast spar, keel hull, sail canvas, lamp light, bell gong, wheel disc, crane hoist"
)
_FILLER = "the a of and to in is it on with as by at from or that for this was are"
ASKED, ANSWERED = zip(*(pair.split() for pair in _PAIRS.split(",")), strict=True)
FILLER = tuple(_FILLER.split())
TOPICS = 3  # in a question


def save_toy_model(folder: Path, seed: int = 0) -> Path:
    """Weights of chance: without training the words asked and the words answered have nothing in common."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    words = ["[PAD]", "[UNK]", *ASKED, *ANSWERED, *FILLER]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=64
    ).save_pretrained(folder / "weights")
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, pad_token_id=0,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder / "weights")
    body = Transformer(str(folder / "weights"))
    model = SentenceTransformer(modules=[body, Pooling(32, pooling_mode="mean")], device="cpu")
    model.save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"


def write_corpus(folder: Path, count: int) -> tuple[Path, Path]:
    """Documents that answer in other words than they are asked in; the files of queries and of judgments."""
    dice = random.Random(3)
    queries, grades = [], ["query-id\tcorpus-id\tscore"]
    (folder / "docs").mkdir(exist_ok=True)
    for number in range(count):
        topics = dice.sample(range(len(ASKED)), TOPICS)
        words = [*(ANSWERED[topic] for topic in topics), *dice.choices(FILLER, k=5)]
        dice.shuffle(words)
        (folder / "docs" / f"{number}.txt").write_text(" ".join(words) + ".\n")
        queries.append({"_id": f"q{number}", "text": " ".join(ASKED[topic] for topic in topics)})
        grades.append(f"q{number}\t{number}.txt\t1")
    (folder / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    (folder / "qrels.tsv").write_text("\n".join(grades) + "\n")
    return folder / "queries.jsonl", folder / "qrels.tsv"
