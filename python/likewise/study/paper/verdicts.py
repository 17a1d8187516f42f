"""The paper's three claims for metric-attention: against what, in which setting, and what explains it."""

from dataclasses import dataclass

import numpy as np

from likewise.study.paper import arms, experiments, plan
from likewise.study.paper.statistics import LEVEL

BETTER, WORSE, OPEN = "better", "worse", "not told apart"
STAGES = {plan.PAPER: "at the published settings", plan.CHOSEN: "at a learning rate chosen for each arm"}
OPPONENTS = ("dot", "l2", "none")
LEARNED = 0.05  # accuracy above guessing from which an arm has learned something
HALF = 0.5
ALONE = 1.1  # keys: a perplexity below which a row hears one key only
LOST = 1e-2  # of the variance of rows, below which little is left to learn from


@dataclass(frozen=True)
class Claim:
    """What the paper says is best of metric-attention, as a measure.

    Attributes
    ----------
    name, about : str
    measure : str, as the comparisons have it
    sign : int, +1 where more is better, -1 where less is
    neutral : float, the difference that says nothing: 0, of ratios 1
    """

    name: str
    about: str
    measure: str
    sign: int
    neutral: float = 0.0

    def shown(self, row):
        """A difference with its interval."""
        numbers = (row["difference"], row["low"], row["high"])
        if np.isnan(row["low"]):
            return "(no interval)"
        if self.neutral == 1:
            return "×{:.2f} [{:.2f}, {:.2f}]".format(*numbers)
        return "{} [{}, {}]".format(*map(signed, numbers))


CLAIMS = (
    Claim(
        "Training efficiency",
        "the training loss, its mean over all steps in nats: a curve that falls sooner and further has less",
        "mean_loss",
        -1,
    ),
    Claim("Accuracy", "the share of asked rows whose class is found after the last step", "accuracy", +1),
    Claim(
        "Robustness, as the paper means it",
        "the standard deviation of the final accuracy over repeats, as a ratio; Brown and Forsythe's test",
        "spread",
        -1,
        1.0,
    ),
)


@dataclass(frozen=True)
class Verdict:
    """One claim against one arm under one setting.

    Attributes
    ----------
    claim, stage, against : str
    word : str, what it comes to; details : str, the data sets with their numbers
    explanation : list of str
    """

    claim: str
    stage: str
    against: str
    word: str
    details: str
    explanation: tuple = ()

    @property
    def heading(self):
        """What was compared, and where."""
        return f"Against {arms.get(self.against).title}, {STAGES[self.stage]}"


def verdicts(comparisons, summary):
    """All verdicts that the comparisons have numbers for, by claim, setting and opponent."""
    found = []
    for claim in CLAIMS:
        for stage in STAGES:
            for against in OPPONENTS:
                rows = _rows(comparisons, stage, claim.measure, arms.SUBJECT, against)
                if rows:
                    found.append(_verdict(claim, stage, against, rows, comparisons, summary))
    return found


def _verdict(claim, stage, against, rows, comparisons, summary):
    counted, left_out = _counted(claim, stage, against, rows, summary)
    groups = {BETTER: [], WORSE: [], OPEN: []}
    for row in counted:
        groups[outcome(claim, row)].append(row)
    explanation = ()
    if against == arms.REFERENCE:
        explanation = tuple(_explanation(claim, stage, groups, comparisons, summary))
    details = [
        f"{word} on {'; '.join(f'{_title(row)} {claim.shown(row)}' for row in group)}"
        for word, group in groups.items()
        if group
    ]
    if left_out:
        details.append(left_out)
    return Verdict(
        claim.name, stage, against, word_of(groups), ". ".join(map(_capital, details)), explanation
    )


def outcome(claim, row):
    """Whether metric is better, worse or not told apart, after Holm's correction over the data sets."""
    if not row["holm"] < LEVEL or row["difference"] == claim.neutral:
        return OPEN
    return BETTER if claim.sign * (row["difference"] - claim.neutral) > 0 else WORSE


