# SPDX-License-Identifier: Apache-2.0
#
#   make            build/riskhookd and build/riskhookctl
#   make deps       install what is missing (Debian; does nothing when all is there)
#   make run        build, make a demo configuration under build/demo, start the daemon
#   make demo       the same tour, unattended
#   make check      build and pass all tests
#   make coverage   lines and branches that the tests run
#   make check-valgrind  unit tests under valgrind
#   make lint       format, layers, limits, clang-tidy, cppcheck
#   make fuzz       FUZZ_SECONDS (30) of libFuzzer for each parser
#   make power      POINTS (20000) simulated power cuts
#   make bench      measure, with nginx and webhook on the same machine for comparison
#   make bench-delivery   how fast events reach handlers, and what a long backlog costs
#   make model      check the model of the deliveries with spin
#
# SANITIZE=address,undefined or SANITIZE=thread builds into build/<sanitizer> instead, and
# `make check` then runs the same tests against that build.

VERSION := 0.1.0

comma := ,
ifdef SANITIZE
B := build/$(subst $(comma),-,$(SANITIZE))
else
B := build
endif

CC ?= cc
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3

LIBS_DAEMON := libmicrohttpd gnutls libcrypto jansson sqlite3 libzstd inih libsystemd
LIBS_CTL := libcrypto jansson sqlite3 libzstd inih libsystemd libcurl
LIBS_TEST := $(LIBS_DAEMON) libcurl cmocka
JQ := -ljq -lonig # without a file for pkg-config

# V=1 shows the commands.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@;)

OPTIMIZE ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DRISKHOOK_VERSION='"$(VERSION)"' -Isrc -include util/banned.h
CFLAGS += -std=gnu11 $(OPTIMIZE) -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wundef \
	-Wformat=2 -Wimplicit-fallthrough -Wnull-dereference \
	-fno-common -fstack-protector-strong -fPIE -pthread
ifndef SANITIZE
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LDFLAGS += -pie -Wl,-z,relro,-z,now -pthread
else
CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
	-Wno-null-dereference
LDFLAGS += -fsanitize=$(SANITIZE) -pthread
endif

