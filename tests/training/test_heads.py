"""Training with several inputs and heads: J and its parts, weights, held-out rows, batches."""

from pathlib import Path

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, OptionError, UnknownNameError
from retrograd.nn.losses import find_loss
from retrograd.training.objective import objective
from retrograd.training.rows import check_rows
from retrograd.training.step import steps_of

RNG = np.random.default_rng(21)
N = 48
X = {"wide": RNG.normal(size=(N, 4)), "age": RNG.uniform(0, 2, N)}
Y = {"price": X["wide"][:, 0] + X["age"] ** 2, "kind": RNG.integers(0, 3, N)}
LOSS = rg.Losses({"price": "squared_error", "kind": "cross_entropy"}, weights={"kind": 0.5})
ENGINES = ("cpu", "numpy")
STILL = rg.SGD(1e-300)


def net(*more, **options):
    inputs = rg.Inputs({"wide": [rg.Dense(4, 6, "tanh")], "age": 1})
    heads = rg.Heads({"price": [rg.Dense(5, 1)], "kind": [rg.Dense(5, 4, "tanh"), rg.Dense(4, 3)]})
    return rg.Network(
        [inputs, rg.Dense(7, 5, "tanh"), *more, heads], output={"kind": "softmax"}, **options
    )


def train(network, x=X, y=Y, **options):
    chosen = {"loss": LOSS, "epochs": 3, "batch_size": 20, "seed": 4, **options}
    return rg.train(network, x, y, **chosen)


def losses(network, rows=slice(None)):
    """The loss of each row by head, from predictions."""
    output = network.predict({name: x[rows] for name, x in X.items()})
    p = output["kind"][np.arange(len(output["kind"])), Y["kind"][rows]]
    return {"price": (output["price"][:, 0] - Y["price"][rows]) ** 2, "kind": -np.log(p)}


def same(a, b):
    return all(np.array_equal(a.parameters[name], b.parameters[name]) for name in a.parameters)


@pytest.mark.parametrize("engine", ENGINES)
def test_J_is_the_weighted_sum_and_the_history_has_each_heads_own(engine):
    network = net()
    expected = {head: own.mean() for head, own in losses(network).items()}
    l2 = 0.1 * sum((w**2).sum() for k, w in network.parameters.items() if k[0] == "W") / 2
    for size in (None, 20):  # batches of 20, 20 and 8 rows
        history = train(network, optimizer=STILL, epochs=2, batch_size=size, engine=engine, l2=0.1)
        for head, J in expected.items():
            np.testing.assert_allclose(history.J_of[head], [J, J], rtol=1e-12)
        total = expected["price"] + 0.5 * expected["kind"] + l2
        np.testing.assert_allclose(history.J, [total, total], rtol=1e-12)
    assert "(price " in str(history)


