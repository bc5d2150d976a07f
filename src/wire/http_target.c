/* http_target.c - see http_target.h. Decoding comes after splitting, so an escaped '/' or '&' is
 * part of a name. A name may be any bytes but none at all. */
#include "wire/http_target.h"

#include "wire/http_text.h"

#define BAD_ESCAPE "a percent sign in the target must be followed by two hexadecimal digits"

bool http_target_decode(struct bytes from, uint8_t *to, size_t *len)
{
	size_t n = 0;
	for (size_t i = 0; i < from.len; i++) {
		uint8_t c = from.data[i];
		if (c == '%') {
			if (from.len - i < 3) return false;
			int high = http_text_hex(from.data[i + 1]), low = http_text_hex(from.data[i + 2]);
			if (high < 0 || low < 0) return false;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		to[n++] = c;
	}
	assert(n <= from.len);
	*len = n;
	return true;
}

/* Where it stands if nothing is escaped, else decoded into the scratch. Never NULL. */
static bool decoded(struct bytes from, struct http_scratch *scratch, struct bytes *out)
{
	*out = from.data != NULL ? from : BYTES("");
	bool plain = true;
	for (size_t i = 0; i < from.len && plain; i++)
		plain = from.data[i] != '%' && from.data[i] != '+';
	if (plain) return true;
	size_t len = 0;
	if (!http_target_decode(from, http_scratch_room(scratch, from.len), &len)) return false;
	*out = http_scratch_take(scratch, len);
	return true;
}

/* What stands before the first `separator`; *rest goes on behind it, {NULL, 0} at the end. */
static struct bytes cut(struct bytes *rest, uint8_t separator)
{
	const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);
	if (at == NULL) {
		struct bytes all = *rest;
		*rest = BYTES_EMPTY;
		return all;
	}
	struct bytes piece = {rest->data, (size_t)(at - rest->data)};
	*rest = (struct bytes){at + 1, rest->len - piece.len - 1};
	return piece;
}

/* *too_many: there are more segments than any route has. */
static const char *split_path(struct bytes path, struct http_scratch *scratch,
                              struct http_target *out, bool *too_many)
{
	while (path.data != NULL) {
		struct bytes segment = cut(&path, '/');
		if (segment.len == 0) continue;
		struct bytes name;
		if (!decoded(segment, scratch, &name)) return BAD_ESCAPE;
		*too_many = out->segment_count == HTTP_PATH_SEGMENTS_MAX;
		if (*too_many) return NULL;
		out->segments[out->segment_count++] = name;
	}
	return NULL;
}

static const char *split_query(struct bytes query, struct http_scratch *scratch,
                               struct http_target *out)
{
	while (query.data != NULL) {
		struct bytes value = cut(&query, '&');
		if (value.len == 0) continue;
		struct bytes name = cut(&value, '=');
		struct http_param param;
		if (!decoded(name, scratch, &param.name) || !decoded(value, scratch, &param.value))
			return BAD_ESCAPE;
		if (out->param_count == HTTP_QUERY_PARAMS_MAX) return "the query has too many parameters";
		out->params[out->param_count++] = param;
	}
	return NULL;
}

/* ---- routes ------------------------------------------------------------------------------ */

static bool segment_is(const struct http_target *t, uint32_t i, const char *name)
{
	return i < t->segment_count && bytes_equal(t->segments[i], bytes_of_string(name));
}

/* The bucket itself, addressed by a path that ends where its keys begin. */
static enum http_route list_route(enum http_method method)
{
	return method == HTTP_POST ? HTTP_ROUTE_OBJECT_LIST : HTTP_ROUTE_KEYS;
}

/* "/riak", "/riak/B", "/riak/B/K". */
static enum http_route route_v1(struct http_target *t, enum http_method method)
{
	t->family = HTTP_FAMILY_V1;
	if (t->segment_count > 1) t->bucket = t->segments[1];
	if (t->segment_count > 2) t->key = t->segments[2];
	switch (t->segment_count) {
	case 1: return HTTP_ROUTE_BUCKETS;
	case 2: return method == HTTP_PUT ? HTTP_ROUTE_PROPS : list_route(method);
	case 3: return HTTP_ROUTE_OBJECT;
	default: return HTTP_ROUTE_UNKNOWN;
	}
}

