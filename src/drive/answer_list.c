/* answer_list.c - keys and buckets listed over HTTP.
 *
 *   ?keys=true      one document. Up to HTTP_LIST_HOLD_BYTES are held back: a listing that fails so far
 *                   is 503; a longer one goes out in chunks, and failing then ends the connection
 *                   before the last chunk
 *   ?keys=stream    one JSON object a chunk, at its end one with an empty list; a failure is
 *                   {"error":...}, and then the connection ends
 *   max_results=N   N names at most, and with exactly N of them `continuation`, to be sent back
 *
 * Names that are no UTF-8 stand percent-encoded under `keys_encoded` (`buckets_encoded`).
 * The next page of names is asked for when little waits to be written, so memory is bounded by the
 * pages, not by the listing. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/client.h"
#include "wire/http_json.h"
#include "wire/http_reply.h"
#include "wire/http_text.h"

struct client_list {
	bool buckets, stream;
	bool sent;      /* the head was written: the status can no longer change */
	bool any;       /* plain: a name stands in the list already */
	bool want_more; /* a page was written, and the core waits for a word */
	struct ticket ticket;
	struct buffer held;    /* plain: the body so far, while nothing was sent */
	struct buffer encoded; /* plain: names that are no text */
};

static const char *noun(const struct client_list *l)
{
	return l->buckets ? "buckets" : "keys";
}

static void list_free(struct client *c)
{
	buffer_free(&c->list->held);
	buffer_free(&c->list->encoded);
	free(c->list);
	c->list = NULL;
}

/* ---- bytes out -------------------------------------------------------------------------------- */

static void send_head(struct client *c)
{
	struct http_out out = {0};
	struct http_reply a = {
		.status = 200, .content_type = "application/json", .stream = true, .http_1_0 = c->http_1_0};
	if (c->http_1_0) c->keep_alive = false; /* its end is the body's */
	a.keep_alive = c->keep_alive;
	c->list->sent = true;
	http_reply_write(&a, client_unix_ms(c->all), &out);
	if (!client_out(c, out.len, &out)) return;
	http_reply_write(&a, client_unix_ms(c->all), &out);
	buffer_added(&c->out, out.len);
}

static void send_chunk(struct client *c, struct bytes piece)
{
	struct http_out out = {0};
	if (!c->list->sent) send_head(c);
	http_reply_chunk(c->http_1_0, piece, &out);
	if (!client_out(c, out.len, &out)) return;
	http_reply_chunk(c->http_1_0, piece, &out);
	buffer_added(&c->out, out.len);
}

static struct bytes all_of(const struct buffer *b)
{
	return bytes_of(buffer_head(b), b->len);
}

/* Of a listing that is one document. */
static void put(struct client *c, struct buffer *piece)
{
	struct client_list *l = c->list;
	if (!l->sent) {
		buffer_append(&l->held, all_of(piece));
		if (l->held.len <= HTTP_LIST_HOLD_BYTES) return;
		send_chunk(c, all_of(&l->held));
		buffer_free(&l->held);
	} else if (piece->len > 0) {
		send_chunk(c, all_of(piece));
	}
}

/* ---- names ------------------------------------------------------------------------------------- */

static void append_name(struct buffer *to, struct bytes name, bool *any)
{
	struct http_out out = {0};
	http_json_any(&out, name);
	uint8_t *room = buffer_room(to, out.len + 1);
	if (room == NULL) return;
	if (*any) *room++ = ',';
	size_t comma = *any;
	out = (struct http_out){room, out.len, 0};
	http_json_any(&out, name);
	buffer_added(to, out.len + comma);
	*any = true;
}

/* {"keys":[...],"keys_encoded":[...]} of one page; without the closing brace. */
static void append_object(struct buffer *to, const struct client_list *l,
                          const struct list_page *page)
{
	bool any = false, encoded = false;
	buffer_printf(to, "{\"%s\":[", noun(l));
	for (uint32_t i = 0; i < page->count; i++)
		if (http_json_is_text(page->names[i])) append_name(to, page->names[i], &any);
	buffer_printf(to, "]");
	for (uint32_t i = 0; i < page->count; i++) {
		if (http_json_is_text(page->names[i])) continue;
		if (!encoded) buffer_printf(to, ",\"%s_encoded\":[", noun(l));
		append_name(to, page->names[i], &encoded);
	}
	if (encoded) buffer_printf(to, "]");
}

