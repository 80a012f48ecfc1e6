# Each line is a command that a person could type.
PYTHON ?= python3
BIN := .venv/bin
TOOLS := .venv/tools/bin
INSTALL := install --quiet --disable-pip-version-check --require-hashes
PINS := pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make pins" $(UPGRADE)

.PHONY: run test check bench pictures pins clean

run: .venv/runtime
	@exec $(BIN)/python -m mhms_app.cli serve

test: .venv/development check
	$(BIN)/python -m tests.setup
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadgroup -rR

check: .venv/development .venv/tools/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.migrations
	$(TOOLS)/bandit --quiet --configfile pyproject.toml --confidence-level medium --recursive mhms_app alembic rxconfig.py email_lambda/*.py
	$(TOOLS)/semgrep scan --quiet --error --metrics off --disable-version-check --config tests/scanners/rules mhms_app email_lambda
	$(TOOLS)/python -m tests.scanners.secrets

bench: .venv/development
	$(BIN)/python -m bench

pictures: .venv/development
	$(BIN)/python -m docs.pictures

pins: .venv/tools/installed
	$(TOOLS)/uv $(PINS) pyproject.toml --output-file requirements.txt
	$(TOOLS)/uv $(PINS) --group lambda --constraint requirements.txt --output-file email_lambda/requirements.txt
	$(TOOLS)/uv $(PINS) --group dev --constraint requirements.txt --constraint email_lambda/requirements.txt --output-file requirements-dev.txt
	$(TOOLS)/uv $(PINS) --group tools --output-file requirements-tools.txt

.venv/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "MHMS needs Python 3.11 or newer: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip $(INSTALL) --requirement requirements.txt
	@touch $@

.venv/development: .venv/runtime requirements-dev.txt email_lambda/requirements.txt
	$(BIN)/pip $(INSTALL) --requirement requirements-dev.txt --requirement email_lambda/requirements.txt
	@touch $@

.venv/tools/installed: .venv/runtime requirements-tools.txt
	$(PYTHON) -m venv .venv/tools
	$(TOOLS)/pip $(INSTALL) --requirement requirements-tools.txt
	@touch $@

clean:
	rm -rf .venv .web .states
