"""Small models of other people's kinds, made on the spot: random weights, a real tokenizer, saved by transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WORDS = [
    *"[PAD] [UNK] [CLS] [SEP] [MASK]".split(),
    *"the bank is good bad awful great it thank you card money нет да банк плохой отличный".split(),
    *"abcdefghijklmnopqrstuvwxyzабвгдежзийклмнопрстуфхцчшщъыьэюяіїєґ0123456789.,!?@#:/-",
]
THREE = {0: "negative", 1: "neutral", 2: "positive"}
FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta")


def save(folder: Path, family: str = "bert", labels: dict[int, str] | None = None, **more: Any) -> Path:
    """A folder as `save_pretrained` writes it: config.json, model.safetensors, tokenizer files. Needs torch."""
    import torch

    torch.manual_seed(more.pop("seed", 7))
    half = more.pop("half", False)
    model = _model(family, labels or THREE, more)
    # Random heads say almost nothing: a louder one makes every mix-up of labels visible.
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "classifier" in name or "out_proj" in name:
                weights.mul_(25.0)
    (model.half() if half else model).save_pretrained(folder)
    (_byte_pieces if family in ("roberta", "xlm-roberta") else _word_pieces)(folder)
    return folder


def _model(family: str, labels: dict[int, str], more: dict[str, Any]) -> Any:
    import transformers as t

    names = {"id2label": labels, "label2id": {name: index for index, name in labels.items()}}
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    if family == "bert":
        made = t.BertConfig(vocab_size=400, max_position_embeddings=64, **size, **names, **more)
        return t.BertForSequenceClassification(made)
    if family == "distilbert":
        made = t.DistilBertConfig(
            vocab_size=400, max_position_embeddings=64, dim=32, n_layers=2, n_heads=2, hidden_dim=64, **names, **more
        )
        return t.DistilBertForSequenceClassification(made)
    kinds = {
        "roberta": (t.RobertaConfig, t.RobertaForSequenceClassification),
        "xlm-roberta": (t.XLMRobertaConfig, t.XLMRobertaForSequenceClassification),
    }
    config, model = kinds[family]
    return model(config(vocab_size=400, max_position_embeddings=66, pad_token_id=1, **size, **names, **more))


def _word_pieces(folder: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    known = dict.fromkeys([*WORDS, *(f"##{letter}" for letter in WORDS if len(letter) == 1)])
    made = Tokenizer(models.WordPiece({word: at for at, word in enumerate(known)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)


def _byte_pieces(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = ["<s>", "<pad>", "</s>", "<unk>", *letters]
    made = Tokenizer(models.BPE({word: at for at, word in enumerate(known)}, [], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", bos_token="<s>"
    ).save_pretrained(folder)
