# The tarball for a machine that has a driver and nothing else: `make dist`. Included by the Makefile.
#
# The programs are linked once more, in a build folder of their own: libyaml, Jansson, SQLite, libcrypto, libgomp, libgcc
# and libstdc++ from archives, found first in a folder that holds nothing else. The C library stays dynamic. oneDNN
# comes as a shared library in lib/, with those it needs, found by a run path from the program.

dist-version := $(shell sed -n 's/^\#define VERSION "\([0-9.]*\)"/\1/p' kernels/base/build.c)
dist-name    := bench-$(dist-version)-x86_64
dist-build    = $(BUILD)/dist
dist-static   = $(dist-build)/static
dist-tree     = $(BUILD)/$(dist-name)
dist-archives = libyaml.a libjansson.a libsqlite3.a libcrypto.a libgomp.a libstdc++.a

dist-checked:
	+@$(make) VARIANT=release CC=gcc BUILD=$(dist-build) DIST=$(dist-static) nvcc-out=$(BUILD)/nvcc dist-programs
	+@$(make) VARIANT=release CC=gcc BUILD=$(dist-build) DIST=$(dist-static) nvcc-out=$(BUILD)/nvcc dist-tar
	@mv $(dist-build)/$(dist-name).tar.gz $(BUILD)/
	@BENCH_DIST=$(abspath $(BUILD))/$(dist-name).tar.gz tests/run.py tests/cli/dist_test.py
	@ls -l $(BUILD)/$(dist-name).tar.gz
.PHONY: dist-checked dist-programs dist-tar

# --- inside: DIST is the folder of archives ------------------------------------------------------------------------------
ifdef DIST
$(DIST)/%.a:
	@mkdir -p $(@D)
	@path=$$($(CC) -print-file-name=$*.a); case $$path in /*) ln -sf $$path $@;; \
	 *) echo "dist: $*.a is not here: install the package with the static library (Debian: its -dev package)"; exit 1;; esac

# libyaml has a yaml_free of its own, as we do: in one program it is called otherwise
$(DIST)/libyaml.a:
	@mkdir -p $(@D)
	@objcopy --redefine-sym yaml_free=libyaml_own_free $$($(CC) -print-file-name=libyaml.a) $@

LDFLAGS := -L$(DIST) -static-libgcc -Wl,--as-needed $(LDFLAGS)
dist-bin := $(filter-out %/worker-conformance,$(programs:%=$(out)/bin/%))
$(dist-bin): | $(dist-archives:%=$(DIST)/%)
# two OpenMP libraries in one process would have two pools of threads: this worker takes that of oneDNN
$(out)/bin/bench-worker-onednn: private LDFLAGS := -Wl,--as-needed -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../lib' \
   -L$(DIST)/onednn
$(out)/bin/bench-worker-onednn: | $(patsubst %,$(DIST)/onednn/%,$(filter-out libgomp.a libstdc++.a,$(dist-archives)))
$(DIST)/onednn/%.a: $(DIST)/%.a
	@mkdir -p $(@D); cp -P $< $@

dist-programs: $(dist-bin)

# what oneDNN's library needs besides the C library, by name
dist-dnnl = $(foreach l,$(shell ldd $(out)/bin/bench-worker-onednn | awk '$$3 ~ /^\// && $$1 !~ /^lib(c|m|dl|rt|pthread)\.so/ { print $$3 }'),$(l))
dist-header = $(shell printf '\043include <$(1)>\n$(2)\n' | $(CC) -E -P $(if $(cuda),-isystem $(CUDA)/include) -x c - 2>/dev/null | tail -1 | tr -d ' ')

dist-tar: dist-programs
	@rm -rf $(dist-tree) && mkdir -p $(dist-tree)/bin $(dist-tree)/lib $(dist-tree)/tests/gpu
	@cp $(dist-bin) $(dist-tree)/bin/ && strip --strip-unneeded $(dist-tree)/bin/*
	@cp -L $(dist-dnnl) $(dist-tree)/lib/ && strip --strip-unneeded $(dist-tree)/lib/* && chmod 644 $(dist-tree)/lib/*
	@cp -r configs plots LICENSE README.md $(dist-tree)/
	@cp tests/gpu/check-gpu tests/gpu/torch_networks.py tests/gpu/torch_baseline.py $(dist-tree)/tests/gpu/
	@{ echo "bench $(dist-version)"; echo "commit $(or $(commit),unknown)"; \
	   echo "compiler $$($(CC) --version | head -1)"; \
	   echo "toolkit $(if $(cuda),$$($(nvcc) --version | sed -n 's/.*release \([0-9.]*\).*/\1/p'),none: no CUDA worker)"; \
	   echo "cudnn_headers $(if $(cuda),$(call dist-header,cudnn_version.h,CUDNN_MAJOR.CUDNN_MINOR.CUDNN_PATCHLEVEL),none)"; \
	   echo "archs $(or $(strip $(cuda-archs)),none)"; \
	   echo "onednn $(if $(dnnl),$(call dist-header,dnnl_version.h,DNNL_VERSION_MAJOR.DNNL_VERSION_MINOR.DNNL_VERSION_PATCH),none)"; \
	 } > $(dist-tree)/VERSION
	@tar -C $(BUILD) --sort=name --owner=0 --group=0 --numeric-owner -cf - $(dist-name) | gzip -9 > $(dist-tree).tar.gz
endif
