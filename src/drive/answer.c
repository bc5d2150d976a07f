/* answer.c - what a whole request is answered with: a route, and who answers it.
 *
 *   objects            one event for the core; its reply comes to answer_object
 *   /admin/compare     the same, to answer_compare
 *   the rest           answered here
 *
 * Not here: bytes of requests (client.c), of answers about objects (wire/http_reply), JSON (admin.c). */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/admin.h"
#include "drive/client.h"
#include "ring/layout.h"
#include "wire/http_reply.h"
#include "wire/http_site.h"

/* ---- short answers of our own --------------------------------------------------------------- */

static void append(struct client *c, const struct http_reply *a)
{
	struct http_out out = {0};
	http_reply_write(a, client_unix_ms(c->all), &out);
	size_t bytes = out.len;
	if (client_out(c, bytes, &out)) {
		http_reply_write(a, client_unix_ms(c->all), &out);
		assert(out.len == bytes);
		buffer_added(&c->out, out.len);
	}
	client_answered(c, a->status);
}

void answer_text(struct client *c, int status, const char *content_type, const char *headers,
                 struct bytes body)
{
	struct http_reply a = {.status = status,
	                       .content_type = content_type,
	                       .body = body,
	                       .headers = headers,
	                       .head = c->head,
	                       .keep_alive = c->keep_alive,
	                       .http_1_0 = c->http_1_0};
	append(c, &a);
}

void answer_line(struct client *c, int status, const char *text)
{
	answer_text(c, status, NULL, NULL, bytes_of_string(text));
}

void answer_buffer(struct client *c, int status, const char *content_type, struct buffer *b)
{
	answer_text(c, status, content_type, NULL, bytes_of(buffer_head(b), b->len));
	buffer_free(b);
}

/* What http_parse and http_chunks_decode refuse, and requests that come too late or too large. */
void answer_bad(struct client *c, int status, const char *reason)
{
	struct http_out out = {0};
	uint64_t now = client_unix_ms(c->all);
	if (c->state != CLIENT_BODY) c->method = HTTP_OTHER;
	http_reply_bad(status, reason, now, &out);
	size_t bytes = out.len;
	if (client_out(c, bytes, &out)) {
		http_reply_bad(status, reason, now, &out);
		buffer_added(&c->out, out.len);
	}
	c->keep_alive = false;
	client_answered(c, status);
}

void answer_failure(struct client *c, const struct http_failure *why)
{
	struct http_request *r = &c->all->request;
	struct http_out out = {0};
	uint64_t now = client_unix_ms(c->all);
	r->keep_alive = c->keep_alive;
	http_reply_failure(why, r, now, &out);
	size_t bytes = out.len;
	if (client_out(c, bytes, &out)) {
		http_reply_failure(why, r, now, &out);
		buffer_added(&c->out, out.len);
	}
	client_answered(c, why->status);
}

/* ---- objects -------------------------------------------------------------------------------- */

static bool keep_want(struct client *c, const struct http_object_want *want)
{
	size_t bytes = http_object_keep_bytes(want);
	if (bytes > c->want_capacity) {
		free(c->want);
		c->want = malloc(bytes);
		c->want_capacity = c->want == NULL ? 0 : bytes;
	}
	if (c->want == NULL) return false;
	struct http_object_want *kept = http_object_keep(want, c->want);
	assert(kept == c->want);
	return true;
}

void answer_not_ready(struct client *c)
{
	struct buffer text = {0};
	const char *trouble = node_trouble(c->all->loop->node);
	buffer_printf(&text, "%s\n", trouble[0] != '\0' ? trouble : err_text(ERR_NOT_READY));
	bool write = c->method == HTTP_PUT || c->method == HTTP_POST || c->method == HTTP_DELETE;
	const char *headers =
		write ? "Retry-After: 1\r\nX-Dunlin-Outcome: none\r\n" : "Retry-After: 1\r\n";
	answer_text(c, 503, NULL, headers, bytes_of(buffer_head(&text), text.len));
	buffer_free(&text);
}

