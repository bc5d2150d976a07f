/* main.c - dunlin-sim: runs of the simulator from the command line.
 *
 * One seed: the seed first and last, a line of figures between. Many: a line for each that fails,
 * and a summary. Exit 0: everything held; 1: something did not; 2: misuse. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "tests/sim/shrink.h"

/* Of the trace of a failure that was shrunk, without --trace. */
#define TRACE_LINES_TOLD 200

static void print_faults(const struct sim_options *o, const struct run_result *r)
{
	for (unsigned k = 0; k < FAULT_KINDS; k++)
		if ((o->faults & FAULT_BIT(k)) != 0 && r->fault_count[k] > 0)
			printf(" %s=%llu", options_fault_word((enum fault_kind)k),
			       (unsigned long long)r->fault_count[k]);
}

static void print_never_fired(const struct sim_options *o, const uint64_t count[FAULT_KINDS])
{
	for (unsigned k = 0; k < FAULT_KINDS; k++)
		if ((o->faults & FAULT_BIT(k)) != 0 && o->strikes[k] != 0 && count[k] == 0)
			printf("sim: the fault %s was chosen and never fired\n",
			       options_fault_word((enum fault_kind)k));
}

static void print_figures(const struct sim_options *o, const struct run_result *r)
{
	double virtual_s = (double)r->virtual_us / 1e6, cpu_s = (double)r->cpu_us / 1e6;
	printf("sim: virtual=%.1fs cpu=%.2fs ratio=%.0f steps=%llu ops=%llu reads=%llu sessions=%llu "
	       "not_seen=%llu writes=%llu conditional=%llu refused=%llu ttl=%llu "
	       "acked=%llu unknown=%llu none=%llu increments=%llu siblings_max=%u hash=%016llx faults:",
	       virtual_s, cpu_s, cpu_s > 0 ? virtual_s / cpu_s : 0, (unsigned long long)r->steps,
	       (unsigned long long)r->figures.ops, (unsigned long long)r->figures.reads,
	       (unsigned long long)r->figures.session_reads, (unsigned long long)r->figures.not_seen,
	       (unsigned long long)r->figures.writes, (unsigned long long)r->figures.conditional,
	       (unsigned long long)r->figures.refused, (unsigned long long)r->figures.brief,
	       (unsigned long long)r->figures.acked, (unsigned long long)r->figures.unknown,
	       (unsigned long long)r->figures.none, (unsigned long long)r->increments,
	       r->figures.siblings_max, (unsigned long long)r->hash);
	print_faults(o, r);
	putchar('\n');
}

static void print_failure(const struct run_result *r)
{
	printf("sim: FAILED seed=%llu promise=%s", (unsigned long long)r->seed, r->promise);
	if (r->key != HIST_NOBODY) printf(" key=k%02u", r->key);
	if (r->write != HIST_NOBODY) printf(" write=%u", r->write);
	printf(" at=%.3fs: %s\n", (double)(r->virtual_us + SIM_BEGIN_US) / 1e6, r->text);
}

static void print_command(const char *before, const struct sim_options *o)
{
	printf("sim: %s: ", before);
	options_print(o, stdout);
	putchar('\n');
}

/* All of its trace, or the end of it. */
static void print_trace(const struct sim_options *o, const struct run_result *r, bool all)
{
	struct run_trace trace = {.on = true, .key = r->key, .skip = all ? 0 : UINT64_MAX};
	struct run_result again;
	if (!all) {
		run_in_child(o, trace, &again);
		bool more = again.trace_lines > TRACE_LINES_TOLD;
		trace.skip = more ? again.trace_lines - TRACE_LINES_TOLD : 0;
		if (more)
			printf("sim: the last %d lines of its trace; all with --trace\n", TRACE_LINES_TOLD);
	}
	run_in_child(o, trace, &again);
}

static void run_counted(const struct sim_options *o, struct run_result *out)
{
	run_in_child(o, RUN_UNTRACED, out);
}

/* A failure in full: the smallest run that shows it, and its trace. */
static void explain(const struct sim_options *o, const struct run_result *result)
{
	static struct shrunk least;
	least = (struct shrunk){.options = *o, .result = *result};
	least.options.seed = result->seed;
	print_command("again with", &least.options);
	if (o->shrink) {
		struct sim_options all = least.options;
		shrink(&all, result, run_counted, &least);
		printf("sim: shrunk in %u runs\n", least.runs);
		print_command("smallest found", &least.options);
		print_failure(&least.result);
	}
	if (o->shrink || o->trace) print_trace(&least.options, &least.result, o->trace);
}

static int run_single(const struct sim_options *o)
{
	static struct run_result r;
	printf("sim: seed=%llu\n", (unsigned long long)o->seed);
	if (o->in_process)
		run_here(o, (struct run_trace){.on = o->trace, .key = HIST_NOBODY}, &r);
	else
		run_in_child(o, RUN_UNTRACED, &r);
	print_figures(o, &r);
	if (!r.crashed) print_never_fired(o, r.fault_count);
	if (!r.held) {
		print_failure(&r);
		if (!o->in_process) explain(o, &r);
	}
	printf("sim: %s seed=%llu\n", r.held ? "ok" : "FAILED", (unsigned long long)o->seed);
	return r.held ? 0 : 1;
}

/* ---- many seeds ----------------------------------------------------------------------------- */

struct tally {
	const struct sim_options *options;
	uint32_t failed;
	struct run_result total;
	struct run_result first_failure;
};

static bool tally_add(void *context, const struct run_result *r)
{
	struct tally *t = context;
	struct run_result *sum = &t->total;
	sum->virtual_us += r->virtual_us;
	sum->cpu_us += r->cpu_us;
	sum->steps += r->steps;
	sum->hash ^= r->hash;
	sum->figures.ops += r->figures.ops;
	sum->figures.reads += r->figures.reads;
	sum->figures.session_reads += r->figures.session_reads;
	sum->figures.not_seen += r->figures.not_seen;
	sum->figures.conditional += r->figures.conditional;
	sum->figures.refused += r->figures.refused;
	sum->figures.brief += r->figures.brief;
	sum->figures.writes += r->figures.writes;
	sum->figures.acked += r->figures.acked;
	sum->figures.unknown += r->figures.unknown;
	sum->figures.none += r->figures.none;
	sum->increments += r->increments;
	if (r->figures.siblings_max > sum->figures.siblings_max)
		sum->figures.siblings_max = r->figures.siblings_max;
	for (unsigned k = 0; k < FAULT_KINDS; k++) sum->fault_count[k] += r->fault_count[k];
	if (r->held) return true;
	print_failure(r);
	fflush(stdout);
	if (t->failed++ == 0) t->first_failure = *r;
	return !t->options->stop;
}

static int run_seeds(const struct sim_options *o)
{
	static struct tally t;
	t.options = o;
	printf("sim: seeds=%llu to %llu\n", (unsigned long long)o->first,
	       (unsigned long long)(o->first + o->seeds - 1));
	uint32_t ran = run_many(o, o->seeds, tally_add, &t);
	print_figures(o, &t.total);
	print_never_fired(o, t.total.fault_count);
	if (t.failed > 0) explain(o, &t.first_failure);
	printf("sim: %u seeds, %u failed\n", ran, t.failed);
	return t.failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct sim_options o;
	if (!options_parse(&o, argc, argv)) return 2;
	return o.seeds > 0 ? run_seeds(&o) : run_single(&o);
}
