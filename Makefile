# Needs python3 with pip, and make. `make help` lists the targets.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint types check format clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.core ## install the library and run a whole comment page, examples/article.py
	$(BIN)/python examples/article.py

test: $(VENV)/.test ## run every test; demands 100 % branch coverage (PYTEST="..." adds options)
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term-missing:skip-covered $(PYTEST)

lint: $(VENV)/.dev ## check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev ## check types, strictly
	$(BIN)/mypy --strict

check: lint types test ## lint, types and test

format: $(VENV)/.dev ## format, and fix what can be fixed
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

clean: ## remove caches and build products
	rm -rf build dist .coverage .coverage.* htmlcov .pytest_cache .mypy_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## clean, and remove the virtual environment
	rm -rf $(VENV) .hypothesis

# One stamp per set of dependencies. Each set holds the ones before it, so a larger one stamps the smaller ones too.
# Always editable: a copy of the package in the environment would go stale unseen.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(BIN)/python
	$(PIP) install -e .
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[test]'
	@touch $(VENV)/.core $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[dev]'
	@touch $(VENV)/.core $(VENV)/.test $@
