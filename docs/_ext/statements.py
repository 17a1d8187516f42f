"""What the library checks about itself: `likewise identities`, `likewise theory`, run as the site is built.

    ```{identities} 1 to 14
    ```
    ```{theory} Limits of one step
    ```
    ```{theory-figure} learned_metric
    ```
    ```{printed} slip: m0 left out
    ```
    ```{sampling} theory-sampling-2026-12-01.json
    ```

A statement that does not hold is a warning of the build: `make docs` fails. Monte Carlo checks take longer;
their page shows a file that `likewise theory --full --json` wrote, with the day in its name.
"""

import inspect
import json
import re
from pathlib import Path

from docutils import nodes
from measured import table_of
from paper_study import FIGURES
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)
AFTER_THE_STUDY = 600  # which empties the folder of figures
FOUND = {}  # "identities": {number: Finding}, "theory": {name: Result}, "when": text
EXTRA_FIGURES = {
    "layer": "Steps near an edge, divided by the root of eps, over the distance from the edge: dots lie on "
    "the predicted curve n(t)/N(t), which falls from 0.8 to nearly 0 within three lengths.",
    "learned_metric": "Left: length in phi of a unit of the curve, and distance to the nearest far token. "
    "Right: the number of groups of rows falls from five to one over the steps, as the number of eigenvalues "
    "near 1 does.",
}


# --- running -----------------------------------------------------------------------------------------------


def generate(app, config):
    """Run the checks, warn of those that fail, draw the figures."""
    from likewise import identities, theory
    from likewise._experiments import page

    FOUND["identities"] = {finding.number: finding for finding in identities.check()}
    FOUND["theory"] = {result.check.name: result for result in theory.run().results}
    FOUND["when"] = page.today()
    for finding in FOUND["identities"].values():
        if not finding.holds:
            logger.warning("identity %s does not hold: %s", finding.number, finding.title)
    for result in FOUND["theory"].values():
        if not result.passed:
            logger.warning("%s failed: %s", result.check.name, result.error or result.measured)
    draw()


def draw():
    from likewise.theory import ABOUT, figures

    FIGURES.mkdir(parents=True, exist_ok=True)
    for group in ABOUT:
        shown = [(r.check, r.measured) for r in results_of(group)]
        passed = sum(r.passed for r in results_of(group))
        _save(figures.group(f"{group}: {passed} of {len(shown)} checks passed", shown), file_of(group))
    for name in EXTRA_FIGURES:
        _save(getattr(figures, name)(), file_of(name))


def _save(figure, name):
    if figure is not None:
        figure.savefig(FIGURES / name, dpi=90, facecolor="white")


def file_of(name):
    return f"theory_{re.sub('[^a-z0-9]+', '_', name.lower())}.png"


def results_of(group):
    return [result for result in FOUND["theory"].values() if result.check.group == group]


# --- what is on a page -------------------------------------------------------------------------------------


class OfSite(SphinxDirective):
    """A directive whose one argument is all that stands behind its name."""

    required_arguments = 1
    final_argument_whitespace = True

    def figure(self, file, alt):
        """A picture that leads to its full size."""
        image = nodes.image(uri=f"/measured/figures/{file}", alt=alt)
        self.set_source_info(image)
        return nodes.reference("", "", image, refuri=f"../_images/{file}")


class Ran(SphinxDirective):
    """When the checks of this site were run, and with what."""

    def run(self):
        from likewise._experiments import page

        hold = [finding.holds for finding in FOUND["identities"].values()]
        passed = [result.passed for result in FOUND["theory"].values()]
        versions = ", ".join(f"{n} {v}" for n, v in page.versions(("numpy", "scipy")).items())
        said = (
            f"Run while this site was built, {FOUND['when']}: {sum(hold)} of {len(hold)} identities and "
            f"{sum(passed)} of {len(passed)} checks of theory hold ({versions})."
        )
        return [nodes.paragraph("", said)]


