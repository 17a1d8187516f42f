"""The page of a report: one HTML file with everything inlined."""

import base64
import importlib.metadata
import io
import platform
from datetime import datetime, timezone

import jinja2

import likewise


def environment(package):
    """A jinja2 environment with the templates of `package` and the page that they extend."""
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package), jinja2.PackageLoader("likewise._experiments")]
        ),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def data_uri(figure):
    """An SVG data URI of a matplotlib figure; text becomes outlines, so that every browser shows the same."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", dpi=150, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def drawn(figure):
    """The data URI of a figure, None of None."""
    return figure and data_uri(figure)


def today():
    """Now, as reports show it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def versions(packages):
    """Name -> version of likewise, Python and the installed ones of these packages, and the system."""
    found = {"likewise": likewise.__version__, "Python": platform.python_version()}
    for name in packages:
        version = installed_version(name)
        if version:
            found[name] = version
    return {**found, "system": f"{platform.system()} {platform.machine()}"}


def installed_version(distribution):
    """The version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
