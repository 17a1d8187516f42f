"""The command line: ``likewise`` or ``python -m likewise``."""

import argparse
import dataclasses
import pathlib
import sys

import likewise


def main(argv=None):
    """Run the command line; returns the exit status.

    0; 1 where an identity or a check of theory fails, 2 for what does not fit, 130 after Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except (ValueError, TypeError, ModuleNotFoundError) as error:
        print(f"likewise {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser():
    parser = argparse.ArgumentParser(prog="likewise", description=likewise.__doc__)
    parser.add_argument("--version", action="version", version=f"likewise {likewise.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_study(commands)
    _add_bench(commands)
    _add_explain(commands)
    _add_identities(commands)
    _add_play(commands)
    _add_theory(commands)
    return parser


def _add_study(commands):
    about = "compare methods under metrics, kernels, normalizations and supports, one dial at a time"
    study = commands.add_parser("study", help=about, description=about)
    study.set_defaults(run=_study)
    study.add_argument("--config", metavar="FILE.toml", help="settings as TOML; options given here win")
    study.add_argument("--data", nargs="+", metavar="NAME", help="data sets by name, or .csv files")
    study.add_argument("--target", metavar="COLUMN", help="column of the .csv files to predict")
    for dial in ("methods", "metrics", "kernels", "normalizations", "supports"):
        study.add_argument(f"--{dial}", nargs="*", metavar="NAME", help=f"{dial} to compare (default: all)")
    study.add_argument("--repeats", type=int, help="paired splits (default 10; 3 with --quick)")
    study.add_argument(
        "--n-samples", type=int, help="rows of a split (default 240, or 400; 150 with --quick)"
    )
    study.add_argument("--seed", type=int, help="default 0")
    study.add_argument("--jobs", type=int, help="worker processes (default: one a core)")
    study.add_argument("--out", metavar="FOLDER", help="for report.html and CSV files (default study-report)")
    study.add_argument("--quick", action="store_true", default=None, help="a first look in under a minute")
    instead = study.add_mutually_exclusive_group()
    instead.add_argument(
        "--transfer", action="store_true", help="instead: a metric that one method learned in every other one"
    )
    instead.add_argument(
        "--arms", action="store_true", help="instead: attention from dot products to a metric, step by step"
    )
    instead.add_argument(
        "--paper",
        action="store_true",
        help="instead: the experiments of the paper, and what may explain them",
    )
    study.add_argument(
        "--full", action="store_true", default=None, help="with --paper: the large data sets too, hours"
    )
    study.add_argument(
        "--no-agreement", dest="agreement", action="store_false", default=None, help="leave out scikit-learn"
    )


def _add_bench(commands):
    about = "measure likewise beside the libraries people use; equal answers are checked before timing"
    bench = commands.add_parser("bench", help=about, description=about)
    bench.set_defaults(run=_bench)
    bench.add_argument("--only", nargs="+", metavar="NAME", help="workloads or groups, as --list shows them")
    bench.add_argument("--threads", nargs="+", type=int, metavar="N", help="numbers of threads (default 1 2)")
    bench.add_argument(
        "--rounds", type=int, help="interleaved rounds, at least 3 (default 9; 3 with --quick)"
    )
    bench.add_argument("--no-memory", dest="memory", action="store_false", default=None, help="times only")
    bench.add_argument("--out", metavar="FOLDER", help="for the page, JSON and CSV (default bench-report)")
    bench.add_argument("--quick", action="store_true", default=None, help="small sizes, under two minutes")
    bench.add_argument("--list", action="store_true", help="show the workloads and end")
    bench.add_argument(
        "--random", type=int, metavar="SEED", help="instead: shapes drawn at random; --only names their kinds"
    )
    bench.add_argument("--count", type=int, default=300, help="with --random: how many shapes (default 300)")


def _add_explain(commands):
    about = "print the equation of a method with its slots, or read the attention heads of a transformer"
    explain = commands.add_parser("explain", help=about, description=about)
    explain.set_defaults(run=_explain)
    explain.add_argument(
        "method",
        metavar="METHOD|DIR",
        help="such as k_nearest_neighbors or KNeighborsClassifier; or the folder of a model of BERT type, "
        "or all-MiniLM-L6-v2, whose package is installed",
    )
    model = explain.add_argument_group("of a model")
    model.add_argument("--texts", metavar="FILE", help="a text in each line (default: 100 sentences of ours)")
    model.add_argument("--layers", nargs="+", type=int, metavar="N", help="from 0 (default: all)")
    model.add_argument(
        "--ablate", action="store_true", default=None, help="what survives when heads become one mechanism"
    )
    model.add_argument("--figure", metavar="FILE.png", help="layers x heads as a picture")
    model.add_argument("--json", metavar="FILE.json", help="all numbers")
    model.add_argument("--page", metavar="FILE.html", help="all of it as a page")


def _add_play(commands):
    about = "points to drag and the five slots as dials, in the browser; served on this machine only"
    play = commands.add_parser("play", help=about, description=about)
    play.set_defaults(run=_play)
    play.add_argument("--port", type=int, help="of 127.0.0.1 (default 8417; 0 takes any free one)")
    play.add_argument(
        "--no-browser", dest="open_browser", action="store_false", help="print the address only"
    )


def _add_identities(commands):
    about = "check identities between methods on data, both sides by different routes of the library"
    identities = commands.add_parser("identities", help=about, description=f"{about}; status 1: one fails")
    identities.set_defaults(run=_identities)
    identities.add_argument(
        "--data", metavar="NAME", help="a data set by name, or a .csv file (default irises)"
    )
    identities.add_argument("--target", metavar="COLUMN", help="column of the .csv file that holds classes")
    identities.add_argument("--only", nargs="+", metavar="NAME", help="names or numbers (default: all)")
    identities.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _add_theory(commands):
    about = "measure what one step tends to beside what theory says, and write a page with figures"
    theory = commands.add_parser("theory", help=about, description=f"{about}; status 1: a check fails")
    theory.set_defaults(run=_theory)
    theory.add_argument("--full", action="store_true", help="the Monte Carlo checks too, a minute or two")
    theory.add_argument("--out", metavar="FOLDER", default="theory-report", help="default theory-report")
    theory.add_argument("--only", metavar="TEXT", default="", help="part of a name, a group or a source")
    theory.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _study(arguments):
    from likewise import study

    if arguments.paper:
        return _paper_study(arguments)
    if arguments.transfer or arguments.arms:
        return _paired_study(arguments)
    if arguments.full:
        raise ValueError("full must be given with --paper.")
    given = _given(study.Settings, arguments)
    settings = study.from_toml(arguments.config, **given) if arguments.config else study.Settings(**given)
    if settings.jobs is None:
        settings = dataclasses.replace(settings, jobs=-1)
    done = study.run(settings, progress=True)
    return _end_of(done)


def _paired_study(arguments):
    from likewise.study import arms, transfer

    names = ("data", "target", "repeats", "n_samples", "seed", "out", "quick")
    given = _given_of(names, arguments, "--transfer or --arms")
    return _end_of((arms if arguments.arms else transfer).run(**given, progress=True))


def _paper_study(arguments):
    from likewise.study import paper

    given = _given_of(("data", "repeats", "seed", "jobs", "out", "full", "quick"), arguments, "--paper")
    return _end_of(paper.run(**{"jobs": -1, **given}, progress=True))


def _given_of(names, arguments, study):
    """The options of these names that were given; a ValueError for another one."""
    for name, value in vars(arguments).items():
        if name not in (*names, "command", "run", "transfer", "arms", "paper") and value is not None:
            raise ValueError(f"{name} must not be given with {study}; got {value!r}.")
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


def _end_of(done):
    """Print where the report is; the exit status."""
    print(done.report)
    return 130 if done.interrupted else 0


def _bench(arguments):
    from likewise import bench

    if arguments.list:
        print(bench.listing())
        return 0
    if arguments.random is not None:
        return _random_shapes(arguments)
    settings = bench.Settings(**_given(bench.Settings, arguments))
    found = bench.run(settings, progress=True)
    print(bench.table(found))
    print(pathlib.Path(settings.out) / "report.html")
    return 130 if found.interrupted else 0


def _random_shapes(arguments):
    from likewise.bench import shapes

    out = pathlib.Path(arguments.out or "bench-report")
    found = shapes.run(
        arguments.random,
        arguments.count,
        only=arguments.only,
        threads=arguments.threads,
        out=out,
        progress=True,
    )
    name = f"shapes-{found.seed}.md"
    print((out / name).read_text(encoding="utf-8"))
    print(out / name)
    return 130 if found.interrupted else 0


def _given(settings, arguments):
    """The fields of a settings class that were given as options."""
    names = [field.name for field in dataclasses.fields(settings)]
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


def _identities(arguments):
    from likewise import identities

    X, y, about = identities.open_points(arguments.data, arguments.target)
    found = identities.check(X, y, only=arguments.only)
    print((identities.as_json if arguments.json else identities.table)(found, about))
    return 0 if all(finding.holds for finding in found) else 1


def _theory(arguments):
    from likewise import theory

    found = theory.run(full=arguments.full, only=arguments.only, out=arguments.out, progress=True)
    print(found.as_json() if arguments.json else f"{found.table()}\n{found.report}")
    return 0 if found.passed else 1


def _explain(arguments):
    from likewise import _explain

    names = ("texts", "layers", "ablate", "figure", "json", "page")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    if _explain.is_model(arguments.method):
        from likewise.heads import _command

        print(_command.run(arguments.method, **given))
        return 0
    if given:
        raise ValueError(
            f"{next(iter(given))} must be given with the folder of a model; {arguments.method!r} is none."
        )
    print(_explain.explain_method(arguments.method))
    return 0


def _play(arguments):
    from likewise import play

    return play.serve(arguments.port, arguments.open_browser)


if __name__ == "__main__":
    sys.exit(main())
