# The short way in: calls CMake. `make` builds, `make install PREFIX=/usr/local DESTDIR=` installs.
PREFIX ?= /usr/local
# As many at a time as `make -jN` or `make JOBS=N` says, else as there are processors. make knows its
# own -j when it runs recipes, not before: so this is expanded there.
JOBS ?= $(or $(patsubst -j%,%,$(filter -j%,$(MAKEFLAGS))),$(shell nproc))
BUILD = cmake --build --preset
PHYS_BENCH = build/release/bench/phys-bench
SLAB_BENCH = build/release/bench/slab-bench
MAP_BENCH = build/release/bench/map-bench
REPLAY_BENCH = build/release/bench/replay-bench
MAP_SIM_BENCH = build/release/bench/map-sim-bench
VM_BENCH = build/release/bench/vm-bench
HEAP_BENCH = build/release/bench/heap-bench
POOL_BENCH = build/release/bench/pool-bench

all: release

release debug clang:
	cmake --preset $@
	$(BUILD) $@ --parallel $(JOBS)

check:
	JOBS=$(JOBS) ./check

demo:
	JOBS=$(JOBS) ./demo

# stdout is the rows alone.
bench-phys:
	@cmake --preset release >&2
	@$(BUILD) release --target phys-bench --parallel $(JOBS) >&2
	@$(PHYS_BENCH)
	@$(PHYS_BENCH) --fragmentation
	@if command -v valgrind >/dev/null; then bench/phys/instructions.sh $(PHYS_BENCH); \
	else echo 'No valgrind: instructions are not counted.' >&2; fi

# Beside other allocators where they are installed: libjemalloc2, libmimalloc2.0 and
# libtcmalloc-minimal4 are Debian's packages.
bench-slab:
	@cmake --preset release >&2
	@$(BUILD) release --target slab-bench --parallel $(JOBS) >&2
	@$(SLAB_BENCH)
	@if command -v valgrind >/dev/null; then bench/slab/instructions.sh $(SLAB_BENCH); \
	else echo 'No valgrind: instructions are not counted.' >&2; fi

bench-map:
	@cmake --preset release >&2
	@$(BUILD) release --target map-bench map-sim-bench --parallel $(JOBS) >&2
	@$(MAP_BENCH)
	@$(MAP_SIM_BENCH)
	@if command -v valgrind >/dev/null; then \
		bench/common/instructions.sh $(MAP_BENCH) && bench/map/sim.sh $(MAP_SIM_BENCH); \
	else echo 'No valgrind: instructions are not counted.' >&2; fi

bench-vm:
	@cmake --preset release >&2
	@$(BUILD) release --target vm-bench --parallel $(JOBS) >&2
	@$(VM_BENCH)
	@if command -v valgrind >/dev/null; then bench/common/instructions.sh $(VM_BENCH); \
	else echo 'No valgrind: instructions are not counted.' >&2; fi

# LINUX=vmlinuz: that kernel instead of Debian's.
bench-machine:
	@cmake --preset release >&2
	@$(BUILD) release --target machine-bench --parallel $(JOBS) >&2
	@bench/machine/run.sh build/release/tools/quire build/release/bench

# Major faults with half of a program's memory, beside Linux's. LINUX=FOLDER: an unpacked package of it.
bench-pressure:
	@cmake --preset release >&2
	@$(BUILD) release --target machine-bench --parallel $(JOBS) >&2
	@bench/machine/pressure.sh build/release/tools/quire build/release/bench

# Beside Debian's other allocators and real programs, which it installs: see bench/heap/run.sh. About three
# minutes; HEAP_OPTIONS=--full for longer runs, or '--case=request-*': heap-bench --help.
bench-heap:
	@cmake --preset release >&2
	@$(BUILD) release --target heap-bench --parallel $(JOBS) >&2
	@bench/heap/run.sh $(HEAP_BENCH) $(HEAP_OPTIONS)

bench-pool:
	@cmake --preset release >&2
	@$(BUILD) release --target pool-bench --parallel $(JOBS) >&2
	@$(POOL_BENCH)
	@if command -v valgrind >/dev/null; then bench/common/instructions.sh $(POOL_BENCH); \
	else echo 'No valgrind: instructions are not counted.' >&2; fi

# TRACE=FILE: that trace instead of one that is made up.
bench-replay:
	@cmake --preset release >&2
	@$(BUILD) release --target replay-bench --parallel $(JOBS) >&2
	@$(REPLAY_BENCH) $(TRACE)

# The pictures of docs/report.md, with Debian's chromium and chromium-driver.
screenshots:
	@cmake --preset release >&2
	@$(BUILD) release --target quire-command kernel --parallel $(JOBS) >&2
	@tests/report/screenshots.sh build/release/tools/quire docs/images

# Random operations of the allocators against their models: `make model EFFORT=100000000 SEED=7`.
EFFORT ?= 10000000
SEED ?= 1
model: release
	build/release/tests/quire-tests-unit --suite=phys_model --effort=$(EFFORT) --seed=$(SEED)
	build/release/tests/quire-tests-unit --suite=slab_model --effort=$(EFFORT) --seed=$(SEED)

# The suites with other knobs, one permutation after the other; some minutes. Each runs alone by
# tests/permute.sh ID.
permute:
	@tests/permute.sh

install: release
	cmake --install build/release --prefix $(PREFIX)

# What shells complete, from what --help lists.
completions:
	@cmake --preset release >&2
	@$(BUILD) release --target quire-command --parallel $(JOBS) >&2
	completions/make.sh bash $(CURDIR)/build/release/tools/quire >completions/quire.bash
	completions/make.sh zsh $(CURDIR)/build/release/tools/quire >completions/_quire
	completions/make.sh fish $(CURDIR)/build/release/tools/quire >completions/quire.fish

coverage:
	sh -c '. .ci/packages.sh && packages_to_build && need_packages gcovr:gcovr'
	cmake --preset coverage
	$(BUILD) coverage --parallel $(JOBS)
	find build/coverage -name '*.gcda' -delete # of earlier runs, perhaps of other sources
	ctest --preset coverage --parallel $(JOBS) --output-log build/coverage/test.log >/dev/null
	gcovr --root . --filter src/ --print-summary build/coverage

clean:
	rm -rf build

.PHONY: all release debug clang check demo bench-phys bench-slab bench-map bench-vm bench-machine bench-pressure bench-heap bench-pool bench-replay screenshots model permute install completions coverage clean