# Every module but the two mains is in one archive; a program takes from it what it uses.
LIB := $(B)/libriskhook.a
LIB_SRC := $(filter-out %/main.c,$(wildcard src/*/*.c))
UNIT_SRC := $(wildcard tests/unit/test_*.c)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
GEN_OBJ := $(B)/obj/gen/migrations.o $(B)/obj/gen/samples.o
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))

.PHONY: all
all: $(B)/riskhookd $(B)/riskhookctl $(B)/riskhook.so

$(B)/riskhookd: $(B)/obj/src/riskhookd/main.o $(LIB)
	$(call say,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS_DAEMON)) $(JQ)

$(B)/riskhookctl: $(B)/obj/src/riskhookctl/main.o $(LIB)
	$(call say,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS_CTL)) $(JQ)

# payload() for the sqlite3 program: .load build/riskhook
$(B)/riskhook.so: src/store/payload_sql.c src/store/payload.c src/store/payload.h Makefile
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(CPPFLAGS) $(filter-out -fPIE,$(CFLAGS)) -fPIC -DPAYLOAD_EXTENSION \
		-shared $(filter-out -pie,$(LDFLAGS)) -o $@ $(filter %.c,$^) \
		$(shell $(PKG_CONFIG) --libs libzstd)

# q: folders have files of the same name, which r would take for one
$(LIB): $(call obj,$(LIB_SRC)) $(GEN_OBJ)
	@rm -f $@
	$(call say,AR)$(AR) qcs $@ $^

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/gen/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/gen/migrations.c: $(sort $(wildcard sql/[0-9]*.sql)) sql/embed.sh
	@mkdir -p $(@D)
	$(call say,GEN)sql/embed.sh $(sort $(wildcard sql/[0-9]*.sql)) > $@.tmp && mv $@.tmp $@

SAMPLES := $(sort $(wildcard src/riskhookctl/samples/*.json))
$(B)/gen/samples.c: $(SAMPLES) src/riskhookctl/samples/embed.sh
	@mkdir -p $(@D)
	$(call say,GEN)src/riskhookctl/samples/embed.sh $(SAMPLES) > $@.tmp && mv $@.tmp $@

$(B)/unit/%: $(B)/obj/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS_TEST)) $(JQ)

# Power cuts and failing calls (tests/power). Checkpoints come early there, since disks are small.
POWER_OBJ := $(patsubst %,$(B)/obj/tests/power/%.o,disk disk_syscalls image workload workload_check)

$(B)/obj/power/checkpoint.o: src/store/checkpoint.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) -DWAL_PAGES_BULK=60 $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/power/%: $(B)/obj/tests/power/%.o $(POWER_OBJ) $(B)/obj/power/checkpoint.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS_TEST))

WRAPPED := malloc calloc realloc reallocarray strdup pthread_create posix_spawn pipe2 eventfd \
	pidfd_open socket
$(B)/power/call_faults: LDFLAGS += $(WRAPPED:%=-Wl,--wrap=%)
$(B)/power/call_faults: $(B)/obj/tests/power/wrap.o

POWER_BIN := $(B)/power/power $(B)/power/io_faults $(B)/power/call_faults

# a library for the daemon under test, free of sanitizers and counters
$(B)/power/faulty_disk.so: tests/power/faulty_disk.c Makefile
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) -D_GNU_SOURCE -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared -o $@ $<

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# Keep what the pattern rules above make in between; a second `make check` links nothing again.
.SECONDARY:

# ---- packages (Debian) -------------------------------------------------------------------------
# One list a purpose, so that building needs no test tool and testing no web server.

DEPS_BUILD := gcc libc6-dev pkg-config libmicrohttpd-dev libgnutls28-dev libssl-dev libjansson-dev \
	libsqlite3-dev libzstd-dev libinih-dev libjq-dev libonig-dev libsystemd-dev \
	libcurl4-openssl-dev
DEPS_TEST := $(DEPS_BUILD) libcmocka-dev python3 python3-pytest python3-jwt \
	python3-cryptography curl openssl sqlite3
DEPS_LINT := $(DEPS_BUILD) libcmocka-dev clang libclang-rt-14-dev clang-format clang-tidy cppcheck
DEPS_MODEL := gcc libc6-dev spin
DEPS_BENCH := $(DEPS_BUILD) python3 openssl wrk nginx-light webhook

# Root where root is needed, and only there.
SUDO = $(if $(filter 0,$(shell id -u)),,sudo)
APT_GET = $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300

.PHONY: deps deps-test deps-lint deps-bench deps-model deps-valgrind
deps: WANTED = $(DEPS_BUILD)
deps-test: WANTED = $(DEPS_TEST)
deps-lint: WANTED = $(DEPS_LINT)
deps-bench: WANTED = $(DEPS_BENCH)
deps-model: WANTED = $(DEPS_MODEL)
deps-valgrind: WANTED = $(DEPS_VALGRIND)
deps deps-test deps-lint deps-bench deps-model deps-valgrind:
	@command -v dpkg-query >/dev/null || { \
		echo "not Debian: please install what matches $(WANTED)" >&2; exit 0; }; \
	present=$$(dpkg-query -W -f='$${db:Status-Abbrev}$${Package}\n' $(WANTED) 2>/dev/null | \
		sed -n 's/^.i *//p' | tr '\n' ' '); \
	missing=; \
	for package in $(WANTED); do \
		case " $$present" in *" $$package "*) ;; *) missing="$$missing $$package" ;; esac; \
	done; \
	[ -z "$$missing" ] || { echo "installing:$$missing" && $(APT_GET) update && \
		$(APT_GET) install --no-install-recommends $$missing; }

# ---- try it ------------------------------------------------------------------------------------
# The packages first, the build second: a recursive call each, since the build asks pkg-config.

DEMO := build/demo

.PHONY: run demo
run:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory all
	@[ -e $(DEMO)/riskhookd.conf ] || $(B)/riskhookctl init --demo $(DEMO)
	@printf '%s\n' '' 'riskhookd starts on https://127.0.0.1:8443; Ctrl-C stops it.' \
		'In another terminal, try:' '' \
		'  $(B)/riskhookctl -c $(DEMO)/riskhookd.conf trigger evaluation_completed' \
		'  $(B)/riskhookctl -c $(DEMO)/riskhookd.conf events' \
		'  $(B)/riskhookctl -c $(DEMO)/riskhookd.conf deliveries' ''
	@exec $(B)/riskhookd -c $(DEMO)/riskhookd.conf

demo:
	@$(MAKE) --no-print-directory deps-test
	@$(MAKE) --no-print-directory all
	@RISKHOOK_BUILD=$(B) tests/demo.sh

# ---- tests -------------------------------------------------------------------------------------

ifdef SANITIZE
# A report also goes to a file, so that one of a process whose stderr nobody read fails the run.
REPORTS := $(CURDIR)/$(B)/reports
SAN_COMMON := halt_on_error=1:exitcode=99:log_path=$(REPORTS)/report
SUPPRESS := $(CURDIR)/tests/lint/suppressions
TEST_ENV := RISKHOOK_TIME_SCALE=4 \
	ASAN_OPTIONS=$(SAN_COMMON):detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1 \
	LSAN_OPTIONS=suppressions=$(SUPPRESS)/lsan.supp:print_suppressions=0 \
	UBSAN_OPTIONS=$(SAN_COMMON):print_stacktrace=1 \
	TSAN_OPTIONS=$(SAN_COMMON):second_deadlock_stack=1:suppressions=$(SUPPRESS)/tsan.supp
# gcc 12's libtsan cannot map its shadow where the kernel randomises too many address bits.
ifeq ($(SANITIZE),thread)
FIXED_LAYOUT = $(shell setarch -R true 2>/dev/null && echo setarch -R)
endif
endif
TEST_RUN = $(FIXED_LAYOUT) env RISKHOOK_BUILD=$(B) $(TEST_ENV)

# Fuzzers are unit tests too: each replays the fixtures and its own corpus.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
REPLAY_BIN := $(patsubst tests/fuzz/fuzz_%.c,$(B)/replay/%,$(FUZZ_SRC))
corpus = tests/fixtures $(wildcard tests/fuzz/corpus/$(1))

$(B)/replay/%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/obj/tests/fuzz/replay.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS_DAEMON)) $(JQ)

