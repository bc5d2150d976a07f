/* cmd.c - the table of commands, their flags and their help.
 *
 * A flag is `--name value` or `--name=value`; `--` ends the flags, and a lone `-` is a word. What is
 * wrong is answered with what was expected and the nearest right name, and exit code 2.
 * Not here: what the commands do (cmd_*.c). */
#include "drive/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "drive/config.h"

static const struct cmd *const commands[] = {
	&cmd_start, &cmd_dev,     &cmd_put,   &cmd_get,   &cmd_del,     &cmd_status,
	&cmd_ring,  &cmd_compare, &cmd_drain, &cmd_bench, &cmd_version, &cmd_help,
};
#define COMMAND_COUNT ((unsigned)(sizeof commands / sizeof commands[0]))

const struct cmd *cmd_at(unsigned i)
{
	return i < COMMAND_COUNT ? commands[i] : NULL;
}

const struct cmd *cmd_find(const char *name)
{
	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i]->name) == 0) return commands[i];
	return NULL;
}

static const char *command_name(unsigned i)
{
	return i < COMMAND_COUNT ? commands[i]->name : NULL;
}

int cmd_complain(const struct cmd *cmd, int exit_code, const char *format, ...)
{
	va_list arguments;
	fprintf(stderr, "dunlin %s: ", cmd->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return exit_code;
}

/* ---- help ----------------------------------------------------------------------------------- */

static void print_options(const struct cmd *cmd)
{
	char left[64];
	for (unsigned i = 0; i < cmd->option_count; i++) {
		const struct cmd_option *o = &cmd->options[i];
		snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "",
		         o->argument ? o->argument : "");
		printf("  %-22s %s\n", left, o->help);
	}
	printf("  %-22s %s\n", "--help", "this text");
}

void cmd_print_help(const struct cmd *cmd)
{
	printf("dunlin %s%s%s [options]\n\n%s\n\n", cmd->name, cmd->words[0] ? " " : "", cmd->words,
	       cmd->summary);
	print_options(cmd);
	if (cmd->text[0] != '\0') printf("\n%s", cmd->text);
}

static void print_commands(void)
{
	printf("dunlin - a key-value store without a leader\n\nusage: dunlin COMMAND ...\n\n");
	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n`dunlin help COMMAND` says more. A first minute:\n\n"
	       "  dunlin dev                     # a cluster of three on this machine\n"
	       "  dunlin put carts bob '3 pears' # in another terminal\n"
	       "  dunlin get carts bob\n");
}

static int unknown_command(const char *name)
{
	const char *near = config_nearest(name, command_name);
	fprintf(stderr, "dunlin: unknown command `%.64s`", name);
	if (near != NULL) fprintf(stderr, "; did you mean `%s`?", near);
	fprintf(stderr, "\n`dunlin help` lists the commands\n");
	return CMD_MISUSE;
}

static int run_help(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	int exit_code;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	if (args.word_count == 0) {
		print_commands();
		return CMD_DONE;
	}
	const struct cmd *about = cmd_find(args.words[0]);
	if (about == NULL) return unknown_command(args.words[0]);
	/* The command itself knows its help: `start` has its keys from the configuration's table. */
	char *ask[] = {(char *)"--help"};
	if (about != cmd) return about->run(about, 1, ask);
	cmd_print_help(about);
	return CMD_DONE;
}

const struct cmd cmd_help = {
	.name = "help",
	.words = "[COMMAND]",
	.summary = "what the commands are, and what one of them takes",
	.text = "",
	.words_most = 1,
	.run = run_help,
};

static int run_version(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	int exit_code;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	printf("dunlin %s\n", CMD_VERSION);
	return CMD_DONE;
}

const struct cmd cmd_version = {
	.name = "version",
	.words = "",
	.summary = "print the version",
	.text = "",
	.run = run_version,
};

/* ---- flags ---------------------------------------------------------------------------------- */

static int misuse_option(const struct cmd *cmd, const char *flag)
{
	char typed[64];
	const char *best = NULL;
	snprintf(typed, sizeof typed, "%.*s", (int)(strcspn(flag, "=") < 60 ? strcspn(flag, "=") : 60),
	         flag);
	/* Nearest by the same measure as keys; the list is the command's own. */
	for (unsigned i = 0; i < cmd->option_count && best == NULL; i++) {
		size_t len = strlen(typed);
		if (len >= 2 && strncmp(cmd->options[i].name, typed, len) == 0) best = cmd->options[i].name;
		if (config_is_near(typed, cmd->options[i].name)) best = cmd->options[i].name;
	}
	if (best != NULL)
		return cmd_complain(cmd, CMD_MISUSE, "unknown option --%s; did you mean --%s?", typed,
		                    best);
	return cmd_complain(cmd, CMD_MISUSE, "unknown option --%s; `dunlin help %s` lists them", typed,
	                    cmd->name);
}

