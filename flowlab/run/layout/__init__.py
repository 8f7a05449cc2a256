"""What is worked out before anything runs, once for each set of names given and wanted.

Here live nodes and slots (a plan, numbered), over what each definition's values range, who is tried when an Input
arrives, which lists and locks a call belongs to, and how a node's function is called. Not here: anything that changes
while a context runs (`state`). Invariant: a layout is never changed once built, so that contexts share it.
"""

__all__: list[str] = []
