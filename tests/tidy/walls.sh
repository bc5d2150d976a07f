#!/bin/sh
# walls.sh - what a room may see, and what the pure rooms (src/base, ring, src/core) may do.
#
#   sh tests/tidy/walls.sh [symbols | includes | pure | style]...      all four if none is named
#
# symbols   the pure rooms, linked into one relocatable object, leave no undefined symbol outside a
#           short named list, and hold nothing that can change: only code and read-only data.
#           Built without LTO: under it an object has no symbols yet, and this would pass vacuously.
# includes  every #include is one that the room of its file may see (docs/ARCHITECTURE.md).
# pure      no allocation, output, clock or randomness, and no function pointer, in the pure rooms.
# style     the ratchet: short files, short functions, and each file begins by saying what it is.
#
# A wall that found nothing to look at is broken, and fails. tests/tidy/test_walls.sh shows each fail.
# src/base/panic_print.c is the one file of a pure room that does output: whoever links the core
# chooses how to crash, so it is outside of these walls.

set -u
cd "$(dirname "$0")/../.." || exit 2
LC_ALL=C
export LC_ALL

CC=${CC:-gcc}
out=build/walls
failed=0

# The whole of what the pure rooms may ask of the world: the four that compilers emit by themselves,
# the panic hook, two hashes, which are pure, what libgcc does where a processor lacks the instruction
# (__builtin_popcountll), and what clang makes of a memcmp that only asks for equality.
allowed='memcpy memmove memset memcmp dunlin_panic lmmh_x64_128
crypto_shorthash_siphash24 crypto_shorthash_siphashx24 __popcountdi2 bcmp'

FILE_LINES_MAX=650
FUNCTION_LINES_MAX=70

bad()
{
	echo "walls: $*"
	failed=1
}

# The .c and .h files below the folders named, whatever there is of them.
sources()
{
	for folder in "$@"; do
		[ ! -d "$folder" ] || find "$folder" -name '*.[ch]' -type f
	done | sort
}

pure_sources()
{
	sources src/base ring src/core | grep -v '^src/base/panic_print\.c$'
}

# ---- symbols -------------------------------------------------------------------------------------

# No LTO, no stack protector, no fortified calls, no position independence (which moves read-only
# tables of pointers into writable data): what is left undefined is what the code itself asks for.
compile()
{
	rm -rf "$out"
	mkdir -p "$out"
	pure_sources | grep '\.c$' | xargs -P2 -I{} sh -c '
		object='"$out"'/$(echo "$1" | tr / -).o
		'"$CC"' -std=c11 -D_GNU_SOURCE -O1 -fno-lto -fno-stack-protector -U_FORTIFY_SOURCE \
			-fno-pie -fno-common -Iinclude -Isrc -I. '"${WALLS_CFLAGS:-}"' -c "$1" -o "$object"
	' sh {}
}

