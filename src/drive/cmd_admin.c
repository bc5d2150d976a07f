/* cmd_admin.c - `dunlin status`, `ring`, `compare` and `drain`: a cluster through one node of it.
 *
 * Each prints what /admin/... answers, as a table for people or, with --json, as it came.
 * Not here: what the answers hold (admin.c). */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/cmd.h"
#include "drive/cmd_http.h"

/* Ask a node for a JSON document. NULL: it was said why, on stderr. */
static json_t *ask(const struct cmd *cmd, const struct cmd_args *args, const char *method,
                   struct buffer *path, int *status)
{
	struct cmd_http_answer answer;
	char why[600];
	buffer_append(path, bytes_of("", 1));
	struct cmd_http_request r = {
		.url = cmd_url(cmd, args), .method = method, .path = (const char *)buffer_head(path)};
	bool done = cmd_http(&r, &answer, why, sizeof why);
	buffer_free(path);
	if (!done) {
		cmd_complain(cmd, CMD_FAILED, "%s", why);
		return NULL;
	}
	json_t *document = json_loadb((const char *)answer.body.data, answer.body.len, 0, NULL);
	*status = answer.status;
	cmd_http_free(&answer);
	if (document == NULL) cmd_complain(cmd, CMD_FAILED, "%s: that is no Dunlin node", r.url);
	return document;
}

static json_t *fetch(const struct cmd *cmd, const struct cmd_args *args, struct buffer *path,
                     int *status)
{
	return ask(cmd, args, "GET", path, status);
}

/* The same, and anything but 200 is said and ends it. */
static json_t *ask_ok(const struct cmd *cmd, const struct cmd_args *args, const char *method,
                      struct buffer *path)
{
	int status = 0;
	json_t *document = ask(cmd, args, method, path, &status);
	if (document == NULL || status == 200) return document;
	const char *error = json_string_value(json_object_get(document, "error"));
	cmd_complain(cmd, CMD_FAILED, "%s", error != NULL && error[0] ? error : "refused");
	json_decref(document);
	return NULL;
}

static json_t *fetch_ok(const struct cmd *cmd, const struct cmd_args *args, struct buffer *path)
{
	return ask_ok(cmd, args, "GET", path);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	char encoded[40];
	snprintf(encoded, sizeof encoded, "%s_encoded", name);
	if (text == NULL) text = json_string_value(json_object_get(object, encoded));
	return text != NULL ? text : "";
}

