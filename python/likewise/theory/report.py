"""The page of a run: theory.html with a figure for each group, and theory.json with the numbers."""

import shlex

import numpy as np
from matplotlib.figure import Figure

import likewise as lw
from likewise._experiments import page
from likewise.theory import ABOUT, boundary, fields, figures, learned

PAGE, NUMBERS = "theory.html", "theory.json"
_OF_LIMITS = (
    "Each panel: the largest difference from the prediction over all places, as a share of the largest "
    "predicted value, over ε. The gray line has the predicted order."
)
_OF_VALUES = "Circles: predicted; dots: measured."
_OF_SAMPLES = "What was measured over samples, with its 99 % interval. Gray lines have the predicted slope."
_EXTRA = {
    learned.GROUP: (
        figures.learned_metric,
        "Left: the metric that the module of theorem 3 has learned. Right: how the clusters of a trained "
        "module merge in repeated steps.",
    ),
    boundary.GROUP: (figures.layer, "The layer along an edge."),
}


def write(folder, found, *, full, only):
    """Write both files into the folder; returns the path of the page."""
    environment, results = page.environment("likewise.theory"), found.results
    environment.filters["number"] = _number
    groups = [_group(name, results) for name in ABOUT if any(r.check.group == name for r in results)]
    text = environment.get_template(f"{PAGE}.j2").render(
        results=results,
        groups=groups,
        n_passed=sum(result.passed for result in results),
        seconds=found.seconds,
        own=page.data_uri(own_data()),
        own_caption="Left: 300 points around three centers, and where a step of a Gaussian of bandwidth 0.5 "
        "carries them. Right: a function on a circle of 200 points under repeated steps.",
        command=_command(folder, full, only),
        date=page.today(),
        versions=page.versions(("numpy", "scipy", "matplotlib")),
    )
    path = folder / PAGE
    path.write_text(text, encoding="utf-8")
    (folder / NUMBERS).write_text(found.as_json(), encoding="utf-8")
    return path


def _group(name, results):
    own = [result for result in results if result.check.group == name]
    title = f"{name}: {sum(r.passed for r in own)} of {len(own)} checks passed"
    measured = [result.measured for result in own if result.measured is not None]
    return {
        "name": name,
        "about": ABOUT[name],
        "results": own,
        "n_passed": sum(result.passed for result in own),
        "figure": page.drawn(figures.group(title, [(r.check, r.measured) for r in own])),
        "caption": _caption(measured),
        "extra": page.drawn(_EXTRA[name][0]()) if name in _EXTRA else None,
        "extra_caption": _EXTRA[name][1] if name in _EXTRA else "",
    }


def _caption(measured):
    """What the panels of a group show."""
    if any(found.interval for found in measured):
        return f"{_OF_SAMPLES} {_OF_VALUES}"
    kinds = {found.trace.log for found in measured}
    return " ".join(said for log, said in ((True, _OF_LIMITS), (False, _OF_VALUES)) if log in kinds)


def own_data():
    """drift_diffusion and heat_flow on small examples."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    rng = np.random.default_rng(0)
    centers = np.array([[-1.5, 0.0], [1.5, 0.3], [0.2, 2.0]])
    X = centers[np.arange(300) % 3] + 0.55 * rng.normal(size=(300, 2))
    mechanism = lw.Mechanism(kernel=lw.kernels.Gaussian(0.5))
    fields.drift_diffusion(X, mechanism, leave_out=True).plot(left)
    angles = np.arange(200) * np.pi / 100
    circle = np.c_[np.cos(angles), np.sin(angles)]
    f = np.cos(angles) + np.cos(6 * angles)
    mechanism = lw.Mechanism(kernel=lw.kernels.Gaussian(0.2))
    fields.heat_flow(circle, mechanism, f, np.arange(0, 61, 3)).plot(right)
    return figure


def _command(folder, full, only):
    given = ["likewise theory", "--full" if full else "", f"--only {shlex.quote(only)}" if only else ""]
    return " ".join(word for word in [*given, f"--out {shlex.quote(str(folder))}"] if word)


def _number(value, digits=5):
    return "" if value is None else f"{value:.{digits}g}"
