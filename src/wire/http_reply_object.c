/* http_reply_object.c - an answer about one object: status and shape, fields, body.
 *
 *   prepare: choose status and shape -> boundary -> length of body -> length of all
 *   write:   head, fields, body
 *
 * Always true:
 *   O1  writing appends exactly `bytes` bytes;
 *   O2  a context is answered only where the siblings it covers were named, or none are left;
 *   O3  texts that known clients match are answered to the letter; more goes into a field. */
#include "wire/http_reply.h"

#include <stdio.h>

#include "base/etag.h"
#include "base/panic.h"
#include "wire/http_accept.h"
#include "wire/http_json.h"
#include "wire/http_reply_parts.h"
#include "wire/meta.h"
#include "wire/vtag.h"

/* ---- siblings ---------------------------------------------------------------------------- */

/* What is stored came through our own parser or from a peer of the cluster; what is malformed all
 * the same is shown as bytes of no known type. A tombstone shows nothing, also where it is a value
 * that has expired. */
static struct meta meta_of(const struct sibling *s)
{
	struct meta m;
	meta_read(s->tombstone ? BYTES_EMPTY : s->meta, &m);
	return m;
}

static struct bytes value_of(const struct sibling *s)
{
	return s->tombstone ? BYTES_EMPTY : s->value;
}

static uint64_t unix_s_of(struct dot dot)
{
	return (dot.at.v >> 16) / 1000;
}

static_assert(HTTP_BOUNDARY_CHARS == VTAG_CHARS && HTTP_BOUNDARY_CHARS <= 32,
              "clients look for a boundary of at most 32 characters");

/* One that no value holds. Each try has other characters, and a value holds only so many words. */
static void choose_boundary(struct http_object_reply *a)
{
	const struct reply *r = a->reply;
	bool clash = true;
	for (uint64_t salt = 1; clash; salt++) {
		uint64_t name[2];
		etag_mix(r->siblings, r->sibling_count, salt, name);
		vtag_base62(name[0], name[1], a->boundary);
		clash = false;
		for (uint32_t i = 0; i < r->sibling_count && !clash; i++) {
			struct bytes v = value_of(&r->siblings[i]);
			clash = v.len > 0 && memmem(v.data, v.len, a->boundary, HTTP_BOUNDARY_CHARS) != NULL;
		}
	}
	a->boundary[HTTP_BOUNDARY_CHARS] = 0;
}

/* ---- fields of one sibling --------------------------------------------------------------- */

static void put_path(struct http_out *o, const struct http_object_want *w, enum http_family family,
                     struct bytes bucket, struct bytes key)
{
	if (family == HTTP_FAMILY_V3) {
		http_out_string(o, "/types/");
		http_out_escaped(o, w->type);
	}
	http_out_string(o, family == HTTP_FAMILY_V1 ? "/riak/" : "/buckets/");
	http_out_escaped(o, bucket);
	if (key.len == 0) return;
	http_out_string(o, family == HTTP_FAMILY_V1 ? "/" : "/keys/");
	http_out_escaped(o, key);
}

/* Links of an object name no type: in the third family they look as in the second. */
static void put_links(struct http_out *o, const struct http_object_want *w, struct meta *m)
{
	enum http_family family = w->family == HTTP_FAMILY_V1 ? HTTP_FAMILY_V1 : HTTP_FAMILY_V2;
	struct meta_link link;
	http_out_string(o, "Link: ");
	while (meta_next_link(m, &link)) {
		http_out_string(o, "<");
		put_path(o, w, family, link.bucket, link.key);
		http_out_string(o, ">; riaktag=\"");
		http_out_escaped(o, link.tag);
		http_out_string(o, "\", ");
	}
	http_out_string(o, "<");
	put_path(o, w, family, w->bucket, BYTES_EMPTY);
	http_out_string(o, ">; rel=\"up\"\r\n");
}