static long long number_of(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

static bool is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static bool wants_json(const struct cmd *cmd, const struct cmd_args *args)
{
	return cmd_value(cmd, args, "json", NULL) != NULL;
}

static void print_json(const json_t *document)
{
	char *text = json_dumps(document, JSON_INDENT(2));
	if (text != NULL) puts(text);
	free(text);
}

/* ---- status --------------------------------------------------------------------------------- */

static void print_members(const json_t *members)
{
	size_t i;
	json_t *m;
	printf("\n  %-16s %-5s %-24s %-10s %6s %10s %9s %9s  %s\n", "member", "up", "peer address",
	       "zone", "weight", "partitions", "behind", "queued", "id");
	json_array_foreach(members, i, m)
	{
		printf("%c %-16s %-5s %-24s %-10s %6lld %10lld %7.1f s %7.1f K  %s\n",
		       is_true(m, "self") ? '*' : ' ', text_of(m, "name"), is_true(m, "up") ? "up" : "DOWN",
		       text_of(m, "address"), text_of(m, "zone"), number_of(m, "weight"),
		       number_of(m, "partitions"), (double)number_of(m, "lag_ms") / 1e3,
		       (double)number_of(m, "queue_bytes") / 1024, text_of(m, "id"));
	}
}

static void print_reaping(const json_t *document)
{
	const json_t *reaping = json_object_get(document, "reaping");
	const json_t *counters = json_object_get(document, "counters");
	const char *step = text_of(reaping, "step"), *who = text_of(reaping, "waits_for");
	printf("reaping  ");
	if (number_of(reaping, "horizon_ms") == 0)
		printf("nothing was let go of yet");
	else
		printf("what was dead %lld s ago is gone", number_of(counters, "reap_horizon_seconds"));
	if (strcmp(step, "none") != 0)
		printf("; a round is at `%s`, and waits for %s", step, who[0] ? who : "nobody");
	else if (is_true(reaping, "waiting"))
		printf("; more waits for the next round");
	printf("\n");
}

static double mib(const json_t *object, const char *name)
{
	return (double)number_of(object, name) / (1024 * 1024);
}

static void print_means(const json_t *document)
{
	const json_t *disk = json_object_get(document, "disk");
	const json_t *counters = json_object_get(document, "counters");
	printf("disk     %.1f MiB used, %.1f MiB free%s\n", mib(disk, "bytes"), mib(disk, "free_bytes"),
	       is_true(disk, "read_only") ? "; it takes no writes" : "");
	printf("clock    %lld ms off the median of all members\n",
	       number_of(counters, "clock_offset_ms"));
	printf("budget   %.1f MiB a second for work in the background\n",
	       mib(counters, "background_bytes_per_s"));
}

static void print_status(const json_t *document)
{
	const json_t *node = json_object_get(document, "node");
	const json_t *cluster = json_object_get(document, "cluster");
	const json_t *counters = json_object_get(document, "counters");
	const char *trouble = text_of(node, "trouble");
	printf("node     %s (%s), version %s\n", text_of(node, "name"), text_of(node, "id"),
	       text_of(node, "version"));
	printf("state    %s%s%s\n", is_true(node, "ready") ? "ready" : "not ready",
	       trouble[0] ? ": " : "", trouble);
	if (!json_is_object(cluster)) return;
	printf("cluster  %s, epoch %lld, %lld partitions, %lld replicas\n", text_of(cluster, "id"),
	       number_of(cluster, "epoch"), number_of(cluster, "partitions"),
	       number_of(cluster, "replicas"));
	printf(
		"waiting  %lld stand-in copies (%lld bytes, oldest %lld s), %lld hints (%lld bytes, oldest "
		"%lld s), %lld partitions to verify\n",
		number_of(counters, "stand_ins"), number_of(counters, "stand_in_bytes"),
		number_of(counters, "stand_ins_oldest_seconds"), number_of(counters, "hints"),
		number_of(counters, "hint_bytes"), number_of(counters, "hints_oldest_seconds"),
		number_of(counters, "suspect_partitions"));
	print_reaping(document);
	print_means(document);
	print_members(json_object_get(document, "members"));
}

static int run_status(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	struct buffer path = {0};
	int exit_code;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	buffer_printf(&path, "/admin/status");
	json_t *document = fetch_ok(cmd, &args, &path);
	if (document == NULL) return CMD_FAILED;
	bool ready = is_true(json_object_get(document, "node"), "ready");
	if (wants_json(cmd, &args))
		print_json(document);
	else
		print_status(document);
	json_decref(document);
	return ready ? CMD_DONE : CMD_FAILED;
}

static const struct cmd_option status_options[] = {
	{"json", NULL, "print the node's answer as it is"},
	CMD_OPTION_URL,
};
const struct cmd cmd_status = {
	.name = "status",
	.words = "",
	.summary = "how a node and its cluster are",
	.text = "Exit code 1 when the node is not ready.\n\n"
			"  dunlin status\n"
			"  dunlin status --url http://127.0.0.1:8108 --json\n",
	.options = status_options,
	.option_count = sizeof status_options / sizeof status_options[0],
	.run = run_status,
};

/* ---- ring ----------------------------------------------------------------------------------- */

static void print_preference(const json_t *document)
{
	size_t i;
	json_t *place;
	printf("partition %lld, hash %s, layout %lld\n", number_of(document, "partition"),
	       text_of(document, "hash"), number_of(document, "epoch"));
	json_array_foreach(json_object_get(document, "preference"), i, place)
	{
		printf("  %zu. %-16s %-5s %s", i + 1, text_of(place, "name"),
		       is_true(place, "up") ? "up" : "DOWN", text_of(place, "why"));
		if (is_true(place, "fallback")) printf(" (%s)", text_of(place, "stands_for"));
		putchar('\n');
	}
}

static void print_layout(const json_t *document)
{
	size_t i;
	json_t *m;
	printf("cluster %s, layout %lld: %lld partitions, %lld replicas\n\n", text_of(document, "id"),
	       number_of(document, "epoch"), number_of(document, "partitions"),
	       number_of(document, "replicas"));
	printf("  %-16s %-5s %-10s %6s %10s %12s\n", "member", "up", "zone", "weight", "partitions",
	       "first places");
	json_array_foreach(json_object_get(document, "members"), i, m)
	{
		printf("  %-16s %-5s %-10s %6lld %10lld %12lld\n", text_of(m, "name"),
		       is_true(m, "up") ? "up" : "DOWN", text_of(m, "zone"), number_of(m, "weight"),
		       number_of(m, "partitions"), number_of(m, "first_places"));
	}
}

static int run_ring(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	struct buffer path = {0};
	int exit_code;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	if (args.word_count == 0) {
		buffer_printf(&path, "/admin/layout");
	} else {
		buffer_printf(&path, "/admin/ring?type=");
		cmd_http_escape(&path, cmd_value(cmd, &args, "type", "default"));
		buffer_printf(&path, "&bucket=");
		cmd_http_escape(&path, args.word_count == 2 ? args.words[0] : "default");
		buffer_printf(&path, "&key=");
		cmd_http_escape(&path, args.words[args.word_count - 1]);
	}
	json_t *document = fetch_ok(cmd, &args, &path);
	if (document == NULL) return CMD_FAILED;
	if (wants_json(cmd, &args))
		print_json(document);
	else if (args.word_count == 0)
		print_layout(document);
	else
		print_preference(document);
	json_decref(document);
	return CMD_DONE;
}

static const struct cmd_option ring_options[] = {
	{"type", "T", "bucket type; `default` if not given"},
	{"json", NULL, "print the node's answer as it is"},
	CMD_OPTION_URL,
};
const struct cmd cmd_ring = {
	.name = "ring",
	.words = "[KEY|BUCKET KEY]",
	.summary = "who holds a key, or how the ring is shared out",
	.text = "A KEY alone is looked for in the bucket `default`.\n\n"
			"  dunlin ring\n"
			"  dunlin ring carts bob\n",
	.options = ring_options,
	.option_count = sizeof ring_options / sizeof ring_options[0],
	.words_most = 2,
	.run = run_ring,
};

/* ---- compare -------------------------------------------------------------------------------- */

/* What was found over all partitions so far. */
struct comparison {
	const struct cmd *cmd;
	const struct cmd_args *args;
	bool progress;
	long long partitions, keys, different, failed;
};

static void show_progress(const struct comparison *c, long long done)
{
	if (!c->progress) return;
	fprintf(stderr, "\r%lld of %lld partitions, %lld keys, %lld different", done, c->partitions,
	        c->keys, c->different);
	if (done == c->partitions) fputc('\n', stderr);
	fflush(stderr);
}

static void print_example(const json_t *e)
{
	printf("different: %s/%s/%s\n", text_of(e, "type"), text_of(e, "bucket"), text_of(e, "key"));
}

/* One partition. */
static void compare_one(struct comparison *c, long long partition)
{
	struct buffer path = {0};
	int status = 0;
	size_t i;
	json_t *example;
	buffer_printf(&path, "/admin/compare?partition=%lld", partition);
	if (c->args->word_count > 0) {
		buffer_printf(&path, "&type=");
		cmd_http_escape(&path, cmd_value(c->cmd, c->args, "type", "default"));
		buffer_printf(&path, "&bucket=");
		cmd_http_escape(&path, c->args->words[0]);
	}
	json_t *found = fetch(c->cmd, c->args, &path, &status);
	c->failed += found == NULL || status != 200;
	if (found != NULL && status != 200)
		printf("partition %lld: %s%s%s\n", partition, text_of(found, "error"),
		       text_of(found, "silent")[0] ? ": " : "", text_of(found, "silent"));
	c->keys += number_of(found, "keys");
	c->different += number_of(found, "different");
	json_array_foreach(json_object_get(found, "examples"), i, example) print_example(example);
	long long shown = (long long)json_array_size(json_object_get(found, "examples"));
	if (number_of(found, "different") > shown)
		printf("partition %lld: and %lld more\n", partition, number_of(found, "different") - shown);
	json_decref(found);
}

static int run_compare(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	struct buffer path = {0};
	int exit_code;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	bool all = cmd_value(cmd, &args, "all", NULL) != NULL;
	if (all == (args.word_count == 1))
		return cmd_complain(cmd, CMD_MISUSE, "expected a BUCKET or --all");
	buffer_printf(&path, "/admin/status");
	json_t *status = fetch_ok(cmd, &args, &path);
	if (status == NULL) return CMD_FAILED;
	struct comparison c = {.cmd = cmd, .args = &args};
	c.progress = isatty(2) || cmd_value(cmd, &args, "progress", NULL) != NULL;
	c.partitions = number_of(json_object_get(status, "cluster"), "partitions");
	json_decref(status);
	if (c.partitions == 0) return cmd_complain(cmd, CMD_FAILED, "the cluster is not formed yet");
	for (long long p = 0; p < c.partitions; p++) {
		compare_one(&c, p);
		show_progress(&c, p + 1);
	}
	printf("%s: %lld keys in %lld partitions, %lld different, %lld partitions not compared\n",
	       c.different == 0 && c.failed == 0 ? "identical" : "NOT identical", c.keys, c.partitions,
	       c.different, c.failed);
	return c.different == 0 && c.failed == 0 ? CMD_DONE : CMD_FAILED;
}

static const struct cmd_option compare_options[] = {
	{"all", NULL, "all buckets of all types"},
	{"type", "T", "bucket type; `default` if not given"},
	{"progress", NULL, "say how far it is, also when stderr is no terminal"},
	CMD_OPTION_URL,
};
const struct cmd cmd_compare = {
	.name = "compare",
	.words = "BUCKET|--all",
	.summary = "compare the replicas of every key, directly",
	.text = "Prints the keys whose replicas are not the same, and a summary as the last line.\n"
			"Exit code 0: all the same; 1: some are not, or could not be compared. Keys that are\n"
			"being written meanwhile may show up.\n\n"
			"  dunlin compare carts\n"
			"  dunlin compare --all --progress\n",
	.options = compare_options,
	.option_count = sizeof compare_options / sizeof compare_options[0],
	.words_most = 1,
	.run = run_compare,
};

/* ---- drain ---------------------------------------------------------------------------------- */

static json_t *drain_ask(const struct cmd *cmd, const struct cmd_args *args, const char *method,
                         bool cancel)
{
	struct buffer path = {0};
	buffer_printf(&path, "/admin/drain%s", cancel ? "?cancel=true" : "");
	return ask_ok(cmd, args, method, &path);
}

static void print_drain(FILE *to, const json_t *d)
{
	size_t i;
	json_t *m;
	fprintf(to, "%lld requests, %lld stand-in copies (%lld bytes), %lld hints",
	        number_of(d, "requests"), number_of(d, "stand_ins"), number_of(d, "stand_in_bytes"),
	        number_of(d, "hints"));
	json_array_foreach(json_object_get(d, "away"), i, m)
		fprintf(to, "%s %s", i == 0 ? "; away:" : ",", text_of(m, "name"));
	fputc('\n', to);
}

static long long left_of(const json_t *d)
{
	return number_of(d, "requests") + number_of(d, "stand_ins") + number_of(d, "hints");
}

/* Ask until nothing is left, or the time is over, or somebody has ended it. */
static json_t *drain_follow(const struct cmd *cmd, const struct cmd_args *args, json_t *d,
                            uint64_t seconds)
{
	uint64_t polls = seconds * 1000 / CLI_DRAIN_POLL_MS;
	long long said = -1;
	for (uint64_t i = 0; d != NULL && is_true(d, "draining") && !is_true(d, "done"); i++) {
		if (left_of(d) != said) print_drain(stderr, d);
		said = left_of(d);
		if (i == polls) break;
		usleep(CLI_DRAIN_POLL_MS * 1000);
		json_decref(d);
		d = drain_ask(cmd, args, "GET", false);
	}
	return d;
}

static int run_drain(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	int exit_code;
	uint64_t seconds = CLI_DRAIN_SECONDS;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	if (!cmd_number(cmd, &args, "timeout", 0, 86400, &seconds)) return CMD_MISUSE;
	bool cancel = cmd_value(cmd, &args, "cancel", NULL) != NULL;
	json_t *d = drain_ask(cmd, &args, "POST", cancel);
	if (!cancel) d = drain_follow(cmd, &args, d, seconds);
	if (d == NULL) return CMD_FAILED;
	bool done = cancel ? !is_true(d, "draining") : is_true(d, "done");
	if (wants_json(cmd, &args)) {
		print_json(d);
	} else if (cancel) {
		printf("cancelled: the node takes requests again\n");
	} else if (done) {
		printf("drained: nothing is left here for others\n");
	} else {
		fputs(is_true(d, "draining") ? "NOT drained: " : "cancelled by another: ", stdout);
		print_drain(stdout, d);
	}
	json_decref(d);
	return done ? CMD_DONE : CMD_FAILED;
}

static const struct cmd_option drain_options[] = {
	{"cancel", NULL, "end it: the node takes requests again"},
	{"timeout", "S", "seconds to wait until nothing is left; 300 if not given"},
	{"json", NULL, "print the node's last answer as it is"},
	CMD_OPTION_URL,
};
const struct cmd cmd_drain = {
	.name = "drain",
	.words = "",
	.summary = "have a node coordinate nothing new and give back what it keeps for others",
	.text = "It answers clients 503 and goes on answering the other nodes, until --cancel or\n"
			"a restart. Says how much is left as it goes down. Exit code 0: nothing is left;\n"
			"1: some is, and is told. It stays on this node's disk, and goes home when the\n"
			"nodes that are away are back.\n\n"
			"  dunlin drain --url http://127.0.0.1:8108 && systemctl stop dunlin\n",
	.options = drain_options,
	.option_count = sizeof drain_options / sizeof drain_options[0],
	.run = run_drain,
};
