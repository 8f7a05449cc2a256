"""Live progress: how far long work is, shown while it goes on, in a notebook, on a terminal or as plain lines.

Here are the counts that are shown, how a rate and the remaining time are worked out of them, the one thread that draws,
and the pages it draws on. Not here: where counts come from (a run's headway, a comparison). Invariant: the thread only
reads snapshots, draws at most ten times a second and less often where drawing would cost more than half a hundredth of
a core, and is gone when what it shows has ended.
"""

from flowlab.live.counts import Count
from flowlab.live.showing import Steps, show_progress, shown

__all__ = ["Count", "Steps", "show_progress", "shown"]
