"""Word2Vec, skip-gram with negative samples, on the text of the IMDB reviews; the nearest words.

    python -m examples.course.word2vec                    3 epochs, 100 numbers a word

Windows of up to 5 words, 5 negative samples by frequency ** 0.75, frequent words left out at random
(threshold 1e-4), words that occur 20 times or more. The rate falls from 0.025 to 0.0001. The
course's similarities are of text8, another text; here one epoch finds man: himself, woman, girl.

Source: Mikolov et al., Distributed representations of words and phrases, 2013
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import graphc
from graphc import nn

from . import material

SIZE, WINDOW, NEGATIVE, BATCH, LEAST = 100, 5, 5, 1024, 20


def loss(vectors: tuple[Any, Any], centre: Any, near: Any, other: Any) -> Any:
    """-log s(u v) - sum log s(-u' v), summed over the pairs."""
    inside, outside = vectors
    v = nn.embedding(inside, centre)
    right = (v * nn.embedding(outside, near)).sum(axis=-1)
    wrong = (v[:, None, :] * nn.embedding(outside, other)).sum(axis=-1)
    return nn.softplus(-right).sum() + nn.softplus(wrong).sum()


def step(inside: Any, outside: Any, centre: Any, near: Any, other: Any, rate: Any) -> Any:
    """(both tables after one batch of pairs, the mean loss)."""
    value, (g_in, g_out) = graphc.value_and_grad(loss)((inside, outside), centre, near, other)
    return inside - rate * g_in, outside - rate * g_out, value / BATCH


def pairs(
    rng: np.random.Generator, tokens: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(centre, near) of all pairs of words within a window of random width, in random order."""
    tokens = tokens[rng.random(len(tokens), dtype=np.float32) < kept[tokens]]
    width = rng.integers(1, WINDOW + 1, len(tokens))
    centres, nears = [], []
    for apart in range(1, WINDOW + 1):
        left = np.flatnonzero(width[apart:] >= apart) + apart
        centres += [tokens[left], tokens[left - apart]]
        nears += [tokens[left - apart], tokens[left]]
    centre, near = np.concatenate(centres), np.concatenate(nears)
    order = rng.permutation(len(centre))
    return centre[order], near[order]


def nearest(vectors: np.ndarray, words: list[str], word: str, count: int = 5) -> str:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = unit @ unit[words.index(word)]
    best = np.argsort(-likeness)[1 : count + 1]
    return ", ".join(f"{words[k]} {likeness[k]:.3f}" for k in best)


def main() -> None:
    parser = material.options(__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--limit", type=int, help="so many words of the text; all")
    given = parser.parse_args()
    tokens = material.archive("imdb/imdb.npz")["train_tokens"][: given.limit].astype(np.int64)
    counts = np.bincount(tokens)
    known = np.flatnonzero(counts >= LEAST)
    number = np.full(len(counts), -1)
    number[known] = np.arange(len(known))
    tokens = number[tokens]
    tokens = tokens[tokens >= 0].astype(np.int32)
    ranked = material.imdb_words()
    words = [ranked[k] for k in known]
    share = np.bincount(tokens) / len(tokens)
    kept = np.minimum(1, np.sqrt(1e-4 / share)).astype(np.float32)
    likely = np.cumsum(share**0.75)
    rng = np.random.default_rng(0)
    inside = ((rng.random((len(words), SIZE), dtype=np.float32) - 0.5) / SIZE).astype(np.float32)
    outside = np.zeros_like(inside)
    compiled = graphc.jit(step, donate=("inside", "outside"))
    print(f"{len(tokens)} words of text, {len(words)} different ones", flush=True)
    for epoch in range(given.epochs):
        centre, near = pairs(rng, tokens, kept)
        count, losses, start = len(centre) // BATCH, [], time.perf_counter()
        for k in range(count):
            done = (epoch + k / count) / given.epochs
            rate = np.float32(max(1e-4, 0.025 * (1 - done)))
            other = np.searchsorted(likely, rng.random((BATCH, NEGATIVE)) * likely[-1])
            cut = slice(k * BATCH, (k + 1) * BATCH)
            inside, outside, value = compiled(
                inside, outside, centre[cut], near[cut], other.astype(np.int32), rate
            )
            losses.append(float(value))
        seconds = (time.perf_counter() - start) / count
        print(
            f"epoch {epoch + 1}: {count} batches, loss {np.mean(losses):.4f}, "
            f"{seconds * 1e6:.0f} us each",
            flush=True,
        )
    for word in ("good", "terrible", "man", "war", "funny", "king"):
        if word in words:
            print(f"{word}: {nearest(inside, words, word)}")


if __name__ == "__main__":
    main()