/* One `--...` at argv[0]. Returns how many arguments it took; 0: complained. */
static int take_option(const struct cmd *cmd, int argc, char **argv, struct cmd_args *args)
{
	const char *flag = argv[0] + 2;
	size_t len = strcspn(flag, "=");
	for (unsigned i = 0; i < cmd->option_count; i++) {
		const struct cmd_option *o = &cmd->options[i];
		if (strlen(o->name) != len || strncmp(o->name, flag, len) != 0) continue;
		if (o->argument == NULL) {
			args->values[i] = "";
			if (flag[len] == '\0') return 1;
			cmd_complain(cmd, CMD_MISUSE, "--%s is a switch; it takes no value", o->name);
			return 0;
		}
		args->values[i] = flag[len] == '=' ? flag + len + 1 : argc > 1 ? argv[1] : NULL;
		if (args->values[i] != NULL) return flag[len] == '=' ? 1 : 2;
		cmd_complain(cmd, CMD_MISUSE, "--%s: expected %s after it (%s)", o->name, o->argument,
		             o->help);
		return 0;
	}
	misuse_option(cmd, flag);
	return 0;
}

static bool take_word(const struct cmd *cmd, const char *word, struct cmd_args *args)
{
	assert(cmd->words_most <= CMD_WORDS_MAX);
	if (args->word_count < cmd->words_most) {
		args->words[args->word_count++] = word;
		return true;
	}
	cmd_complain(cmd, CMD_MISUSE, "`%.64s` is one word too many; expected: dunlin %s %s", word,
	             cmd->name, cmd->words);
	return false;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
	return false;
}

bool cmd_parse(const struct cmd *cmd, int argc, char **argv, struct cmd_args *args, int *exit_code)
{
	bool flags = true;
	assert(cmd->option_count <= CMD_OPTIONS_MAX);
	*args = (struct cmd_args){0};
	*exit_code = CMD_DONE;
	if (wants_help(argc, argv)) {
		cmd_print_help(cmd);
		return false;
	}
	*exit_code = CMD_MISUSE;
	for (int i = 0; i < argc;) {
		int took = 1;
		if (flags && strcmp(argv[i], "--") == 0)
			flags = false;
		else if (flags && strncmp(argv[i], "--", 2) == 0)
			took = take_option(cmd, argc - i, argv + i, args);
		else if (!take_word(cmd, argv[i], args))
			took = 0;
		if (took == 0) return false;
		i += took;
	}
	if (args->word_count >= cmd->words_least) return true;
	cmd_complain(cmd, CMD_MISUSE, "too few words; expected: dunlin %s %s", cmd->name, cmd->words);
	return false;
}

const char *cmd_value(const struct cmd *cmd, const struct cmd_args *args, const char *name,
                      const char *otherwise)
{
	for (unsigned i = 0; i < cmd->option_count; i++) {
		if (strcmp(cmd->options[i].name, name) != 0) continue;
		return args->values[i] != NULL ? args->values[i] : otherwise;
	}
	unreachable();
}

bool cmd_number(const struct cmd *cmd, const struct cmd_args *args, const char *name,
                uint64_t least, uint64_t most, uint64_t *value)
{
	const char *text = cmd_value(cmd, args, name, NULL);
	char *end;
	if (text == NULL) return true;
	unsigned long long number = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && *end == '\0' && strlen(text) < 19 && number >= least &&
	    number <= most) {
		*value = number;
		return true;
	}
	cmd_complain(cmd, CMD_MISUSE, "--%s `%.64s`: expected a whole number from %llu to %llu", name,
	             text, (unsigned long long)least, (unsigned long long)most);
	return false;
}

const char *cmd_url(const struct cmd *cmd, const struct cmd_args *args)
{
	const char *environment = getenv("DUNLIN_URL");
	return cmd_value(cmd, args, "url",
	                 environment != NULL && environment[0] != '\0' ? environment : CMD_URL_DEFAULT);
}

/* ---- the program ---------------------------------------------------------------------------- */

static const struct cmd *command_of_flag(const char *flag)
{
	if (strcmp(flag, "--help") == 0 || strcmp(flag, "-h") == 0) return &cmd_help; /* of all */
	if (strcmp(flag, "--version") == 0 || strcmp(flag, "-V") == 0) return &cmd_version;
	return NULL;
}

int cmd_main(int argc, char **argv)
{
	if (argc < 2) {
		print_commands();
		return CMD_MISUSE;
	}
	const struct cmd *cmd = command_of_flag(argv[1]);
	if (cmd == NULL) cmd = cmd_find(argv[1]);
	if (cmd == NULL) return unknown_command(argv[1]);
	int exit_code = cmd->run(cmd, argc - 2, argv + 2);
	/* An answer that could not be written was not given. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && exit_code == CMD_DONE)
		exit_code = cmd_complain(cmd, CMD_FAILED, "cannot write the answer");
	return exit_code;
}
