/* bench_keys.h - which key the load generator asks for next. */
#ifndef DUNLIN_DRIVE_BENCH_KEYS_H
#define DUNLIN_DRIVE_BENCH_KEYS_H

#include "base/prng.h"
#include "dunlin/types.h"

enum bench_dist {
	BENCH_UNIFORM,
	BENCH_ZIPF,      /* key k with a probability proportional to 1 / (k + 1)^exponent */
	BENCH_SEQUENTIAL /* 0, 1, 2, ... and again from 0 */
};

struct bench_keys {
	enum bench_dist dist;
	uint64_t count, next;
	double exponent;
	double area_first, area_last, cut; /* zipf: see bench_keys.c */
};

/* `count` > 0; `exponent` in [BENCH_ZIPF_LEAST, BENCH_ZIPF_MOST] for zipf, else not looked at. */
#define BENCH_ZIPF_LEAST 0.01
#define BENCH_ZIPF_MOST 8.0
void bench_keys_init(struct bench_keys *k, enum bench_dist dist, uint64_t count, double exponent);
/* In [0, count). */
uint64_t bench_keys_next(struct bench_keys *k, struct prng *prng);

#endif