/* The seconds it has left. */
static void put_ttl(struct http_out *o, const struct http_object_reply *a, const struct sibling *s)
{
	uint64_t left_ms = s->expires_ms > a->unix_ms ? s->expires_ms - a->unix_ms : 0;
	http_out_string(o, "X-Dunlin-TTL: ");
	http_out_uint(o, left_ms / 1000);
	http_out_string(o, "\r\n");
}

/* All but Content-Type and ETag, which differ between an answer and a part of one. */
static void put_stored_fields(struct http_out *o, const struct http_object_reply *a,
                              const struct sibling *s)
{
	const struct http_object_want *w = a->want;
	struct meta m = meta_of(s);
	struct meta_user user;
	if (m.content_encoding.len > 0) http_reply_field(o, "Content-Encoding", m.content_encoding);
	put_links(o, w, &m);
	http_out_string(o, "Last-Modified: ");
	http_out_date(o, unix_s_of(s->dot));
	http_out_string(o, "\r\n");
	if (s->tombstone) http_out_string(o, "X-Riak-Deleted: true\r\n");
	if (s->expires_ms > 0) put_ttl(o, a, s);
	while (meta_next_user(&m, &user)) {
		http_out_string(o, "X-Riak-Meta-");
		http_out_bytes(o, user.name);
		http_out_string(o, ": ");
		http_out_bytes(o, user.value);
		http_out_string(o, "\r\n");
	}
}

/* ---- bodies ------------------------------------------------------------------------------ */

static void put_list(struct http_out *o, const struct reply *r)
{
	http_out_string(o, "Siblings:\n");
	for (uint32_t i = 0; i < r->sibling_count; i++) {
		char vtag[VTAG_CHARS];
		vtag_write(r->siblings[i].dot, vtag);
		http_out_bytes(o, bytes_of(vtag, sizeof(vtag)));
		http_out_string(o, "\n");
	}
}

static void put_part(struct http_out *o, const struct http_object_reply *a, const struct sibling *s)
{
	char vtag[VTAG_CHARS];
	vtag_write(s->dot, vtag);
	http_out_string(o, "\r\n--");
	http_out_string(o, a->boundary);
	http_out_string(o, "\r\n");
	http_reply_field(o, "Content-Type", meta_of(s).content_type);
	http_reply_field(o, "Etag", bytes_of(vtag, sizeof(vtag)));
	put_stored_fields(o, a, s);
	http_out_string(o, "\r\n");
	http_out_bytes(o, value_of(s));
}

static void put_json_member(struct http_out *o, const char *name, struct bytes value)
{
	http_out_string(o, ",\"");
	http_out_string(o, name);
	http_out_string(o, "\":");
	http_json_any(o, value);
}

/* A value that is text is given as it is, any other in base64. */
static void put_json_value(struct http_out *o, struct bytes value)
{
	if (http_json_is_text(value)) {
		put_json_member(o, "value", value);
		return;
	}
	http_out_string(o, ",\"value_base64\":\"");
	http_out_base64(o, value);
	http_out_string(o, "\"");
}

static void put_json_sibling(struct http_out *o, const struct sibling *s)
{
	struct meta m = meta_of(s);
	struct meta_user user;
	char vtag[VTAG_CHARS];
	vtag_write(s->dot, vtag);
	http_out_string(o, "{\"vtag\":");
	http_json_string(o, bytes_of(vtag, sizeof(vtag)));
	http_out_string(o, ",\"last_modified\":\"");
	http_out_date(o, unix_s_of(s->dot));
	http_out_string(o, s->tombstone ? "\",\"deleted\":true" : "\"");
	if (!s->tombstone) {
		put_json_member(o, "content_type", m.content_type);
		if (m.content_encoding.len > 0) put_json_member(o, "content_encoding", m.content_encoding);
		http_out_string(o, ",\"meta\":{");
		for (bool first = true; meta_next_user(&m, &user); first = false) {
			if (!first) http_out_string(o, ",");
			http_json_any(o, user.name);
			http_out_string(o, ":");
			http_json_any(o, user.value);
		}
		http_out_string(o, "}");
		put_json_value(o, s->value);
	}
	http_out_string(o, "}");
}

