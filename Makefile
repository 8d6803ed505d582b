# Everything runs in .venv, made on first use with $(PYTHON) and pip. `make help` lists what there is.

PYTHON ?= python3
JOBS ?= 2

VENV := .venv
LOWEST := .venv-lowest
BENCH := .venv-bench
BIN := $(VENV)/bin

# One thread of linear algebra in each test process: the processes share the cores already.
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(1)/bin/pytest -n $(JOBS) --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help demo test lint format test-lowest vocabulary lectures bench wheel clean FORCE

help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
	@echo "With another Python: make PYTHON=python3.12 ..."
	@echo "A short look: make bench BENCH_OPTIONS=--quick"

demo: $(VENV)/.demo ## train on the handwritten digits, print the test accuracy, write a report
	@mkdir -p demo
	@$(BIN)/retrograd train digits --output demo/digits.model
	@$(BIN)/retrograd report demo/digits.model digits --output demo/digits.html

test: lint $(VENV)/.dev ## everything that CI runs: lint, tests, doctests, the wheel in a clean venv
	$(call PYTEST,$(VENV))

lint: $(VENV)/.dev ## check style, layout, types, and which room imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-lowest: $(LOWEST)/.test ## run the tests on the oldest dependencies allowed (with Python 3.11)
	$(call PYTEST,$(LOWEST)) --ignore=tests/packaging/test_wheel.py

vocabulary: $(VENV)/.dev ## write docs/vocabulary.md anew, from the docstrings and the tests
	$(BIN)/python docs/make_vocabulary.py

lectures: $(VENV)/.dev ## run the essays of docs/lectures, and write what they print and draw
	$(BIN)/python docs/make_lectures.py

bench: $(BENCH)/.bench ## measure beside JAX, PyTorch, onnxruntime, scikit-learn, NumPy (an hour)
	$(BENCH)/bin/python -m benchmarks $(BENCH_OPTIONS)

wheel: $(VENV)/.made ## build the wheel into dist/
	$(BIN)/python -m pip wheel -qq --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls dist/*.whl

clean: ## remove what make made
	rm -rf .venv .venv-* build demo dist
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the virtual environments ---

TELL_VERSION := import sys; print(sys.version if sys.version_info >= (3, 11) else "")
NO_PYTHON = retrograd needs Python 3.11 or newer, and $(PYTHON) is not: name one, make PYTHON=python3.12
NO_VENV = $(PYTHON) comes without its venv module: install it (Debian, Ubuntu: apt-get install python3-venv)

# A venv is kept while it runs, is of the Python asked for, and its last install came to its end;
# otherwise it is made anew. The stamp of a kept one keeps its date, so nothing is installed again.
$(VENV)/.made $(LOWEST)/.made $(BENCH)/.made: FORCE
	@$(if $(shell $(PYTHON) -c '$(TELL_VERSION)' 2>/dev/null),,$(error $(NO_PYTHON)))
	@$(if $(shell $(PYTHON) -c 'import ensurepip, venv; print(1)' 2>/dev/null),,$(error $(NO_VENV)))
	@wanted=$$($(PYTHON) -c '$(TELL_VERSION)'); found=$$($(@D)/bin/python -c '$(TELL_VERSION)' 2>/dev/null); \
	if [ ! -e $@ ] || [ -e $(@D)/.installing ] || [ "$$wanted" != "$$found" ]; then \
	  echo "making $(@D) with $$($(PYTHON) --version)"; \
	  rm -rf $(@D) && $(PYTHON) -m venv $(@D) && touch $@; \
	fi

# --no-compile: what is imported is compiled then; compiling all of it takes as long as the rest.
define INSTALL
@echo "installing retrograd[$(1)] in $(@D)"
@touch $(@D)/.installing
@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --no-compile --editable '.[$(1)]' $(2)
@rm $(@D)/.installing
@touch $@
endef

$(VENV)/.demo: $(VENV)/.made pyproject.toml
	$(call INSTALL,plots$(comma)pictures)

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	$(call INSTALL,dev)

$(LOWEST)/.test: $(LOWEST)/.made pyproject.toml tests/lowest-constraints.txt
	$(call INSTALL,test,--constraint tests/lowest-constraints.txt --only-binary numpy$(comma)scipy)

$(BENCH)/.bench: $(BENCH)/.made pyproject.toml benchmarks/requirements.txt
	$(call INSTALL,plots,--requirement benchmarks/requirements.txt)

comma := ,
