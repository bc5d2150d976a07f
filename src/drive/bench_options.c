/* bench_options.c - the flags of `dunlin bench`, checked.
 *
 * Not here: names are resolved when the run starts (bench_load.c). */
#include "drive/bench_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "drive/config.h"

const struct cmd_option bench_option_table[BENCH_OPTION_COUNT] = {
	{"url", "URL,...", "nodes; connections are spread over them; default $DUNLIN_URL"},
	{"connections", "N", "over all nodes; default 64"},
	{"pipeline", "N", "requests on the way on one connection; default 1"},
	{"keys", "N", "how many keys there are; default 10000"},
	{"dist", "D", "uniform (default), zipf, zipf:S (exponent S, default 0.99), seq"},
	{"value-bytes", "N", "size of a value; default 100"},
	{"read", "PERCENT", "share of reads; default 50"},
	{"duration", "SECONDS", "measured time; default 10"},
	{"warm-up", "SECONDS", "before it, not measured; default 1"},
	{"rate", "N", "open loop: operations a second, late or not; default: closed loop"},
	{"count", "N", "end after N operations, if that is earlier"},
	{"timeout", "SECONDS", "an answer later than this is an error; default 10"},
	{"seed", "N", "of keys, values and the mix; default 1"},
	{"bucket", "NAME", "default bench"},
	{"blind", NULL, "write without a context: every write adds a sibling"},
	{"no-load", NULL, "do not write every key once before"},
	{"json", NULL, "the result as JSON"},
	{"r", "R", "as in a request: 2, one, quorum, all"},
	{"w", "W", "the same for the other quorums:"},
	{"dw", "DW", "durable"},
	{"pr", "PR", "reads from primaries"},
	{"pw", "PW", "writes to primaries"},
	{"pids", "PID,...", "processes whose CPU time is reported"},
};

static_assert(BENCH_OPTION_COUNT <= CMD_OPTIONS_MAX, "the flags fit cmd_args");

static bool misuse(const struct cmd *cmd, const char *flag, const char *text, const char *expected)
{
	cmd_complain(cmd, CMD_MISUSE, "--%s `%.64s`: expected %s", flag, text, expected);
	return false;
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* "http://host:port", with or without a last slash. */
static bool take_url(const char *url, struct bench_target *to)
{
	char address[sizeof to->host + 8];
	if (strncmp(url, "http://", 7) == 0) url += 7;
	size_t len = strlen(url);
	if (len > 0 && url[len - 1] == '/') len--;
	if (len == 0 || len >= sizeof address) return false;
	memcpy(address, url, len);
	address[len] = '\0';
	return config_split_address(address, to->host, sizeof to->host, &to->port);
}

static bool take_urls(const struct cmd *cmd, const char *list, struct bench_options *o)
{
	char one[sizeof o->targets[0].host + 16];
	for (const char *at = list;; at++) {
		size_t len = strcspn(at, ",");
		if (o->target_count == BENCH_TARGETS_MAX) return misuse(cmd, "url", list, "fewer nodes");
		snprintf(one, sizeof one, "%.*s", (int)(len < sizeof one ? len : sizeof one), at);
		if (!take_url(one, &o->targets[o->target_count]))
			return misuse(cmd, "url", one, "http://HOST:PORT, and commas between several");
		o->target_count++;
		at += len;
		if (*at == '\0') return true;
	}
}

static bool take_pids(const struct cmd *cmd, const char *list, struct bench_options *o)
{
	for (const char *at = list;; at++) {
		char *end;
		long pid = strtol(at, &end, 10);
		bool good = *at >= '0' && *at <= '9' && pid > 0 && pid < INT32_MAX;
		if (!good || (*end != ',' && *end != '\0') || o->pid_count == BENCH_PIDS_MAX)
			return misuse(cmd, "pids", list, "process ids with commas between them");
		o->pids[o->pid_count++] = (int)pid;
		at = end;
		if (*at == '\0') return true;
	}
}

/* ---- single values -------------------------------------------------------------------------- */

static bool take_dist(const struct cmd *cmd, const char *text, struct bench_options *o)
{
	char *end;
	o->exponent = 0.99;
	o->dist = BENCH_ZIPF;
	if (strcmp(text, "zipf") == 0) return true;
	o->dist = BENCH_SEQUENTIAL;
	if (strcmp(text, "seq") == 0) return true;
	o->dist = BENCH_UNIFORM;
	if (strcmp(text, "uniform") == 0) return true;
	if (strncmp(text, "zipf:", 5) != 0 || text[5] < '0' || text[5] > '9')
		return misuse(cmd, "dist", text, "uniform, seq, zipf or zipf:S");
	o->dist = BENCH_ZIPF;
	o->exponent = strtod(text + 5, &end);
	if (*end == '\0' && o->exponent >= BENCH_ZIPF_LEAST && o->exponent <= BENCH_ZIPF_MOST)
		return true;
	return misuse(cmd, "dist", text, "an exponent from 0.01 to 8");
}

static bool is_quorum(const char *text)
{
	static const char *const words[] = {"one", "quorum", "all", "default"};
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(text, words[i]) == 0) return true;
	return text[0] >= '0' && text[0] <= '9' && text[1] == '\0';
}

