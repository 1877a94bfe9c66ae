# The CUDA engine: what of it this machine can build. Included by the Makefile.
#   CUDA=folder of the toolkit (else that of nvcc, else /usr/local/cuda)   CUDA_ARCHS="75 80 ..." to build for
#
# Rooms: passes, tune and faults know no CUDA header and are built everywhere; library and the engine itself need the
# toolkit. The kernels of passes are compiled twice: by nvcc, and for the CPU through the fiber shim.

CUDA       ?= $(or $(patsubst %/bin/nvcc,%,$(realpath $(shell command -v nvcc 2>/dev/null))),/usr/local/cuda)
CUDA_ARCHS ?= 75 80 86 89 90 100 120

ifdef probes
  nvcc := $(wildcard $(CUDA)/bin/nvcc)
  cuda := $(if $(nvcc),$(if $(wildcard $(CUDA)/include/cuda_runtime_api.h),$(if $(wildcard $(CUDA)/include/cudnn_backend.h $(CUDA)/include/cudnn_graph.h),$(if $(wildcard $(CUDA)/include/cublasLt.h),yes))))
  $(if $(cuda),,$(info CUDA: $(if $(nvcc),cuDNN's or cuBLASLt's headers are not in $(CUDA)/include,no nvcc on PATH or in $(CUDA)/bin), so bench-worker-cuda is not built))
  cuda-archs := $(if $(cuda),$(filter $(patsubst sm_%,%,$(shell $(nvcc) --list-gpu-code 2>/dev/null)),$(CUDA_ARCHS)))
endif

