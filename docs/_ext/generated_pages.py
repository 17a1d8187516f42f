"""Pages that are made rather than written; git ignores their folders."""

from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent
ROOT = DOCS.parent
BUILD = ROOT / "build" / "docs"
FOLDERS = ("notebooks", "api/python", "api/cpp", "developers")  # and measured/figures


def write_pages(folder, pages):
    """Write {name: text} into docs/folder, touch nothing that is the same, remove what is not among them."""
    assert folder in FOLDERS
    place = DOCS / folder
    place.mkdir(parents=True, exist_ok=True)
    for path in place.iterdir():
        if path.is_file() and path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = place / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def titled(title, line="="):
    """The lines of a heading in reStructuredText."""
    return [title, line * len(title), ""]
