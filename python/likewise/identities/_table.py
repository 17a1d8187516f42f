"""Findings as text for a terminal, and as JSON."""

import json

_FORMULA = 86  # columns of the longest formula


def of_finding(finding):
    """A line for the identity, and one for each of its formulas."""
    verdict = "pass" if finding.holds else "FAIL"
    title = f"{finding.number:>2}  {finding.title:<{_FORMULA}}  {verdict}"
    return "\n".join([title, *map(_of_check, finding.checks)])


def _of_check(check):
    numbers = f"{check.difference:8.1e} {'>' if check.differs else '<='} {check.tolerance:.1e}"
    return f"    {check.formula:<{_FORMULA}}{numbers}{'' if check.holds else '  <- fails'}"


def table(findings, data=""):
    """All findings, a line a formula: how far its sides are apart, and what rounding allows.

    Parameters
    ----------
    findings : list of Finding
    data : str, what they were checked on
    """
    findings = list(findings)
    failed = [finding for finding in findings if not finding.holds]
    summary = f"{len(findings) - len(failed)} of {len(findings)} hold"
    if failed:
        summary += "; failed: " + ", ".join(f"{finding.number} {finding.name}" for finding in failed)
    about = (
        f"Identities{data and f' on {data}'}: the largest difference of the two sides, as a share of the\n"
        "largest entry; <= what rounding may do to them, > where two things are not the same."
    )
    return "\n".join([about, "", *map(of_finding, findings), "", summary])


def as_json(findings, data=""):
    """The same as a JSON text."""
    rows = [_as_dict(finding) for finding in findings]
    return json.dumps({"data": data, "hold": all(row["holds"] for row in rows), "identities": rows}, indent=1)


def _as_dict(finding):
    checks = [
        {
            "formula": check.formula,
            "difference": check.difference if check.difference < float("inf") else None,
            "tolerance": check.tolerance,
            "must_differ": check.differs,
            "holds": check.holds,
        }
        for check in finding.checks
    ]
    about = {name: getattr(finding, name) for name in ("number", "name", "title", "holds")}
    return {**about, "checks": checks}
