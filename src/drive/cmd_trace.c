/* cmd_trace.c - see cmd_trace.h.
 *
 *   X-Dunlin-Trace of the answer -> /admin/trace/ID of the node asked, until it has ended
 *                                -> of the node it was forwarded to (`rest`), the same
 *
 * Not here: the sentences (admin_trace.c). */
#include "drive/cmd_trace.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "drive/traces.h"

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	char encoded[40];
	snprintf(encoded, sizeof encoded, "%s_encoded", name);
	if (text == NULL) text = json_string_value(json_object_get(object, encoded));
	return text != NULL ? text : "";
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- fetching ------------------------------------------------------------------------------- */

/* What one node has to tell now. NULL: *why. */
static json_t *ask(const char *url, const char *id, char *why, size_t why_len)
{
	struct cmd_http_answer answer;
	char path[64];
	snprintf(path, sizeof path, "/admin/trace/%s", id);
	struct cmd_http_request r = {.url = url, .method = "GET", .path = path, .timeout_ms = 5000};
	if (!cmd_http(&r, &answer, why, why_len)) return NULL;
	json_t *document = json_loadb((const char *)answer.body.data, answer.body.len, 0, NULL);
	int status = answer.status;
	cmd_http_free(&answer);
	if (document != NULL && status == 200) return document;
	const char *error = text_of(document, "error");
	snprintf(why, why_len, "%s: %s", url, error[0] != '\0' ? error : "that is no Dunlin node");
	json_decref(document);
	return NULL;
}

/* The same when the request is over, or the time to wait for it. */
static json_t *ask_until_ended(const char *url, const char *id, uint64_t until_ms, char *why,
                               size_t why_len)
{
	struct timespec pause = {0, 20 * 1000000L};
	json_t *document = ask(url, id, why, why_len);
	while (document != NULL && !json_is_true(json_object_get(document, "ended")) &&
	       now_ms() < until_ms) {
		nanosleep(&pause, NULL);
		json_decref(document);
		document = ask(url, id, why, why_len);
	}
	return document;
}

/* What the node behind a forward has to tell. NULL: there was none, or *why says why not. An address
 * that only its own machine can reach may be another node here: it must be the one that was named. */
static json_t *ask_rest(const json_t *first, const char *id, uint64_t until_ms, char *why,
                        size_t why_len)
{
	const json_t *rest = json_object_get(first, "rest");
	const char *url = text_of(rest, "url"), *name = text_of(rest, "name");
	if (rest == NULL) return NULL;
	if (url[0] == '\0') {
		snprintf(why, why_len, "%s took it over, and never said where it can be asked", name);
		return NULL;
	}
	json_t *document = ask_until_ended(url, id, until_ms, why, why_len);
	if (document == NULL) return NULL;
	if (strcmp(text_of(json_object_get(document, "node"), "id"), text_of(rest, "id")) == 0)
		return document;
	snprintf(why, why_len, "%s tells the rest, and %s is another node from here", name, url);
	json_decref(document);
	return NULL;
}

static bool id_of(const struct cmd_http_answer *answer, char id[TRACE_ID_CHARS + 1], char *why,
                  size_t why_len)
{
	struct bytes field;
	struct trace_id number;
	if (!cmd_http_field(answer, "X-Dunlin-Trace", &field) || !trace_id_read(field, &number)) {
		snprintf(why, why_len, "the node did not trace this request");
		return false;
	}
	memcpy(id, field.data, TRACE_ID_CHARS);
	id[TRACE_ID_CHARS] = '\0';
	return true;
}

json_t *cmd_trace_fetch(const struct cmd *cmd, const struct cmd_args *args,
                        const struct cmd_http_answer *answer, char *why, size_t why_len)
{
	char id[TRACE_ID_CHARS + 1];
	uint64_t until_ms = now_ms() + CLI_TRACE_WAIT_MS;
	*why = '\0';
	if (!id_of(answer, id, why, why_len)) return NULL;
	json_t *first = ask_until_ended(cmd_url(cmd, args), id, until_ms, why, why_len);
	if (first == NULL) return NULL;
	json_t *rest = ask_rest(first, id, until_ms, why, why_len);
	json_t *list = json_array();
	json_array_append_new(list, first);
	if (rest != NULL) json_array_append_new(list, rest);
	return list;
}

/* ---- printing ------------------------------------------------------------------------------- */

static int widest_name(const json_t *steps)
{
	size_t i;
	json_t *s;
	int widest = 4;
	json_array_foreach(steps, i, s)
	{
		int len = (int)strlen(text_of(s, "name"));
		if (len > widest) widest = len;
	}
	return widest;
}

static void print_head(const json_t *d)
{
	char when[32] = "";
	long long ms = (long long)json_integer_value(json_object_get(d, "began_ms"));
	time_t seconds = (time_t)(ms / 1000);
	struct tm utc;
	if (gmtime_r(&seconds, &utc) != NULL) strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &utc);
	fprintf(stderr, "trace %s: %s %s/%s at %s, %s.%03lld UTC\n", text_of(d, "trace"),
	        text_of(d, "op"), text_of(d, "bucket"), text_of(d, "key"),
	        text_of(json_object_get(d, "node"), "name"), when, ms % 1000);
}

static void print_one(const json_t *d)
{
	const json_t *steps = json_object_get(d, "steps");
	long long dropped = (long long)json_integer_value(json_object_get(d, "steps_dropped"));
	int width = widest_name(steps);
	size_t i;
	json_t *s;
	print_head(d);
	fprintf(stderr, "%10s  %-*s  %s\n", "ms", width, "node", "what");
	json_array_foreach(steps, i, s)
	{
		double us = (double)json_integer_value(json_object_get(s, "us"));
		fprintf(stderr, "%10.3f  %-*s  %s\n", us / 1000.0, width, text_of(s, "name"),
		        text_of(s, "text"));
	}
	if (dropped > 0) fprintf(stderr, "%10s  and %lld more\n", "", dropped);
	if (!json_is_true(json_object_get(d, "ended")))
		fprintf(stderr, "%10s  it goes on: /admin/trace/%s\n", "", text_of(d, "trace"));
}

void cmd_trace_print(const struct cmd *cmd, const struct cmd_args *args,
                     const struct cmd_http_answer *answer)
{
	char why[600];
	size_t i;
	json_t *d;
	fflush(stdout);
	json_t *list = cmd_trace_fetch(cmd, args, answer, why, sizeof why);
	json_array_foreach(list, i, d)
	{
		fputc('\n', stderr);
		print_one(d);
	}
	if (why[0] != '\0') fprintf(stderr, "no trace: %s\n", why);
	json_decref(list);
}
