/* table.c - see table.h. */
#include "tests/lab/table.h"

#define WRITE_UP_REGIME 1
#define ROWS (POLICIES + 1)

const struct regime regimes[REGIMES] = {
	{"50000x100", 50000, 100}, {"500x1000", 500, 1000}, {"300x700", 300, 700}};

static const char *const paths[] = {"only", "write_through"};

struct table {
	uint32_t rows;
	const struct policy *policy[ROWS];
	struct result cell[ROWS][SCENARIOS];
};

/* ---- running -------------------------------------------------------------------------------- */

void table_result(const struct lab *l, struct result *out)
{
	const struct lab_sent *policy = &l->sent[SENT_POLICY], *through = &l->sent[SENT_WRITE_THROUGH];
	*out = (struct result){.run = true,
	                       .bytes = policy->bytes + through->bytes,
	                       .overhead = policy->bytes - policy->records,
	                       .messages = policy->messages + through->messages,
	                       .envelopes = policy->envelopes + through->envelopes,
	                       .stale_pct = gauge_stale_pct(l),
	                       .converge_s = gauge_converge_s(l)};
}

static void run_row(struct table *t, const struct ground *g, uint32_t row, enum lab_path path)
{
	for (uint32_t s = 0; s < SCENARIOS && t->policy[row]->missing == NULL; s++) {
		struct lab l;
		lab_init(&l, g, &scenarios[s], t->policy[row], path);
		lab_run(&l);
		table_result(&l, &t->cell[row][s]);
		lab_free(&l);
	}
}

static void run(struct table *t, const struct regime *r, enum lab_path path,
                const struct policy *also)
{
	struct ground g;
	*t = (struct table){.rows = POLICIES};
	memcpy(t->policy, policies, sizeof policies);
	if (also != NULL) t->policy[t->rows++] = also;
	ground_init(&g, r->keys, r->value_bytes);
	for (uint32_t row = 0; row < t->rows; row++) run_row(t, &g, row, path);
	ground_free(&g);
}

/* ---- one regime, one path --------------------------------------------------------------------- */

/* How much less than the first row, in per cent; negative: more. */
static double reduction(uint64_t first, uint64_t bytes)
{
	return ((double)first - (double)bytes) / (double)first * 100;
}

static void print_converge(double s)
{
	if (s < 0)
		printf("  never");
	else
		printf(" %6.2f", s);
}

static void print_cells(const struct table *t, uint32_t row)
{
	if (t->policy[row]->missing != NULL) {
		printf("  (missing: %s)", t->policy[row]->missing);
		return;
	}
	for (uint32_t s = 0; s < SCENARIOS; s++) {
		const struct result *c = &t->cell[row][s];
		printf(" |%9llu %+6.1f %8llu %8.4f", (unsigned long long)c->bytes,
		       reduction(t->cell[0][s].bytes, c->bytes), (unsigned long long)c->overhead,
		       c->stale_pct);
		print_converge(c->converge_s);
	}
}

static void print_table(const struct table *t, const struct regime *r, enum lab_path path)
{
	printf("\n%u keys of %u bytes, %s\n", (unsigned)r->keys, (unsigned)r->value_bytes,
	       path == PATH_ONLY ? "anti-entropy as the only path" : "behind write-through");
	printf(
		"(bytes; %% fewer than the first row; overhead; stale reads %%; converged after s)\n%-25s",
		"");
	for (uint32_t s = 0; s < SCENARIOS; s++) printf(" |%-41s", scenarios[s].name);
	printf("\n");
	for (uint32_t row = 0; row < t->rows; row++) {
		printf("%-25s", t->policy[row]->name);
		print_cells(t, row);
		printf("\n");
	}
}

static void write_rows(const struct table *t, const struct regime *r, enum lab_path path, FILE *tsv)
{
	for (uint32_t s = 0; s < SCENARIOS; s++) {
		for (uint32_t row = 0; row < t->rows; row++) {
			const struct result *c = &t->cell[row][s];
			if (!c->run) continue;
			fprintf(tsv, "%s\t%s\t%s\t%s\t%llu\t%llu\t%.5f\t", r->name, paths[path],
			        scenarios[s].name, t->policy[row]->name, (unsigned long long)c->bytes,
			        (unsigned long long)c->overhead, c->stale_pct);
			if (c->converge_s < 0)
				fprintf(tsv, "inf\n");
			else
				fprintf(tsv, "%.3f\n", c->converge_s);
		}
	}
}

/* ---- beside the write-up ---------------------------------------------------------------------- */

/* Its figures: bytes and stale reads as means of the four scenarios, bytes saved in each of them. */
static const struct {
	const struct policy *policy;
	double bytes, reduction, stale_pct, scenario[SCENARIOS];
} write_up[] = {
	{&bounded_staleness, 113425, 45.66, 5.65, {28.95, 29.15, 57.52, 67.02}},
	{&eventual_constant, 238675, 0, 0.55, {0, 0, 0, 0}},
	{&nearsight_age_tiered, 308412.5, -24.00, 0.51, {-24.22, -4.45, -20.23, -47.09}},
	{&leader_hot_follower_cold, 606741.7, -132.95, 3.33, {-222.79, 29.15, -104.75, -233.41}},
	{&dirty_key_push, 0, 0, 0, {0}},
	{&time_radix, 0, 0, 0, {0}},
};
enum { WRITE_UP = sizeof write_up / sizeof *write_up };

