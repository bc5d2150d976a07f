/* disk.c - see disk.h.
 *
 *   queue:  [ w1 w2 w3 | w4 w5 ]        w1..w3 are the group: in the store's log, being synced;
 *             group      waits          w4, w5 are the next group (what arrived meanwhile)
 *
 * A crash keeps some prefix of the log's bytes: with the fault "torn" cut anywhere, else all or
 * nothing of it. What waits was never written. Bytes of a write belong to the node until it is
 * answered; that it leaves them alone is checked by a sum taken when it asked. */
#include "tests/sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "store/store_mem.h"
#include "tests/sim/proc.h"
#include "tests/sim/trace.h"

/* Length of the full key that ends a key of the objects family is what follows the hash. */
#define OBJECT_KEY_HASH_BYTES 8

struct disk_read {
	struct ticket ticket;
	enum store_family family;
	bool early; /* it was read when it was asked for, and what it found is kept here */
	enum err err;
	struct bytes value;
	void *handle;
	size_t key_len;
	uint8_t key[];
};

struct disk_scan {
	struct ticket ticket;
	enum store_family family;
	size_t bytes_max;
	uint32_t records_max;
	size_t after_len, until_len;
	uint8_t bounds[]; /* after, then until */
};

void disk_init(struct world *w, uint16_t proc)
{
	struct disk *d = &w->procs[proc].disk;
	*d = (struct disk){.store = store_mem_new(), .slow_factor = 1};
	assert(d->store != NULL);
}

void disk_free(struct world *w, uint16_t proc)
{
	struct disk *d = &w->procs[proc].disk;
	store_close(d->store);
	free(d->queue);
}

void disk_item_free(enum agenda_kind kind, void *p)
{
	if (kind == AGENDA_READ) {
		struct disk_read *r = p;
		if (r->handle != NULL) store_release(r->handle);
	}
	free(p);
}

static struct agenda_item *disk_at(struct world *w, uint16_t proc, uint64_t us,
                                   enum agenda_kind kind)
{
	struct agenda_item *item = world_at(w, w->now_us + us * w->procs[proc].disk.slow_factor, kind);
	item->a = proc;
	item->start = w->procs[proc].start;
	return item;
}

/* ---- reads ---------------------------------------------------------------------------------- */

static struct bytes object_key(enum store_family family, struct bytes key)
{
	if (family != STORE_OBJECTS || key.len < OBJECT_KEY_HASH_BYTES) return BYTES_EMPTY;
	return bytes_of(key.data + OBJECT_KEY_HASH_BYTES, key.len - OBJECT_KEY_HASH_BYTES);
}

static bool fails(struct world *w, uint16_t proc)
{
	if (!world_chance(w, w->procs[proc].disk.error_ppm)) return false;
	w->fault_count[FAULT_READERR]++;
	return true;
}

static bool misreads(struct world *w, uint16_t proc)
{
	if (!world_chance(w, w->procs[proc].disk.misread_ppm)) return false;
	w->fault_count[FAULT_MISREAD]++;
	return true;
}

bool disk_boot_fails(struct world *w, uint16_t proc)
{
	return fails(w, proc) || misreads(w, proc);
}

/* As of the server's engine: a read that fails says nothing of the record; a block whose checksum does
 * not hold is damage to whatever would be in it. */
static void read_now(struct world *w, uint16_t proc, struct disk_read *r)
{
	r->err = ERR_STORE;
	if (fails(w, proc)) return;
	r->err = store_read(w->procs[proc].disk.store, r->family, bytes_of(r->key, r->key_len), false,
	                    &r->value, &r->handle);
	if (misreads(w, proc)) r->err = ERR_CORRUPT;
	if (r->err != ERR_OK) r->value = BYTES_EMPTY;
}

/* Most reads are answered from the cache, at once; the rest take their time, and see the store as it
 * was at the beginning or at the end of that time. */
void disk_read(struct world *w, uint16_t proc, const struct effect *fx)
{
	assert(fx->type == FX_STORE_READ);
	struct disk_read *r = malloc(sizeof *r + fx->read.key.len);
	assert(r != NULL);
	*r = (struct disk_read){.ticket = fx->ticket,
	                        .family = fx->read.family,
	                        .key_len = fx->read.key.len,
	                        .early = prng_below(w->prng, 2) == 0};
	memcpy(r->key, fx->read.key.data, r->key_len);
	if (r->early) read_now(w, proc, r);
	bool cached = prng_below(w->prng, 3) != 0;
	disk_at(w, proc, cached ? 0 : world_between(w, 20, 600), AGENDA_READ)->p = r;
}

