/* fault_disk.c - faults of disks: see fault_parts.h.
 *
 * Full, slow and unreadable may be any disk; what it holds is there again when it is well. What spoils
 * what is held (rot, an older copy, reads that bring other bytes than were written) is a fault of one disk
 * in a run, as a second copy must be left; so is the loss of a node (fault_proc.c), and it is the same disk. */
#include "tests/sim/fault_parts.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/panic.h"
#include "store/store_mem.h"
#include "tests/sim/proc.h"
#include "tests/sim/trace.h"

/* ---- for a while ---------------------------------------------------------------------------- */

static void strike_full(struct world *w)
{
	uint16_t proc = fault_any_proc(w);
	struct disk *d = &w->procs[proc].disk;
	trace_strike(w, FAULT_FULL, "%s", w->procs[proc].name);
	d->full++;
	store_mem_set_full(d->store, true);
	fault_until(w, (struct trouble){.kind = FAULT_FULL, .a = proc}, world_about(w, SECONDS(6)));
}

static void strike_slow(struct world *w)
{
	uint16_t proc = fault_any_proc(w);
	uint32_t factor = (uint32_t)world_between(w, 10, 400);
	trace_strike(w, FAULT_SLOWDISK, "%s, by a factor of %u", w->procs[proc].name, factor);
	w->procs[proc].disk.slow_factor = factor;
	fault_until(w, (struct trouble){.kind = FAULT_SLOWDISK, .a = proc}, world_about(w, SECONDS(6)));
	w->fault_count[FAULT_SLOWDISK]++;
}

/* Some reads and scans fail, or all of them; what is on the disk is sound. */
static void strike_unreadable(struct world *w)
{
	uint16_t proc = fault_any_proc(w);
	uint32_t ppm = prng_below(w->prng, 3) == 0 ? 1000000 : (uint32_t)world_between(w, 1000, 300000);
	trace_strike(w, FAULT_READERR, "%s: %u reads in a million fail", w->procs[proc].name, ppm);
	w->procs[proc].disk.error_ppm = ppm;
	fault_until(w, (struct trouble){.kind = FAULT_READERR, .a = proc}, world_about(w, SECONDS(5)));
}

/* The next group commit is not known to be on the disk. The process ends, whatever is on it. */
static void strike_sync(struct world *w)
{
	uint16_t proc = fault_any_proc(w);
	trace_strike(w, FAULT_SYNCERR, "%s", w->procs[proc].name);
	w->procs[proc].disk.sync_fails = true;
}

/* ---- what is held is spoiled ---------------------------------------------------------------- */

static void strike_misread(struct world *w)
{
	struct disk *d = &w->procs[w->bad_disk].disk;
	d->misread_ppm = (uint32_t)world_between(w, 1000, 300000);
	trace_strike(w, FAULT_MISREAD, "%s: %u records in a million read as damaged",
	             w->procs[w->bad_disk].name, d->misread_ppm);
	fault_until(w, (struct trouble){.kind = FAULT_MISREAD, .a = w->bad_disk},
	            world_about(w, SECONDS(3)));
}

static void strike_rot(struct world *w)
{
	struct bytes key = {NULL, 0};
	enum store_family family = prng_below(w->prng, 4) == 0 ? STORE_HINTS : STORE_OBJECTS;
	uint64_t which = prng_next(w->prng);
	if (!store_mem_rot(w->procs[w->bad_disk].disk.store, family, which, &key)) return;
	if (family == STORE_OBJECTS && key.len > 8)
		trace_key(w, (struct bytes){key.data + 8, key.len - 8}, "%s: the record rots",
		          w->procs[w->bad_disk].name);
	if (family == STORE_HINTS)
		trace_strike(w, FAULT_ROT, "%s: the record of a hint", w->procs[w->bad_disk].name);
	w->fault_count[FAULT_ROT]++;
}

