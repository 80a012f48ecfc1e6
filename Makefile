# Each line is a command that a person could type.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check bench pictures clean

run: .venv/runtime
	@exec $(BIN)/python -m mhms_app.cli serve

test: .venv/development check
	$(BIN)/python -m tests.setup
	$(BIN)/python -m pytest

check: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.migrations

bench: .venv/development
	$(BIN)/python -m bench

pictures: .venv/development
	$(BIN)/python -m docs.pictures

.venv/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "MHMS needs Python 3.11 or newer: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

.venv/development: .venv/runtime requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv .web .states
