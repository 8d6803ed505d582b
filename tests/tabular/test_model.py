"""A table model: tables in, answers out, and one file that gives it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, ModelFileError, OptionError
from retrograd.files import container
from retrograd.files.table import Table
from retrograd.tabular import fit_columns, fit_target
from retrograd.tabular.model import KIND, TableModel

TABLE = Table.of(
    {
        "age": [31.0, 45.0, None, 52.0],
        "city": ["Bonn", "Kiel", "Bonn", None],
        "ill": ["no", "yes", "no", "yes"],
        "h": [10.0, 20.0, 30.0, 40.0],
    }
)


def model_of(name: str, **more: Any) -> TableModel:
    columns = fit_columns(TABLE, exclude=["ill", "h"])
    target = fit_target(TABLE.column(name), name=name)
    n_outputs, output = (2, "softmax") if name == "ill" else (1, "identity")
    sizes = [len(columns.feature_names), 3, n_outputs]
    return TableModel(rg.MLP(sizes, output=output), columns, target, data="patients", **more)


@pytest.fixture
def regression() -> TableModel:
    kept = {"l2": 1e-5, "batch_size": None, "rows": {"train": 3}}
    return model_of("h", units={"h": "W/(m^2 K)"}, settings=kept, scores={"test R2": 0.5})


def test_classes_are_answered_by_name_and_probabilities_in_their_order():
    model = model_of("ill")
    P = model.predict_proba(TABLE)
    assert model.task == "classification" and P.shape == (4, 2)
    assert P.sum(axis=1) == pytest.approx(1.0)
    assert model.predict(TABLE).tolist() == [("no", "yes")[i] for i in P.argmax(axis=1)]


def test_numbers_are_answered_in_the_targets_own_unit(regression: TableModel):
    assert regression.task == "regression" and regression.unit == "W/(m^2 K)"
    standard = regression.network.predict(regression.columns.transform(TABLE))[:, 0]
    target = TABLE.column("h").astype(float)
    assert regression.predict(TABLE) == pytest.approx(standard * target.std() + target.mean())


@pytest.mark.parametrize("ask", [TableModel.predict, TableModel.predict_proba])
def test_a_category_that_training_had_not_is_answered_with_a_warning(ask):
    model = model_of("ill")
    other = Table.of({"age": [31.0, 31.0], "city": ["Rome", None]})
    with pytest.warns(UserWarning, match="column 'city': 'Rome' in row 1 was not") as told:
        answers = ask(model, other)
    assert len(told) == 1 and np.array_equal(answers[0], answers[1])


def test_a_regression_has_no_probabilities(regression: TableModel):
    with pytest.raises(DataError, match="'h', a number"):
        regression.predict_proba(TABLE)


def test_the_target_is_not_asked_for_and_a_missing_column_is_named():
    model = model_of("ill")
    assert model.predict(TABLE.drop(["ill", "h"])).shape == (4,)
    with pytest.raises(DataError, match="no column 'city'"):
        model.predict(TABLE.drop(["city"]))


@pytest.mark.parametrize("name", ["ill", "h"])
def test_what_is_saved_is_loaded_again(name: str, tmp_path: Path):
    model = model_of(name, units={"age": "year"}, settings={"a": [1, None]}, scores={"s": 0.5})
    model.save(tmp_path / "a.model")
    again = rg.load(tmp_path / "a.model")
    assert isinstance(again, TableModel) and again.to_json() == model.to_json()
    assert again.predict(TABLE).tolist() == model.predict(TABLE).tolist()
    again.save(tmp_path / "b.model")
    assert (tmp_path / "a.model").read_bytes() == (tmp_path / "b.model").read_bytes()


def test_a_network_of_other_sizes_is_refused():
    model = model_of("ill")
    with pytest.raises(OptionError, match="2 outputs; the network has 4 inputs and 3 outputs"):
        TableModel(rg.MLP([4, 3], output="softmax"), model.columns, model.target, data="x")


DAMAGES: dict[str, Any] = {
    "no columns": lambda spec: spec.pop("columns"),
    "no network": lambda spec: spec.update(network=None),
    "a network of other sizes": lambda spec: spec["columns"]["columns"].pop(),
    "a target of no kind": lambda spec: spec["target"].update(kind="colour"),
    "a name that is none": lambda spec: spec.update(data=3),
    "units that are none": lambda spec: spec.update(units=["m"]),
    "scores that are none": lambda spec: spec.update(scores=3),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_file_that_describes_no_model_is_a_typed_error(what: str, tmp_path: Path):
    model = model_of("ill")
    spec = json.loads(json.dumps(model.to_json()))
    DAMAGES[what](spec)
    container.write(tmp_path / "a.model", KIND, spec, dict(model.network.parameters))
    with pytest.raises(ModelFileError, match=r"a\.model"):
        rg.load(tmp_path / "a.model")


def test_it_says_what_it_is(regression: TableModel):
    assert repr(regression).startswith("<table model of patients: regression of h, <network 4-3-1")
    assert np.isfinite(regression.predict(TABLE)).all()
