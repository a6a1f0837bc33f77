"""The command line: argv → flow → text and exit code. One verb, or one family of them, a file."""

import sys


def main() -> int:
    """Runs one command; the exit code. The only place where errors become messages."""
    from runner.cli.app import build  # imported late: `--help` has to be quick

    return build(sys.argv[1:])