class Identities(OfSite):
    """Identities by number: formulas, how far their sides are apart, who found them, both sides in code."""

    def run(self):
        from likewise import identities

        first, last = re.fullmatch(r"(\d+)(?: to (\d+))?", self.arguments[0]).groups()
        asked = range(int(first), int(last or first) + 1)
        return [node for row in identities.registry() if row.number in asked for node in self.of(row)]

    def of(self, row):
        title = nodes.rubric("", f"{row.number}. {row.title}", ids=[f"identity-{row.number}"])
        lines = [
            [
                nodes.literal("", re.sub(" +", " ", check.formula)),
                f"{check.difference:.1e}",
                f"{'>' if check.differs else '≤'} {check.tolerance:.1e}",
            ]
            for check in FOUND["identities"][row.number].checks
        ]
        about = inspect.getdoc(row.function).split("\n\n")
        return [
            title,
            *(nodes.paragraph("", " ".join(part.split())) for part in about),
            table_of(["formula", "measured", "must be"], lines),
            *self.parse_text_to_nodes(_code_of(row)),
        ]


def _code_of(row):
    """Source, and the function that computes both sides, folded."""
    module = row.function.__module__.replace(".", "/")
    return f"""Source: {row.source}. {{py:func}}`likewise.identities.{row.name}` checks it on your data.

:::{{dropdown}} Both sides in code
```{{literalinclude}} /../python/{module}.py
:pyobject: {row.name}
:language: python
```
:::
"""


class Theory(OfSite):
    """A group of checks: what it is about, its figure, a row for each."""

    def run(self):
        from likewise.theory import ABOUT

        group = self.arguments[0]
        results = results_of(group)
        names = "; ".join(result.check.name for result in results)
        alt = f"{len(results)} panels with the numbers of the table below, one for each check: {names}."
        return [
            nodes.paragraph("", ABOUT[group]),
            self.figure(file_of(group), alt),
            of_results([result.as_dict() for result in results]),
        ]


def of_results(rows):
    """A table of results as the command's JSON has them."""
    sampled = any(row["interval"] for row in rows)
    between = ["99 % interval"] if sampled else ["Richardson", "order"]
    lines = []
    for row in rows:
        about = [nodes.strong("", row["name"]), nodes.literal("", row["statement"])]
        about.append(nodes.emphasis("", row["source"]))
        what = nodes.container("", *(nodes.paragraph("", "", part) for part in about))
        low_high = "[{:.3g}, {:.3g}]".format(*row["interval"]) if sampled else None
        numbers = [low_high] if sampled else [number(row["richardson"]), number(row["order"], 3)]
        off = f"{row['error']:.1e} ≤ {row['tolerance']:.0e}"
        lines.append([what, number(row["predicted"]), number(row["measured"]), *numbers, off])
    return table_of(["check", "predicted", "measured", *between, "off by"], lines)


def number(value, digits=5):
    return "" if value is None else f"{value:.{digits}g}"


class TheoryFigure(OfSite):
    """One of the figures that are no table."""

    def run(self):
        return [self.figure(file_of(self.arguments[0]), EXTRA_FIGURES[self.arguments[0]])]


class Printed(OfSite):
    """How far a printed formula and the corrected one are from what is measured, at falling eps."""

    def run(self):
        lines = []
        for result in FOUND["theory"].values():
            if result.check.name.startswith(self.arguments[0]):
                found, errors = result.measured, result.measured.trace.errors
                lines.append(
                    [
                        result.check.name,
                        number(found.predicted),
                        number(found.richardson),
                        _falling(errors["measured"]),
                        _falling(errors["printed formula"]) if "printed formula" in errors else "-",
                    ]
                )
        assert lines, f"no check begins with {self.arguments[0]!r}"
        columns = ["check", "corrected value", "measured (Richardson)", "corrected, off by at ε, ε/2, ε/4",
                   "printed, off by at ε, ε/2, ε/4"]  # fmt: skip
        return [table_of(columns, lines)]


def _falling(errors):
    return ", ".join(f"{error:.2g}" for error in errors)


class Sampling(OfSite):
    """Monte Carlo checks, from the command's JSON in docs/measured."""

    def run(self):
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        rows = json.loads(Path(path).read_text(encoding="utf-8"))
        day = re.search(r"\d{4}-\d\d-\d\d", self.arguments[0])[0]
        source = f"From docs/measured/{self.arguments[0]}, run on {day}."
        return [of_results(rows), nodes.paragraph("", source, classes=["measured-source"])]


def setup(app):
    app.connect("config-inited", generate, priority=AFTER_THE_STUDY)
    for name, directive in (
        ("statements-ran", Ran),
        ("identities", Identities),
        ("theory", Theory),
        ("theory-figure", TheoryFigure),
        ("printed", Printed),
        ("sampling", Sampling),
    ):
        app.add_directive(name, directive)
    return {"parallel_read_safe": True}
