"""A network with an activation and a loss of one's own, and the proof that its gradient is right.

Both are plain Python functions of nodes. They go through the same gradient rules and the same
engines as the built-in ones. Run it with `python examples/own_activation_and_loss.py`.
"""

import numpy as np

import retrograd as rg


def swish(z):
    return z * rg.sigmoid(z)


def log_cosh(output, y):
    error = output - y  # log(cosh(e)) = |e| + log(1 + exp(-2|e|)) - log(2), without overflow
    return rg.sum(rg.softplus(2.0 * error) - error - np.log(2.0), axis=1)


rng = np.random.default_rng(0)
X = rng.uniform(-2, 2, (400, 2))
Y = np.sin(2 * X[:, :1]) * X[:, 1:]

net = rg.MLP([2, 32, 1], activation=swish)
history = rg.train(net, X, Y, loss=log_cosh, optimizer=rg.Adam(0.01), epochs=300)
print(history)

x, y = rg.variable("x", X[:5]), rg.variable("y", Y[:5])
weights = {name: rg.variable(name, value) for name, value in net.parameters.items()}
J = rg.mean(log_cosh(net.forward(x, weights).output, y))
print(rg.check_gradient(J, list(weights.values())))