static uint32_t row_of(const struct table *t, const struct policy *p)
{
	for (uint32_t row = 0; row < t->rows; row++)
		if (t->policy[row] == p) return row;
	unreachable();
}

/* Means over the scenarios; the reduction is the mean of theirs, as in the write-up. */
struct means {
	double bytes, reduction, stale_pct;
};

static struct means means_of(const struct table *t, uint32_t row)
{
	struct means m = {0};
	for (uint32_t s = 0; s < SCENARIOS; s++) {
		m.bytes += (double)t->cell[row][s].bytes / SCENARIOS;
		m.reduction += reduction(t->cell[0][s].bytes, t->cell[row][s].bytes) / SCENARIOS;
		m.stale_pct += t->cell[row][s].stale_pct / SCENARIOS;
	}
	return m;
}

static void print_first(const struct table *t)
{
	printf("%-25s %12s %8s %7s   %12s %8s %7s\n", "", "theirs", "saved %", "stale %", "ours",
	       "saved %", "stale %");
	for (unsigned i = 0; i < WRITE_UP; i++) {
		uint32_t row = row_of(t, write_up[i].policy);
		struct means m = means_of(t, row);
		printf("%-25s", write_up[i].policy->name);
		if (write_up[i].bytes > 0)
			printf(" %12.1f %+8.2f %7.2f", write_up[i].bytes, write_up[i].reduction,
			       write_up[i].stale_pct);
		else
			printf(" %12s %8s %7s", "-", "-", "-");
		if (t->policy[row]->missing != NULL)
			printf("   (missing: %s)\n", t->policy[row]->missing);
		else
			printf("   %12.1f %+8.2f %7.2f\n", m.bytes, m.reduction, m.stale_pct);
	}
}

static void print_second(const struct table *t)
{
	printf("\n%-25s", "bytes saved, %");
	for (uint32_t s = 0; s < SCENARIOS; s++) printf("  %14s ours", scenarios[s].name);
	printf("\n");
	for (unsigned i = 0; i < WRITE_UP; i++) {
		uint32_t row = row_of(t, write_up[i].policy);
		printf("%-25s", write_up[i].policy->name);
		for (uint32_t s = 0; s < SCENARIOS; s++) {
			if (write_up[i].bytes > 0)
				printf("  %+11.2f", write_up[i].scenario[s]);
			else
				printf("  %11s", "-");
			if (t->policy[row]->missing != NULL)
				printf(" %7s", "-");
			else
				printf(" %+7.2f", reduction(t->cell[0][s].bytes, t->cell[row][s].bytes));
		}
		printf("\n");
	}
}

/* Sums over the scenarios, and what they were if each message had a head of 16 bytes. */
static void print_heads(const struct table *t)
{
	printf("\n%-25s %10s %12s %12s\n", "all four scenarios", "messages", "bytes", "16 B heads");
	for (uint32_t row = 0; row < t->rows; row++) {
		struct result sum = {0};
		if (t->policy[row]->missing != NULL) continue;
		for (uint32_t s = 0; s < SCENARIOS; s++) {
			sum.messages += t->cell[row][s].messages;
			sum.bytes += t->cell[row][s].bytes;
			sum.envelopes += t->cell[row][s].envelopes;
		}
		printf("%-25s %10llu %12llu %12llu\n", t->policy[row]->name,
		       (unsigned long long)sum.messages, (unsigned long long)sum.bytes,
		       (unsigned long long)(sum.bytes - sum.envelopes + 16 * sum.messages));
	}
}

static void print_write_up(const struct table *t)
{
	printf(
		"The write-up's two tables, with its figures and ours\n\n"
		"Ours: %s, anti-entropy as the only path; its runs were shorter, so compare shares, not\n"
		"bytes. Its column of wall time is a time of its machine and has no counterpart here.\n\n",
		regimes[WRITE_UP_REGIME].name);
	print_first(t);
	print_second(t);
	print_heads(t);
}

/* ---- all ------------------------------------------------------------------------------------ */

void table_run(const struct policy *also, FILE *tsv)
{
	static struct table t;
	run(&t, &regimes[WRITE_UP_REGIME], PATH_ONLY, also);
	print_write_up(&t);
	fprintf(tsv, "regime\tpath\tscenario\tpolicy\tbytes\toverhead_bytes\tstale_pct\tconverge_s\n");
	for (uint32_t r = 0; r < REGIMES; r++) {
		for (unsigned path = 0; path < 2; path++) {
			run(&t, &regimes[r], (enum lab_path)path, also);
			print_table(&t, &regimes[r], (enum lab_path)path);
			write_rows(&t, &regimes[r], (enum lab_path)path, tsv);
		}
	}
}
