"""The command `flowlab`: parse what was typed, call the package, print what it returns.

Nothing is decided here that the package does not decide. Invariant: every failure the package can explain is one
sentence on standard error and an exit status that is not 0, never a traceback.
"""

from flowlab.cli.commands import main

__all__ = ["main"]
