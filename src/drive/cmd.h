/* cmd.h - what the commands of the one binary share: their table, their flags, their exit codes.
 *
 * Answers go to stdout, everything else to stderr. */
#ifndef DUNLIN_DRIVE_CMD_H
#define DUNLIN_DRIVE_CMD_H

#include "dunlin/types.h"

#define CMD_VERSION "0.1.0"

enum cmd_exit { CMD_DONE = 0, CMD_FAILED = 1, CMD_MISUSE = 2 };

#define CMD_OPTIONS_MAX 24
#define CMD_WORDS_MAX 4

struct cmd_option {
	const char *name;     /* without the dashes */
	const char *argument; /* what follows it, for the help; NULL: a switch */
	const char *help;
};

struct cmd {
	const char *name, *words; /* words: what follows the name, "BUCKET KEY" */
	const char *summary;      /* one line */
	const char *text;         /* more, with examples; whole lines */
	const struct cmd_option *options;
	unsigned option_count;
	unsigned words_least, words_most;
	int (*run)(const struct cmd *cmd, int argc,
	           char **argv); /* argv[0]: the first after the name */
};

/* What was given. `values[i]` belongs to options[i]: NULL if absent, "" for a switch. */
struct cmd_args {
	const char *values[CMD_OPTIONS_MAX];
	const char *words[CMD_WORDS_MAX];
	unsigned word_count;
};

/* True: go on. False: *exit_code is set, and what had to be said was said (--help, or a misuse). */
bool cmd_parse(const struct cmd *cmd, int argc, char **argv, struct cmd_args *args, int *exit_code);
/* The value of an option of the command, or `otherwise`. */
const char *cmd_value(const struct cmd *cmd, const struct cmd_args *args, const char *name,
                      const char *otherwise);
/* A whole number in [least, most] of an option; false: complained, exit with CMD_MISUSE. */
bool cmd_number(const struct cmd *cmd, const struct cmd_args *args, const char *name,
                uint64_t least, uint64_t most, uint64_t *value);
/* Print "dunlin NAME: ..." to stderr and return `exit_code`. */
__attribute__((format(printf, 3, 4))) int cmd_complain(const struct cmd *cmd, int exit_code,
                                                       const char *format, ...);
void cmd_print_help(const struct cmd *cmd);

/* ---- the table ----------------------------------------------------------------------------- */

extern const struct cmd cmd_start, cmd_dev, cmd_put, cmd_get, cmd_del, cmd_status, cmd_ring,
	cmd_compare, cmd_drain, cmd_bench, cmd_version, cmd_help;
/* The i-th command, NULL at the end; and by name. */
const struct cmd *cmd_at(unsigned i);
const struct cmd *cmd_find(const char *name);
/* The whole program: what main() does. */
int cmd_main(int argc, char **argv);

/* The option that every command that talks to a node has, and where it goes without it. */
#define CMD_URL_DEFAULT "http://127.0.0.1:8098"
#define CMD_OPTION_URL                                                                             \
	{                                                                                              \
		"url", "URL", "a node of the cluster; default $DUNLIN_URL or " CMD_URL_DEFAULT             \
	}
const char *cmd_url(const struct cmd *cmd, const struct cmd_args *args);

#endif