static void append_continuation(struct buffer *to, struct bytes next)
{
	size_t room = sodium_base64_encoded_len(next.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *text = malloc(room);
	if (text == NULL || next.len == 0) {
		free(text);
		return;
	}
	sodium_bin2base64(text, room, next.data, next.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	buffer_printf(to, ",\"continuation\":\"%s\"", text);
	free(text);
}

/* ---- the end ------------------------------------------------------------------------------------ */

static void finish(struct client *c, int status)
{
	list_free(c);
	client_answered(c, status);
}

/* What a client is told that can no longer be told by a status. */
static void abandon(struct client *c, const char *why)
{
	struct buffer text = {0};
	if (c->list->stream) {
		buffer_printf(&text, "{\"error\":\"%s\"}", why);
		send_chunk(c, all_of(&text));
		buffer_free(&text);
	}
	c->keep_alive = false; /* and no last chunk: it is seen to be incomplete */
	finish(c, 200);
}

static void fail(struct client *c, const struct list_page *page)
{
	struct buffer text = {0};
	const char *why = page->err == ERR_TIMEOUT ? "timeout" : err_text(page->err);
	if (c->list->sent) {
		abandon(c, why);
		return;
	}
	if (page->err == ERR_BAD_BYTES)
		buffer_printf(&text, "the continuation was not given out for this list\n");
	else
		buffer_printf(&text, "%s\n", err_text(page->err));
	int status = err_http_status(page->err);
	if (status == 503)
		buffer_printf(&text, "looked through %u of %u partitions\n", page->covered,
		              page->partitions);
	list_free(c);
	answer_text(c, status, NULL, status == 503 ? "Retry-After: 1\r\n" : NULL, all_of(&text));
	buffer_free(&text);
}

static void end_plain(struct client *c, struct bytes next)
{
	struct client_list *l = c->list;
	struct buffer tail = {0};
	buffer_printf(&tail, "]");
	if (l->encoded.len > 0) {
		buffer_printf(&tail, ",\"%s_encoded\":[", noun(l));
		buffer_append(&tail, all_of(&l->encoded));
		buffer_printf(&tail, "]");
	}
	append_continuation(&tail, next);
	buffer_printf(&tail, "}");
	put(c, &tail);
	buffer_free(&tail);
	if (l->sent) {
		send_chunk(c, BYTES_EMPTY);
		finish(c, 200);
		return;
	}
	struct buffer body = l->held;
	l->held = (struct buffer){0};
	list_free(c);
	answer_buffer(c, 200, "application/json", &body);
}

static void end_stream(struct client *c, struct bytes next)
{
	struct buffer text = {0};
	buffer_printf(&text, "{\"%s\":[]", noun(c->list));
	append_continuation(&text, next);
	buffer_printf(&text, "}");
	send_chunk(c, all_of(&text));
	buffer_free(&text);
	send_chunk(c, BYTES_EMPTY);
	finish(c, 200);
}

/* ---- pages --------------------------------------------------------------------------------------- */

static void take_streamed(struct client *c, const struct list_page *page)
{
	struct buffer text = {0};
	if (page->count == 0) return;
	append_object(&text, c->list, page);
	buffer_printf(&text, "}");
	send_chunk(c, all_of(&text));
	buffer_free(&text);
}

static bool take_plain(struct client *c, const struct list_page *page)
{
	struct client_list *l = c->list;
	struct buffer text = {0};
	for (uint32_t i = 0; i < page->count; i++) {
		bool plain = http_json_is_text(page->names[i]), any = l->encoded.len > 0;
		if (plain)
			append_name(&text, page->names[i], &l->any);
		else
			append_name(&l->encoded, page->names[i], &any);
	}
	put(c, &text);
	buffer_free(&text);
	return l->encoded.len <= HTTP_LIST_ENCODED_BYTES;
}

void answer_list_page(struct client *c, const struct list_page *page)
{
	struct client_list *l = c->list;
	assert(l != NULL);
	l->ticket = page->ticket;
	if (page->done || page->err != ERR_OK) l->ticket.v = 0; /* nothing more to ask for */
	if (page->err != ERR_OK) {
		fail(c, page);
		return;
	}
	bool fits = true;
	if (l->stream)
		take_streamed(c, page);
	else
		fits = take_plain(c, page);
	if (!fits)
		abandon(c, "too many names that are no UTF-8; use stream");
	else if (!page->done)
		l->want_more = true;
	else if (l->stream)
		end_stream(c, page->next);
	else
		end_plain(c, page->next);
	client_mark(c);
}

static void tell_core(struct client *c, bool stop)
{
	struct event ev = {.type = EV_CLIENT_LIST_MORE};
	ev.list_more.ticket = c->list->ticket;
	ev.list_more.stop = stop;
	loop_step(c->all->loop, &ev);
}

bool answer_list_waits(const struct client *c)
{
	return c->list != NULL && c->list->want_more && c->out.len <= HTTP_LIST_OUT_BYTES;
}

void answer_list_go_on(struct client *c)
{
	if (!answer_list_waits(c)) return;
	c->list->want_more = false;
	tell_core(c, false);
}

void answer_list_drop(struct client *c)
{
	if (c->list == NULL) return;
	if (c->list->ticket.v != 0 && !c->all->closing) tell_core(c, true);
	if (c->list != NULL) list_free(c);
}

/* ---- questions ------------------------------------------------------------------------------------ */

static bool number_param(struct client *c, const struct http_target *t, const char *name,
                         uint64_t most, uint64_t *out)
{
	struct bytes text;
	struct http_failure why = {0};
	*out = 0;
	if (!http_target_param(t, name, &text)) return true;
	bool good = text.len > 0 && text.len < 12;
	for (size_t i = 0; i < text.len && good; i++) {
		good = http_text_is_digit(text.data[i]);
		*out = *out * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (good && *out > 0 && *out <= most) return true;
	if (strcmp(name, "timeout") == 0)
		http_failure_set(&why, 400, "Bad timeout value \"%.*s\"",
		                 (int)(text.len < 128 ? text.len : 128), (const char *)text.data);
	else
		http_failure_set(&why, 400, "%s must be a number from 1 to %llu", name,
		                 (unsigned long long)most);
	answer_failure(c, &why);
	return false;
}

/* The continuation as it was given out. False: refused, and answered. */
static bool continuation(struct client *c, const struct http_target *t, struct bytes *out)
{
	struct bytes text;
	size_t len = 0;
	*out = BYTES_EMPTY;
	if (!http_target_param(t, "continuation", &text) || text.len == 0) return true;
	uint8_t *to = http_scratch_room(&c->all->scratch, FULL_KEY_BYTES_MAX + 8);
	if (sodium_base642bin(to, FULL_KEY_BYTES_MAX + 8, (const char *)text.data, text.len, NULL, &len,
	                      NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0) {
		answer_line(c, 400, "the continuation was not given out for this list\n");
		return false;
	}
	*out = http_scratch_take(&c->all->scratch, len);
	return true;
}

/* Of the first URL family: the properties come with the keys unless they are not wanted. */
static bool props_wanted(const struct http_target *t)
{
	struct bytes text;
	if (t->family != HTTP_FAMILY_V1 || t->route != HTTP_ROUTE_KEYS) return false;
	return !http_target_param(t, "props", &text) || !bytes_equal(text, BYTES("false"));
}

/* Nothing is listed: what there is to say all the same. */
static void answer_empty(struct client *c, const struct http_target *t)
{
	struct buffer text = {0};
	buffer_printf(&text, "{");
	if (t->route == HTTP_ROUTE_BUCKETS) buffer_printf(&text, "\"buckets\":[]");
	if (props_wanted(t)) answer_props_text(c, t->type, t->bucket, &text);
	buffer_printf(&text, "}");
	answer_buffer(c, 200, "application/json", &text);
}

/* The listing's state, with what comes before its names. */
static bool open_list(struct client *c, const struct http_target *t, bool stream)
{
	struct client_list *l = calloc(1, sizeof *l);
	struct buffer text = {0};
	if (l == NULL) return false;
	c->list = l;
	l->buckets = t->route == HTTP_ROUTE_BUCKETS;
	l->stream = stream;
	buffer_printf(&text, "{");
	if (props_wanted(t)) answer_props_text(c, t->type, t->bucket, &text);
	if (!stream) {
		buffer_printf(&text, "%s\"%s\":[", text.len > 1 ? "," : "", noun(l));
		buffer_append(&l->held, all_of(&text));
	} else if (text.len > 1) {
		buffer_printf(&text, "}");
		send_chunk(c, all_of(&text));
	}
	buffer_free(&text);
	return true;
}

static void begin(struct client *c, const struct http_target *t, bool stream)
{
	struct event ev = {.type = EV_CLIENT_LIST};
	uint64_t most, timeout;
	bool buckets = t->route == HTTP_ROUTE_BUCKETS;
	if (!number_param(c, t, "timeout", REQUEST_TIMEOUT_US_MAX / 1000, &timeout) ||
	    !number_param(c, t, "max_results", buckets ? LIST_BUCKETS_RESULTS_MAX : LIST_RESULTS_MAX,
	                  &most) ||
	    !continuation(c, t, &ev.list.after))
		return;
	if (!open_list(c, t, stream)) {
		c->broken = true;
		return;
	}
	ev.list.client = client_name(c);
	ev.list.type = t->type;
	ev.list.bucket = t->bucket;
	ev.list.most = (uint32_t)most;
	ev.list.timeout_us = timeout * 1000;
	loop_step(c->all->loop, &ev);
}

void answer_list(struct client *c, const struct http_target *t)
{
	struct bytes how;
	struct props now;
	bool wanted = http_target_param(t, t->route == HTTP_ROUTE_BUCKETS ? "buckets" : "keys", &how);
	bool stream = wanted && bytes_equal(how, BYTES("stream"));
	wanted = stream || (wanted && bytes_equal(how, BYTES("true")));
	if (t->type.len > TYPE_BYTES_MAX || t->bucket.len > BUCKET_BYTES_MAX)
		answer_line(c, 400, "the bucket or its type is too long\n");
	else if (node_props(c->all->loop->node, t->type, t->bucket, &now) != ERR_OK)
		answer_no_type(c, t->type);
	else if (!wanted || c->head)
		answer_empty(c, t);
	else if (!c->all->loop->config->listing)
		answer_line(c, 403, "listing is switched off in the configuration (listing = no)\n");
	else if (!node_is_ready(c->all->loop->node))
		answer_not_ready(c);
	else
		begin(c, t, stream);
}
