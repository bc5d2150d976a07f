/* options.c - the command line of dunlin-sim. */
#include "tests/sim/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"

static const char *const fault_words[FAULT_KINDS] = {
#define X(name, word, text) word,
	FAULT_TABLE(X)
#undef X
};

static const char *const fault_texts[FAULT_KINDS] = {
#define X(name, word, text) text,
	FAULT_TABLE(X)
#undef X
};

const char *options_fault_word(enum fault_kind kind)
{
	assert(kind < FAULT_KINDS);
	return fault_words[kind];
}

static void usage(void)
{
	fprintf(
		stderr,
		"usage: dunlin-sim [--seed S] [--nodes 5] [--time 10m] [--clients 10]\n"
		"                  [--faults all|none|WORD,...] [--trace] [--twice] [--no-shrink]\n"
		"                  [--in-process] [--seeds N [--first S] [--jobs 1] [--stop]]\n"
		"to leave parts of a run out:\n"
		"  --until 12s           trouble ends then, though it was to last for --time\n"
		"  --strikes WORD.N,...  of the faults only these strikes (WORD: all of a kind), or none\n"
		"  --turns N,N-N,...     of what clients do only these turns, or none\n"
		"  --keys N,N-N,...      clients ask for these keys only\n"
		"  --counters 5          clients that count\n"
		"  --operators 1         who changes properties and lists keys\n"
		"faults:\n");
	for (unsigned k = 0; k < FAULT_KINDS; k++)
		fprintf(stderr, "  %-10s %s\n", fault_words[k], fault_texts[k]);
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end = NULL;
	unsigned long long v = strtoull(text, &end, 0);
	if (end == text || *end != '\0' || v < min || v > max) return false;
	*out = v;
	return true;
}

/* 90, 90s, 10m, 2h, 1500ms */
static bool parse_time(const char *text, uint64_t *out)
{
	static const struct {
		const char *word;
		uint64_t us;
	} units[] = {{"", SECONDS(1)},
	             {"s", SECONDS(1)},
	             {"m", SECONDS(60)},
	             {"h", SECONDS(3600)},
	             {"ms", MS(1)}};
	char *end = NULL;
	unsigned long long v = strtoull(text, &end, 10);
	if (end == text || v == 0 || v > 1000000000) return false;
	for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(end, units[i].word) != 0) continue;
		*out = v * units[i].us;
		return true;
	}
	return false;
}

/* The kind that this word names, or FAULT_KINDS. */
static enum fault_kind fault_named(const char *word, size_t len)
{
	unsigned k = 0;
	while (k < FAULT_KINDS &&
	       (strlen(fault_words[k]) != len || memcmp(fault_words[k], word, len) != 0))
		k++;
	return (enum fault_kind)k;
}

static bool parse_fault(const char *word, size_t len, uint32_t *faults)
{
	enum fault_kind k = fault_named(word, len);
	if (k == FAULT_KINDS) return false;
	*faults |= FAULT_BIT(k);
	return true;
}

/* One strike, or all of a kind: "crash.3", "loss". *text goes on behind it. */
static bool parse_strike(const char **text, uint64_t strikes[FAULT_KINDS])
{
	size_t len = strcspn(*text, ".,");
	enum fault_kind k = fault_named(*text, len);
	if (k == FAULT_KINDS) return false;
	*text += len;
	if (**text != '.') {
		strikes[k] = UINT64_MAX;
		return true;
	}
	char *end = NULL;
	unsigned long n = strtoul(*text + 1, &end, 10);
	if (end == *text + 1 || n >= SIM_STRIKES_MAX) return false;
	numbers_set(&strikes[k], (uint32_t)n, true);
	*text = end;
	return true;
}

static bool parse_strikes(const char *text, uint64_t strikes[FAULT_KINDS])
{
	if (strcmp(text, "all") == 0) return true;
	memset(strikes, 0, FAULT_KINDS * sizeof *strikes);
	if (strcmp(text, "none") == 0) return true;
	for (;;) {
		if (!parse_strike(&text, strikes)) return false;
		if (*text == '\0') return true;
		if (*text++ != ',') return false;
	}
}

static bool parse_faults(const char *text, uint32_t *faults)
{
	*faults = 0;
	if (strcmp(text, "none") == 0) return true;
	if (strcmp(text, "all") == 0) {
		*faults = FAULTS_ALL;
		return true;
	}
	for (const char *at = text;;) {
		size_t len = strcspn(at, ",");
		if (!parse_fault(at, len, faults)) return false;
		if (at[len] == '\0') return true;
		at += len + 1;
	}
}

static bool parse_flag(struct sim_options *o, const char *name)
{
	if (strcmp(name, "--trace") == 0)
		o->trace = true;
	else if (strcmp(name, "--twice") == 0)
		o->twice = true;
	else if (strcmp(name, "--no-shrink") == 0)
		o->shrink = false;
	else if (strcmp(name, "--stop") == 0)
		o->stop = true;
	else if (strcmp(name, "--in-process") == 0)
		o->in_process = true;
	else
		return false;
	return true;
}

static bool parse_count(const char *value, uint64_t min, uint64_t max, uint32_t *out)
{
	uint64_t v = 0;
	bool ok = parse_number(value, min, max, &v);
	if (ok) *out = (uint32_t)v;
	return ok;
}

