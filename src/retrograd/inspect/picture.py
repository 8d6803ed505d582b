"""The picture of whatever has a graph: nodes, a trace, a network, a fitted estimator."""

from __future__ import annotations

from collections.abc import Sequence

from retrograd.errors import OptionError
from retrograd.graph.node import Node
from retrograd.inspect.layers import NetworkTrace
from retrograd.inspect.subject import hint_of_members, network_of
from retrograd.inspect.trace import Trace
from retrograd.nn.picture import of_network
from retrograd.pictures.picture import AUTO, Picture, draw


def picture(what: object, *, level: str = AUTO) -> Picture:
    """The graph as lectures draw it: gates, values over the edges, gradients under them.

    Args:
        what: a node or several, with shapes over the edges; a trace, with the values and the
            gradients of its run; a network, a fitted estimator or a table model, with what each
            layer holds and gives out.
        level: "nodes" draws every gate; "layers" one box for each layer, with its parameters;
            "auto" the nodes where there are at most 60, and of a network the layers.

    Returns:
        A picture: `to_svg()`, `to_dot()`, `to_mermaid()`, `save("graph.svg")`; a notebook shows it.
        Where a value has several uses, what comes back from each stands at its end: the gradient is
        their sum. SVG needs `pip install "retrograd[pictures]"`.

    Raises OptionError for what has no graph and for an unknown level.

    >>> w, x = rg.variable("w", 5.0), rg.variable("x", 3.0)
    >>> print(rg.picture(rg.trace(w * x)).to_mermaid())
    flowchart LR
      n0["w"]
      n1["x"]
      n2(("×"))
      n0 -->|"5<br/>gradient 3"| n2
      n1 -->|"3<br/>gradient 5"| n2
      n2 -->|"15<br/>gradient 1"| out2[" "]
    >>> rg.picture(rg.MLP([2, 8, 1]))
    <picture of network: 3 boxes, 3 wires>
    """
    if isinstance(what, Trace | NetworkTrace):
        return what.picture(level=level)
    if isinstance(what, Node):
        return draw([what], level=level)
    if isinstance(what, Sequence) and what and all(isinstance(node, Node) for node in what):
        return draw(what, level=level)
    try:
        network = network_of("picture", what)
    except OptionError:
        raise OptionError(
            "picture: expected a node, a trace, a network or a fitted estimator, got "
            f"{what!r}{hint_of_members(what)}"
        ) from None
    return of_network(network.architecture, level=level)
