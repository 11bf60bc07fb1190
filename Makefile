# Two commands: `make demo` and `make test`. Everything goes into .venv; weights go into the user's cache.
PYTHON ?= python3
VENV ?= .venv
FAMILIES ?= .venv-families
TRANSFORMERS ?= .venv-transformers
DATA ?= data
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-families test-transformers lint types bench probes docs samples clean

demo: $(VENV)/.installed
	$(BIN)/hiprobe demo

test: $(VENV)/.dev-installed
	$(BIN)/python -m pytest

# The native video processors need torchvision, whose build must be torch's own: both come from the registry, 4.8 GB.
test-families: $(FAMILIES)/.installed
	$(FAMILIES)/bin/python -m pytest tests/families

# The oldest transformers that pyproject.toml allows, and the newest of the registry, each in an environment of its own.
test-transformers: $(TRANSFORMERS)-oldest/.installed $(TRANSFORMERS)-newest/.installed
	$(TRANSFORMERS)-oldest/bin/python -m pytest tests/families
	$(TRANSFORMERS)-newest/bin/python -m pytest tests/families

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(VENV)/.dev-installed
	$(BIN)/python -m benchmarks.real_footage $(DATA)

probes: $(VENV)/.dev-installed
	$(BIN)/python -m benchmarks.starter_probes $(DATA)

docs: $(VENV)/.dev-installed
	$(BIN)/python -m scripts.cli_reference

# From Python 3.12 on there is no wheel of pybullet: it is built here, which takes a C++ compiler.
samples: $(VENV)/.installed
	$(PIP) --editable . --editable training pybullet==3.2.7
	$(BIN)/python -m hiprobe_training.scenes --out src/hiprobe/samples

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "HiProbe needs Python 3.11 or newer; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make a virtual environment; install it with: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev-installed: $(VENV)/.installed training/pyproject.toml
	$(PIP) --editable '.[dev]' --editable training
	@touch $@

$(FAMILIES)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m venv $(FAMILIES)
	env -u PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null $(FAMILIES)/bin/python -m pip install --quiet \
		--disable-pip-version-check --constraint constraints.txt torch torchvision
	$(FAMILIES)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable . hypothesis pytest pytest-timeout
	@touch $@

OLDEST = $(shell sed -n 's/.*"transformers>=\([0-9.]*\),.*/\1/p' pyproject.toml)

$(TRANSFORMERS)-%/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m venv $(@D)
	grep -v -E '^(transformers|tokenizers|huggingface[-_]hub)==' constraints.txt > $(@D)/constraints.txt
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade --constraint $(@D)/constraints.txt \
		$(if $(filter oldest,$*),'transformers==$(OLDEST)','transformers') --editable . hypothesis pytest pytest-timeout
	@touch $@

clean:
	rm -rf $(VENV) $(FAMILIES) $(TRANSFORMERS)-oldest $(TRANSFORMERS)-newest demo-out bench-out .pytest_cache .ruff_cache .hypothesis .import_linter_cache
