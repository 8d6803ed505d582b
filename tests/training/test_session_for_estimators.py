"""What the estimators ask of a session: l2 for each batch, another reported J, sparse rows."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

import retrograd as rg
from retrograd.arrays import SparseRows
from retrograd.nn.losses import find_loss
from retrograd.nn.losses.regression import SquaredError
from retrograd.training.rows import Rows, check_rows
from retrograd.training.session import TrainingSession


def opened(l2=0.0, loss=None, weights=None, is_sparse=False):
    net = rg.MLP([2, 3, 1], activation="tanh")
    X = np.random.default_rng(0).normal(size=(5, 2))
    loss = loss or find_loss("half_squared_error", net)
    rows = check_rows(net, loss, X, X[:, :1], weights)
    if is_sparse:
        rows = Rows(SparseRows(csr_array(X)), rows.target, rows.sample_weight)
    return net, TrainingSession(net, rows, loss=loss, optimizer=rg.SGD(0.1), l2=l2)


def run(session):
    J = session.epoch(np.arange(5), 2, lambda: False).J
    return J, session.parameters()


@pytest.mark.parametrize("weights", [None, np.array([1.0, 2.0, 0.5, 0.5, 4.0])])
def test_an_l2_function_gets_the_weight_of_each_batch(weights):
    seen = []

    def l2(batch_weights):
        seen.append(batch_weights)
        return 3.0 / batch_weights

    net, session = opened(l2, weights=weights)
    _, plain = opened(0.0, weights=weights)
    J, expected = run(session)[0], [2.0, 2.0, 1.0] if weights is None else [3.0, 1.0, 4.0]
    np.testing.assert_array_equal(seen, [expected])
    squares = sum(np.square(w).sum() for name, w in net.parameters.items() if name[0] == "W")
    assert J[0] - run(plain)[0][0] == pytest.approx(0.5 * 3.0 / expected[0] * squares)


def test_a_number_and_a_function_that_gives_it_are_the_same():
    (J, parameters), (other_J, others) = run(opened(0.3)[1]), run(opened(lambda w: 0.3 + 0 * w)[1])
    np.testing.assert_array_equal(J, other_J)
    for name in parameters:
        np.testing.assert_array_equal(parameters[name], others[name])


def test_a_reported_loss_changes_what_is_said_and_not_what_is_done():
    loss = find_loss("half_squared_error", rg.MLP([2, 3, 1]))
    (J, parameters), (twice, others) = (
        run(opened(loss=chosen)[1]) for chosen in (loss, replace(loss, reported=SquaredError()))
    )
    np.testing.assert_allclose(twice, 2.0 * J, rtol=1e-15)
    for name in parameters:
        np.testing.assert_array_equal(parameters[name], others[name])


def test_a_replaced_optimizer_gives_the_next_epoch_its_rate():
    (_, session), (_, other) = opened(), opened()
    session.optimizer = rg.SGD(1e-300)
    before = session.parameters()
    run(session)
    for name, value in session.parameters().items():
        np.testing.assert_allclose(value, before[name], rtol=0, atol=1e-290)
    assert (run(other)[1]["W1"] != before["W1"]).any()


def test_sparse_rows_train_as_dense_ones():
    (J, parameters), (other_J, others) = run(opened()[1]), run(opened(is_sparse=True)[1])
    np.testing.assert_array_equal(J, other_J)
    for name in parameters:
        np.testing.assert_array_equal(parameters[name], others[name])
