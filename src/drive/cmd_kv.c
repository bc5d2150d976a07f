/* cmd_kv.c - `dunlin put`, `get` and `del`: one object.
 *
 * `get` prints the value to stdout as it is, and the context to stderr when there are siblings to
 * resolve; with --json everything is one document on stdout. What --trace tells goes to stderr, or into
 * the document.
 * Not here: HTTP itself (cmd_http.c). */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/cmd.h"
#include "drive/cmd_http.h"
#include "drive/cmd_trace.h"
#include "wire/http_out.h"

#define OPTION_TYPE                                                                                \
	{                                                                                              \
		"type", "T", "bucket type; `default` if not given"                                         \
	}
#define OPTION_CONTEXT                                                                             \
	{                                                                                              \
		"context", "C", "what an earlier get showed (X-Riak-Vclock): replaces just that"           \
	}
#define OPTION_JSON                                                                                \
	{                                                                                              \
		"json", NULL, "print one JSON document"                                                    \
	}
#define OPTION_TIMEOUT                                                                             \
	{                                                                                              \
		"timeout", "MS", "how long the cluster may take"                                           \
	}

/* ---- the request ---------------------------------------------------------------------------- */

/* Names of options that go into the query as they are. */
static const char *const query_options[] = {"r", "w", "pr", "pw", "timeout"};

static void build_path(const struct cmd *cmd, const struct cmd_args *args, struct buffer *path)
{
	const char *type = cmd_value(cmd, args, "type", "default");
	char separator = '?';
	buffer_printf(path, "/types/");
	cmd_http_escape(path, type);
	buffer_printf(path, "/buckets/");
	cmd_http_escape(path, args->words[0]);
	buffer_printf(path, "/keys/");
	cmd_http_escape(path, args->words[1]);
	for (unsigned i = 0; i < sizeof query_options / sizeof query_options[0]; i++) {
		for (unsigned o = 0; o < cmd->option_count; o++) {
			if (strcmp(cmd->options[o].name, query_options[i]) != 0 || args->values[o] == NULL)
				continue;
			buffer_printf(path, "%c%s=", separator, query_options[i]);
			cmd_http_escape(path, args->values[o]);
			separator = '&';
		}
	}
	if (cmd_value(cmd, args, "trace", NULL) != NULL) buffer_printf(path, "%ctrace=1", separator);
	buffer_append(path, bytes_of("", 1));
}

/* A header line of a flag's value, which must not end the line. */
static bool add_header(const struct cmd *cmd, struct buffer *to, const char *name,
                       const char *value)
{
	if (value == NULL) return true;
	if (strpbrk(value, "\r\n") != NULL || strlen(value) > HTTP_LINE_BYTES_MAX - 64) {
		cmd_complain(cmd, CMD_MISUSE, "the value of %s is too long or has a line end", name);
		return false;
	}
	buffer_append(to, bytes_of_string(name));
	buffer_append(to, BYTES(": "));
	buffer_append(to, bytes_of_string(value));
	buffer_append(to, BYTES("\r\n"));
	return true;
}

/* The first line of a text answer. */
static void print_line(FILE *to, struct bytes body)
{
	size_t len = 0;
	while (len < body.len && body.data[len] != '\n' && body.data[len] != '\r') len++;
	fprintf(to, "%.*s", (int)(len < 400 ? len : 400), (const char *)body.data);
}

static int refused(const struct cmd *cmd, const struct cmd_http_answer *answer)
{
	struct bytes outcome;
	fprintf(stderr, "dunlin %s: ", cmd->name);
	if (answer->body.len > 0)
		print_line(stderr, answer->body);
	else
		fprintf(stderr, "the answer was %d", answer->status);
	if (cmd_http_field(answer, "X-Dunlin-Outcome", &outcome)) {
		bool unknown = bytes_equal(outcome, BYTES("unknown"));
		fprintf(stderr, unknown ? "; the write may be stored" : "; nothing was stored");
	}
	fputc('\n', stderr);
	return CMD_FAILED;
}

/* `headers` is freed. True: there is an answer. */
static bool ask(const struct cmd *cmd, const struct cmd_args *args, const char *method,
                struct buffer *headers, struct bytes body, bool has_body,
                struct cmd_http_answer *answer)
{
	struct buffer path = {0};
	char why[600];
	build_path(cmd, args, &path);
	buffer_append(headers, bytes_of("", 1));
	struct cmd_http_request r = {.url = cmd_url(cmd, args),
	                             .method = method,
	                             .path = (const char *)buffer_head(&path),
	                             .headers = (const char *)buffer_head(headers),
	                             .body = body,
	                             .has_body = has_body};
	bool done = cmd_http(&r, answer, why, sizeof why);
	if (!done) cmd_complain(cmd, CMD_FAILED, "%s", why);
	buffer_free(&path);
	buffer_free(headers);
	return done;
}

