# Every target builds the environment it needs: the first call installs it, later calls reuse it.

# Candidates in order; the first that is new enough builds the environment.
PYTHON ?= python3.11 python3

# Published loss curves for the tests that read them; those tests skip where the folder is absent.
export STEPSIZE_CURVES ?= $(CURDIR)/../shared/loss_curves

INSTALLED := .venv/installed
ORACLE := .venv-oracle/installed

.PHONY: demo test check oracle curves bench bench-plan bench-auto bench-guard bench-diagnose \
    bench-rescue bench-kill fuzz pictures clean

# One thread per process: several fight for the cores, and on a busy machine they wait for each other.
demo test oracle fuzz: export OMP_NUM_THREADS = 1
demo test oracle fuzz: export MKL_NUM_THREADS = 1
demo: $(INSTALLED)
	.venv/bin/python examples/demo.py

test: $(INSTALLED)
	.venv/bin/python -m pytest -n 2

check: $(INSTALLED)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/basedpyright
	.venv/bin/lint-imports

# The table of docs/en/autopilot.md; it may take an hour, and goes on where it was stopped.
bench-auto: $(INSTALLED)
	.venv/bin/python -m benchmarks.auto run
	.venv/bin/python -m benchmarks.auto table --into docs/en/autopilot.md

# The figures of docs/en/plan.md, from the published curves.
bench-plan: $(INSTALLED)
	.venv/bin/python -m benchmarks.plan_page

# The figures of docs/en/guard.md, from the published logs.
bench-guard: $(INSTALLED)
	.venv/bin/python -m benchmarks.guard

# The table of docs/en/diagnose.md.
bench-diagnose: $(INSTALLED)
	.venv/bin/python -m benchmarks.diagnose

# The table of docs/en/rescue.md; it goes on where it was stopped.
bench-rescue: $(INSTALLED)
	.venv/bin/python -m benchmarks.rescue

# 200 runs killed at random moments, and resumed.
bench-kill: $(INSTALLED)
	.venv/bin/python -m benchmarks.kill

# What reads from outside, with damaged and hostile inputs; another number: make fuzz INPUTS=1000
INPUTS ?= 100000
fuzz: $(INSTALLED)
	.venv/bin/python -m benchmarks.fuzz --inputs $(INPUTS)

bench: $(INSTALLED)
	.venv/bin/python -m benchmarks

# Every peer's installed code against our expressions; its environment is apart from ours.
oracle: $(ORACLE)
	.venv-oracle/bin/python -m pytest oracle -n 2 --dist loadgroup

# The table of curves in the documentation.
curves: $(INSTALLED)
	.venv/bin/python -m oracle

# The pictures of the README.
pictures: $(INSTALLED)
	.venv/bin/stepsize plot "warmup_cosine(10000, warmup=500, end=0.1)" \
	    "wsd(10000, warmup=500, cooldown=2000)" \
	    "Linear(2000).repeat(stretch=2, shrink=0.6).until(10000)" \
	    --base 3e-4 --output docs/images/schedules.png

clean:
	rm -rf .venv .venv-oracle build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt | .venv/bin/pip
	.venv/bin/python -m pip install --disable-pip-version-check --constraint constraints.txt \
	    --editable '.[all,dev]'
	@touch $@

# The second list would pull other versions of torch, or parts that the schedulers do not need.
$(ORACLE): pyproject.toml constraints.txt $(wildcard oracle/*.txt) | .venv/bin/pip
	test -x .venv-oracle/bin/pip || .venv/bin/python -m venv .venv-oracle
	.venv-oracle/bin/python -m pip install --disable-pip-version-check --quiet \
	    --constraint constraints.txt --constraint oracle/constraints.txt \
	    --requirement oracle/requirements.txt --editable .
	DS_BUILD_OPS=0 .venv-oracle/bin/python -m pip install --disable-pip-version-check --quiet \
	    --no-deps --no-build-isolation --requirement oracle/no-deps.txt
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
