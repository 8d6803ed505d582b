"""`load`: whatever a model file holds, by its kind."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any

from retrograd.errors import ModelFileError

if TYPE_CHECKING:
    from retrograd.files.container import ModelFile


def _network(file: ModelFile) -> Any:
    from retrograd.nn.network import Network

    return Network.from_json(file.header, file.arrays)


def _table_model(file: ModelFile) -> Any:
    from retrograd.tabular.model import TableModel

    return TableModel.from_json(file.header, file.arrays)


def _classifier(file: ModelFile) -> Any:
    from retrograd.estimators.classifier import MLPClassifier
    from retrograd.estimators.serial import restore

    return restore(MLPClassifier, file)


def _regressor(file: ModelFile) -> Any:
    from retrograd.estimators.regressor import MLPRegressor
    from retrograd.estimators.serial import restore

    return restore(MLPRegressor, file)


def _multi_task(file: ModelFile) -> Any:
    from retrograd.estimators.multi_task import MLPMultiTask
    from retrograd.estimators.serial import restore

    return restore(MLPMultiTask, file)


def _ensemble_classifier(file: ModelFile) -> Any:
    from retrograd.estimators.ensemble_classifier import MLPEnsembleClassifier
    from retrograd.estimators.ensemble_serial import restore

    return restore(MLPEnsembleClassifier, file)


def _ensemble_regressor(file: ModelFile) -> Any:
    from retrograd.estimators.ensemble_regressor import MLPEnsembleRegressor
    from retrograd.estimators.ensemble_serial import restore

    return restore(MLPEnsembleRegressor, file)


def _loaders() -> dict[str, Callable[[ModelFile], Any]]:
    """What reads each kind. An estimator's kind is the name of its class, which is costly to load.

    All that a file needs is imported when one is read.
    """
    from retrograd.nn.network import KIND as NETWORK
    from retrograd.tabular.model import KIND as TABLE_MODEL

    return {
        NETWORK: _network,
        TABLE_MODEL: _table_model,
        "MLPClassifier": _classifier,
        "MLPEnsembleClassifier": _ensemble_classifier,
        "MLPEnsembleRegressor": _ensemble_regressor,
        "MLPMultiTask": _multi_task,
        "MLPRegressor": _regressor,
    }


def load(path: str | PathLike[str]) -> Any:
    """The network, estimator or table model that a model file holds.

    A damaged or cut file, or one of another program, is a ModelFileError, never a model; a file
    that cannot be read is a FileError.

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "digits.model")
    ...     rg.MLP([64, 100, 10], output="softmax").save(path)
    ...     rg.load(path)
    <network 64-100-10, output softmax, 7510 parameters>
    """
    from retrograd.files import container

    file, loaders = container.read(path), _loaders()
    if file.kind not in loaders:
        known = ", ".join(sorted(loaders))
        raise ModelFileError(
            f"{path}: holds a {file.kind}, which this version does not know; known: {known}"
        )
    try:
        return loaders[file.kind](file)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
