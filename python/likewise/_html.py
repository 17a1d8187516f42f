"""What a notebook shows of mechanisms, operators and estimators: the equation with its slots filled."""

import base64
import html
import io
import re
from importlib.util import find_spec

import numpy as np

_EDGE = "border-bottom:1px solid rgba(128,128,128,.35)"
_LARGEST_PICTURE = 40_000  # entries: beyond, making them would take longer than reading them is worth


def of_mechanism(mechanism, rows=()):
    """The equation and a table of its slots; `rows` are further (name, text, value)."""
    equation, *lines = mechanism.equation().rstrip("\n").split("\n")
    rows = [*(_cells(line) for line in lines), *rows]
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        '<div style="overflow-x:auto"><code style="white-space:nowrap;background:none">'
        f"{html.escape(equation)}</code>"
        f'<table style="margin:.4em 0;border-collapse:collapse;color:inherit"><tbody>{body}</tbody></table>'
        "</div>"
    )


def of_operator(P):
    """Its shape, storage and bandwidth, its mechanism, and the matrix itself where it is small."""
    rows, columns = P.shape
    title = f"<b>{type(P).__name__}</b> {rows} × {columns}, {P.dtype}, {P.storage}"
    return f"<div>{title}{_picture(P)}{of_mechanism(P.mechanism)}</div>"


def of_explanation(explanation):
    """Of likewise.explain: the equation, what is propagated and what to know."""
    rows = [("values v", explanation.values, "")] if explanation.values else []
    shown = of_mechanism(explanation.mechanism, rows) if explanation.mechanism else ""
    return f"{shown}<p>{html.escape(explanation.note)}</p>" if explanation.note else shown


def of_estimator(estimator):
    """The equation of an estimator, as fitted where it is; nothing where its parameters make none."""
    try:
        fitted = getattr(estimator, "mechanism_", None)
        mechanism = fitted if fitted is not None else estimator.mechanism
        values = [("values v", estimator._values, "")] if estimator._values else []
        return of_mechanism(mechanism, values)
    except (AttributeError, TypeError, ValueError) as problem:
        return f"<p>{html.escape(str(problem))}</p>"


def _cells(line):
    """("metric c", "|x - z|^2", "SquaredEuclidean()") of a line of Mechanism.equation()."""
    return line[2:22].strip(), *re.split(r"\s{2,}", line[22:].strip(), maxsplit=1)


def _cell(text):
    return f'<td style="text-align:left;padding:.15em .8em .15em 0;{_EDGE}">{html.escape(text)}</td>'


def _picture(P):
    """A PNG of the matrix, darker is larger, as a part of the page; nothing without matplotlib."""
    rows, columns = P.shape
    if rows * columns > _LARGEST_PICTURE or find_spec("matplotlib") is None:
        return ""
    from matplotlib.image import imsave

    entries = np.sqrt(np.abs(P.toarray()))
    magnified = max(1, 120 // max(rows, columns))
    file = io.BytesIO()
    imsave(file, np.kron(entries, np.ones((magnified, magnified))), cmap="Greys", format="png", vmin=0)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<br><img alt="The {rows} x {columns} matrix, darker is larger, square roots" '
        f'style="image-rendering:pixelated;max-width:160px;margin:.4em 0" src="data:image/png;base64,{data}">'
    )
