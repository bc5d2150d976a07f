/* cmd_start.c - `dunlin start`: put the configuration together and serve, or with --check only say
 * whether it holds: what the keys are, their values, and the rules between them. Whether files can be
 * read and addresses are free is seen by starting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/panic.h"
#include "drive/cmd.h"
#include "drive/config.h"
#include "drive/server.h"

/* What flags say besides the configuration. */
struct start_flags {
	const char *file;
	bool check;
};

static void print_help(const struct cmd *cmd)
{
	char flag[48];
	printf("dunlin start [--config FILE] [--check] [--KEY VALUE]...\n\n%s\n\n", cmd->summary);
	printf("  %-22s %s\n", "--config FILE", "ini file: lines of `key = value`; or $DUNLIN_CONFIG");
	printf("  %-22s %s\n", "--check", "say whether the configuration holds, and end");
	for (unsigned i = 0; i < config_key_count(); i++) {
		struct config_key k = config_key_at(i);
		snprintf(flag, sizeof flag, "--%s", k.name);
		for (char *c = flag; *c != '\0'; c++)
			if (*c == '_') *c = '-';
		printf("  %-22s %s", flag, k.help);
		if (k.value[0] != '\0') printf(" [%s]", k.value);
		putchar('\n');
	}
	printf("  %-22s %s\n\n%s", "--help", "this text", cmd->text);
}

static char *const *environment(void)
{
	return environ;
}

/* The value of argv[i]'s flag, and how many arguments it took (0: complained). A switch of the
 * configuration may stand alone: --insecure. */
static int flag_value(const struct cmd *cmd, int argc, char **argv, int i, const char **value)
{
	const char *equals = strchr(argv[i], '=');
	char name[64];
	snprintf(name, sizeof name, "%.*s",
	         (int)(equals == NULL ? strlen(argv[i]) - 2 : (size_t)(equals - argv[i] - 2)),
	         argv[i] + 2);
	int key = config_key_find(name);
	bool yesno = key >= 0 && strcmp(config_key_at((unsigned)key).kind, "yes or no") == 0;
	bool last = i + 1 == argc || strncmp(argv[i + 1], "--", 2) == 0;
	if (equals != NULL) {
		*value = equals + 1;
		return 1;
	}
	*value = yesno && last ? "yes" : last ? NULL : argv[i + 1];
	if (*value != NULL) return yesno && last ? 1 : 2;
	cmd_complain(cmd, CMD_MISUSE, "--%s: expected a value after it", name);
	return 0;
}

/* The flag's name, up to an equals sign. */
static void name_of(const char *flag, char *to, size_t capacity)
{
	snprintf(to, capacity, "%.*s", (int)strcspn(flag + 2, "="), flag + 2);
}

/* The flag argv[i] with its value: into `flags`, or into `config` unless that is NULL. Returns how
 * many arguments it took; 0: complained. */
static int take_flag(const struct cmd *cmd, int argc, char **argv, int i, struct config *config,
                     struct start_flags *flags)
{
	struct config_error error;
	const char *value;
	char name[64];
	name_of(argv[i], name, sizeof name);
	if (strcmp(name, "check") == 0) {
		flags->check = strchr(argv[i], '=') == NULL;
		if (!flags->check) cmd_complain(cmd, CMD_MISUSE, "--check is a switch; it takes no value");
		return flags->check;
	}
	if (strcmp(name, "config") != 0 && config_key_find(name) < 0) {
		config_refuse_key("flag", name, &error);
		cmd_complain(cmd, CMD_MISUSE, "%s", error.text);
		return 0;
	}
	int took = flag_value(cmd, argc, argv, i, &value);
	if (took == 0) return 0;
	if (strcmp(name, "config") == 0)
		flags->file = value;
	else if (config != NULL && !config_set(config, CONFIG_FLAG, "flag", name, value, &error)) {
		cmd_complain(cmd, CMD_MISUSE, "%s", error.text);
		return 0;
	}
	return took;
}

/* One pass over the flags: with `config` NULL only --config and --check are looked for. */
static bool take_flags(const struct cmd *cmd, int argc, char **argv, struct config *config,
                       struct start_flags *flags)
{
	for (int i = 0, took; i < argc; i += took) {
		if (strncmp(argv[i], "--", 2) != 0 || argv[i][2] == '\0') {
			cmd_complain(cmd, CMD_MISUSE, "`%.64s`: expected flags only, as --name n1", argv[i]);
			return false;
		}
		took = take_flag(cmd, argc, argv, i, config, flags);
		if (took == 0) return false;
	}
	return true;
}

static bool put_together(const struct cmd *cmd, int argc, char **argv, struct config *config,
                         struct start_flags *flags)
{
	struct config_error error;
	flags->file = getenv("DUNLIN_CONFIG");
	if (!take_flags(cmd, argc, argv, NULL, flags)) return false;
	const char *file = flags->file;
	if (file != NULL && file[0] != '\0' && !config_file(config, file, &error)) {
		cmd_complain(cmd, CMD_MISUSE, "%s", error.text);
		return false;
	}
	if (!config_environment(config, environment(), &error)) {
		cmd_complain(cmd, CMD_MISUSE, "%s", error.text);
		return false;
	}
	if (!take_flags(cmd, argc, argv, config, flags)) return false;
	if (config_check(config, &error)) return true;
	cmd_complain(cmd, CMD_MISUSE, "%s", error.text);
	return false;
}

static int serve(const struct config *config, const struct start_flags *flags)
{
	if (!flags->check) return server_run(config);
	puts("the configuration holds");
	return CMD_DONE;
}

static int run_start(const struct cmd *cmd, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
		print_help(cmd);
		return CMD_DONE;
	}
	struct start_flags flags = {0};
	struct config *config = malloc(sizeof *config);
	if (config == NULL) return cmd_complain(cmd, CMD_FAILED, "out of memory");
	config_init(config);
	bool good = put_together(cmd, argc, argv, config, &flags);
	int exit_code = good ? serve(config, &flags) : CMD_MISUSE;
	config_free(config);
	free(config);
	return exit_code;
}

const struct cmd cmd_start = {
	.name = "start",
	.words = "",
	.summary = "run one node",
	.text = "A flag beats the environment (DUNLIN_KEY_FILE=...), which beats the file.\n"
			"The log goes to stderr. SIGTERM stops it cleanly.\n\n"
			"  dunlin start --dir /var/lib/dunlin\n"
			"  dunlin start --config /etc/dunlin/dunlin.conf --check\n"
			"  dunlin start --name n1 --peer 10.0.0.1:8099 --join 10.0.0.1:8099,10.0.0.2:8099 \\\n"
			"      --expect 2 --key-file cluster.key\n",
	.run = run_start,
};
