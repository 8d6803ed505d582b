"""Layer and batch normalisation against 50 digits: value and gradient, at every scale and mean."""

import mpmath
import numpy as np
import pytest
from mpmath import fsum, mpf, sqrt

import retrograd as rg
from retrograd.nn.layer import Training
from tests.nn.exact import LIMIT, error

B, I = 7, 5
RNG = np.random.default_rng(31)
DZ = RNG.normal(size=(B, I))
OWN = {"scale": RNG.uniform(-2, 2, I), "shift": RNG.normal(size=I)}
LAYERS = {"layer_norm": rg.LayerNorm, "batch_norm": rg.BatchNorm}
# name: (mean, deviation, epsilon) of x
RANGES = {
    "as they come": (0.0, 1.0, 1e-5),
    "without epsilon": (0.5, 2.0, 0.0),
    "epsilon is all": (0.0, 1e-6, 1e-5),
    "small": (1e-100, 1e-100, 1e-205),
    "large": (-1e100, 1e100, 1e-5),
    "a mean of 1e4": (1e4, 1.0, 1e-5),
    "a mean of 1e8": (-1e8, 1.0, 1e-5),
    "alike": (3.0, 0.0, 1e-5),
}


def normalised(x, epsilon):
    """A list of numbers to mean 0 and variance 1."""
    mean = fsum(x) / len(x)
    variance = fsum((v - mean) ** 2 for v in x) / len(x)
    deviation = sqrt(variance + mpf(epsilon))
    return [(v - mean) / deviation for v in x]


def exact_z(kind, x, scale, shift, epsilon):
    """z by rows of numbers."""
    if kind == "layer_norm":
        normal = [normalised(row, epsilon) for row in x]
    else:
        columns = [normalised(column, epsilon) for column in zip(*x, strict=True)]
        normal = [*zip(*columns, strict=True)]
    return [[n * a + b for n, a, b in zip(row, scale, shift, strict=True)] for row in normal]


def exact(z_of, x, scale, shift):
    """z, and the derivatives of sum(DZ * z) by central differences with steps of 1e-60.

    They are right to 50 digits and more: the numbers have 250.
    """
    with mpmath.workdps(250):
        rows = [[mpf(float(v)) for v in row] for row in x]
        own = [[mpf(float(v)) for v in each] for each in (scale, shift)]
        h = mpf(10) ** -60 * max(mpf(float(np.abs(x).max())), mpf("1e-200"))

        def J():
            z = z_of(rows, *own)
            return fsum(
                mpf(float(d)) * v
                for dz, row in zip(DZ, z, strict=True)
                for d, v in zip(dz, row, strict=True)
            )

        def slope(numbers, j):
            kept, found = numbers[j], []
            for step in (h, -h):
                numbers[j] = kept + step
                found.append(J())
            numbers[j] = kept
            return float((found[0] - found[1]) / (2 * h))

        z = [[float(v) for v in row] for row in z_of(rows, *own)]
        dx = [[slope(row, j) for j in range(I)] for row in rows]
        others = [[slope(each, j) for j in range(I)] for each in own]
    return [np.array(each) for each in (z, dx, *others)]


def run(nodes_of, layer, values, engine):
    """z and the gradient of sum(DZ * z) in x, scale and shift."""
    x = rg.variable("x", shape=(rg.rows, I))
    own = {name: rg.variable(name, shape=shape) for name, shape in layer.shapes.items()}
    z = nodes_of(x, own).z
    dz = rg.variable("dz", shape=(rg.rows, I))
    J = rg.sum(z * dz)
    outputs = [z, *rg.gradient(J, [x, own["scale"], own["shift"]])]
    return rg.compile(outputs, [dz, x, *own.values()], engine=engine)(DZ, *values)


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("kind", LAYERS)
def test_value_and_gradient_in_training_are_right(kind, name):
    mean, deviation, epsilon = RANGES[name]
    x = mean + deviation * RNG.normal(size=(B, I))
    layer = LAYERS[kind](I, epsilon=epsilon)
    wanted = exact(lambda *given: exact_z(kind, *given, epsilon), x, *OWN.values())
    still = [np.zeros(I), np.ones(I)] if kind == "batch_norm" else []
    for engine in ("cpu", "numpy"):
        found = run(
            lambda a, own: layer.in_training(a, own, Training(), "1"),
            layer,
            [x, *OWN.values(), *still],
            engine,
        )
        for value, right in zip(found, wanted, strict=True):
            assert error(value, right) <= LIMIT


@pytest.mark.parametrize("name", RANGES)
def test_batch_norm_is_right_in_predictions(name):
    mean, deviation, epsilon = RANGES[name]
    x = mean + deviation * RNG.normal(size=(B, I))
    running = [x.mean(axis=0) + deviation, np.maximum(x.var(axis=0), deviation**2) + 1e-200]

    def z_of(rows, scale, shift):
        with_digits = [[mpf(float(v)) for v in each] for each in running]
        return [
            [
                (v - m) / sqrt(s + mpf(epsilon)) * a + b
                for v, m, s, a, b in zip(row, *with_digits, scale, shift, strict=True)
            ]
            for row in rows
        ]

    wanted = exact(z_of, x, *OWN.values())
    layer = rg.BatchNorm(I, epsilon=epsilon)
    for engine in ("cpu", "numpy"):
        found = run(layer.nodes, layer, [x, *OWN.values(), *running], engine)
        for value, right in zip(found, wanted, strict=True):
            assert error(value, right) <= LIMIT
