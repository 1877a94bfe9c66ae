# bench: measure neural networks over batch sizes, decide, prove. `make help` lists what can be made.
#   VARIANT=release|debug|san|fuzz   CC=gcc|clang   BUILD=folder   WERROR=1   V=1 (print whole commands)

VARIANT       ?= release
BUILD         ?= build
PREFIX        ?= /usr/local
FUZZ_S        ?= 300
flags-release := -O2 -g
flags-debug   := -O0 -g3
flags-san     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
flags-fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
$(if $(flags-$(VARIANT)),,$(error VARIANT=$(VARIANT): allowed are release, debug, san, fuzz))

ifeq ($(origin CC),default)
CC := gcc
endif
out    := $(BUILD)/$(VARIANT)-$(notdir $(firstword $(CC)))#   per compiler too, so objects never mix
# a recipe that builds uses every processor, unless the caller said how many
make    = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
say    := $(if $(V),@:,@echo)
do     := $(if $(V),,@)
warn   := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
          $(if $(WERROR)$(CI),-Werror)
commit := $(shell git describe --always --dirty --abbrev=10 2>/dev/null)
cflags  = -std=c11 $(warn) -I. -D_GNU_SOURCE -fopenmp -MMD -MP $(flags-$(VARIANT)) $(CFLAGS)

.DEFAULT_GOAL := all
.PHONY: all deps deps-test deps-fuzz deps-services test-services run test check check-cli memcheck bench-harness bench-store bench-kernels bench-convolutions bench-instructions bench-decisions bench-nightly check-nights check-plans fuzz fuzz-run install dist check-gpu check-gpu-long clean \
        help
.SECONDARY:
.DELETE_ON_ERROR:

# --- packages: on Debian and Ubuntu missing ones are installed, elsewhere they are named -------------------------
packages      := gcc libc6-dev libdnnl-dev libyaml-dev libjansson-dev libsqlite3-dev libssl-dev gnuplot-nox \
                 fonts-dejavu-core
packages-test := $(packages) libcmocka-dev python3 g++ clang libomp-dev git strace
packages-services := $(packages) python3 python3-yaml systemd slurm-wlm munge
packages-fuzz := $(packages) clang libclang-rt-dev libomp-dev

define install-packages
	@missing=; for p in $(1); do \
	   dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	 if [ -z "$$missing" ]; then exit 0; fi; \
	 if ! command -v apt-get >/dev/null; then \
	   echo "deps: no apt-get here: install what your system calls:$$missing"; exit 0; fi; \
	 as_root=; if [ "$$(id -u)" != 0 ]; then as_root=sudo; fi; \
	 echo "deps: installing$$missing"; \
	 $$as_root env DEBIAN_FRONTEND=noninteractive sh -c \
	   "apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends $$missing >/dev/null"
endef

deps:  ## install the packages that building and running need
	$(call install-packages,$(packages))
deps-test:
	$(call install-packages,$(packages-test))
deps-services:
	$(call install-packages,$(packages-services))
deps-fuzz:
	$(call install-packages,$(packages-fuzz))

# --- probes: what this machine can build; each says what it did not find -----------------------------------------
hash  := \#
have   = $(shell echo '$(hash)include <$(1)>' | $(CC) -E -o /dev/null -x c - 2>/dev/null && echo yes)
probes := $(if $(filter-out deps deps-test deps-fuzz run test fuzz help clean,$(or $(MAKECMDGOALS),all)),yes)
ifdef probes
  dnnl := $(call have,dnnl.h)
  $(if $(dnnl),,$(info oneDNN: no dnnl.h, so bench-worker-onednn is not built: `make deps` installs libdnnl-dev))
endif