static void put_json(struct http_out *o, const struct reply *r)
{
	http_out_string(o, "{\"siblings\":[");
	for (uint32_t i = 0; i < r->sibling_count; i++) {
		if (i > 0) http_out_string(o, ",\n");
		put_json_sibling(o, &r->siblings[i]);
	}
	http_out_string(o, "]}\n");
}

static void put_body(struct http_out *o, const struct http_object_reply *a)
{
	const struct reply *r = a->reply;
	switch (a->shape) {
	case HTTP_SHAPE_TEXT: http_out_string(o, a->text); break;
	case HTTP_SHAPE_ONE: http_out_bytes(o, value_of(&r->siblings[0])); break;
	case HTTP_SHAPE_LIST: put_list(o, r); break;
	case HTTP_SHAPE_JSON: put_json(o, r); break;
	case HTTP_SHAPE_MULTIPART:
		for (uint32_t i = 0; i < r->sibling_count; i++) put_part(o, a, &r->siblings[i]);
		http_out_string(o, "\r\n--");
		http_out_string(o, a->boundary);
		http_out_string(o, "--\r\n");
		break;
	}
}

/* ---- choosing ---------------------------------------------------------------------------- */

static void choose_text(struct http_object_reply *a, int status, const char *text)
{
	a->status = status;
	a->shape = HTTP_SHAPE_TEXT;
	int n = snprintf(a->text, sizeof(a->text), "%s", text);
	assert(n >= 0 && (size_t)n < sizeof(a->text));
}

/* Clients match these word for word, so nothing may follow them. */
static bool is_verbatim(enum err e)
{
	return e == ERR_NOT_FOUND || e == ERR_TIMEOUT || e == ERR_PR_UNMET || e == ERR_PW_UNMET ||
	       e == ERR_DW_UNMET || e == ERR_CONFIRMS_UNMET;
}

static void choose_failure(struct http_object_reply *a)
{
	const struct reply *r = a->reply;
	bool hint = r->outcome == OUTCOME_UNKNOWN && !is_verbatim(r->err);
	const char *more = hint ? "The write may have been stored, now or later; read before you "
	                          "send it again.\n"
	                        : "";
	char text[sizeof(a->text)];
	switch (r->err) {
	case ERR_R_UNMET:
	case ERR_PR_UNMET:
	case ERR_PW_UNMET:
	case ERR_DW_UNMET:
	case ERR_CONFIRMS_UNMET:
		snprintf(text, sizeof(text), "%s: %u/%u\n%s", err_text(r->err), r->got, r->need, more);
		break;
	case ERR_ABOVE_N:
		snprintf(text, sizeof(text),
		         "Specified w/dw/pw/node_confirms values invalid for bucket n value of %u\n%s",
		         r->n, more);
		break;
	case ERR_NO_TYPE: {
		struct http_failure why;
		http_failure_set(&why, 404, "%s: %.*s", err_text(r->err), (int)a->want->type.len,
		                 (const char *)a->want->type.data);
		why.text[strlen(why.text) - 1] = '\0'; /* the one text without a line end */
		snprintf(text, sizeof(text), "%s", why.text);
		break;
	}
	default: snprintf(text, sizeof(text), "%s\n%s", err_text(r->err), more); break;
	}
	choose_text(a, err_http_status(r->err), text);
}

/* Accept binds only reads: a write has happened, whatever its answer may look like. */
static void choose_shown(struct http_object_reply *a)
{
	const struct reply *r = a->reply;
	bool read = a->want->op == REQUEST_GET;
	a->status = a->want->choose_key ? 201 : r->sibling_count > 1 ? 300 : 200;
	if (r->sibling_count == 1) {
		a->shape = HTTP_SHAPE_ONE;
		if (read && !http_accept_type(a->want->accept, meta_of(&r->siblings[0]).content_type))
			choose_text(a, 406, "Accept excludes the type that is stored\n");
		return;
	}
	enum http_accept_choice choice = http_accept_siblings(a->want->accept);
	a->shape = choice == HTTP_ACCEPT_MULTIPART ? HTTP_SHAPE_MULTIPART
	           : choice == HTTP_ACCEPT_JSON    ? HTTP_SHAPE_JSON
	                                           : HTTP_SHAPE_LIST;
	if (read && choice == HTTP_ACCEPT_NONE)
		choose_text(a, 406, "siblings are shown as text/plain or multipart/mixed\n");
}