static void ask_core(struct client *c, const struct http_target *t, struct bytes body)
{
	uint8_t random[HTTP_OBJECT_RANDOM_BYTES] = {0};
	struct event ev = {.type = EV_CLIENT_REQUEST};
	struct http_object_want want;
	struct http_failure why;
	struct bytes asked;
	if (t->route == HTTP_ROUTE_OBJECT_LIST || http_target_param(t, "trace", &asked))
		randombytes_buf(random, sizeof random);
	if (!http_object_request(&c->all->request, t, body, random, &c->all->scratch,
	                         &ev.request.request, &want, &why)) {
		answer_failure(c, &why);
		return;
	}
	want.keep_alive = c->keep_alive;
	if (!keep_want(c, &want)) {
		c->broken = true;
		return;
	}
	ev.request.client = client_name(c);
	loop_step(c->all->loop, &ev);
}

static struct metrics_histogram *histogram(struct metrics *m, enum request_op op)
{
	switch (op) {
	case REQUEST_GET: return &m->get;
	case REQUEST_PUT:
	case REQUEST_INCREMENT: return &m->put;
	case REQUEST_DELETE: return &m->del;
	case REQUEST_OP_COUNT: break;
	}
	unreachable();
}

static void note_stats(struct client *c, const struct reply *reply, uint64_t took_us)
{
	struct stats *s = c->all->stats;
	bool read = c->want->op == REQUEST_GET;
	stats_note(s, read ? STATS_GET_US : STATS_PUT_US, took_us);
	if (!read || reply->err != ERR_OK) return;
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < reply->sibling_count; i++)
		bytes += reply->siblings[i].value.len + reply->siblings[i].meta.len;
	stats_note(s, STATS_GET_SIBLINGS, reply->sibling_count);
	stats_note(s, STATS_GET_BYTES, bytes);
}

void answer_object(struct client *c, const struct reply *reply)
{
	struct http_object_reply a;
	struct http_out out;
	assert(c->state == CLIENT_BUSY);
	uint64_t took_us = loop_now().us - c->since.us;
	metrics_observe(histogram(&c->all->loop->metrics, c->want->op), took_us);
	note_stats(c, reply, took_us);
	http_object_reply_prepare(&a, c->want, reply, client_unix_ms(c->all));
	if (client_out(c, a.bytes, &out)) {
		http_object_reply_write(&a, &out);
		assert(out.len == a.bytes);
		buffer_added(&c->out, out.len);
	}
	client_answered(c, a.status);
}

/* ---- the node itself ------------------------------------------------------------------------ */

static void answer_ready(struct client *c)
{
	struct node *node = c->all->loop->node;
	if (!node_is_ready(node))
		answer_not_ready(c);
	else if (c->all->draining)
		answer_line(c, 503, "stopping\n");
	else
		answer_line(c, 200, "ready\n");
}

