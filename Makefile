# SPDX-License-Identifier: Apache-2.0
#
#   make            build/riskhookd and build/riskhookctl
#   make deps       install what is missing (Debian; does nothing when all is there)
#   make run        build, make a demo configuration under build/demo, start the daemon
#   make demo       the same tour, unattended
#   make check      build and pass all tests
#   make coverage   lines and branches that the tests run
#   make chaos      CHAOS_SECONDS (300) of mixed load while everything goes wrong
#   make soak       SOAK_SECONDS (3600) of steady load: memory, descriptors, latency stay as they are
#   make check-valgrind  unit tests under valgrind
#   make lint       format, layers, limits, clang-tidy, cppcheck, timing of credential checks
#   make fuzz       FUZZ_SECONDS (60) of libFuzzer for each parser
#   make power      POINTS (20000) simulated power cuts
#   make check-service  the units, the man pages, the package
#   make install    DESTDIR= PREFIX= SYSCONFDIR=; uninstall takes it away again
#   make dist, deb  a tar of the commit, a Debian package
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

LIBS_DAEMON := libmicrohttpd gnutls libcrypto cjose jansson sqlite3 libzstd inih libsystemd libcurl
LIBS_CTL := libcrypto jansson sqlite3 libzstd inih libsystemd # libcurl only when it is needed
LIBS_TEST := $(LIBS_DAEMON) cmocka
JQ := -ljq -lonig # without a file for pkg-config

# V=1 shows the commands.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@;)

OPTIMIZE ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DRISKHOOK_VERSION='"$(VERSION)"' -Isrc -include util/banned.h
SYSCONFDIR ?= /etc
ifneq ($(SYSCONFDIR),/etc)
CPPFLAGS += -DCONFIG_DEFAULT_PATH='"$(SYSCONFDIR)/riskhookd/riskhookd.conf"'
endif
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
GEN_OBJ := $(addprefix $(B)/obj/gen/,migrations.o samples.o dictionaries.o)
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))

.PHONY: all
all: $(B)/riskhookd $(B)/riskhookctl $(B)/riskhook.so
	@: # says nothing when there is nothing to do

$(B)/riskhookd: $(B)/obj/src/riskhookd/main.o $(LIB)
	$(call say,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS_DAEMON)) $(JQ)

$(B)/riskhookctl: $(B)/obj/src/riskhookctl/main.o $(LIB)
	$(call say,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS_CTL)) $(JQ)

# payload() for the sqlite3 program: .load build/riskhook. Never with a sanitizer: it is loaded into a
# program that has none.
$(B)/riskhook.so: src/store/payload_sql.c src/store/payload.c $(B)/gen/dictionaries.c \
		src/store/payload.h Makefile
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(CPPFLAGS) $(filter-out -fPIE -fsanitize=% -fno-sanitize-recover=%,$(CFLAGS)) \
		-fPIC -DPAYLOAD_EXTENSION -shared $(filter-out -pie -fsanitize=%,$(LDFLAGS)) -o $@ \
		$(filter %.c,$^) $(shell $(PKG_CONFIG) --libs libzstd)

# q: folders have files of the same name, which r would take for one
$(LIB): $(call obj,$(LIB_SRC)) $(GEN_OBJ)
	@rm -f $@
	$(call say,AR)$(AR) qcs $@ $^

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What has a folder compiled in is compiled again when it is another one: `make install SYSCONFDIR=`
# after a plain `make` installs programs that agree with their units.
$(B)/obj/folders: FORCE
	@mkdir -p $(@D)
	@echo '$(SYSCONFDIR)' | cmp -s - $@ || echo '$(SYSCONFDIR)' > $@
