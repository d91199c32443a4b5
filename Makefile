# Every target first installs what it needs. CARGO_FLAGS is for machines with other wishes, such as -j2.
CARGO_FLAGS ?=
TARGET_DIR ?= $(or $(CARGO_TARGET_DIR),target)
PALIMPSEST = $(TARGET_DIR)/release/palimpsest
# Pages of the demo; all of them take some minutes on two cores.
LIMIT ?=

# One set of packages for everything that is built: cargo chooses the features of shared dependencies by it, and with
# another set WebAssembly's compiler and the language model would be compiled a second time.
PACKAGES = --release --workspace --all-targets

# llama.cpp's server as a Python package: what the tests run the quickstart against. Tests say so if it is not there.
TEST_SERVER = xllamacpp==2026.10.11549
CACHE = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/palimpsest

# What reads the rows that tests write, a server that speaks S3, and whose values of quality rules ours are compared with.
TEST_TOOLS = pyarrow==26.0.1 duckdb==2.0.0 datasets==5.2.0 pytz==2026.6 zstandard==0.25.0 warcio==1.8.1 fastwarc==2.0.1 "moto[server]==5.2.1" \
	datatrove==0.10.1 spacy==3.8.18 regex==2026.11.19

# Of each fuzz target.
FUZZ_SECONDS ?= 60

.PHONY: all build demo test lint bench fuzz tools tools-debian weights test-server test-tools

all: build

# What the build needs beside Rust: the guests' target, and a C++ compiler with cmake and libclang for llama.cpp.
tools:
	rustup target add wasm32-wasip2
	@command -v cmake >/dev/null && python3 -m pip --version >/dev/null 2>&1 \
		&& ls /usr/lib/llvm-*/lib/libclang*.so* >/dev/null 2>&1 || $(MAKE) tools-debian

tools-debian:
	@command -v apt-get >/dev/null || { echo "install cmake, a C++ compiler, libclang and Python's pip, then start again"; exit 1; }
	$$(test "$$(id -u)" = 0 || echo sudo) apt-get update
	$$(test "$$(id -u)" = 0 || echo sudo) apt-get install -y --no-install-recommends cmake g++ clang libclang-dev python3-pip

build: tools
	cargo build $(CARGO_FLAGS) $(PACKAGES)

weights: build
	$(PALIMPSEST) fetch smollm2-135m-instruct

demo: weights
	$(PALIMPSEST) run pipelines/quickstart.toml $(if $(LIMIT),--limit $(LIMIT)) || test $$? = 1

test-server:
	@test -d $(CACHE)/test-server/xllamacpp || python3 -m pip install --quiet --no-deps --only-binary :all: \
		--target $(CACHE)/test-server $(TEST_SERVER) || echo "no test server: its tests will be skipped"

test-tools:
	@test -d $(CACHE)/test-tools/datatrove || python3 -m pip install --quiet --only-binary :all: \
		--target $(CACHE)/test-tools $(TEST_TOOLS) || echo "no tools to read rows with: their tests will be skipped"

test: weights test-server test-tools
	cargo test $(CARGO_FLAGS) --release --workspace

lint: tools
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) $(PACKAGES) -- -D warnings

bench: weights
	cargo bench $(CARGO_FLAGS) --workspace

# The fuzzer's instrumentation is an unstable option of the compiler.
fuzz: tools
	@command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --version 0.13.2 --locked
	for target in $$(ls tests/fuzz/fuzz_targets | sed 's/\.rs$$//'); do \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --features pages $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=25 -max_len=20000 || exit 1; done
