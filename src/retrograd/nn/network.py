"""Networks: a specification (layers and what the output means) and the parameters, plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from retrograd.arrays import Array, require_finite, require_integer
from retrograd.errors import ModelFileError, OptionError, RetrogradError, ShapeError
from retrograd.gates import equal, where
from retrograd.graph.node import FLOATS, Node, constant, variable
from retrograd.graph.shape import rows
from retrograd.nn.activations import require_activation
from retrograd.nn.architecture import Architecture, Forward, Head
from retrograd.nn.ends import Outputs, columns_of_heads, outputs_of, require_ends
from retrograd.nn.layer import Layer, Training, require_chain
from retrograd.nn.named import Named, as_x
from retrograd.nn.noise import Noise
from retrograd.nn.parameters import Parameters
from retrograd.nn.sharing import aliases
from retrograd.nn.summary import Summary, name_of
from retrograd.run import AUTO, Call, Function, compile

KIND = "network"  # of a model file that holds one
ROWS_AT_ONCE = 4096  # prediction goes through X in pieces, so that memory does not grow with it

Bound = tuple[Architecture, np.dtype[Any], Call]
"""A network and the dtype of its parameters; what gives the output, or each head's, for [X]."""


class Network:
    """A feed-forward network: layers in a row, and what the last one's result means.

    Args:
        layers: `rg.Dense`, `rg.LayerNorm`, `rg.BatchNorm`, `rg.Dropout`, `rg.PReLU`, `rg.Scale`,
            `rg.Embedding`, `rg.Periodic`, `rg.PiecewiseLinear`, `rg.Select`, and `rg.Residual` and
            `rg.Concatenate`, which hold others; each takes as many inputs as the one before it has
            units. One object at two places has the same parameters there, named after the first.
            `rg.Inputs` as the first takes a dict of arrays, `rg.Heads` as the last gives one.
        output: the function that turns the last layer's result (the logits) into predictions:
            "identity", "sigmoid", "softmax", or a Python function of nodes. With heads a dict,
            "identity" for those that it leaves out; or one function for all.
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
        output: Outputs = "identity",
        seed: int | None = 0,
        dtype: DTypeLike = np.float64,
    ) -> None:
        if isinstance(layers, Layer):
            raise OptionError("network: layers is a list of layers; write rg.Network([layer])")
        layers = tuple(layers)
        require_chain("network", layers)
        if not any(name.startswith("W") for layer in layers for name in layer.shapes):
            raise OptionError("network: needs at least one dense layer")
        require_ends(layers)
        chosen = outputs_of(columns_of_heads(layers), output)
        own = tuple(chosen.items()) if isinstance(chosen, Mapping) else chosen
        form = Architecture(layers, own, _as_float(dtype), aliases(layers))
        for head in form.outputs.values():
            require_activation(head.output, head.n_outputs)
        if seed is not None:
            seed = require_integer("network", "seed", seed, low=0)
        self._form, self._sizes, self._heads = form, form.sizes, tuple(form.heads)
        self.parameters = Parameters(self.initial(seed))
        self.parameters.cast(dtype)
        self._predict: dict[tuple[str, np.dtype[Any]], Function] = {}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers: fixed, as is the output."""
        return self._form.layers

    @property
    def output(self) -> Outputs:
        """What turns the last layer's result into predictions; with heads a dict, one for each."""
        own = self._form.output
        return dict(own) if isinstance(own, tuple) else own

    @property
    def inputs(self) -> dict[str, int]:
        """The columns of each input of `rg.Inputs` by name; empty where X is one array."""
        return self._form.inputs

    @property
    def heads(self) -> dict[str, Head]:
        """The heads of `rg.Heads` by name, with `n_outputs` and `output`; else empty."""
        return self._form.heads

    @property
    def n_inputs(self) -> int:
        """The number of columns of X."""
        return self._sizes[0]

    @property
    def n_outputs(self) -> int:
        """The number of columns of a prediction; of all heads together."""
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
        return replace(self._form, dtype=self.dtype)

    @property
    def n_parameters(self) -> int:
        """The number of weights, biases and other entries of `parameters`."""
        return sum(value.size for value in self.parameters.values())

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        if isinstance(self.output, Mapping):
            pairs = ", ".join(f"{head} {name_of(f)}" for head, f in self.output.items())
            return f"<network {sizes}, heads {pairs}, {self.n_parameters} parameters>"
        return f"<network {sizes}, output {name_of(self.output)}, {self.n_parameters} parameters>"

    def initial(self, seed: int | None) -> dict[str, Array]:
        """Initial values of all parameters by name, float64; equal for equal seeds."""
        return self._form.initial(seed)

    def names_of(self, layer: Layer, place: str) -> dict[str, str]:
        """The names of the parameters of the layer at a place, by what the layer calls them."""
        return self._form.names_of(layer, place)

    def variables(self) -> dict[str, Node]:
        """A variable for each parameter, by name, without a value."""
        return self.architecture.variables()

    def noise(self) -> Noise | None:
        """What the random layers draw from, as variables; None without such layers."""
        return self._form.noise()

    @property
    def statistics(self) -> frozenset[str]:
        """The names of the parameters that follow the batches of training, not gradients."""
        return self._form.statistics

    def forward(
        self, x: Node, parameters: Mapping[str, Node], training: Training | None = None
    ) -> Forward:
        """The forward pass from x (rows, n_inputs) with these nodes as parameters.

        `training`: what random layers draw from; without it the pass is that of predictions.
        """
        return self._form.forward(x, parameters, training)

    def prediction(self) -> tuple[Node, list[Node]]:
        """The graph of `predict`: its output, and the variables X and the parameters."""
        x = variable("X", shape=(rows, self.n_inputs), dtype=self.dtype)
        own = self.variables()
        return self.forward(x, own).output, [x, *own.values()]

    def predict(self, X: Named, *, engine: str = AUTO) -> Any:
        """The network's output for each row of X: (n, n_outputs).

        X is (n, n_inputs), or for named inputs a dict or a data frame; with heads the result is a
        dict of arrays too. Computed in the dtype of the parameters. Probabilities if the output is
        "softmax" or "sigmoid". Raises DataError for another number of columns, NaN or infinity, and
        for names that are not the inputs'. `engine`: "auto", "cpu" or "numpy".

        >>> rg.MLP([2, 8, 3], output="softmax").predict([[0.0, 0.0]]).round(2)
        array([[0.33, 0.33, 0.33]])
        """
        # One row should cost little more than its arithmetic: nothing is done here but look.
        bound = self.parameters.derived.get(engine)
        if bound is None or bound[0] is not self._form:  # other networks may share the parameters
            bound = self._bind(engine)
        _, dtype, function = bound
        try:
            if (
                type(X) is np.ndarray
                and X.dtype == dtype
                and X.size <= ROWS_AT_ONCE
                and X.flags.c_contiguous
            ):
                found = function([X])
            else:
                found = self._in_pieces(function, X, dtype)
        except ShapeError:  # of an X that needs another look
            found = self._in_pieces(function, X, dtype)
        first = found[0]
        if isnan(first.item(0)) if len(first) == 1 else np.count_nonzero(np.isnan(first[:, 0])):
            # Raises where it is X that is not finite, and not only what the weights make of it.
            as_x(X, self.inputs, self.n_inputs, dtype=dtype, min_rows=0)
        return dict(zip(self._heads, found, strict=True)) if self._heads else first

    def _in_pieces(self, function: Call, X: Named, dtype: np.dtype[Any]) -> list[Array]:
        """The outputs for an X that is looked at first, some thousand rows at a time."""
        x = as_x(X, self.inputs, self.n_inputs, dtype=dtype, min_rows=0, check_finite=False)
        pieces = [
            function([np.ascontiguousarray(x[start : start + ROWS_AT_ONCE])])
            for start in range(0, max(len(x), 1), ROWS_AT_ONCE)
        ]
        if len(pieces) == 1:
            return pieces[0]
        return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]

    def _bind(self, engine: str) -> Bound:
        """What predicts with the parameters as they are, kept until one of them is replaced."""
        derived = self.parameters.derived  # before the arrays, which another thread may replace
        parameters = self.parameters.arrays()
        dtype = parameters[0].dtype
        made = self._predict.get((engine, dtype)) or self._compile_predict(engine, dtype)
        derived[engine] = bound = (self._form, dtype, made.bind(parameters))
        return bound

    def _compile_predict(self, engine: str, dtype: np.dtype[Any]) -> Function:
        """The function from X and the parameters to the output, or each head's, made once and kept.

        In each row of X with NaN or infinity the first output is NaN: so X is looked through while
        it is at hand, by the threads that predict. Otherwise that changes no bit.
        """
        x = variable("X", shape=(rows, self.n_inputs), dtype=dtype)
        own = replace(self._form, dtype=dtype).variables()
        forward = self.forward(x, own)
        first, *others = (forward.of_head(name).output for name in self._heads or ("",))
        zeros = constant(np.zeros((self.n_inputs, 1), dtype))
        nan = constant(np.array(np.nan, first.dtype))
        found = where(equal(x @ zeros, 0.0), first, nan)  # NaN and infinity times 0 are NaN
        made = compile([found, *others], [x, *own.values()], engine=engine)
        self._predict[engine, dtype] = made
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
        return self.architecture.to_json()

    @classmethod
    def from_json(cls, spec: Any, parameters: Mapping[str, Array]) -> Self:
        """The network of a specification with these parameters; ModelFileError if there is none."""
        try:
            form = Architecture.from_json(spec)
            found = {name: value.shape for name, value in parameters.items()}
            # Compared first: a wrong size in the file must not ask for memory.
            if found != form.shapes:
                raise ModelFileError(f"has parameters {found}, its layers need {form.shapes}")
            output = dict(form.output) if isinstance(form.output, tuple) else form.output
            network = cls(form.layers, output=output, dtype=form.dtype)
            network.parameters.update(parameters)
            network.predict(np.zeros((1, network.n_inputs)), engine="numpy")  # they must run too
        except ModelFileError:
            raise
        except (RetrogradError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"does not describe a network: {error}") from error
        return network

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_predict": {}}  # compiled functions are made again


def _as_float(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        if np.dtype(dtype) in FLOATS:
            return np.dtype(dtype)
    except TypeError:
        pass
    raise OptionError(f"network: dtype must be float32 or float64, got {dtype!r}")
