/* check.c - see check.h.
 *
 * The argument behind "accounts for": when siblings are merged, one goes only if the other side has
 * seen it, which it has because some write covered it; that write is a sibling or was covered in its
 * turn, and so on; the chain ends at a sibling of the merged object. So whoever sees the siblings of
 * a key sees, in them and their pasts, every write that the replicas asked had stored. Deletes blur
 * this: equal tombstones are shown once, under one dot, so a tombstone may stand for several. */
#include "tests/sim/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"

static bool fail(struct check_failure *out, const char *promise, uint32_t key, uint32_t write,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

static bool fail(struct check_failure *out, const char *promise, uint32_t key, uint32_t write,
                 const char *format, ...)
{
	*out = (struct check_failure){.promise = promise, .key = key, .write = write};
	va_list args;
	va_start(args, format);
	vsnprintf(out->text, sizeof out->text, format, args);
	va_end(args);
	return false;
}

/* A delete that may have been carried out, began before `until_us`, and covers `write`. */
static bool deleted_before(const struct history *h, uint32_t write, uint64_t until_us)
{
	const struct hist_write *v = &h->writes[write];
	for (uint32_t i = 0; i < h->by_key_count[v->key]; i++) {
		uint32_t id = h->by_key[v->key][i];
		const struct hist_write *d = &h->writes[id];
		if (d->began_us > until_us) return false;
		if (d->op != HIST_DELETE || d->outcome == HIST_NONE || id == write) continue;
		if (history_is_before(h, write, id)) return true;
		if (d->blind_delete && v->began_us <= d->ended_us) return true;
	}
	return false;
}

/* When a value dies is minted, and judged, by clocks that agree with most others; but most of them may be
 * half a minute off, and each follows others by ten seconds, and five more over a crash. */
#define CLOCKS_APART_US SECONDS(60)

static bool may_have_expired(const struct hist_write *w, uint64_t at_us)
{
	/* What it bears itself may be sooner: where most clocks known are wrong, so is its time of death. */
	bool soon = w->dies_us > 0 && at_us + CLOCKS_APART_US >= w->dies_us;
	return w->ttl_us > 0 && (soon || at_us + CLOCKS_APART_US >= w->began_us + w->ttl_us);
}

/* It has expired, or what covered it has. */
static bool expired_before(const struct history *h, uint32_t write, uint64_t until_us)
{
	const struct hist_write *v = &h->writes[write];
	if (may_have_expired(v, until_us)) return true;
	for (uint32_t i = v->place + 1; i < h->by_key_count[v->key]; i++) {
		uint32_t id = h->by_key[v->key][i];
		const struct hist_write *w = &h->writes[id];
		if (w->outcome != HIST_NONE && may_have_expired(w, until_us) &&
		    history_is_before(h, write, id))
			return true;
	}
	return false;
}

/* Does this view show `write`, or something that covered it? */
static bool accounts_for(const struct history *h, uint32_t shown, uint32_t write, uint64_t until_us)
{
	const struct hist_shown *s = &h->shown[shown];
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t seen = h->refs[s->first + i].write;
		if (seen == HIST_NOBODY) continue;
		if (seen == write || history_is_before(h, write, seen)) return true;
	}
	return deleted_before(h, write, until_us) || expired_before(h, write, until_us);
}

static bool shows(const struct history *h, uint32_t shown, uint32_t write)
{
	const struct hist_shown *s = &h->shown[shown];
	for (uint32_t i = 0; i < s->count; i++)
		if (h->refs[s->first + i].write == write) return true;
	return false;
}

static double seconds(uint64_t us)
{
	return (double)us / 1e6;
}

/* ---- P1 ----------------------------------------------------------------------------------- */

bool check_durable(const struct history *h, struct check_failure *out)
{
	for (uint32_t i = 0; i < h->write_count; i++) {
		const struct hist_write *w = &h->writes[i];
		bool minted = w->outcome == HIST_ACKED && w->dot.at.v != 0;
		if (minted && w->durable < w->promised)
			return fail(out, "P1", w->key, i,
			            "acknowledged at %.6f s, and on %u disks of %u that it promises",
			            seconds(w->ended_us), w->durable, w->promised);
	}
	return true;
}