static json_t *json_bytes(struct bytes b)
{
	return json_stringn(b.data == NULL ? "" : (const char *)b.data, b.len);
}

static void print_json(json_t *document)
{
	char *text = json_dumps(document, JSON_INDENT(2));
	if (text != NULL) puts(text);
	free(text);
	json_decref(document);
}

/* With --trace: an array of what each node tells, or null. */
static void add_trace(const struct cmd *cmd, const struct cmd_args *args, json_t *document,
                      const struct cmd_http_answer *answer)
{
	char why[600];
	if (cmd_value(cmd, args, "trace", NULL) == NULL) return;
	json_t *trace = cmd_trace_fetch(cmd, args, answer, why, sizeof why);
	if (why[0] != '\0') fprintf(stderr, "dunlin %s: no trace: %s\n", cmd->name, why);
	json_object_set_new(document, "trace", trace != NULL ? trace : json_null());
}

/* The answer was reported. */
static void finish(const struct cmd *cmd, const struct cmd_args *args,
                   struct cmd_http_answer *answer, int exit_code)
{
	bool document = exit_code == CMD_DONE || (cmd == &cmd_get && answer->status == 404);
	bool in_document = cmd_value(cmd, args, "json", NULL) != NULL && document;
	bool wanted = cmd_value(cmd, args, "trace", NULL) != NULL;
	if (wanted && !in_document) cmd_trace_print(cmd, args, answer);
	cmd_http_free(answer);
}

/* ---- put and del ---------------------------------------------------------------------------- */

static bool read_stdin(const struct cmd *cmd, struct buffer *value)
{
	for (;;) {
		uint8_t *to = buffer_room(value, 65536);
		ssize_t got = to == NULL ? -1 : read(0, to, buffer_room_left(value));
		if (got == 0) return true;
		if (got < 0 || value->len > VALUE_BYTES_MAX) {
			cmd_complain(cmd, CMD_FAILED,
			             got < 0 ? "cannot read the value from stdin"
			                     : "the value on stdin is too large");
			return false;
		}
		buffer_added(value, (size_t)got);
	}
}

/* What a write answered. */
static int report_write(const struct cmd *cmd, const struct cmd_args *args, const char *done,
                        const struct cmd_http_answer *answer)
{
	struct bytes field;
	if (answer->status / 100 != 2) return refused(cmd, answer);
	if (cmd_value(cmd, args, "json", NULL) == NULL) {
		puts(done);
		return CMD_DONE;
	}
	json_t *o = json_object();
	json_object_set_new(o, "outcome", json_string(done));
	if (cmd_http_field(answer, "X-Riak-Vclock", &field))
		json_object_set_new(o, "context", json_bytes(field));
	if (cmd_http_field(answer, "ETag", &field)) json_object_set_new(o, "etag", json_bytes(field));
	add_trace(cmd, args, o, answer);
	print_json(o);
	return CMD_DONE;
}

static int run_put(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	struct cmd_http_answer answer;
	struct buffer headers = {0}, value = {0};
	int exit_code;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	const char *text = args.word_count == 3 ? args.words[2] : "-";
	bool piped = strcmp(text, "-") == 0;
	exit_code = CMD_FAILED;
	if (!add_header(cmd, &headers, "X-Riak-Vclock", cmd_value(cmd, &args, "context", NULL)) ||
	    !add_header(cmd, &headers, "Content-Type",
	                cmd_value(cmd, &args, "content-type", "application/octet-stream"))) {
		buffer_free(&headers);
		return CMD_MISUSE;
	}
	if (piped ? read_stdin(cmd, &value) : buffer_append(&value, bytes_of_string(text))) {
		struct bytes body = bytes_of(buffer_head(&value), value.len);
		if (ask(cmd, &args, "PUT", &headers, body, true, &answer)) {
			exit_code = report_write(cmd, &args, "stored", &answer);
			finish(cmd, &args, &answer, exit_code);
		}
	}
	buffer_free(&headers);
	buffer_free(&value);
	return exit_code;
}

static int run_del(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	struct cmd_http_answer answer;
	struct buffer headers = {0};
	int exit_code;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	if (!add_header(cmd, &headers, "X-Riak-Vclock", cmd_value(cmd, &args, "context", NULL))) {
		buffer_free(&headers);
		return CMD_MISUSE;
	}
	if (!ask(cmd, &args, "DELETE", &headers, BYTES_EMPTY, false, &answer)) return CMD_FAILED;
	exit_code = report_write(cmd, &args, "deleted", &answer);
	finish(cmd, &args, &answer, exit_code);
	return exit_code;
}

