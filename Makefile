# Every target sets up what it needs, so none needs another to have run. All of it stays in this
# directory (.venv, .kernels), and `make clean` takes it away.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo lab test lint bench experiments screenshots cover soak clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP_QUIET := --quiet --disable-pip-version-check

# Kernels older than the newest one, which is in the venv. A test starts one by PYTHONPATH.
OLD_KERNELS := 6.30.1 7.3.0
NEEDED_BY_6.30.1 := nest_asyncio==1.6.0
KERNELS_READY := $(OLD_KERNELS:%=.kernels/%/.ready)
export PYREPL_STREAM_KERNELS := $(CURDIR)/.kernels

PYTEST_ARGS ?=
# Files, so that the tests of one share what it starts: servers, kernels, a browser.
SIDE_BY_SIDE ?= --numprocesses auto --maxprocesses 4 --dist loadfile
LAB_ARGS ?= $(if $(filter 0,$(shell id -u)),--allow-root)
# The interpreters besides the venv's own that `make soak` runs the suite under, where they are found:
# the routing of output rests on how CPython does things. The notebook's tests run in the venv alone.
SOAK_PYTHONS ?= python3.12 python3.13
SOAK_ARGS := --ignore=tests/jupyter_ext --ignore=tests/browser

help:
	@echo "make demo   run notebooks/quickstart.ipynb in a real kernel, live in this terminal"
	@echo "make lab    open the same notebook in JupyterLab"
	@echo "make test   run the whole suite (PYTEST_ARGS='-k wire' for a part of it)"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make bench  measure every figure"
	@echo "make experiments  five experiments, with plots"
	@echo "make screenshots  pictures of the live area, into docs/images"
	@echo "make cover  what the tests of commands do not reach"
	@echo "make soak   the long and large versions of the tests"
	@echo "make clean  remove everything that the other targets made"

demo: $(READY)
	$(BIN)/python -m jupyter_ext.demo notebooks/quickstart.ipynb

lab: $(READY)
	$(BIN)/python -m jupyter lab $(LAB_ARGS) notebooks/quickstart.ipynb

test: $(READY) $(KERNELS_READY)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PYTEST_ARGS)

# All three run, so that one call shows all findings.
lint: $(READY)
	@status=0; \
	for check in "ruff check" mypy lint-imports; do \
	    echo "$(BIN)/$$check"; $(BIN)/$$check || status=1; \
	done; exit $$status

bench: $(READY) $(KERNELS_READY)
	$(BIN)/python -m benchmarks

# Under the tracing of coverage an interpreter before 3.12 can hang on an exception that is sent to a thread
# which does not run: the tests of callables, which do that, are left out.
cover: $(READY)
	$(BIN)/python -m coverage run --branch --source=pyrepl_stream/process -m pytest -q tests/process \
	    -k "not callable and not interrupt_between" $(PYTEST_ARGS)
	$(BIN)/python -m coverage report --show-missing --skip-covered

experiments: $(READY)
	$(BIN)/python -m benchmarks.experiments

screenshots: $(READY)
	$(BIN)/python -m benchmarks.screenshots docs/images

soak: export PYREPL_STREAM_SOAK := 1
soak: $(READY) $(KERNELS_READY)
	$(BIN)/python -m pytest $(PYTEST_ARGS)
	@for python in $(SOAK_PYTHONS); do \
	    "$$python" -c "" 2>/dev/null || { echo "soak: no $$python here, left out"; continue; }; \
	    venv="$(VENV)-$$(basename "$$python")"; \
	    echo "soak: without the notebook, under $$python"; \
	    "$$python" -m venv "$$venv" && \
	    "$$venv/bin/python" -m pip install $(PIP_QUIET) -c constraints.txt -e '.[jupyter]' \
	        pytest hypothesis trio pexpect asciinema tqdm progressbar2 matplotlib && \
	    "$$venv/bin/python" -m pytest $(SOAK_ARGS) $(PYTEST_ARGS) || exit 1; \
	done

clean:
	rm -rf .venv .venv-* .kernels build dist
	rm -f .coverage
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# `python3` only where `python3.11` is missing: where both are there, the constraints are for the first.
# PYTHON=/path/to/python chooses another.
$(READY): pyproject.toml constraints.txt
	@found=; for python in "$(PYTHON)" python3.11 python3; do \
	    test -n "$$python" && "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	        && found="$$python" && break; \
	done; \
	if test -z "$$found"; then \
	    echo "pyrepl-stream needs Python 3.11 or newer as python3.11 or python3 (or PYTHON=... make);" >&2; \
	    echo "python3 here is: $$(python3 --version 2>&1)" >&2; exit 1; \
	fi; \
	echo "setting up $(VENV) with $$($$found --version)"; \
	"$$found" -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_QUIET) -c constraints.txt -e '.[jupyter,test,lint]'
	@touch $@

# No dependencies: those of the venv serve all kernels, but for the few that the newest has no more.
.kernels/%/.ready: | $(READY)
	rm -rf .kernels/$*
	$(BIN)/python -m pip install $(PIP_QUIET) --no-deps --target .kernels/$* ipykernel==$* $(NEEDED_BY_$*)
	@touch $@
