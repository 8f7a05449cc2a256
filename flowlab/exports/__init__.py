"""Runs as files that other tools read: tables, lines of JSON, traces.

Here are the formats and the one function that chooses among them by a file's ending. Not here: the store, which flowlab
reads back itself. Invariant: a file is written whole or not at all, and what was not measured is left out or empty,
never 0.
"""

from flowlab.exports.exporting import export

__all__ = ["export"]
