# Every target sets up what it needs, so none needs another to have run. All of it stays in this
# directory (.venv, .kernels), and `make clean` takes it away.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo lab test sample lint lint-javascript lines bench experiments screenshots cover soak soak-faults fuzz clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP_QUIET := --quiet --disable-pip-version-check
JAVASCRIPT := .ci/javascript
TYPESCRIPT := $(JAVASCRIPT)/node_modules/.ready

# Kernels older than the newest one, which is in the venv. A test starts one by PYTHONPATH.
OLD_KERNELS := 6.30.1 7.3.0
NEEDED_BY_6.30.1 := nest_asyncio==1.6.0
KERNELS_READY := $(OLD_KERNELS:%=.kernels/%/.ready)
export PYREPL_STREAM_KERNELS := $(CURDIR)/.kernels

PYTEST_ARGS ?=
# Files, so that the tests of one share what it starts: servers, kernels, a browser. Three even on two cores,
# because tests wait for processes half of the time. The order is that of the files: the slow ones come first.
SIDE_BY_SIDE ?= --numprocesses 3 --dist loadfile --no-loadscope-reorder
LAB_ARGS ?= $(if $(filter 0,$(shell id -u)),--allow-root)
# The interpreters besides the venv's own that `make sample` and `make soak` run tests under. The first is the
# one of Debian 12's packages, 3.11.2: it has bugs that later releases of 3.11 do not have.
PYTHONS ?= /usr/bin/python3.11 python3.12 python3.13
PYTHONS_NEED := pytest pytest-xdist hypothesis trio pexpect asciinema tqdm progressbar2 matplotlib rich click
# The tests that rest on how CPython routes output, runs threads and writes tracebacks, and on `re`.
SAMPLE := tests/test_source_rules.py tests/runtime/test_wire.py tests/runtime/engine tests/runtime/journal tests/runtime/worker \
    tests/client/test_protocol.py tests/processors/test_json_lines.py tests/processors/test_json_values.py \
    tests/processors/test_yaml_stream.py tests/processors/test_strip_ansi.py tests/processors/test_lines.py \
    tests/jupyter_ext/area/test_displays.py tests/fidelity
# The notebook's tests run in the venv alone.
SOAK_ARGS := --ignore=tests/jupyter_ext --ignore=tests/browser

# Run pytest with the arguments $(1) under each of PYTHONS, so that one call shows all findings. One that is
# missing is left out, but for one that .ci/run could have installed. A shim of pyenv runs the versions that
# PYENV_VERSION names, and is asked for the path of the interpreter.
define under_each_python
@status=0; for python in $(PYTHONS); do \
    name=$$(basename "$$python"); venv="$(VENV)-$$name"; \
    if ! found=$$(PYENV_VERSION="$${name#python}" "$$python" -c \
            "import ensurepip, sys; print(sys.executable)" 2>/dev/null); then \
        if test -n "$$CI" && apt-cache show "$$name-venv" >/dev/null 2>&1; then \
            echo "$@: $$python or its venv module is missing; install $$name and $$name-venv" >&2; status=1; \
        else \
            echo "$@: left out $$python, because it or its venv module is not here"; \
        fi; \
        continue; \
    fi; \
    echo "$@: under $$found, $$("$$found" --version)"; \
    $(MAKE) --no-print-directory FROM="$$found" "$$venv/.ready" && \
        "$$venv/bin/python" -m pytest $(1) $(PYTEST_ARGS) || status=1; \
done; exit $$status
endef

help:
	@echo "make demo   run notebooks/quickstart.ipynb in a real kernel, live in this terminal"
	@echo "make lab    open the same notebook in JupyterLab"
	@echo "make test   run the whole suite (PYTEST_ARGS='-k wire' for a part of it)"
	@echo "make sample  a part of the suite under Debian's Python 3.11, 3.12 and 3.13, where they are found"
	@echo "make lint   ruff, mypy, import-linter, the language, and TypeScript's check of the JavaScript"
	@echo "make lines  count lines of code"
	@echo "make bench  measure every figure"
	@echo "make experiments  five experiments, with plots"
	@echo "make screenshots  pictures of the live area, into docs/images"
	@echo "make cover  what the tests of commands do not reach"
	@echo "make soak   the long and large versions of the tests"
	@echo "make soak-faults  random faults against real sessions (SOAK_FAULTS_ARGS='--minutes 30 --seed 1')"
	@echo "make fuzz   random changes to recorded traffic (FUZZ_ARGS='--minutes 5 --seed 1')"
	@echo "make clean  remove everything that the other targets made"

