/* answer_props.c - bucket properties over HTTP: shown, changed, let go of.
 *
 *   GET     {"props":{...}}: what is in force, each of its own or not
 *   PUT     {"props":{...}}: those that are named become the bucket's own; 204 once that is durable
 *   DELETE  the bucket has none of its own any more; 204
 *
 * A document that a client read is taken back whole: what cannot be changed is passed over. A value
 * that does not fit is answered 400 with an object of property and code. */
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/client.h"
#include "drive/props_json.h"
#include "ring/layout.h"
#include "wire/http_accept.h"
#include "wire/http_json.h"
#include "wire/http_md5.h"
#include "wire/http_text.h"

/* ---- showing ------------------------------------------------------------------------------------ */

static void append_json(struct buffer *to, struct bytes text)
{
	struct http_out out = {0};
	http_json_any(&out, text);
	uint8_t *room = buffer_room(to, out.len);
	if (room == NULL) return;
	out = (struct http_out){room, out.len, 0};
	http_json_any(&out, text);
	buffer_added(to, out.len);
}

static void append_value(struct buffer *to, unsigned prop, int64_t v)
{
	static const char *const syncs[] = {"default", "backend", "one", "all"};
	switch (prop_row(prop).kind) {
	case PROP_BOOL: buffer_printf(to, "%s", v != 0 ? "true" : "false"); return;
	case PROP_SYNC: buffer_printf(to, "\"%s\"", syncs[v & 3]); return;
	case PROP_QUORUM:
		if (v < 0) {
			buffer_printf(to, "\"%s\"",
			              v == QUORUM_ONE   ? "one"
			              : v == QUORUM_ALL ? "all"
			                                : "quorum");
			return;
		}
		break;
	case PROP_NUMBER: break;
	}
	buffer_printf(to, "%lld", (long long)v);
}

enum err answer_props_text(struct client *c, struct bytes type, struct bytes bucket,
                           struct buffer *to)
{
	struct props p;
	enum err e = node_props(c->all->loop->node, type, bucket, &p);
	if (e != ERR_OK) return e;
	buffer_printf(to, "\"props\":{");
	if (bucket.len > 0) {
		buffer_printf(to,
		              http_json_is_text(bucket) ? "\"name\":" : "\"name\":\"\",\"name_encoded\":");
		append_json(to, bucket);
		buffer_printf(to, ",");
	}
	for (unsigned i = 0; i < PROP_COUNT; i++) {
		buffer_printf(to, "%s\"%s\":", i > 0 ? "," : "", prop_row(i).name);
		append_value(to, i, p.v[i]);
	}
	buffer_printf(to,
	              ",\"precommit\":[],\"postcommit\":[],"
	              "\"chash_keyfun\":{\"mod\":\"riak_core_util\",\"fun\":\"chash_std_keyfun\"},"
	              "\"linkfun\":{\"mod\":\"riak_kv_wm_link_walker\",\"fun\":\"mapreduce_linkfun\"}");
	if (!bytes_equal(type, BYTES("default"))) {
		buffer_printf(to, ",\"active\":true,\"claimant\":");
		append_json(to, bytes_of_string(c->all->loop->config->name));
	}
	buffer_printf(to, "}");
	return ERR_OK;
}

void answer_no_type(struct client *c, struct bytes type)
{
	struct http_failure why;
	http_failure_set(&why, 404, "Unknown bucket type: %.*s", (int)type.len,
	                 (const char *)type.data);
	answer_text(c, 404, NULL, NULL, bytes_of(why.text, strlen(why.text) - 1));
}

static void show(struct client *c, struct bytes type, struct bytes bucket)
{
	struct buffer text = {0};
	buffer_printf(&text, "{");
	if (answer_props_text(c, type, bucket, &text) != ERR_OK) {
		buffer_free(&text);
		answer_no_type(c, type);
		return;
	}
	buffer_printf(&text, "}");
	answer_buffer(c, 200, "application/json", &text);
}

/* False: refused, and answered. */
static bool read_document(struct client *c, struct bytes body, struct props_document *to)
{
	struct buffer wrong = {0};
	switch (props_json_read(body, to, &wrong)) {
	case PROPS_JSON_READ: return true;
	case PROPS_JSON_WRONG: answer_buffer(c, 400, "application/json", &wrong); return false;
	case PROPS_JSON_NONE: break;
	}
	answer_line(c, 400, "expected a JSON object: {\"props\":{\"PROPERTY\":VALUE,...}}\n");
	return false;
}

