/* choose.c - see choose.h. */
#include "tests/sim/choose.h"

uint8_t choose_quorum(const struct world *w, int16_t asked, uint8_t otherwise)
{
	uint8_t n = (uint8_t)w->history.replicas_n;
	switch (asked) {
	case QUORUM_DEFAULT: return otherwise;
	case QUORUM_ONE: return 1;
	case QUORUM_QUORUM: return (uint8_t)(n / 2 + 1);
	case QUORUM_ALL: return n;
	default: return (uint8_t)asked;
	}
}

struct request_options choose_options(struct world *w)
{
	struct request_options o = REQUEST_OPTIONS_DEFAULT;
	uint64_t style = prng_below(w->prng, 20);
	if (style < 4)
		o.r = o.w = 1;
	else if (style < 7)
		o.r = o.w = QUORUM_ALL;
	else if (style < 12)
		o.pr = o.pw = QUORUM_QUORUM;
	else if (style == 12)
		o.pr = QUORUM_ALL;
	else if (style == 13)
		o.pw = QUORUM_ALL;
	if (prng_below(w->prng, 4) == 0) {
		o.notfound_ok = (int8_t)prng_below(w->prng, 2);
		o.basic_quorum = (int8_t)prng_below(w->prng, 2);
	}
	/* Also shorter than it takes to be hinted. */
	bool hasty = prng_below(w->prng, 5) == 0;
	o.timeout_us =
		hasty ? world_between(w, MS(150), MS(500)) : world_between(w, MS(500), SECONDS(5));
	o.return_body = prng_below(w->prng, 4) == 0;
	return o;
}

/* What a put is to be conditional on. Naming what is there stands for its context, so the write is by
 * one who was shown just that; "nothing is there" by one who was shown nothing. */
uint8_t choose_condition(struct world *w, bool with_context, bool has_etag, bool has_context)
{
	uint64_t dice = prng_below(w->prng, 20);
	if (!with_context) return dice < 4 ? IF_NONE_MATCH_ANY : 0;
	if (dice < 2 && has_etag) return IF_MATCH_TAG;
	return dice == 2 && has_context && has_etag ? IF_CONTEXT : 0;
}

/* Some live for seconds, some for longer than the run: a clock that jumps must not end those. */
uint32_t choose_ttl_s(struct world *w, uint32_t key)
{
	if (key % 3 != 0) return 0;
	uint64_t dice = prng_below(w->prng, 16);
	return dice < 3 ? (uint32_t)world_between(w, 1, 20) : dice < 6 ? 3600 : 0;
}
