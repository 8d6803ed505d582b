"""What makes a program legal, as a check that runs."""

from __future__ import annotations

from retrograd.errors import GraphError
from retrograd.graph.node import Node
from retrograd.plan.program import Program, is_heavy, is_source, squeezed


def verify(program: Program) -> Program:
    """The program itself, if it is legal; GraphError says what is not.

    - A kernel reads only sources and what an earlier kernel stored, and nothing that has been
      overwritten since.
    - It computes all that it stores, around at most one heavy gate, in one space.
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
        heavy = [node for node in kernel.body if is_heavy(node)]
        if heavy != ([] if kernel.heavy is None else [kernel.heavy]):
            raise GraphError(f"{where} computes {heavy}, it is made around {kernel.heavy!r}")
        for node in kernel.stores:
            if node not in kernel.body:
                raise GraphError(f"{where} stores {node!r}, which it does not compute")
            if squeezed(node.shape) != squeezed(kernel.space):
                raise GraphError(f"{where} of space {kernel.space} stores {node!r}")
            holds[_home(program, node)] = node
    for name, node in program.outputs.items():
        if holds.get(node) is not node:
            raise GraphError(f"program: output {name} is not stored")
    for name, variable in program.state.items():
        if name in program.updates and holds[variable] is variable:
            raise GraphError(f"program: the next value of {name} is not stored")
    return program


def _home(program: Program, node: Node) -> object:
    """What stands for a node's place in memory: a variable, the output itself, or a slot."""
    if node in program.in_place:
        return program.in_place[node]
    return program.slots.get(node, node)
