# `make` alone explains. Each target sets up .venv first; the second time that costs nothing.

SHELL := /bin/sh
.DEFAULT_GOAL := help
READY := .venv/.ready
PY := .venv/bin/python
# a process a core, but not so many that real processes and servers run into time limits
# half as many again as cores: many tests wait for a time limit, or for the disk
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -gt 5 ] && echo 8 || echo $$((n + n / 2)))
PYTHONS := ops benchmarks tests
PYTEST_ARGS ?=
SCHEMAS = $(wildcard tests/*/*schema*.py tests/*/*/*schema*.py)

.PHONY: help run test check bench histories mutants clean
.PHONY: check-format check-lint check-types check-imports check-shell check-rules

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 10

run: $(READY) ## confine two real jobs on this checkout's own HEAD and verify their records
	@git rev-parse --verify --quiet 'HEAD^{commit}' >/dev/null || { \
	  git rev-parse HEAD 2>&1 | head -n 1; \
	  echo 'run: this folder is not a git checkout with a commit (a tarball?), and a job runs at a commit.'; \
	  echo 'run: use git clone, or: git init && git add -A && git commit -m import'; exit 2; }
	@command -v bwrap >/dev/null || { \
	  echo 'run: bubblewrap is not installed: jobs are confined by Landlock and seccomp instead'; \
	  echo 'run: (level 2, no private view of the files). For level 3: apt-get install bubblewrap'; }
	.venv/bin/runner run local_echo --repo .
	.venv/bin/runner run repo_doctor --repo .
	.venv/bin/runner verify last

test: $(READY) ## every test, and what was not run and why
	@$(PY) -m compileall -qq runner || true # for the many processes that tests start
	$(PY) -m pytest -q -n $(JOBS) $(PYTEST_ARGS)

check: check-format check-lint check-types check-imports check-shell check-rules ## format, lint, types, import contract, shell, docs, schemas, lock (-k: all findings)

check-format: $(READY)
	.venv/bin/ruff format --check --quiet .

check-lint: $(READY)
	.venv/bin/ruff check --quiet .

check-types: $(READY)
	$(PY) -m mypy --no-error-summary runner $(PYTHONS)
	cd wrappers/python && ../../$(PY) -m mypy --no-error-summary --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache/wrappers .

check-imports: $(READY)
	.venv/bin/lint-imports --no-logo >.venv/imports.txt || { cat .venv/imports.txt; exit 1; }

# what runs inside the package has no #! line: it is given to /bin/sh by name
check-shell:
	@if command -v shellcheck >/dev/null; then \
	  find ops wrappers -name '*.sh' -exec shellcheck .ci/run {} + && \
	  find runner -name '*.sh' -exec shellcheck --shell=dash {} +; \
	else echo 'check: shellcheck is not installed; the shell scripts were not looked at'; fi

check-rules: $(READY)
	$(PY) -m pytest -q tests/test_architecture.py tests/test_docs.py $(SCHEMAS)

bench: $(READY) ## the table of ratios (and benchmarks/results/latest.json)
	$(PY) -m benchmarks

histories: $(READY) ## review packets of real releases of public projects (downloads them)
	$(PY) -m benchmarks.real_histories

mutants: $(READY) ## put known defects in, one at a time; fail if the tests let one live
	$(PY) -m tests.mutants.apply

clean: ## remove .venv and every cache
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache benchmarks/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# whoever starts the script: the oldest python3 will do; uv can start it where there is none
$(READY): requirements.lock pyproject.toml ops/setup_venv.py
	@if command -v python3 >/dev/null; then python3 ops/setup_venv.py; \
	elif command -v uv >/dev/null; then uv run --no-project --quiet ops/setup_venv.py; \
	else echo 'setup: no python3 found: apt-get install python3 python3-venv, or install uv' >&2; exit 1; fi
