"""Houses: numbers, an age and a town go in, a price and a kind come out, of one network.

Some prices are not known. Run it with `python examples/several_inputs_and_heads.py`.
"""

import numpy as np

import retrograd as rg

rng = np.random.default_rng(0)
n = 1500
X = {
    "rooms": rng.normal(size=(n, 6)),  # six numbers of each house
    "age": rng.uniform(0, 1, n),  # centuries
    "town": rng.integers(0, 5, n),  # a category, as a number
}
worth = np.array([3.0, 1.0, 0.0, -1.0, 2.0])
Y = {
    "price": X["rooms"][:, :3].sum(axis=1) - X["age"] + worth[X["town"]],
    "kind": (X["rooms"][:, 0] > 0).astype(int) + (X["age"] > 0.5),  # 0, 1 or 2
}

net = rg.Network(
    [
        rg.Inputs({"rooms": [rg.Dense(6, 16, "relu")], "age": 1, "town": [rg.Embedding(5, 3)]}),
        rg.Dense(20, 32, "tanh"),
        rg.Heads({"price": [rg.Dense(32, 1)], "kind": [rg.Dense(32, 3)]}),
    ],
    output={"kind": "softmax"},
)
print(net.summary())

# What is not known of a row has the weight 0 in that head: here every tenth price.
is_known = np.arange(n) % 10 > 0
Y["price"] = np.where(is_known, Y["price"], 0.0)
loss = rg.Losses({"price": "squared_error", "kind": "cross_entropy"}, weights={"kind": 2.0})
options = {"sample_weight": {"price": is_known}, "validation": 0.2, "patience": 20, "epochs": 60}
history = rg.train(net, X, Y, loss=loss, optimizer=rg.Adam(0.005), **options)
print(history)

found = net.predict(X)
error = np.sqrt(np.mean((found["price"].ravel() - Y["price"])[is_known] ** 2))
right = np.mean(found["kind"].argmax(axis=1) == Y["kind"])
print(f"error of the price {error:.2f}, right kinds {right:.1%}")