/* "buckets", "buckets/B/props", "buckets/B/keys", "buckets/B/keys/K", from segment `at` on; and without a
 * type "buckets/B/counters/K". */
static enum http_route route_buckets(struct http_target *t, enum http_method method, uint32_t at)
{
	uint32_t count = t->segment_count - at;
	if (count > 1) t->bucket = t->segments[at + 1];
	if (count > 3) t->key = t->segments[at + 3];
	if (count == 1) return HTTP_ROUTE_BUCKETS;
	if (count == 3 && segment_is(t, at + 2, "props")) return HTTP_ROUTE_PROPS;
	if (count == 3 && segment_is(t, at + 2, "keys")) return list_route(method);
	if (count == 4 && segment_is(t, at + 2, "keys")) return HTTP_ROUTE_OBJECT;
	if (count == 4 && at == 0 && segment_is(t, 2, "counters")) return HTTP_ROUTE_COUNTER;
	if (count == 5 && segment_is(t, at + 2, "keys") && segment_is(t, at + 4, "preflist"))
		return HTTP_ROUTE_PREFLIST;
	return HTTP_ROUTE_UNKNOWN;
}

static enum http_route route_types(struct http_target *t, enum http_method method)
{
	t->family = HTTP_FAMILY_V3;
	if (t->segment_count > 1) t->type = t->segments[1];
	if (t->segment_count == 3 && segment_is(t, 2, "props")) return HTTP_ROUTE_TYPE_PROPS;
	if (segment_is(t, 2, "buckets")) return route_buckets(t, method, 2);
	return HTTP_ROUTE_UNKNOWN;
}

static enum http_route route_of(struct http_target *t, enum http_method method)
{
	static const struct {
		const char *name;
		enum http_route route;
	} singles[] = {{"ping", HTTP_ROUTE_PING},
	               {"ready", HTTP_ROUTE_READY},
	               {"metrics", HTTP_ROUTE_METRICS},
	               {"stats", HTTP_ROUTE_STATS}};
	if (t->segment_count == 0) return HTTP_ROUTE_ROOT;
	if (segment_is(t, 0, "buckets")) return route_buckets(t, method, 0);
	if (segment_is(t, 0, "riak")) return route_v1(t, method);
	if (segment_is(t, 0, "types")) return route_types(t, method);
	if (segment_is(t, 0, "admin")) return HTTP_ROUTE_ADMIN;
	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]) && t->segment_count == 1; i++) {
		if (segment_is(t, 0, singles[i].name)) return singles[i].route;
	}
	return HTTP_ROUTE_UNKNOWN;
}

const char *http_target_parse(const struct http_request *r, struct http_scratch *scratch,
                              struct http_target *out)
{
	out->route = HTTP_ROUTE_UNKNOWN;
	out->family = HTTP_FAMILY_V2;
	out->type = BYTES("default");
	out->bucket = out->key = BYTES_EMPTY;
	out->segment_count = out->param_count = 0;
	struct bytes query = r->target;
	struct bytes path = cut(&query, '?');
	bool too_many = false;
	const char *why = split_path(path, scratch, out, &too_many);
	if (why == NULL) why = split_query(query, scratch, out);
	if (why != NULL) return why;
	bool starts = path.len == 0 || path.data[0] == '/'; /* not "*" nor CONNECT's authority */
	if (starts && !too_many) out->route = route_of(out, r->method);
	assert(out->route != HTTP_ROUTE_OBJECT || (out->bucket.len > 0 && out->key.len > 0));
	return NULL;
}

bool http_target_param(const struct http_target *t, const char *name, struct bytes *value)
{
	struct bytes wanted = bytes_of_string(name);
	for (uint32_t i = 0; i < t->param_count; i++) {
		if (!bytes_equal(t->params[i].name, wanted)) continue;
		*value = t->params[i].value;
		return true;
	}
	*value = BYTES_EMPTY;
	return false;
}
