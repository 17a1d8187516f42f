"""A small random encoder of BERT type as a folder, and the same model in plain loops of NumPy."""

import json
import math

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

WORDS = (
    "the a cat dog bird river stone house tree sees hears finds leaves near under old small red green and"
).split()
VOCABULARY = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
CONFIG = {
    "model_type": "bert",
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 24,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 32,
    "position_embedding_type": "absolute",
}


def texts(count, seed=0, shortest=5, longest=12):
    """Random sentences."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(shortest, longest))) for _ in range(count)]


def weights(seed=0, scale=0.4):
    """Random weights by the names that they have in a file of BERT's."""
    rng = np.random.default_rng(seed)
    width, hidden = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    found = {
        "embeddings.word_embeddings.weight": rng.normal(size=(len(VOCABULARY), width)),
        "embeddings.position_embeddings.weight": 0.7 * rng.normal(size=(32, width)),
        "embeddings.token_type_embeddings.weight": rng.normal(size=(2, width)),
    }
    shapes = {
        "attention.self.query": (width, width),
        "attention.self.key": (width, width),
        "attention.self.value": (width, width),
        "attention.output.dense": (width, width),
        "intermediate.dense": (hidden, width),
        "output.dense": (width, hidden),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(CONFIG["num_hidden_layers"]):
        for name, shape in shapes.items():
            found[f"encoder.layer.{layer}.{name}.weight"] = scale * rng.normal(size=shape)
            found[f"encoder.layer.{layer}.{name}.bias"] = 0.1 * rng.normal(size=shape[0])
        norms += [f"encoder.layer.{layer}.{name}.LayerNorm" for name in ("attention.output", "output")]
    for name in norms:
        found[f"{name}.weight"] = 1 + 0.1 * rng.normal(size=width)
        found[f"{name}.bias"] = 0.1 * rng.normal(size=width)
    return found


def write(folder, given=None, prefix="", **config):
    """The folder of a model; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    given = weights() if given is None else given
    save_file({prefix + name: part for name, part in given.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    special = [("[CLS]", VOCABULARY["[CLS]"]), ("[SEP]", VOCABULARY["[SEP]"])]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    tokenizer.enable_padding(length=20)  # as some models' files have it
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


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
