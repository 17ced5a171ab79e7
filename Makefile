# make lab    set up if needed, then open the course in JupyterLab on 127.0.0.1
# make test   set up if needed, then run everything that has to pass
# make help   all targets

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/.ready
# The first interpreter that the course runs on; `make lab PYTHON=/path/to/python3.12` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)
# Two workers share two cores: one compute thread each. Progress bars are silent, as in the committed notebooks.
TEST_ENV := COURSE_PROFILE=quick COURSE_PROGRESS=0 OMP_NUM_THREADS=1
PYTEST := $(TEST_ENV) $(BIN)/python -m pytest
TWO_WORKERS := -n 2 --dist loadscope
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=240 --nbval-kernel-startup-timeout=180
LAB_OPTIONS ?=

.PHONY: help lab setup test test-unit test-notebooks test-browser lint chromium notebooks bench evidence sabotage lock clean

help:
	@echo 'make lab         open the course in JupyterLab (sets everything up the first time)'
	@echo 'make test        unit tests, chapters, browser tests (sets everything up the first time)'
	@echo 'make notebooks   execute the chapters, also as on an older processor, and store their outputs; NAMES="01_vlad" picks some'
	@echo 'make bench       time the methods against the alternatives; rewrites tests/benchmarks/README.md'
	@echo 'make evidence    run the claim ledger again (about an hour); CLAIMS="..." and SEEDS=N pick'
	@echo 'make sabotage    break package functions one at a time and report whether the tests notice'
	@echo 'make lock        resolve requirements.lock from pyproject.toml again'
	@echo 'make clean       remove the environment'

$(READY): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo 'The course needs Python 3.11, 3.12 or 3.13, and none was found.' \
		'Install one, or name it: make lab PYTHON=/path/to/python3.12'; exit 1; fi
	@echo "Setting up .venv with $$($(PYTHON) --version): the first time takes a few minutes and 6 GB."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo 'Python has no venv module here; on Debian and Ubuntu: apt-get install python3-venv'; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@
	@echo 'Set up.'

setup: $(READY)

lab: $(READY)
	@echo 'JupyterLab starts on 127.0.0.1; stop it with Ctrl-C.'
	@$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 --ServerApp.root_dir='$(CURDIR)' --LabApp.news_url=None \
		--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate --LabApp.extension_manager=readonly \
		$$(test "$$(id -u)" != 0 || echo --allow-root) $(LAB_OPTIONS) notebooks/00_start_here.ipynb

test: $(READY) lint chromium
	$(PYTEST) $(TWO_WORKERS) $(NBVAL) --durations=5 -m "not browser" tests course_utils data_scripts notebooks
	$(PYTEST) -m browser tests/browser

test-unit: $(READY)
	$(PYTEST) $(TWO_WORKERS) -m "not notebook and not browser" tests course_utils data_scripts

test-notebooks: $(READY)
	$(PYTEST) $(TWO_WORKERS) $(NBVAL) --durations=5 notebooks tests/notebooks

test-browser: $(READY) chromium
	$(PYTEST) -m browser tests/browser

lint: $(READY)
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .

# The browser tests need Chromium. Root on Debian gets it; anybody else is told, and the tests are skipped (in CI they fail).
chromium:
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo 'Installing Chromium for the browser tests.'; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium >/dev/null || \
		echo 'Chromium could not be installed.'; \
	else echo 'Chromium is not installed and may not be installed from here (not root, or no apt-get):' \
		'the browser tests will be skipped.'; fi

notebooks: $(READY)
	$(BIN)/python tests/notebooks/execute.py --elsewhere $(NAMES)

bench: $(READY)
	$(BIN)/python tests/benchmarks/harness.py

evidence: $(READY)
	$(BIN)/python -m course_utils.evidence run $(or $(CLAIMS),all) --seeds $(or $(SEEDS),5)

sabotage: $(READY)
	$(BIN)/python tests/sabotage/sabotage.py

lock:
	test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	$(BIN)/uv pip compile --quiet --python-version 3.11 --all-extras --universal --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --upgrade -o requirements.lock pyproject.toml

clean:
	rm -rf .venv
