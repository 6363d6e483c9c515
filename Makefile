# Needs python3 with pip, and make. `make help` lists the targets.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST ?=
TESTING := -n 2 --dist worksteal --cov --cov-report=term-missing:skip-covered

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo site test test-all test-site soak bench bench-full fuzz lint types check format clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.core ## install the library and run a whole comment page, examples/article.py
	$(BIN)/python examples/article.py

site: $(VENV)/.site ## serve a news site with comments on loopback, examples/news_site (SITE="--large --port 8080" adds options)
	PYTHONPATH=examples $(BIN)/python -m news_site --db examples/news_site/news_site.db $(SITE)

test: $(VENV)/.test ## run the tests but the long ones; demands 100 % branch coverage (PYTEST="..." adds options)
	$(BIN)/python -m pytest $(TESTING) -m "not long" $(PYTEST)

test-all: $(VENV)/.test ## run every test, those marked "long" too (most of the seeded mutants); minutes
	$(BIN)/python -m pytest $(TESTING) $(PYTEST)

test-site: $(VENV)/.test-site ## run the tests of the news site, in a real Chromium too (PYTEST="..." adds options)
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
		{ echo 'Chromium is missing: apt-get install chromium (or put chromium, chromium-browser or google-chrome on the PATH)'; exit 1; }
	@test -e tests/site/node_modules/axe-core || npm install --no-save --prefix tests/site || \
		{ echo 'npm is missing or failed: apt-get install npm, then npm install --prefix tests/site'; exit 1; }
	THREADSTORE_BROWSER=1 $(BIN)/python -m pytest tests/site $(PYTEST)

fuzz: $(VENV)/.fuzz ## search for inputs that break something, each target for FUZZ_SECONDS (default 60)
	$(BIN)/python tests/fuzz/fuzz.py

soak: $(VENV)/.test ## run the long form of the guarantees and write its figures into docs/guarantees.md (SOAK_SCALE=3: longer)
	$(BIN)/python tests/nothing_lost/report.py $(PYTEST)

bench: $(VENV)/.bench ## measure, in minutes: every workload at 1,000 and 10,000 comments, beside SQL by hand and other libraries
	$(BIN)/python benchmarks/run.py

bench-full: $(VENV)/.bench ## measure at 1,000 to a million comments in one thread (hours), and write docs/performance.md
	$(BIN)/python benchmarks/run.py --full
	$(BIN)/python benchmarks/report.py

lint: $(VENV)/.dev ## check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev ## check types, strictly
	$(BIN)/mypy --strict

check: lint types test-all ## lint, types and every test: what a change must pass

format: $(VENV)/.dev ## format, and fix what can be fixed
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

clean: ## remove caches and build products
	rm -rf build dist .coverage .coverage.* htmlcov .pytest_cache .mypy_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## clean, and remove the virtual environment
	rm -rf $(VENV) .hypothesis .fuzz

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

$(VENV)/.site: pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[site]'
	@touch $(VENV)/.core $@

$(VENV)/.test-site: pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[test-site]'
	@touch $(VENV)/.core $(VENV)/.test $(VENV)/.site $@

# The only target that needs atheris, which has wheels for few platforms.
$(VENV)/.fuzz: pyproject.toml | $(BIN)/python
	@$(PIP) install --only-binary atheris -e '.[test,fuzz]' || \
		{ echo 'atheris has no wheel for this Python or this system; try CPython 3.11 to 3.13 on Linux (PYTHON=... VENV=...)'; exit 1; }
	@touch $(VENV)/.core $(VENV)/.test $@

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[bench]'
	@touch $(VENV)/.core $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[dev]'
	@touch $(VENV)/.core $(VENV)/.test $@
