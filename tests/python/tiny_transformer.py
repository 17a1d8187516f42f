"""The small random encoder of likewise.heads with few words, and the same model in plain loops of NumPy."""

import math

import numpy as np

from likewise.heads._tiny import CONFIG, SPECIAL, random_weights, save

WORDS = (
    "the a cat dog bird river stone house tree sees hears finds leaves near under old small red green and"
).split()
VOCABULARY = {word: i for i, word in enumerate([*SPECIAL, *WORDS])}


def texts(count, seed=0, shortest=5, longest=12):
    """Random sentences."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(shortest, longest))) for _ in range(count)]


def weights(seed=0, scale=0.4):
    """Random weights by the names that they have in a file of BERT's."""
    return random_weights(len(VOCABULARY), seed, scale)


def write(folder, given=None, prefix="", **config):
    """The folder of a model; returns its path."""
    given = weights() if given is None else given
    return save(folder, {prefix + name: part for name, part in given.items()}, WORDS, **config)


def states(given, text):
    """The states of one text at the input of each layer and at the end, token by token and head by head."""
    ids = [VOCABULARY["[CLS]"], *(VOCABULARY[word] for word in text.split()), VOCABULARY["[SEP]"]]
    of = {name.removeprefix("embeddings."): part for name, part in given.items()}
    x = np.array(
        [
            _normed(
                of["word_embeddings.weight"][word]
                + of["position_embeddings.weight"][place]
                + of["token_type_embeddings.weight"][0],
                given,
                "embeddings.LayerNorm",
            )
            for place, word in enumerate(ids)
        ]
    )
    found = [x]
    for layer in range(CONFIG["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        q, k, v = (
            x @ given[f"{name}attention.self.{which}.weight"].T + given[f"{name}attention.self.{which}.bias"]
            for which in ("query", "key", "value")
        )
        gathered = np.zeros_like(x)
        for head in np.split(np.arange(16), 2):
            for i in range(len(x)):
                scores = np.array([q[i, head] @ k[j, head] / math.sqrt(8) for j in range(len(x))])
                mass = np.exp(scores) / np.exp(scores).sum()
                gathered[i, head] = sum(mass[j] * v[j, head] for j in range(len(x)))
        rows = []
        for i in range(len(x)):
            written = given[f"{name}attention.output.dense.weight"] @ gathered[i]
            written = written + given[f"{name}attention.output.dense.bias"]
            middle = _normed(x[i] + written, given, f"{name}attention.output.LayerNorm")
            hidden = (
                given[f"{name}intermediate.dense.weight"] @ middle + given[f"{name}intermediate.dense.bias"]
            )
            hidden = np.array([u * (1 + math.erf(u / math.sqrt(2))) / 2 for u in hidden])
            out = given[f"{name}output.dense.weight"] @ hidden + given[f"{name}output.dense.bias"]
            rows.append(_normed(middle + out, given, f"{name}output.LayerNorm"))
        x = np.array(rows)
        found.append(x)
    return found


def _normed(x, given, name):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-12) * given[f"{name}.weight"] + given[f"{name}.bias"]
