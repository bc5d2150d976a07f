/* http_object.c - see http_object.h. Each check is a function that returns false with `why` set;
 * the order of the calls in http_object_request is the order in which faults win. */
#include "wire/http_object.h"

#include <sodium.h>

#include "base/full_key.h"
#include "wire/http_accept.h"
#include "wire/http_conditions.h"
#include "wire/http_fields.h"
#include "wire/http_md5.h"
#include "wire/http_options.h"
#include "wire/http_text.h"
#include "wire/vtag.h"

static bool is_write(enum http_method m)
{
	return m == HTTP_PUT || m == HTTP_POST || m == HTTP_DELETE;
}

static bool stores(enum http_method m)
{
	return m == HTTP_PUT || m == HTTP_POST;
}

/* ---- checks, in order -------------------------------------------------------------------- */

static bool check_method(const struct http_request *r, const struct http_target *t,
                         struct http_failure *why)
{
	bool counter = t->route == HTTP_ROUTE_COUNTER;
	if (r->method == HTTP_OTHER)
		return http_failure_set(why, 501, "the method %.*s is not known here",
		                        (int)(r->method_text.len < 32 ? r->method_text.len : 32),
		                        (const char *)r->method_text.data);
	if (r->method == HTTP_GET || r->method == HTTP_HEAD || r->method == HTTP_POST) return true;
	if (is_write(r->method) && !counter) return true;
	if (counter)
		http_failure_set(why, 405, "a counter takes GET, HEAD and POST");
	else
		http_failure_set(why, 405, "an object takes GET, HEAD, PUT, POST and DELETE");
	why->allow = counter ? "GET, HEAD, POST" : "GET, HEAD, PUT, POST, DELETE";
	return false;
}

static bool check_has_type(const struct http_request *r, struct http_failure *why)
{
	if (!stores(r->method)) return true;
	if (http_header(r, HTTP_NAME_CONTENT_TYPE, NULL).len == 0)
		return http_failure_set(why, 400, "Missing Content-Type request header");
	if (http_header_repeated(r, HTTP_NAME_CONTENT_TYPE))
		return http_failure_set(why, 400, "Content-Type must be sent once");
	return true;
}

static bool check_names(const struct http_target *t, struct http_failure *why)
{
	if (t->type.len > TYPE_BYTES_MAX)
		return http_failure_set(why, 400, "a bucket type has at most %d bytes", TYPE_BYTES_MAX);
	if (t->bucket.len > BUCKET_BYTES_MAX)
		return http_failure_set(why, 400, "a bucket name has at most %d bytes", BUCKET_BYTES_MAX);
	if (t->key.len > NAME_BYTES_MAX)
		return http_failure_set(why, 400, "a key has at most %d bytes", NAME_BYTES_MAX);
	return true;
}