$(call obj,$(shell grep -l CONFIG_DEFAULT_PATH src/*/*.c)): $(B)/obj/folders

.PHONY: FORCE
FORCE:

$(B)/obj/gen/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# the folders: a file may have gone
$(B)/gen/migrations.c: $(sort $(wildcard sql/[0-9]*.sql)) sql/embed.sh sql
	@mkdir -p $(@D)
	$(call say,GEN)sql/embed.sh $(sort $(wildcard sql/[0-9]*.sql)) > $@.tmp && mv $@.tmp $@

SAMPLES := $(sort $(wildcard src/riskhookctl/samples/*.json))
$(B)/gen/samples.c: $(SAMPLES) src/riskhookctl/samples/embed.sh src/riskhookctl/samples
	@mkdir -p $(@D)
	$(call say,GEN)src/riskhookctl/samples/embed.sh $(SAMPLES) > $@.tmp && mv $@.tmp $@

$(B)/gen/dictionaries.c: src/store/dictionaries/1.txt src/store/dictionaries/embed.sh
	@mkdir -p $(@D)
	$(call say,GEN)src/store/dictionaries/embed.sh $< > $@.tmp && mv $@.tmp $@

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
PRELOADS := $(B)/power/faulty_disk.so $(B)/chaos/wall_clock.so
$(PRELOADS): $(B)/%.so: tests/%.c Makefile
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) -D_GNU_SOURCE -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared -o $@ $<

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# Keep what the pattern rules above make in between; a second `make check` links nothing again.
.SECONDARY:

# ---- packages (Debian) -------------------------------------------------------------------------
# One list a purpose, so that building needs no test tool and testing no web server.

DEPS_BUILD := gcc libc6-dev pkg-config libmicrohttpd-dev libgnutls28-dev libssl-dev libjansson-dev \
	libsqlite3-dev libzstd-dev libinih-dev libjq-dev libonig-dev libsystemd-dev \
	libcurl4-openssl-dev libcjose-dev
DEPS_TEST := $(DEPS_BUILD) libcmocka-dev python3 python3-pytest python3-pytest-timeout \
	python3-pytest-xdist python3-jwt python3-cryptography curl openssl sqlite3 systemd
DEPS_LINT := $(DEPS_BUILD) libcmocka-dev clang libclang-rt-14-dev clang-format clang-tidy cppcheck \
	valgrind
DEPS_MODEL := gcc libc6-dev spin
DEPS_SERVICE := $(DEPS_TEST) git binutils mandoc lintian dpkg-dev strace
DEPS_BENCH := $(DEPS_BUILD) python3 openssl wrk nginx-light webhook

# Root where root is needed, and only there.
SUDO = $(if $(filter 0,$(shell id -u)),,sudo)
APT_GET = $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300

.PHONY: deps deps-test deps-lint deps-service deps-bench deps-model deps-valgrind
deps: WANTED = $(DEPS_BUILD)
deps-test: WANTED = $(DEPS_TEST)
deps-lint: WANTED = $(DEPS_LINT)
deps-service: WANTED = $(DEPS_SERVICE)
deps-bench: WANTED = $(DEPS_BENCH)
deps-model: WANTED = $(DEPS_MODEL)
deps-valgrind: WANTED = $(DEPS_VALGRIND)
deps deps-test deps-lint deps-service deps-bench deps-model deps-valgrind:
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
	@[ -e $(DEMO)/riskhookd.conf ] || { wrote=$$($(B)/riskhookctl init --demo $(DEMO)) && \
		echo "$$wrote" | sed '/^$$/,$$d'; }
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

check-build: all $(UNIT_BIN) $(POWER_BIN) $(REPLAY_BIN) $(PRELOADS)

check-layers:
	@tests/lint/layers.sh

check-unit: $(UNIT_BIN)
	@$(TEST_RUN) CMOCKA_MESSAGE_OUTPUT=TAP tests/each.sh $(UNIT_BIN)

check-power: $(POWER_BIN)
	@$(TEST_RUN) CMOCKA_MESSAGE_OUTPUT=TAP tests/each.sh $(POWER_BIN)

POINTS ?= 20000
power: $(B)/power/power
	@$(TEST_RUN) RISKHOOK_POINTS=$(POINTS) $(B)/power/power 2>$(B)/power/power.log

check-replay: $(REPLAY_BIN)
	@$(foreach name,$(patsubst $(B)/replay/%,%,$(REPLAY_BIN)),echo "== replay $(name)" && \
		$(TEST_RUN) $(B)/replay/$(name) $(call corpus,$(name)) &&) :

# They wait more than they compute, so there are more of them than cores. WORKERS=0: one by one.
WORKERS ?= $(shell echo $$((2 * $$(nproc))))
check-blackbox:
	@$(TEST_RUN) $(PYTHON) -m pytest -q -n $(WORKERS) tests/blackbox

# Seeds: CHAOS_SEED, SOAK_SEED; the one in use is printed.
CHAOS_SECONDS ?= 300
SOAK_SECONDS ?= 3600
CHAOS = $(TEST_RUN) PYTHONPATH=tests:tests/blackbox PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m chaos
.PHONY: chaos soak chaos-build
chaos-build:
	@$(MAKE) --no-print-directory deps-test
	@$(MAKE) --no-print-directory all $(PRELOADS)
chaos: chaos-build
	@$(CHAOS) storm --seconds $(CHAOS_SECONDS) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))
soak: chaos-build
	@$(CHAOS) soak --seconds $(SOAK_SECONDS) $(if $(SOAK_SEED),--seed $(SOAK_SEED))

check-reports:
	@reports=$$(find $(B)/reports -type f 2>/dev/null); \
		[ -z "$$reports" ] || { cat $$reports >&2; exit 1; }

# ---- install -----------------------------------------------------------------------------------
# DESTDIR is put in front of everything; PREFIX (/usr/local) and SYSCONFDIR (/etc) go into the units.
# SYSCONFDIR is compiled in, too: what depends on it is compiled again when it is another one.

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
LIBDIR ?= $(PREFIX)/lib/riskhookd
UNITDIR ?= $(PREFIX)/lib/systemd/system
DOCDIR := $(DATADIR)/doc/riskhookd
MAN_PAGES := src/riskhookd/riskhookd.8 src/riskhookctl/riskhookctl.8 src/core/riskhookd.conf.5 \
	src/store/riskhook-store.5 src/dispatch/riskhook-handler.7 src/intake/riskhook-http.7

# MODE:SOURCE:TARGET, for install and uninstall alike; texts get the folders above written in
installs_texts := \
	$(foreach page,$(MAN_PAGES),644:$(page):$(DATADIR)/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page))) \
	644:systemd/riskhookd.service:$(UNITDIR)/riskhookd.service \
	644:systemd/riskhookd.socket:$(UNITDIR)/riskhookd.socket \
	644:systemd/riskhookd.sysusers:$(PREFIX)/lib/sysusers.d/riskhookd.conf \
	644:systemd/riskhookd.tmpfiles:$(PREFIX)/lib/tmpfiles.d/riskhookd.conf \
	644:systemd/hook-needs-more.conf:$(DOCDIR)/examples/hook-needs-more.conf \
	644:conf/riskhookd.conf:$(DOCDIR)/examples/riskhookd.conf
installs := \
	755:$(B)/riskhookd:$(SBINDIR)/riskhookd \
	755:$(B)/riskhookctl:$(BINDIR)/riskhookctl \
	644:$(B)/riskhook.so:$(LIBDIR)/riskhook.so \
	644:conf/completion/riskhookctl.bash:$(DATADIR)/bash-completion/completions/riskhookctl \
	$(foreach hook,$(wildcard conf/hooks/*),$(if $(filter %.c,$(hook)),644,755):$(hook):$(DATADIR)/riskhookd/hooks/$(notdir $(hook))) \
	644:README.md:$(DOCDIR)/README.md
installed = $(foreach row,$(installs) $(installs_texts),$(DESTDIR)$(lastword $(subst :, ,$(row))))

.PHONY: install uninstall
install: all
	@set -e; for row in $(installs); do \
		IFS=:; set -- $$row; unset IFS; \
		install -D -m "$$1" "$$2" "$(DESTDIR)$$3"; \
	done; \
	for row in $(installs_texts); do \
		IFS=:; set -- $$row; unset IFS; \
		install -d "$(DESTDIR)$$(dirname "$$3")"; \
		sed -e 's|/usr/sbin/|$(SBINDIR)/|g' -e 's|/usr/share/riskhookd|$(DATADIR)/riskhookd|g' \
			-e 's|/usr/lib/riskhookd|$(LIBDIR)|g' \
			-e 's|/etc/riskhookd|$(SYSCONFDIR)/riskhookd|g' "$$2" > "$(DESTDIR)$$3"; \
		chmod "$$1" "$(DESTDIR)$$3"; \
	done

# the configuration and what was received stay
uninstall:
	rm -f $(installed)
	@rmdir $(addprefix $(DESTDIR),$(DOCDIR)/examples $(DOCDIR) $(DATADIR)/riskhookd/hooks \
		$(DATADIR)/riskhookd $(LIBDIR)) 2>/dev/null || :

# ---- dist, deb ---------------------------------------------------------------------------------
# Both depend on the commit alone: order, owner, modes and times are fixed.

DIST := build/riskhookd-$(VERSION).tar.gz
DEB := build/riskhookd_$(VERSION)_$(shell dpkg --print-architecture 2>/dev/null).deb
DEB_MAINTAINER ?= $(shell git log -1 --format='%an <%ae>' 2>/dev/null)
COMMIT_TIME = $(shell git log -1 --format=%ct 2>/dev/null)

.PHONY: dist deb
dist:
	@mkdir -p build
	@git diff --quiet HEAD || echo "dist: what is not committed is left out" >&2
	@git -c tar.umask=0022 archive --format=tar --prefix=riskhookd-$(VERSION)/ HEAD | \
		gzip -9n > $(DIST).tmp && mv $(DIST).tmp $(DIST)
	@echo $(DIST)

deb:
	@$(MAKE) --no-print-directory deps
	@rm -rf build/deb
	@$(MAKE) --no-print-directory install DESTDIR=build/deb/root PREFIX=/usr SYSCONFDIR=/etc \
		UNITDIR=/lib/systemd/system
	@SOURCE_DATE_EPOCH="$${SOURCE_DATE_EPOCH:-$(COMMIT_TIME)}" DEB_MAINTAINER='$(DEB_MAINTAINER)' \
		conf/debian/build.sh build/deb/root $(VERSION) $(DEB)

# ---- the service's files -----------------------------------------------------------------------

.PHONY: check-service
check-service:
	@$(MAKE) --no-print-directory deps-service
	@$(MAKE) --no-print-directory all
	@$(TEST_RUN) $(PYTHON) -m pytest -q tests/service

# ---- coverage, valgrind ------------------------------------------------------------------------

DEPS_VALGRIND := $(DEPS_BUILD) libcmocka-dev valgrind

.PHONY: coverage check-valgrind
# All tests once, in a build that counts; a failed test does not hide the figures. Counters confuse
# two warnings about values that are followed through branches.
coverage:
	@$(MAKE) --no-print-directory deps-test
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	@# a program that runs as another user may not write its counts, and must not say so in its output
	@GCOV_ERROR_FILE=/dev/null CFLAGS='--coverage -fprofile-update=atomic' LDFLAGS=--coverage $(MAKE) -k \
		--no-print-directory B=build/coverage \
		OPTIMIZE='-O1 -g -Wno-error=maybe-uninitialized -Wno-error=null-dereference' \
		check-build check-unit check-power check-replay check-blackbox || true
	@$(PYTHON) tests/coverage.py build/coverage

# The unit tests without those that start programs or try bodies by the hundred thousand.
VALGRIND_BIN := $(filter-out $(addprefix $(B)/unit/test_,handler_exec handler_unix dispatcher jq_host \
	json_mutations),$(UNIT_BIN))
check-valgrind: $(VALGRIND_BIN)
	@$(MAKE) --no-print-directory deps-valgrind
	@failed=; for t in $(VALGRIND_BIN); do \
		echo "== valgrind $$t"; CMOCKA_MESSAGE_OUTPUT=TAP valgrind -q --error-exitcode=99 \
		--leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
		--child-silent-after-fork=yes $$t || failed="$$failed $$t"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

# ---- lint --------------------------------------------------------------------------------------

C_FILES := $(wildcard src/*/*.c tests/unit/*.c tests/fuzz/*.c tests/power/*.c tests/chaos/*.c \
	tests/timing/*.c)
H_FILES := $(wildcard src/*/*.h tests/unit/*.h tests/fuzz/*.h tests/power/*.h)

.PHONY: map
map:
	@tests/lint/map.sh src

.PHONY: lint lint-format lint-layers lint-limits lint-map lint-tidy lint-cppcheck lint-timing \
	lint-alerts
lint:
	@$(MAKE) --no-print-directory deps-lint
	@$(MAKE) --no-print-directory lint-format lint-layers lint-limits lint-map lint-tidy \
		lint-cppcheck lint-timing lint-alerts

lint-format:
	@tests/lint/format.sh $(C_FILES) $(H_FILES)
lint-layers: check-layers
lint-limits:
	@tests/lint/limits.sh $(C_FILES) $(H_FILES)
lint-map:
	@tests/lint/map.sh src >/dev/null
lint-tidy:
	@tests/lint/tidy.sh $(C_FILES) -- $(CPPFLAGS) -std=gnu11 -O2
lint-cppcheck:
	@tests/lint/cppcheck.sh $(C_FILES)
# /metrics itself is checked by tests/blackbox/test_metrics.py
lint-alerts:
	@promtool=$$(tests/lint/promtool.sh fetch) && $$promtool check rules conf/prometheus-alerts.yml

$(B)/timing/%: $(B)/obj/tests/timing/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS_DAEMON))

lint-timing: $(B)/timing/credentials
	@tests/lint/timing.sh $<

# ---- fuzz --------------------------------------------------------------------------------------
# clang's libFuzzer with the address and undefined-behaviour sanitizers, in a build of its own.

FUZZ_SECONDS ?= 60
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
# Under ten minutes, and 4 GB under build/ while it runs. BENCH_PARTS ("load handlers offered
# handshake connections load handlers store", one round of it), BENCH_SECONDS (3), BENCH_RUNS (3
# rounds), BENCH_CONNECTIONS ("1 256"), BENCH_SERVERS ("nginx riskhookd webhook") and
# BENCH_STORE_EVENTS (5000000) shorten it.
# BENCH_IDS=sequential shows what scattered ids cost.

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