@pytest.mark.parametrize("more", [(), (rg.Dropout(0.3), rg.BatchNorm(5))])
def test_the_gradient_is_right(more):
    network = net(*more)
    loss = find_loss(LOSS, network)
    rows = check_rows(network, loss, X, Y, {"kind": RNG.uniform(0, 2, N)})
    J = objective(network, loss, rows.target, weighted=tuple(rows.weights))
    values = {J.inputs[name]: value for name, value in rows.named().items()}
    values |= {J.l2: 0.01, J.weights["weight of price"]: 0.7, J.weights["weight of kind"]: 2.0}
    values |= {J.parameters[name]: value for name, value in network.parameters.items()}
    if J.noise is not None:
        values |= {J.noise.seed: 3, J.noise.seen: 40}
    assert rg.check_gradient(J.J, list(J.trained.values()), values).ok
    traced = rg.trace(J.J, values)
    means = [traced.value(J.J_of[head]) for head in ("price", "kind")]
    penalty = sum((w**2).sum() for k, w in network.parameters.items() if k[0] == "W") * 0.01 / 2
    assert traced.value(J.J) == pytest.approx(0.7 * means[0] + 2.0 * means[1] + penalty, rel=1e-12)
    assert traced.gradient(J.weights["weight of kind"]) == pytest.approx(means[1], rel=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_two_heads_are_one_output_side_by_side(optimizer):
    both = rg.Heads({"a": [rg.Dense(5, 1)], "b": [rg.Dense(5, 2)]})
    split = rg.Network([rg.Dense(4, 5, "tanh"), both])
    plain = rg.Network([rg.Dense(4, 5, "tanh"), rg.Dense(5, 3)])
    plain.parameters["W1"] = split.parameters["W1"]
    plain.parameters["W2"] = np.hstack([split.parameters["W2.1"], split.parameters["W2.2"]])
    x, y = X["wide"], RNG.normal(size=(N, 3))
    options = {"optimizer": optimizer, "epochs": 5, "seed": 1, "l2": 0.01}
    one = rg.train(split, x, {"a": y[:, 0], "b": y[:, 1:]}, **options)
    other = rg.train(plain, x, y, **options)
    np.testing.assert_allclose(one.J, other.J, rtol=1e-11)
    W = np.hstack([split.parameters["W2.1"], split.parameters["W2.2"]])
    np.testing.assert_allclose(W, plain.parameters["W2"], rtol=1e-8)


TORCH = np.load(Path(__file__).with_name("two_heads.npz"))


@pytest.mark.parametrize("engine", ENGINES)
def test_400_steps_with_class_weights_are_pytorchs(engine):
    inputs = rg.Inputs({"a": [rg.Dense(4, 6, "tanh")], "b": [rg.Dense(2, 3, "tanh")]})
    heads = rg.Heads({"numbers": [rg.Dense(5, 2)], "labels": [rg.Dense(5, 3)]})
    layers = [inputs, rg.Dense(9, 5, "tanh"), heads]
    network = rg.Network(layers, output={"labels": "softmax"})
    for name in network.parameters:
        network.parameters[name] = TORCH[f"start {name}"]
    loss = {"numbers": "squared_error", "labels": "cross_entropy"}
    rg.train(
        network,
        {name: TORCH[name] for name in ("a", "b")},
        {name: TORCH[name] for name in loss},
        loss=rg.Losses(loss, weights={"numbers": 0.3, "labels": 1.7}),
        optimizer=rg.Adam(0.02),
        epochs=100,
        batch_size=16,
        shuffle=False,
        class_weight={"labels": {0: 0.5, 2: 3.0}},
        engine=engine,
    )
    for name, W in network.parameters.items():
        expected = TORCH[f"end {name}"]
        assert np.abs(W - expected).max() <= 1e-12 * np.abs(expected).max()


def test_other_weights_build_and_compile_nothing():
    network = net()

    def steps(weights):
        loss = find_loss(rg.Losses(LOSS.losses, weights), network)
        return steps_of(network, loss, check_rows(network, loss, X, Y).target, rg.SGD(0.1))

    assert steps({}) is steps({"kind": 0.3})
    assert set(steps({})["train"].scalars) >= {"weight of price", "weight of kind"}
    other = find_loss({"price": "squared_error", "kind": "focal"}, network)
    target = check_rows(network, other, X, Y).target
    assert steps_of(network, other, target, rg.SGD(0.1)) is not steps({})


@pytest.mark.parametrize("engine", ENGINES)
def test_a_head_of_weight_0_does_not_move_the_weights(engine):
    network, alone = net(), net()
    before = {name: w.copy() for name, w in network.parameters.items()}
    loss = rg.Losses(LOSS.losses, weights={"kind": 0})
    train(network, loss=loss, engine=engine)
    for name in ("W3.2", "b3.2", "W3.3", "b3.3"):
        np.testing.assert_array_equal(network.parameters[name], before[name])
    assert not np.array_equal(network.parameters["W3.1"], before["W3.1"])
    train(alone, y={**Y, "kind": Y["kind"][::-1]}, loss=loss, engine=engine)
    assert same(network, alone)


@pytest.mark.parametrize("engine", ENGINES)
def test_sample_weights_are_of_each_head_or_of_all(engine):
    network, w = net(), RNG.uniform(0, 2, N)
    w[:20] *= 3.0  # the batches weigh differently
    own = losses(network)
    options = {"optimizer": STILL, "epochs": 1, "shuffle": False, "engine": engine, "l2": 0.1}
    penalty = 0.05 * sum((x**2).sum() for k, x in network.parameters.items() if k[0] == "W")
    for given in (w, {"price": w, "kind": w}, {"kind": w}):
        weights = given if isinstance(given, dict) else dict.fromkeys(own, given)
        J_of = {h: np.average(x, weights=weights.get(h)) for h, x in own.items()}
        history = train(network, sample_weight=given, **options)
        for head, J in J_of.items():
            np.testing.assert_allclose(history.J_of[head], [J], rtol=1e-12)
        total = J_of["price"] + 0.5 * J_of["kind"] + penalty
        np.testing.assert_allclose(history.J, [total], rtol=1e-12)


def test_a_row_of_weight_0_needs_no_target_of_that_head():
    networks, w = (net(), net()), np.ones(N)
    w[10:30] = 0.0
    other = np.where(w == 0, 1000.0, Y["price"])
    for network, price in zip(networks, (Y["price"], other), strict=True):
        train(network, y={**Y, "price": price}, sample_weight={"price": w})
    assert same(*networks)


def test_held_out_rows_of_weight_0_do_not_count_in_that_head():
    networks, w = (net(), net()), np.ones(N)
    w[::2] = 0.0
    other = np.where(w == 0, 1000.0, Y["price"])
    found = [
        train(network, y={**Y, "price": price}, sample_weight={"price": w}, validation=0.3)
        for network, price in zip(networks, (Y["price"], other), strict=True)
    ]
    assert same(*networks)
    assert found[0].validation_J_of == found[1].validation_J_of
    assert found[0].validation_J == found[1].validation_J


def test_held_out_rows_that_all_have_the_weight_0_in_a_head_are_an_error():
    held = []

    def score(y, output):
        held.extend(y["price"][:, 0])
        return 0.0

    train(net(), validation=0.3, score=score, epochs=1)
    w = np.where(np.isin(Y["price"], held), 0.0, 1.0)
    with pytest.raises(DataError, match="all of the 14 validation rows have the weight 0 in the h"):
        train(net(), sample_weight={"price": w}, validation=0.3)


def test_class_weights_of_a_head_are_sample_weights_of_it():
    share = np.bincount(Y["kind"], minlength=3)
    cases = {"balanced": N / (3 * share), "by label": np.array([1.0, 2.0, 0.5])}
    for name, by_label in cases.items():
        chosen = "balanced" if name == "balanced" else dict(enumerate(by_label))
        networks = net(), net()
        a = train(networks[0], class_weight={"kind": chosen})
        b = train(networks[1], sample_weight={"kind": by_label[Y["kind"]]})
        assert same(*networks)
        assert a.J_of == b.J_of


@pytest.mark.parametrize("engine", ENGINES)
def test_held_out_rows_are_the_same_of_every_input_and_head(engine):
    seen = []

    def score(y, output):
        seen.append((y, output))
        return -float(((y["price"] - output["price"]) ** 2).mean())

    network = net()
    history = train(network, validation=0.25, score=score, engine=engine, epochs=2)
    y, output = seen[history.best_epoch - 1]
    rows = [int(np.flatnonzero(Y["price"] == price)[0]) for price in y["price"][:, 0]]
    np.testing.assert_array_equal(y["kind"], Y["kind"][rows])
    predicted = network.predict({name: x[rows] for name, x in X.items()})
    for head in predicted:
        np.testing.assert_allclose(output[head], predicted[head], rtol=1e-10)
    for head, own in losses(network, rows).items():
        J = history.validation_J_of[head][history.best_epoch - 1]
        assert J == pytest.approx(own.mean(), rel=1e-10)
    parts = history.validation_J_of
    total = np.add(parts["price"], 0.5 * np.array(parts["kind"]))
    np.testing.assert_allclose(history.validation_J, total, rtol=1e-12)


def test_a_pair_of_dicts_validates_and_patience_stops():
    network = net()
    pair = ({name: x[:9] for name, x in X.items()}, {name: y[:9] for name, y in Y.items()})
    history = train(network, validation=pair, patience=3, epochs=400, optimizer=rg.Adam(0.05))
    assert history.stopped == "validation"
    assert history.score == "loss"
    assert history.best_epoch == 1 + int(np.argmin(history.validation_J))
    own = {head: x.mean() for head, x in losses(network, slice(9)).items()}
    best = min(history.validation_J)
    assert own["price"] + 0.5 * own["kind"] == pytest.approx(best, rel=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_resumed_training_is_the_uninterrupted_one_bit_for_bit(engine):
    whole, parts = net(rg.Dropout(0.2)), net(rg.Dropout(0.2))
    options = {"validation": 0.2, "engine": engine}
    at_once = train(whole, epochs=4, **options)
    first = train(parts, epochs=2, **options)
    # What goes on is the newest, what the network was left with the best by validation.
    both = train(parts, epochs=2, resume=first, **options)
    assert same(whole, parts)
    assert both.J == at_once.J
    assert both.J_of == at_once.J_of
    assert both.validation_J_of == at_once.validation_J_of
    assert len(first.J_of["price"]) == 2  # its own stayed as they were


@pytest.mark.parametrize("weight", [None, "one", "by head"])
def test_batches_train_as_arrays_in_their_order(weight):
    w = RNG.uniform(0.5, 1.5, N)
    given = {None: None, "one": w, "by head": {"kind": w}}[weight]

    def part(value, rows):
        if isinstance(value, dict):
            return {name: x[rows] for name, x in value.items()}
        return value[rows]

    def batches():
        for start in range(0, N, 20):
            rows = slice(start, start + 20)
            more = () if given is None else (part(given, rows),)
            yield (part(X, rows), part(Y, rows), *more)

    arrays, streamed = net(), net()
    a = train(arrays, shuffle=False, sample_weight=given)
    b = train(streamed, batches, None)
    assert same(arrays, streamed)
    np.testing.assert_allclose(a.J, b.J, rtol=1e-14)
    for head, J in a.J_of.items():
        np.testing.assert_allclose(b.J_of[head], J, rtol=1e-14)


def test_batches_of_floats_beside_integers_keep_the_floats_dtype():
    ends = rg.Inputs({"a": [rg.Dense(2, 3)], "age": 1})
    network = rg.Network([ends, rg.Dense(4, 1)])
    X = {"a": np.ones((6, 2), np.float32), "age": np.arange(6)}
    rg.train(network, [(X, np.ones(6)), (X, np.ones(6))], epochs=1)
    assert network.dtype == np.float32
    wide = {**X, "a": np.ones((6, 2))}
    with pytest.raises(DataError, match="X is float64, that of the first batch is float32"):
        rg.train(network, [(X, np.ones(6)), (wide, np.ones(6))], epochs=1)


OPTIMIZERS = [rg.Adam(0.01), rg.EMA(rg.Adam(0.01)), rg.SAM(rg.SGD(0.1)), rg.LBFGS()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda x: x.name)
def test_engines_agree(optimizer):
    nets = net(), net()
    histories = [
        train(n, optimizer=optimizer, validation=0.2, l2=0.01, engine=engine, random_starts=2)
        for n, engine in zip(nets, ENGINES, strict=True)
    ]
    np.testing.assert_allclose(histories[0].J, histories[1].J, rtol=1e-10)
    for head in ("price", "kind"):
        a, b = (h.J_of[head] for h in histories)
        np.testing.assert_allclose(a, b, rtol=1e-10)
        a, b = (h.validation_J_of[head] for h in histories)
        np.testing.assert_allclose(a, b, rtol=1e-8)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_lower_precisions_come_near_float64(precision):
    rough, exact = net(), net()
    options = {"optimizer": rg.Adam(0.01), "epochs": 5}
    a, b = train(rough, precision=precision, **options), train(exact, **options)
    assert rough.dtype == np.float32
    eps = {"float32": 1e-5, "bfloat16": 0.02}[precision]
    for head, J in b.J_of.items():
        np.testing.assert_allclose(a.J_of[head], J, rtol=eps)
    assert a.J != b.J


def test_a_solvers_history_has_each_heads_J_at_the_accepted_point():
    network = net()
    history = train(network, optimizer="lbfgs", epochs=4)
    for head, own in losses(network).items():
        assert history.J_of[head][-1] == pytest.approx(own.mean(), rel=1e-10)
    assert history.J[-1] < 0.9 * history.J[0]


def test_the_learning_rate_range_test_takes_them():
    network = net()
    before = {name: w.copy() for name, w in network.parameters.items()}
    found = rg.learning_rate_range(network, X, Y, loss=LOSS, steps=30)
    assert found.rates[0] < found.steepest < found.rates[-1]
    assert all(np.array_equal(network.parameters[name], w) for name, w in before.items())


def test_a_data_frame_gives_targets_and_auto_the_losses():
    pandas = pytest.importorskip("pandas")
    networks = net(), net()
    train(networks[0], y=pandas.DataFrame(Y), loss="auto")
    train(networks[1], loss={"price": "half_squared_error", "kind": "cross_entropy"})
    assert same(*networks)


def test_a_loss_of_a_users_own_is_of_one_head():
    def absolute(output, y):
        return rg.sum(rg.abs(output - y), axis=1)

    networks = net(), net()
    train(networks[0], loss={"price": absolute, "kind": "cross_entropy"})
    train(networks[1], loss={"price": "absolute_error", "kind": "cross_entropy"})
    assert same(*networks)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"y": {"price": Y["price"]}}, DataError, "Y: nothing is given for the head 'kind'; it"),
        ({"y": {**Y, "knd": 1}}, DataError, r"Y: unknown head 'knd' \(did you mean 'kind'"),
        ({"y": Y["price"]}, DataError, "Y: the network has heads; give a dict of arrays"),
        ({"y": {**Y, "kind": Y["kind"][1:]}}, DataError, r"Y\['price'\] has 48 rows, Y\['kind'\]"),
        ({"y": {h: y[1:] for h, y in Y.items()}}, DataError, "X has 48 rows, Y has 47"),
        ({"y": {**Y, "kind": Y["kind"] + 3}}, DataError, "head 'kind': Y: row 0 has label"),
        ({"y": {**Y, "kind": 0 * Y["kind"]}}, DataError, "head 'kind': Y: every row has label 0"),
        ({"y": {**Y, "price": np.full(N, np.inf)}}, DataError, "head 'price': Y: inf at row 0"),
        ({"loss": "squared_error"}, OptionError, "the network has heads; give a loss for each"),
        ({"loss": {"price": "huber"}}, OptionError, "loss: none is given for 'kind'"),
        ({"loss": {**LOSS.losses, "a": "huber"}}, UnknownNameError, "unknown head 'a'; known: k"),
        ({"loss": {**LOSS.losses, "price": "focal"}}, OptionError, "head 'price': focal needs a"),
        (
            {"loss": rg.Losses(LOSS.losses, {"knd": 1})},
            UnknownNameError,
            "unknown head 'knd'",
        ),
        ({"sample_weight": {"kid": np.ones(N)}}, DataError, "sample_weight: unknown head 'kid'"),
        ({"sample_weight": {"kind": [1.0]}}, DataError, r"sample_weight\['kind'\]: expected shape"),
        ({"class_weight": "balanced"}, OptionError, "class_weight is a dict by head"),
        ({"class_weight": {"price": "balanced"}}, OptionError, "head 'price': train: class_weight"),
        ({"class_weight": {"prce": None}}, UnknownNameError, "unknown head 'prce'"),
        ({"score": "r2", "validation": 0.2}, OptionError, "score 'r2' does not fit the loss price"),
        ({"optimizer": "levenberg_marquardt"}, OptionError, "takes networks of one output; this"),
        ({"y": None}, OptionError, "Y is missing; pass X and Y"),
        ({"validation": (X, Y["price"])}, DataError, "validation Y: the network has heads"),
    ],
)
def test_what_does_not_fit_is_an_error_and_changes_nothing(options, error, message):
    network = net()
    before = {name: w.copy() for name, w in network.parameters.items()}
    with pytest.raises(error, match=message):
        train(network, **options)
    assert all(np.array_equal(network.parameters[name], w) for name, w in before.items())


