# The front door. Every target sets up what it needs; nothing here needs root but the one command that `make browser` names.
#
#   make run      set up, build, start; prints the URL of the workshop
#   make test     every test, those of the browser too
#   make storm    200 storms of deployments in which processes are killed; make bombs: every program that is made to exhaust a compiler
#   make soak     a server that works for ten minutes, and a minute of log lines
#   make fuzz     SEEDS=10000 generated modules in our engine, Wasmtime and wasmi; SEED=7 for one; 10 million random calls of host functions
#   make bench    the figures of the README, many beside Wasmtime's, as a table and in target/bench.json
#   make build    the binary, target/debug/vivarium (built optimised: there is one profile)

VIVARIUM_DATA ?= $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/vivarium
VIVARIUM_TOOLCHAINS ?= $(VIVARIUM_DATA)/toolchains
export VIVARIUM_DATA VIVARIUM_TOOLCHAINS

CARGO := cargo
BINARY := target/debug/vivarium
WEB_SOURCES := $(shell find web/src web/styles web/*.mjs web/package-lock.json web/tsconfig.json -type f 2>/dev/null)

.PHONY: run build test storm bombs soak fuzz bench toolchains web modules browser check clean

run: build
	@exec $(BINARY) serve

build: toolchains web
	@$(CARGO) build --locked -p vivarium

toolchains:
	@toolchains/setup/install "$(VIVARIUM_TOOLCHAINS)"
	@toolchains/crates/install "$(VIVARIUM_TOOLCHAINS)"

web: web/dist/manifest.json

web/node_modules/.package-lock.json: web/package-lock.json
	@echo "web: fetching and installing the front end's packages (about 80 MB, some ten seconds)"
	@cd web && npm ci --no-audit --no-fund --loglevel=error --progress=true

web/dist/manifest.json: web/node_modules/.package-lock.json $(WEB_SOURCES)
	@echo "web: building the front end, some seconds"
	@cd web && npm run --silent build

modules: tests/modules/node_modules/.package-lock.json

tests/modules/node_modules/.package-lock.json: tests/modules/package-lock.json
	@echo "tests: fetching packages that ship wasm (about 90 MB, some ten seconds)"
	@cd tests/modules && npm ci --loglevel=error

browser:
	@tests/browser/ensure-chromium

check: web
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@cd tests/peers && $(CARGO) fmt --check && $(CARGO) clippy --all-targets --all-features -- -D warnings
	@cd web && npm run --silent check

test: build modules browser
	@$(CARGO) test --locked --workspace
	@cd tests/peers && $(CARGO) test
	@cd web && npm test --silent

storm: build
	@VIVARIUM_STORMS=200 $(CARGO) test --locked -p vivarium-tests --test nothing_lost storms -- --nocapture

soak: build
	@VIVARIUM_SOAK_SECONDS=600 VIVARIUM_FLOOD_SECONDS=60 $(CARGO) test --locked -p vivarium-tests --test floods -- --nocapture --test-threads=1

bombs: build
	@VIVARIUM_BOMBS=all $(CARGO) test --locked -p vivarium-toolchains --test bombs -- --nocapture

# Its lock file follows the crates of the workspace. Wasmtime is built once for it, some four minutes on two processors.
fuzz:
	@cd tests/peers && $(CARGO) run -q --bin fuzz
	@VIVARIUM_FUZZ_CALLS=10000000 $(CARGO) test --locked -q -p vivarium-abi compute::hostile

bench: build modules
	@rm -f target/bench.json
	@$(CARGO) run --locked -q -p vivarium-tests --bin bench
	@cd tests/peers && $(CARGO) run -q --features bench --bin bench

clean:
	@rm -rf target web/dist web/node_modules tests/peers/target tests/modules/node_modules