/* The set's newest sibling, by the clock. */
static uint64_t newest_s(const struct reply *r)
{
	uint64_t newest = 0;
	for (uint32_t i = 0; i < r->sibling_count; i++) {
		uint64_t s = unix_s_of(r->siblings[i].dot);
		if (s > newest) newest = s;
	}
	return newest;
}

/* Of a read, in the order of RFC 9110, section 13.2.2; what is there is about to be shown. */
static void judge_conditions(struct http_object_reply *a)
{
	const struct http_object_want *w = a->want;
	const struct reply *r = a->reply;
	uint64_t etag[2], newest = newest_s(r);
	uint8_t what = w->conditions.what;
	etag_of(r->siblings, r->sibling_count, etag);
	bool match = (what & IF_MATCH_TAG) == 0 || etag_in(w->conditions.match, etag);
	if (!match || ((what & IF_UNMODIFIED) != 0 && newest > w->conditions.unmodified_s)) {
		char text[128];
		snprintf(text, sizeof(text), "%s\n", err_text(ERR_PRECONDITION));
		choose_text(a, 412, text);
		return;
	}
	bool none = (what & IF_NONE_MATCH_ANY) != 0 ||
	            ((what & IF_NONE_MATCH_TAG) != 0 && etag_in(w->conditions.none_match, etag));
	if (none || (w->has_modified && newest <= w->modified_s)) choose_text(a, 304, "");
}

static void choose(struct http_object_reply *a)
{
	const struct http_object_want *w = a->want;
	const struct reply *r = a->reply;
	bool shows = w->op == REQUEST_GET || w->return_body;
	if (r->err != ERR_OK)
		choose_failure(a);
	else if (w->counter)
		choose_text(a, r->number[0] != '\0' ? 200 : 204, r->number);
	else if (shows && r->sibling_count > 0) {
		choose_shown(a);
		if (w->op == REQUEST_GET && a->status < 304) judge_conditions(a);
	} else if (w->op == REQUEST_GET)
		choose_text(a, 404, "not found\n");
	else
		choose_text(a, w->choose_key ? 201 : 204, "");
}

void http_object_reply_prepare(struct http_object_reply *a, const struct http_object_want *want,
                               const struct reply *reply, uint64_t unix_ms)
{
	assert(reply->sibling_count == 0 || reply->siblings != NULL);
	*a = (struct http_object_reply){.want = want, .reply = reply, .unix_ms = unix_ms};
	choose(a);
	if (a->shape == HTTP_SHAPE_MULTIPART) choose_boundary(a);
	struct http_out count = {NULL, 0, 0};
	put_body(&count, a);
	a->body_bytes = count.len;
	count.len = 0;
	http_object_reply_write(a, &count);
	a->bytes = count.len;
}

/* ---- fields ------------------------------------------------------------------------------ */

static bool shows_set(const struct http_object_reply *a)
{
	return a->shape == HTTP_SHAPE_LIST || a->shape == HTTP_SHAPE_MULTIPART ||
	       a->shape == HTTP_SHAPE_JSON;
}