def test_a_batch_that_does_not_fit_tells_its_number():
    bad = ({**X, "age": X["age"][:3]}, Y)
    with pytest.raises(DataError, match=r"batch 2 of epoch 1: X\['wide'\] has 48 rows"):
        train(net(), [(X, Y), bad], None)
    with pytest.raises(DataError, match="sample_weight: this batch has kind, the first has none"):
        train(net(), [(X, Y), (X, Y, {"kind": np.ones(N)})], None)
    with pytest.raises(OptionError, match="needs all rows at once"):
        train(net(), [(X, Y)], None, class_weight={"kind": "balanced"})


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: rg.Losses(["huber"]), "Losses: losses is a dict by head, got"),
        (lambda: rg.Losses({"a": "huber"}, weights=[1]), "Losses: weights is a dict by head, got"),
        (lambda: rg.Losses({"a": "huber"}, {"a": -1}), "the weight of 'a' must be in"),
        (lambda: rg.Losses({"a": "huber"}, {"a": 0}), "all weights are 0"),
    ],
)
def test_what_losses_must_not_be(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_a_network_of_one_output_takes_no_names():
    plain, x, y = rg.MLP([4, 1]), X["wide"], Y["price"]
    with pytest.raises(OptionError, match="losses by name are for the heads of a network"):
        rg.train(plain, x, y, loss={"price": "huber"})
    with pytest.raises(DataError, match="Y: is a dict, but the network has one output"):
        rg.train(plain, x, Y)
    with pytest.raises(DataError, match="sample_weight: is a dict, but the network has one"):
        rg.train(plain, x, y, sample_weight={"price": np.ones(N)})
