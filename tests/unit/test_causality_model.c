/* test_causality_model.c - the rules of causality against true causal pasts.
 *
 * A generated history has replicas of one key, clients with the contexts they were given, and copies
 * of objects on their way. Beside the real bytes runs the truth: each write has a past, the set of all
 * writes that its client had been shown, directly or through what it was shown; each state has the set
 * of writes that it has had or that its writers had been shown.
 *
 *   true siblings of a state = what it knows, less the pasts of all it knows
 *
 * C1  a true sibling is always there: nothing goes but by a write whose client had been shown it;
 * C2  without ?vtag= answers nothing else is there; with them, nothing else once all have merged
 *     (the context of one sibling names that sibling and not its past).
 *
 * The rules are then broken one by one, to see that each is needed and that this test sees it.
 *
 *   test_causality_model [SEED]     only this seed */
#include <setjmp.h>
#include <stdarg.h>

#include "core/context.h"
#include "tests/unit/test_core_util.h"

#include <cmocka.h>

enum {
	REPLICAS_MOST = 4,
	TOKENS = 6, /* contexts that clients hold */
	COPIES = 6, /* objects on their way */
	WRITES = 40,
	STEPS = 90,
	BYTES_MOST = 8192,
	HISTORIES = 2500
};
static_assert(WRITES <= 64, "a set of writes is 64 bits");

enum rule {
	RULES_KEPT,
	WRITE_ANSWERS_EVERYTHING,    /* a context covers siblings that its client never saw */
	VTAG_ANSWERS_EVERYTHING,     /* so does this one */
	OWN_DOT_FOLDED_INTO_CONTEXT, /* it covers earlier dots of that actor */
	ACTOR_KEPT_AFTER_LOSS,       /* the next dot covers the lost one, which others may hold */
	BARE_DOT_SENT,               /* a replica folds it, and covers one of that actor it missed */
	MERGE_KEEPS_BOTH,            /* what was covered comes back */
	RULE_COUNT
};

/* The truth about a state and its bytes. */
struct copy {
	uint64_t known;
	size_t len;
	uint8_t bytes[BYTES_MOST];
};

struct token {
	uint64_t shown;
	size_t len;
	uint8_t bytes[CONTEXT_BYTES_MAX];
};

struct replica {
	struct copy state, durable;
	struct actor_id actor;
	uint64_t last; /* of its clock */
};

struct model {
	struct prng prng;
	enum rule broken;
	bool vtags, losses;
	uint32_t replicas;
	struct replica replica[REPLICAS_MOST];
	struct token token[TOKENS];
	struct copy copy[COPIES];
	uint64_t past[WRITES]; /* of each write */
	struct dot dot[WRITES];
	uint32_t writes;
	uint64_t actors;
	const char *wrong; /* the first thing that was */
	uint32_t step;
};

static struct room room;
static const uint8_t secret[16] = "sixteen secrets";

static uint64_t chance(struct model *m, uint64_t below)
{
	return prng_below(&m->prng, below);
}

/* ---- the truth ----------------------------------------------------------------------------------- */

static uint64_t true_siblings(const struct model *m, uint64_t known)
{
	uint64_t covered = 0;
	for (uint32_t w = 0; w < m->writes; w++)
		if ((known >> w & 1) != 0) covered |= m->past[w];
	return known & ~covered;
}

static uint64_t write_of(const struct model *m, struct dot d)
{
	for (uint32_t w = 0; w < m->writes; w++)
		if (dot_equal(m->dot[w], d)) return 1ULL << w;
	unreachable();
}

static uint64_t writes_of(const struct model *m, const struct object *o)
{
	uint64_t set = 0;
	for (uint32_t i = 0; i < o->sibling_count; i++) set |= write_of(m, o->siblings[i].dot);
	return set;
}

static void judge(struct model *m, const struct object *o, uint64_t known, bool exact)
{
	uint64_t expected = true_siblings(m, known), there = writes_of(m, o);
	if (m->wrong != NULL) return;
	if ((expected & ~there) != 0) m->wrong = "C1: a value went that nobody had overwritten";
	if (exact && (there & ~expected) != 0) m->wrong = "C2: a value is there that was overwritten";
}