def word_of(groups):
    """What the outcomes come to, as a sentence; groups: {BETTER: rows, WORSE: rows, OPEN: rows}."""
    better, worse, n = len(groups[BETTER]), len(groups[WORSE]), sum(map(len, groups.values()))
    if n == 0:
        return "Nothing to compare"
    if better and worse:
        return f"Depends on the data set: holds on {better}, the opposite on {worse}, of {_sets(n)}"
    if better:
        return f"Holds on {_of(better, n)}" + ("" if better == n else ", the opposite on none")
    if worse:
        return f"The opposite holds on {_of(worse, n)}" + ("" if worse == n else ", the claim on none")
    return f"Not told apart on any of {_sets(n)}"


def _of(k, n):
    return f"all of {_sets(n)}" if k == n else f"{k} of {_sets(n)}"


def _sets(n):
    return "1 data set" if n == 1 else f"{n} data sets"


def _counted(claim, stage, against, rows, summary):
    """(rows, what is said of the others): the spread of an arm that only guesses is no merit."""
    if claim.measure != "spread":
        return rows, ""
    idle = {
        row["experiment"]: [arm for arm in (arms.SUBJECT, against) if not _learned(summary, stage, row, arm)]
        for row in rows
    }
    left_out = [
        f"{_title(row)} ({' and '.join(arms.get(arm).title for arm in idle[row['experiment']])})"
        for row in rows
        if idle[row["experiment"]]
    ]
    said = f"left out, since an arm there only guesses: {', '.join(left_out)}" if left_out else ""
    return [row for row in rows if not idle[row["experiment"]]], said


def _learned(summary, stage, row, arm):
    found = _of_arm(summary, stage, row["experiment"], arm)
    return found["accuracy"] > found["guessing"] + LEARNED


# --- what explains it ---------------------------------------------------------------------------------------


def _explanation(claim, stage, groups, comparisons, summary):
    """Sentences: what other arms have of the difference, and what the modules could do at the start."""
    clear = [*groups[BETTER], *groups[WORSE]]
    if claim.neutral == 0:
        for word in (BETTER, WORSE):
            if groups[word]:
                yield _shares(claim, stage, word, groups[word], comparisons)
    rates = [_rates(summary, stage, row) for row in clear if _rates(summary, stage, row)]
    if rates:
        yield (
            f"The learning rates are not the same: {'; '.join(rates)}. They were chosen for accuracy, and a "
            "loss falls sooner at a higher one."
        )
    lost = [row for row in clear if _is_lost(summary, stage, row["experiment"])]
    if lost:
        said = "; ".join(f"{_title(row)} {_left(summary, stage, row['experiment'])}" for row in lost)
        yield (
            "Dot's modules start by smoothing nearly all away: of the variance of the rows of H they leave, "
            f"before the first step, {said}. There the difference is one of starts as much as of scores."
        )
    alone = [row for row in [*clear, *groups[OPEN]] if _is_alone(summary, stage, row["experiment"])]
    if alone:
        yield (
            f"On {', '.join(map(_title, alone))} a row of metric attends to one row alone before the first "
            f"step (perplexity below {ALONE}): at temperature 1 its modules pass H on as it is."
        )
    if claim.measure == "spread" and clear:
        yield (
            "A spread shrinks as an accuracy nears 1, too: read it beside the accuracies, "
            + "; ".join(f"{_title(row)} {_accuracies(summary, stage, row['experiment'])}" for row in clear)
            + "."
        )


