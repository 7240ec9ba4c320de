"""From a recorder that has stopped to a program: plan, passes, guards, schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cygrad.autograd import Value
from cygrad.compiler.passes import optimize
from cygrad.compiler.plan.plan import Plan
from cygrad.compiler.program.modules import ModuleGuard, tensors_of
from cygrad.compiler.program.program import Program
from cygrad.compiler.program.result import result_of
from cygrad.compiler.program.schedule import Schedule, needs_order
from cygrad.compiler.record.address_map import address, owner_of
from cygrad.compiler.record.arguments import Arguments, span_of
from cygrad.compiler.record.recorder import Recorder
from cygrad.compiler.replay.replay import (
    Binding,
    Effects,
    GradientSlot,
    Guards,
    Inputs,
    LeafGuard,
    OptimizerUpdate,
    Replay,
)

__all__ = ["build_program"]


def build_program(
    name: str, recorder: Recorder, arguments: Arguments, value: Any, grad_mode: bool, bindings: list[Binding]
) -> Program:
    """The program of a recorded step.

    Args:
        name: the name of the function, for messages
        recorder: a recorder that has stopped
        arguments: the arguments of the recorded call
        value: what the recorded call returned
        grad_mode: whether gradients were enabled
        bindings: the names that the program depends on
    """
    inputs = Inputs(arguments.flat, arguments.given, arguments.buffers, arguments.structure, arguments.groups)
    result = result_of(value, recorder.computed(), arguments)
    plan = Plan(recorder, [*result.arrays, *recorder.visible()])
    leaves = leaves_of(recorder)
    written = leaves_written(leaves, plan)
    inputs.connect(*memory_used(recorder, plan, arguments))

    updates = {id(launch.event): OptimizerUpdate(*launch) for launch in recorder.optimizer_launches}
    gradients = [gradient_slot(gradient) for gradient in recorder.gradients.values()]
    created = recorder.created()
    lasting = [slot for slot in gradients if id(slot.leaf) not in created]
    modules = ModuleGuard(recorder.all_modules(), leaves, [update.optimizer for update in updates.values()])
    watched = watched_elsewhere(recorder)
    leaf_guards = [LeafGuard(leaf) for leaf in leaves if id(leaf) not in watched]
    guards = Guards(grad_mode, leaf_guards, gradients, bindings, modules.holds, list(updates.values()))

    in_order = needs_order(recorder)
    layout = optimize(plan, in_order)
    schedule = Schedule(plan.events, layout, updates, recorder, in_order)
    effects = Effects(gradients, [leaf.version for leaf in written], [] if in_order else guards.updates, schedule.draws)
    parts, first_update = schedule.parts, schedule.first_update
    replay = Replay(inputs, guards, effects, parts, first_update, result.arrays, result.build, result.returned)
    return Program(name, replay, plan, layout, written, lasting, modules, recorder.changed, result.all_computed)


def leaves_of(recorder: Recorder) -> list[Value]:
    """The tensors that existed before the step: operands, and all parameters and buffers of the modules called."""
    created = recorder.created()
    leaves = {key: leaf for key, leaf in recorder.leaves.items() if key not in created}
    for module in recorder.modules.values():
        for tensor in tensors_of(module):
            leaves.setdefault(id(tensor), tensor)
    return list(leaves.values())


def watched_elsewhere(recorder: Recorder) -> set[int]:
    """The ids of tensors whose arrays other guards compare: the states of optimizers, and gradients."""
    states = {id(t) for launch in recorder.optimizer_launches for state in launch.tensors for t in state.values()}
    slots = recorder.gradients.values()
    return states | {id(slot.before) for slot in slots} | {id(slot.after) for slot in slots}


def leaves_written(leaves: Sequence[Value], plan: Plan) -> list[Value]:
    """Those of the leaves that the events write to."""
    written = {key for event in plan.events for key in plan.written_by(event)}
    return [leaf for leaf in leaves if address(owner_of(leaf.array)) in written]


def memory_used(recorder: Recorder, plan: Plan, arguments: Arguments) -> tuple[list[Any], list[Any], list[Any]]:
    """The tensor arguments that the events write to, each with the number of writes; and the spans of memory from
    before the step, other than the buffers, that they write, and that they use."""
    inside = {*plan.temporary, *[address(owner_of(buffer)) for buffer in arguments.buffers.values()]}
    outside = {key: array for key, array in plan.known.arrays.items() if key not in inside}
    return (
        [(i, arguments.writes(i)) for i in arguments.changed],
        [span_of(array) for key, array in outside.items() if key in recorder.changed],
        [span_of(array) for array in outside.values()],
    )


def gradient_slot(gradient: Any) -> GradientSlot:
    before = None if gradient.before is None else gradient.before.array
    return GradientSlot(gradient.leaf, before, gradient.deleted, gradient.after)
