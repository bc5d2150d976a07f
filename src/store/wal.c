/* wal.c - see wal.h. Reads RocksDB's log format (its wiki, "Write Ahead Log File Format"):
 *
 *   file     blocks of 32 KiB; a fragment never crosses one; fewer than 7 bytes left: zeroes
 *   fragment | masked CRC-32C of type and data, 4 LE | length, 2 LE | type, 1 | data |
 *   type     1 whole group, 2 its first fragment, 3 a middle one, 4 the last
 *   group    | sequence number of its first operation, 8 LE | operations, 4 LE | operations... |
 *
 * Log recycling and log compression are off (rdb_open.c), so there are no other types. */
#include "store/wal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/datadir.h"
#include "store/store_ops.h"

#define BLOCK 32768U
#define HEADER 7U
#define GROUP_HEADER 12U
/* Log files of one store: each memtable keeps at most one alive. */
#define LOGS_MAX 4096

enum fragment { WHOLE = 1, FIRST, MIDDLE, LAST };

/* What is known while walking through the logs, oldest first. */
struct walk {
	uint32_t crc_of[256];
	bool known;    /* some group was seen: `next` means something */
	uint64_t next; /* the sequence number that the next group must bear */
};

struct log {
	uint64_t number;
	uint8_t *data;
	size_t len;
	size_t good; /* up to here it consists of whole groups */
	size_t bad;  /* where the first damage is; == len when there is none */
};

/* ---- numbers ------------------------------------------------------------------------------- */

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
	return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

static void crc_prepare(struct walk *w)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;
		for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78U : 0);
		w->crc_of[byte] = crc;
	}
}

/* CRC-32C (Castagnoli), masked as the engine stores it. */
static uint32_t crc_masked(const struct walk *w, const uint8_t *data, size_t len)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < len; i++) crc = crc >> 8 ^ w->crc_of[(crc ^ data[i]) & 255];
	crc = ~crc;
	return (crc >> 15 | crc << 17) + 0xa282ead8U;
}

/* ---- one log ------------------------------------------------------------------------------- */

static size_t left_in_block(size_t at)
{
	return BLOCK - at % BLOCK;
}

static size_t data_len(const struct log *l, size_t at)
{
	return (size_t)l->data[at + 4] | (size_t)l->data[at + 5] << 8;
}

/* Is there an intact fragment at `at`? */
static bool intact(const struct walk *w, const struct log *l, size_t at)
{
	if (at + HEADER > l->len || left_in_block(at) < HEADER) return false;
	size_t len = data_len(l, at);
	uint8_t type = l->data[at + 6];
	if (type < WHOLE || type > LAST) return false;
	if (HEADER + len > left_in_block(at) || at + HEADER + len > l->len) return false;
	return le32(l->data + at) == crc_masked(w, l->data + at + 6, 1 + len);
}

/* The group header of the group whose first fragment is at `at`; it may run on in the next block. */
static bool group_header(const struct log *l, size_t at, uint64_t *sequence, uint32_t *operations)
{
	uint8_t header[GROUP_HEADER];
	size_t len = data_len(l, at), here = len < GROUP_HEADER ? len : GROUP_HEADER;
	memcpy(header, l->data + at + HEADER, here);
	if (here < GROUP_HEADER) {
		size_t rest = at + left_in_block(at) + HEADER;
		if (l->data[at + 6] != FIRST || rest + GROUP_HEADER - here > l->len) return false;
		memcpy(header + here, l->data + rest, GROUP_HEADER - here);
	}
	*sequence = le64(header);
	*operations = le32(header + 8);
	return true;
}

/* Does a group that follows the missing one begin at `at`? The number tells it from a client's value
 * that happens to look like a log. */
static bool later_group(const struct walk *w, const struct log *l, size_t at)
{
	uint64_t sequence;
	uint32_t operations;
	if (at + HEADER > l->len || (l->data[at + 6] != WHOLE && l->data[at + 6] != FIRST))
		return false;
	if (!intact(w, l, at) || !group_header(l, at, &sequence, &operations)) return false;
	return !w->known || (sequence > w->next && sequence - w->next < UINT64_C(1) << 32);
}

/* Walks over whole groups; leaves `good` behind the last and `bad` at what is none. */
static void walk_log(struct walk *w, struct log *l)
{
	uint64_t sequence = 0;
	uint32_t operations = 0;
	bool inside = false;
	size_t at = 0;
	l->good = 0;
	while (at < l->len) {
		if (left_in_block(at) < HEADER) {
			at += left_in_block(at);
			continue;
		}
		if (!intact(w, l, at)) break;
		uint8_t type = l->data[at + 6];
		bool begins = type == WHOLE || type == FIRST;
		if (begins == inside || (begins && !group_header(l, at, &sequence, &operations))) break;
		inside = type == FIRST || type == MIDDLE;
		at += HEADER + data_len(l, at);
		if (inside) continue;
		l->good = at;
		w->known = true;
		w->next = sequence + operations;
	}
	l->bad = at >= l->len && !inside ? l->len : at < l->len ? at : l->len - 1;
}