.PHONY: check check-build check-layers check-unit check-power check-replay check-blackbox \
	check-reports power
check:
	@$(MAKE) --no-print-directory deps-test
	@$(MAKE) --no-print-directory check-build
	@rm -rf $(B)/reports && mkdir -p $(B)/reports
	@failed=0; \
	$(MAKE) --no-print-directory check-layers check-unit check-power check-replay \
		check-blackbox || failed=1; \
	$(MAKE) --no-print-directory check-reports || failed=1; \
	exit $$failed

check-build: all $(UNIT_BIN) $(POWER_BIN) $(REPLAY_BIN) $(B)/power/faulty_disk.so

check-layers:
	@tests/lint/layers.sh

check-unit: $(UNIT_BIN)
	@failed=; for t in $(UNIT_BIN); do \
		echo "== $$t"; $(TEST_RUN) CMOCKA_MESSAGE_OUTPUT=TAP $$t || failed="$$failed $$t"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

# What the store says about its broken disks is of interest only when a test fails.
check-power: $(POWER_BIN)
	@failed=; for t in $(POWER_BIN); do \
		echo "== $$t"; $(TEST_RUN) CMOCKA_MESSAGE_OUTPUT=TAP $$t 2>$$t.log || { \
			failed="$$failed $$t"; tail -n 50 $$t.log >&2; }; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

POINTS ?= 20000
power: $(B)/power/power
	@$(TEST_RUN) RISKHOOK_POINTS=$(POINTS) $(B)/power/power 2>$(B)/power/power.log

check-replay: $(REPLAY_BIN)
	@$(foreach name,$(patsubst $(B)/replay/%,%,$(REPLAY_BIN)),echo "== replay $(name)" && \
		$(TEST_RUN) $(B)/replay/$(name) $(call corpus,$(name)) &&) :

check-blackbox:
	@$(TEST_RUN) $(PYTHON) -m pytest -q -p no:cacheprovider tests/blackbox

check-reports:
	@reports=$$(find $(B)/reports -type f 2>/dev/null); \
		[ -z "$$reports" ] || { cat $$reports >&2; exit 1; }

# ---- coverage, valgrind ------------------------------------------------------------------------

DEPS_VALGRIND := $(DEPS_BUILD) libcmocka-dev valgrind

