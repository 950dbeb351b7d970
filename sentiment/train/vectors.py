"""word2vec over word pieces: a start for the embedding table that sees all text, not only labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from gensim.models import Word2Vec
from tokenizers import Tokenizer


def embed(tokenizer: Tokenizer, texts: list[str], width: int, epochs: int, seed: int) -> npt.NDArray[np.float32]:
    """(vocabulary, width) matrix, deviation 0.05; pieces never seen get small noise. One thread: repeatable."""
    encoded = tokenizer.encode_batch([text[:1500] for text in dict.fromkeys(texts)], add_special_tokens=False)
    sentences = [[str(i) for i in item.ids] for item in encoded]
    model = Word2Vec(
        sentences, vector_size=width, window=5, min_count=2, sg=0, negative=8, epochs=epochs, workers=1, seed=seed
    )
    noise = np.random.default_rng(seed)
    table = noise.normal(0, 0.02, (tokenizer.get_vocab_size(), width)).astype(np.float32)
    known = np.array([int(word) for word in model.wv.index_to_key])
    vectors = model.wv.vectors - model.wv.vectors.mean(axis=0)
    table[known] = vectors * (0.05 / vectors.std())
    return table
