"""The public names: what `import retrograd as rg` offers, no more and no less."""

import subprocess
import sys

import retrograd as rg

GATES = """
abs add bernoulli broadcast_to cast center clip concatenate cos cumsum divide equal erf erfc exp
expm1 floor greater greater_equal less less_equal log log1p log_softmax logsumexp matmul max maximum
mean min minimum multiply negative normal not_equal one_hot power relu reshape round_bfloat16
row_count scatter_add sigmoid sign sin softmax softplus sqrt square standardize subtract sum sum_to
take tanh top_k_mask transpose uniform variance where zeros
""".split()

OTHERS = """
Accumulate Adadelta Adafactor Adagrad Adam AdamW Adamax BatchNorm Clip Concatenate ConjugateGradient
CrossEntropy Decay Dense Dropout EMA Embedding Focal GaussianNLL Groups Heads History Huber Inputs
LAMB LBFGS LayerNorm LeastSquaresFit LevenbergMarquardt Lion Lookahead Losses MLP MLPClassifier
MLPEnsembleClassifier MLPEnsembleRegressor MLPMultiTask MLPRegressor Muon NAdam Network Node PReLU
Periodic PiecewiseLinear Quantile RAdam RMSprop RateRange Recorder Residual Rprop SAM SGD SWA Scale
ScaledConjugateGradient ScheduleFreeAdamW Select Tweedie celu check_gradient compile constant
diagnose elu errors evaluate gelu gelu_tanh gradient hard_sigmoid hard_swish hard_tanh identity
initializers integrated_gradients leaky_relu learning_rate_range least_squares load mish nudges
picture plot_boundary plot_confusion plot_distributions plot_errors plot_gradient_check plot_history
plot_learning_rates plot_loss_surface plot_norms plot_regression plot_roc plot_weights prelu relu6
rows schedules selu sensitivity silu softsign trace train unit_variance variable
""".split()


def test_the_public_names_are_these():
    assert sorted(rg.__all__) == sorted([*GATES, *OTHERS])
    assert set(rg.__all__) <= set(dir(rg))


def test_nothing_but_the_public_names_is_listed():
    assert {name for name in dir(rg) if not name.startswith("__")} == set(rg.__all__)
    assert "retrograd" not in vars(rg)


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


def imported_by(code):
    """The modules that this code imports in a fresh process, beyond NumPy and what it imports."""
    code = f"""if True:
        import sys, numpy
        before = {{*sys.modules}}
        {code}
        print(*sorted({{*sys.modules}} - before))
    """
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def test_importing_retrograd_imports_nothing_heavy():
    heavy = """
        llvmlite matplotlib pandas pyarrow rich safetensors scipy sklearn typer
    """.split()
    loaded = {name.split(".")[0] for name in imported_by("import retrograd")}
    assert loaded.isdisjoint(heavy)


def test_importing_retrograd_imports_no_room_or_module_that_only_some_programs_need():
    rooms = "cli datasets estimators files inspect pictures plots tabular engines.cpu.code"
    modules = "csv difflib json numpy.ma numpy.random pathlib secrets tempfile zipfile".split()
    loaded = imported_by("import retrograd")
    assert "retrograd.graph.node" in loaded
    assert {f"retrograd.{room}" for room in rooms.split()}.isdisjoint(loaded)
    assert set(modules).isdisjoint(loaded)


def test_a_name_is_the_same_however_it_is_reached_first():
    for module in ("retrograd.load", "retrograd.inspect.trace", "retrograd.inspect.check"):
        code = f"import {module}, retrograd as rg; assert callable(rg.load) and callable(rg.trace)"
        assert "retrograd" in imported_by(code)


def test_a_training_loads_its_own_optimizer_and_loss_alone():
    code = (
        "import numpy, retrograd as rg; "
        "net = rg.MLP([2, 3, 1]); "
        "rg.train(net, numpy.ones((4, 2)), numpy.ones((4, 1)), optimizer='sgd', epochs=1, "
        "engine='numpy')"
    )
    loaded = {*imported_by(code)}
    assert {"retrograd.optim.sgd", "retrograd.nn.losses.regression"} <= loaded
    others = "optim.adam optim.norms optim.wrapper nn.losses.focal nn.embeddings training.solvers"
    assert {f"retrograd.{module}" for module in others.split()}.isdisjoint(loaded)
    assert {"numpy.ma", "pathlib", "json"}.isdisjoint(loaded)