def _shares(claim, stage, word, clear, comparisons):
    """For each arm beside dot and metric, on how many data sets it alone has half of the difference."""
    at_least_half, numbers = {}, {}
    for arm in (name for name in arms.NAMES if name not in (arms.REFERENCE, arms.SUBJECT)):
        rows = {
            row["experiment"]: row for row in _rows(comparisons, stage, claim.measure, arm, arms.REFERENCE)
        }
        shares = [
            rows[row["experiment"]]["difference"] / row["difference"]
            for row in clear
            if row["experiment"] in rows
        ]
        if shares:
            at_least_half[arm] = sum(share >= HALF for share in shares)
            numbers[arm] = float(np.median(shares))
    said = ", ".join(
        f"{arms.get(arm).title} on {count} (median {percent(numbers[arm])})"
        for arm, count in at_least_half.items()
    )
    return (
        f"Where metric is {word} than dot ({_sets(len(clear))}), half or more of the difference is had by: "
        f"{said}. {_reading(at_least_half, len(clear))}"
    )


def _reading(counts, n):
    """What the counts mean for the claim: the first cause that most of the data sets share."""
    most = n / 2
    if counts.get("none", 0) > most:
        return "Most of it is there without any attention: it is what dot's modules do, not what metric's do."
    if counts.get("dot_identity", 0) > most:
        return "Most of it is where dot starts, not what it compares."
    if counts.get("l2", 0) > most:
        return "Most of it is a distance in the place of a dot product; φ need not be nonlinear."
    if counts.get("dot_phi", 0) > most:
        return "Most of it is the nonlinear φ, under a dot product as under a distance."
    return "No single change from dot has most of it: it takes φ and the distance together."


def _rates(summary, stage, row):
    """The learning rates of metric and dot, where they differ."""
    dot, metric = (_of_arm(summary, stage, row["experiment"], arm) for arm in (arms.REFERENCE, arms.SUBJECT))
    rates = (metric["learning_rate"], dot["learning_rate"])
    return "" if rates[0] == rates[1] else "{} {:g} (dot {:g})".format(_title(row), *rates)


def _is_alone(summary, stage, experiment):
    return _of_arm(summary, stage, experiment, arms.SUBJECT)["perplexity"] < ALONE


def _is_lost(summary, stage, experiment):
    dot, metric = (_of_arm(summary, stage, experiment, arm) for arm in (arms.REFERENCE, arms.SUBJECT))
    return dot["variance_at_start"] < LOST and metric["variance_at_start"] > 10 * dot["variance_at_start"]


def _left(summary, stage, experiment):
    dot, metric = (_of_arm(summary, stage, experiment, arm) for arm in (arms.REFERENCE, arms.SUBJECT))
    return f"{dot['variance_at_start']:.1g} (metric {metric['variance_at_start']:.1g})"


def _accuracies(summary, stage, experiment):
    dot, metric = (_of_arm(summary, stage, experiment, arm) for arm in (arms.REFERENCE, arms.SUBJECT))
    return f"{metric['accuracy']:.3f} (dot {dot['accuracy']:.3f})"


# --- rows ---------------------------------------------------------------------------------------------------


def _rows(comparisons, stage, measure, arm, against):
    """Of every data set that has p-values, as dicts."""
    if comparisons.empty:
        return []
    rows = comparisons[
        (comparisons["stage"] == stage)
        & (comparisons["choice"] == "")
        & (comparisons["measure"] == measure)
        & (comparisons["arm"] == arm)
        & (comparisons["against"] == against)
    ]
    return rows.to_dict("records")


def _of_arm(summary, stage, experiment, arm):
    rows = summary[
        (summary["stage"] == stage)
        & (summary["choice"] == "")
        & (summary["experiment"] == experiment)
        & (summary["arm"] == arm)
    ]
    return rows.iloc[0]


def _title(row):
    return experiments.get(row["experiment"]).title


def _capital(text):
    return text[0].upper() + text[1:]


def percent(x):
    """A share in whole percent."""
    return f"{x:.0%}".replace("-", "−")


def signed(x):
    """Three digits with a sign."""
    return "–" if np.isnan(x) else f"{x:+.3f}".replace("-", "−")
