"""What came out of a context: its values, what each call cost, what failed, and why something did not happen.

Here live the context (a state with its log and its failures), the log, the run handed to the caller, its explanations
and its drawing. Invariant: it only reads the state.
"""

__all__: list[str] = []