/* ---- bytes --------------------------------------------------------------------------------------- */

static struct object object_in(const struct copy *c)
{
	struct object o;
	enum err e = object_decode(&room.arena, bytes_of(c->bytes, c->len), &o);
	assert_int_equal(e, ERR_OK);
	return o;
}

static void put_object(struct copy *to, const struct object *o, uint64_t known)
{
	struct bytes b = BYTES_EMPTY;
	if (o->sibling_count > 0) assert_true(object_encode(&room.arena, o, &b));
	assert_true(b.len <= sizeof to->bytes);
	*to = (struct copy){.known = known, .len = b.len};
	if (b.len > 0) memcpy(to->bytes, b.data, b.len);
}

static void keep(struct model *m, struct copy *to, const struct object *o, uint64_t known)
{
	judge(m, o, known, !m->vtags);
	put_object(to, o, known);
}

/* Some client keeps a context. */
static void give(struct model *m, const struct dvv *shown, uint64_t writes)
{
	struct token *t = &m->token[chance(m, TOKENS)];
	struct bytes b;
	assert_true(context_seal(&room.arena, secret, BYTES("k"), shown, &b));
	assert_true(b.len <= sizeof t->bytes);
	*t = (struct token){.shown = writes, .len = b.len};
	memcpy(t->bytes, b.data, b.len);
}

/* Some client sends one back, or none. Stale ones are sent as readily as fresh ones. */
static uint64_t some_context(struct model *m, struct dvv *context)
{
	const struct token *t = &m->token[chance(m, TOKENS)];
	*context = (struct dvv){0};
	if (chance(m, 5) == 0) return 0;
	struct bytes b = bytes_of(t->bytes, t->len);
	assert_int_equal(context_open(&room.arena, secret, BYTES("k"), b, context), ERR_OK);
	return t->shown;
}

/* ---- what the system does --------------------------------------------------------------------------- */

static struct object merge(struct model *m, const struct object *x, const struct object *y)
{
	struct object out;
	assert_true(object_merge(&room.arena, x, y, &out));
	if (m->broken != MERGE_KEEPS_BOTH) return out;
	/* Keeps what only one side has, though the other has seen it. */
	struct sibling *all =
		arena_take(&room.arena, (x->sibling_count + y->sibling_count + 1) * sizeof *all);
	out.siblings = all;
	out.sibling_count = 0;
	for (uint32_t i = 0, j = 0; i < x->sibling_count || j < y->sibling_count;) {
		int order = i == x->sibling_count   ? 1
		            : j == y->sibling_count ? -1
		                                    : dot_compare(x->siblings[i].dot, y->siblings[j].dot);
		all[out.sibling_count++] = order <= 0 ? x->siblings[i] : y->siblings[j];
		i += order <= 0;
		j += order >= 0;
	}
	return out;
}

static struct dot mint(struct model *m, struct replica *r, const struct object *state,
                       const struct dvv *context)
{
	uint64_t above = r->last, seen = dvv_greatest(&state->seen).at.v;
	uint64_t shown = dvv_greatest(context).at.v;
	if (seen > above) above = seen;
	if (shown > above) above = shown;
	r->last = above + 1 + chance(m, 2);
	return (struct dot){r->actor, {r->last}};
}

static void draw_actor(struct model *m, struct replica *r)
{
	r->actor.v = 1 + (m->actors++ * 7919) % 10007;
}

/* A write's answer: what it showed and its own dot; everything, if its sibling is the only one or all
 * came back with the answer. */