/* ---- changing --------------------------------------------------------------------------------------- */

static void ask_core(struct client *c, const struct http_target *t, bool reset,
                     const struct props_document *changes)
{
	struct event ev = {.type = EV_CLIENT_PROPS};
	ev.props.client = client_name(c);
	ev.props.type = t->type;
	ev.props.bucket = t->bucket;
	ev.props.reset = reset;
	ev.props.change_count = changes->count;
	ev.props.changes = changes->changes;
	loop_step(c->all->loop, &ev);
}

/* The name of a member, for people. */
static struct bytes name_of(const struct client *c, struct node_id id)
{
	const struct layout *y = node_layout(c->all->loop->node);
	int index = y == NULL ? -1 : layout_find(y, id);
	return index < 0 ? BYTES("?") : y->members[index].name;
}

void answer_props_changed(struct client *c, const struct props_result *result)
{
	struct buffer text = {0};
	if (result->err == ERR_OK) {
		answer_text(c, 204, NULL, NULL, BYTES_EMPTY);
		return;
	}
	if (result->err == ERR_ABOVE_N) {
		buffer_printf(&text, "{\"n_val\":\"too_large\"}");
		answer_buffer(c, 400, "application/json", &text);
		return;
	}
	struct bytes name = name_of(c, result->member);
	bool named = result->err == ERR_HOLDS_DATA || result->err == ERR_SILENT;
	buffer_printf(&text, "%s%s%.*s\n", err_text(result->err), named ? ": " : "",
	              named ? (int)name.len : 0, (const char *)name.data);
	int status = err_http_status(result->err);
	answer_text(c, status, NULL, status == 503 ? "Retry-After: 1\r\n" : NULL,
	            bytes_of(buffer_head(&text), text.len));
	buffer_free(&text);
}

static bool is_json(const struct client *c)
{
	struct bytes type = http_header(&c->all->request, HTTP_NAME_CONTENT_TYPE, NULL);
	return http_text_same(http_accept_media(type), BYTES("application/json"));
}

static void change(struct client *c, const struct http_target *t, struct bytes body)
{
	struct props_document changes = {0};
	struct props now;
	bool of_type = t->route == HTTP_ROUTE_TYPE_PROPS;
	bool reset = c->all->request.method == HTTP_DELETE;
	if (!reset && !is_json(c)) {
		answer_line(c, 415, "expected Content-Type: application/json\n");
	} else if (body.len > PROPS_DOCUMENT_BYTES_MAX) {
		answer_line(c, 413, "a document of properties has at most 64 KiB\n");
	} else if (!node_is_ready(c->all->loop->node)) {
		answer_not_ready(c);
	} else if (!reset && !read_document(c, body, &changes)) {
		return; /* it was answered */
	} else if (of_type && bytes_equal(t->type, BYTES("default"))) {
		answer_line(c, 400, "the type `default` is changed in the configuration (bucket_type)\n");
	} else if (node_props(c->all->loop->node, t->type, t->bucket, &now) != ERR_OK) {
		if (of_type || reset)
			answer_no_type(c, t->type);
		else
			answer_text(c, 400, "application/json", NULL, BYTES("\"no_type\""));
	} else {
		ask_core(c, t, reset, &changes);
	}
}

void answer_props(struct client *c, const struct http_target *t, struct bytes body)
{
	enum http_method m = c->all->request.method;
	bool of_type = t->route == HTTP_ROUTE_TYPE_PROPS;
	bool deletes = !of_type && t->family != HTTP_FAMILY_V1;
	bool shows = m == HTTP_GET || m == HTTP_HEAD;
	struct http_failure why = {.write = !shows};
	if (!shows && m != HTTP_PUT && !(m == HTTP_DELETE && deletes))
		answer_text(c, 405, NULL,
		            deletes ? "Allow: GET, HEAD, PUT, DELETE\r\n" : "Allow: GET, HEAD, PUT\r\n",
		            BYTES("method not allowed here\n"));
	else if (!http_md5_check(&c->all->request, body, &why))
		answer_failure(c, &why);
	else if (t->type.len > TYPE_BYTES_MAX || t->bucket.len > BUCKET_BYTES_MAX)
		answer_line(c, 400, "the bucket or its type is too long\n");
	else if (shows)
		show(c, t->type, of_type ? BYTES_EMPTY : t->bucket);
	else
		change(c, t, body);
}
