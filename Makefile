# Everything that a user or a developer runs. `make help` lists it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# With the oldest Twisted and Tornado that the project works with.
OLDEST := $(VENV)-oldest
# With the newest, pre-releases as well.
NEXT := $(VENV)-next
# With what the package itself requires and nothing else: what a user has.
BARE := $(VENV)-bare
# With the applications that the recipes in examples/recipes are for.
RECIPES := $(VENV)-recipes
# The wheel, built once and installed into each of them.
WHEEL := $(VENV)/wheel
# Runs what takes a while: `$(RUN) LOG TITLE COMMAND...`.
RUN := $(PYTHON) tools/progress.py
LOGS := $(VENV)/logs
# One for each CPU; a file's tests stay together. Empty: all in one process, in their order.
WORKERS ?= --numprocesses auto --dist loadfile
PYTHON_SOURCES := python tests benches examples tools docs
# Rebuilt when any of these changes.
SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find src python -type f \
	-not -name '*.so' -not -path '*/__pycache__/*')

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

# Debian's Python makes one without pip, and says so, as long as python3-venv isn't there.
$(BIN)/pip:
	@$(PYTHON) -m venv $(VENV)

$(WHEEL)/built: $(BIN)/pip $(SOURCES)
	@rm -rf $(WHEEL)
	@$(RUN) $(LOGS)/wheel.log "Building the wheel, which takes a minute or two" \
		$(BIN)/python -m pip wheel --verbose --no-deps --wheel-dir $(WHEEL) .
	@touch $@

