# make demo: a whole hosting cluster on this machine. make test: everything CI runs. make help: the rest.
# Needs make, root or sudo, and Debian (12 or newer); what else is missing is installed.

VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes
# Without isolation nothing unpinned is fetched to build with: requirements-build.lock has what it takes.
LOCKED = $(PIP) --no-build-isolation --use-pep517

.PHONY: help demo test check pytest bench pictures clean debian-demo debian-test debian-bench debian-pictures

help:
	@echo 'make demo      build a small hosting cluster from real parts, and try Rocks Pilot on it'
	@echo 'make test      install what the tests need, then lint, type check and test everything'
	@echo 'make check     lint and type check only'
	@echo 'make bench     measure, beside what is compared with'
	@echo 'make pictures  draw the pictures in the documents anew, from a demo of its own'
	@echo 'make clean     remove the virtual environment and what tools left behind'

demo: debian-demo $(VENV)/.run
	@$(BIN)/python -m pilot.demo

test: debian-test $(VENV)/.dev
	@$(MAKE) --no-print-directory check pytest

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	if grep -q '^\[tool\.importlinter' pyproject.toml; then $(BIN)/lint-imports; fi

pytest: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term $(PYTEST_ARGS)

bench: debian-demo debian-bench $(VENV)/.dev
	$(BIN)/python -m bench

pictures: debian-demo debian-pictures $(VENV)/.dev
	$(BIN)/python docs/make_pictures.py $(PICTURES)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find keys pilot tests bench docs -name __pycache__ -prune -exec rm -rf {} +

debian-demo:
	@sh deploy/install-debian.sh deploy/debian-demo.txt

debian-test:
	@sh deploy/install-debian.sh deploy/debian-demo.txt deploy/debian-test.txt

debian-bench:
	@sh deploy/install-debian.sh deploy/debian-bench.txt

debian-pictures:
	@sh deploy/install-debian.sh deploy/debian-pictures.txt

# Debian's own Python where it is new enough: its headers are there to compile against.
$(VENV)/.base: requirements-build.lock
	@for python in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Making a virtual environment with $$($$python --version)" >&2; \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; echo 'There is no Python of 3.11 or newer.' >&2; exit 1
	@$(PIP) -r requirements-build.lock
	@touch $@

$(VENV)/.linked: $(VENV)/.base pyproject.toml deploy/link_checkout.py
	@$(BIN)/python deploy/link_checkout.py
	@touch $@

$(VENV)/.run: $(VENV)/.base $(VENV)/.linked requirements-demo.lock
	@echo 'Installing the Python packages of requirements-demo.lock' >&2
	@$(LOCKED) -r requirements-demo.lock
	@touch $@

$(VENV)/.dev: $(VENV)/.base $(VENV)/.linked requirements-dev.lock
	@echo 'Installing the Python packages of requirements-dev.lock' >&2
	@$(LOCKED) -r requirements-dev.lock
	@touch $@
