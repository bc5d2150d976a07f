/* quorum.c - see quorum.h. Fits of latencies are those of the paper's table of production systems, of
 * LinkedIn: messages as measured with SSDs, writes to disks as measured with disks. */
#include "tests/lab/quorum.h"

#include <stdlib.h>

#include "base/panic.h"

#define NET .pareto = 0.9122, .x_m_ms = 0.235, .alpha = 10, .lambda = 1.66
#define DISK .pareto = 0.38, .x_m_ms = 1.05, .alpha = 1.51, .lambda = 0.183
#define FAR_MS 75

const struct place places[PLACES] = {
	{{"ssd", .net = {NET}, .disk = {.plus_ms = 0.1}}, .write = {NET}},
	{{"disk", .net = {NET}, .disk = {DISK}}, .write = {DISK}},
	{{"wan", .net = {.plus_ms = FAR_MS, NET}, .disk = {DISK}}, .write = {.plus_ms = FAR_MS, DISK}},
};

static const unsigned after_ms[] = {0, 1, 2, 5, 10, 20, 50, 100};
enum { AFTERS = sizeof after_ms / sizeof *after_ms };

/* Of three replicas every choice; of five some. */
static const struct {
	uint16_t n;
	unsigned r, w;
} asked[] = {{3, 1, 1}, {3, 1, 2}, {3, 2, 1}, {3, 2, 2}, {3, 1, 3}, {3, 3, 1}, {3, 2, 3},
             {3, 3, 2}, {3, 3, 3}, {5, 1, 1}, {5, 1, 3}, {5, 3, 1}, {5, 2, 2}, {5, 3, 3}};
enum { LINES = sizeof asked / sizeof *asked };

/* Trials of the prediction for one of the measurement. */
#define PREDICTED_MORE 20

struct line {
	uint16_t n;
	unsigned r, w;
	double measured[AFTERS], predicted[AFTERS], paper[AFTERS];
};

/* ---- measured ------------------------------------------------------------------------------- */

/* One write, and a read at each node; how many of these are stale. */
static unsigned trial(struct cluster *c, const struct line *l, uint32_t key, uint64_t after_us)
{
	uint32_t put = cluster_put(c, (uint16_t)(key % l->n), key, key, l->w);
	cluster_await(c);
	assert(c->answer[put].err == ERR_OK);
	cluster_run_until(c, c->answer[put].at_us + after_us);
	uint32_t get[CLUSTER_NODES_MAX];
	for (uint16_t i = 0; i < l->n; i++) get[i] = cluster_get(c, i, key, l->r);
	cluster_await(c);
	unsigned stale = 0;
	for (uint16_t i = 0; i < l->n; i++) stale += c->answer[get[i]].value != key;
	cluster_settle(c);
	return stale;
}

static void measure(struct line *l, const struct surroundings *s, unsigned trials)
{
	struct cluster c;
	uint32_t key = 0;
	cluster_init(&c, l->n, s, 100U * l->n + 10U * l->r + l->w);
	for (unsigned i = 0; i < AFTERS; i++) {
		unsigned stale = 0;
		for (unsigned t = 0; t < trials; t++) stale += trial(&c, l, ++key, MS(after_ms[i]));
		l->measured[i] = 100.0 * stale / (trials * l->n);
	}
	cluster_free(&c);
}

/* ---- predicted ------------------------------------------------------------------------------ */

static int by_number(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
	return a < b ? -1 : a > b;
}

struct model {
	const struct place *place;
	enum asking how;
	uint16_t n;
	unsigned r, w;
	struct prng prng;
	uint64_t
		durable[CLUSTER_NODES_MAX]; /* when each replica has the write; Dunlin: 0 coordinates */
};

static uint64_t net_us(struct model *m)
{
	return duration_draw_us(&m->place->around.net, &m->prng);
}

/* When is it acknowledged? */
static uint64_t model_write(struct model *m)
{
	uint64_t ack[CLUSTER_NODES_MAX];
	for (uint16_t i = 0; i < m->n; i++) {
		bool own = m->how == ASKS_AS_DUNLIN && i == 0;
		if (m->how == ASKS_AS_PAPER)
			m->durable[i] = duration_draw_us(&m->place->write, &m->prng);
		else
			m->durable[i] =
				(own ? 0 : net_us(m)) + duration_draw_us(&m->place->around.disk, &m->prng);
		ack[i] = m->durable[i] + (own ? 0 : net_us(m));
	}
	qsort(ack, m->n, sizeof *ack, by_number);
	return ack[m->w - 1];
}