demo: $(READY)
	$(BIN)/python notebooks/demo.py notebooks/quickstart.ipynb

lab: $(READY)
	$(BIN)/python -m jupyter lab $(LAB_ARGS) notebooks/quickstart.ipynb

test: $(READY) $(KERNELS_READY)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PYTEST_ARGS)

sample:
	$(call under_each_python,$(SIDE_BY_SIDE) $(SAMPLE))

# All of them run, so that one call shows all findings.
lint: $(READY)
	@status=0; \
	for check in "ruff check" "ruff format --check" mypy lint-imports; do \
	    echo "$(BIN)/$$check"; $(BIN)/$$check || status=1; \
	done; \
	echo "$(BIN)/python .ci/check_language.py"; $(BIN)/python .ci/check_language.py || status=1; \
	$(MAKE) --no-print-directory lint-javascript || status=1; exit $$status

lint-javascript:
	@if command -v npm >/dev/null; then \
	    $(MAKE) --no-print-directory $(TYPESCRIPT) && \
	    echo "$(JAVASCRIPT)/node_modules/.bin/tsc" && $(JAVASCRIPT)/node_modules/.bin/tsc -p $(JAVASCRIPT); \
	elif test -n "$$CI"; then \
	    echo "lint: npm is missing; install it to check the JavaScript" >&2; exit 1; \
	else \
	    echo "lint: left out the check of the JavaScript, because npm is not installed"; \
	fi

# Not `npm --prefix`, which would leave out the global settings, such as those for certificates.
$(TYPESCRIPT): $(JAVASCRIPT)/package-lock.json
	cd $(JAVASCRIPT) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

lines: $(READY)
	$(BIN)/python .ci/count_lines.py

bench: $(READY) $(KERNELS_READY)
	$(BIN)/python -m benchmarks

# Under the tracing of coverage an interpreter before 3.12 can hang on an exception that is sent to a thread
# which does not run: the tests of callables, which do that, are left out.
cover: $(READY)
	$(BIN)/python -m coverage run --branch --source=pyrepl_stream/runtime/process -m pytest -q tests/runtime/process \
	    -k "not callable and not interrupt_between" $(PYTEST_ARGS)
	$(BIN)/python -m coverage report --show-missing --skip-covered

experiments: $(READY)
	$(BIN)/python -m benchmarks.experiments

screenshots: $(READY)
	$(BIN)/python -m benchmarks.screenshots docs/images

soak: export PYREPL_STREAM_SOAK := 1
soak: $(READY) $(KERNELS_READY)
	$(BIN)/python -m pytest $(PYTEST_ARGS)
	$(call under_each_python,$(SOAK_ARGS))

soak-faults: $(READY)
	cd tests && ../$(BIN)/python -m faults.soak $(SOAK_FAULTS_ARGS)

fuzz: $(READY)
	cd tests && ../$(BIN)/python -m faults.fuzz $(FUZZ_ARGS)

clean:
	rm -rf .venv .venv-* .kernels build dist
	rm -rf $(JAVASCRIPT)/node_modules
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

# FROM is the interpreter.
$(VENV)-%/.ready: pyproject.toml constraints.txt
	"$(FROM)" -m venv --clear $(@D)
	$(@D)/bin/python -m pip install $(PIP_QUIET) -c constraints.txt -e '.[jupyter]' $(PYTHONS_NEED)
	@touch $@

# No dependencies: those of the venv serve all kernels, but for the few that the newest has no more.
.kernels/%/.ready: | $(READY)
	rm -rf .kernels/$*
	$(BIN)/python -m pip install $(PIP_QUIET) --no-deps --target .kernels/$* ipykernel==$* $(NEEDED_BY_$*)
	@touch $@
