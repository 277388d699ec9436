# Python 3.11+ and make are all it takes: every target builds .venv when it has to.

VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
# Dozens of packages that only one suite needs, in a virtual environment of their own.
HEALTHY := .venv-healthy
# The first interpreter that runs and is recent enough; a pyenv shim may exist without running.
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,\
	$(shell $(name) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo $(name))))
WORKERS ?= 2
PYTEST_ARGS ?=
MUTATIONS_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-crash test-mutations corpus corpus-holdout healthy healthy-large lint format bench \
	constraints clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

demo: $(STAMP) ## Play the whole lifecycle on a real project with four databases
	@$(BIN)/python demo/play.py

test: $(STAMP) ## Run the tests, without the slow ones
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow" $(PYTEST_ARGS)

test-all: $(STAMP) ## Run every test, and measure coverage
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(PYTEST_ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

test-mutations: $(STAMP) ## Harm a healthy database in every way; see what is found and mended
	@$(BIN)/python -m tests.mutations $(MUTATIONS_ARGS)

CRASH_ARGS ?=
test-crash: $(STAMP) ## Kill a run at every boundary on three vendors; print the table
	@$(BIN)/python -m tests.sweep $(CRASH_ARGS)

lint: $(STAMP) ## Check style, types and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

CORPUS_ARGS ?=
corpus: $(STAMP) ## Judge the lint by migrations that were labelled by measuring them
	@$(BIN)/python -m tests.corpus $(CORPUS_ARGS)

corpus-holdout: $(STAMP) ## The same with migrations that the rules were not held to
	@$(BIN)/python -m tests.corpus --holdout $(CORPUS_ARGS)

healthy: $(HEALTHY)/.installed ## Scan a healthy project of popular apps: nothing may block
	@$(HEALTHY)/bin/python -m tests.healthy

healthy-large: $(HEALTHY)/.installed-large ## The same with the largest apps, which takes its time
	@$(HEALTHY)/bin/python -m tests.healthy --large

bench: $(STAMP) ## Measure migrate_all beside Django's migrate
	@$(BIN)/python -m tests.bench

constraints: $(STAMP) ## Write down the versions that are installed now
	$(BIN)/python -m pip list --format=freeze --exclude-editable \
		--exclude pip --exclude setuptools --exclude wheel > constraints.txt

clean: ## Remove the virtual environment and what the tools left behind
	rm -rf $(VENV) $(HEALTHY) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf demo/.run build dist *.egg-info htmlcov .coverage .coverage.*

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { \
		echo "Python 3.11, 3.12 or 3.13 is needed and none was found on the PATH." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
		exit 2; }
	@echo "Building $(VENV) with $(PYTHON) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	@touch $@

$(HEALTHY)/.installed: pyproject.toml tests/healthy/requirements.txt
	@echo "Building $(HEALTHY) with $(PYTHON) ..."
	@test -x $(HEALTHY)/bin/python || $(PYTHON) -m venv $(HEALTHY)
	@$(HEALTHY)/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement tests/healthy/requirements.txt --editable '.[demo]'
	@touch $@

$(HEALTHY)/.installed-large: $(HEALTHY)/.installed tests/healthy/requirements-large.txt
	@$(HEALTHY)/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement tests/healthy/requirements-large.txt
	@touch $@