.PHONY: coverage check-valgrind
# All tests once, in a build that counts; a failed test does not hide the figures. Counters confuse
# two warnings about values that are followed through branches.
coverage:
	@$(MAKE) --no-print-directory deps-test
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	@CFLAGS='--coverage -fprofile-update=atomic' LDFLAGS=--coverage $(MAKE) -k \
		--no-print-directory B=build/coverage \
		OPTIMIZE='-O1 -g -Wno-error=maybe-uninitialized -Wno-error=null-dereference' \
		check-build check-unit check-power check-replay check-blackbox || true
	@$(PYTHON) tests/coverage.py build/coverage

# The unit tests without those that start programs or try bodies by the hundred thousand.
VALGRIND_BIN := $(filter-out $(addprefix $(B)/unit/test_,handler_exec handler_unix dispatcher \
	json_mutations),$(UNIT_BIN))
check-valgrind: $(VALGRIND_BIN)
	@$(MAKE) --no-print-directory deps-valgrind
	@failed=; for t in $(VALGRIND_BIN); do \
		echo "== valgrind $$t"; CMOCKA_MESSAGE_OUTPUT=TAP valgrind -q --error-exitcode=99 \
		--leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
		--child-silent-after-fork=yes $$t || failed="$$failed $$t"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

# ---- lint --------------------------------------------------------------------------------------

C_FILES := $(wildcard src/*/*.c tests/unit/*.c tests/fuzz/*.c tests/power/*.c)
H_FILES := $(wildcard src/*/*.h tests/unit/*.h tests/fuzz/*.h tests/power/*.h)

.PHONY: lint lint-format lint-layers lint-limits lint-tidy lint-cppcheck
lint:
	@$(MAKE) --no-print-directory deps-lint
	@$(MAKE) --no-print-directory lint-format lint-layers lint-limits lint-tidy lint-cppcheck

lint-format:
	@tests/lint/format.sh $(C_FILES) $(H_FILES)
lint-layers: check-layers
lint-limits:
	@tests/lint/limits.sh $(C_FILES) $(H_FILES)
lint-tidy:
	@tests/lint/tidy.sh $(C_FILES) -- $(CPPFLAGS) -std=gnu11 -O2
lint-cppcheck:
	@tests/lint/cppcheck.sh $(C_FILES)

# ---- fuzz --------------------------------------------------------------------------------------
# clang's libFuzzer with the address and undefined-behaviour sanitizers, in a build of its own.

FUZZ_SECONDS ?= 30
FUZZ_BIN := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%,$(FUZZ_SRC))

$(B)/fuzz/%: $(B)/obj/tests/fuzz/fuzz_%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS_DAEMON)) $(JQ)

FUZZ_BUILD := B=build/fuzz CC=clang SANITIZE=address,undefined,fuzzer-no-link

.PHONY: fuzz fuzz-build fuzz-programs
fuzz: fuzz-build
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/lint/fuzz.sh \
		$(FUZZ_SRC:tests/fuzz/fuzz_%.c=build/fuzz/fuzz/%)

fuzz-build:
	@$(MAKE) --no-print-directory deps-lint
	@$(MAKE) --no-print-directory fuzz-programs $(FUZZ_BUILD)

fuzz-programs: $(FUZZ_BIN)

# ---- bench -------------------------------------------------------------------------------------
# BENCH_SECONDS (5), BENCH_RUNS (3), BENCH_CONNECTIONS ("1 16 64 256") and BENCH_SERVERS shorten it.

.PHONY: bench
bench:
	@$(MAKE) --no-print-directory deps-bench
	@$(MAKE) --no-print-directory all
	@RISKHOOK_BUILD=$(B) $(PYTHON) tests/bench/bench.py

# DELIVERY_N (20000), BACKLOG_N (1000000) and DELIVERY_PARTS shorten it.
.PHONY: bench-delivery
bench-delivery:
	@$(MAKE) --no-print-directory deps-bench
	@$(MAKE) --no-print-directory all
	@RISKHOOK_BUILD=$(B) $(PYTHON) tests/bench/delivery.py

# ---- model -------------------------------------------------------------------------------------

.PHONY: model
model:
	@$(MAKE) --no-print-directory deps-model
	@tests/model/check.sh $(B)/model

.PHONY: clean
clean:
	rm -rf build
