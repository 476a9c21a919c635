# Everything a fresh clone needs: `make demo` shows the product at work, `make check` runs all tests. Each target installs or
# builds what it is missing. Sources, libraries and the compiled control plane are cached in FEDLET_CACHE.

.DEFAULT_GOAL := release
.PHONY: release dev cross kube demo check bench fuzz oracle killat rollout-sim clean help setup

JOBS ?= $(shell nproc)
NINJA := ninja -j$(JOBS)
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)

EDGE := aarch64 armv7 riscv64

help:
	@echo "make            release build of fedhub, fedctl, fedlet into build/release/bin/"
	@echo "make demo       a hub, two real member control planes, two agents, and one change end to end (KEEP=1 leaves them up)"
	@echo "make check      all tests"
	@echo "make dev        build with sanitizers into build/dev/bin/"
	@echo "make cross      static agents for aarch64, armv7, riscv64 into build/TARGET/bin/"
	@echo "make kube       the test control plane, build/kube"
	@echo "make bench      benchmarks: a table, and build/bench.json"
	@echo "make fuzz       every fuzz target for FUZZ_SECONDS (default 600) each; FUZZ_SEED=N: with this seed, else a random one"
	@echo "make oracle     kubectl and N (5000) random operations of SEED (1) on a hub and a kube-apiserver, and where they differ"
	@echo "make killat     an agent killed at every system call that touches its state, SEED (1); some minutes"
	@echo "make rollout-sim SEEDS (10000) random fleets against the engine of rollouts, from FROM (1) on; SEED=N: one, with its events"
	@echo "make clean      removes build/; the cache in FEDLET_CACHE (default ~/.cache/fedlet) stays"

# The web console, where there is a Node.js; without it the hub has a page that says how to build it.
CONSOLE_SOURCES := $(shell find console -type d \( -name node_modules -o -name 'dist*' -o -name test \) -prune -o -type f -print 2>/dev/null)
console/dist/index.html: $(CONSOLE_SOURCES)
	@if ! toolchains/setup console; then echo "make: no Node.js: the console is left out" >&2; \
	else console/build console/dist || echo "make: the console could not be built and is left out" >&2; fi

release: setup-build console/dist/index.html
	toolchains/build x86_64-glibc
	cmake --preset release >/dev/null
	$(NINJA) -C build/release fedhub fedctl fedlet

dev: setup-build console/dist/index.html
	toolchains/build x86_64-glibc
	cmake --preset dev >/dev/null
	$(NINJA) -C build/dev

build/%/bin/fedlet: FORCE
	toolchains/build $*-musl
	cmake --preset $* >/dev/null
	$(NINJA) -C build/$*

cross: setup-cross $(EDGE:%=build/%/bin/fedlet)

kube: setup-kube
	tests/kube/build

# Libraries and control plane have little to do with each other: side by side they keep both cores busy.
demo: setup-demo
	@$(MAKE) --no-print-directory -j2 release kube
	tests/e2e/demo

# The console's tests are skipped where there is no browser: that is no reason to run no test.
check: setup-check console/dist/index.html
	@toolchains/setup browser || true
	tests/check

N ?= 5000
SEED ?= 1
oracle: release kube
	PARTS=verbs,random OPERATIONS=$(N) SEED=$(SEED) tests/e2e/differential.sh

bench: release kube setup-cross
	tests/bench/run

killat: release kube setup-trace
	KILLAT=all KILLAT_SEED=$(SEED) tests/e2e/killat.sh

SEEDS ?= 10000
rollout-sim: setup-build
	toolchains/build x86_64-glibc
	cmake --preset dev >/dev/null
	$(NINJA) -C build/dev hub_rollout_property_test
	SEEDS=$(SEEDS) build/dev/bin/hub_rollout_property_test

FUZZ_SECONDS ?= 600
fuzz: setup-check
	tests/fuzz/run $(FUZZ_SECONDS)

setup-%:
	@toolchains/setup $*

clean:
	rm -rf build

FORCE:
