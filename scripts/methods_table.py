"""Write README's table of the methods from the values that the estimators say they are.

python scripts/methods_table.py    # with an installed likewise, or PYTHONPATH=build/python
"""

import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
TABLE = re.compile(r"^\| method \|.*?\n(?=\n)", re.M | re.S)  # to the first empty line


def written(text):
    """The text with its table made anew."""
    from likewise import _explain

    return TABLE.sub(lambda _: _explain.table(), text, count=1)


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
