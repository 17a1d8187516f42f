"""The study of the paper's experiments, from the CSV files in docs/measured/paper: verdicts, figures, report.

Where the files are not there, the page says so.
"""

import shutil

from docutils import nodes
from generated_pages import BUILD, DOCS
from measured import table_of
from sphinx.util.docutils import SphinxDirective

DATA = DOCS / "measured" / "paper"
FIGURES = DOCS / "measured" / "figures"
EXTRA = BUILD / "extra"
NONE = "Not measured yet: docs/measured/paper has no files of `likewise study --paper`."
DESCRIBED = {
    "curves": "Training loss above the accuracy on asked rows over the steps of Adam, two panels for each "
    "data set and a line for each arm of the comparison; the numbers behind it are in paper-curves.csv.",
    "final": "Accuracy on asked rows after the last step, a panel for each data set, a row of points, one "
    "for each seed, for each arm, with the mean and its interval; the numbers behind it are in paper.csv.",
}


def is_there():
    from likewise.study.paper import tables

    return all((DATA / name).exists() for name in tables.FILES.values())


def found():
    """Its tables by name."""
    from likewise.study.paper import tables

    return {name: tables.read(DATA, name) for name in tables.FILES}


def generate(app, config):
    """The study's own page beside the site's, and its figures for the page."""
    shutil.rmtree(FIGURES, ignore_errors=True)
    shutil.rmtree(EXTRA, ignore_errors=True)
    (EXTRA / "study").mkdir(parents=True)
    config.html_extra_path = [str(EXTRA)]
    if not is_there():
        return
    from likewise.study.paper import figures, plan, report

    shutil.copytree(DATA, EXTRA / "study", dirs_exist_ok=True)
    report.write(EXTRA / "study")
    FIGURES.mkdir(parents=True)
    tables = found()
    for stage in (plan.PAPER, plan.CHOSEN):
        for name, table in (("curves", tables["curves"]), ("final", tables["cells"])):
            figure = getattr(figures, name)(table, stage)
            if figure is not None:
                figure.savefig(FIGURES / f"{name}_{stage}.png", dpi=110, facecolor="white")


class About(SphinxDirective):
    """What was run, when and with what."""

    def run(self):
        if not is_there():
            return [nodes.note("", nodes.paragraph("", NONE))]
        tables = found()
        about = dict(zip(tables["about"]["name"], tables["about"]["value"]))
        cells = tables["cells"]
        done = len(cells.drop_duplicates([c for c in cells if c not in ("stage", "choice", "seconds")]))
        said = f"{about['command']}, {about['date']}: {done} of {about['n_planned']} trained networks"
        said += (
            ", then it was stopped; what is missing is missing below."
            if about["interrupted"] == "True"
            else "."
        )
        versions = ", ".join(f"{n[8:]} {v}" for n, v in about.items() if n.startswith("version "))
        return [nodes.paragraph("", said), nodes.paragraph("", f"With {versions}.")]


class Verdicts(SphinxDirective):
    """What each claim comes to, against whom, under which setting."""

    def run(self):
        if not is_there():
            return []
        from likewise.study.paper import arms, tables, verdicts

        data = found()
        all_found = verdicts.verdicts(data["comparisons"], tables.summary(data["cells"]))
        result = []
        for claim in verdicts.CLAIMS:
            rows = [v for v in all_found if v.claim == claim.name]
            lines = [[verdicts.STAGES[v.stage], arms.get(v.against).title, v.word, v.details] for v in rows]
            result += [
                nodes.rubric("", claim.name),
                nodes.paragraph("", f"Measured as {claim.about}."),
                table_of(
                    ["setting", "against", "it comes to", "data sets, difference with its interval"], lines
                ),
            ]
            result += self.explanations(rows)
        return result

    def explanations(self, rows):
        """What explains it, each sentence once."""
        told = list(dict.fromkeys(sentence for v in rows for sentence in v.explanation))
        if not told:
            return []
        items = [nodes.list_item("", nodes.paragraph("", sentence)) for sentence in told]
        return [nodes.paragraph("", "What explains it:"), nodes.bullet_list("", *items)]


class Edges(SphinxDirective):
    """Which chosen learning rates lie at an edge of what was tried."""

    def run(self):
        if not is_there():
            return []
        from likewise.study.paper import report

        return [nodes.paragraph("", report.edges(found()["rates"]))]


class Figure(SphinxDirective):
    """One of the study's figures: ``{paper-figure} curves paper``."""

    required_arguments = 2

    def run(self):
        name, stage = self.arguments
        path = FIGURES / f"{name}_{stage}.png"
        if not path.exists():
            return []
        image = nodes.image(uri=f"/measured/figures/{path.name}", alt=DESCRIBED[name])
        self.set_source_info(image)
        return [nodes.reference("", "", image, refuri=f"../_images/{path.name}")]


def setup(app):
    app.connect("config-inited", generate)
    app.add_directive("paper-about", About)
    app.add_directive("paper-verdicts", Verdicts)
    app.add_directive("paper-edges", Edges)
    app.add_directive("paper-figure", Figure)
    return {"parallel_read_safe": True}