/* ---- P2 ----------------------------------------------------------------------------------- */

static bool loss_in(const struct history *h, const struct hist_read *r, struct check_failure *out)
{
	for (uint32_t i = 0; i < h->by_key_count[r->key]; i++) {
		uint32_t id = h->by_key[r->key][i];
		const struct hist_write *w = &h->writes[id];
		if (w->op != HIST_PUT || w->outcome != HIST_ACKED || w->fragile) continue;
		if (w->ended_us > r->began_us) continue;
		if (!accounts_for(h, r->shown, id, r->ended_us))
			return fail(out, "P2", r->key, id,
			            "acknowledged at %.6f s, and at the end it is gone though no write whose "
			            "client had been shown it took its place",
			            seconds(w->ended_us));
	}
	return true;
}

bool check_no_loss(const struct history *h, struct check_failure *out)
{
	for (uint32_t i = 0; i < h->read_count; i++)
		if (h->reads[i].view != HIST_READ && !loss_in(h, &h->reads[i], out)) return false;
	return true;
}

/* ---- wrong coverage, and its reverse ------------------------------------------------------ */

static bool causality_in(const struct history *h, uint32_t shown, struct check_failure *out)
{
	const struct hist_shown *s = &h->shown[shown];
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t a = h->refs[s->first + i].write;
		for (uint32_t j = 0; a != HIST_NOBODY && j < s->count; j++) {
			uint32_t b = h->refs[s->first + j].write;
			if (b == HIST_NOBODY || i == j) continue;
			if (a == b) return fail(out, "P2", s->key, a, "shown twice in one answer");
			if (history_is_before(h, a, b))
				return fail(out, "P2", s->key, a, "shown beside write %u, whose client had seen it",
				            b);
		}
	}
	return true;
}

bool check_causality(const struct history *h, struct check_failure *out)
{
	if (h->dot_clash)
		return fail(out, "P2", h->writes[h->dot_clash_a].key, h->dot_clash_a,
		            h->dot_clash_a == h->dot_clash_b ? "it bears two dots (also %u)"
		                                             : "its dot is also that of write %u",
		            h->dot_clash_b);
	for (uint32_t i = 0; i < h->read_count; i++)
		if (!causality_in(h, h->reads[i].shown, out)) return false;
	for (uint32_t i = 0; i < h->stored_count; i++)
		if (!causality_in(h, h->stored[i].shown, out)) return false;
	return true;
}

/* ---- P3 ----------------------------------------------------------------------------------- */

/* An acknowledged write that had seen `write`, or nobody. */
static uint32_t covered_by(const struct history *h, uint32_t write)
{
	uint32_t key = h->writes[write].key;
	for (uint32_t i = h->writes[write].place + 1; i < h->by_key_count[key]; i++) {
		uint32_t id = h->by_key[key][i];
		const struct hist_write *w = &h->writes[id];
		if (w->outcome == HIST_ACKED && !w->fragile && history_is_before(h, write, id)) return id;
	}
	return HIST_NOBODY;
}

/* Was it gone in an earlier final view of its key? */
static bool was_gone(const struct history *h, uint32_t write)
{
	for (uint32_t i = 0; i < h->read_count; i++) {
		const struct hist_read *r = &h->reads[i];
		if (r->view == HIST_FINAL && r->key == h->writes[write].key && !shows(h, r->shown, write))
			return true;
	}
	return false;
}

/* Shown long after its time, in a final view: all clocks are right by then. (Not after the time that its
 * writer meant: where most of the clocks that a node knows are wrong, it takes a wrong one for right.) */
static bool is_overdue(const struct history *h, uint32_t write, uint64_t at_us)
{
	const struct hist_write *w = &h->writes[write];
	return w->dies_us > 0 && at_us > w->dies_us + CLOCKS_APART_US;
}

