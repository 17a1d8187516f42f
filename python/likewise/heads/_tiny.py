"""A small random encoder of BERT type as a folder of files, to try reading where no model is at hand."""

import json
from pathlib import Path

import numpy as np

from likewise._extras import need
from likewise.heads._texts import checked_texts

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
CONFIG = {
    "model_type": "bert",
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 24,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 64,
    "position_embedding_type": "absolute",
}


def tiny_transformer(folder, texts=None, random_state=0):
    """Write a random transformer that `read_transformer` reads: 2 layers of 2 heads, states of width 16.

    It has learned nothing: what is read of its heads is what random weights have.

    Parameters
    ----------
    folder : path, made where there is none; config.json, model.safetensors and tokenizer.json are written
    texts : list of str, or None: the 100 sentences of the package. Their words are its vocabulary.
    random_state : int or numpy.random.Generator

    Returns
    -------
    pathlib.Path, the folder

    Raises
    ------
    ModuleNotFoundError : safetensors or tokenizers is not installed

    Examples
    --------
    >>> import tempfile
    >>> from likewise import heads
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = heads.read_transformer(heads.tiny_transformer(folder))
    >>> print(sorted(model.heads))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    need("writing a transformer", "safetensors", "tokenizers", extra="heads")
    words = words_of(checked_texts(texts))
    return save(folder, random_weights(len(SPECIAL) + len(words), random_state), words)


def words_of(texts):
    """The distinct words of some texts, as the tokenizer parts them."""
    part = tokenizer_of([]).pre_tokenizer.pre_tokenize_str
    return sorted({word for text in texts for word, _ in part(text.lower())})


def random_weights(n_words, random_state=0, scale=0.4):
    """Random weights by the names that they have in a file of BERT's."""
    rng = np.random.default_rng(random_state)
    width, hidden = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    found = {
        "embeddings.word_embeddings.weight": rng.normal(size=(n_words, width)),
        "embeddings.position_embeddings.weight": 0.7
        * rng.normal(size=(CONFIG["max_position_embeddings"], width)),
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


def tokenizer_of(words):
    """A tokenizer that takes whole words in lower case, between [CLS] and [SEP]."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    ids = {word: i for i, word in enumerate([*SPECIAL, *words])}
    found = Tokenizer(WordLevel(ids, unk_token="[UNK]"))
    found.normalizer, found.pre_tokenizer = Lowercase(), Whitespace()
    ends = [("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    found.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    found.enable_padding(length=20)  # as the files of some models have it; readers do without
    return found


def save(folder, weights, words, **config):
    """The folder with the three files of a model; config is what differs from CONFIG."""
    from safetensors.numpy import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}), encoding="utf-8")
    tokenizer_of(words).save(str(folder / "tokenizer.json"))
    return folder
