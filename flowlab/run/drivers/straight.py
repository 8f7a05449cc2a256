"""The short cut for a plan of plain functions that each run once: its calls in order, without a state.

The clock is read once between two calls, where the runtime spends little: one call's end is the next one's start. The
CPU clock is read once for a few calls where they are short (`sharing`). What was read is a list of numbers until
somebody asks for records; the context's state is made when somebody asks for it. Invariant: a failure is handed to the
state with all that was made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flowlab.metrics.active import Call
from flowlab.run.drivers.stepping import said
from flowlab.run.layout.steps import Straight, straight
from flowlab.run.outcome.context import Context
from flowlab.run.outcome.log import Row
from flowlab.run.outcome.sharing import SHORT_NS, shares

if TYPE_CHECKING:
    from flowlab.run.drivers.inline import Inline


def run_straight(inline: Inline, context: Context, inputs: Mapping[str, Any], frame: Call) -> bool:
    """Run a context and keep what each call cost; False if one failed and the state has to go on."""
    plan = straight(context.layout)
    cells = plan.cells(inputs)
    clock, cpu = inline.clock, inline.cpu
    frame.custom, frame.inner_ns = None, 0  # the instance's own: reading what a class has costs more
    told: dict[int, Any] = {}
    walls = [clock()]
    reads = [0, cpu()]
    stamp, latest = walls.append, walls[0] + SHORT_NS
    try:
        for chunk in plan.chunks:
            for function, first, second, out, apart in chunk:
                if second is None:
                    value = function(cells[first])
                elif type(second) is int:
                    value = function(cells[first], cells[second])
                else:
                    value = function(*[cells[slot] for slot in second])
                ended = clock()
                if apart is None:
                    cells[out] = value
                else:
                    for slot, part in zip(out, apart(value), strict=True):
                        cells[slot] = part
                stamp(ended)
                if ended > latest:
                    reads += (len(walls) - 1, cpu())
                    latest = ended + SHORT_NS
                if frame.custom is not None or frame.inner_ns:
                    told[len(walls) - 2] = _told(frame, walls, reads, cpu)
            if reads[-2] != len(walls) - 1:
                reads += (len(walls) - 1, cpu())
    except BaseException as error:
        if inline.interrupts.own(error):
            raise
        spent = cpu() - reads[-1] - (walls[-1] - walls[reads[-2]])
        if reads[-2] != len(walls) - 1:
            reads += (len(walls) - 1, reads[-1] + walls[-1] - walls[reads[-2]])
        _keep(context, plan, walls, reads, told)
        inline.hand_over(context, inputs, cells, len(walls) - 1, walls[-1], error, max(0, spent), frame)
        return False
    context.cells = cells
    if told:
        _keep(context, plan, walls, reads, told)
    else:
        context.log.straight = plan.nodes, walls, reads
    return True


def _told(frame: Call, walls: list[int], reads: list[int], cpu: Callable[[], int]) -> Any:
    """What a call said; its CPU is read for it alone as well as that can be."""
    at = len(walls) - 1
    if reads[-2] != at:
        reads += (at, cpu())
    first, used, _, read = reads[-4:]
    short = walls[at - 1] - walls[first]
    extra = said(frame, max(read - used - short, frame.inner_ns))
    return {"cpu_quality": "estimated", **(extra or {})} if short else extra


def _keep(context: Context, plan: Straight, walls: list[int], reads: list[int], told: dict[int, Any]) -> None:
    """Put what was read into the log; what a call said goes with it, as a row."""
    log = context.log
    for at, (started, ended, spent, guessed) in enumerate(shares(walls, reads)):
        number = plan.nodes[at]
        if at not in told:
            log.add(number, started, ended, spent, guessed)
            continue
        name = context.prefix + log.nodes[number].name
        log.order.append((started, name))
        log.rows.append(Row(name, "inline", 1, "ok", None, None, started, ended, spent, None, log.tid, None, told[at]))


def run_bare(inline: Inline, context: Context, inputs: Mapping[str, Any], frame: Call) -> bool:
    """The same without clocks, for a run without records."""
    plan = straight(context.layout)
    cells = plan.cells(inputs)
    done = 0
    try:
        for function, first, second, out, apart in plan.steps:
            if second is None:
                value = function(cells[first])
            elif type(second) is int:
                value = function(cells[first], cells[second])
            else:
                value = function(*[cells[slot] for slot in second])
            if apart is None:
                cells[out] = value
            else:
                for slot, part in zip(out, apart(value), strict=True):
                    cells[slot] = part
            done += 1
    except BaseException as error:
        if inline.interrupts.own(error):
            raise
        context.log.names += [context.prefix + context.layout.nodes[number].name for number in plan.nodes[:done]]
        inline.hand_over(context, inputs, cells, done, 0, error, None, frame)
        return False
    context.cells = cells
    context.log.straight = plan.nodes, [], []
    return True