static bool followed_in_log(const struct walk *w, const struct log *l)
{
	for (size_t at = l->bad; at + HEADER <= l->len; at++)
		if (later_group(w, l, at)) return true;
	return false;
}

/* ---- the files ----------------------------------------------------------------------------- */

static void log_path(const char *dir, uint64_t number, char path[DATADIR_PATH_BYTES_MAX])
{
	int len = snprintf(path, DATADIR_PATH_BYTES_MAX, "%s/%06" PRIu64 ".log", dir, number);
	assert(len > 0 && len < DATADIR_PATH_BYTES_MAX);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* The numbers of the logs in `dir`, ascending; how many. No directory yet: none. */
static size_t list_logs(const char *dir, uint64_t numbers[LOGS_MAX])
{
	size_t count = 0;
	DIR *d = opendir(dir);
	if (d == NULL) return 0;
	for (struct dirent *e; (e = readdir(d)) != NULL && count < LOGS_MAX;) {
		char *end;
		uint64_t number = strtoull(e->d_name, &end, 10);
		if (end != e->d_name && strcmp(end, ".log") == 0) numbers[count++] = number;
	}
	closedir(d);
	qsort(numbers, count, sizeof(numbers[0]), by_number);
	return count;
}

static bool read_log(const char *path, struct log *l)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return false;
	bool ok = fstat(fd, &st) == 0;
	l->len = 0;
	l->data = store_alloc(ok ? (size_t)st.st_size : 0);
	while (ok && l->len < (size_t)st.st_size) {
		ssize_t got = read(fd, l->data + l->len, (size_t)st.st_size - l->len);
		if (got <= 0)
			ok = false;
		else
			l->len += (size_t)got;
	}
	close(fd);
	if (!ok) free(l->data);
	return ok;
}

static bool cut_log(const char *path, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) return false;
	bool ok = ftruncate(fd, (off_t)len) == 0 && fsync(fd) == 0;
	close(fd);
	return ok;
}

/* Does the log begin with the very group that is torn here? Then it was written again. */
static bool written_again(const struct walk *w, const struct log *l)
{
	uint64_t sequence;
	uint32_t operations;
	return w->known && intact(w, l, 0) && group_header(l, 0, &sequence, &operations) &&
	       sequence == w->next;
}

/* Is there a group in the log at `path` that follows one that is missing? */
static bool followed_by_log(const struct walk *w, const char *path)
{
	struct log l = {0};
	if (!read_log(path, &l)) return true; /* cannot be ruled out */
	bool found = !written_again(w, &l) && followed_in_log(w, &l);
	free(l.data);
	return found;
}

static bool mend_log(const char *path, const char *next_path, struct walk *w, char *why,
                     size_t why_len)
{
	struct log l = {0};
	if (!read_log(path, &l)) {
		snprintf(why, why_len, "cannot read %s: %s", path, strerror(errno));
		return false;
	}
	walk_log(w, &l);
	bool damaged = l.bad < l.len;
	bool lost =
		damaged && (followed_in_log(w, &l) || (next_path != NULL && followed_by_log(w, next_path)));
	free(l.data);
	if (!damaged) return true;
	if (lost) {
		snprintf(why, why_len,
		         "%s is damaged at byte %zu, before writes that were acknowledged; restore the "
		         "directory, or remove it and let the replicas fill this node again",
		         path, l.bad);
		return false;
	}
	bool cut = cut_log(path, l.good);
	snprintf(why, why_len,
	         cut ? "dropped the unfinished write at the end of %s: %zu bytes from byte %zu on"
	             : "cannot cut the unfinished write off %s: %zu bytes from byte %zu on",
	         path, l.len - l.good, l.good);
	return cut;
}

bool wal_mend(const char *dir, char *why, size_t why_len)
{
	assert(why_len > 0);
	why[0] = 0;
	uint64_t *numbers = store_alloc(LOGS_MAX * sizeof(*numbers));
	struct walk w = {0};
	crc_prepare(&w);
	size_t count = list_logs(dir, numbers);
	bool ok = true;
	for (size_t i = 0; i < count && ok; i++) {
		char path[DATADIR_PATH_BYTES_MAX], next_path[DATADIR_PATH_BYTES_MAX];
		log_path(dir, numbers[i], path);
		if (i + 1 < count) log_path(dir, numbers[i + 1], next_path);
		ok = mend_log(path, i + 1 < count ? next_path : NULL, &w, why, why_len);
	}
	free(numbers);
	return ok;
}