static void answer_metrics(struct client *c)
{
	struct buffer text = {0};
	metrics_render(c->all->loop, &text);
	answer_buffer(c, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
}

static void answer_compare_request(struct client *c, const struct http_target *t)
{
	struct event ev = {.type = EV_CLIENT_COMPARE};
	struct buffer text = {0};
	uint8_t prefix[FULL_KEY_BYTES_MAX];
	int status = admin_compare_request(c->all->loop, t, prefix, &ev, &text);
	if (status != 200) {
		answer_buffer(c, status, "application/json", &text);
		return;
	}
	assert(text.len == 0);
	ev.compare.client = client_name(c);
	loop_step(c->all->loop, &ev);
}

void answer_compare(struct client *c, const struct compare_result *result)
{
	struct buffer text = {0};
	int status = admin_compare(c->all->loop, result, &text);
	answer_buffer(c, status, "application/json", &text);
}

static void answer_admin(struct client *c, const struct http_target *t)
{
	struct buffer text = {0};
	struct bytes what = t->segment_count >= 2 ? t->segments[1] : BYTES_EMPTY;
	int status = 404;
	if (t->segment_count == 2 && bytes_equal(what, BYTES("compare"))) {
		answer_compare_request(c, t);
		return;
	}
	if (bytes_equal(what, BYTES("trace")))
		status = admin_trace(c->all->loop, t, &text);
	else if (t->segment_count == 2)
		status = admin_answer(c->all->loop, what, t, &text);
	if (text.len == 0) buffer_printf(&text, "{\"error\":\"no such resource\"}\n");
	answer_buffer(c, status, "application/json", &text);
}

static bool is_drain(const struct http_target *t)
{
	return t->route == HTTP_ROUTE_ADMIN && t->segment_count == 2 &&
	       bytes_equal(t->segments[1], BYTES("drain"));
}

static void answer_drain(struct client *c, const struct http_target *t)
{
	struct buffer text = {0};
	int status = admin_drain(c->all->loop, t, c->all->request.method == HTTP_POST, &text);
	answer_buffer(c, status, "application/json", &text);
}

/* ---- routes --------------------------------------------------------------------------------- */

static void answer_read_only(struct client *c, const struct http_target *t)
{
	switch (t->route) {
	case HTTP_ROUTE_PING: answer_text(c, 200, "text/html", NULL, BYTES("OK")); break;
	case HTTP_ROUTE_READY: answer_ready(c); break;
	case HTTP_ROUTE_METRICS: answer_metrics(c); break;
	case HTTP_ROUTE_ROOT: answer_root(c); break;
	case HTTP_ROUTE_ADMIN: answer_admin(c, t); break;
	case HTTP_ROUTE_STATS: answer_stats(c); break;
	case HTTP_ROUTE_KEYS:
	case HTTP_ROUTE_BUCKETS: answer_list(c, t); break;
	case HTTP_ROUTE_PREFLIST: answer_preflist(c, t); break;
	default: unreachable();
	}
}

static bool is_object(const struct http_target *t)
{
	return t->route == HTTP_ROUTE_OBJECT || t->route == HTTP_ROUTE_OBJECT_LIST ||
	       t->route == HTTP_ROUTE_COUNTER;
}

/* Unknown method before method not offered, as everywhere. */
static void answer_other(struct client *c, const struct http_target *t, struct bytes body)
{
	enum http_method method = c->all->request.method;
	bool props = t->route == HTTP_ROUTE_PROPS || t->route == HTTP_ROUTE_TYPE_PROPS;
	bool keys = t->route == HTTP_ROUTE_KEYS, drain = is_drain(t);
	bool reads = method == HTTP_GET || method == HTTP_HEAD;
	if (method == HTTP_OTHER)
		answer_line(c, 501, "unknown method\n");
	else if (t->route == HTTP_ROUTE_UNKNOWN)
		answer_line(c, 404, "not found\n");
	else if (props)
		answer_props(c, t, body);
	else if (drain && (reads || method == HTTP_POST))
		answer_drain(c, t);
	else if (!reads)
		answer_text(c, 405, NULL,
		            keys && t->family == HTTP_FAMILY_V1 ? "Allow: GET, HEAD, PUT, POST\r\n"
		            : keys || drain                     ? "Allow: GET, HEAD, POST\r\n"
		                                                : "Allow: GET, HEAD\r\n",
		            BYTES("method not allowed here\n"));
	else
		answer_read_only(c, t);
}

static bool is_from_elsewhere(struct client *c, struct http_failure *why)
{
	*why = (struct http_failure){.write = true};
	if (!c->all->loop->config->site_check || http_site_is_same(&c->all->request)) return false;
	return !http_failure_set(why, 403, "a write from a page of another site (Origin, Referer)");
}

void answer_request(struct client *c, struct bytes body)
{
	struct http_failure why;
	const struct http_request *r = &c->all->request;
	struct http_target t;
	c->all->scratch.used = 0;
	const char *bad = http_target_parse(r, &c->all->scratch, &t);
	if (bad != NULL) {
		struct buffer text = {0};
		buffer_printf(&text, "%s\n", bad);
		answer_buffer(c, 400, NULL, &text);
	} else if (is_from_elsewhere(c, &why)) {
		answer_failure(c, &why);
	} else if (!is_object(&t)) {
		answer_other(c, &t, body);
	} else if (!node_is_ready(c->all->loop->node)) {
		answer_not_ready(c);
	} else {
		ask_core(c, &t, body);
	}
}

bool answer_admit(struct client *c)
{
	struct http_target t;
	struct http_failure why;
	c->all->scratch.used = 0;
	/* Whatever is not an object's body is judged when it is here; the limit on its size stands. */
	if (http_target_parse(&c->all->request, &c->all->scratch, &t) != NULL) return true;
	if (!is_from_elsewhere(c, &why) &&
	    (!is_object(&t) || http_object_admit(&c->all->request, &t, &why)))
		return true;
	c->keep_alive = false;
	answer_failure(c, &why);
	return false;
}