# The versions are the same, so pip has to be told to replace what is there.
$(VENV)/installed: $(WHEEL)/built
	@$(RUN) $(LOGS)/install.log "Installing it, with Twisted and Tornado" \
		$(BIN)/python -m pip install $(WHEEL)/*.whl
	@$(BIN)/python -m pip install --quiet --force-reinstall --no-deps $(WHEEL)/*.whl
	@touch $@

$(VENV)/built: $(VENV)/installed
	$(BIN)/python -m pip install "$$(echo $(WHEEL)/*.whl)[test]"
	touch $@

$(VENV)/built-clients: $(VENV)/built
	$(BIN)/python -m pip install --quiet "$$(echo $(WHEEL)/*.whl)[clients]"
	touch $@

$(OLDEST)/built: $(WHEEL)/built
	test -e $(OLDEST) || $(BIN)/python -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --force-reinstall --no-deps $(WHEEL)/*.whl
	$(OLDEST)/bin/python -m pip install "$$(echo $(WHEEL)/*.whl)[test]" \
		twisted==23.10.0 tornado==6.4
	touch $@

# Made anew each time: what is the newest changes.
$(NEXT)/built: $(WHEEL)/built
	rm -rf $(NEXT)
	$(BIN)/python -m venv $(NEXT)
	$(NEXT)/bin/python -m pip install "$$(echo $(WHEEL)/*.whl)[test]"
	$(NEXT)/bin/python -m pip install --upgrade --pre twisted tornado pyopenssl
	touch $@

# Made anew each time, so that nothing else ever gets in.
$(BARE)/built: $(WHEEL)/built
	rm -rf $(BARE)
	$(BIN)/python -m venv $(BARE)
	$(BARE)/bin/python -m pip install --quiet $(WHEEL)/*.whl
	touch $@

$(RECIPES)/built: $(WHEEL)/built
	test -e $(RECIPES) || $(BIN)/python -m venv $(RECIPES)
	$(RECIPES)/bin/python -m pip install --quiet --force-reinstall --no-deps $(WHEEL)/*.whl
	$(RECIPES)/bin/python -m pip install --quiet --no-compile "$$(echo $(WHEEL)/*.whl)[recipes]"
	touch $@

$(VENV)/built-bench: $(VENV)/built
	$(BIN)/python -m pip install --quiet "$$(echo $(WHEEL)/*.whl)[bench]"
	touch $@

$(VENV)/built-docs: $(VENV)/built
	$(BIN)/python -m pip install --quiet "$$(echo $(WHEEL)/*.whl)[docs]"
	touch $@

$(VENV)/built-lint: $(VENV)/built
	$(BIN)/python -m pip install --quiet "$$(echo $(WHEEL)/*.whl)[lint]"
	touch $@

.PHONY: build
build: $(VENV)/built ## Build and install into the virtual environment .venv

DEVELOP := VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --profile quick

# The first time, without the wheel, which takes longer to build: what the tests need, and
# what makes the editable install.
$(VENV)/built-dev: $(BIN)/pip
	@$(RUN) $(LOGS)/maturin.log "Installing maturin" \
		$(BIN)/python -m pip install "maturin>=1.9.4,<2"
	@$(RUN) $(LOGS)/dev.log "Building, and installing what the tests need: 100 MB" \
		env $(DEVELOP) --extras test
	@touch $@

# What `make build` has made is replaced by an editable install; the next one that is asked
# for puts it back.
.PHONY: dev
dev: $(VENV)/built-dev ## Rebuild in seconds, for edit and test: not quite as fast
	@rm -f $(VENV)/installed
	@PIP_QUIET=1 $(DEVELOP) --quiet
	@echo "Now: $(BIN)/python -m pytest tests/..."

.PHONY: demo
demo: $(VENV)/installed ## See Twisted, Tornado and asyncio talk in one process
	@$(BIN)/python -m tornado4.demo
	@echo
	@$(BIN)/python -m tornado4.demo --check
	@echo
	@echo "$(BIN)/python knows tornado4 from now on."

.PHONY: test
test: lint test-rust test-python ## Run the lints and all tests but the slow ones

.PHONY: test-all
test-all: lint docs test-rust build $(VENV)/built-clients $(BARE)/built test-oldest test-recipes test-pythons ## Run the lints and all tests
	$(PYTEST) $(WORKERS)

.PHONY: test-oldest
test-oldest: $(OLDEST)/built ## Run the quick tests on the oldest Twisted and Tornado
	$(OLDEST)/bin/python -m pytest $(WORKERS) -m 'not slow' --ignore=tests/suites --ignore=tests/asyncio

.PHONY: test-next
test-next: $(NEXT)/built ## The same with the newest, pre-releases as well
	$(NEXT)/bin/python -m pytest $(WORKERS) -m 'not slow' --ignore=tests/suites --ignore=tests/asyncio

.PHONY: test-recipes
test-recipes: $(RECIPES)/built ## Run the recipes, with all that they are for
	TORNADO4_RECIPES=1 $(RECIPES)/bin/python -m pytest $(WORKERS) -p no:asyncio -p no:twisted tests/recipes

# Those that the machine hasn't are left out.
PYTHONS ?= 3.10 3.11 3.12 3.13 3.14

# Each is built for, which takes a minute; then they run at the same time, some five minutes.
.PHONY: test-pythons
test-pythons: build ## Run CPython's tests of asyncio with each Python
ifneq ($(strip $(PYTHONS)),)
	test -e $(BIN)/maturin || $(BIN)/python -m pip install --quiet "$$(echo $(WHEEL)/*.whl)[dev]"
	PYTHONPATH=tools $(BIN)/python tests/suites/pythons.py $(PYTHONS) --environments $(abspath $(VENV))-python \
		--maturin $(abspath $(BIN))/maturin
endif

# These tests start other programs, and the bare environment's interpreter with them.
PYTEST = TORNADO4_BARE_PYTHON=$(abspath $(BARE))/bin/python \
	TORNADO4_DISTRIBUTION=$$(echo $(abspath $(WHEEL))/*.whl) $(BIN)/python -m pytest

.PHONY: test-bare
test-bare: build $(BARE)/built ## Run what a clean install must be able to do, in one
	$(PYTEST) -k bare tests/project/test_bare.py tests/project/test_readme.py \
		tests/together/test_demo.py tests/twisted/test_plugin.py

.PHONY: test-rust
test-rust: ## Run the unit tests of the core, without an interpreter
	cargo test --locked --no-default-features --lib

# What the tests without Python find by random programs they find by many more of these.
.PHONY: test-properties
test-properties: ## Run the core's random programs for long: CASES=20000 each
	PROPTEST_CASES=$(or $(CASES),20000) cargo test --locked --no-default-features --lib properties

# In a directory of its own: the flag is one for each crate.
.PHONY: test-models
test-models: ## Try every order of the loop's and others' steps (loom)
	RUSTFLAGS="--cfg loom" cargo test --locked --no-default-features --lib \
		--target-dir target/loom -- waiting::model

# The system's calls and OpenSSL's code aren't Miri's to run: such tests say so themselves.
.PHONY: test-miri
test-miri: ## Run the core's tests in Miri, which needs a nightly Rust
	rustup component add --toolchain nightly miri rust-src
	MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --locked --no-default-features --lib \
		--target-dir target/miri

.PHONY: test-sanitizers
test-sanitizers: $(VENV)/built ## Run tests with the address and thread sanitizers
	$(BIN)/python tools/sanitizers.py core
	$(BIN)/python tools/sanitizers.py thread
	$(BIN)/python tools/sanitizers.py package $(SANITIZED)

.PHONY: test-python
test-python: build $(BARE)/built ## Run the Python tests but the slow ones
	$(PYTEST) $(WORKERS) -m 'not slow'

.PHONY: lint
lint: $(VENV)/built-lint lint-workflows lint-systems ## Check formatting, lints, types and spelling
	cargo fmt --check
	PYO3_PYTHON=$(abspath $(BIN))/python cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features --all-targets -- -D warnings
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/python -m mypy.stubtest tornado4._core
	RUSTDOCFLAGS="-D warnings" PYO3_PYTHON=$(abspath $(BIN))/python \
		cargo doc --locked --no-deps --document-private-items
	$(BIN)/typos

# Those that the core is to work on, beside this one, and that Rust has a standard library for
# here. `python` is left out: it would take their interpreters.
SYSTEMS ?= x86_64-apple-darwin aarch64-apple-darwin x86_64-unknown-freebsd \
	aarch64-unknown-linux-gnu x86_64-unknown-linux-musl

.PHONY: systems
systems: ## Say which other systems `make lint` compiles the core for
	@echo $(SYSTEMS)

.PHONY: lint-systems
lint-systems: ## Compile the core for other systems, and check it for each
	@for system in $(SYSTEMS); do \
		if rustup target add $$system >/dev/null 2>&1; then \
			echo "For $$system"; \
			cargo clippy --quiet --locked --no-default-features --lib --target $$system \
				--target-dir target/systems -- -D warnings || exit 1; \
		else \
			echo "Left out: $$system can't be installed"; \
		fi; \
	done

.PHONY: lint-workflows
lint-workflows: $(VENV)/built-lint ## Check what GitHub is told to do
	$(BIN)/actionlint -shellcheck $(BIN)/shellcheck .github/workflows/*.yml
	$(BIN)/zizmor --offline --no-progress --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms \
		$(filter-out %/config.yml, $(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config \
		.github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.readthedocs .readthedocs.yaml

# cargo-deny asks for the list of advisories; what it checks is in deny.toml.
.PHONY: audit
audit: ## Check what the wheel is built of
	cargo deny --version || cargo install --locked cargo-deny
	cargo deny check

.PHONY: format
format: build ## Format all sources
	cargo fmt
	$(BIN)/ruff format $(PYTHON_SOURCES)
	$(BIN)/ruff check --fix $(PYTHON_SOURCES)

.PHONY: bench
bench: $(VENV)/built-bench ## Measure all beside its peers; BENCH=--quick: some of it
	$(BIN)/python benches/run.py $(BENCH)

# How long the next two run.
MINUTES ?= 60

.PHONY: soak
soak: $(VENV)/built ## Run all faces together, every byte checked, for MINUTES
	$(BIN)/python benches/soak.py --minutes $(MINUTES) --json $(LOGS)/soak.json --svg $(LOGS)/soak.svg

# With debug assertions; `make build` puts back what users get.
.PHONY: fuzz
fuzz: $(VENV)/built-dev ## Call everything with hostile arguments for MINUTES
	@rm -f $(VENV)/installed
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --profile dev --quiet
	$(BIN)/python tools/fuzz.py --minutes $(MINUTES)

# Warnings are errors: a name or a link that leads nowhere is one.
.PHONY: docs
docs: $(VENV)/built-docs ## Build the documentation, in docs/_build/html
	$(BIN)/python -m sphinx -b html -W --keep-going -n -q docs docs/_build/html
	@echo "Open docs/_build/html/index.html in a browser."

# What of the tests is run; the slow ones add little.
COVERAGE ?= -q -m 'not slow'

.PHONY: coverage
coverage: $(VENV)/built ## List what of Rust and Python the tests don't run
	$(BIN)/python -m pip install --quiet "$$(echo $(WHEEL)/*.whl)[coverage]"
	rm -f $(VENV)/installed
	$(BIN)/python tools/covered.py $(COVERAGE)

.PHONY: wheels
wheels: build ## Build and try out what is to be published, in dist
	$(BIN)/python -m pip install --quiet "$$(echo $(WHEEL)/*.whl)[release]"
	$(BIN)/python tools/wheels.py dist $(PYTHONS)

.PHONY: clean
clean: ## Remove what was built
	rm -rf dist $(VENV) $(VENV)-python-* $(OLDEST) $(NEXT) $(BARE) $(RECIPES) target docs/_build python/tornado4/_core*.so