wall_symbols()
{
	compile || { bad "symbols: does not compile"; return; }
	for room in src-base ring src-core; do
		ls "$out/$room"-*.o >/dev/null 2>&1 || bad "symbols: no objects of $room"
	done
	for object in "$out"/*.c.o; do
		readelf -SW "$object" 2>&1 | grep -q '\.symtab' || bad "symbols: $object is not an ELF object: LTO?"
		readelf -SW "$object" 2>&1 | grep -q '\.gnu\.lto_' && bad "symbols: $object was built with LTO"
	done
	[ $failed = 0 ] || return
	ld -r -o "$out/pure.o" "$out"/*.c.o || { bad "symbols: does not link"; return; }
	nm "$out/pure.o" >"$out/symbols" || { bad "symbols: nm failed"; return; }

	awk 'NF == 2 && $1 ~ /^[UwWvV]$/ { print $2 }' "$out/symbols" | sort -u >"$out/undefined"
	[ -s "$out/undefined" ] || bad "symbols: nothing is undefined, not even the panic hook"
	grep -q ' T node_step$' "$out/symbols" || bad "symbols: node_step is not in there: is it the core?"
	while read -r name; do
		case " $(echo $allowed) " in
		*" $name "*) ;;
		*) bad "symbols: the pure rooms ask for $name: $(users_of "$name")" ;;
		esac
	done <"$out/undefined"

	awk 'NF == 3 && $2 ~ /^[bBdDcCgGsS]$/ { print $3 }' "$out/symbols" | sort -u >"$out/mutable"
	while read -r name; do
		bad "symbols: $name can change; the pure rooms hold only read-only data: $(users_of "$name")"
	done <"$out/mutable"
	echo "walls: symbols: $(ls "$out"/*.c.o | wc -l) objects, $(wc -l <"$out/undefined") undefined"
}

# The sources whose objects name the symbol.
users_of()
{
	for object in "$out"/*.c.o; do
		if nm "$object" | awk -v name="$1" '$NF == name { found = 1 } END { exit !found }'; then
			basename "$object" .o
		fi
	done | tr '\n' ' '
}

# ---- includes ------------------------------------------------------------------------------------

wall_includes()
{
	sources include ring src tests | xargs awk '
	BEGIN {
		# Rooms of ours, by room.
		sees["include"] = "dunlin"
		sees["base"] = "dunlin base"
		sees["ring"] = "dunlin base ring"
		sees["core"] = "dunlin base ring core"
		sees["wire"] = "dunlin base wire"
		sees["store"] = "dunlin base store"
		sees["drive"] = "dunlin base ring core wire store drive"
		sees["tests"] = "dunlin base ring core wire store drive tests"
		# Headers of others that the pure rooms may see: types, the mem functions, two hashes.
		pure["include"] = pure["base"] = "stdbool.h stddef.h stdint.h string.h"
		pure["ring"] = pure["base"] " murmurhash.h"
		pure["core"] = pure["base"] " sodium/crypto_shorthash_siphash24.h"
		# Each dependency has its rooms (docs/decisions/); tests may see all.
		home["event2"] = "drive"
		home["jansson.h"] = "drive"
		home["ini.h"] = "drive"
		home["rocksdb"] = "store"
		home["sodium"] = home["sodium.h"] = "core wire drive"
		home["murmurhash.h"] = "ring store"
		home["msgpack"] = home["msgpack.h"] = "nobody"
		home["cmocka.h"] = "nobody"
	}
	function has(list, word) { return index(" " list " ", " " word " ") > 0 }
	function bad(why) {
		printf "walls: includes: %s:%d: %s: %s\n", FILENAME, FNR, name, why
		failed = 1
	}
	FNR == 1 {
		split(FILENAME, part, "/")
		room = part[1] == "src" ? part[2] : part[1]

		if (FILENAME == "src/base/panic_print.c") room = "tests" # outside, see the top of walls.sh
	}
	/^[ \t]*#[ \t]*include/ {
		scanned++
		name = $0
		sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
		quoted = name ~ /^"/
		if (!match(name, /^["<][^">]+[">]/)) { bad("not a plain name"); next }
		name = substr(name, 2, RLENGTH - 2)
		if (!(room in sees)) { bad("in a folder that is no room"); next }
		if (name ~ /\.\./) { bad("climbs out of its room"); next }
		top = name
		sub(/\/.*/, "", top)
		if (has("dunlin base ring core wire store drive tests", top)) {
			if (!has(sees[room], top)) bad(room " may not see " top)
		} else if (quoted) {
			if (room != "tests") bad("name the room of a header of ours")
		} else if (room != "tests") {
			if (top in home && !has(home[top], room)) bad(room " may not see " top)
			else if (room in pure && !has(pure[room], name)) bad(room " may not see it")
		}
	}
	END {
		if (scanned == 0) { print "walls: includes: found none"; exit 1 }
		printf "walls: includes: %d in order\n", scanned
		exit failed
	}' || failed=1
}

# ---- pure ----------------------------------------------------------------------------------------

