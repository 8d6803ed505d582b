"""Networks: a specification (layers and what the output means) and the parameters, plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd.arrays import Array, as_matrix, is_ready, require_finite, require_integer
from retrograd.errors import ModelFileError, OptionError, RetrogradError
from retrograd.graph.node import FLOATS, Node, constant, variable
from retrograd.graph.shape import rows
from retrograd.nn.activations import (
    Activation,
    activation_from_json,
    activation_to_json,
    find_activation,
    require_activation,
)
from retrograd.nn.initializers import InitializerChoice
from retrograd.nn.kinds import layer_from_json
from retrograd.nn.layer import Layer, LayerNodes, Training, place_name, require_chain
from retrograd.nn.layers import Dense
from retrograd.nn.noise import Noise
from retrograd.nn.parameters import Parameters
from retrograd.nn.sharing import aliases, shared_places, with_shared
from retrograd.nn.summary import Summary, line, name_of, total
from retrograd.run import AUTO, compile

KIND = "network"  # of a model file that holds one
ROWS_AT_ONCE = 4096  # prediction goes through X in pieces, so that memory does not grow with it

Predict = Callable[[Sequence[Array]], list[Array]]
"""From X and the parameters, ready for an engine, to the output."""


@dataclass(frozen=True, eq=False)
class Forward:
    """A network's forward pass as nodes: each layer's, the logits, and the output.

    `updates`: the next value of each statistic, by the parameter's name; none in predictions.
    """

    layers: tuple[LayerNodes, ...]
    logits: Node
    output: Node
    updates: Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Architecture:
    """A network without its numbers: what its graphs are made from, to be compared and kept."""

    layers: tuple[Layer, ...]
    output: Activation
    dtype: np.dtype[Any]
    aliases: tuple[tuple[str, str], ...] = ()  # names of shared parameters, with their own

    @property
    def n_inputs(self) -> int:
        """The number of columns of X."""
        return _sizes(self.layers)[0]

    def variables(self) -> dict[str, Node]:
        """A variable for each parameter, by name, without a value."""
        return {
            name: variable(name, shape=shape, dtype=self.dtype)
            for name, shape in _shapes(self.layers, dict(self.aliases)).items()
        }

    def names_of(self, layer: Layer, place: str) -> dict[str, str]:
        """The names of the parameters of the layer at a place, by what the layer calls them."""
        own = {name: place_name(name, place) for name in layer.shapes}
        known = dict(self.aliases)
        return {name: known.get(full, full) for name, full in own.items()}

    def noise(self) -> Noise | None:
        """What the random layers draw from, as variables; None without such layers."""
        rates = {
            place_name(name, str(number)): rate
            for number, layer in enumerate(self.layers, start=1)
            for name, rate in layer.noise.items()
        }
        return Noise.of(rates) if rates else None

    @property
    def statistics(self) -> frozenset[str]:
        """The names of the parameters that follow the batches, as running means do."""
        return frozenset(
            place_name(name, str(number))
            for number, layer in enumerate(self.layers, start=1)
            for name in layer.statistics
        )

    def forward(
        self, x: Node, parameters: Mapping[str, Node], training: Training | None = None
    ) -> Forward:
        """The forward pass from x (rows, n_inputs) with these nodes as parameters.

        `training`: what random layers draw from; without it the pass is that of predictions.
        """
        layers: list[LayerNodes] = []
        updates: dict[str, Node] = {}
        a = x
        for number, layer in enumerate(self.layers, start=1):
            names = self.names_of(layer, str(number))
            own = {name: parameters[full] for name, full in names.items()}
            if training is None:
                made = layer.nodes(a, own)
            else:
                made = layer.in_training(a, own, training, str(number))
            layers.append(made)
            updates |= {names[name]: node for name, node in made.updates.items()}
            a = made.a
        return Forward(tuple(layers), a, find_activation(self.output)(a), updates)

    def summary(self) -> Summary:
        """What each layer gives out, holds and costs."""
        a = variable("X", shape=(rows, self.n_inputs), dtype=self.dtype)
        own, lines, left = self.variables(), [], self.variables()
        forward = self.forward(a, own)
        for number, (layer, nodes) in enumerate(
            zip(self.layers, forward.layers, strict=True), start=1
        ):
            names = self.names_of(layer, str(number)).values()
            named = {name: left.pop(name) for name in names if name in left}  # each counts once
            functions = [name_of(f) for f in layer.functions if f != "identity"]
            kind = ", ".join([layer.kind.replace("_", " "), *functions])
            lines.append(line(str(number), kind, a, nodes.a, named, self.statistics))
            a = nodes.a
        lines.append(line("output", name_of(self.output), a, forward.output, {}))
        return Summary((*lines, total(lines)))


class Network:
    """A feed-forward network: layers in a row, and what the last one's result means.

    Args:
        layers: `rg.Dense`, `rg.LayerNorm`, `rg.BatchNorm`, `rg.Dropout`, `rg.PReLU`, `rg.Scale`,
            `rg.Embedding`, `rg.Periodic`, `rg.PiecewiseLinear`, `rg.Select`, and `rg.Residual` and
            `rg.Concatenate`, which hold others; each takes as many inputs as the one before it has
            units. One object at two places has the same parameters there, named after the first.
        output: the function that turns the last layer's result (the logits) into predictions:
            "identity", "sigmoid", "softmax", or a Python function of nodes.
        seed: of the initial weights. None draws a fresh one.
        dtype: of the parameters, float32 or float64.

    >>> net = rg.Network([rg.Dense(2, 5, activation="tanh"), rg.Dense(5, 1)])
    >>> net.predict([[0.0, 0.0]])
    array([[0.]])
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        output: Activation = "identity",
        seed: int | None = 0,
        dtype: DTypeLike = np.float64,
    ) -> None:
        if isinstance(layers, Layer):
            raise OptionError("network: layers is a list of layers; write rg.Network([layer])")
        self._layers = tuple(layers)
        self._output = output
        require_chain("network", self.layers)
        if not any(name.startswith("W") for layer in self.layers for name in layer.shapes):
            raise OptionError("network: needs at least one dense layer")
        self._aliases = aliases(self.layers)
        self._sizes = _sizes(self.layers)
        require_activation(output, self.n_outputs)
        _require_float(dtype)
        if seed is not None:
            seed = require_integer("network", "seed", seed, low=0)
        self.parameters = Parameters(self.initial(seed))
        self.parameters.cast(dtype)
        self._predict: dict[tuple[str, np.dtype[Any]], Predict] = {}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers: fixed, as is the output."""
        return self._layers

    @property
    def output(self) -> Activation:
        """What turns the last layer's result into predictions."""
        return self._output

    @property
    def n_inputs(self) -> int:
        """The number of columns of X."""
        return self._sizes[0]

    @property
    def n_outputs(self) -> int:
        """The number of columns of a prediction."""
        return self._sizes[-1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The inputs, and the units of each dense layer."""
        return self._sizes

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters, in which predictions are made."""
        return next(iter(self.parameters.values())).dtype

    @property
    def architecture(self) -> Architecture:
        """The network without its numbers."""
        return Architecture(self._layers, self._output, self.dtype, tuple(self._aliases.items()))

    @property
    def n_parameters(self) -> int:
        """The number of weights, biases and other entries of `parameters`."""
        return sum(value.size for value in self.parameters.values())

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        output = getattr(self.output, "__name__", self.output)
        return f"<network {sizes}, output {output}, {self.n_parameters} parameters>"

    def initial(self, seed: int | None) -> dict[str, Array]:
        """Initial values of all parameters by name, float64; equal for equal seeds."""
        rng = np.random.default_rng(seed)
        return {
            full: value
            for number, layer in enumerate(self.layers, start=1)
            for name, value in layer.initial(rng).items()
            if (full := place_name(name, str(number))) not in self._aliases
        }

    def names_of(self, layer: Layer, place: str) -> dict[str, str]:
        """The names of the parameters of the layer at a place, by what the layer calls them."""
        return self.architecture.names_of(layer, place)

    def variables(self) -> dict[str, Node]:
        """A variable for each parameter, by name, without a value."""
        return self.architecture.variables()

    def noise(self) -> Noise | None:
        """What the random layers draw from, as variables; None without such layers."""
        return self.architecture.noise()

    @property
    def statistics(self) -> frozenset[str]:
        """The names of the parameters that follow the batches of training, not gradients."""
        return self.architecture.statistics

    def forward(
        self, x: Node, parameters: Mapping[str, Node], training: Training | None = None
    ) -> Forward:
        """The forward pass from x (rows, n_inputs) with these nodes as parameters.

        `training`: what random layers draw from; without it the pass is that of predictions.
        """
        return self.architecture.forward(x, parameters, training)

    def prediction(self) -> tuple[Node, list[Node]]:
        """The graph of `predict`: its output, and the variables X and the parameters."""
        x = variable("X", shape=(rows, self.n_inputs), dtype=self.dtype)
        own = self.variables()
        return self.forward(x, own).output, [x, *own.values()]

    def predict(self, X: ArrayLike, *, engine: str = AUTO) -> Array:
        """The network's output for each row of X: (n, n_outputs).

        X is (n, n_inputs); computed in the dtype of the parameters. Probabilities if the output is
        "softmax" or "sigmoid". Raises DataError for another number of columns, NaN or infinity.
        `engine`: "auto", "cpu" or "numpy".

        >>> rg.MLP([2, 8, 3], output="softmax").predict([[0.0, 0.0]]).round(2)
        array([[0.33, 0.33, 0.33]])
        """
        parameters = self.parameters.arrays()
        dtype = parameters[0].dtype
        function = self._predict.get((engine, dtype)) or self._compile_predict(engine)
        # One row should cost little more than its arithmetic: nothing is done here but look.
        if is_ready(X, self._sizes[0], dtype):
            return function([X, *parameters])[0]
        x = as_matrix(X, "X", n_columns=self.n_inputs, dtype=dtype, min_rows=0, check_finite=False)
        pieces = []
        for start in range(0, max(len(x), 1), ROWS_AT_ONCE):
            piece = np.ascontiguousarray(x[start : start + ROWS_AT_ONCE])
            output, zeros = function([piece, *parameters])
            if zeros.any():
                require_finite(x, "X")
            pieces.append(output)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _compile_predict(self, engine: str) -> Predict:
        """The function from X and the parameters to the output, made once and kept.

        It returns X times zeros too: something else than 0 for each row with NaN or infinity. So X
        is looked through while it is at hand, by the threads that predict.
        """
        output, inputs = self.prediction()
        zeros = constant(np.zeros((self.n_inputs, 1), self.dtype))
        made = compile([output, inputs[0] @ zeros], inputs, engine=engine).call
        self._predict[engine, self.dtype] = made
        return made

    def summary(self) -> Summary:
        """Each layer's shape, parameters, flops of a row, and bytes, to be printed as a table.

        >>> rg.MLP([4, 8, 3], activation="tanh", output="softmax").summary()
        layer   kind         shape      parameters  flops/row  bytes
        1       dense, tanh  (rows, 8)          40        232    320
        2       dense        (rows, 3)          27         51    216
        output  softmax      (rows, 3)           0         60      0
        all                  (rows, 3)          67        343    536
        """
        return self.architecture.summary()

    def _repr_svg_(self) -> str | None:
        from retrograd.nn.picture import of_network  # what only a notebook needs

        return of_network(self.architecture)._repr_svg_()

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to one file, whole or not at all; `rg.load` reads it back.

        Python activations are written as the gates they apply. Raises FileError if it cannot, and
        DataError for a parameter that is not finite; an older file at `path` is then untouched.
        """
        from retrograd.files import container  # hashes, paths and JSON take long to import

        for name, value in self.parameters.items():
            require_finite(value, f"parameter {name}")
        container.write(path, KIND, self.to_json(), dict(self.parameters))

    def to_json(self) -> dict[str, Any]:
        """The specification, without the parameters, as strict JSON."""
        output = activation_to_json(self.output, self.n_outputs)
        layers = [layer.to_json() for layer in self.layers]
        spec = {"layers": layers, "output": output, "dtype": str(self.dtype)}
        shared = shared_places(self.layers)
        return spec | {"shared": shared} if shared else spec

    @classmethod
    def from_json(cls, spec: Any, parameters: Mapping[str, Array]) -> Self:
        """The network of a specification with these parameters; ModelFileError if there is none."""
        try:
            made = [layer_from_json(layer) for layer in spec["layers"]]
            layers = with_shared(made, spec.get("shared", {}))
            output = activation_from_json(spec["output"])
            found = {name: value.shape for name, value in parameters.items()}
            # Compared first: a wrong size in the file must not ask for memory.
            needed = _shapes(layers, aliases(layers))
            if found != needed:
                raise ModelFileError(f"has parameters {found}, its layers need {needed}")
            network = cls(layers, output=output, dtype=spec["dtype"])
            network.parameters.update(parameters)
            network.predict(np.zeros((1, network.n_inputs)), engine="numpy")  # they must run too
        except ModelFileError:
            raise
        except (RetrogradError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"does not describe a network: {error}") from error
        return network

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_predict": {}}  # compiled functions are made again


def _shapes(layers: Sequence[Layer], aliases: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """The shape of each parameter by name: W1, b1, W2, ..."""
    return {
        full: shape
        for number, layer in enumerate(layers, start=1)
        for name, shape in layer.shapes.items()
        if (full := place_name(name, str(number))) not in aliases
    }


def _require_float(dtype: DTypeLike) -> None:
    try:
        if np.dtype(dtype) in FLOATS:
            return
    except TypeError:
        pass
    raise OptionError(f"network: dtype must be float32 or float64, got {dtype!r}")


def _sizes(layers: Sequence[Layer]) -> tuple[int, ...]:
    """The inputs, the units of each dense layer, and of each that changes their number."""
    found: list[int] = []
    for layer in layers:
        if layer.sizes is not None:
            n_inputs, n_units = layer.sizes
            found = found or [n_inputs]
            if isinstance(layer, Dense) or n_units != found[-1]:
                found.append(n_units)
    return tuple(found)


def MLP(
    sizes: Sequence[int],
    *,
    activation: Activation | Sequence[Activation] = "relu",
    output: Activation = "identity",
    bias: bool = True,
    initializer: InitializerChoice = "auto",
    bias_initializer: InitializerChoice = "zeros",
    seed: int | None = 0,
    dtype: DTypeLike = np.float64,
) -> Network:
    """A multi-layer perceptron: dense layers of the given sizes.

    Args:
        sizes: inputs, units of each hidden layer, outputs: at least two integers.
        activation: of the hidden layers: one for all, or a sequence with one for each.
        output: what predictions are: "identity", "sigmoid" (binary, multi-label) or "softmax".
        bias: whether the layers have biases.
        initializer: of the weights, see `rg.Dense`.
        bias_initializer: of the biases.
        seed: of the initial weights. None draws a fresh one.
        dtype: float32 or float64.

    >>> rg.MLP([64, 100, 10], output="softmax")
    <network 64-100-10, output softmax, 7510 parameters>
    """
    widths = list(sizes) if isinstance(sizes, Sequence | np.ndarray) else [sizes]
    if len(widths) < 2:
        raise OptionError(f"MLP: sizes names inputs and outputs at least, got {widths}")
    n_hidden = len(widths) - 2
    is_each = isinstance(activation, Sequence) and not isinstance(activation, str)
    hidden = list(activation) if is_each else [activation] * n_hidden  # type: ignore[arg-type]  # mypy does not narrow through a name
    if len(hidden) != n_hidden:
        raise OptionError(f"MLP: {n_hidden} hidden layers, but {len(hidden)} activations")
    layers = [
        Dense(
            n_in,
            n_out,
            activation=act,
            bias=bias,
            initializer=initializer,
            bias_initializer=bias_initializer,
        )
        for n_in, n_out, act in zip(widths, widths[1:], [*hidden, "identity"], strict=False)
    ]
    return Network(layers, output=output, seed=seed, dtype=dtype)
