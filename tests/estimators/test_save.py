"""Estimators in model files: what comes back is what went in, and damage is an error."""

import json

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ModelFileError, OptionError
from retrograd.files import container

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def facts(model):
    return {n: v for n, v in vars(model).items() if not n.startswith("_")}


def assert_same(a, b):
    assert facts(a).keys() == facts(b).keys()
    for name, value in facts(a).items():
        other = facts(b)[name]
        assert type(value) is type(other), name
        np.testing.assert_equal(other, value)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True, "n_iter_no_change": np.inf},
        {"solver": "lbfgs", "hidden_layer_sizes": 4},
        {"solver": "sgd", "learning_rate": "invscaling", "hidden_layer_sizes": []},
        {"hidden_layer_sizes": np.array([5, 4]), "alpha": np.float64(0.1)},
    ],
)
def test_what_is_loaded_is_what_was_saved(task, params, tmp_path):
    model = task.pair(max_iter=4, **params)[0].fit(task.X, task.y)
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    assert type(loaded) is type(model)
    np.testing.assert_equal(loaded.get_params(), model.get_params())
    np.testing.assert_array_equal(loaded.predict(task.X), model.predict(task.X))
    if task.kind == "classifier":
        np.testing.assert_array_equal(loaded.predict_proba(task.X), model.predict_proba(task.X))
        assert loaded.predict(task.X).dtype == model.predict(task.X).dtype
    if "alpha" not in params:  # a NumPy number comes back as Python's
        assert_same(model, loaded)
    loaded.save(tmp_path / "b.model")
    assert (tmp_path / "b.model").read_bytes() == (tmp_path / "a.model").read_bytes()


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_loaded_model_trains_on_as_the_saved_one(task, solver, tmp_path):
    model = task.pair(max_iter=4, solver=solver)[0].fit(task.X, task.y)
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    for _ in range(3):
        model.partial_fit(task.X, task.y)
        loaded.partial_fit(task.X, task.y)
    assert loaded.loss_curve_ == model.loss_curve_
    for a, b in zip(model.coefs_, loaded.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


LABELS = {
    "bool": np.array([False, True]),
    "int8": np.array([-3, 5], np.int8),
    "float": np.array([1.0, 2.0]),
    "text": np.array(["no", "yes"]),
    "objects": np.array(["no", "yes"], object),
    "three": np.array(["a", "b", "umlaut \u00fc"]),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_come_back_in_their_type(name, tmp_path, tasks):
    X, labels = tasks["binary"].X, LABELS[name]
    model = rg.MLPClassifier((3,), max_iter=2).fit(X, labels[np.arange(130) % len(labels)])
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    assert loaded.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(loaded.classes_, model.classes_)
    assert loaded.predict(X).dtype == model.predict(X).dtype


def test_feature_names_come_back(tmp_path, tasks):
    import pandas

    frame = pandas.DataFrame(tasks["binary"].X[:, :2], columns=["length", "width"])
    model = rg.MLPClassifier((3,), max_iter=2).fit(frame, tasks["binary"].y)
    model.save(tmp_path / "a.model")
    loaded = rg.load(tmp_path / "a.model")
    np.testing.assert_array_equal(loaded.feature_names_in_, ["length", "width"])
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.predict(frame[["width", "length"]])


@pytest.fixture
def saved(tmp_path, tasks):
    task = tasks["multi-class"]
    path = tmp_path / "a.model"
    rg.MLPClassifier((3,), max_iter=2, random_state=0).fit(task.X, task.y).save(path)
    return path


def test_safetensors_reads_the_file(saved):
    from safetensors import safe_open

    with safe_open(saved, "np") as file:
        assert file.get_tensor("W1").shape == (64, 3)
        header = json.loads(file.metadata()["retrograd"])
    assert header["params"]["hidden_layer_sizes"] == {"tuple": [3]}
    assert header["preprocessing"]["labels"]["classes"][0] == "no 0"


def test_a_cut_file_is_an_error(saved):
    data = saved.read_bytes()
    for length in (0, 7, 100, len(data) // 2, len(data) - 1):
        saved.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            rg.load(saved)


def test_a_flipped_bit_is_an_error(saved):
    data = bytearray(saved.read_bytes())
    for place in range(0, len(data), 97):
        data[place] ^= 1
        saved.write_bytes(data)
        with pytest.raises(ModelFileError):
            rg.load(saved)
        data[place] ^= 1


def drop_weights(header, arrays):
    del arrays["b2"]


def add_figure(header, arrays):
    header["fitted"]["__class__"] = 1


def break_parameter(header, arrays):
    header["params"]["alpha"] = -1.0


def unknown_parameter(header, arrays):
    header["params"]["wings"] = "auto"


def other_activation(header, arrays):
    header["params"]["activation"] = "tanh"


def other_optimizer(header, arrays):
    header["optimizer"]["optimizer"]["object"] = "Newton"


def other_state(header, arrays):
    arrays["optimizer: m of W1"] = np.zeros(3)


def many_classes(header, arrays):
    header["preprocessing"]["labels"]["classes"].append("one more")


def other_features(header, arrays):
    header["preprocessing"]["n_features"] = 3


def strange_value(header, arrays):
    header["params"]["alpha"] = {"call": "os.system"}


def no_network(header, arrays):
    del header["network"]


@pytest.mark.parametrize(
    "change",
    [
        drop_weights,
        add_figure,
        break_parameter,
        unknown_parameter,
        other_activation,
        other_optimizer,
        other_state,
        many_classes,
        other_features,
        strange_value,
        no_network,
    ],
)
def test_a_file_that_contradicts_itself_is_an_error(saved, change):
    file = container.read(saved)
    change(file.header, file.arrays)
    container.write(saved, file.kind, file.header, file.arrays)
    with pytest.raises(ModelFileError, match=str(saved)):
        rg.load(saved)


def test_a_parameter_that_json_cannot_hold_is_named(tmp_path, tasks):
    task = tasks["binary"]
    model = task.pair(max_iter=1, random_state=np.random.RandomState(0))[0].fit(task.X, task.y)
    with pytest.raises(OptionError, match="random_state is a RandomState"):
        model.save(tmp_path / "a.model")
    assert not list(tmp_path.iterdir())


def test_what_was_not_fitted_is_not_saved(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        rg.MLPClassifier().save(tmp_path / "a.model")