void disk_on_read(struct world *w, const struct agenda_item *item)
{
	struct disk_read *r = item->p;
	if (!r->early) read_now(w, item->a, r);
	trace_key(w, object_key(r->family, bytes_of(r->key, r->key_len)), "%s read: %s, %zu bytes",
	          w->procs[item->a].name, err_name(r->err), r->value.len);
	struct event ev = {.type = EV_STORE_READ,
	                   .read = {.ticket = r->ticket, .err = r->err, .value = r->value}};
	world_step(w, item->a, &ev);
}

/* ---- scans ---------------------------------------------------------------------------------- */

void disk_scan(struct world *w, uint16_t proc, const struct effect *fx)
{
	assert(fx->type == FX_STORE_SCAN);
	size_t after = fx->scan.after.len, until = fx->scan.until.len;
	struct disk_scan *s = malloc(sizeof *s + after + until);
	assert(s != NULL);
	*s = (struct disk_scan){.ticket = fx->ticket,
	                        .family = fx->scan.family,
	                        .bytes_max = fx->scan.bytes_max,
	                        .records_max = fx->scan.records_max,
	                        .after_len = after,
	                        .until_len = until};
	if (after > 0) memcpy(s->bounds, fx->scan.after.data, after);
	if (until > 0) memcpy(s->bounds + after, fx->scan.until.data, until);
	disk_at(w, proc, world_between(w, 20, 1000), AGENDA_SCAN)->p = s;
}

/* One page, copied out of the store: records and their bytes. */
struct page {
	struct world *w;
	uint16_t proc;
	const struct disk_scan *scan;
	struct store_record *records;
	uint32_t count, room;
	size_t bytes;
};

static struct bytes page_copy(struct bytes b)
{
	if (b.len == 0) return BYTES_EMPTY;
	uint8_t *copy = malloc(b.len);
	assert(copy != NULL);
	memcpy(copy, b.data, b.len);
	return bytes_of(copy, b.len);
}

static bool page_add(void *context, const struct store_record *record)
{
	struct page *p = context;
	size_t len = record->key.len + record->value.len;
	if (p->count > 0 && p->bytes + len > p->scan->bytes_max) return false;
	if (p->scan->records_max > 0 && p->count == p->scan->records_max) return false;
	if (p->count == p->room) {
		p->room = p->room == 0 ? 16 : p->room * 2;
		p->records = realloc(p->records, p->room * sizeof *p->records);
		assert(p->records != NULL);
	}
	bool damaged = record->damaged || misreads(p->w, p->proc);
	p->records[p->count++] = (struct store_record){
		page_copy(record->key), page_copy(damaged ? BYTES_EMPTY : record->value), damaged};
	p->bytes += len;
	return true;
}

static void page_free(struct page *p)
{
	for (uint32_t i = 0; i < p->count; i++) {
		free((void *)(uintptr_t)p->records[i].key.data);
		free((void *)(uintptr_t)p->records[i].value.data);
	}
	free(p->records);
}

void disk_on_scan(struct world *w, const struct agenda_item *item)
{
	const struct disk_scan *s = item->p;
	struct page page = {.w = w, .proc = item->a, .scan = s};
	bool done = false;
	enum err err = fails(w, item->a) ? ERR_STORE : ERR_OK;
	if (err == ERR_OK)
		err = store_scan(w->procs[item->a].disk.store, s->family, bytes_of(s->bounds, s->after_len),
		                 bytes_of(s->bounds + s->after_len, s->until_len), page_add, &page, &done);
	struct event ev = {.type = EV_STORE_SCANNED,
	                   .scanned = {.ticket = s->ticket,
	                               .err = err,
	                               .done = err == ERR_OK && done,
	                               .count = err == ERR_OK ? page.count : 0,
	                               .records = page.records}};
	world_step(w, item->a, &ev);
	page_free(&page);
}

/* ---- writes --------------------------------------------------------------------------------- */

/* Eight bytes at a time, since all that is written passes here twice. */
static uint64_t sum_bytes(uint64_t sum, struct bytes b)
{
	const uint8_t *at = b.data;
	size_t left = b.len;
	sum = (sum ^ b.len) * 0x9e3779b97f4a7c15U;
	for (; left >= 8; at += 8, left -= 8) {
		uint64_t word;
		memcpy(&word, at, sizeof word);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15U;
		sum ^= sum >> 29;
	}
	for (; left > 0; at++, left--) sum = (sum ^ *at) * 0x100000001b3U;
	return sum;
}

static uint64_t sum_ops(const struct store_op *ops, uint32_t count)
{
	uint64_t sum = 0xcbf29ce484222325U;
	for (uint32_t i = 0; i < count; i++) {
		sum = sum_bytes(sum ^ (uint64_t)ops[i].family, ops[i].key);
		sum = sum_bytes(sum, ops[i].value);
	}
	return sum;
}

