# Every target builds the environment it needs: the first call installs it, later calls reuse it.

# Candidates in order; the first that is new enough builds the environment.
PYTHON ?= python3.11 python3

# Published loss curves for the tests that read them; those tests skip where the folder is absent.
export STEPSIZE_CURVES ?= $(CURDIR)/../shared/loss_curves

INSTALLED := .venv/installed

.PHONY: demo test check bench clean

demo: $(INSTALLED)
	.venv/bin/python examples/demo.py

# One thread per process: the two workers then do not fight for the cores.
test: export OMP_NUM_THREADS = 1
test: export MKL_NUM_THREADS = 1
test: $(INSTALLED)
	.venv/bin/python -m pytest -n 2

check: $(INSTALLED)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/basedpyright
	.venv/bin/lint-imports

bench: $(INSTALLED)
	.venv/bin/python -m benchmarks

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt | .venv/bin/pip
	.venv/bin/python -m pip install --disable-pip-version-check --constraint constraints.txt \
	    --editable '.[all,dev]'
	@touch $@

.venv/bin/pip:
	@for python in $(PYTHON); do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Building .venv with $$python; only the first call does this."; \
	        exec $$python -m venv .venv; \
	    fi; \
	done; \
	echo 'stepsize needs Python 3.11 or newer, and none of these is: $(PYTHON).' >&2; \
	echo 'Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python' >&2; \
	exit 1