/* ---- get ------------------------------------------------------------------------------------ */

static json_t *version_json(const struct cmd_http_answer *part)
{
	struct bytes field;
	json_t *o = json_object(), *text = json_bytes(part->body);
	bool deleted = cmd_http_field(part, "X-Riak-Deleted", &field);
	if (cmd_http_field(part, "Content-Type", &field))
		json_object_set_new(o, "content_type", json_bytes(field));
	if (cmd_http_field(part, "ETag", &field)) json_object_set_new(o, "etag", json_bytes(field));
	json_object_set_new(o, "deleted", json_boolean(deleted));
	if (text != NULL) {
		json_object_set_new(o, "value", text);
		return o;
	}
	/* No UTF-8: JSON cannot hold it as it is. */
	struct http_out out = {0};
	http_out_base64(&out, part->body);
	uint8_t *encoded = malloc(out.len + 1);
	if (encoded == NULL) return o;
	out = (struct http_out){encoded, out.len, 0};
	http_out_base64(&out, part->body);
	json_object_set_new(o, "value_base64", json_stringn((const char *)encoded, out.len));
	free(encoded);
	return o;
}

/* The boundary of a multipart answer as it stands between its parts: CRLF "--" token. */
static bool boundary_of(const struct cmd_http_answer *answer, char *to, size_t capacity)
{
	struct bytes type;
	if (!cmd_http_field(answer, "Content-Type", &type)) return false;
	const char *at = type.len == 0 ? NULL : memmem(type.data, type.len, "boundary=", 9);
	if (at == NULL) return false;
	at += 9;
	size_t len = (size_t)((const char *)type.data + type.len - at);
	if (len > 2 && *at == '"') at++, len -= 2;
	return len > 0 && (size_t)snprintf(to, capacity, "\r\n--%.*s", (int)len, at) < capacity;
}

/* The next part from *at on; false: there are no more. */
static bool next_part(struct bytes body, size_t *at, const char *boundary,
                      struct cmd_http_answer *part)
{
	size_t len = strlen(boundary);
	const uint8_t *from = body.data + *at + len, *end = body.data + body.len;
	if (body.len < *at + len + 4 || memcmp(from, "--", 2) == 0) return false;
	const uint8_t *next = memmem(from, (size_t)(end - from), boundary, len);
	const uint8_t *value = memmem(from, (size_t)(end - from), "\r\n\r\n", 4);
	if (next == NULL || value == NULL || value + 4 > next) return false;
	/* cmd_http_field looks behind line ends, and the first is the boundary's. */
	union {
		const uint8_t *borrowed;
		uint8_t *data;
	} view = {.borrowed = from};
	*part = (struct cmd_http_answer){0};
	part->all.data = view.data;
	part->all.len = (size_t)(next - from);
	part->head_len = (size_t)(value + 4 - from);
	part->body = bytes_of(value + 4, (size_t)(next - value - 4));
	*at = (size_t)(next - body.data);
	return true;
}

static json_t *versions_json(const struct cmd_http_answer *answer)
{
	struct cmd_http_answer part;
	json_t *list = json_array();
	char boundary[128];
	size_t at = 0;
	if (answer->status == 200)
		json_array_append_new(list, version_json(answer));
	else if (boundary_of(answer, boundary, sizeof boundary))
		while (next_part(answer->body, &at, boundary, &part))
			json_array_append_new(list, version_json(&part));
	return list;
}

static void print_siblings(const struct cmd_http_answer *answer)
{
	struct cmd_http_answer part;
	struct bytes context, field;
	char boundary[128];
	unsigned count = 0;
	size_t at = 0;
	if (!boundary_of(answer, boundary, sizeof boundary)) return;
	while (next_part(answer->body, &at, boundary, &part)) {
		bool deleted = cmd_http_field(&part, "X-Riak-Deleted", &field);
		fprintf(stderr, "-- sibling %u%s\n", ++count, deleted ? " (deleted)" : "");
		fflush(stderr);
		fwrite(part.body.data, 1, part.body.len, stdout);
		putchar('\n');
		fflush(stdout);
	}
	fprintf(stderr, "-- %u siblings: concurrent writes. Resolve with: dunlin put ... --context",
	        count);
	if (cmd_http_field(answer, "X-Riak-Vclock", &context))
		fprintf(stderr, " %.*s", (int)context.len, (const char *)context.data);
	fputc('\n', stderr);
}

