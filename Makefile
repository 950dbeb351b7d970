# make demo  - see it work; make test - all tests; make check - lint, types, floors; make bench - the figures; make torture - an hour or two of kills
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help demo test unit check bench torture clean browser servers

help:
	@sed -n 's/^# //p' Makefile

$(BIN)/mention-crawler: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

browser:
	@sh tools/browser.sh $(BIN)/python

servers:
	@sh tools/servers.sh

demo: $(BIN)/mention-crawler browser
	$(BIN)/mention-crawler demo

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(VENV)/dev
	$(BIN)/pytest -q -n 2 tests/unit tests/test_floors.py -m "not postgres and not process and not model and not property and not slow"

#- Three at a time, whole files each: most of the end-to-end tests wait for real processes.
test: $(VENV)/dev browser servers check
	$(BIN)/pytest -n 3 --dist loadfile

torture: $(VENV)/dev
	PYTHONPATH=tests:. $(BIN)/python -m torture --kills 700 --deliveries 70000 --comments 14000 --parts 7 --senders 8
	PYTHONPATH=tests:. $(BIN)/python -m torture --kills 300 --deliveries 30000 --comments 6000 --parts 3 --senders 8 --database postgresql

bench: $(VENV)/dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .cache build dist