struct reading {
	uint64_t back; /* when the answer is there */
	bool fresh;
};

static int by_answer(const void *x, const void *y)
{
	const struct reading *a = x, *b = y;
	return a->back < b->back ? -1 : a->back > b->back;
}

/* Is a read stale that node `by` is asked for at that time? */
static bool model_read(struct model *m, uint16_t by, uint64_t at_us)
{
	struct reading a[CLUSTER_NODES_MAX];
	for (uint16_t i = 0; i < m->n; i++) {
		bool own = m->how == ASKS_AS_DUNLIN && i == 0;
		uint64_t there = at_us + (own ? 0 : net_us(m));
		a[i].fresh = m->durable[(by + i) % m->n] <= there;
		a[i].back = there + (own ? 0 : net_us(m));
	}
	/* Dunlin asks some of the others, which are all alike here: any will do. */
	if (m->how == ASKS_AS_PAPER) qsort(a, m->n, sizeof *a, by_answer);
	for (unsigned i = 0; i < m->r; i++)
		if (a[i].fresh) return false;
	return true;
}

double quorum_predict(const struct place *place, enum asking how, uint16_t n, unsigned r,
                      unsigned w, unsigned after, unsigned trials)
{
	struct model m = {.place = place, .how = how, .n = n, .r = r, .w = w};
	unsigned stale = 0;
	prng_seed(&m.prng, 4);
	for (unsigned t = 0; t < trials; t++) {
		uint64_t acked = model_write(&m);
		stale += model_read(&m, (uint16_t)(t % n), acked + MS(after));
	}
	return 100.0 * stale / trials;
}

static void predict(struct line *l, const struct place *p, unsigned trials)
{
	for (unsigned i = 0; i < AFTERS; i++) {
		unsigned ms = after_ms[i];
		l->predicted[i] = quorum_predict(p, ASKS_AS_DUNLIN, l->n, l->r, l->w, ms, trials);
		l->paper[i] = quorum_predict(p, ASKS_AS_PAPER, l->n, l->r, l->w, ms, trials);
	}
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void print_row(const char *what, const double *pct)
{
	printf("  %-10s", what);
	for (unsigned i = 0; i < AFTERS; i++) printf(" %8.3f", pct[i]);
	printf("\n");
}

static bool is_guaranteed(const struct line *l)
{
	return l->r + l->w > l->n;
}

static void print_line(const struct line *l, const char *place)
{
	printf("%-5s N=%u R=%u W=%u", place, (unsigned)l->n, l->r, l->w);
	if (is_guaranteed(l)) {
		printf("  R + W > N: none\n");
		return;
	}
	printf("\n");
	print_row("measured", l->measured);
	print_row("predicted", l->predicted);
	print_row("the paper", l->paper);
}

static void run_line(struct line *l, const struct place *p, unsigned trials, FILE *tsv)
{
	measure(l, &p->around, trials);
	predict(l, p, trials * l->n * PREDICTED_MORE);
	print_line(l, p->around.name);
	for (unsigned i = 0; i < AFTERS; i++) {
		assert(implies(is_guaranteed(l), l->measured[i] == 0));
		fprintf(tsv, "%s\t%u\t%u\t%u\t%u\t%.4f\t%.4f\t%.4f\n", p->around.name, (unsigned)l->n, l->r,
		        l->w, after_ms[i], l->measured[i], l->predicted[i], l->paper[i]);
	}
}

void quorum_run(unsigned trials, FILE *tsv)
{
	printf("\nStale reads, %%, so many ms after a write was acknowledged (%u writes a figure)\n\n",
	       trials);
	printf("  %-10s", "ms");
	for (unsigned i = 0; i < AFTERS; i++) printf(" %8u", after_ms[i]);
	printf("\n");
	fprintf(tsv, "place\tn\tr\tw\tafter_ms\tmeasured_pct\tpredicted_pct\tpaper_pct\n");
	for (unsigned place = 0; place < PLACES; place++) {
		for (unsigned i = 0; i < LINES; i++) {
			struct line l = {.n = asked[i].n, .r = asked[i].r, .w = asked[i].w};
			run_line(&l, &places[place], trials, tsv);
		}
	}
}
