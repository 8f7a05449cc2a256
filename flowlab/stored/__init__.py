"""Runs kept in a file: one SQLite database a user, written while runs go on.

Here are where the file lies, its form, the keeper that appends to it, and the runs read back. Not here: what is
measured (`metrics`), and who opens the store: the command line, the notebooks, and `fl.store`, `fl.runs`, `fl.load`.
Invariant: a file that is not a store of this version is never written to, a file that is written to is whole at every
moment, and what goes wrong with it is a warning that leaves the run alone. sqlite3 is loaded when a file is opened.
"""

from flowlab.stored.keeper import StoreWarning, store
from flowlab.stored.listing import StoredRuns, load, prune, runs
from flowlab.stored.run import RunSummary, StoredRun

__all__ = ["RunSummary", "StoreWarning", "StoredRun", "StoredRuns", "load", "prune", "runs", "store"]
