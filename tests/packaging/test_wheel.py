"""The wheel: what it holds, and that it trains where nothing but the wheel is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import retrograd as rg

# One process builds the wheel and installs it, however many run the tests.
pytestmark = pytest.mark.xdist_group("wheel")

TRAIN = """
from sklearn.datasets import load_iris
import retrograd as rg

X, y = load_iris(return_X_y=True)
model = rg.MLPClassifier(hidden_layer_sizes=(10,)).fit(X, y)
print(rg.__file__)
print(model.predict(X).shape)
"""


def _run(*command: str | Path, folder: Path) -> str:
    """What the command prints, run from the folder, with no way to this clone's sources."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a virtual environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("clean")
    _run(sys.executable, "-m", "venv", "venv", folder=folder)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip_install = [programs / "python", "-m", "pip", "install", "--quiet", "--no-compile"]
    _run(*pip_install, wheel, folder=folder)
    return programs


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    sources = Path(__file__).parents[2] / "src"
    modules = {path.relative_to(sources).as_posix() for path in sources.glob("retrograd/**/*.py")}
    assert modules < set(names)
    assert "retrograd/py.typed" in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"retrograd", f"retrograd-{rg.__version__}.dist-info"}
    assert not [name for name in names if "test" in name.split("/")[-1]]


def test_the_wheel_is_of_the_version_that_the_package_tells(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(path))
    assert metadata["Version"] == rg.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]


def test_the_installed_wheel_trains_a_classifier(clean: Path, tmp_path: Path):
    file, shape = _run(clean / "python", "-c", TRAIN, folder=tmp_path).splitlines()
    assert Path(file).is_relative_to(clean.parent)
    assert shape == "(150,)"


def test_the_installed_command_trains_and_writes_a_model(clean: Path, tmp_path: Path):
    printed = _run(clean / "retrograd", "train", "iris", "--output", "m.model", folder=tmp_path)
    assert "accuracy" in printed
    assert (tmp_path / "m.model").stat().st_size > 0
