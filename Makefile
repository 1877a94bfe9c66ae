# bench: measure networks over batch sizes, decide, prove. `make help` lists what can be made.
# Variables: VARIANT=release|debug|san  CC=gcc|clang  BUILD=folder  WERROR=1

VARIANT       ?= release
BUILD         ?= build
flags-release := -O2 -g
flags-debug   := -O0 -g3
flags-san     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
$(if $(flags-$(VARIANT)),,$(error VARIANT=$(VARIANT): allowed are release, debug, san))

ifeq ($(origin CC),default)
CC := gcc
endif
out    := $(BUILD)/$(VARIANT)-$(notdir $(firstword $(CC)))
warn   := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
          $(if $(WERROR)$(CI),-Werror)
openmp := -fopenmp
cflags  = -std=c11 $(warn) -I. -D_GNU_SOURCE -DBENCH_VARIANT='"$(VARIANT)"' -MMD -MP $(openmp) $(flags-$(VARIANT)) $(CFLAGS)

# --- probes: what this machine can build; each prints what it found ---------------------------------------------
have = $(shell printf '%s\n' '$(1)' | $(CC) -E -o /dev/null -x c - 2>/dev/null && echo yes)
hash := \#
ifeq ($(filter deps deps-run deps-test run test help clean print-packages,$(or $(MAKECMDGOALS),all)),)
  dnnl := $(call have,$(hash)include <dnnl.h>)
  $(if $(dnnl),,$(info oneDNN: no dnnl.h, bench-worker-onednn is not built (make deps installs libdnnl-dev)))
endif

# --- sources: a folder is a room, a room is an archive -----------------------------------------------------------
rooms   := kernels/base kernels/graph kernels/models kernels/reference kernels/cpu kernels/worker tuner \
           bench/config bench/measure bench/telemetry bench/store bench/output bench/output/reader bench/verbs
mains   := $(wildcard kernels/worker/main_*.c)
sources  = $(filter-out $(mains),$(wildcard $(1)/*.c))
objects  = $(patsubst %.c,$(out)/obj/%.o,$(call sources,$(1)))
archive  = $(out)/lib/lib$(subst /,-,$(1)).a
bench-rooms  := bench/verbs bench/output bench/output/reader bench/measure bench/store bench/telemetry bench/config tuner
worker-rooms := kernels/worker kernels/models kernels/graph kernels/base
bench-libs   := -lsqlite3 -lyaml -ljansson -lcrypto -lm -lpthread
worker-libs  := -lyaml -ljansson -lcrypto -lm -lpthread

programs := bench bench-worker-reference bench-worker-scripted worker-conformance $(if $(dnnl),bench-worker-onednn)

.DEFAULT_GOAL := all
.PHONY: all deps deps-run deps-test run test check check-cli check-fault fuzz install clean help print-packages
.SECONDARY:
.DELETE_ON_ERROR:

all: $(programs:%=$(out)/bin/%)  ## build what this machine can build, into build/VARIANT-CC/bin

# instruction sets are chosen at run time: one file per set, named by its suffix
isa-avx2       := -mavx2 -mfma -mf16c
isa-avx512     := $(isa-avx2) -mavx512f -mavx512bw -mavx512vl -mavx512dq
isa-avx512bf16 := $(isa-avx512) -mavx512bf16
isa-of          = $(isa-$(lastword $(subst _, ,$(basename $(notdir $(1))))))

$(out)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(cflags) $(call isa-of,$<) -c -o $@ $<

define room-rule
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	@$(AR) rcs $$@ $$^
endef
$(foreach room,$(rooms),$(eval $(call room-rule,$(room))))

link = @mkdir -p $(@D); echo "link $@"; $(CC) $(openmp) $(flags-$(VARIANT)) $(LDFLAGS) -o $@ $(filter %.o,$^) \
       -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(out)/bin/bench: $(out)/obj/bench/main.o $(foreach r,$(bench-rooms) kernels/base,$(call archive,$(r)))
	$(link) $(bench-libs)
$(out)/bin/bench-worker-onednn: $(out)/obj/kernels/worker/main_onednn.o $(foreach r,kernels/cpu $(worker-rooms),$(call archive,$(r)))
	$(link) -ldnnl $(worker-libs)
$(out)/bin/bench-worker-reference: $(out)/obj/kernels/worker/main_reference.o $(foreach r,kernels/reference $(worker-rooms),$(call archive,$(r)))
	$(link) $(worker-libs)
$(out)/bin/bench-worker-scripted: $(out)/obj/kernels/worker/main_scripted.o $(foreach r,kernels/worker kernels/base,$(call archive,$(r)))
	$(link) $(worker-libs)
$(out)/bin/worker-conformance: $(out)/obj/tests/cli/worker_conformance.o $(foreach r,bench/measure bench/telemetry kernels/base,$(call archive,$(r)))
	$(link) $(bench-libs)

# --- tests: each file of tests/unit and tests/property is a program that prints TAP ------------------------------
test-sources  := $(wildcard tests/unit/*.c tests/property/*.c)
test-programs := $(patsubst %.c,$(out)/%,$(test-sources))
test-rooms    := $(bench-rooms) kernels/cpu kernels/reference $(worker-rooms)
test-archives := $(foreach r,$(if $(dnnl),$(test-rooms),$(filter-out kernels/cpu,$(test-rooms))),$(call archive,$(r)))
# a test of the CPU engine is named cpu_*: it is left out where oneDNN is missing
test-programs := $(if $(dnnl),$(test-programs),$(filter-out $(out)/tests/unit/cpu_% $(out)/tests/property/cpu_%,$(test-programs)))

$(out)/tests/%: $(out)/obj/tests/%.o $(test-archives)
	$(link) $(if $(dnnl),-ldnnl) -lcmocka $(bench-libs)

check: $(test-programs)  ## unit and property tests: no device, seconds
	@tests/run.py $(test-programs)

check-cli: all  ## command-line, golden and fault tests with real processes
	@BENCH_BIN=$(abspath $(out)/bin) tests/run.py $(wildcard tests/golden/*_test.py tests/cli/*_test.py tests/fault/*_test.py)

-include $(shell find $(out) -name '*.d' 2>/dev/null)

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile
clean:  ## remove everything that was built (results stay)
	rm -rf $(BUILD)
