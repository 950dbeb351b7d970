"""The tokenizer: lower-case WordPiece whose normaliser hides links and names, so any user of the folder gets it."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from sentiment.prepare import TARGET_MARK, URL_PATTERN, URL_WORD, USER_PATTERN, USER_WORD
from sentiment.tone import DEFAULT_FOLDER

VOCABULARY = 24_000
MAX_LENGTH = 128
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", TARGET_MARK)


def train(texts: list[str], vocabulary: int = VOCABULARY) -> Tokenizer:
    """WordPiece tokenizer of `vocabulary` pieces; the same texts give nearly the same pieces, under other numbers."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=60))
    tokenizer.normalizer = _normalizer()
    # Emoji are no punctuation to BERT's splitter: without their own rule they stick to the word before.
    emoji = pre_tokenizers.Split(Regex(r"[\p{So}\p{Sk}]"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([emoji, pre_tokenizers.BertPreTokenizer()])
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL), limit_alphabet=1200, min_frequency=3, show_progress=False
    )
    tokenizer.train_from_iterator([text.replace(TARGET_MARK, " ") for text in texts], trainer)
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    return tokenizer


def shipped() -> Tokenizer:
    """The pieces of the built-in model. Training them anew gives others each time: its ties fall at random."""
    tokenizer = Tokenizer.from_file(str(DEFAULT_FOLDER / "tokenizer.json"))
    tokenizer.no_truncation()
    return tokenizer


def _normalizer() -> normalizers.Normalizer:
    steps = [
        normalizers.Replace(Regex(URL_PATTERN), f" {URL_WORD} "),
        normalizers.Replace(Regex(USER_PATTERN), f" {USER_WORD} "),
        normalizers.Replace(Regex("[’ʼ`]"), "'"),
        normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=True),
        normalizers.Replace("ё", "е"),
        normalizers.Replace("\ufe0f", ""),
    ]
    return normalizers.Sequence(steps)


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and its config in transformers format."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        additional_special_tokens=[TARGET_MARK],
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
    )
    wrapped.save_pretrained(folder)