# --- sources: a folder is a room, a room is an archive -----------------------------------------------------------
bench-rooms  := bench/verbs bench/nightly bench/doctor bench/import bench/output bench/replay bench/queue bench/measure bench/store bench/telemetry bench/config tuner
worker-rooms := kernels/worker kernels/models kernels/graph kernels/base
engine-rooms := kernels/reference kernels/lower $(if $(dnnl),kernels/cpu)
rooms        := $(bench-rooms) $(worker-rooms) $(engine-rooms)
test-rooms   := tests/decisions tests/nightly
sources  = $(filter-out kernels/worker/main_%.c tests/decisions/main_%.c tests/nightly/main_%.c,$(wildcard $(1)/*.c))
archive  = $(out)/lib/lib$(subst /,-,$(1)).a
archives = $(foreach room,$(1),$(call archive,$(room)))
libs     := -lsqlite3 -lyaml -ljansson -lcrypto -lm -lpthread
programs := bench bench-worker-reference bench-worker-scripted worker-conformance $(if $(dnnl),bench-worker-onednn)

include kernels/cuda/cuda.mk
include bench/dist.mk

all: $(programs:%=$(out)/bin/%)  ## build what this machine can build, into build/VARIANT-CC/bin

# instruction sets are chosen at run time: the suffix of a file names the one it needs
isa-avx2       := -mavx2 -mfma -mf16c
isa-avx512     := $(isa-avx2) -mavx512f -mavx512bw -mavx512vl -mavx512dq
isa-avx512bf16 := $(isa-avx512) -mavx512bf16
isa-of          = $(isa-$(lastword $(subst _, ,$(basename $(notdir $(1))))))

$(out)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) "cc   $<"
	$(do)$(CC) $(cflags) $(call isa-of,$<) -c -o $@ $<

# the program says which build it is; only this object depends on the commit
$(out)/obj/kernels/base/build.o: private CFLAGS += -DBUILD_VARIANT='"$(VARIANT)"' -DBUILD_COMMIT='"$(commit)"'
$(out)/obj/kernels/base/build.o: $(out)/commit
$(out)/commit: force
	@mkdir -p $(@D); echo '$(commit)' | cmp -s - $@ || echo '$(commit)' > $@
.PHONY: force

define room-rule
$(call archive,$(1)): $(patsubst %.c,$(out)/obj/%.o,$(call sources,$(1)))
	@mkdir -p $$(@D); rm -f $$@; $(AR) rcs $$@ $$^
endef
$(foreach room,$(rooms) $(test-rooms),$(eval $(call room-rule,$(room))))

link = $(CC) -fopenmp $(flags-$(VARIANT)) $(LDFLAGS) -o $@ $(filter %.o,$^) \
       -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(out)/bin/bench: $(out)/obj/bench/main.o $(call archives,$(bench-rooms) kernels/base)
$(out)/bin/bench-worker-onednn: $(out)/obj/kernels/worker/main_onednn.o $(call archives,kernels/cpu kernels/lower $(worker-rooms))
$(out)/bin/bench-worker-reference: $(out)/obj/kernels/worker/main_reference.o $(call archives,kernels/reference $(worker-rooms))
$(out)/bin/bench-worker-scripted: $(out)/obj/kernels/worker/main_scripted.o $(call archives,kernels/worker kernels/base)
$(out)/bin/worker-conformance: $(out)/obj/tests/cli/worker_conformance.o $(call archives,bench/measure tuner bench/store bench/telemetry bench/config kernels/base)
$(out)/bin/bench-worker-onednn: private libs += -ldnnl
$(out)/bin/%:
	@mkdir -p $(@D)
	$(say) "link $@"
	$(do)$(link) $(libs)

# --- tests: each file of tests/unit and tests/property is a program that prints TAP ------------------------------
# (cpu_*: tests of the CPU engine, left out where oneDNN is missing; cuda_*: of the CUDA engine, see kernels/cuda/cuda.mk)
test-sources  := $(filter-out $(if $(dnnl),,%/cpu_%) tests/unit/cuda_%,$(wildcard tests/unit/*_test.c tests/property/*_test.c)) \
                 $(cuda-tests-here)
test-programs := $(addprefix $(out)/,$(basename $(test-sources)))
san-programs   = $(addprefix $(BUILD)/san-$(notdir $(firstword $(CC)))/,$(basename $(test-sources)))
long-tests    := tests/cli/verbs_test.py tests/cli/check_gpu_test.py # minutes: begun first, or one core waits for them
script-tests  := $(long-tests) \
                 $(filter-out $(long-tests),$(wildcard tests/golden/*_test.py tests/cli/*_test.py tests/fault/*_test.py))

$(test-programs): | $(fake-nvml)
# a wall clock that tests of nights set: see bench_runner.py
wall-clock := $(out)/fake/libwall.so
$(wall-clock): tests/fault/wall_clock.c
	@mkdir -p $(@D)
	$(say) "link $@"
	$(do)$(CC) $(filter-out -MMD -MP,$(cflags)) -fPIC -shared -o $@ $<
$(out)/tests/%: private libs += -lcmocka $(if $(dnnl),-ldnnl)
# a test is linked as the programs are: with the rooms of `bench` or, if it is a cpu_*, with those of that engine
define cpu-test-rule
$(out)/tests/$(1)/cpu_%: $(out)/obj/tests/$(1)/cpu_%.o $(call archives,$(worker-rooms) $(engine-rooms))
	@mkdir -p $$(@D)
	$(say) "link $$@"
	$(do)$$(link) $$(libs)
endef
$(foreach folder,unit property bench,$(eval $(call cpu-test-rule,$(folder))))
$(out)/tests/%: $(out)/obj/tests/%.o $(call archives,$(bench-rooms) $(worker-rooms) kernels/reference $(test-rooms))
	@mkdir -p $(@D)
	$(say) "link $@"
	$(do)$(link) $(libs)

check: $(test-programs)  ## unit and property tests: no device, seconds (VARIANT=san: under the sanitizers)
	@tests/run.py $(test-programs)

check-cli: all $(wall-clock) $(fake-nvml)  ## command-line, golden and fault tests with real processes
	@BENCH_BIN=$(abspath $(out)/bin) tests/run.py $(script-tests)

# (*_networks_test: the networks at published sizes, 4 minutes and more each; *_engine_test and reference_test walk the
# same code on small relatives of them; cuda_plans_test and cuda_libraries_test load NVIDIA's own libraries)
memcheck: $(test-programs)  ## unit tests under valgrind
	@tests/run.py --under 'valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite' \
	   $(filter-out %_networks_test %/cuda_plans_test %/cuda_libraries_test,$(test-programs))

test: deps-test  ## install what is missing, build with gcc and clang, run every test that needs no GPU
	+@$(make) VARIANT=debug CC=clang WERROR=1 all
	+@$(make) VARIANT=san WERROR=1 test-build
	+@$(make) WERROR=1 test-run
test-build: all $(test-programs) $(fakes) $(wall-clock) $(test-workers)
# the CPU engine once more as on a processor that has AVX2 only
engine-tests   = $(filter %/cpu_engine_test %/cpu_engine_graphs_test %/cpu_networks_test,$(test-programs))
test-run: test-build
	@BENCH_BIN=$(abspath $(out)/bin) tests/run.py $(script-tests) $(test-programs) \
	   $(engine-tests:%='DNNL_MAX_CPU_ISA=AVX2 %') $(san-programs)
.PHONY: test-build test-run

# --- what starts a night: units, workflow, crontab, Slurm -------------------------------------------------------------
test-services: deps-services all  ## try configs/deploy: systemd reads the units, a one-node Slurm runs the array
	@BENCH_BIN=$(abspath $(out)/bin) tests/run.py tests/services/services_test.py

# --- how rules choose, on simulated measurements: TRIALS of each -------------------------------------------------
TRIALS ?= 4000
$(out)/bin/bench-decisions: $(out)/obj/tests/decisions/main_decisions.o $(call archives,tests/decisions bench/replay tuner kernels/base)
bench-decisions: $(out)/bin/bench-decisions $(out)/tests/bench/deciding_speed  ## choices of our rule and of other tools, in numbers (minutes; TRIALS=4000)
	@BENCH_HOME=$(CURDIR) $< $(TRIALS)
	@$(out)/tests/bench/deciding_speed

# --- how rules watch over nights, on invented ones: NIGHTS of each -------------------------------------------------
NIGHTS ?= 1000000
$(out)/bin/bench-nightly: $(out)/obj/tests/nightly/main_nightly.o $(call archives,tests/nightly tuner kernels/base)
bench-nightly: $(out)/bin/bench-nightly  ## false alarms and losses found, by our nightly rule and other tools' (minutes; NIGHTS=1000000)
	@$< $(NIGHTS)
OUT ?= results
check-nights: all  ## nights put together from the real ones in OUT (results): none may be red (minutes)
	@BENCH_BIN=$(abspath $(out)/bin) BENCH_HOME=$(CURDIR) tests/nightly/together.py $(OUT)

# --- benchmarks of our own parts: printed, never a timed test ----------------------------------------------------------
bench-harness: all  ## what measuring itself costs: clock share, own processor time and memory of bench
	@BENCH_BIN=$(abspath $(out)/bin) tests/bench/harness.py
bench-kernels: $(out)/tests/bench/cpu_fused_speed  ## the fused CPU kernels beside a copy of the same bytes
	@$<

bench-convolutions: $(out)/tests/bench/cpu_convolutions_speed  ## convolutions inside the networks beside the same ones alone
	@BENCH_HOME=$(CURDIR) $<
bench-store: all  ## size of 400 nights in the store, and the time of a verdict and of looking back (minutes; ARGS=NIGHTS)
	@BENCH_BIN=$(abspath $(out)/bin) tests/bench/store_speed.py $(ARGS)
bench-instructions: $(out)/tests/bench/cpu_fused_speed  ## instructions of every fused kernel (valgrind), beside the recorded ones
	@tests/bench/instructions.py $< $(wildcard results/reference/cpu_fused_instructions.csv)

# --- what cuDNN has for every layer, asked without a GPU --------------------------------------------------------------
check-plans: $(plan-tools)  ## every plan of cuDNN for every layer, beside the recorded ones (10 minutes; ARGS=--update)
	@BENCH_BIN=$(abspath $(out)/bin) tests/golden/cudnn_plans_test.py --all $(ARGS)

# --- fuzzing: libFuzzer, each target FUZZ_S seconds; findings stay in build/fuzz-clang -----------------------------
fuzz-targets := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz: deps-fuzz  ## fuzz every reader for FUZZ_S seconds (300)
	+@$(make) VARIANT=fuzz CC=clang fuzz-run
$(out)/fuzz/%: $(out)/obj/tests/fuzz/%.o $(call archives,kernels/worker kernels/graph kernels/base)
	@mkdir -p $(@D)
	$(do)$(link) -fsanitize=fuzzer $(libs)
fuzz-run: $(fuzz-targets:%=$(out)/fuzz/%)
	@for target in $(fuzz-targets); do \
	   corpus=$(out)/corpus/$$target; mkdir -p $$corpus; \
	   echo "$$target: $(FUZZ_S) s"; \
	   (cd $(out)/fuzz && ./$$target -max_total_time=$(FUZZ_S) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	     -verbosity=0 $(abspath $(out))/corpus/$$target $(CURDIR)/tests/fuzz/seeds/$${target#fuzz_}) 2>&1 | tail -n 12 || exit 1; \
	   ls $(out)/fuzz/ | grep -E '^(crash|leak|timeout|oom)-' && exit 1; done; echo "fuzz: no finding"

# --- the main job --------------------------------------------------------------------------------------------------
run: deps  ## install what is missing, build, measure the three networks at 256x256 (at most 6 minutes)
	+@$(make) all
	@$(out)/bin/bench --all-models --config configs/quick.yaml $(ARGS); code=$$?; \
	 if [ $$code = 4 ]; then echo "exit 4: undecided in so short a budget; the files hold the best so far"; exit 0; fi; exit $$code

install: all  ## copy programs, configurations and plot scripts to PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/bench/configs/models \
	   $(DESTDIR)$(PREFIX)/share/bench/configs/engines $(DESTDIR)$(PREFIX)/share/bench/configs/deploy \
	   $(DESTDIR)$(PREFIX)/share/bench/plots
	install -m 755 $(filter-out %worker-conformance %-tests %-speed,$(programs:%=$(out)/bin/%)) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(wildcard configs/*.yaml) $(DESTDIR)$(PREFIX)/share/bench/configs
	install -m 644 $(wildcard configs/models/*) $(DESTDIR)$(PREFIX)/share/bench/configs/models
	install -m 644 $(wildcard configs/engines/*) $(DESTDIR)$(PREFIX)/share/bench/configs/engines
	install -m 644 $(wildcard configs/deploy/*) $(DESTDIR)$(PREFIX)/share/bench/configs/deploy
	install -m 644 $(wildcard plots/*) $(DESTDIR)$(PREFIX)/share/bench/plots

dist: dist-checked  ## a tarball for machines that have a driver and nothing else (rules: bench/dist.mk)
check-gpu: all  ## everything that needs a GPU, under 8 minutes (the same from the tarball: tests/gpu/check-gpu)
	@tests/gpu/check-gpu --bin $(abspath $(out))/bin $(ARGS)
check-gpu-long: all  ## the same, and longer comparisons
	@tests/gpu/check-gpu --long --bin $(abspath $(out))/bin $(ARGS)

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile
clean:  ## remove everything that was built (results stay)
	rm -rf $(BUILD)

-include $(shell find $(out) -name '*.d' 2>/dev/null)
