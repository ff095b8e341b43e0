# SPDX-License-Identifier: Apache-2.0
# The front door. `make help` lists what there is. Every target installs what it lacks on Debian 12 (INSTALL=no skips that).
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
JOBS ?= $(shell nproc)
INSTALL ?= yes
export INSTALL

# Compiler cache: shared by all build folders and checkouts; precompiled headers need the sloppiness.
CACHE_HOME := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
export CCACHE_DIR ?= $(CACHE_HOME)/ccache
export CCACHE_MAXSIZE ?= 5G
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
export CCACHE_SLOPPINESS := pch_defines,time_macros,include_file_mtime,include_file_ctime

# Python test clients live outside the checkout, one folder per content of tests/requirements.txt.
VENV = $(CACHE_HOME)/headrace/venv-$(firstword $(shell cksum tests/requirements.txt))
RESULTS := build/results
CTEST = ctest --output-on-failure --no-tests=error --timeout 900

.PHONY: help
help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

.PHONY: run
run: build ## build, then serve on loopback with a demo agent that reports this machine; data in ./data
	@exec build/headrace serve --demo $(ARGS)

.PHONY: build
build: setup-build web ## the release binary: build/headrace
	@cmake --preset release $(if $(wildcard build/release/build.ninja),,-DHEADRACE_TESTS=OFF) -Wno-dev >build/configure.log || { cat build/configure.log; exit 1; }
	@ninja -C build/release -j$(JOBS) --quiet headrace
	@ln -sfn release/src/app/headrace build/headrace

.PHONY: test
test: setup-build setup-test web venv ## every test of the release build: unit, fuzz corpus, end to end, browser, crash smoke
	@cmake --preset release -DHEADRACE_TESTS=ON -DHEADRACE_PYTHON=$(VENV)/bin/python >build/configure.log || { cat build/configure.log; exit 1; }
	@ninja -C build/release -j$(JOBS) --quiet
	@ln -sfn release/src/app/headrace build/headrace
	@npm --prefix web test --silent
	@tools/run_tests.sh release $(CTEST_ARGS)

.PHONY: lint
lint: setup-build setup-lint web ## formatting, layers, sizes, clang-tidy on what changed
	@cmake --preset release $(if $(wildcard build/release/build.ninja),,-DHEADRACE_TESTS=ON) >build/configure.log || { cat build/configure.log; exit 1; }
	@tools/lint.sh

.PHONY: format
format: setup-lint ## put all C++ sources into the project's format
	@git ls-files -z '*.cc' '*.h' ':!tests/lint/bad' | xargs -0 -P$(JOBS) -n20 clang-format-19 -i

.PHONY: asan
asan: setup-build setup-test web venv ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@cmake --preset asan -DHEADRACE_PYTHON=$(VENV)/bin/python >build/configure.log || { cat build/configure.log; exit 1; }
	@ninja -C build/asan -j$(JOBS) --quiet
	@tools/run_tests.sh asan -LE 'browser|lint|crash|tour' $(CTEST_ARGS)

.PHONY: tsan
tsan: setup-build setup-test web venv ## the concurrent tests under ThreadSanitizer
	@cmake --preset tsan -DHEADRACE_PYTHON=$(VENV)/bin/python >build/configure.log || { cat build/configure.log; exit 1; }
	@ninja -C build/tsan -j$(JOBS) --quiet concurrent_tests headrace
	@tools/run_tests.sh tsan -L concurrent $(CTEST_ARGS)

.PHONY: crash
crash: setup-build setup-test web venv ## hundreds of seeded kills of the log and of the whole server (ROUNDS=N, SEED=N)
	@cmake --preset release -DHEADRACE_TESTS=ON -DHEADRACE_PYTHON=$(VENV)/bin/python >build/configure.log || { cat build/configure.log; exit 1; }
	@ninja -C build/release -j$(JOBS) --quiet
	@tests/crash/run_all.sh $(VENV)/bin/python

.PHONY: fuzz
fuzz: setup-build setup-fuzz web ## every fuzz target with libFuzzer for FUZZ_SECONDS (default 30) each
	@cmake --preset fuzz >build/configure.log || { cat build/configure.log; exit 1; }
	@ninja -C build/fuzz -j$(JOBS) --quiet fuzz_targets
	@tools/fuzz.sh build/fuzz

.PHONY: bench
bench: setup-build setup-test setup-bench web ## microbenchmarks and the end-to-end load beside Node's ws (QUICK=1: shorter)
	@cmake --preset bench >build/configure.log || { cat build/configure.log; exit 1; }
	@ninja -C build/bench -j$(JOBS) --quiet headrace bench_targets
	@python3 bench/run.py --build build/bench

.PHONY: clean
clean: ## remove everything that was built (data stays)
	rm -rf build web/dist web/node_modules bench/peers/node-ws/node_modules

.PHONY: setup-build setup-test setup-lint setup-fuzz setup-bench
setup-build setup-test setup-lint setup-fuzz setup-bench: setup-%:
	@mkdir -p build
	@tools/setup.sh $*

# The pages: npm ci when the lock file changed, a build when a source changed.
.PHONY: web
web: setup-build
	@tools/build_web.sh

.PHONY: venv
venv: setup-test
	@tools/make_venv.sh "$(VENV)"
