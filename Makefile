# Two commands for everyone: `make demo` measures the shipped samples, `make test` passes the tests.
# Both make their own virtual environment first; nothing outside this folder is touched. Without make, on Windows for
# example, docs/getting-started/command-line.md has the same commands to type.

PYTHON ?= python3
VENV ?= .venv
DEMO_OUT ?= demo-out
PYTEST_ARGS ?=
# A further package index, for torch's processor build: on Linux 0.2 GB instead of 3 GB with CUDA.
# make TORCH_INDEX=https://download.pytorch.org/whl/cpu demo
TORCH_INDEX ?=

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
AUDIT := $(VENV)-audit/Scripts
else
BIN := $(VENV)/bin
AUDIT := $(VENV)-audit/bin
endif
MEASURE := $(VENV)/.installed-measure
ALL := $(VENV)/.installed-all
MINUTES ?= 2
MUTATIONS ?=
SEED ?= 0
EXTRAS := training,cluster,dicom,pdf,pacs,review,slicer,docs,lint,test
SAMPLES := Resources/SampleScans/sample_shifted.nii.gz Resources/SampleScans/sample_unshifted.nii.gz

.PHONY: help venv demo test lint format docs fuzz sbom audit lock clean

help:
	@echo "make demo    measure the two shipped samples; says what to expect and which files to open"
	@echo "make test    run the tests (PYTEST_ARGS='-k overlay' picks some)"
	@echo "make lint    check style, formatting, types, spelling and prose"
	@echo "make format  mend style and formatting"
	@echo "make fuzz    load mutated files for MINUTES=2, or MUTATIONS=150 of each format; SEED=random draws others each time"
	@echo "             (SECURITY.md says what is counted)"
	@echo "make sbom    write a bill of materials (CycloneDX, sbom.json); needs no network once its tools are there"
	@echo "make audit   the same, and compare the dependencies with known vulnerabilities; needs pypi.org"
	@echo "make docs    build the documentation in site/, with every link checked"
	@echo "make venv    only make the virtual environment ($(VENV)); PYTHON=python3.12 chooses another Python"
	@echo "make lock    pin what a fresh virtual environment holds (after changing dependencies)"
	@echo "make clean   remove the virtual environment and what demo and docs made"

venv: $(ALL)

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; choose one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "This Python cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# $(call install,EXTRAS): the exact versions exist for Python 3.11 and newer; on 3.10 pip chooses.
define install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.$(1)' \
	  $$($(BIN)/python -c 'import sys; print("-c constraints.txt" if sys.version_info >= (3, 11) else "")') \
	  $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
endef

# Only what measuring needs.
$(MEASURE): pyproject.toml constraints.txt | $(VENV)/pyvenv.cfg
	$(call install)
	@touch $@

# And what the training, the documentation and the tests need.
$(ALL): pyproject.toml constraints.txt | $(VENV)/pyvenv.cfg
	$(call install,[$(EXTRAS)])
	@touch $(MEASURE) $@

demo: $(MEASURE)
	$(BIN)/midlineshift measure $(SAMPLES) --out $(DEMO_OUT) --report
	@$(BIN)/python Resources/SampleScans/compare_with_truth.py $(DEMO_OUT)

# What fails is tried once more, alone: real servers, browsers and killed processes meet, beside other work, timings that
# nobody has thought of. What passes only then stays in sight above, as FAILED.
test: $(ALL)
	$(BIN)/python -m pytest -n auto $(PYTEST_ARGS) || { \
	  test $$? -eq 1 || exit 1; \
	  echo "The tests that FAILED are tried once more, alone. One that passes now is unsteady: say so in an issue."; \
	  $(BIN)/python -m pytest -n 0 $(PYTEST_ARGS) --last-failed --last-failed-no-failures none; \
	}

lint: $(ALL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python Testing/helpers/check_prose.py

format: $(ALL)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(ALL)
	$(BIN)/mkdocs build --strict

fuzz: $(ALL)
	$(BIN)/python Testing/fuzz/run.py $(if $(MUTATIONS),--mutations $(MUTATIONS),--minutes $(MINUTES)) --seed $(SEED) --keep fuzz-failures

# The tools have an environment of their own, so that they do not change what they look at.
$(AUDIT)/uv:
	$(PYTHON) -m venv $(VENV)-audit
	$(AUDIT)/python -m pip install --quiet --disable-pip-version-check 'pip-audit==2.10.1' 'cyclonedx-bom==7.5.0' 'uv==0.13.9'

sbom: $(ALL) $(AUDIT)/uv
	$(AUDIT)/cyclonedx-py environment $(BIN)/python --output-file sbom.json

audit: sbom
	$(BIN)/python Testing/helpers/audit_dependencies.py $(AUDIT)/pip-audit \
	  $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

# Run in a fresh $(VENV) after changing dependencies; local builds such as torch's +cpu are the same release.
lock: $(ALL) $(AUDIT)/uv
	{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' | LC_ALL=C sort -f; } > constraints.new
	mv constraints.new constraints.txt
	$(AUDIT)/uv pip compile pyproject.toml --all-extras --constraints constraints.txt --universal --python-version 3.11.5 \
	  --generate-hashes --no-annotate --no-header --quiet --output-file requirements.new
	{ sed -n '/^#/p' requirements.lock; cat requirements.new; } > requirements.lock.new
	mv requirements.lock.new requirements.lock && rm requirements.new

clean:
	rm -rf $(VENV) $(VENV)-audit $(DEMO_OUT) site fuzz-failures sbom.json
