"""What makes a program legal, as a check that runs."""

from __future__ import annotations

from retrograd.errors import GraphError
from retrograd.graph.node import CONSTANT, Node
from retrograd.plan.by_row import is_by_row, is_row_reduction
from retrograd.plan.program import Kernel, Program, is_heavy, is_number, is_source, squeezed
from retrograd.plan.reading import operand, reads


def verify(program: Program) -> Program:
    """The program itself, if it is legal; GraphError says what is not.

    - A kernel reads only sources and what an earlier kernel stored, and nothing that has been
      overwritten since. What it overwrites itself it reads entry by entry.
    - It computes all that it stores, around at most one heavy gate, in one space; or row by row,
      around reductions of columns.
    - Every output is stored, and every update has its place.
    """
    holds: dict[object, Node] = {node: node for node in program.state.values()}
    for number, kernel in enumerate(program.kernels):
        where = f"program: kernel {number}"
        for x in kernel.loads:
            if not is_source(x) and holds.get(_home(program, x)) is not x:
                raise GraphError(f"{where} reads {x!r}, which is not in memory")
            if x in holds and holds[x] is not x:
                raise GraphError(f"{where} reads {x!r}, which was overwritten")
        body, loads = set(kernel.body), set(kernel.loads)
        heavy = [node for node in kernel.body if is_heavy(node)]
        if kernel.is_by_row:
            _require_by_row(kernel, where)
        elif heavy != ([] if kernel.heavy is None else [kernel.heavy]):
            raise GraphError(f"{where} computes {heavy}, it is made around {kernel.heavy!r}")
        for node in kernel.body:
            for x in inputs(node):
                if x not in body and x not in loads and not _is_known(x):
                    raise GraphError(f"{where} needs {x!r}, which it neither loads nor computes")
        _require_entrywise(program, kernel, where)
        for node in kernel.stores:
            if node not in body:
                raise GraphError(f"{where} stores {node!r}, which it does not compute")
            if squeezed(node.shape) != squeezed(kernel.space) and not kernel.is_by_row:
                raise GraphError(f"{where} of space {kernel.space} stores {node!r}")
            holds[_home(program, node)] = node
    for name, node in program.outputs.items():
        if holds.get(node) is not node:
            raise GraphError(f"program: output {name} is not stored")
    for name, variable in program.state.items():
        if name in program.updates and holds[variable] is variable:
            raise GraphError(f"program: the next value of {name} is not stored")
    return program


def _require_by_row(kernel: Kernel, where: str) -> None:
    space = squeezed(kernel.space)
    for node in kernel.body:
        is_one = is_row_reduction(node) and squeezed(node.inputs[0].shape) == space
        if is_heavy(node) and not is_one:
            raise GraphError(f"{where} goes over rows {kernel.space}, it cannot compute {node!r}")
    for node in (*kernel.stores, *(x for x in kernel.body if is_heavy(x))):
        if not is_by_row(node, space, kernel.loads):
            raise GraphError(f"{where} of rows {kernel.space} cannot compute {node!r} row by row")


def inputs(node: Node) -> list[Node]:
    """What a node is computed from; for a product what it reads in memory."""
    if node.gate.name == "matmul":
        return [operand(node, i) for i in range(2)]
    return list(node.inputs)


def _is_known(node: Node) -> bool:
    return node.gate is CONSTANT and is_number(node)


def _require_entrywise(program: Program, kernel: Kernel, where: str) -> None:
    stored = dict.fromkeys(kernel.loads)
    overwritten = {program.in_place[x] for x in kernel.stores if x in program.in_place}
    computed = (*kernel.stores, *([] if kernel.heavy is None else [kernel.heavy]))
    for node in computed if overwritten & stored.keys() else ():
        for x, is_same in reads(node, stored).items():
            if x in overwritten and not is_same:
                raise GraphError(f"{where} overwrites {x!r}, which {node!r} reads elsewhere")


def _home(program: Program, node: Node) -> object:
    """What stands for a node's place in memory: a variable, the output itself, or a slot."""
    if node in program.in_place:
        return program.in_place[node]
    return program.slots.get(node, node)
