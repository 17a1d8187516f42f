"""What the comparison study and the benchmark share: bars, children, memory, checks and the page.

Both write tables, pictures and a page, by packages that come with an extra of the same name.
"""

from likewise._extras import need


def need_packages_of(extra):
    """Called before anything of a study or a benchmark is imported: its packages, or a message."""
    need(f"likewise {extra}", "pandas", "matplotlib", "jinja2", "tqdm", extra=extra)