/* What `proc` remembers, durably, of a disk's beats: the record `memory` of docs/WIRE.md. */
static uint64_t beat_of(struct store *s, struct node_id whose)
{
	struct bytes value;
	void *handle;
	if (store_read(s, STORE_META, BYTES("memory"), false, &value, &handle) != ERR_OK) return 0;
	struct cursor c = cursor_of(value);
	uint32_t fields = cursor_array(&c, UINT32_MAX);
	uint64_t own = cursor_uint(&c, UINT64_MAX), found = whose.v == 0 ? own : 0;
	for (uint32_t i = 1; i + 1 < fields; i += 2) {
		bool its = cursor_uint(&c, UINT64_MAX) == whose.v;
		uint64_t beat = cursor_uint(&c, UINT64_MAX);
		if (its) found = beat;
	}
	store_release(handle);
	return found;
}

/* Would so many of the others find the copy out that the rest cannot confirm it? That is the model: a
 * copy so fresh that nobody has heard more of the node since is as good as its disk. */
static bool copy_is_known_as_old(struct world *w)
{
	struct node_id id = w->procs[w->bad_disk].id;
	uint64_t beat = beat_of(w->old_copy, (struct node_id){0});
	uint32_t ignorant = 0;
	if (id.v == 0) return false;
	for (uint16_t i = 0; i < w->options.nodes; i++)
		if (i != w->bad_disk) ignorant += beat_of(w->procs[i].disk.store, id) <= beat;
	return 2 * (1 + ignorant) <= w->options.nodes;
}

/* Without one it would be another node that starts. */
static bool has_identity(struct store *s)
{
	struct bytes value;
	void *handle;
	if (store_read(s, STORE_META, BYTES("identity"), false, &value, &handle) != ERR_OK)
		return false;
	store_release(handle);
	return true;
}

static void strike_old_copy(struct world *w)
{
	struct proc *p = &w->procs[w->bad_disk];
	if (w->old_copy == NULL) {
		if (!has_identity(p->disk.store)) return;
		w->old_copy = store_mem_clone(p->disk.store);
		assert(w->old_copy != NULL);
		trace_strike(w, FAULT_OLDCOPY, "the disk of %s is copied", p->name);
		return;
	}
	uint64_t restart_us = world_between(w, MS(1), SECONDS(5));
	bool again = prng_below(w->prng, 2) == 0; /* it may come back once more */
	if (!copy_is_known_as_old(w)) return;
	if (p->state != PROC_DOWN) proc_crash(w, w->bad_disk, restart_us);
	trace_strike(w, FAULT_OLDCOPY, "the disk of %s is an old copy now", p->name);
	store_mem_restore(p->disk.store, w->old_copy);
	w->fault_count[FAULT_OLDCOPY]++;
	if (again) return;
	store_close(w->old_copy);
	w->old_copy = NULL;
}

/* ---- striking and ending -------------------------------------------------------------------- */

void fault_disk_strike(struct world *w, enum fault_kind kind)
{
	bool spoils = (FAULT_BIT(kind) & FAULTS_OF_ONE_DISK) != 0;
	if (spoils && w->history.replicas_n < 2) return;
	switch (kind) {
	case FAULT_FULL: strike_full(w); break;
	case FAULT_SLOWDISK: strike_slow(w); break;
	case FAULT_READERR: strike_unreadable(w); break;
	case FAULT_SYNCERR: strike_sync(w); break;
	case FAULT_MISREAD: strike_misread(w); break;
	case FAULT_ROT: strike_rot(w); break;
	case FAULT_OLDCOPY: strike_old_copy(w); break;
	default: unreachable();
	}
}

void fault_disk_end(struct world *w, const struct trouble *t)
{
	struct disk *d = &w->procs[t->a].disk;
	switch (t->kind) {
	case FAULT_FULL:
		if (--d->full == 0) store_mem_set_full(d->store, false);
		break;
	case FAULT_SLOWDISK: d->slow_factor = 1; break;
	case FAULT_READERR: d->error_ppm = 0; break;
	case FAULT_MISREAD: d->misread_ppm = 0; break;
	default: unreachable();
	}
}

void fault_disk_heal(struct world *w, uint16_t proc)
{
	struct disk *d = &w->procs[proc].disk;
	d->full = d->error_ppm = d->misread_ppm = 0;
	d->sync_fails = false;
	d->slow_factor = 1;
	store_mem_set_full(d->store, false);
}
