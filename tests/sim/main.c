/* main.c - dunlin-sim: runs of the simulator from the command line.
 *
 * One seed: the seed first and last, a line of figures between. Many: a line for each that fails,
 * and a summary. Exit 0: everything held; 1: something did not; 2: misuse. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "tests/sim/run.h"

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
		if ((o->faults & FAULT_BIT(k)) != 0 && count[k] == 0)
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

/* A failure in full: the smallest run that shows it, and its trace. */
static void explain(const struct sim_options *o, struct run_result r)
{
	struct sim_options least = *o;
	least.seed = r.seed;
	print_command("again with", &least);
	if (o->shrink) {
		least = run_shrink(&least, &r);
		print_command("smallest found", &least);
		print_failure(&r);
	}
	if (!o->trace || r.crashed) return;
	least.trace = true;
	run_here(&least, r.key == HIST_NOBODY ? HIST_NOBODY : r.key, &r);
}

static int run_single(const struct sim_options *o)
{
	struct run_result r;
	printf("sim: seed=%llu\n", (unsigned long long)o->seed);
	if (o->in_process)
		run_here(o, o->trace ? HIST_NOBODY : SIM_KEYS, &r);
	else
		run_in_child(o, &r);
	print_figures(o, &r);
	if (!r.crashed) print_never_fired(o, r.fault_count);
	if (!r.held) {
		print_failure(&r);
		if (!o->in_process) explain(o, r);
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
	struct tally t = {.options = o};
	printf("sim: seeds=%llu to %llu\n", (unsigned long long)o->first,
	       (unsigned long long)(o->first + o->seeds - 1));
	uint32_t ran = run_many(o, o->seeds, tally_add, &t);
	print_figures(o, &t.total);
	print_never_fired(o, t.total.fault_count);
	if (t.failed > 0) explain(o, t.first_failure);
	printf("sim: %u seeds, %u failed\n", ran, t.failed);
	return t.failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct sim_options o;
	if (!options_parse(&o, argc, argv)) return 2;
	return o.seeds > 0 ? run_seeds(&o) : run_single(&o);
}