/* A context as it was given out. An empty one is none: what a client that was given none may send. */
static bool read_context(const struct http_request *r, enum http_name name, const char *label,
                         struct http_scratch *scratch, struct bytes *out, struct http_failure *why)
{
	struct bytes text = http_header(r, name, NULL);
	if (text.len == 0) return true;
	if (http_header_repeated(r, name))
		return http_failure_set(why, 400, "%s must be sent once", label);
	if (text.len > (CONTEXT_BYTES_MAX + 2) / 3 * 4)
		return http_failure_set(why, 400, "%s is longer than any context given out", label);
	uint8_t *to = http_scratch_room(scratch, CONTEXT_BYTES_MAX);
	size_t len = 0;
	if (sodium_base642bin(to, CONTEXT_BYTES_MAX, (const char *)text.data, text.len, NULL, &len,
	                      NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return http_failure_set(why, 400, "%s must be a context in base64", label);
	*out = http_scratch_take(scratch, len);
	return true;
}

/* What a writer was shown; what a reader must be shown. */
static bool read_contexts(const struct http_request *r, struct http_scratch *scratch,
                          struct request *out, struct http_failure *why)
{
	if (!is_write(r->method))
		return read_context(r, HTTP_NAME_AT_LEAST, "X-Dunlin-At-Least", scratch, &out->at_least,
		                    why);
	out->options.has_context = http_header(r, HTTP_NAME_VCLOCK, NULL).len > 0;
	return read_context(r, HTTP_NAME_VCLOCK, "X-Riak-Vclock", scratch, &out->context, why);
}

static bool read_vtag(const struct http_request *r, const struct http_target *t,
                      struct request *out, struct http_failure *why)
{
	struct bytes text;
	if (is_write(r->method) || !http_target_param(t, "vtag", &text)) return true;
	out->options.has_vtag = true;
	if (vtag_read(text, &out->options.vtag)) return true;
	return http_failure_set(why, 404, "%s", err_text(ERR_NO_VTAG));
}

static bool read_ttl(const struct http_request *r, struct request *out, struct http_failure *why)
{
	bool found;
	struct bytes text = http_header(r, HTTP_NAME_TTL, &found);
	uint64_t v = 0;
	if (!found || !stores(r->method)) return true;
	bool good = text.len > 0 && !http_header_repeated(r, HTTP_NAME_TTL);
	for (size_t i = 0; i < text.len && good; i++) {
		good = http_text_is_digit(text.data[i]);
		v = v * 10 + (uint64_t)(text.data[i] - '0');
		if (v > TTL_SECONDS_MAX) good = false;
	}
	out->ttl_s = v;
	if (good && v > 0) return true;
	return http_failure_set(why, 400, "X-Dunlin-TTL must be a number of seconds from 1 to %lu",
	                        TTL_SECONDS_MAX);
}

static bool check_media_type(const struct http_request *r, struct http_failure *why)
{
	if (!stores(r->method)) return true;
	struct bytes media = http_accept_media(http_header(r, HTTP_NAME_CONTENT_TYPE, NULL));
	const uint8_t *slash = media.len == 0 ? NULL : memchr(media.data, '/', media.len);
	size_t before = slash == NULL ? 0 : (size_t)(slash - media.data);
	if (before > 0 && before + 1 < media.len &&
	    memchr(slash + 1, '/', media.len - before - 1) == NULL)
		return true;
	return http_failure_set(why, 415, "Content-Type must be a type, one '/', and a subtype");
}

/* Whoever asks for a trace is told its id; nobody else has one. */
static bool read_trace(const struct http_target *t, const uint8_t random[HTTP_OBJECT_RANDOM_BYTES],
                       struct request *out, struct http_failure *why)
{
	struct bytes text;
	if (!http_target_param(t, "trace", &text)) return true;
	if (bytes_equal(text, BYTES("0")) || http_text_same(text, BYTES("false"))) return true;
	if (!bytes_equal(text, BYTES("1")) && !http_text_same(text, BYTES("true")))
		return http_failure_set(why, 400, "trace query parameter must be 1 or 0");
	out->trace.v = get_u64be(random + 16);
	if (out->trace.v == 0) out->trace.v = 1; /* 0 is no id */
	return true;
}

/* ---- what comes out ---------------------------------------------------------------------- */

/* Of random bytes, modulo bias and all: unique is enough. */
static struct bytes chosen_key(const uint8_t random[HTTP_OBJECT_RANDOM_BYTES],
                               struct http_scratch *scratch)
{
	struct bytes key = http_scratch_take(scratch, VTAG_CHARS);
	char text[VTAG_CHARS];
	vtag_base62(get_u64be(random), get_u64be(random + 8), text);
	memcpy(scratch->data + scratch->used - key.len, text, key.len);
	return key;
}

static struct bytes full_key(const struct http_object_want *want, struct http_scratch *scratch)
{
	uint8_t *to = http_scratch_room(scratch, FULL_KEY_BYTES_MAX);
	full_key_write(to, want->type, want->bucket, want->key);
	return http_scratch_take(scratch, full_key_len(want->type, want->bucket, want->key));
}

static enum request_op op_of(enum http_method m)
{
	if (stores(m)) return REQUEST_PUT;
	return m == HTTP_DELETE ? REQUEST_DELETE : REQUEST_GET;
}

static struct http_object_want want_of(const struct http_request *r, const struct http_target *t,
                                       const struct request *request, struct http_scratch *scratch)
{
	struct http_object_want w = {
		.op = request->op,
		.family = t->family,
		.head = r->method == HTTP_HEAD,
		.choose_key = t->route == HTTP_ROUTE_OBJECT_LIST,
		.return_body = request->options.return_body,
		.keep_alive = r->keep_alive,
		.http_1_0 = r->minor == 0,
		.type = t->type,
		.bucket = t->bucket,
		.key = t->key,
		.trace = request->trace,
	};
	if (request->op == REQUEST_PUT) w.content_type = http_header(r, HTTP_NAME_CONTENT_TYPE, NULL);
	if (request->op == REQUEST_GET) w.conditions = request->conditions;
	if (request->op != REQUEST_DELETE) w.accept = http_fields_join(r, HTTP_NAME_ACCEPT, scratch);
	return w;
}

static bool is_route(const struct http_target *t)
{
	return t->route == HTTP_ROUTE_OBJECT || t->route == HTTP_ROUTE_OBJECT_LIST ||
	       t->route == HTTP_ROUTE_COUNTER;
}

bool http_object_admit(const struct http_request *r, const struct http_target *t,
                       struct http_failure *why)
{
	assert(is_route(t));
	bool no_type = t->route == HTTP_ROUTE_COUNTER;
	bool md5_first = r->first[HTTP_NAME_CONTENT_MD5] != HTTP_HEADERS_MAX;
	why->write = is_write(r->method);
	return check_method(r, t, why) && (no_type || md5_first || check_has_type(r, why));
}

/* ---- counters ---------------------------------------------------------------------------- */

/* A sign or none, then 1 to 19 digits, and nothing else. */
static bool read_number(struct bytes text, int64_t *out)
{
	bool negative = text.len > 0 && text.data[0] == '-';
	size_t i = negative || (text.len > 0 && text.data[0] == '+');
	if (text.len == i || text.len - i > COUNTER_DIGITS_MAX) return false;
	uint64_t v = 0;
	for (; i < text.len; i++) {
		if (!http_text_is_digit(text.data[i])) return false;
		v = v * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (v > (uint64_t)INT64_MAX + negative) return false;
	*out = (int64_t)(negative ? 0 - v : v);
	return true;
}

static bool read_increment(struct bytes body, struct http_scratch *scratch, struct request *out,
                           struct http_failure *why)
{
	int64_t delta;
	if (!read_number(body, &delta))
		return http_failure_set(
			why, 400,
			"the body of an increment must be a decimal number of 64 bits, with "
			"a sign or without, and nothing else");
	put_u64be(http_scratch_room(scratch, INCREMENT_BYTES), (uint64_t)delta);
	out->value = http_scratch_take(scratch, INCREMENT_BYTES);
	return true;
}

/* An increment may not be conditional: what it is added to is not what anybody was shown. */
static bool check_unconditional(const struct http_request *r, struct http_scratch *scratch,
                                struct http_failure *why)
{
	struct conditions conditions = {0};
	if (!http_conditions_read(r, scratch, &conditions, why)) return false;
	return conditions.what == 0 || http_failure_set(why, 400, "an increment takes no conditions");
}

static bool counter_request(const struct http_request *r, const struct http_target *t,
                            struct bytes body, const uint8_t random[HTTP_OBJECT_RANDOM_BYTES],
                            struct http_scratch *scratch, struct request *out,
                            struct http_object_want *want, struct http_failure *why)
{
	struct bytes text;
	bool add = r->method == HTTP_POST;
	out->op = add ? REQUEST_INCREMENT : REQUEST_GET;
	out->as_counter = !add;
	if (!check_method(r, t, why) || !http_md5_check(r, body, why) ||
	    !http_options_read(r, t, out->op, &out->options, why) || !read_trace(t, random, out, why) ||
	    !check_names(t, why))
		return false;
	if (!add && !read_contexts(r, scratch, out, why)) return false;
	if (add && (!read_ttl(r, out, why) || !check_unconditional(r, scratch, why) ||
	            !read_increment(body, scratch, out, why)))
		return false;
	out->options.return_body =
		add && http_target_param(t, "returnvalue", &text) && bytes_equal(text, BYTES("true"));
	*want = want_of(r, t, out, scratch);
	want->counter = true;
	want->content_type = BYTES("text/plain");
	want->accept = BYTES_EMPTY;
	out->key = full_key(want, scratch);
	return true;
}

bool http_object_request(const struct http_request *r, const struct http_target *t,
                         struct bytes body, const uint8_t random[HTTP_OBJECT_RANDOM_BYTES],
                         struct http_scratch *scratch, struct request *out,
                         struct http_object_want *want, struct http_failure *why)
{
	assert(is_route(t));
	*out = (struct request){.op = op_of(r->method)};
	why->write = is_write(r->method);
	if (t->route == HTTP_ROUTE_COUNTER)
		return counter_request(r, t, body, random, scratch, out, want, why);
	if (!check_method(r, t, why) || !http_md5_check(r, body, why) || !check_has_type(r, why) ||
	    !http_options_read(r, t, out->op, &out->options, why) || !read_trace(t, random, out, why))
		return false;
	if (out->op == REQUEST_PUT && !http_fields_pack(r, t, scratch, &out->meta, why)) return false;
	if (!check_names(t, why) || !read_contexts(r, scratch, out, why) ||
	    !read_vtag(r, t, out, why) || !read_ttl(r, out, why) ||
	    !http_conditions_read(r, scratch, &out->conditions, why) || !check_media_type(r, why))
		return false;
	*want = want_of(r, t, out, scratch);
	if (out->op == REQUEST_GET) want->has_modified = http_conditions_modified(r, &want->modified_s);
	if (want->choose_key) want->key = chosen_key(random, scratch);
	out->key = full_key(want, scratch);
	if (out->op == REQUEST_PUT) out->value = body;
	return true;
}

/* ---- keeping ----------------------------------------------------------------------------- */

size_t http_object_keep_bytes(const struct http_object_want *want)
{
	return sizeof(*want) + want->type.len + want->bucket.len + want->key.len +
	       want->content_type.len + want->accept.len + want->conditions.match.len +
	       want->conditions.none_match.len;
}

struct http_object_want *http_object_keep(const struct http_object_want *want, void *to)
{
	struct http_object_want *kept = to;
	*kept = *want;
	struct bytes *parts[] = {&kept->type,
	                         &kept->bucket,
	                         &kept->key,
	                         &kept->content_type,
	                         &kept->accept,
	                         &kept->conditions.match,
	                         &kept->conditions.none_match};
	uint8_t *at = (uint8_t *)(kept + 1);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i]->len > 0) memcpy(at, parts[i]->data, parts[i]->len);
		parts[i]->data = at;
		at += parts[i]->len;
	}
	assert((size_t)(at - (uint8_t *)to) == http_object_keep_bytes(want));
	return kept;
}
