# Everything a fresh clone needs: `make demo` shows the product at work, `make check` runs all tests. Each target installs or
# builds what it is missing. Sources, libraries and the compiled control plane are cached in FEDLET_CACHE.

.DEFAULT_GOAL := release
.PHONY: release dev console cross kube demo check bench fuzz oracle killat clean help setup

JOBS ?= $(shell nproc)
CONSOLE ?= yes
NINJA := ninja -j$(JOBS)
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)

EDGE := aarch64 armv7 riscv64

help:
	@echo "make            release build of fedhub, fedctl, fedlet into build/release/bin/"
	@echo "make demo       a hub, two real member control planes, two agents, and one change end to end (KEEP=1 leaves them up)"
	@echo "make check      all tests"
	@echo "make dev        build with sanitizers into build/dev/bin/"
	@echo "make console    the page that fedhub serves (Node.js 18 or newer), part of the two above; CONSOLE=no builds them without"
	@echo "make cross      static agents for aarch64, armv7, riscv64 into build/TARGET/bin/"
	@echo "make kube       the test control plane, build/kube"
	@echo "make bench      benchmarks: a table, and build/bench.json"
	@echo "make fuzz       every fuzz target for FUZZ_SECONDS (default 600) each"
	@echo "make oracle     kubectl and N (5000) random operations of SEED (1) on a hub and a kube-apiserver, and where they differ"
	@echo "make killat     an agent killed at every system call that touches its state, SEED (1); some minutes"
	@echo "make clean      removes build/; the cache in FEDLET_CACHE (default ~/.cache/fedlet) stays"

release: setup-build console
	toolchains/build x86_64-glibc
	cmake --preset release >/dev/null
	$(NINJA) -C build/release fedhub fedctl fedlet

dev: setup-build console
	toolchains/build x86_64-glibc
	cmake --preset dev >/dev/null
	$(NINJA) -C build/dev

# Without Node.js the hub is built all the same, and says in place of the page how to get it. What is newer than the last
# build of the page makes it anew.
console:
	@if [ "$(CONSOLE)" = yes ] && toolchains/setup console && \
		{ [ ! -e console/dist/index.html ] || [ -n "$$(find console -path console/node_modules -prune -o -path console/dist -prune \
			-o -path console/test -prune -o -type f -newer console/dist/index.html -print)" ]; }; then console/build console/dist; fi

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
check: setup-check console
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

FUZZ_SECONDS ?= 600
fuzz: setup-check
	tests/fuzz/run $(FUZZ_SECONDS)

setup-%:
	@toolchains/setup $*

clean:
	rm -rf build

FORCE:
