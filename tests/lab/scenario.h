/* scenario.h - what clients do in ten minutes, and what goes wrong meanwhile.
 *
 *   cold_rewrite  10 writes a second to the hot keys (one in fifty, at least twenty), and in the middle
 *                 third of the time 25 a second to any key
 *   idle          20 a second to any key for a minute, then one in ten seconds
 *   outage        20 a second, zipf 0.9; nothing passes the link from 150 to 350 s
 *   skew          30 a second, zipf 1.3; the second node's clock is 1.5 s ahead
 *
 * Each write is taken by a node at random, and replaces what that node holds. Reads are not played:
 * which part of them would be stale is known at each moment (gauge.c). 95 % of them are of any key, 5 %
 * of keys as they are being written. */
#ifndef DUNLIN_LAB_SCENARIO_H
#define DUNLIN_LAB_SCENARIO_H

#include "tests/lab/lab.h"

enum spread { SPREAD_ANY, SPREAD_HOT, SPREAD_ZIPF };

/* A stream of writes. */
struct stream {
	uint64_t per_1000_s; /* rate; 0: no stream */
	uint64_t from_us, until_us;
	enum spread spread;
	double exponent; /* ZIPF */
};

struct scenario {
	const char *name;
	struct stream stream[LAB_STREAMS];
	uint64_t cut_us, heal_us; /* 0: never */
	int64_t skew_ms;          /* of the second node's clock */
};

#define SCENARIOS 4
extern const struct scenario scenarios[SCENARIOS];

/* How likely a write of this stream is to each key: weights by place, of 2^40 in all. NULL: no stream. */
uint64_t *scenario_weights(const struct stream *s, const struct keys *k);
/* The key of the stream's next write. `sums` are its weights, added up. */
uint32_t scenario_key(const uint64_t *sums, uint32_t count, struct prng *p);
/* Until the stream's next write. */
uint64_t scenario_gap_us(const struct stream *s, struct prng *p);

#endif
