/* main.c - dunlin-check: is what real clients saw what the promises allow?
 *
 *   dunlin-check HISTORY          a line a promise, then one of figures
 *
 * The judges are the simulator's (tests/sim/check.h); what they need and have not got, a key that was
 * not read at the end or replicas that were never compared, is a broken promise too: nothing holds by
 * not having been looked at. Exit 0: all hold; 1: one is broken; 2: no such history. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "chaos/check/load.h"
#include "tests/sim/check.h"

typedef bool check_function(const struct history *h, struct check_failure *out);

static const struct {
	const char *promise, *text;
	check_function *check;
} judges[] = {
	{"P2", "no acknowledged value is lost", check_no_loss},
	{"P2", "nothing stands beside what covered it, and each dot names one write", check_causality},
	{"P3", "nothing that was covered came back", check_no_resurrection},
	{"P5", "no quorum read was stale", check_quorum},
	{"session", "no session went back", check_sessions},
	{"P7", "what was answered is what happened", check_honest},
};

static bool say(bool holds, const char *promise, const char *text)
{
	printf("%s %s: %s\n", promise, holds ? "holds" : "BROKEN", text);
	return holds;
}

static bool judge(const struct loaded *l, size_t i)
{
	struct check_failure f = {.write = HIST_NOBODY};
	if (judges[i].check(&l->history, &f)) return say(true, judges[i].promise, judges[i].text);
	char op[32] = "";
	if (f.write != HIST_NOBODY) snprintf(op, sizeof op, ", op %u", l->op_of_write[f.write]);
	printf("%s BROKEN: key %u%s: %s (write numbers: see below)\n", f.promise, f.key, op, f.text);
	for (uint32_t k = 0; k < l->history.by_key_count[f.key]; k++) {
		uint32_t write = l->history.by_key[f.key][k];
		printf("%s%u=op %u", k == 0 ? "  writes of the key: " : ", ", write, l->op_of_write[write]);
	}
	printf("\n");
	return false;
}

/* P2 says nothing of a key that nobody read at the end. */
static bool judge_read(const struct loaded *l)
{
	bool *read = calloc(l->history.keys, sizeof *read);
	assert(read != NULL);
	for (uint32_t i = 0; i < l->history.read_count; i++)
		if (l->history.reads[i].view == HIST_FINAL) read[l->history.reads[i].key] = true;
	uint32_t missed = 0;
	for (uint32_t k = 0; k < l->history.keys; k++)
		missed += l->history.by_key_count[k] > 0 && !read[k];
	free(read);
	char text[100];
	snprintf(text, sizeof text, "%u keys were written and could not be read at the end", missed);
	return say(missed == 0, "P2", missed == 0 ? "every key could be read at the end" : text);
}

static bool judge_foreign(const struct loaded *l)
{
	char text[100];
	snprintf(text, sizeof text, "op %u was shown bytes that no client wrote", l->foreign_op);
	bool holds = l->foreign_op == HIST_NOBODY;
	return say(holds, "P2", holds ? "only what clients wrote is shown" : text);
}

static bool judge_rest(const struct loaded *l)
{
	char text[300];
	if (!l->compared) return say(false, "P4", "the replicas were never compared");
	if (!l->drained) {
		snprintf(text, sizeof text, "hints did not drain: %.200s", l->why);
		return say(false, "P4", text);
	}
	snprintf(text, sizeof text, "of %llu keys %llu differ, %llu partitions not compared",
	         (unsigned long long)l->compared_keys, (unsigned long long)l->different,
	         (unsigned long long)l->not_compared);
	return say(l->different == 0 && l->not_compared == 0, "P4", text);
}

/* Nothing was wrong, so all must be served. */
static bool judge_calm(const struct loaded *l)
{
	uint32_t demanded = 0, failed = 0, first = 0;
	for (uint32_t i = 0; i < l->op_count; i++) {
		const struct load_op *o = &l->ops[i];
		if (!o->known || !o->demanded || o->view != HIST_READ) continue;
		demanded++;
		if (o->answered || o->excused) continue;
		if (failed++ == 0) first = i;
	}
	char text[160];
	snprintf(text, sizeof text, "all %u operations were served while nothing was wrong", demanded);
	if (failed > 0)
		snprintf(text, sizeof text,
		         "%u of %u were not served though nothing was wrong; first: op %u", failed,
		         demanded, first);
	return say(failed == 0, "P6", text);
}

static void print_figures(const struct loaded *l)
{
	uint32_t outcomes[4] = {0};
	uint32_t ops = 0;
	for (uint32_t i = 0; i < l->history.write_count; i++) outcomes[l->history.writes[i].outcome]++;
	for (uint32_t i = 0; i < l->op_count; i++) ops += l->ops[i].known;
	printf("figures: ops=%u reads=%u writes=%u acked=%u none=%u unknown=%u quorum_reads=%u "
	       "session_reads=%u final_reads=%u\n",
	       ops, l->history.read_count, l->history.write_count, outcomes[HIST_ACKED],
	       outcomes[HIST_NONE], outcomes[HIST_UNKNOWN], l->quorum_reads, l->session_reads,
	       l->final_reads);
}

int main(int argc, char **argv)
{
	struct loaded l;
	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: dunlin-check HISTORY\n");
		return 2;
	}
	if (!load_history(&l, argv[1])) {
		fprintf(stderr, "%s:%llu: %s\n", argv[1], (unsigned long long)l.line, l.why);
		load_free(&l);
		return 2;
	}
	bool holds = true;
	for (size_t i = 0; i < sizeof judges / sizeof judges[0]; i++) holds &= judge(&l, i);
	holds &= judge_read(&l);
	holds &= judge_foreign(&l);
	holds &= judge_rest(&l);
	holds &= judge_calm(&l);
	print_figures(&l);
	load_free(&l);
	return holds ? 0 : 1;
}
