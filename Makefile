# Two commands for everyone: `make demo` measures the shipped samples, `make test` passes the tests.
# Both make their own virtual environment first; nothing outside this folder is touched.

PYTHON ?= python3
VENV ?= .venv
DEMO_OUT ?= demo-out
PYTEST_ARGS ?=

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
STAMP := $(VENV)/.installed

.PHONY: help venv demo test lint format lock clean

help:
	@echo "make demo    measure the two shipped samples and print where the pictures are"
	@echo "make test    run the tests (PYTEST_ARGS='-k overlay' picks some)"
	@echo "make lint    check style and formatting"
	@echo "make format  mend style and formatting"
	@echo "make venv    only make the virtual environment ($(VENV)); PYTHON=python3.12 chooses another Python"
	@echo "make lock    pin what a fresh virtual environment holds (after changing dependencies)"
	@echo "make clean   remove the virtual environment and the demo's results"

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; choose one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "This Python cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@# The exact versions exist for Python 3.11 and newer; on 3.10 pip chooses.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[training,cluster,dicom,pdf,pacs,slicer,test]' \
	  $$($(BIN)/python -c 'import sys; print("-c constraints.txt" if sys.version_info >= (3, 11) else "")')
	@touch $@

demo: $(STAMP)
	$(BIN)/midlineshift measure Resources/SampleScans/sample_shifted.nii.gz \
	  Resources/SampleScans/sample_unshifted.nii.gz --out $(DEMO_OUT)

test: $(STAMP)
	$(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Run in a fresh $(VENV) after changing dependencies; local builds such as torch's +cpu are the same release.
lock: $(STAMP)
	{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) $(DEMO_OUT)