static void put_type_and_head(struct http_out *o, const struct http_object_reply *a)
{
	char multipart[64];
	struct bytes type = HTTP_REPLY_TEXT;
	bool done = a->shape == HTTP_SHAPE_TEXT && a->status < 300;
	if (done && a->want->content_type.len > 0) type = a->want->content_type;
	if (a->shape == HTTP_SHAPE_ONE) type = meta_of(&a->reply->siblings[0]).content_type;
	if (a->shape == HTTP_SHAPE_LIST) type = BYTES("text/plain");
	if (a->shape == HTTP_SHAPE_JSON) type = BYTES("application/json");
	snprintf(multipart, sizeof multipart, "multipart/mixed; boundary=%s", a->boundary);
	if (a->shape == HTTP_SHAPE_MULTIPART) type = bytes_of_string(multipart);
	struct http_reply_head head = {a->status,         type,      a->body_bytes, a->want->keep_alive,
	                               a->want->http_1_0, a->unix_ms};
	http_reply_head(o, &head);
	if (a->shape == HTTP_SHAPE_ONE) http_out_string(o, "Vary: Accept-Encoding\r\n");
	if (shows_set(a)) http_out_string(o, "Vary: Accept, Accept-Encoding\r\n");
}

static void put_etag(struct http_out *o, const struct http_object_reply *a)
{
	const struct reply *r = a->reply;
	char tag[VTAG_CHARS];
	uint64_t name[2];
	if (shows_set(a) || a->shape == HTTP_SHAPE_ONE || a->status == 304) {
		etag_of(r->siblings, r->sibling_count, name);
		vtag_base62(name[0], name[1], tag);
	} else if (r->err == ERR_OK && r->written && a->status < 300) {
		vtag_write(r->dot, tag);
	} else {
		return;
	}
	http_out_string(o, "ETag: \"");
	http_out_bytes(o, bytes_of(tag, sizeof(tag)));
	http_out_string(o, "\"\r\n");
}

static void put_context(struct http_out *o, const struct http_object_reply *a)
{
	if (a->reply->context.len == 0 || a->status == 406 || a->status == 304) return;
	http_out_string(o, "X-Riak-Vclock: ");
	http_out_base64(o, a->reply->context);
	http_out_string(o, "\r\n");
}

/* How the answer came about, for those who want to know. */
static void put_story(struct http_out *o, const struct http_object_reply *a)
{
	const struct reply *r = a->reply;
	if (a->want->trace.v != 0) {
		char id[17];
		snprintf(id, sizeof id, "%016llx", (unsigned long long)a->want->trace.v);
		http_reply_field(o, "X-Dunlin-Trace", bytes_of_string(id));
	}
	if (r->fallbacks > 0) {
		http_out_string(o, "X-Dunlin-Fallbacks: ");
		http_out_uint(o, r->fallbacks);
		http_out_string(o, "\r\n");
	}
	if (r->err == ERR_OK) return;
	if (a->want->op != REQUEST_GET && r->outcome == OUTCOME_NONE)
		http_out_string(o, "X-Dunlin-Outcome: none\r\n");
	if (a->want->op != REQUEST_GET && r->outcome == OUTCOME_UNKNOWN)
		http_out_string(o, "X-Dunlin-Outcome: unknown\r\n");
	if (a->status == 503 && err_retryable(r->err)) http_out_string(o, "Retry-After: 1\r\n");
}

void http_object_reply_write(const struct http_object_reply *a, struct http_out *out)
{
	const struct http_object_want *w = a->want;
	const struct reply *r = a->reply;
	size_t before = out->len;
	put_type_and_head(out, a);
	if (!w->counter) {
		put_context(out, a);
		put_etag(out, a);
	}
	if (a->status == 201) {
		http_out_string(out, "Location: ");
		put_path(out, w, w->family, w->bucket, w->key);
		http_out_string(out, "\r\n");
	}
	if (shows_set(a)) {
		http_out_string(out, "Last-Modified: ");
		http_out_date(out, newest_s(r));
		http_out_string(out, "\r\n");
	}
	if (a->shape == HTTP_SHAPE_ONE) put_stored_fields(out, a, &r->siblings[0]);
	if (r->err == ERR_NOT_FOUND && r->deleted) http_out_string(out, "X-Riak-Deleted: true\r\n");
	put_story(out, a);
	http_out_string(out, "\r\n");
	if (!w->head) put_body(out, a);
	assert(a->bytes == 0 || out->len - before == a->bytes);
}