static void answer_write(struct model *m, const struct object *made, const struct copy *state,
                         const struct dvv *context, uint32_t w)
{
	struct dvv shown;
	bool all_came_back = chance(m, 4) == 0;
	if (all_came_back || made->sibling_count == 1) {
		give(m, &made->seen, state->known);
		return;
	}
	uint64_t writes = m->past[w] | 1ULL << w;
	if (m->broken == WRITE_ANSWERS_EVERYTHING) {
		give(m, &made->seen, writes);
		return;
	}
	struct dvv own = {.vector = &m->dot[w], .vector_count = 1};
	if (m->broken == OWN_DOT_FOLDED_INTO_CONTEXT)
		assert_true(dvv_join(&room.arena, context, &own, &shown));
	else
		assert_true(dvv_add(&room.arena, context, m->dot[w], &shown));
	give(m, &shown, writes);
}

/* On its way to the others: the whole object, or (broken) the bare dot, to be folded there. */
static void send(struct model *m, const struct object *made, uint64_t known, uint32_t w)
{
	struct copy *c = &m->copy[chance(m, COPIES)];
	if (m->broken != BARE_DOT_SENT) {
		put_object(c, made, known);
		return;
	}
	struct object bare = {.seen = {.vector = &m->dot[w], .vector_count = 1}, .sibling_count = 1};
	for (uint32_t i = 0; i < made->sibling_count; i++)
		if (dot_equal(made->siblings[i].dot, m->dot[w])) bare.siblings = &made->siblings[i];
	put_object(c, &bare, 1ULL << w);
}

static void do_write(struct model *m, struct replica *r)
{
	if (m->writes == WRITES) return;
	struct object state = object_in(&r->state), made;
	struct dvv context;
	uint32_t w = m->writes;
	m->past[w] = some_context(m, &context);
	if (chance(m, 8) == 0) { /* a DELETE without a context covers what is there */
		context = state.seen;
		m->past[w] = r->state.known;
	}
	m->dot[w] = mint(m, r, &state, &context);
	m->writes++;
	struct sibling s = {.dot = m->dot[w], .tombstone = chance(m, 6) == 0};
	if (!s.tombstone) s.value = bytes_of(&"abc"[chance(m, 3)], 1); /* equal values are common */
	assert_true(object_write(&room.arena, &state, &context, &s, &made));
	struct copy next;
	keep(m, &next, &made, r->state.known | m->past[w] | 1ULL << w);
	send(m, &made, next.known, w);
	answer_write(m, &made, &next, &context, w);
	bool failed = m->losses && chance(m, 6) == 0; /* its own store did, after the sends */
	if (!failed) r->state = next;
	if (failed && m->broken != ACTOR_KEPT_AFTER_LOSS) draw_actor(m, r);
}

static void do_read(struct model *m)
{
	struct object all = {0};
	uint64_t known = 0;
	for (uint64_t i = 0, n = 1 + chance(m, m->replicas); i < n; i++) {
		const struct copy *c = &m->replica[chance(m, m->replicas)].state;
		struct object o = object_in(c);
		all = merge(m, &all, &o);
		known |= c->known;
	}
	judge(m, &all, known, !m->vtags);
	if (all.sibling_count == 0) return;
	if (!m->vtags || chance(m, 2) == 0) {
		give(m, &all.seen, known);
		return;
	}
	struct dot d = all.siblings[chance(m, all.sibling_count)].dot;
	struct dvv just = {.dots = &d, .dot_count = 1};
	uint64_t one = write_of(m, d);
	uint64_t shown = one | m->past[__builtin_ctzll(one)];
	give(m, m->broken == VTAG_ANSWERS_EVERYTHING ? &all.seen : &just, shown);
}

static void take_in(struct model *m, struct replica *r, const struct copy *c)
{
	if (c->len == 0) return;
	struct object ours = object_in(&r->state), theirs = object_in(c);
	struct object both = merge(m, &ours, &theirs);
	keep(m, &r->state, &both, r->state.known | c->known);
}

/* It comes back with what was durable, and with another actor. */
static void do_crash(struct model *m, struct replica *r)
{
	r->state = r->durable;
	if (m->broken != ACTOR_KEPT_AFTER_LOSS) draw_actor(m, r);
}