static void trace_ops(const struct world *w, uint16_t proc, const struct disk_write *write,
                      const char *what)
{
	for (uint32_t i = 0; w->trace.on && i < write->count; i++) {
		const struct store_op *op = &write->ops[i];
		trace_key(w, object_key(op->family, op->key), "%s %s: %zu bytes, %u ops",
		          w->procs[proc].name, what, op->value.len, write->count);
	}
}

/* Everything that waits becomes the group. */
static void group_begin(struct world *w, uint16_t proc)
{
	struct disk *d = &w->procs[proc].disk;
	assert(d->group == 0 && d->count > 0);
	d->group = d->count;
	for (uint32_t i = 0; i < d->group; i++) {
		struct disk_write *write = &d->queue[i];
		if (sum_ops(write->ops, write->count) != write->sum)
			world_fail(w, "borrow", HIST_NOBODY, HIST_NOBODY,
			           "%s changed the bytes of a store write before it was answered",
			           w->procs[proc].name);
		struct store_batch batch = {write->ops, write->count};
		write->err = store_mem_append(d->store, &batch, 1);
		if (write->err == ERR_FULL) w->fault_count[FAULT_FULL]++;
		world_note(w, write->sum ^ (uint64_t)write->err);
	}
	disk_at(w, proc, world_between(w, 100, MS(2)), AGENDA_COMMIT);
}

void disk_write(struct world *w, uint16_t proc, const struct effect *fx)
{
	assert(fx->type == FX_STORE_WRITE);
	assert(fx->write.count > 0 && fx->write.count <= STORE_BATCH_OPS_MAX);
	struct disk *d = &w->procs[proc].disk;
	if (d->count == d->room) {
		d->room = d->room == 0 ? 64 : d->room * 2;
		d->queue = realloc(d->queue, d->room * sizeof *d->queue);
		assert(d->queue != NULL);
	}
	d->queue[d->count++] = (struct disk_write){.ticket = fx->ticket,
	                                           .ops = fx->write.ops,
	                                           .count = fx->write.count,
	                                           .sum = sum_ops(fx->write.ops, fx->write.count)};
	trace_ops(w, proc, &d->queue[d->count - 1], "asks its store to write");
	if (d->group == 0) group_begin(w, proc);
}

/* Answers go out one by one; the process may die between two. */
static void group_answer(struct world *w, uint16_t proc, struct disk_write *group, uint32_t count)
{
	uint32_t start = w->procs[proc].start;
	for (uint32_t i = 0; i < count; i++) {
		if (w->procs[proc].state != PROC_UP || w->procs[proc].start != start) return;
		trace_ops(w, proc, &group[i], group[i].err == ERR_OK ? "has stored" : "could not store");
		struct event ev = {.type = EV_STORE_WRITTEN,
		                   .written = {.ticket = group[i].ticket, .err = group[i].err}};
		world_step(w, proc, &ev);
	}
}

void disk_on_commit(struct world *w, const struct agenda_item *item)
{
	uint16_t proc = item->a;
	struct disk *d = &w->procs[proc].disk;
	assert(d->group > 0 && d->group <= d->count);
	if (d->sync_fails) {
		d->sync_fails = false;
		w->fault_count[FAULT_SYNCERR]++;
		trace_world(w, "%s: a group commit fails", w->procs[proc].name);
		proc_crash(w, proc, world_about(w, SECONDS(2)));
		return;
	}
	enum err err = store_mem_sync(d->store);
	uint32_t count = d->group;
	struct disk_write *group = malloc(count * sizeof *group);
	assert(group != NULL);
	memcpy(group, d->queue, count * sizeof *group);
	for (uint32_t i = 0; i < count; i++)
		if (group[i].err == ERR_OK) group[i].err = err;
	memmove(d->queue, d->queue + count, (d->count - count) * sizeof *group);
	d->count -= count;
	d->group = 0;
	if (d->count > 0) group_begin(w, proc);
	group_answer(w, proc, group, count);
	free(group);
}

void disk_crash(struct world *w, uint16_t proc)
{
	struct disk *d = &w->procs[proc].disk;
	uint64_t unsynced = store_mem_unsynced_bytes(d->store);
	uint64_t keep = prng_below(w->prng, 2) == 0 ? unsynced : 0;
	if (world_may(w, FAULT_TORN) && unsynced > 0) {
		keep = prng_below(w->prng, unsynced + 1);
		if (keep > 0 && keep < unsynced) w->fault_count[FAULT_TORN]++;
	}
	store_mem_crash(d->store, keep);
	d->count = d->group = 0;
}
