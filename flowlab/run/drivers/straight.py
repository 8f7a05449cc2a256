"""The short cut for a plan of plain functions that each run once: its calls in order, without a state.

The clocks are read once between two calls, where the runtime spends a tenth of what reading the CPU clock costs: one
call's end is the next one's start. What was read is a list of numbers until somebody asks for records; the context's
state is made when somebody asks for it. Invariant: a failure is handed to the state with all that was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowlab.metrics.active import Call
from flowlab.run.drivers.stepping import said
from flowlab.run.layout.steps import Straight, straight
from flowlab.run.outcome.context import Context
from flowlab.run.outcome.log import Row

if TYPE_CHECKING:
    from flowlab.run.drivers.inline import Inline


def run_straight(inline: Inline, context: Context, inputs: Mapping[str, Any], frame: Call) -> bool:
    """Run a context and keep what each call cost; False if one failed and the state has to go on."""
    plan = straight(context.layout)
    cells = plan.cells(inputs)
    clock, cpu = inline.clock, inline.cpu
    frame.custom, frame.inner_ns = None, 0  # the instance's own: reading what a class has costs ten times as much
    told: list[tuple[int, Any]] = []
    started = clock()
    stamps = [started, cpu()]
    try:
        for function, first, second, out, apart in plan.steps:
            if second is None:
                value = function(cells[first])
            elif type(second) is int:
                value = function(cells[first], cells[second])
            else:
                value = function(*[cells[slot] for slot in second])
            stamps += (clock(), cpu())
            if apart is None:
                cells[out] = value
            else:
                _part(apart, value, out, cells, stamps)
            if frame.custom is not None or frame.inner_ns:
                told.append((len(stamps) // 2 - 2, said(frame, stamps[-1] - stamps[-3])))
    except BaseException as error:
        if inline.interrupts.own(error):
            raise
        spent = cpu() - stamps[-1]
        done = len(stamps) // 2 - 1
        _keep(context, plan, stamps, told)
        inline.hand_over(context, inputs, cells, done, stamps[-2], error, spent, frame)
        return False
    context.cells = cells
    if told:
        _keep(context, plan, stamps, told)
    else:
        context.log.straight = plan.nodes, stamps
    return True


def _part(apart: Any, value: Any, out: Any, cells: list[Any], stamps: list[int]) -> None:
    """Take a result apart; if it cannot be, its call did not end well."""
    try:
        for slot, part in zip(out, apart(value), strict=True):
            cells[slot] = part
    except BaseException:
        del stamps[-2:]
        raise


def _keep(context: Context, plan: Straight, stamps: list[int], told: list[tuple[int, Any]]) -> None:
    """Put what was read into the log; what a call said goes with it, as a row."""
    log, extras = context.log, dict(told)
    for at in range(len(stamps) // 2 - 1):
        number, (started, used, ended, read) = plan.nodes[at], stamps[2 * at : 2 * at + 4]
        if at not in extras:
            log.quick += (number, 0, started, ended, read - used)
            continue
        name = context.prefix + log.nodes[number].name
        log.order.append((started, name))
        log.rows.append(
            Row(name, "inline", 1, "ok", None, None, started, ended, read - used, None, log.tid, None, extras[at])
        )


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
    context.log.straight = plan.nodes, []
    return True
