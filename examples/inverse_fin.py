"""The inverse fin problem: which heat-transfer coefficient gives these temperatures?

A fin with an insulated tip is measured at eight stations. The forward problem has an analytic
solution; a network learns the inverse from 1000 computed examples, and is compared with the truth
on examples it has not seen. Run it with `python examples/inverse_fin.py`.
"""

import numpy as np

import retrograd as rg
from retrograd import datasets

fin = datasets.fin(noise=0.1)  # temperatures in degrees C with 0.1 K of noise
X, h = fin.X, fin.y
mean, scale = X[:800].mean(axis=0), X[:800].std(axis=0)
X = (X - mean) / scale
h_mean, h_scale = h[:800].mean(), h[:800].std()

net = rg.MLP([8, 24, 24, 1], activation="tanh")
history = rg.train(
    net,
    X[:800],
    (h[:800] - h_mean) / h_scale,
    optimizer=rg.Adam(3e-3),
    epochs=300,
    validation=0.15,
    patience=50,
)
print(history)

predicted = net.predict(X[800:])[:, 0] * h_scale + h_mean
error = np.sqrt(np.mean((predicted - h[800:]) ** 2))
print(f"test RMSE {error:.2f} W/(m^2 K), h from {h.min():.0f} to {h.max():.0f}")
