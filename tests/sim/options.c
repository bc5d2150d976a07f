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
	fprintf(stderr,
	        "usage: dunlin-sim [--seed S] [--nodes 5] [--time 10m] [--clients 10]\n"
	        "                  [--faults all|none|WORD,...] [--trace] [--twice] [--no-shrink]\n"
	        "                  [--in-process] [--seeds N [--first S] [--jobs 1] [--stop]]\n"
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

/* 90, 90s, 10m, 2h */
static bool parse_time(const char *text, uint64_t *out)
{
	char *end = NULL;
	unsigned long long v = strtoull(text, &end, 10);
	uint64_t unit = 1;
	if (end == text) return false;
	if (*end == 'm') unit = 60;
	if (*end == 'h') unit = 3600;
	if (*end == 's' || *end == 'm' || *end == 'h') end++;
	if (*end != '\0' || v == 0 || v > 1000000) return false;
	*out = SECONDS(v * unit);
	return true;
}

static bool parse_fault(const char *word, size_t len, uint32_t *faults)
{
	for (unsigned k = 0; k < FAULT_KINDS; k++) {
		if (strlen(fault_words[k]) == len && memcmp(fault_words[k], word, len) == 0) {
			*faults |= FAULT_BIT(k);
			return true;
		}
	}
	return false;
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

static bool parse_valued(struct sim_options *o, const char *name, const char *value)
{
	uint64_t v = 0;
	if (strcmp(name, "--time") == 0) return parse_time(value, &o->time_us);
	if (strcmp(name, "--faults") == 0) return parse_faults(value, &o->faults);
	if (strcmp(name, "--seed") == 0) return parse_number(value, 0, UINT64_MAX, &o->seed);
	if (strcmp(name, "--first") == 0) return parse_number(value, 0, UINT64_MAX, &o->first);
	if (strcmp(name, "--nodes") == 0) {
		bool ok = parse_number(value, 1, SIM_NODES_MAX, &v);
		o->nodes = (uint32_t)v;
		return ok;
	}
	if (strcmp(name, "--clients") == 0) {
		bool ok = parse_number(value, 1, SIM_CLIENTS_MAX, &v);
		o->clients = (uint32_t)v;
		return ok;
	}
	if (strcmp(name, "--seeds") == 0) {
		bool ok = parse_number(value, 1, 100000000, &v);
		o->seeds = (uint32_t)v;
		return ok;
	}
	if (strcmp(name, "--jobs") == 0) {
		bool ok = parse_number(value, 1, 64, &v);
		o->jobs = (uint32_t)v;
		return ok;
	}
	return false;
}

bool options_parse(struct sim_options *o, int argc, char **argv)
{
	*o = (struct sim_options){.seed = 1,
	                          .nodes = 5,
	                          .clients = 10,
	                          .time_us = SECONDS(600),
	                          .faults = FAULTS_ALL,
	                          .shrink = true,
	                          .jobs = 1,
	                          .first = 1};
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

void options_faults_text(uint32_t faults, char *to, size_t room)
{
	assert(room > 0 && faults <= FAULTS_ALL);
	size_t at = 0;
	to[0] = '\0';
	if (faults == 0 || faults == FAULTS_ALL) {
		snprintf(to, room, "%s", faults == 0 ? "none" : "all");
		return;
	}
	for (unsigned k = 0; k < FAULT_KINDS && at < room; k++) {
		if ((faults & FAULT_BIT(k)) == 0) continue;
		at += (size_t)snprintf(to + at, room - at, "%s%s", at == 0 ? "" : ",", fault_words[k]);
	}
}

void options_command(const struct sim_options *o, char *to, size_t room)
{
	char faults[256];
	options_faults_text(o->faults, faults, sizeof faults);
	snprintf(to, room, "dunlin-sim --seed %llu --nodes %u --clients %u --time %llus --faults %s",
	         (unsigned long long)o->seed, o->nodes, o->clients,
	         (unsigned long long)(o->time_us / SECONDS(1)), faults);
}
