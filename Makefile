# Makefile - the one build file of Dunlin.
#
#   make run      a cluster of three on this machine      make test   everything CI runs
#   make help     all targets
#
# VARIANT picks the build: release (default), asan, tsan, cover, fuzz. Each has its own folder.

VARIANT ?= release
BUILD   := build/$(VARIANT)
ifeq ($(origin CC),default)
CC      := $(if $(filter fuzz,$(VARIANT)),clang,gcc)
endif

# ---- the rooms: what is in each, and what it may see (docs/ARCHITECTURE.md) -----------------

ROOMS    := base ring core wire store drive
SRC_base := $(wildcard src/base/*.c)
SRC_ring := $(wildcard ring/*.c)
SRC_core := $(wildcard src/core/*.c)
SRC_wire := $(wildcard src/wire/*.c)
SRC_store := $(wildcard src/store/*.c)
SRC_drive := $(wildcard src/drive/*.c)
SRC_sim  := $(wildcard tests/sim/*.c)
SRC_lab  := $(filter-out tests/lab/test_%,$(wildcard tests/lab/*.c))
SRC_check := $(wildcard chaos/check/*.c) tests/sim/check.c tests/sim/history.c
UNIT     := $(wildcard tests/unit/test_*.c)
SCENARIO := $(wildcard tests/scenario/test_*.c)
CONTRACT := $(wildcard tests/contract/test_*.c)
WIRE     := $(wildcard tests/wire/test_*.c)
LAB_TESTS := $(wildcard tests/lab/test_*.c)
FUZZ     := $(wildcard tests/fuzz/fuzz_*.c)

# ---- flags ------------------------------------------------------------------------------------

WARN     := -std=c11 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Werror
DEFINES  := -D_GNU_SOURCE
INCLUDES := -Iinclude -Isrc -I.
HARDEN   := -fstack-protector-strong -fPIE -fcf-protection
FLAGS_release := -O2 -g $(HARDEN) -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
FLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
FLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
                 -fno-sanitize-recover=all
FLAGS_cover   := -O0 -g --coverage
LINK_release  := -pie -Wl,-z,relro,-z,now
LINK_asan     := -fsanitize=address,undefined
LINK_tsan     := -fsanitize=thread
LINK_fuzz     := -fsanitize=fuzzer,address,undefined
LINK_cover    := --coverage
CFLAGS   += $(WARN) $(DEFINES) $(INCLUDES) $(FLAGS_$(VARIANT)) $(EXTRA_CFLAGS)
LDFLAGS  += $(LINK_$(VARIANT))
LIBS_core  := -lmurmurhash -lsodium
LIBS_all   := -levent_core -levent_extra -levent_pthreads -lrocksdb -ljansson -linih \
              $(LIBS_core) -lpthread -lm

# make V=1 shows whole commands.
q   := $(if $(V),,@)
say := @$(if $(V),:,echo)

# ---- objects ----------------------------------------------------------------------------------

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
OBJ_rooms := $(foreach r,$(ROOMS),$(call obj,$(SRC_$(r))))
OBJ_main  := $(call obj,src/drive/main.c)
OBJ_lib   := $(filter-out $(OBJ_main),$(OBJ_rooms))
OBJ_sim   := $(call obj,$(SRC_sim))
OBJ_check := $(call obj,$(SRC_check))
OBJ_lab   := $(call obj,$(filter-out tests/lab/main.c,$(SRC_lab)))
OBJ_core  := $(call obj,$(SRC_base) $(SRC_ring) $(SRC_core))
LIB       := $(BUILD)/libdunlin.a
TESTS     := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT) $(SCENARIO) $(CONTRACT) $(WIRE) $(LAB_TESTS))
FUZZERS   := $(patsubst tests/%.c,$(BUILD)/%,$(FUZZ))

.PHONY: all
all: $(BUILD)/dunlin $(BUILD)/dunlin-sim
ifeq ($(VARIANT),release)
all: build/dunlin build/dunlin-sim
build/dunlin build/dunlin-sim: build/%: $(BUILD)/%
	$(q)ln -sf release/$* $@
endif

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $@
	$(q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(OBJ_lib)
	@rm -f $@
	$(q)ar rcs $@ $^

$(BUILD)/dunlin: $(OBJ_main) $(LIB)
	$(say) LINK $@
	$(q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_all)

$(BUILD)/dunlin-sim: $(OBJ_sim) $(LIB)
	$(say) LINK $@
	$(q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_all)

$(BUILD)/dunlin-check: $(OBJ_check) $(LIB)
	$(say) LINK $@
	$(q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_all)

$(BUILD)/dunlin-lab: $(call obj,tests/lab/main.c) $(OBJ_lab) $(LIB)
	$(say) LINK $@
	$(q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_all)

# Preloaded into nodes whose clock is to be wrong.
$(BUILD)/chaos-clock.so: chaos/clock/clock.c
	@mkdir -p $(@D)
	$(say) LINK $@
	$(q)$(CC) $(WARN) $(DEFINES) -O2 -fPIC -shared -o $@ $<

.PHONY: chaos
chaos: $(BUILD)/dunlin $(BUILD)/dunlin-check $(BUILD)/chaos-clock.so

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(LIB)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka -lmsgpackc $(LIBS_all)

$(BUILD)/tests/lab/%: $(BUILD)/obj/tests/lab/%.o $(OBJ_lab) $(LIB)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_all)

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_all)

-include $(shell find build -name '*.d' 2>/dev/null)

# ---- for people ------------------------------------------------------------------------------

.PHONY: help deps run test check-long sim lab bench asan tsan tidy walls fmt fuzz mutants install uninstall deb clean
help:
	@echo 'make run         install what is missing, build, and run three nodes on this machine'
	@echo 'make test        install what is missing, build, and run everything that CI runs'
	@echo 'make check-long  all seeds, all mutants, long fuzzing (hours)'
	@echo 'make deps        install missing Debian packages, by name'
	@echo 'make all         build/release/dunlin and build/release/dunlin-sim'
	@echo 'make sim         simulate SEEDS=$(SEEDS) seeds from FIRST=$(FIRST) on, FAULTS=$(FAULTS), TIME=$(TIME)'
	@echo 'make lab         anti-entropy policies side by side; LAB=quick for the short form'
	@echo 'make mutants     seeded bugs, each of which some check must find; SAMPLE=N for some of them'
	@echo 'make fuzz        each decoder for FUZZ_SECONDS=$(FUZZ_SECONDS) s'
	@echo 'make asan tsan   the tests under address + undefined, and thread sanitizers'
	@echo 'make bench       against the null-replication ceiling; bench-growth, -overload and -profile beside it'
	@echo 'make tidy walls fmt  the linters; what a room may see; format in place'
	@echo 'make install     to PREFIX=$(PREFIX), below DESTDIR; make uninstall'
	@echo 'make deb         a Debian package with a service: build/deb'

# Debian packages, as installed on a fresh Debian 12.
PACKAGES_BUILD := gcc make pkg-config libc6-dev librocksdb-dev libevent-dev libmurmurhash-dev \
                  libsodium-dev libjansson-dev libinih-dev
PACKAGES_TEST  := clang clang-format clang-tidy cppcheck libclang-rt-14-dev llvm libcmocka-dev \
                  libmsgpack-dev valgrind python3 curl wget git patch wamerican procps iproute2 wrk nftables debootstrap dpkg-dev \
                  mandoc lintian chromium fonts-dejavu-core
define install_missing
@missing=$$(for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | \
	grep -q 'ok installed' || echo $$p; done); \
if [ -z "$$missing" ]; then echo 'deps: nothing is missing'; exit 0; fi; \
echo "deps: installing" $$missing; \
sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
[ -z "$$sudo" ] || command -v sudo >/dev/null || \
	{ echo 'deps: run this as root, or install sudo' >&2; exit 1; }; \
$$sudo apt-get update -q && \
$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing
endef
deps:
	$(call install_missing,$(PACKAGES_BUILD) $(PACKAGES_TEST))
.PHONY: deps-build
deps-build:
	$(call install_missing,$(PACKAGES_BUILD))

run: deps-build
	@$(MAKE) --no-print-directory -j2 all
	@$(BUILD)/dunlin dev $(DEV)

test: deps
	@sh tests/run.sh

check-long: deps
	@sh tests/run.sh long

SEEDS ?= 200
FIRST ?= 1
FAULTS ?= all
TIME ?= 60s
sim: $(BUILD)/dunlin-sim
	$(BUILD)/dunlin-sim --seeds $(SEEDS) --first $(FIRST) --faults $(FAULTS) --time $(TIME) --jobs 2

.PHONY: tests
tests: all $(TESTS) $(BUILD)/dunlin-lab

# Under ThreadSanitizer: what has threads.
.PHONY: threads
threads: all $(BUILD)/tests/unit/test_storer $(BUILD)/tests/unit/test_record_cache \
         $(BUILD)/tests/contract/test_store_damage \
         $(BUILD)/tests/contract/test_store_rebuild

asan:
	@$(MAKE) --no-print-directory -j2 VARIANT=asan tests
	@sh tests/run.sh asan
tsan:
	@$(MAKE) --no-print-directory -j2 VARIANT=tsan threads
	@sh tests/run.sh tsan

tidy:
	@sh tests/tidy/tidy.sh
walls:
	@sh tests/tidy/walls.sh
fmt:
	clang-format -i $$(git ls-files '*.c' '*.h')

FUZZ_SECONDS ?= 10
fuzz:
	@$(MAKE) --no-print-directory -j2 VARIANT=fuzz fuzzers
	@sh tests/fuzz/run.sh $(FUZZ_SECONDS)
.PHONY: fuzzers
fuzzers: $(FUZZERS)

# Tables to the screen, rows to build/lab/*.tsv, plots beside them: docs/lab/README.md.
LAB ?= full
lab: $(BUILD)/dunlin-lab
	@sh tests/lab/run.sh $(BUILD)/dunlin-lab $(LAB)

SAMPLE ?=
mutants: all
	@sh tests/mutants/run.sh $(SAMPLE)

# BENCH: flags of tests/bench/run.py. Results in build/bench.
bench: all
	@DUNLIN=$(BUILD)/dunlin python3 tests/bench/run.py $(BENCH)
.PHONY: bench-growth bench-profile bench-overload
bench-overload: all
	@DUNLIN=$(BUILD)/dunlin python3 tests/bench/overload.py $(BENCH)
bench-growth: all
	@DUNLIN=$(BUILD)/dunlin python3 tests/bench/growth.py $(BENCH)
bench-profile: all
	@DUNLIN=$(BUILD)/dunlin python3 tests/bench/profile.py $(BENCH)

# ---- installing -------------------------------------------------------------------------------

PREFIX  ?= /usr/local
BINDIR  := $(PREFIX)/bin
MANDIR  := $(PREFIX)/share/man
DOCDIR  := $(PREFIX)/share/doc/dunlin
BASHDIR := $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
UNITDIR ?= $(PREFIX)/lib/systemd/system
DOCS    := docs/API.md docs/METRICS.md docs/OPERATIONS.md docs/dunlin.conf.example
INSTALLED := $(BINDIR)/dunlin $(MANDIR)/man1/dunlin.1 $(MANDIR)/man5/dunlin.conf.5 $(BASHDIR)/dunlin \
             $(ZSHDIR)/_dunlin $(UNITDIR)/dunlin.service $(addprefix $(DOCDIR)/,$(notdir $(DOCS)))

install: $(BUILD)/dunlin
	install -D -m 755 $(BUILD)/dunlin $(DESTDIR)$(BINDIR)/dunlin
	install -D -m 644 docs/man/dunlin.1 $(DESTDIR)$(MANDIR)/man1/dunlin.1
	install -D -m 644 docs/man/dunlin.conf.5 $(DESTDIR)$(MANDIR)/man5/dunlin.conf.5
	install -D -m 644 docs/completion/dunlin.bash $(DESTDIR)$(BASHDIR)/dunlin
	install -D -m 644 docs/completion/_dunlin $(DESTDIR)$(ZSHDIR)/_dunlin
	install -d $(DESTDIR)$(DOCDIR) $(DESTDIR)$(UNITDIR)
	install -m 644 $(DOCS) $(DESTDIR)$(DOCDIR)
	sed 's|@BINDIR@|$(BINDIR)|' docs/packaging/dunlin.service >$(DESTDIR)$(UNITDIR)/dunlin.service
	chmod 644 $(DESTDIR)$(UNITDIR)/dunlin.service

# What install installed; the configuration and the data stay.
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	rmdir $(DESTDIR)$(DOCDIR) 2>/dev/null || true

# build/deb/dunlin_VERSION_ARCH.deb
deb: $(BUILD)/dunlin
	@sh docs/packaging/deb.sh

clean:
	rm -rf build
