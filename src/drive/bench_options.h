/* bench_options.h - what a run of the load generator is asked to do. */
#ifndef DUNLIN_DRIVE_BENCH_OPTIONS_H
#define DUNLIN_DRIVE_BENCH_OPTIONS_H

#include "drive/bench_keys.h"
#include "drive/cmd.h"

struct bench_target {
	char host[MEMBER_ADDRESS_BYTES_MAX + 1];
	uint16_t port;
};

struct bench_options {
	struct bench_target targets[BENCH_TARGETS_MAX];
	unsigned target_count;
	unsigned connections, pipeline;
	uint64_t keys;
	enum bench_dist dist;
	double exponent; /* of zipf */
	uint64_t value_bytes;
	unsigned read_percent;
	uint64_t duration_s, warm_up_s, timeout_s;
	uint64_t rate;  /* operations a second, all connections together; 0: closed loop */
	uint64_t count; /* end after so many operations; 0: by time only */
	uint64_t seed;
	const char *bucket; /* as typed */
	bool contexts;      /* a write replaces what the key's last answer showed; else it is blind */
	bool load, json;
	char query[128]; /* "?r=1&w=2", or "" */
	int pids[BENCH_PIDS_MAX];
	unsigned pid_count;
};

/* From the parsed flags of `dunlin bench`. False: complained; exit with CMD_MISUSE. */
bool bench_options_parse(const struct cmd *cmd, const struct cmd_args *args,
                         struct bench_options *o);

/* The flags, for the command's table. */
#define BENCH_OPTION_COUNT 23
extern const struct cmd_option bench_option_table[BENCH_OPTION_COUNT];

#endif
