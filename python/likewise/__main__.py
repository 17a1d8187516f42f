"""The command line: ``likewise`` or ``python -m likewise``."""

import argparse
import sys

import likewise


def main(argv=None):
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="likewise", description=likewise.__doc__)
    parser.add_argument("--version", action="version", version=f"likewise {likewise.__version__}")
    parser.parse_args(argv)
    parser.print_help()
    return 0


if __name__ == "__main__":
    sys.exit(main())