static bool expiry_in(const struct history *h, const struct hist_read *r, struct check_failure *out)
{
	const struct hist_shown *s = &h->shown[r->shown];
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t seen = h->refs[s->first + i].write;
		if (seen != HIST_NOBODY && is_overdue(h, seen, r->began_us))
			return fail(out, "P3", s->key, seen, "it was to live for %.0f s and is shown at %.6f s",
			            seconds(h->writes[seen].ttl_us), seconds(r->began_us));
	}
	return true;
}

static bool resurrection_in(const struct history *h, uint32_t shown, uint64_t at_us, bool again,
                            struct check_failure *out)
{
	const struct hist_shown *s = &h->shown[shown];
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t seen = h->refs[s->first + i].write;
		if (seen == HIST_NOBODY) continue;
		uint32_t by = covered_by(h, seen);
		if (by != HIST_NOBODY)
			return fail(out, "P3", s->key, seen,
			            "there at the end, though write %u, acknowledged at %.6f s, covered it", by,
			            seconds(h->writes[by].ended_us));
		/* A store keeps what has expired, as it is. */
		if (again && was_gone(h, seen) && !may_have_expired(&h->writes[seen], at_us))
			return fail(out, "P3", s->key, seen, "gone in one read of all replicas, then back");
	}
	return true;
}

bool check_no_resurrection(const struct history *h, struct check_failure *out)
{
	for (uint32_t i = 0; i < h->read_count; i++) {
		const struct hist_read *r = &h->reads[i];
		if (r->view == HIST_READ) continue;
		if (!expiry_in(h, r, out)) return false;
		if (!resurrection_in(h, r->shown, r->ended_us, r->view == HIST_FINAL_AGAIN, out))
			return false;
	}
	for (uint32_t i = 0; i < h->stored_count; i++)
		if (!h->stored[i].before_reads &&
		    !resurrection_in(h, h->stored[i].shown, h->stored[i].at_us, true, out))
			return false;
	return true;
}

/* ---- P4 ----------------------------------------------------------------------------------- */

bool check_convergence(const struct history *h, struct check_failure *out)
{
	for (uint32_t i = 0; i < h->stored_count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			const struct hist_stored *a = &h->stored[i], *b = &h->stored[j];
			if (a->key != b->key || a->digest == b->digest) continue;
			if (a->before_reads || b->before_reads) continue;
			return fail(out, "P4", a->key, HIST_NOBODY,
			            "replicas %u and %u hold different siblings (%u and %u of them)",
			            b->replica, a->replica, h->shown[b->shown].count, h->shown[a->shown].count);
		}
	}
	return true;
}

/* How many replicas were looked into before the reads, and how many of those have `write`? */
static uint32_t count_delivered(const struct history *h, uint32_t write, uint32_t *looked)
{
	uint32_t have = 0;
	*looked = 0;
	for (uint32_t i = 0; i < h->stored_count; i++) {
		const struct hist_stored *s = &h->stored[i];
		if (!s->before_reads || s->key != h->writes[write].key) continue;
		++*looked;
		have += accounts_for(h, s->shown, write, s->at_us);
	}
	return have;
}

bool check_delivered(const struct history *h, struct check_failure *out)
{
	for (uint32_t id = 0; id < h->write_count; id++) {
		const struct hist_write *w = &h->writes[id];
		if (w->op != HIST_PUT || w->outcome != HIST_ACKED) continue;
		uint32_t looked, have = count_delivered(h, id, &looked);
		if (have == looked) continue;
		return fail(out, "P4", w->key, id,
		            "acknowledged at %.6f s, all came to rest, and only %u of %u replicas have it",
		            seconds(w->ended_us), have, looked);
	}
	return true;
}

/* ---- P5 ----------------------------------------------------------------------------------- */

