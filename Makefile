# Everything that a user or a developer runs. `make help` lists it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# With the oldest Twisted and Tornado that the project works with.
OLDEST := $(VENV)-oldest
# Rebuilt when any of these changes.
SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find src python -type f \
	-not -name '*.so' -not -path '*/__pycache__/*')

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/built: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet '.[test]'
	touch $@

$(OLDEST)/built: $(SOURCES)
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --upgrade pip
	$(OLDEST)/bin/python -m pip install --quiet '.[test]' twisted==23.10.0 tornado==6.4
	touch $@

$(VENV)/built-bench: $(VENV)/built
	$(BIN)/python -m pip install --quiet '.[bench]'
	touch $@

.PHONY: build
build: $(VENV)/built ## Build and install into the virtual environment .venv

.PHONY: demo
demo: build ## Run Twisted, Tornado and asyncio in one process, and check every pair
	$(BIN)/python -m tornado4.demo
	$(BIN)/python -m tornado4.demo --check

.PHONY: test
test: lint test-rust test-python ## Run the lints and all tests but the slow ones

.PHONY: test-all
test-all: lint test-rust build test-oldest ## Run the lints and all tests
	$(BIN)/python -m pytest

.PHONY: test-oldest
test-oldest: $(OLDEST)/built ## Run the project's own tests with the oldest Twisted and Tornado
	$(OLDEST)/bin/python -m pytest --ignore-glob='tests/test_suite_*.py'

.PHONY: test-rust
test-rust: ## Run the unit tests of the core, without an interpreter
	cargo test --locked --no-default-features --lib

.PHONY: test-python
test-python: build ## Run the Python tests but the slow ones
	$(BIN)/python -m pytest -m 'not slow'

.PHONY: lint
lint: build ## Check formatting, lints and types
	cargo fmt --check
	PYO3_PYTHON=$(abspath $(BIN))/python cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features --all-targets -- -D warnings
	$(BIN)/ruff format --check python tests benches
	$(BIN)/ruff check python tests benches
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest tornado4._core

.PHONY: format
format: build ## Format all sources
	cargo fmt
	$(BIN)/ruff format python tests benches
	$(BIN)/ruff check --fix python tests benches

.PHONY: bench
bench: $(VENV)/built-bench ## Measure the core, and the faces and transports beside their peers
	cargo bench --locked --no-default-features
	$(BIN)/python benches/compare.py
	$(BIN)/python benches/compare_transports.py

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(VENV) $(OLDEST) target
