"""The command `flowlab`: parse what was typed, call the package, print what it returns.

Nothing is decided here that the package does not decide. Invariant: every failure the package can explain is one
sentence on standard error and an exit status that is not 0, never a traceback.
"""

import sys
from collections.abc import Sequence

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; an interrupt while it is still being loaded is one sentence, too.

    Args:
        arguments: What was typed after `flowlab`; None for this process's own.

    Returns:
        The exit status: 0, or why not.
    """
    try:
        from flowlab.cli.commands import execute

        return execute(arguments)
    except KeyboardInterrupt:
        print("flowlab: interrupted: everything that was started has been ended", file=sys.stderr)
        return INTERRUPTED
