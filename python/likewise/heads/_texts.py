"""The sentences that models are read on where none are given."""

import hashlib
from importlib import resources
from pathlib import Path

CHECKSUM = "04fb2c90c43b3c055704ba7ec06d48bb15d69c8a7ee6f4f327c0c2f60fc4bac0"


def default_texts():
    """100 sentences of our own, 5 to 30 words each, on everyday subjects; a list of str.

    Expected numbers belong to one set of texts, so a checksum (SHA-256) guards them.
    """
    data = resources.files("likewise.heads").joinpath("texts.txt").read_bytes()
    if hashlib.sha256(data).hexdigest() != CHECKSUM:
        raise ValueError("texts.txt of likewise.heads must be as it was published; its checksum differs.")
    return data.decode("utf-8").splitlines()


def texts_of_file(path):
    """The lines of a text file that are not blank."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"texts must be a text file, one text a line; got {str(path)!r}: {error}.") from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise ValueError(f"texts must be a file with a text in each line; {str(path)!r} has none.")
    return found


def checked_texts(texts):
    """A list of str; None is the default one."""
    if texts is None:
        return default_texts()
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"texts must be a list of str or None; got {texts!r:.80}.")
    texts = list(texts)
    if not texts:
        raise ValueError(
            "texts must hold a text or more; got none. Heads are not read from weights alone: over the heads "
            "of a model the symmetry of Wq' Wk misleads about that of the scores. None takes the package's "
            "own sentences."
        )
    return texts
