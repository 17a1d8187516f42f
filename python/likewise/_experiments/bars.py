"""The progress bar of long work."""

import sys

from tqdm.auto import tqdm

COUNTED = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} [{elapsed}, {remaining} left]"
WEIGHTED = "{desc} {percentage:3.0f}% |{bar}| [{elapsed}, {remaining} left]"


def progress_bar(total, what, shown, *, bar_format=COUNTED):
    """A tqdm bar with time left on stderr; WEIGHTED where steps count by how long they take."""
    return tqdm(
        total=total, desc=what, disable=not shown, file=sys.stderr, smoothing=0.05, bar_format=bar_format
    )