# Comments, string and character literals blanked, so that prose may say malloc.
wall_pure()
{
	pure_sources | xargs awk '
	function bad(why) {
		printf "walls: pure: %s:%d: %s\n", FILENAME, FNR, why
		failed = 1
	}
	function code(line,    at, end, text) {
		text = ""
		while (line != "") {
			if (in_comment) {
				end = index(line, "*/")
				if (end == 0) return text
				in_comment = 0
				line = substr(line, end + 2)
			} else if (match(line, /\/\*|\/\/|"([^"\\]|\\.)*"|\047([^\047\\]|\\.)*\047/)) {
				text = text substr(line, 1, RSTART - 1) " "
				at = substr(line, RSTART, 2)
				if (at == "//") return text
				in_comment = at == "/*"
				line = substr(line, RSTART + (in_comment ? 2 : RLENGTH))
			} else {
				return text line
			}
		}
		return text
	}
	BEGIN {
		never = "malloc calloc realloc reallocarray aligned_alloc posix_memalign strdup alloca free"
		never = never " printf fprintf sprintf snprintf vsnprintf puts putchar perror write read"
		never = never " time clock clock_gettime gettimeofday usleep nanosleep sleep"
		never = never " rand srand random srandom rand_r getrandom arc4random randombytes_buf"
		never = never " getenv abort exit pthread_create setjmp longjmp"
		count = split(never, word, " ")
		for (i = 1; i <= count; i++) forbidden[word[i]] = 1
	}
	FNR == 1 { files++; in_comment = 0 }
	{
		text = code($0)
		rest = text
		while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
			name = substr(rest, RSTART, RLENGTH - 1)
			sub(/[ \t]+$/, "", name)
			if (name in forbidden) bad("calls " name)
			rest = substr(rest, RSTART + RLENGTH)
		}
		# (*name)( and its arrays and qualifiers; clang-format leaves no blank before the second.
		if (text ~ /\(\*[ \t]*(const[ \t]+)?[A-Za-z_0-9]*(\[[^]]*\])*\)\(/) bad("a function pointer")
	}
	END {
		if (files == 0) { print "walls: pure: found no files"; exit 1 }
		printf "walls: pure: %d files\n", files
		exit failed
	}' || failed=1
}

# ---- style ---------------------------------------------------------------------------------------

# The house format puts the braces of a function, and of nothing else, alone in the first column.
wall_style()
{
	sources include ring src tests | xargs awk -v lines_max=$FILE_LINES_MAX \
		-v function_max=$FUNCTION_LINES_MAX '
	function bad(line, why) {
		printf "walls: style: %s:%d: %s\n", file, line, why
		failed = 1
	}
	function end_of_file() {
		if (file != "" && lines > lines_max) bad(lines, "a file of " lines " lines")
	}
	FNR == 1 {
		end_of_file()
		file = FILENAME
		files++
		name = file
		sub(/.*\//, "", name)
		if (file !~ /^tests\// && index($0, "/* " name " ") != 1)
			bad(1, "does not begin with /* " name " - ...")
	}
	{ lines = FNR }
	file !~ /^(src|ring)\// { next }
	/^{/ { opened = FNR }
	/^}/ && opened > 0 {
		functions++
		if (FNR - opened + 1 > function_max)
			bad(opened, "a function of " (FNR - opened + 1) " lines: " head)
		opened = 0
	}
	/^[A-Za-z_].*\(/ && opened == 0 { head = $0; sub(/\(.*/, "", head) }
	END {
		end_of_file()
		if (files == 0 || functions == 0) { print "walls: style: found no functions"; exit 1 }
		printf "walls: style: %d files, %d functions\n", files, functions
		exit failed
	}' || failed=1
}

[ $# -gt 0 ] || set -- symbols includes pure style
for wall in "$@"; do
	case $wall in
	symbols | includes | pure | style) wall_"$wall" ;;
	*)
		echo "usage: walls.sh [symbols | includes | pure | style]..." >&2
		exit 2
		;;
	esac
done
[ $failed = 0 ] && echo "walls: ok"
exit $failed