static bool parse_part(struct sim_options *o, const char *name, const char *value)
{
	if (strcmp(name, "--until") == 0) return parse_time(value, &o->until_us);
	if (strcmp(name, "--strikes") == 0) return parse_strikes(value, o->strikes);
	if (strcmp(name, "--turns") == 0) return numbers_parse(value, o->turns, SIM_TURNS_MAX);
	if (strcmp(name, "--keys") == 0) return numbers_parse(value, &o->keys, SIM_KEYS);
	if (strcmp(name, "--counters") == 0)
		return parse_count(value, 0, SIM_COUNTERS_MAX, &o->counters);
	if (strcmp(name, "--operators") == 0) return parse_count(value, 0, 1, &o->operators);
	return false;
}

static bool parse_forbid(struct sim_options *o, const char *value)
{
	o->forbid_siblings = strcmp(value, "siblings") == 0;
	return o->forbid_siblings;
}

static bool parse_valued(struct sim_options *o, const char *name, const char *value)
{
	if (strcmp(name, "--time") == 0) return parse_time(value, &o->time_us);
	if (strcmp(name, "--forbid") == 0) return parse_forbid(o, value);
	if (strcmp(name, "--faults") == 0) return parse_faults(value, &o->faults);
	if (strcmp(name, "--seed") == 0) return parse_number(value, 0, UINT64_MAX, &o->seed);
	if (strcmp(name, "--first") == 0) return parse_number(value, 0, UINT64_MAX, &o->first);
	if (strcmp(name, "--nodes") == 0) return parse_count(value, 1, SIM_NODES_MAX, &o->nodes);
	if (strcmp(name, "--clients") == 0) return parse_count(value, 1, SIM_CLIENTS_MAX, &o->clients);
	if (strcmp(name, "--seeds") == 0) return parse_count(value, 1, 100000000, &o->seeds);
	if (strcmp(name, "--jobs") == 0) return parse_count(value, 1, 64, &o->jobs);
	return parse_part(o, name, value);
}

void options_default(struct sim_options *o)
{
	*o = (struct sim_options){.seed = 1,
	                          .nodes = 5,
	                          .clients = 10,
	                          .time_us = SECONDS(600),
	                          .faults = FAULTS_ALL,
	                          .counters = SIM_COUNTERS_MAX,
	                          .operators = 1,
	                          .shrink = true,
	                          .jobs = 1,
	                          .first = 1};
	memset(o->strikes, 0xff, sizeof o->strikes);
	numbers_fill(o->turns, SIM_TURNS_MAX);
	numbers_fill(&o->keys, SIM_KEYS);
}

bool options_parse(struct sim_options *o, int argc, char **argv)
{
	options_default(o);
	for (int i = 1; i < argc; i++) {
		if (parse_flag(o, argv[i])) continue;
		if (i + 1 < argc && parse_valued(o, argv[i], argv[i + 1])) {
			i++;
			continue;
		}
		fprintf(stderr, "dunlin-sim: cannot make sense of %s\n", argv[i]);
		usage();
		return false;
	}
	return true;
}

/* ---- and back ------------------------------------------------------------------------------- */

static void print_faults(uint32_t faults, FILE *to)
{
	const char *between = "";
	if (faults == 0 || faults == FAULTS_ALL) {
		fprintf(to, "%s", faults == 0 ? "none" : "all");
		return;
	}
	for (unsigned k = 0; k < FAULT_KINDS; k++) {
		if ((faults & FAULT_BIT(k)) == 0) continue;
		fprintf(to, "%s%s", between, fault_words[k]);
		between = ",";
	}
}

/* " --strikes ..." unless all that are chosen may strike. */
static void print_strikes(const struct sim_options *o, FILE *to)
{
	const char *before = " --strikes ";
	bool all = true;
	for (unsigned k = 0; k < FAULT_KINDS; k++)
		all &= (o->faults & FAULT_BIT(k)) == 0 || o->strikes[k] == UINT64_MAX;
	if (all) return;
	for (unsigned k = 0; k < FAULT_KINDS; k++) {
		if ((o->faults & FAULT_BIT(k)) == 0) continue;
		if (o->strikes[k] == UINT64_MAX) {
			fprintf(to, "%s%s", before, fault_words[k]);
			before = ",";
			continue;
		}
		for (uint32_t n = 0; n < SIM_STRIKES_MAX; n++) {
			if (!numbers_have(&o->strikes[k], n)) continue;
			fprintf(to, "%s%s.%u", before, fault_words[k], n);
			before = ",";
		}
	}
	if (before[0] != ',') fprintf(to, "%snone", before);
}

static void print_time(uint64_t us, FILE *to)
{
	bool whole = us % SECONDS(1) == 0;
	fprintf(to, "%llu%s", (unsigned long long)(us / (whole ? SECONDS(1) : MS(1))),
	        whole ? "s" : "ms");
}

void options_print(const struct sim_options *o, FILE *to)
{
	fprintf(to, "dunlin-sim --seed %llu --nodes %u --clients %u --time ",
	        (unsigned long long)o->seed, o->nodes, o->clients);
	print_time(o->time_us, to);
	fprintf(to, " --faults ");
	print_faults(o->faults, to);
	if (o->until_us > 0) {
		fprintf(to, " --until ");
		print_time(o->until_us, to);
	}
	print_strikes(o, to);
	if (!numbers_are_all(o->turns, SIM_TURNS_MAX)) {
		fprintf(to, " --turns ");
		numbers_print(o->turns, SIM_TURNS_MAX, to);
	}
	if (!numbers_are_all(&o->keys, SIM_KEYS)) {
		fprintf(to, " --keys ");
		numbers_print(&o->keys, SIM_KEYS, to);
	}
	if (o->counters < SIM_COUNTERS_MAX) fprintf(to, " --counters %u", o->counters);
	if (o->operators == 0) fprintf(to, " --operators 0");
	if (o->forbid_siblings) fprintf(to, " --forbid siblings");
}
