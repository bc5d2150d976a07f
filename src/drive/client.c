/* client.c - one connection of an HTTP client: reading, framing, writing, and its end.
 *
 * The life is drawn in client.h. Always true:
 *   C1  the bytes of the request that is being read stand at the front of `in`, its chunked body
 *       decoded in place: [head | body so far | bytes not looked at];
 *   C2  they are consumed in the step that hands the request over: the core keeps what it needs;
 *   C3  nothing is written to the socket, and nothing freed, but at the end of a turn.
 * Not here: what is answered (answer.c), who may connect (clients.c). */
#include "drive/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"

/* ---- birth and death ------------------------------------------------------------------------ */

void client_mark(struct client *c)
{
	if (c->dirty) return;
	c->dirty = true;
	c->next_dirty = c->all->dirty;
	c->all->dirty = c;
}

static void on_readable(evutil_socket_t fd, short what, void *context);

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	client_mark(context);
}

struct client *client_open(struct clients *all, int fd, uint32_t place)
{
	struct client *c = calloc(1, sizeof *c);
	if (c == NULL) return NULL;
	*c = (struct client){
		.all = all, .fd = fd, .place = place, .since = loop_now(), .moved = loop_now()};
	c->read_event = event_new(all->loop->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->write_event = event_new(all->loop->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	if (c->read_event != NULL && c->write_event != NULL && event_add(c->read_event, NULL) == 0) {
		c->reading = true;
		return c;
	}
	if (c->read_event != NULL) event_free(c->read_event);
	if (c->write_event != NULL) event_free(c->write_event);
	free(c);
	return NULL;
}

void client_free(struct client *c)
{
	struct clients *all = c->all;
	assert(all->table[c->place] == c);
	all->table[c->place] = NULL;
	all->free_places[all->free_count++] = c->place;
	all->count--;
	all->loop->metrics.connections--;
	if (c->state == CLIENT_BUSY) all->loop->metrics.requests_in_flight--;
	answer_list_drop(c);
	event_free(c->read_event);
	event_free(c->write_event);
	close(c->fd);
	buffer_free(&c->in);
	buffer_free(&c->out);
	free(c->want);
	free(c);
}

/* ---- bytes in ------------------------------------------------------------------------------- */

/* How much to ask of the socket. A body whose length is known gets its room at once. */
static size_t room_wanted(const struct client *c)
{
	if (c->state != CLIENT_BODY || c->chunked) return CLIENT_READ_BYTES;
	size_t left = c->head_bytes + c->body_wanted - c->in.len;
	return left < CLIENT_READ_BYTES ? CLIENT_READ_BYTES : left;
}

static void read_some(struct client *c)
{
	uint8_t *to = buffer_room(&c->in, room_wanted(c));
	if (to == NULL) {
		c->broken = true;
		return;
	}
	ssize_t got = read(c->fd, to, buffer_room_left(&c->in));
	if (got > 0) {
		buffer_added(&c->in, (size_t)got);
		c->all->loop->metrics.bytes_received += (uint64_t)got;
	} else if (got == 0) {
		c->eof = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		c->broken = true;
	}
}

/* What a client sends after its answer was decided is read and dropped. */
static void read_and_drop(struct client *c)
{
	uint8_t dropped[4096];
	ssize_t got = read(c->fd, dropped, sizeof dropped);
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) c->broken = true;
}

static void client_look(struct client *c)
{
	if (c->state == CLIENT_LINGER)
		read_and_drop(c);
	else
		read_some(c);
	client_mark(c);
}

void client_look_last(struct client *c)
{
	size_t before;
	do {
		before = c->in.len;
		client_look(c);
	} while (c->in.len > before && c->in.len < CLIENT_AHEAD_BYTES);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	client_look(context);
}

/* ---- one request ---------------------------------------------------------------------------- */

/* The request is whole: all->request is its head. */
static void hand_over(struct client *c)
{
	const struct http_request *r = &c->all->request;
	struct bytes body = bytes_of(buffer_head(&c->in) + c->head_bytes, c->body_bytes);
	size_t all_bytes = c->head_bytes + c->body_bytes;
	assert(all_bytes <= c->in.len);
	c->state = CLIENT_BUSY;
	c->serial = c->all->next_serial++;
	c->since = loop_now();
	c->all->loop->metrics.requests_in_flight++;
	/* When we stop, the last of what was read is the last that is answered. */
	c->keep_alive = r->keep_alive && !(c->all->draining && c->in.len == all_bytes);
	answer_request(c, body);
	buffer_consume(&c->in, all_bytes);
}

/* The head was looked at in an earlier turn: fill all->request again. */
static void hand_over_later(struct client *c)
{
	enum http_verdict verdict = http_parse(buffer_head(&c->in), c->head_bytes, 0, &c->all->request);
	assert(verdict == HTTP_COMPLETE && c->all->request.head_bytes == c->head_bytes);
	hand_over(c);
}

static bool is_too_large(const struct client *c, uint64_t bytes)
{
	return bytes > c->all->loop->config->value_bytes_max;
}

/* New bytes of a chunked body. True: the request was handed over. */
static bool take_chunks(struct client *c)
{
	size_t at = c->head_bytes + c->body_bytes, body, used;
	size_t raw = c->in.len - at;
	uint8_t *data = buffer_head(&c->in) + at;
	enum http_verdict verdict = http_chunks_decode(&c->chunks, data, raw, &body, &used);
	if (verdict == HTTP_BAD) {
		answer_bad(c, 400, c->chunks.reason);
		return false;
	}
	if (is_too_large(c, c->chunks.body_bytes)) {
		answer_bad(c, 413, "the body is larger than value_bytes_max");
		return false;
	}
	assert(verdict == HTTP_COMPLETE || used == raw);
	/* C1: what follows the decoded bytes moves up to them. */
	if (used < raw && used != body) memmove(data + body, data + used, raw - used);
	c->body_bytes += body;
	c->in.len = at + body + (raw - used);
	if (verdict == HTTP_MORE) return false;
	hand_over_later(c);
	return true;
}

/* True: the request was handed over. */
static bool take_body(struct client *c)
{
	assert(c->state == CLIENT_BODY);
	if (c->chunked) return take_chunks(c);
	if (c->in.len < c->head_bytes + c->body_wanted) return false;
	c->body_bytes = c->body_wanted;
	hand_over_later(c);
	return true;
}

/* The head is whole, the body is not. Refuse it now if that saves the client sending it. */
static bool begin_body(struct client *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct http_request *r = &c->all->request;
	bool large = !c->chunked && c->body_wanted > CLIENT_AHEAD_BYTES;
	c->state = CLIENT_BODY;
	if ((r->expect_continue || large) && !answer_admit(c)) return false;
	if (r->expect_continue && !buffer_append(&c->out, bytes_of(go_on, sizeof go_on - 1)))
		c->broken = true;
	return take_body(c);
}

/* A head was parsed. True: the request was handed over. */
static bool take_head(struct client *c)
{
	const struct http_request *r = &c->all->request;
	uint64_t wanted = r->has_content_length ? r->content_length : 0;
	c->head_bytes = r->head_bytes;
	c->chunked = r->chunked;
	c->chunks = (struct http_chunks){0};
	c->body_bytes = 0;
	c->method = (uint8_t)r->method;
	c->keep_alive = r->keep_alive;
	c->http_1_0 = r->minor == 0;
	c->head = r->method == HTTP_HEAD;
	if (is_too_large(c, wanted)) {
		answer_bad(c, 413, "the body is larger than value_bytes_max");
		return false;
	}
	c->body_wanted = (size_t)wanted;
	if (c->chunked || c->in.len < c->head_bytes + c->body_wanted) return begin_body(c);
	c->body_bytes = c->body_wanted;
	hand_over(c);
	return true;
}

static bool read_head(struct client *c)
{
	enum http_verdict verdict =
		http_parse(buffer_head(&c->in), c->in.len, c->seen, &c->all->request);
	switch (verdict) {
	case HTTP_COMPLETE: return take_head(c);
	case HTTP_MORE: c->seen = c->in.len; return false;
	case HTTP_BAD: answer_bad(c, c->all->request.status, c->all->request.reason); return false;
	}
	unreachable();
}

/* One step with what is in the buffer. True: a request was handed over; look for the next. */
static bool advance(struct client *c)
{
	if (c->broken || c->closing || c->out.len > HTTP_OUT_BYTES_MAX) return false;
	switch (c->state) {
	case CLIENT_IDLE:
		if (c->in.len == 0) return false;
		c->state = CLIENT_HEAD;
		c->since = loop_now();
		c->seen = 0;
		return read_head(c);
	case CLIENT_HEAD: return read_head(c);
	case CLIENT_BODY: return take_body(c);
	case CLIENT_BUSY:
	case CLIENT_LINGER: return false;
	}
	unreachable();
}

/* ---- answers -------------------------------------------------------------------------------- */

struct client_ref client_name(struct client *c)
{
	assert(c->state == CLIENT_BUSY);
	return (struct client_ref){c->serial << 16 | c->place};
}

bool client_out(struct client *c, size_t bytes, struct http_out *out)
{
	if (c->out.len == 0) c->moved = loop_now();
	uint8_t *room = buffer_room(&c->out, bytes);
	if (room == NULL) c->broken = true;
	*out = (struct http_out){room, room == NULL ? 0 : bytes, 0};
	return room != NULL;
}

void client_answered(struct client *c, int status)
{
	struct loop *loop = c->all->loop;
	metrics_request(&loop->metrics, c->method, status);
	if (c->state == CLIENT_BUSY)
		loop->metrics.requests_in_flight--;
	else
		c->unread = true; /* it was answered before all of it was read */
	if (!c->keep_alive) c->closing = true;
	c->state = CLIENT_IDLE;
	c->since = loop_now();
	client_mark(c);
}

/* ---- bytes out, and the end of a turn ------------------------------------------------------- */

static void flush(struct client *c)
{
	while (c->out.len > 0 && !c->broken) {
		ssize_t sent = send(c->fd, buffer_head(&c->out), c->out.len, MSG_NOSIGNAL);
		if (sent > 0) {
			buffer_consume(&c->out, (size_t)sent);
			c->moved = loop_now();
			c->since = c->state == CLIENT_IDLE ? c->moved : c->since;
			c->all->loop->metrics.bytes_sent += (uint64_t)sent;
		} else if (sent < 0 && errno == EAGAIN) {
			break;
		} else if (sent < 0 && errno != EINTR) {
			c->broken = true;
		}
	}
}

/* Everything is written and nothing more will be. */
static void finish(struct client *c)
{
	if (c->unread && !c->eof && c->state != CLIENT_LINGER) {
		c->state = CLIENT_LINGER;
		c->since = loop_now();
		shutdown(c->fd, SHUT_WR);
	} else if (c->state != CLIENT_LINGER || c->eof) {
		c->broken = true;
	}
}

static bool is_finished(const struct client *c)
{
	if (c->out.len > 0 || c->state == CLIENT_BUSY) return false;
	if (c->closing) return true;
	/* No more requests will come: the client said so (and what was read of another has no end), or
	 * we stop and it has begun none. */
	return c->eof || (c->all->draining && c->state == CLIENT_IDLE && c->in.len == 0);
}

static void set_event(struct libevent_event *e, bool *added, bool wanted)
{
	if (*added == wanted) return;
	if (wanted)
		event_add(e, NULL);
	else
		event_del(e);
	*added = wanted;
}

void client_turn(struct client *c)
{
	unsigned handled = 0;
	assert(c->dirty);
	while (handled < HTTP_PIPELINE_MAX && advance(c)) handled++;
	bool listing = c->list != NULL;
	answer_list_go_on(c);
	bool listed = listing && c->list == NULL; /* it ended in this turn: others may wait behind it */
	/* Others want their turn, or this one should first take its answers. */
	bool held = handled == HTTP_PIPELINE_MAX || c->out.len > HTTP_OUT_BYTES_MAX;
	flush(c);
	if (is_finished(c) && !(held && !c->closing)) finish(c);
	c->dirty = false;
	if (c->broken) {
		client_free(c);
		return;
	}
	bool full = (c->state == CLIENT_BUSY || c->out.len > 0) && c->in.len >= CLIENT_AHEAD_BYTES;
	set_event(c->read_event, &c->reading, !c->eof && !full);
	set_event(c->write_event, &c->writing, c->out.len > 0);
	if (held && c->out.len <= HTTP_OUT_BYTES_MAX && c->state != CLIENT_BUSY) client_mark(c);
	if (listed || answer_list_waits(c)) client_mark(c);
}

void client_give_up(struct client *c)
{
	c->all->loop->metrics.connections_given_up++;
	c->broken = true;
	client_mark(c);
}

void client_sweep(struct client *c, struct instant now)
{
	const struct config *config = c->all->loop->config;
	uint64_t silent_us = now.us - c->since.us;
	/* Answers that nobody takes, also while there is more to come (a listing). */
	if (c->out.len > 0 && now.us - c->moved.us > MS(config->idle_timeout_ms)) {
		client_give_up(c);
		return;
	}
	switch (c->state) {
	case CLIENT_IDLE: c->broken |= silent_us > MS(config->idle_timeout_ms); break;
	case CLIENT_LINGER: c->broken |= silent_us > CLIENT_LINGER_US; break;
	case CLIENT_HEAD:
	case CLIENT_BODY:
		if (silent_us <= MS(config->request_timeout_ms)) return;
		c->all->loop->metrics.timeouts++;
		answer_bad(c, 408, "the request did not arrive in time");
		break;
	case CLIENT_BUSY: return;
	}
	if (c->broken) client_mark(c);
}
