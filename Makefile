# The short way in: calls CMake. `make` builds, `make install PREFIX=/usr/local DESTDIR=` installs.
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
BUILD = cmake --build --preset
PHYS_BENCH = build/release/bench/phys-bench
MAP_BENCH = build/release/bench/map-bench
MAP_SIM_BENCH = build/release/bench/map-sim-bench

all: release

release debug clang:
	cmake --preset $@
	$(BUILD) $@ --parallel $(JOBS)

check:
	./check

demo:
	./demo

# stdout is the rows alone.
bench-phys:
	@cmake --preset release >&2
	@$(BUILD) release --target phys-bench --parallel $(JOBS) >&2
	@$(PHYS_BENCH)
	@$(PHYS_BENCH) --fragmentation
	@if command -v valgrind >/dev/null; then bench/phys/instructions.sh $(PHYS_BENCH); \
	else echo 'No valgrind: instructions are not counted.' >&2; fi

bench-map:
	@cmake --preset release >&2
	@$(BUILD) release --target map-bench map-sim-bench --parallel $(JOBS) >&2
	@$(MAP_BENCH)
	@$(MAP_SIM_BENCH)
	@if command -v valgrind >/dev/null; then \
		bench/map/instructions.sh $(MAP_BENCH) && bench/map/sim.sh $(MAP_SIM_BENCH); \
	else echo 'No valgrind: instructions are not counted.' >&2; fi

# Random operations of the page allocator against its model: `make model EFFORT=100000000 SEED=7`.
EFFORT ?= 10000000
SEED ?= 1
model: release
	build/release/tests/quire-tests-unit --suite=phys_model --effort=$(EFFORT) --seed=$(SEED)

install: release
	cmake --install build/release --prefix $(PREFIX)

coverage:
	sh -c '. .ci/packages.sh && packages_to_build && need_packages gcovr:gcovr'
	cmake --preset coverage
	$(BUILD) coverage --parallel $(JOBS)
	find build/coverage -name '*.gcda' -delete # of earlier runs, perhaps of other sources
	ctest --preset coverage --parallel $(JOBS) --output-log build/coverage/test.log >/dev/null
	gcovr --root . --filter src/ --print-summary build/coverage

clean:
	rm -rf build

.PHONY: all release debug clang check demo bench-phys bench-map model install coverage clean