static void do_step(struct model *m)
{
	struct replica *r = &m->replica[chance(m, m->replicas)];
	switch (chance(m, 10)) {
	case 0:
	case 1:
	case 2:
	case 3: do_write(m, r); break;
	case 4:
	case 5: do_read(m); break;
	case 6:
	case 7: take_in(m, r, &m->copy[chance(m, COPIES)]); break;
	case 8: take_in(m, r, &m->replica[chance(m, m->replicas)].state); break;
	default:
		if (!m->losses)
			draw_actor(m, r); /* a restart that lost nothing */
		else if (chance(m, 3) == 0)
			do_crash(m, r);
		else
			r->durable = r->state;
	}
}

/* Everything that is anywhere meets. */
static void merge_all(struct model *m)
{
	struct object all = {0};
	uint64_t known = 0;
	for (uint32_t i = 0; i < m->replicas + COPIES; i++) {
		const struct copy *c = i < m->replicas ? &m->replica[i].state : &m->copy[i - m->replicas];
		struct object o = object_in(c);
		all = merge(m, &all, &o);
		known |= c->known;
	}
	judge(m, &all, known, !m->vtags || !m->losses);
}

static void run(struct model *m, uint64_t seed, enum rule broken)
{
	memset(m, 0, sizeof *m);
	prng_seed(&m->prng, seed);
	m->broken = broken;
	m->replicas = 2 + (uint32_t)chance(m, REPLICAS_MOST - 1);
	m->vtags = chance(m, 2) == 0;
	m->losses = chance(m, 2) == 0;
	for (uint32_t i = 0; i < m->replicas; i++) draw_actor(m, &m->replica[i]);
	struct arena_mark mark = arena_mark(&room.arena);
	for (m->step = 0; m->step < STEPS && m->wrong == NULL; m->step++) {
		do_step(m);
		arena_release(&room.arena, mark);
	}
	if (m->wrong == NULL) merge_all(m);
	arena_release(&room.arena, mark);
}

/* ---- the tests --------------------------------------------------------------------------------------- */

static uint64_t only_seed;
static struct model model;

static void what_goes_was_shown_to_a_later_writer_and_what_was_shown_goes(void **state)
{
	(void)state;
	uint64_t first = only_seed > 0 ? only_seed : 1;
	uint64_t last = only_seed > 0 ? only_seed : HISTORIES;
	for (uint64_t seed = first; seed <= last; seed++) {
		run(&model, seed, RULES_KEPT);
		if (model.wrong != NULL)
			fail_msg("seed %llu, step %u: %s", (unsigned long long)seed, model.step, model.wrong);
	}
}

static const char *first_wrong(enum rule broken)
{
	for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
		run(&model, seed, broken);
		if (model.wrong != NULL) return model.wrong;
	}
	return "nothing was wrong";
}

static void each_rule_is_needed_and_breaking_it_is_seen(void **state)
{
	(void)state;
	static const char *const loses[RULE_COUNT] = {
		[WRITE_ANSWERS_EVERYTHING] = "C1",
		[VTAG_ANSWERS_EVERYTHING] = "C1",
		[OWN_DOT_FOLDED_INTO_CONTEXT] = "C1",
		[ACTOR_KEPT_AFTER_LOSS] = "C1",
		[BARE_DOT_SENT] = "C1",
		[MERGE_KEEPS_BOTH] = "C2",
	};
	for (unsigned rule = RULES_KEPT + 1; rule < RULE_COUNT; rule++) {
		const char *wrong = first_wrong((enum rule)rule);
		if (strncmp(wrong, loses[rule], 2) != 0) fail_msg("rule %u: %s", rule, wrong);
	}
}

static int open_room(void **state)
{
	(void)state;
	room_open(&room, MIB(16));
	return 0;
}

static int close_room(void **state)
{
	(void)state;
	room_close(&room);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1) only_seed = strtoull(argv[1], NULL, 10);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_was_shown_to_a_later_writer_and_what_was_shown_goes),
		cmocka_unit_test(each_rule_is_needed_and_breaking_it_is_seen),
	};
	return cmocka_run_group_tests(tests, open_room, close_room);
}