static bool take_quorums(const struct cmd *cmd, const struct cmd_args *args,
                         struct bench_options *o)
{
	static const char *const names[] = {"r", "w", "dw", "pr", "pw"};
	size_t len = 0;
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *text = cmd_value(cmd, args, names[i], NULL);
		if (text == NULL) continue;
		if (!is_quorum(text)) return misuse(cmd, names[i], text, "one, quorum, all or 0 to 9");
		len += (size_t)snprintf(o->query + len, sizeof o->query - len, "%c%s=%s", len ? '&' : '?',
		                        names[i], text);
		assert(len < sizeof o->query);
	}
	return true;
}

static bool take_sizes(const struct cmd *cmd, const struct cmd_args *args, struct bench_options *o)
{
	uint64_t connections = 64, pipeline = 1, percent = 50;
	if (!cmd_number(cmd, args, "connections", 1, BENCH_CONNECTIONS_MAX, &connections) ||
	    !cmd_number(cmd, args, "pipeline", 1, BENCH_PIPELINE_MAX, &pipeline) ||
	    !cmd_number(cmd, args, "read", 0, 100, &percent) ||
	    !cmd_number(cmd, args, "keys", 1, BENCH_KEYS_MAX, &o->keys) ||
	    !cmd_number(cmd, args, "value-bytes", 0, VALUE_BYTES_MAX, &o->value_bytes) ||
	    !cmd_number(cmd, args, "rate", 1, BENCH_RATE_MAX, &o->rate) ||
	    !cmd_number(cmd, args, "count", 1, UINT64_MAX / 2, &o->count) ||
	    !cmd_number(cmd, args, "seed", 0, UINT64_MAX / 2, &o->seed))
		return false;
	o->connections = (unsigned)connections;
	o->pipeline = (unsigned)pipeline;
	o->read_percent = (unsigned)percent;
	return cmd_number(cmd, args, "duration", 1, BENCH_SECONDS_MAX, &o->duration_s) &&
	       cmd_number(cmd, args, "warm-up", 0, BENCH_SECONDS_MAX, &o->warm_up_s) &&
	       cmd_number(cmd, args, "timeout", 1, BENCH_SECONDS_MAX, &o->timeout_s);
}

bool bench_options_parse(const struct cmd *cmd, const struct cmd_args *args,
                         struct bench_options *o)
{
	const char *pids = cmd_value(cmd, args, "pids", NULL);
	*o = (struct bench_options){.keys = 10000,
	                            .value_bytes = 100,
	                            .duration_s = 10,
	                            .warm_up_s = 1,
	                            .timeout_s = 10,
	                            .seed = 1};
	o->bucket = cmd_value(cmd, args, "bucket", "bench");
	o->contexts = cmd_value(cmd, args, "blind", NULL) == NULL;
	o->load = cmd_value(cmd, args, "no-load", NULL) == NULL;
	o->json = cmd_value(cmd, args, "json", NULL) != NULL;
	if (o->bucket[0] == '\0' || strlen(o->bucket) > BUCKET_BYTES_MAX)
		return misuse(cmd, "bucket", o->bucket, "1 to 1024 bytes");
	if (!take_sizes(cmd, args, o) || !take_quorums(cmd, args, o)) return false;
	if (!take_dist(cmd, cmd_value(cmd, args, "dist", "uniform"), o)) return false;
	if (pids != NULL && !take_pids(cmd, pids, o)) return false;
	return take_urls(cmd, cmd_url(cmd, args), o);
}
