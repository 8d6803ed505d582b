"""Wine: of twelve measurements, the cultivar and the thirteenth, alcohol, by one estimator.

Some cultivars are not known. Run it with `python examples/classes_and_numbers.py`.
"""

import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

import retrograd as rg

data = load_wine()
X, alcohol = data.data[:, 1:], data.data[:, 0]
cultivar = np.array(["barolo", "grignolino", "barbera"])[data.target]
train, test = train_test_split(np.arange(len(X)), stratify=cultivar, random_state=0)


def wines(rows):
    """The targets of some rows by name; a data frame would do as well."""
    return {"alcohol": alcohol[rows], "cultivar": cultivar[rows]}


# What is not known of a row has the weight 0 in that target: here every fifth cultivar.
is_known = train % 5 > 0
options = {"alpha": 10.0, "learning_rate_init": 0.01, "max_iter": 500, "random_state": 0}
model = rg.MLPMultiTask(hidden_layer_sizes=(16,), activation="tanh", standardize=True, **options)
model.fit(X[train], wines(train), sample_weight={"cultivar": is_known})
print(model.targets_)

found = model.predict(X[test[:3]])
for strength, name in zip(found["alcohol"], found["cultivar"], strict=True):
    print(f"{strength:.1f} % alcohol, {name}")

# Each target alone, with the body that it shares, is one of the estimators that there were before.
slopes = model.estimator_of("alcohol").input_gradients(X[test]) * X.std(axis=0)
strongest = np.abs(slopes).mean(axis=0).argmax()
print(f"alcohol moves most with {data.feature_names[1 + strongest]}")

scores = model.scores(X[test], wines(test))
print(f"R2 of the alcohol {scores['alcohol']:.2f}, right cultivars {scores['cultivar']:.1%}")
