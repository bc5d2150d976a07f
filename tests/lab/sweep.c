/* sweep.c - see sweep.h. */
#include "tests/lab/sweep.h"

#include <stdlib.h>

#include "tests/lab/merkle.h"
#include "tests/lab/peers.h"
#include "tests/lab/policy.h"

#define HOUR_MS 3600000UL
#define SWEEP_VALUE_BYTES 100

const char *const sweep_kinds[SWEEP_KINDS] = {"random_missing", "random_stale", "outage",
                                              "partition", "half_hinted"};

/* ---- divergence ----------------------------------------------------------------------------- */

/* `count` distinct keys, in any order. */
static uint32_t *pick_keys(struct lab *l, uint32_t count)
{
	uint32_t n = l->ground->keys.count, *all = malloc(n * sizeof *all);
	assert(all != NULL && count <= n);
	for (uint32_t i = 0; i < n; i++) all[i] = i;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t other = i + (uint32_t)prng_below(&l->clients, n - i), k = all[i];
		all[i] = all[other];
		all[other] = k;
	}
	return all;
}

/* A later version, of any age from that of the one before to an hour. */
static void make_stale(struct lab *l, uint32_t key)
{
	uint64_t old = hlc_ms(l->node[0].held[key].newest.at), last = LAB_EPOCH_MS - HOUR_MS;
	assert(old <= last);
	lab_write_at(l, 0, key, old + 1 + prng_below(&l->clients, last - old + 1));
}

static void write_in_hour(struct lab *l, uint16_t node, uint32_t key)
{
	lab_write_at(l, node, key, LAB_EPOCH_MS - HOUR_MS + 1 + prng_below(&l->clients, HOUR_MS - 1));
}

static void diverge_key(struct lab *l, enum sweep_kind kind, uint32_t key)
{
	switch (kind) {
	case RANDOM_MISSING: lab_put(l, 1, key, &(struct held){.data = NULL}); break;
	case RANDOM_STALE: make_stale(l, key); break;
	case OUTAGE:
	case HALF_HINTED: write_in_hour(l, 0, key); break;
	case PARTITION: write_in_hour(l, (uint16_t)prng_below(&l->clients, 2), key); break;
	case SWEEP_KINDS: unreachable();
	}
}

void sweep_diverge(struct lab *l, enum sweep_kind kind, uint32_t d)
{
	uint32_t n = l->ground->keys.count;
	/* As many more that did arrive, as far as there are keys. */
	uint32_t hinted = kind != HALF_HINTED ? 0 : d < n - d ? d : n - d;
	uint32_t *key = pick_keys(l, d + hinted);
	for (uint32_t i = 0; i < d; i++) diverge_key(l, kind, key[i]);
	for (uint32_t i = d; i < d + hinted; i++) {
		write_in_hour(l, 0, key[i]);
		lab_merge(l, 1, key[i], lab_held(l, 0, key[i]));
	}
	free(key);
	assert(l->gauge.differing == d);
}

/* ---- flat trees, as they are compared --------------------------------------------------------- */

static void on_letter(struct lab *l, uint16_t node, struct letter_in *in)
{
	merkle_on_letter(l, l->state, node, in);
}

static const struct policy comparison = {.name = "comparison", .on_letter = on_letter};

static uint64_t compare_at_depth(struct lab *l, unsigned depth)
{
	struct merkle m;
	struct merkle_scope all = {depth, MERKLE_ALL_AGES};
	merkle_init(&m, &all, 1);
	l->state = &m;
	merkle_begin(l, &m, 0, 1, 0);
	lab_drain(l);
	merkle_free(&m);
	assert(l->gauge.differing == 0);
	return l->sent[SENT_POLICY].bytes - l->sent[SENT_POLICY].records;
}

static uint64_t bytes_flat(struct lab *l, uint32_t d)
{
	(void)d;
	return compare_at_depth(l, merkle_depth(l->ground->keys.count));
}

static uint64_t bytes_flat_2e16(struct lab *l, uint32_t d)
{
	(void)d;
	return compare_at_depth(l, 4);
}

static uint64_t bytes_flat_2e20(struct lab *l, uint32_t d)
{
	(void)d;
	return compare_at_depth(l, 5);
}

/* ---- the sweep ------------------------------------------------------------------------------ */

static const struct scheme schemes[] = {
	{.name = "info_bound", .bytes = bytes_information},
	{.name = "cassandra", .bytes = bytes_cassandra},
	{.name = "cassandra_over", .bytes = bytes_cassandra_overstream},
	{.name = "riak", .bytes = bytes_riak},
	{.name = "flat_merkle", .bytes = bytes_flat, .repairs = true},
	{.name = "flat_2e16", .bytes = bytes_flat_2e16, .repairs = true},
	{.name = "flat_2e20", .bytes = bytes_flat_2e20, .repairs = true},
	{.name = "riblt", .missing = "src/core/riblt is not there yet"},
	{.name = "time_radix", .missing = "the exchange is not in the core yet"},
};
enum { SCHEMES = sizeof schemes / sizeof *schemes };

/* A world for each scheme that makes the two nodes equal, one for all the others. */
static void sweep_case(const struct ground *g, enum sweep_kind kind, uint32_t d,
                       uint64_t bytes[SCHEMES])
{
	struct lab l;
	bool open = false;
	for (unsigned i = 0; i < SCHEMES; i++) {
		if (schemes[i].missing != NULL) continue;
		if (!open) {
			lab_init(&l, g, NULL, &comparison, PATH_ONLY);
			sweep_diverge(&l, kind, d);
		}
		bytes[i] = schemes[i].bytes(&l, d);
		open = !schemes[i].repairs;
		if (!open) lab_free(&l);
	}
	if (open) lab_free(&l);
}

static void sweep_line(const struct ground *g, enum sweep_kind kind, uint32_t d, FILE *tsv)
{
	uint64_t bytes[SCHEMES];
	sweep_case(g, kind, d, bytes);
	printf("%-14s %7u %5u", sweep_kinds[kind], g->keys.count, d);
	for (unsigned i = 0; i < SCHEMES; i++) {
		if (schemes[i].missing != NULL) {
			printf(" %14s", "-");
			continue;
		}
		printf(" %14llu", (unsigned long long)bytes[i]);
		fprintf(tsv, "%s\t%u\t%u\t%s\t%llu\n", sweep_kinds[kind], g->keys.count, d, schemes[i].name,
		        (unsigned long long)bytes[i]);
	}
	printf("\n");
}

void sweep_run(uint32_t most, FILE *tsv)
{
	printf("\nBytes to find d of n keys that two replicas do not have alike (records not "
	       "counted)\n\n");
	printf("%-14s %7s %5s", "kind", "n", "d");
	for (unsigned i = 0; i < SCHEMES; i++) printf(" %14s", schemes[i].name);
	printf("\n");
	fprintf(tsv, "kind\tn\td\tscheme\tbytes\n");
	for (uint32_t n = 10000; n <= most; n *= 10) {
		struct ground g;
		ground_init(&g, n, SWEEP_VALUE_BYTES);
		for (unsigned kind = 0; kind < SWEEP_KINDS; kind++) {
			sweep_line(&g, kind, 0, tsv);
			for (uint32_t d = 1; d <= 10000; d *= 10) sweep_line(&g, kind, d, tsv);
		}
		ground_free(&g);
	}
	for (unsigned i = 0; i < SCHEMES; i++)
		if (schemes[i].missing != NULL)
			printf("missing: %s: %s\n", schemes[i].name, schemes[i].missing);
}
