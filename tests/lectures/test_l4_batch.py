"""L4: m examples at once: the matrix form against sums over single examples."""

import itertools

import numpy as np
import pytest

import retrograd as rg

rng = np.random.default_rng(4)
M, WIDTHS = 6, (5, 4, 4, 3)
X, LABELS = rng.normal(size=(M, WIDTHS[0])), rng.integers(0, WIDTHS[-1], M)
Y = np.eye(WIDTHS[-1])[LABELS]
WEIGHTS = [rng.normal(size=pair) for pair in itertools.pairwise(WIDTHS)]
BIASES = [rng.normal(size=n) for n in WIDTHS[1:]]


def softmax_cross_entropy(logits, y):
    return rg.mean(rg.logsumexp(logits, axis=1) - rg.sum(logits * y, axis=1))


def sigmoid_log_loss(z, y):
    """-(y log a + (1 - y) log(1 - a)) with a = sigmoid(z), summed over the units."""
    return rg.mean(rg.sum(rg.softplus(z) - z * y, axis=1))


OUTPUTS = {
    "softmax": (softmax_cross_entropy, rg.softmax),
    "sigmoid": (sigmoid_log_loss, rg.sigmoid),
}


class Network:
    """a^0 = x; z^l = a^(l-1) W^l + b^l; a^l = sigma(z^l), and J, the mean over the rows."""

    def __init__(self, loss=softmax_cross_entropy):
        self.x = rg.variable("x", shape=(rg.rows, WIDTHS[0]))
        self.y = rg.variable("y", shape=(rg.rows, WIDTHS[-1]))
        self.W = [rg.variable(f"W{i}", W) for i, W in enumerate(WEIGHTS, 1)]
        self.b = [rg.variable(f"b{i}", b) for i, b in enumerate(BIASES, 1)]
        self.a, self.z = [self.x], []
        for W, b in zip(self.W, self.b, strict=True):
            self.z.append(self.a[-1] @ W + b)
            self.a.append(rg.sigmoid(self.z[-1]))
        self.J = loss(self.z[-1], self.y)
        self.deltas = rg.gradient(self.J, self.z)

    def values(self, nodes, rows=slice(None)):
        return rg.evaluate(nodes, {self.x: X[rows], self.y: Y[rows]})


@pytest.fixture(params=OUTPUTS)
def net(request):
    return Network(OUTPUTS[request.param][0])


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_l4_1_one_example_is_a_row_and_its_class_the_argmax():
    net = Network()
    logits, a = net.values([net.z[-1], rg.softmax(net.z[-1])])
    assert a.shape == (M, WIDTHS[-1])
    assert np.array_equal(np.argmax(a, axis=1), np.argmax(logits, axis=1))
    for i in range(M):
        same(net.values(net.z[-1], [i])[0], logits[i])


@pytest.mark.parametrize("output", OUTPUTS)
def test_l4_2_the_last_delta_is_a_minus_y(output):
    loss, activation = OUTPUTS[output]
    net = Network(loss)
    a, delta = net.values([activation(net.z[-1]), net.deltas[-1]])
    same(delta, (a - Y) / M)


def test_l4_3_a_delta_is_the_next_ones_sent_back_times_the_slope(net):
    deltas, z = net.values(net.deltas), net.values(net.z)
    for layer in range(len(WEIGHTS) - 1):
        sigma = 1 / (1 + np.exp(-z[layer]))
        same(deltas[layer], (deltas[layer + 1] @ WEIGHTS[layer + 1].T) * sigma * (1 - sigma))


def test_l4_4_the_gradient_of_a_weight_matrix_is_activations_times_deltas(net):
    deltas, a = net.values(net.deltas), net.values(net.a)
    for layer, dW in enumerate(net.values(rg.gradient(net.J, net.W))):
        assert dW.shape == WEIGHTS[layer].shape
        same(dW, a[layer].T @ deltas[layer])


def test_l4_5_the_gradient_of_a_bias_sums_delta_over_the_examples(net):
    deltas = net.values(net.deltas)
    for layer, db in enumerate(net.values(rg.gradient(net.J, net.b))):
        assert db.shape == BIASES[layer].shape
        same(db, deltas[layer].sum(axis=0))


def test_l4_5_weight_and_bias_gradients_both_carry_one_over_m(net):
    """The matrix form is the sum over single examples, divided by their number."""
    parameters = [*net.W, *net.b]
    gradients = rg.gradient(net.J, parameters)
    together = net.values(gradients)
    alone = [net.values(gradients, [i]) for i in range(M)]
    for k, found in enumerate(together):
        same(found, sum(one[k] for one in alone) / M)


def test_l4_5_an_examples_own_delta_is_m_times_its_row(net):
    together = net.values(net.deltas)
    for i in range(M):
        for found, row in zip(net.values(net.deltas, [i]), together, strict=True):
            same(found[0], M * row[i])
