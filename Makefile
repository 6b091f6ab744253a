# The two commands of the README: `make run` and `make test`. `make help` lists the others.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= test,lint
RUNS ?= runs
# Of the main job: all modes are covered by then. The paper shows 25,000; `make run STEPS=25000` continues to there.
STEPS ?= 16000
PYTEST_ARGS ?=
LOCK_ARGS ?=
SCALE ?= paper
SECONDS ?= 600
CASE ?= toy images convolutions population devices input startup metrics health evaluation
UV ?= uv
BIN := $(VENV)/bin
comma := ,
space := $(subst ,, )
# constraints.txt has these extras. Others (oracles, cuda12, ...) are added to it without hashes.
PINNED := test lint disentanglement efficientnet slurm tensorboard report video docs
UNPINNED := $(filter-out $(PINNED),$(subst $(comma), ,$(EXTRAS)))
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))

.PHONY: help run test test-slow test-all fuzz soak bench figures accelerators docs lint lock audit clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# What builds sdists comes first, so that no build downloads anything that is not pinned.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"gan_jax needs Python 3.11 or newer, not {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sed -n '/^setuptools==/,/[^\\]$$/p' constraints.txt >$(VENV)/setuptools.txt
	$(PIP) --require-hashes -r $(VENV)/setuptools.txt
	$(PIP) --require-hashes --no-build-isolation -r constraints.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	$(if $(UNPINNED),$(PIP) --editable '.[$(subst $(space),$(comma),$(UNPINNED))]')
	@touch $@

run: $(INSTALLED) ## the main job: a vanilla and an unrolled GAN on a ring of 8 Gaussians, in under 5 minutes
	$(BIN)/python experiments/compare.py --config=configs/ring.py:vanilla --config=configs/ring.py:unrolled --workdir=$(RUNS)/ring --config.steps=$(STEPS)

test: $(INSTALLED) ## the tests, in under 12 minutes on 2 cores
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow" $(PYTEST_ARGS)

test-slow: $(INSTALLED) ## the slow tests alone
	$(BIN)/python -m pytest -n auto --dist loadfile -m slow $(PYTEST_ARGS)

test-all: test test-slow ## all tests

fuzz: $(INSTALLED) ## the property tests with random inputs, for a time: make fuzz SECONDS=600
	$(BIN)/python tests/fuzz.py --seconds=$(SECONDS)

soak: SECONDS = 7200
soak: $(INSTALLED) ## runs that are killed, damaged and starved for disk: make soak SECONDS=7200 [SEED=1]
	$(BIN)/python tests/soak.py --seconds=$(SECONDS) $(if $(SEED),--seed=$(SEED))

bench: $(INSTALLED) ## timings next to other packages: make bench EXTRAS=test,lint,oracles [CASE=toy]
	for case in $(CASE); do $(BIN)/python experiments/benchmark.py $$case --out=results/benchmark/$$case || exit 1; done

figures: $(INSTALLED) ## the paper figures that results/ has not: hours (make figures SCALE=smoke: minutes)
	$(BIN)/python experiments/reproduce.py all --scale=$(SCALE)
	$(BIN)/python experiments/reproduce.py --gallery

# The compiler of another machine lies apart, in COMPILER: with it beside it, JAX would look for that machine in every program.
TOPOLOGY ?= v5e:2x4
ONLY ?=
LEVEL ?=
MACHINE := $(if $(filter v%,$(TOPOLOGY)),tpu,cuda12)
COMPILER := $(VENV)/$(MACHINE)
$(COMPILER): $(INSTALLED)
	rm -rf $@.part
	$(BIN)/python -c 'import importlib.metadata as m; print(*[r.split(";")[0] for r in m.requires("jax") if r.endswith("== \"$(MACHINE)\"") and r[:4] in ("libt", "jax-")], sep="\n")' >$(VENV)/$(MACHINE).txt
	$(PIP) --target $@.part -r $(VENV)/$(MACHINE).txt
	mv $@.part $@

accelerators: $(COMPILER) ## compile all configs for a machine that is not here: make accelerators TOPOLOGY=h100:8 [ONLY=ring,dcgan] [LEVEL=O0]
	PYTHONPATH=$(COMPILER) $(BIN)/python experiments/accelerators.py --topology=$(TOPOLOGY) $(if $(ONLY),--only=$(ONLY)) $(if $(LEVEL),--level=$(LEVEL)) $(if $(ONLY),,--out=results/accelerators/$(subst :,_,$(TOPOLOGY))$(if $(LEVEL),_$(LEVEL)).md)

docs: $(INSTALLED) ## the documentation as a site, in site/: make docs EXTRAS=docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --config-file .mkdocs.yml

lint: $(INSTALLED) ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: ## pin what pyproject.toml asks for, with hashes; needs uv (newest: make lock LOCK_ARGS=--upgrade)
	$(UV) pip compile $(LOCK_ARGS) --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --quiet \
		--custom-compile-command "make lock" --group build $(PINNED:%=--extra %) --output-file constraints.txt pyproject.toml

audit: ## look for known vulnerabilities of the pinned versions; needs uv and the network
	$(UV) tool run pip-audit --strict --requirement constraints.txt --require-hashes --disable-pip

clean: ## remove the environment and all caches; runs/ and results/ stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
