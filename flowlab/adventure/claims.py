"""Claims: a sentence about speed or size, held against what was just measured.

Here: one function. The invariant: a claim that does not hold stops the notebook, unless the machine was too busy to
tell, which is then said; at scale tiny nothing is claimed, because there start-up outweighs the work.
"""

from __future__ import annotations


def claim(text: str, gain: float, at_least: float, noise: float, scale: str, own: str = "") -> str:
    """Return the claim with its figures, one sentence.

    Args:
        text: What is claimed.
        gain: The factor measured.
        at_least: The factor below which the claim is false; its distance from the usual gain is the margin.
        noise: The factor by which this machine, here and now, moves equal runs.
        scale: The scale of the run; at tiny nothing is asserted.
        own: What the reader set differently from the scale; then nothing is asserted either, it is their experiment.

    Raises:
        AssertionError: The gain is smaller, and the noise cannot explain it.
    """
    figures = f"measured {gain:.2f} x, claimed at least {at_least:g} x, noise {noise:.2f} x"
    if scale == "tiny":
        return f"Not asserted at scale tiny: {text} ({figures})."
    if own:
        return f"Not asserted, since you chose {own}: {text} ({figures})."
    if gain >= at_least:
        return f"Holds: {text} ({figures})."
    if gain * noise >= at_least:
        return f"This machine is too busy to tell: {text} ({figures}). Run it again when it is quiet."
    raise AssertionError(f"does not hold here: {text} ({figures})")
