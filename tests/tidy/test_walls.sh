#!/bin/sh
# test_walls.sh - each wall can fail: plants one violation of each kind in a copy of the tree, and
# expects the wall to be red and to name what was planted. Before that, the copy must be green.
#
# Prints `ok NAME` or `not ok NAME`, and last `N passed, N failed`.

set -u
cd "$(dirname "$0")/../.." || exit 2
here=$PWD
copy=$(mktemp -d) || exit 2
trap 'rm -rf "$copy"' EXIT
passed=0
failures=0

fresh()
{
	rm -rf "${copy:?}"/*
	cp -r "$here/src" "$here/ring" "$here/include" "$here/tests" "$copy"
	cd "$copy" || exit 2
}

verdict()
{
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
		echo "ok $2"
	else
		failures=$((failures + 1))
		echo "not ok $2"
		sed 's/^/    /' "$copy/log"
	fi
}

green()
{
	fresh
	sh tests/tidy/walls.sh "$1" >log 2>&1
	verdict $? "the $1 wall is green on the tree as it is"
}

# red NAME WALL PATTERN: what was planted in the copy turns the wall red, with that in its message.
red()
{
	if sh tests/tidy/walls.sh "$2" >log 2>&1; then
		verdict 1 "$1"
	else
		grep -q -e "$3" log
		verdict $? "$1"
	fi
	fresh
}

# What must not be taken for a violation.
still_green()
{
	sh tests/tidy/walls.sh "$2" >log 2>&1
	verdict $? "$1"
	fresh
}

# A function at the end of a file: prototype first, so that it compiles.
plant()
{
	printf '\n%s\n' "$2" >>"$1"
}

# ---- symbols -------------------------------------------------------------------------------------

green symbols

plant src/core/quorum.c 'int getpid(void); int quorum_spy(void); int quorum_spy(void) { return getpid(); }'
red "a system call in the core is seen" symbols "getpid: src-core-quorum.c"

plant ring/ring.c 'int puts(const char *); int ring_spy(void); int ring_spy(void) { return puts(""); }'
red "output in the ring is seen" symbols "puts: ring-ring.c"

plant src/base/prng.c 'int prng_spy; int prng_count(void); int prng_count(void) { return prng_spy++; }'
red "a global variable is seen" symbols "prng_spy can change"

plant src/core/quorum.c 'int quorum_n(void); int quorum_n(void) { static int quorum_count = 5; return quorum_count++; }'
red "a static variable inside a function is seen" symbols "quorum_count.* can change"

plant ring/ring.c '_Thread_local int ring_of_thread;'
red "a thread's variable is seen" symbols "ring_of_thread can change"

rm ring/*.c
red "a pure room without objects is red" symbols "no objects of ring"

WALLS_CFLAGS=-flto
export WALLS_CFLAGS
red "objects built with gcc's LTO are red, not vacuously green" symbols "built with LTO"
CC=clang
export CC
red "objects built with clang's LTO are red, not vacuously green" symbols "not an ELF object"
unset CC WALLS_CFLAGS

plant src/core/quorum.c 'this is not C'
red "a file that does not compile is red" symbols "does not compile"

# ---- includes ------------------------------------------------------------------------------------

green includes

# refuses NAME FILE HEADER: the header is included at the end of the file, and that is seen.
refuses()
{
	printf '#include %s\n' "$3" >>"$2"
	red "$1" includes "$2:[0-9]*: $(printf %s "$3" | tr -d '<>"')"
}

refuses "the core may not see the wire" src/core/quorum.c '"wire/http.h"'
refuses "the core may not see the store" src/core/quorum.c '"store/store.h"'
refuses "the core may not see sockets" src/core/quorum.c '<sys/socket.h>'
refuses "the core may not see time" src/core/core.h '<time.h>'
refuses "the core may not see the heap" src/core/core.h '<stdlib.h>'
refuses "the core may not see all of libsodium" src/core/context.c '<sodium.h>'
refuses "the ring may not see the core" ring/ring.c '"core/core.h"'
refuses "base may not see the ring" src/base/pool.h '"ring/ring.h"'
refuses "include may not see base" include/dunlin/types.h '"base/bytes.h"'
refuses "the wire may not see the core" src/wire/http.c '"core/core.h"'
refuses "the wire may not see the ring" src/wire/http.c '<ring/ring.h>'
refuses "the store may not see the wire" src/store/store.c '"wire/msg.h"'
refuses "the server may not see the tests" src/drive/loop.c '"tests/sim/world.h"'
refuses "only drive may see libevent" src/store/store.c '<event2/event.h>'
refuses "only the store may see RocksDB" src/drive/loop.c '<rocksdb/c.h>'
refuses "only tests may see msgpack-c" src/wire/msg.c '<msgpack.h>'
refuses "a header of ours names its room" src/core/quorum.c '"quorum.h"'
refuses "a path may not climb" src/core/quorum.c '"base/../wire/http.h"'
plant src/core/quorum.c '  #  include   "drive/loop.h" // why not'
red "blanks around include hide nothing" includes "drive/loop.h: core may not see drive"

mkdir src/attic
printf '#include "wire/http.h"\n' >src/attic/old.c
red "a folder that is no room is red" includes "src/attic/old.c:1"

find include ring src tests -name '*.[ch]' -exec sed -i '/#include/d' {} +
red "no include at all is red" includes "found none"

# ---- pure ----------------------------------------------------------------------------------------

green pure

plant src/core/quorum.c 'void f(void) { void *p = malloc(5); }'
red "an allocation is seen" pure "calls malloc"
plant ring/ring.h 'static inline void f(void *p) { free (p); }'
red "a free in a header is seen" pure "calls free"
plant src/base/heap.c 'void f(void) { /* no */ printf("x"); }'
red "a printf behind a comment is seen" pure "calls printf"
plant src/core/quorum.c 'long f(void) { return time(NULL); }'
red "a clock is seen" pure "calls time"
plant src/core/quorum.c 'int f(void) { return rand(); }'
red "randomness from outside is seen" pure "calls rand"
plant src/core/quorum.c 'struct s { int (*call)(int); };'
red "a function pointer in a struct is seen" pure "a function pointer"
plant ring/ring.c 'typedef void (*ring_hook)(void);'
red "a function pointer type is seen" pure "a function pointer"
plant src/base/heap.h 'void sort(int *, int (*)(int, int));'
red "a function pointer without a name is seen" pure "a function pointer"
plant src/core/quorum.c 'static int (*const table[3])(void);'
red "a table of function pointers is seen" pure "a function pointer"
plant src/core/quorum.c '/* malloc(5), int (*call)(int) */ // free(p)
/* time(0)
 * rand() */ static const char *said = "printf(\"x\") /* " "(*f)(";
