"""Small models that see, of the real classes, with weights of chance."""

from pathlib import Path
from typing import Any, Literal

Family = Literal["clip", "siglip", "siglip2"]
SIDE, PATCH = 32, 8  # pixels
LETTERS = "".join(map(chr, [*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)]))  # BPE's for bytes


def save_model(folder: Path, family: Family = "clip", *, seed: int = 0, max_tokens: int = 0) -> Path:
    """The folder, with configuration, weights, tokenizer and what is done to a picture, as the hub has them."""
    import torch
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(seed)
    processor = _processor(family)
    processor.save_pretrained(folder)
    tokenizer = processor.tokenizer
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    marks = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    length = {"max_position_embeddings": max_tokens or {"clip": 77}.get(family, 64)}
    patches = {"num_patches": (SIDE // PATCH) ** 2} if family == "siglip2" else {"image_size": SIDE}
    config = AutoConfig.for_model(
        family,
        text_config={**tower, **marks, **length, "vocab_size": len(tokenizer)},
        vision_config={**tower, **patches, "patch_size": PATCH},
        **({"projection_dim": 24} if family == "clip" else {}),
    )
    model = AutoModel.from_config(config)
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    model.save_pretrained(folder)
    return folder


def _processor(family: Family) -> Any:
    from transformers import CLIPProcessor, Siglip2Processor, SiglipProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    sides = {"height": SIDE, "width": SIDE}
    match family:
        case "clip":
            eyes = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=sides)
            return CLIPProcessor(eyes, _clip_tokenizer())
        case "siglip":
            return SiglipProcessor(SiglipImageProcessorPil(size=sides), _siglip_tokenizer())
        case "siglip2":
            eyes = Siglip2ImageProcessorPil(patch_size=PATCH, max_num_patches=(SIDE // PATCH) ** 2)
            return Siglip2Processor(eyes, _siglip2_tokenizer())


def _clip_tokenizer() -> Any:
    from transformers import CLIPTokenizer

    pieces = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    return CLIPTokenizer({piece: place for place, piece in enumerate(pieces)}, [])


def _siglip_tokenizer() -> Any:
    """One mark at the end and no attention mask, as SigLIP's has; but in its file capital letters stay."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE({piece: place for place, piece in enumerate(["<pad>", "</s>", *LETTERS])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>", model_input_names=["input_ids"]
    )


def _siglip2_tokenizer() -> Any:
    from transformers import Siglip2Tokenizer

    marks, letters = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁"], [*map(chr, range(33, 127))]
    pieces = [*marks, *letters, *(f"<0x{byte:02X}>" for byte in range(256))]
    return Siglip2Tokenizer(
        {piece: place for place, piece in enumerate(pieces)},
        [],
        add_bos_token=False,
        add_eos_token=True,
        padding_side="right",
        model_input_names=["input_ids"],
    )