cuda-plain-rooms := kernels/cuda/passes kernels/cuda/tune kernels/cuda/faults
cuda-rooms   := $(if $(cuda),kernels/cuda kernels/cuda/library) $(cuda-plain-rooms)
rooms        += $(cuda-rooms)
cuda-kernels := $(wildcard kernels/cuda/passes/*.cu)
shim-sources := $(wildcard kernels/cuda/shim/*.cpp)

ifeq ($(origin CXX),default)
CXX := $(if $(findstring clang,$(CC)),clang++,g++)
endif
cxxflags = -std=c++17 -Wall -Wextra $(if $(WERROR)$(CI),-Werror) -I. -D_GNU_SOURCE -MMD -MP $(flags-$(VARIANT)) $(CXXFLAGS)

$(out)/obj/kernels/cuda/%.o $(out)/obj/tests/gpu/%.o $(out)/obj/tests/unit/cuda_%.o: private CFLAGS += $(if $(cuda),-isystem $(CUDA)/include)

# what the worker says it has code for
$(out)/obj/kernels/cuda/device.o: private CFLAGS += -DCUDA_ARCHS_BUILT='"$(cuda-archs)"'

$(out)/obj/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	$(say) "c++  $<"
	$(do)$(CXX) $(cxxflags) -DCUDA_SHIM -c -o $@ $<
$(out)/obj/%.shim.o: %.cu Makefile
	@mkdir -p $(@D)
	$(say) "c++  $< (shim)"
	$(do)$(CXX) $(cxxflags) -DCUDA_SHIM -x c++ -c -o $@ $<
# the same for every variant and compiler; NAME.ptxas says what each kernel takes (tests/golden/cuda_registers_test.py)
nvcc-out   := $(BUILD)/nvcc
nvccflags   = -O3 -lineinfo -std=c++17 -I. -cudart static -Xfatbin=-compress-all \
              $(foreach a,$(cuda-archs),-gencode arch=compute_$(a),code=sm_$(a)) \
              $(foreach a,$(lastword $(cuda-archs)),-gencode arch=compute_$(a),code=compute_$(a))
# (this takes minutes: done again only where a source or these flags have changed)
$(nvcc-out)/flags: force
	@mkdir -p $(@D); echo '$(nvccflags)' | cmp -s - $@ || echo '$(nvccflags)' > $@
$(nvcc-out)/%.o: %.cu $(nvcc-out)/flags
	@mkdir -p $(@D)
	$(say) "nvcc $<"
	$(do)$(nvcc) --version | sed -n 's/.*release.*, V/nvcc /p' > $(@:.o=.ptxas); \
	   $(nvcc) $(nvccflags) -Xptxas -v -MD -MF $(@:.o=.d) -c -o $@ $< 2>> $(@:.o=.ptxas); code=$$?; \
	   grep -v '^nvcc [0-9]\|^ptxas info\|bytes stack frame' $(@:.o=.ptxas) >&2; exit $$code

define archive-rule
	@mkdir -p $(@D); rm -f $@; $(AR) rcs $@ $^
endef
shim-lib   := $(out)/lib/libkernels-cuda-shim.a
device-lib := $(nvcc-out)/libkernels-cuda-device.a
$(shim-lib): $(cuda-kernels:%.cu=$(out)/obj/%.shim.o) $(shim-sources:%.cpp=$(out)/obj/%.o)
	$(archive-rule)
$(device-lib): $(cuda-kernels:%.cu=$(nvcc-out)/%.o)
	$(archive-rule)

cuda-main := $(wildcard kernels/worker/main_cuda.c)
ifneq ($(and $(cuda),$(cuda-main)),)
programs += bench-worker-cuda
$(out)/bin/bench-worker-cuda: $(out)/obj/kernels/worker/main_cuda.o $(device-lib) \
                              $(call archives,$(cuda-rooms) kernels/lower $(worker-rooms))
$(out)/bin/bench-worker-cuda: private libs += -L$(CUDA)/lib64 -lcudart_static -ldl -lrt -lstdc++
endif

# --- tests: the kernels through the shim; with the toolkit's headers the engine too, on fakes of CUDA's libraries -------
fakes := $(if $(cuda),$(if $(wildcard tests/gpu/fake/cudnn.c),$(out)/fake/libcudnn_graph.so.9) \
                      $(if $(wildcard tests/gpu/fake/cublaslt.c),$(out)/fake/libcublasLt.so.13))
# NVML's fake needs no header but ours, and stays loaded: it counts the calls of a whole process
fake-nvml := $(out)/fake/libnvidia-ml.so.1
fakes += $(fake-nvml)
$(fake-nvml): tests/gpu/fake/nvml.c kernels/base/nvml.h
	@mkdir -p $(@D)
	$(say) "link $@"
	$(do)$(CC) $(filter-out -MMD -MP,$(cflags)) -fPIC -shared -Wl,-z,nodelete -o $@ $<
fake-cudart := $(wildcard tests/gpu/fake/cudart*.c tests/gpu/fake/enqueue*.c)
$(out)/lib/libfake-cudart.a: $(fake-cudart:%.c=$(out)/obj/%.o)
	$(archive-rule)
$(out)/fake/libcudnn_graph.so.9: private fake := tests/gpu/fake/cudnn
$(out)/fake/libcublasLt.so.13: private fake := tests/gpu/fake/cublaslt
$(out)/fake/%: $(wildcard tests/gpu/fake/*.c tests/gpu/fake/*.h)
	@mkdir -p $(@D)
	$(say) "link $@"
	$(do)$(CC) $(filter-out -MMD -MP,$(cflags)) -isystem $(CUDA)/include -fPIC -shared -o $@ $(wildcard $(fake).c $(fake)_*.c) -lm

cuda-test-libs = $(if $(cuda),$(out)/lib/libfake-cudart.a) $(shim-lib) $(call archives,$(cuda-rooms))
ifneq ($(and $(cuda),$(cuda-main),$(fake-cudart)),)
test-workers += $(out)/fake/bench-worker-cuda
$(out)/fake/bench-worker-cuda: $(out)/obj/kernels/worker/main_cuda.o $(cuda-test-libs) $(call archives,kernels/lower $(worker-rooms))
	@mkdir -p $(@D)
	$(say) "link $@"
	$(do)$(link) -rdynamic $(libs) -ldl -lstdc++
endif
# tests of what needs the toolkit include a header of it, of the fakes, of library or of the engine itself
cuda-tests := $(wildcard tests/unit/cuda_*_test.c tests/unit/cuda_*_test.cpp)
cuda-tests-toolkit := $(shell grep -lE 'include [<"](cuda_runtime|cudnn|cublas|tests/gpu/fake|tests/unit/cuda_engine_help|kernels/cuda/(library/)?[a-z_]+\.h)' $(cuda-tests) /dev/null)
cuda-tests-here := $(filter-out $(if $(cuda),,$(cuda-tests-toolkit)),$(cuda-tests))
$(addprefix $(out)/,$(basename $(cuda-tests-toolkit))): | $(fakes)
$(out)/tests/unit/cuda_%: $(out)/obj/tests/unit/cuda_%.o $(cuda-test-libs) $(call archives,kernels/lower kernels/reference $(worker-rooms))
	@mkdir -p $(@D)
	$(say) "link $@"
	$(do)$(link) -rdynamic $(libs) -ldl -lstdc++
-include $(shell find $(nvcc-out) -name '*.d' 2>/dev/null)

# --- the same tests of the kernels on a GPU, without cmocka -------------------------------------------------------------------
ifneq ($(cuda),)
device-tests := $(filter-out cuda_shim_test,$(basename $(notdir $(wildcard tests/unit/cuda_*_test.cpp))))
programs += gpu-kernel-tests
$(out)/obj/tests/gpu/device/kernel_tests.o: private CXXFLAGS += -isystem $(CUDA)/include '-DKERNEL_TESTS=$(foreach t,$(device-tests),X($(t)))'
$(out)/obj/on-device/%.o: tests/unit/%.cpp Makefile kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(say) "c++  $< (for a GPU)"
	$(do)$(CXX) $(cxxflags) -Itests/gpu/device -isystem $(CUDA)/include -DTESTS_ON_DEVICE -Dmain=$*_main -c -o $@ $<
$(out)/bin/gpu-kernel-tests: $(out)/obj/tests/gpu/device/kernel_tests.o $(device-tests:%=$(out)/obj/on-device/%.o) \
                             $(device-lib) $(call archives,$(cuda-plain-rooms) kernels/reference $(worker-rooms))
# and those of convolutions and attention, with the libraries that are there
programs += gpu-pattern-tests
$(out)/obj/on-device/%.o: tests/unit/%.c Makefile kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(say) "cc   $< (for a GPU)"
	$(do)$(CC) $(cflags) -Itests/gpu/device -isystem $(CUDA)/include -DTESTS_ON_DEVICE -c -o $@ $<
$(out)/bin/gpu-pattern-tests: $(out)/obj/on-device/cuda_conv_run_test.o $(call archives,$(cuda-rooms) kernels/lower $(worker-rooms))
programs += gpu-kernel-speed
$(out)/obj/tests/bench/gpu_%.o: private CFLAGS += -isystem $(CUDA)/include
$(out)/bin/gpu-kernel-speed: $(out)/obj/tests/bench/gpu_kernel_speed.o $(device-lib) $(call archives,$(cuda-rooms) kernels/lower $(worker-rooms))
$(out)/bin/gpu-kernel-tests $(out)/bin/gpu-pattern-tests $(out)/bin/gpu-kernel-speed: private libs += -L$(CUDA)/lib64 -lcudart_static -ldl -lrt -lstdc++
endif

# --- plans of cuDNN without a GPU: the program that asks for them, and a driver that stands for none ---------------------
ifneq ($(cuda),)
plan-tools := $(out)/gpu/plan-manifest $(out)/gpu/null/libcuda.so.1
$(out)/gpu/plan-manifest: $(out)/obj/tests/gpu/plan_manifest.o $(call archives,$(cuda-rooms) kernels/lower $(worker-rooms))
	@mkdir -p $(@D)
	$(say) "link $@"
	$(do)$(link) $(libs) -ldl
$(out)/gpu/null_driver_names.h: $(CUDA)/include/cuda.h
	@mkdir -p $(@D)
	@grep -o '\bcu[A-Z][A-Za-z0-9]*\(_v[0-9]*\)\?\b' $< | sort -u | sed 's/.*/X(&)/' > $@
$(out)/gpu/null/libcuda.so.1: tests/gpu/null_driver.c tests/gpu/null_driver_rest.c $(out)/gpu/null_driver_names.h
	@mkdir -p $(@D)
	$(say) "link $@"
	$(do)$(CC) -std=c11 $(warn) -DNULL_DRIVER_NAMES='"$(abspath $(out))/gpu/null_driver_names.h"' -fPIC -shared \
	   -Wl,-soname,libcuda.so.1 -o $@ $(filter %.c,$^)
endif
test-build check-cli: $(plan-tools)
