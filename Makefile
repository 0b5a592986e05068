# Needs Python 3.11 or newer and make; everything else is installed into .venv, by hash.

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.flatbed-setup
TEST_WORKERS ?= 2
TEST_ARGS ?=
BENCH_ARGS ?=
# What the program is compared with has an environment of its own, which only `make bench` makes.
PEER := var/bench/venv
PEER_STAMP := $(PEER)/.flatbed-bench

# The first of these that is new enough; `make setup PYTHON=/path/to/python` overrides it.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo $$p; break; }; done)

# uv does not read pip's settings: hand it the index that pip was told to use, if any.
define with_pip_index
index="$${UV_DEFAULT_INDEX:-$${UV_INDEX_URL:-$${PIP_INDEX_URL:-$$("$(BIN)/python" -m pip config list 2>/dev/null \
	| sed -nE "s/^(global|install)\.index-url='(.*)'$$/\2/p" | tail -n 1)}}}"; \
if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi;
endef
export UV_HTTP_TIMEOUT ?= 180
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(LOCK_ARGS)
LOCK_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo run test test-server check check-static check-long bench audit hooks format \
	lock browser node clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install everything into .venv, by hash (again only when a lock changed)

$(STAMP): pyproject.toml requirements.lock requirements-dev.lock requirements-build.lock
	@if [ ! -x "$(BIN)/python" ]; then \
		if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c '$(NEW_ENOUGH)'; then \
			echo "Flatbed needs Python 3.11 or newer: install it, or name it with PYTHON=..." >&2; exit 1; \
		fi; \
		"$(PYTHON)" -m venv "$(VENV)"; \
	fi
	@"$(BIN)/python" -c '$(NEW_ENOUGH)' || { echo "$(VENV) holds an older Python: remove it and run make setup again" >&2; exit 1; }
	@"$(BIN)/python" -m pip --version >/dev/null 2>&1 || "$(BIN)/python" -m ensurepip >/dev/null
	@"$(BIN)/python" -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-build.lock
	@$(with_pip_index) "$(BIN)/uv" pip sync --quiet --compile-bytecode --python "$(BIN)/python" --require-hashes requirements-build.lock requirements-dev.lock
	@"$(BIN)/uv" pip install --quiet --python "$(BIN)/python" --offline --no-deps --no-build-isolation --editable .
	@touch "$@"

demo: setup ## Play one campaign from order to paid invoice and leave the server running
	$(BIN)/flatbed demo run

run: setup ## Serve the API and work its jobs until interrupted
	@$(BIN)/flatbed worker & worker=$$!; \
	trap 'kill $$worker 2>/dev/null; wait $$worker' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM; \
	$(BIN)/flatbed serve

# What the tests need beside Python. Where it is not to be had the tests that need it are skipped
# and say so; CI=true forgives nothing.
browser: setup ## Find a Chromium for the tests, or unpack Debian's into ~/.cache/flatbed
	@$(BIN)/python -m tests.support.chromium

INDEPENDENT := tests/oauth/independent
PACKAGES := $(INDEPENDENT)/node_modules/.package-lock.json
node: setup $(PACKAGES) ## Install the OAuth clients of node that the tests drive

$(PACKAGES): $(INDEPENDENT)/package.json $(INDEPENDENT)/package-lock.json | $(STAMP)
	@if "$(BIN)/npm" ci --prefix $(INDEPENDENT) --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error; then \
		touch "$@"; \
	elif [ "$$CI" = true ]; then \
		exit 1; \
	else \
		echo "NO PACKAGES FOR NODE: the tests of its OAuth clients will be skipped" >&2; \
	fi

test: setup browser node ## Run the tests
	$(BIN)/pytest -n $(TEST_WORKERS) $(TEST_ARGS)

test-server: setup browser node ## Run the tests on another server: ADMIN_URL=postgresql://superuser@host/postgres
	@[ -n "$(ADMIN_URL)" ] || { echo "name the server: make test-server ADMIN_URL=postgresql://..." >&2; exit 1; }
	FLATBED_TEST_ADMIN_URL="$(ADMIN_URL)" $(BIN)/pytest -n $(TEST_WORKERS) $(TEST_ARGS)

# Whether a dependency became vulnerable depends on the day and the network, not on the change.
check: check-static test ## Everything that must hold before a change lands
	@echo "dependencies: not checked for known vulnerabilities (make audit asks)"

# Each is also a hook of .pre-commit-config.yaml; a test holds the two lists together.
STATIC := check-format check-lint check-types check-imports check-rules check-docker \
	check-bandit check-secrets check-openapi sbom
.PHONY: $(STATIC)

check-static: $(STATIC) ## The part of the check that runs no tests

check-format: setup
	$(BIN)/ruff format --check .
check-lint: setup
	$(BIN)/ruff check .
check-types: setup
	$(BIN)/mypy
check-imports: setup
	$(BIN)/lint-imports
check-rules: setup
	$(BIN)/python -m lints
check-docker: setup
	$(BIN)/hadolint Dockerfile
check-bandit: setup
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive bench flatbed lints migrations
check-secrets: setup
	$(BIN)/python -m lints.secrets
check-openapi: setup
	$(BIN)/flatbed openapi --check

sbom: setup ## Write build/sbom.cdx.json: what the program is installed from
	$(BIN)/python -m lints.sbom

audit: setup ## Ask for known vulnerabilities of the dependencies; 3: not checked
	$(BIN)/python -m lints.audit

hooks: setup ## Have git run the static part before each commit, and the tests before each push
	$(BIN)/pre-commit install

check-long: export RUN_LONG = 1
check-long: check ## The check, with the tests that take minutes

bench: setup $(PEER_STAMP) ## Measure tokens beside django-oauth-toolkit; 1: a promise is not kept
	$(BIN)/python -m bench tokens $(BENCH_ARGS)

$(PEER_STAMP): requirements-bench.lock | setup
	@"$(BIN)/python" -m venv --clear --without-pip "$(PEER)"
	@$(with_pip_index) "$(BIN)/uv" pip sync --quiet --compile-bytecode --python "$(PEER)/bin/python" --require-hashes requirements-bench.lock
	@touch "$@"

format: setup ## Format the code and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## Resolve the locks anew (LOCK_ARGS=--upgrade takes newer releases)
	@$(with_pip_index) $(COMPILE) pyproject.toml --group dev --output-file requirements-dev.lock
	@$(with_pip_index) $(COMPILE) pyproject.toml --constraint requirements-dev.lock --output-file requirements.lock
	@$(with_pip_index) $(COMPILE) --group build --constraint requirements-dev.lock --output-file requirements-build.lock
	@$(with_pip_index) $(COMPILE) --group bench --constraint requirements-dev.lock --output-file requirements-bench.lock

clean: ## Remove the environment, caches and builds; what the program stored in var/ stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .secrets_cache \
		build dist $(INDEPENDENT)/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