static void print_object_json(const struct cmd *cmd, const struct cmd_args *args,
                              const struct cmd_http_answer *answer)
{
	struct bytes field;
	json_t *o = json_object();
	json_object_set_new(o, "bucket", json_string(args->words[0]));
	json_object_set_new(o, "key", json_string(args->words[1]));
	json_object_set_new(o, "found", json_boolean(answer->status != 404));
	if (cmd_http_field(answer, "X-Riak-Vclock", &field))
		json_object_set_new(o, "context", json_bytes(field));
	json_object_set_new(o, "siblings", versions_json(answer));
	add_trace(cmd, args, o, answer);
	print_json(o);
}

static int report_object(const struct cmd *cmd, const struct cmd_args *args,
                         const struct cmd_http_answer *answer)
{
	bool as_json = cmd_value(cmd, args, "json", NULL) != NULL;
	bool found = answer->status == 200 || answer->status == 300;
	if (!found && (answer->status != 404 || !as_json)) return refused(cmd, answer);
	if (as_json)
		print_object_json(cmd, args, answer);
	else if (answer->status == 300)
		print_siblings(answer);
	else
		fwrite(answer->body.data, 1, answer->body.len, stdout);
	if (!as_json && answer->status == 200 && isatty(1)) putchar('\n');
	return found ? CMD_DONE : CMD_FAILED;
}

static int run_get(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	struct cmd_http_answer answer;
	struct buffer headers = {0};
	int exit_code;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	buffer_append(&headers, BYTES("Accept: multipart/mixed, */*;q=0.9\r\n"));
	if (!add_header(cmd, &headers, "X-Dunlin-At-Least", cmd_value(cmd, &args, "at-least", NULL))) {
		buffer_free(&headers);
		return CMD_MISUSE;
	}
	if (!ask(cmd, &args, "GET", &headers, BYTES_EMPTY, false, &answer)) return CMD_FAILED;
	exit_code = report_object(cmd, &args, &answer);
	finish(cmd, &args, &answer, exit_code);
	return exit_code;
}

/* ---- the table ------------------------------------------------------------------------------ */

static const struct cmd_option put_options[] = {
	OPTION_TYPE,
	OPTION_CONTEXT,
	{"content-type", "T", "media type of the value; default application/octet-stream"},
	{"w", "N", "acknowledgements to wait for: a number, one, quorum or all"},
	{"pw", "N", "of which from the key's primaries"},
	OPTION_TIMEOUT,
	CMD_OPTION_TRACE,
	OPTION_JSON,
	CMD_OPTION_URL,
};
const struct cmd cmd_put = {
	.name = "put",
	.words = "BUCKET KEY [VALUE|-]",
	.summary = "store a value; `-` or none reads it from stdin",
	.text = "Without --context the value stands beside whatever is there: a sibling.\n"
			"A failed write says whether it may be stored all the same.\n\n"
			"  dunlin put carts bob '3 pears'\n"
			"  dunlin put photos cat --content-type image/png - < cat.png\n"
			"  dunlin put carts bob '2 pears' --context \"$(dunlin get carts bob --json | jq -r "
			".context)\"\n",
	.options = put_options,
	.option_count = sizeof put_options / sizeof put_options[0],
	.words_least = 2,
	.words_most = 3,
	.run = run_put,
};

static const struct cmd_option get_options[] = {
	OPTION_TYPE,
	{"r", "N", "replicas to ask: a number, one, quorum or all"},
	{"pr", "N", "of which primaries"},
	{"at-least", "C", "a context; what is printed has seen all of it (X-Dunlin-At-Least)"},
	OPTION_TIMEOUT,
	CMD_OPTION_TRACE,
	OPTION_JSON,
	CMD_OPTION_URL,
};
const struct cmd cmd_get = {
	.name = "get",
	.words = "BUCKET KEY",
	.summary = "print a value; all siblings if there are several",
	.text = "Exit code 1 when there is none.\n\n"
			"  dunlin get carts bob\n"
			"  dunlin get carts bob --r all --json\n"
			"  dunlin get carts bob --trace\n",
	.options = get_options,
	.option_count = sizeof get_options / sizeof get_options[0],
	.words_least = 2,
	.words_most = 2,
	.run = run_get,
};

static const struct cmd_option del_options[] = {
	OPTION_TYPE,
	OPTION_CONTEXT,
	{"w", "N", "acknowledgements to wait for: a number, one, quorum or all"},
	{"pw", "N", "of which from the key's primaries"},
	OPTION_TIMEOUT,
	CMD_OPTION_TRACE,
	OPTION_JSON,
	CMD_OPTION_URL,
};
const struct cmd cmd_del = {
	.name = "del",
	.words = "BUCKET KEY",
	.summary = "delete a key",
	.text =
		"Without --context it deletes what is there; with it, just what that context showed.\n\n"
		"  dunlin del carts bob\n",
	.options = del_options,
	.option_count = sizeof del_options / sizeof del_options[0],
	.words_least = 2,
	.words_most = 2,
	.run = run_del,
};