static bool quorum_in(const struct history *h, const struct hist_read *r, struct check_failure *out)
{
	for (uint32_t i = 0; i < h->by_key_count[r->key]; i++) {
		uint32_t id = h->by_key[r->key][i];
		const struct hist_write *w = &h->writes[id];
		if (w->began_us > r->began_us) return true;
		if (w->op != HIST_PUT || w->outcome != HIST_ACKED || w->ended_us >= r->began_us) continue;
		if (r->pr + w->pw <= h->replicas_n) continue;
		if (!accounts_for(h, r->shown, id, r->ended_us))
			return fail(out, "P5", r->key, id,
			            "acknowledged with pw=%u at %.6f s; a read with pr=%u from %.6f s to "
			            "%.6f s shows neither it nor a successor",
			            w->pw, seconds(w->ended_us), r->pr, seconds(r->began_us),
			            seconds(r->ended_us));
	}
	return true;
}

bool check_quorum(const struct history *h, struct check_failure *out)
{
	for (uint32_t i = 0; i < h->read_count; i++)
		if (h->reads[i].pr > 0 && !quorum_in(h, &h->reads[i], out)) return false;
	return true;
}

/* ---- sessions ----------------------------------------------------------------------------- */

/* A tombstone that was shown may have been reaped; what it covered may not be there then. */
static bool may_be_reaped(const struct history *h, uint32_t shown, uint32_t write)
{
	const struct hist_shown *s = &h->shown[shown];
	if (h->writes[write].op != HIST_DELETE) return false;
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t seen = h->refs[s->first + i].write;
		if (seen != HIST_NOBODY && history_is_before(h, seen, write)) return false;
	}
	return true;
}

/* It was on one disk only, as far as anybody was told, and this run spoils one. */
static bool may_be_lost(const struct history *h, uint32_t write)
{
	const struct hist_write *w = &h->writes[write];
	return w->fragile || (h->disks_fail && w->outcome != HIST_ACKED);
}

static bool session_in(const struct history *h, const struct hist_read *r,
                       struct check_failure *out)
{
	const struct hist_shown *s = &h->shown[r->at_least];
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t id = h->refs[s->first + i].write;
		if (id == HIST_NOBODY || accounts_for(h, r->shown, id, r->ended_us)) continue;
		if (may_be_reaped(h, r->shown, id) || may_be_lost(h, id)) continue;
		return fail(out, "session", r->key, id,
		            "a read from %.6f s to %.6f s names the context that it was shown with, and "
		            "shows neither it nor a successor",
		            seconds(r->began_us), seconds(r->ended_us));
	}
	return true;
}

bool check_sessions(const struct history *h, struct check_failure *out)
{
	for (uint32_t i = 0; i < h->read_count; i++)
		if (h->reads[i].at_least != HIST_NOTHING && !session_in(h, &h->reads[i], out)) return false;
	return true;
}

/* ---- P7 ----------------------------------------------------------------------------------- */

bool check_honest(const struct history *h, struct check_failure *out)
{
	for (uint32_t i = 0; i < h->write_count; i++) {
		const struct hist_write *w = &h->writes[i];
		if (w->outcome == HIST_NONE && w->appeared)
			return fail(out, "P7", w->key, i,
			            "answered at %.6f s that nothing was stored, yet it was shown",
			            seconds(w->ended_us));
	}
	for (uint32_t i = 0; i < h->read_count; i++) {
		const struct hist_shown *s = &h->shown[h->reads[i].shown];
		for (uint32_t j = 0; j < s->count; j++) {
			uint32_t id = h->refs[s->first + j].write;
			if (id != HIST_NOBODY && h->writes[id].began_us > h->reads[i].ended_us)
				return fail(out, "P7", s->key, id, "shown before it was written");
		}
	}
	return true;
}

bool check_all(const struct history *h, struct check_failure *out)
{
	return check_durable(h, out) && check_no_loss(h, out) && check_causality(h, out) &&
	       check_no_resurrection(h, out) && check_convergence(h, out) && check_delivered(h, out) &&
	       check_quorum(h, out) && check_sessions(h, out) && check_honest(h, out);
}
