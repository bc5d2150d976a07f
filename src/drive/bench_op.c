/* bench_op.c - one operation: which, and what became of it.
 *
 * A write replaces what its client saw, as a client does that read the key before: it carries the
 * context of the key's last answer. The generator knows when that is not everything (two of its own
 * writes passed each other, one was lost, the key was never read) and makes the next operation on such
 * a key a read, whatever it was meant to be; so no key collects siblings. With blind writes it does
 * not ask, and they collect. */
#include <string.h>

#include "base/panic.h"
#include "drive/bench.h"

static struct bench_key *key_of(const struct bench *b, const struct bench_op *op)
{
	return b->keys == NULL ? NULL : &b->keys[op->key];
}

/* The load reads every key, if contexts are wanted, and then writes every key. */
static void draw_load(const struct bench *b, struct bench_op *op)
{
	uint64_t keys = b->options->keys;
	op->key = b->issued % keys;
	op->kind = b->keys != NULL && b->issued < keys ? BENCH_GET : BENCH_PUT;
}

struct bench_op bench_op_draw(struct bench *b, uint64_t start_ns)
{
	struct bench_op op = {.start_ns = start_ns, .kind = BENCH_PUT};
	if (b->phase == BENCH_LOAD) {
		draw_load(b, &op);
	} else {
		op.key = bench_keys_next(&b->draw, &b->prng);
		if (prng_below(&b->prng, 100) < b->options->read_percent) op.kind = BENCH_GET;
	}
	op.measured = b->phase == BENCH_MEASURE && start_ns >= b->tally->start_ns;
	struct bench_key *k = key_of(b, &op);
	if (k != NULL && op.kind == BENCH_PUT && !k->covered && b->phase != BENCH_LOAD)
		op.kind = BENCH_GET;
	if (k != NULL && op.kind == BENCH_PUT) {
		if (k->writes > 0) k->covered = false;
		k->writes++;
	}
	b->issued++;
	b->in_flight++;
	return op;
}

void bench_op_learn(struct bench *b, const struct bench_op *op, const struct bench_answer *a)
{
	struct bench_key *k = key_of(b, op);
	bool shown = a->status < 400 || a->status == 404;
	if (k == NULL || !shown) return;
	bool alone = k->writes == (op->kind == BENCH_PUT ? 1 : 0);
	bool fits = a->context.len <= BENCH_CONTEXT_CHARS_MAX;
	/* A read shows all there is; a write only adds to what was known before. */
	if (op->kind == BENCH_GET)
		k->covered = alone && fits;
	else if (!fits)
		k->covered = false;
	if (!fits) return;
	k->context_chars = (uint8_t)a->context.len;
	if (a->context.len > 0) memcpy(k->context, a->context.data, a->context.len);
}

/* The operation is no longer on its way. */
static void end(struct bench *b, const struct bench_op *op, bool good)
{
	struct bench_key *k = key_of(b, op);
	assert(b->in_flight > 0);
	b->in_flight--;
	if (!good) b->failed++;
	if (k == NULL || op->kind != BENCH_PUT) return;
	assert(k->writes > 0);
	k->writes--;
	/* It may be stored, or not. */
	if (!good) k->covered = false;
}

void bench_op_answered(struct bench *b, const struct bench_op *op, unsigned status, uint64_t now_ns)
{
	struct bench_tally *t = b->tally;
	bool absent = op->kind == BENCH_GET && status == 404;
	bool good = status < 400 || absent;
	uint64_t took = now_ns > op->start_ns ? now_ns - op->start_ns : 0;
	assert(status < BENCH_STATUSES);
	end(b, op, good);
	if (good) bench_hist_add(b->second, took);
	if (b->phase == BENCH_MEASURE) {
		t->answered++;
		if (good) t->completed[op->kind]++;
	}
	if (!op->measured) return;
	if (good)
		bench_hist_add(&t->hist[op->kind], took);
	else
		t->statuses[status]++;
	if (absent) t->not_found++;
}

void bench_op_failed(struct bench *b, const struct bench_op *op, enum bench_error e)
{
	end(b, op, false);
	if (op->measured) b->tally->errors[e]++;
}