static int pool_free(int); int x = pool_free(3) + (*p) (4);'
still_green "prose, strings and longer names are not taken for calls" pure
rm -r src/base src/core ring
red "no file at all is red" pure "found no files"

# ---- style ---------------------------------------------------------------------------------------

green style

awk 'BEGIN { for (i = 0; i < 660; i++) print "/* filler */" }' >>tests/unit/test_heap.c
red "a long file is seen" style "test_heap.c:[0-9]*: a file of"
{
	printf '\nvoid much(void)\n{\n'
	awk 'BEGIN { for (i = 0; i < 69; i++) print "\tf();" }'
	printf '}\n'
} >>src/core/quorum.c
red "a function of 71 lines is seen" style "a function of 71 lines: void much"
{
	printf '\nvoid much(void)\n{\n'
	awk 'BEGIN { for (i = 0; i < 68; i++) print "\tf();" }'
	printf '}\n'
} >>src/core/quorum.c
still_green "a function of 70 lines is let through" style
sed -i '1s/.*/\/* the quorum. *\//' src/core/quorum.c
red "a file that does not say its name is seen" style "quorum.c:1: does not begin"
find src ring -name '*.[ch]' -exec sed -i '/^{/d' {} +
red "no function at all is red" style "found no functions"

echo "$passed passed, $failures failed"
[ $failures = 0 ]
