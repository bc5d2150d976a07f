/* bench_report.c - what a run found, for a person and for a program.
 *
 *   stderr: a line each second while it runs
 *   stdout: at the end a table and a histogram of each operation, or one JSON object */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/panic.h"
#include "drive/bench.h"

#define BAR_CHARS 44

static const char *const kind_names[BENCH_KINDS] = {"put", "get"};

static const struct {
	const char *name;
	double share;
} percentiles[] = {{"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"p999_ms", 0.999}};
#define PERCENTILES (sizeof percentiles / sizeof percentiles[0])

const char *bench_error_name(enum bench_error e)
{
	static const char *const names[BENCH_ERRORS] = {"refused", "unreachable", "connection-lost",
	                                                "timeout", "garbled"};
	assert(e < BENCH_ERRORS);
	return names[e];
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static double seconds_of(const struct bench_tally *t)
{
	return t->end_ns > t->start_ns ? (double)(t->end_ns - t->start_ns) / 1e9 : 1e-9;
}

static double rate_of(const struct bench_tally *t, enum bench_kind kind)
{
	return (double)t->completed[kind] / seconds_of(t);
}

uint64_t bench_report_errors(const struct bench_tally *t)
{
	uint64_t sum = 0;
	for (unsigned e = 0; e < BENCH_ERRORS; e++) sum += t->errors[e];
	for (unsigned s = 0; s < BENCH_STATUSES; s++) sum += t->statuses[s];
	return sum;
}

/* Of CPU time that was used while `answered` operations were. */
static double us_per_op(const struct bench_tally *t, uint64_t cpu_ns)
{
	return t->answered == 0 ? 0 : (double)cpu_ns / 1e3 / (double)t->answered;
}

/* ---- while it runs -------------------------------------------------------------------------- */

void bench_report_progress(const struct bench *b, uint64_t now_ns)
{
	static const char *const phases[] = {"load", "warm-up", "measure", "drain", "over"};
	char share[24] = "";
	const struct bench_hist *h = b->second;
	unsigned long long second = (now_ns - b->began_ns + 500000000) / 1000000000;
	uint64_t total = b->options->keys * (b->keys != NULL ? 2 : 1);
	if (b->phase == BENCH_LOAD)
		snprintf(share, sizeof share, " %3.0f %%", 100 * (double)b->issued / (double)total);
	fprintf(
		stderr, "%4llu s  %-7s%s %8llu ops/s  p50 %.2f ms  p99 %.2f ms  max %.2f ms  errors %llu\n",
		second, phases[b->phase], share, (unsigned long long)h->total, ms(bench_hist_at(h, 0.5)),
		ms(bench_hist_at(h, 0.99)), ms(h->max_ns), (unsigned long long)b->failed);
}

/* ---- for a person --------------------------------------------------------------------------- */

static void print_setting(const struct bench_options *o, const struct bench_tally *t)
{
	printf("%u node%s, %u connection%s, pipeline %u, %llu keys (", o->target_count,
	       o->target_count == 1 ? "" : "s", o->connections, o->connections == 1 ? "" : "s",
	       o->pipeline, (unsigned long long)o->keys);
	if (o->dist == BENCH_ZIPF)
		printf("zipf %g", o->exponent);
	else
		printf("%s", o->dist == BENCH_UNIFORM ? "uniform" : "in turn");
	printf("), %llu bytes, %u %% reads%s, ", (unsigned long long)o->value_bytes, o->read_percent,
	       o->contexts ? "" : ", blind writes");
	if (o->rate > 0)
		printf("open loop at %llu/s", (unsigned long long)o->rate);
	else
		printf("closed loop");
	printf(", %.1f s\n\n", seconds_of(t));
}

static void print_table(const struct bench_tally *t)
{
	printf("%-5s %10s %9s %9s %9s %9s %9s %9s\n", "", "ops/s", "mean ms", "p50 ms", "p90 ms",
	       "p99 ms", "p99.9 ms", "max ms");
	for (unsigned k = 0; k < BENCH_KINDS; k++) {
		const struct bench_hist *h = &t->hist[k];
		if (h->total == 0) continue;
		printf("%-5s %10.0f %9.3f", kind_names[k], rate_of(t, k), ms(bench_hist_mean(h)));
		for (unsigned p = 0; p < PERCENTILES; p++)
			printf(" %9.3f", ms(bench_hist_at(h, percentiles[p].share)));
		printf(" %9.3f\n", ms(h->max_ns));
	}
}

static void print_errors(const struct bench_tally *t)
{
	const char *comma = "";
	printf("\nerrors: ");
	for (unsigned e = 0; e < BENCH_ERRORS; e++) {
		if (t->errors[e] == 0) continue;
		printf("%s%s %llu", comma, bench_error_name(e), (unsigned long long)t->errors[e]);
		comma = ", ";
	}
	for (unsigned s = 0; s < BENCH_STATUSES; s++) {
		if (t->statuses[s] == 0) continue;
		printf("%sstatus %u %llu", comma, s, (unsigned long long)t->statuses[s]);
		comma = ", ";
	}
	printf("%s\n", *comma ? "" : "none");
	if (t->not_found > 0) printf("not found: %llu reads\n", (unsigned long long)t->not_found);
	if (t->unsent > 0)
		printf(
			"unsent: %llu operations were due and found no free connection before the end;\n"
			"        they are in the percentiles with the time they had waited: the rate was not "
			"kept\n",
			(unsigned long long)t->unsent);
}

static void print_cpu(const struct bench_options *o, const struct bench_tally *t)
{
	double busy = (double)t->own_cpu_ns / 1e9 / seconds_of(t);
	printf("generator: %.0f %% of a core, %.1f us per operation%s\n", 100 * busy,
	       us_per_op(t, t->own_cpu_ns), busy > 0.9 ? "; it may be what limits the rate" : "");
	if (o->pid_count > 0)
		printf("servers:   %.0f %% of a core, %.1f us per operation (%u processes)\n",
		       100 * (double)t->servers_cpu_ns / 1e9 / seconds_of(t),
		       us_per_op(t, t->servers_cpu_ns), o->pid_count);
}

static void print_bound(uint64_t ns)
{
	if (ns < 1000000)
		printf("%5llu us", (unsigned long long)ns / 1000);
	else if (ns < 1000000000)
		printf("%5llu ms", (unsigned long long)ns / 1000000);
	else
		printf("%5llu s ", (unsigned long long)ns / 1000000000);
}

static void print_histogram(const struct bench_hist *h, const char *name)
{
	unsigned first = 0, last = BENCH_HIST_ROWS - 1;
	uint64_t most = 0, sum = 0;
	if (h->total == 0) return;
	while (first < last && bench_hist_row_count(h, first) == 0) first++;
	while (last > first && bench_hist_row_count(h, last) == 0) last--;
	for (unsigned i = first; i <= last; i++) {
		uint64_t count = bench_hist_row_count(h, i);
		if (count > most) most = count;
	}
	printf("\n%s, %llu of them; at most\n", name, (unsigned long long)h->total);
	for (unsigned i = first; i <= last; i++) {
		uint64_t count = bench_hist_row_count(h, i);
		int bar = (int)((double)count / (double)most * BAR_CHARS + 0.5);
		sum += count;
		print_bound(bench_hist_row_bound(i));
		printf(" |%-*.*s| %10llu  %8.4f %%\n", BAR_CHARS, bar > 0 ? bar : count > 0,
		       bar > 0 ? "############################################" : ".",
		       (unsigned long long)count, 100 * (double)sum / (double)h->total);
	}
}

void bench_report_text(const struct bench_options *o, const struct bench_tally *t)
{
	print_setting(o, t);
	print_table(t);
	print_errors(t);
	print_cpu(o, t);
	for (unsigned k = 0; k < BENCH_KINDS; k++) print_histogram(&t->hist[k], kind_names[k]);
}

/* ---- for a program -------------------------------------------------------------------------- */

static json_t *number(double v)
{
	return json_real(v);
}

static json_t *whole(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *json_kind(const struct bench_tally *t, enum bench_kind kind)
{
	const struct bench_hist *h = &t->hist[kind];
	json_t *to = json_object(), *rows = json_array();
	json_object_set_new(to, "rate", number(rate_of(t, kind)));
	json_object_set_new(to, "count", whole(h->total));
	json_object_set_new(to, "mean_ms", number(ms(bench_hist_mean(h))));
	for (unsigned p = 0; p < PERCENTILES; p++)
		json_object_set_new(to, percentiles[p].name,
		                    number(ms(bench_hist_at(h, percentiles[p].share))));
	json_object_set_new(to, "max_ms", number(ms(h->max_ns)));
	for (unsigned i = 0; i < BENCH_HIST_ROWS; i++) {
		uint64_t count = bench_hist_row_count(h, i);
		if (count > 0)
			json_array_append_new(
				rows, json_pack("[f,I]", ms(bench_hist_row_bound(i)), (json_int_t)count));
	}
	json_object_set_new(to, "histogram", rows);
	return to;
}

static json_t *json_errors(const struct bench_tally *t)
{
	json_t *to = json_object();
	char status[16];
	for (unsigned e = 0; e < BENCH_ERRORS; e++)
		if (t->errors[e] > 0) json_object_set_new(to, bench_error_name(e), whole(t->errors[e]));
	for (unsigned s = 0; s < BENCH_STATUSES; s++) {
		if (t->statuses[s] == 0) continue;
		snprintf(status, sizeof status, "%u", s);
		json_object_set_new(to, status, whole(t->statuses[s]));
	}
	return to;
}

bool bench_report_json(const struct bench_options *o, const struct bench_tally *t)
{
	json_t *to = json_object();
	for (unsigned k = 0; k < BENCH_KINDS; k++)
		if (t->hist[k].total > 0) json_object_set_new(to, kind_names[k], json_kind(t, k));
	json_object_set_new(to, "seconds", number(seconds_of(t)));
	json_object_set_new(to, "rate", number(rate_of(t, BENCH_PUT) + rate_of(t, BENCH_GET)));
	json_object_set_new(to, "errors", json_errors(t));
	json_object_set_new(to, "not_found", whole(t->not_found));
	json_object_set_new(to, "unsent", whole(t->unsent));
	json_object_set_new(to, "generator_cpu_s", number((double)t->own_cpu_ns / 1e9));
	json_object_set_new(to, "generator_us_per_op", number(us_per_op(t, t->own_cpu_ns)));
	if (o->pid_count > 0) {
		json_object_set_new(to, "servers_cpu_s", number((double)t->servers_cpu_ns / 1e9));
		json_object_set_new(to, "servers_us_per_op", number(us_per_op(t, t->servers_cpu_ns)));
	}
	json_object_set_new(to, "connections", whole(o->connections));
	json_object_set_new(to, "asked_rate", whole(o->rate));
	bool done = json_dumpf(to, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) == 0;
	putchar('\n');
	json_decref(to);
	return done;
}
