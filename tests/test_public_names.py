"""The public names: what `import retrograd as rg` offers, no more and no less."""

import subprocess
import sys

import retrograd as rg

GATES = """
abs add broadcast_to cast clip concatenate divide equal exp expm1 greater greater_equal less
less_equal log log1p log_softmax logsumexp matmul max maximum mean min minimum multiply negative
not_equal one_hot power relu reshape row_count scatter_add sigmoid sign softmax softplus sqrt square
subtract sum sum_to take tanh transpose where zeros
""".split()

OTHERS = """
Adam AdamW Dense History LBFGS MLP MLPClassifier MLPRegressor Network Node SGD check_gradient
compile constant errors evaluate gradient load rows trace train variable
""".split()


def test_the_public_names_are_these():
    assert sorted(rg.__all__) == sorted([*GATES, *OTHERS])
    assert set(rg.__all__) <= set(dir(rg))


def test_every_public_name_can_be_reached_and_says_what_it_is():
    for name in rg.__all__:
        assert getattr(rg, name) is not None
        if name != "rows":
            assert (getattr(rg, name).__doc__ or "").strip(), name


def test_a_name_that_is_not_there_is_an_attribute_error_like_any_other():
    try:
        rg.MLPClasifier
    except AttributeError as error:
        assert "MLPClasifier" in str(error)
    else:
        raise AssertionError("no error")


def test_importing_retrograd_imports_nothing_heavy():
    code = "import sys, retrograd; print(' '.join(sorted(m.split('.')[0] for m in sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"scipy", "sklearn", "matplotlib", "rich", "typer", "safetensors", "pyarrow", "pandas"}
    assert heavy.isdisjoint(loaded)
