/* bounds.c - see bounds.h.
 *
 * What is kept for others is counted when it is durable, so what was on its way to the disk by then comes on
 * top: one write for each slot at most (limits.h). */
#include "tests/sim/bounds.h"

#include <stdio.h>

/* One write's object, and one hint, at most, in the simulator: values are below 20 KB, siblings are few, and
 * keys short. */
#define WRITE_BYTES_MAX KIB(256)
#define HINT_RECORD_BYTES 64

static uint64_t or_else(uint64_t value, uint64_t otherwise)
{
	return value != 0 ? value : otherwise;
}

struct bounds bounds_of(const struct node_config *c, uint64_t pool_bytes)
{
	struct bounds b = {.coord_slots = or_else(c->coord_slots, COORD_SLOTS_MAX),
	                   .replica_slots = or_else(c->replica_slots, REPLICA_SLOTS_MAX),
	                   .pool_bytes = pool_bytes};
	uint64_t writes = b.coord_slots + b.replica_slots;
	uint64_t hints = b.coord_slots * or_else(c->replicas, REPLICAS_DEFAULT);
	b.hints = or_else(c->hints_max, EXTRA_HINTS_MAX) + hints;
	b.hint_bytes = or_else(c->hint_bytes_max, HINT_BYTES_MAX) + hints * HINT_RECORD_BYTES;
	b.stand_ins = or_else(c->stand_ins_max, STAND_INS_MAX) + writes;
	b.stand_in_bytes =
		or_else(c->stand_in_bytes_max, STAND_IN_BYTES_MAX) + writes * WRITE_BYTES_MAX;
	return b;
}

static bool fail(struct check_failure *out, const char *whose, const char *what, uint64_t held,
                 uint64_t most)
{
	*out = (struct check_failure){.promise = "P8", .key = HIST_NOBODY, .write = HIST_NOBODY};
	snprintf(out->text, sizeof out->text, "%s: %s: %llu, and at most %llu are allowed", whose, what,
	         (unsigned long long)held, (unsigned long long)most);
	return false;
}

bool check_bounds(const struct bounds *b, const char *node, const struct node_metrics *m,
                  struct check_failure *out)
{
	const struct {
		const char *what;
		uint64_t held, most;
	} rows[] = {
		{"requests of clients in flight", m->coord_slots_used, b->coord_slots},
		{"requests of peers in flight", m->replica_slots_used, b->replica_slots},
		{"keys in flight", m->keys_in_flight, b->coord_slots + b->replica_slots + HINT_SLOTS_MAX},
		{"bytes of requests in flight", m->pool_bytes_used, b->pool_bytes},
		{"hints", m->hints, b->hints},
		{"bytes of hints", m->hint_bytes, b->hint_bytes},
		{"stand-in copies", m->stand_ins, b->stand_ins},
		{"bytes of stand-in copies", m->stand_in_bytes, b->stand_in_bytes},
		{"buckets with properties", m->props_buckets, PROPS_BUCKETS_MAX},
		{"bytes a second in the background", m->background_bytes_per_s, BACKGROUND_BYTES_PER_S},
	};
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].held > rows[i].most)
			return fail(out, node, rows[i].what, rows[i].held, rows[i].most);
	return true;
}

bool check_reply_bounds(const struct reply *r, struct check_failure *out)
{
	if (r->context.len > CONTEXT_BYTES_MAX)
		return fail(out, "an answer", "bytes of its context", r->context.len, CONTEXT_BYTES_MAX);
	if (r->sibling_count > SIBLINGS_DECODE_MAX)
		return fail(out, "an answer", "siblings", r->sibling_count, SIBLINGS_DECODE_MAX);
	return true;
}
