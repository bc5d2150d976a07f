/* clients.c - the table of connections: accepting, finding the one an answer is for, timeouts.
 *
 * Always true: a place is either free or holds one connection; a dirty connection is in the list
 * once; `requests_in_flight` counts the connections in CLIENT_BUSY.
 * Not here: what happens on one connection (client.c), what is answered (answer.c). */
#include "drive/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/http_reply.h"

#define PLACE_BITS 16
static_assert(HTTP_CONNECTIONS_MAX <= 1UL << PLACE_BITS, "a client_ref has 16 bits of place");

/* There is no place for it. What does not fit into its socket at once is not worth waiting for. */
static void refuse(struct clients *all, int fd)
{
	uint8_t room[512];
	struct http_out out = {room, sizeof room, 0};
	struct http_reply a = {
		.status = 503, .body = BYTES("too many connections\n"), .headers = "Retry-After: 1\r\n"};
	http_reply_write(&a, client_unix_ms(all), &out);
	assert(out.len <= sizeof room);
	ssize_t sent = send(fd, room, out.len, MSG_NOSIGNAL);
	(void)sent;
	close(fd);
}

static void take_connection(struct clients *all, int fd)
{
	int on = 1;
	if (all->free_count == 0) {
		all->loop->metrics.connections_refused++;
		refuse(all, fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	uint32_t place = all->free_places[all->free_count - 1];
	struct client *c = client_open(all, fd, place);
	if (c == NULL) {
		close(fd);
		return;
	}
	all->free_count--;
	all->count++;
	all->table[place] = c;
	all->loop->metrics.connections_accepted++;
	all->loop->metrics.connections++;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int from_len, void *context)
{
	(void)listener;
	(void)from;
	(void)from_len;
	take_connection(context, fd);
}

/* Connections that stand and that nobody has looked at yet. */
static void take_waiting(struct clients *all)
{
	int listener = evconnlistener_get_fd(all->listener);
	for (uint32_t i = 0; i < all->capacity; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) return;
		take_connection(all, fd);
	}
}

/* accept(2) failed, most often for want of descriptors. Those who wait are accepted later. */
static void on_accept_error(struct evconnlistener *listener, void *context)
{
	struct clients *all = context;
	(void)listener;
	log_say(all->loop->log, LOG_LEVEL_WARN, "a connection could not be accepted",
	        LOG_S("error", strerror(errno)));
	struct timespec pause = {0, 1000000};
	nanosleep(&pause, NULL);
}

static uint64_t held_by(const struct client *c)
{
	return c == NULL || c->broken ? 0 : c->in.len + c->out.len;
}

/* The bytes that connections hold, of answers that are not taken and of bodies that are not whole, have
 * one bound together: over it, whoever holds the most goes first. */
static void shed(struct clients *all)
{
	uint64_t held = 0;
	for (uint32_t i = 0; i < all->capacity; i++) held += held_by(all->table[i]);
	while (held > all->loop->config->pool_bytes) {
		uint32_t most = 0;
		for (uint32_t i = 1; i < all->capacity; i++)
			if (held_by(all->table[i]) > held_by(all->table[most])) most = i;
		held -= held_by(all->table[most]);
		client_give_up(all->table[most]);
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
	struct clients *all = context;
	struct instant now = loop_now();
	(void)fd;
	(void)what;
	stats_roll(all->stats, all->loop);
	for (uint32_t i = 0; i < all->capacity; i++)
		if (all->table[i] != NULL) client_sweep(all->table[i], now);
	shed(all);
}

static bool listen_on(struct clients *all, const char *address, struct config_error *error)
{
	struct sockaddr_storage to;
	int len = (int)sizeof to;
	char numeric[CONFIG_TEXT_BYTES_MAX + 16];
	const char *colon = strrchr(address, ':');
	bool is_localhost = colon != NULL && strncmp(address, "localhost:", 10) == 0;
	snprintf(numeric, sizeof numeric, "%s%s", is_localhost ? "127.0.0.1" : "",
	         is_localhost ? colon : address);
	if (evutil_parse_sockaddr_port(numeric, (struct sockaddr *)&to, &len) != 0) {
		snprintf(error->text, sizeof error->text, "http = %s: not an address:port", address);
		return false;
	}
	all->listener =
		evconnlistener_new_bind(all->loop->base, on_accept, all,
	                            LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	                            1024, (struct sockaddr *)&to, len);
	if (all->listener == NULL) {
		snprintf(error->text, sizeof error->text, "http = %s: cannot listen there: %s", address,
		         strerror(errno));
		return false;
	}
	evconnlistener_set_error_cb(all->listener, on_accept_error);
	return true;
}

static bool take_memory(struct clients *all)
{
	all->table = calloc(all->capacity, sizeof *all->table);
	all->free_places = calloc(all->capacity, sizeof *all->free_places);
	all->stats = calloc(1, sizeof *all->stats);
	all->scratch = (struct http_scratch){malloc(HTTP_SCRATCH_BYTES), HTTP_SCRATCH_BYTES, 0};
	all->sweep = event_new(all->loop->base, -1, EV_PERSIST, on_sweep, all);
	if (all->stats == NULL || all->table == NULL || all->free_places == NULL ||
	    all->scratch.data == NULL || all->sweep == NULL)
		return false;
	for (uint32_t i = 0; i < all->capacity; i++) all->free_places[i] = all->capacity - 1 - i;
	all->free_count = all->capacity;
	return true;
}

struct clients *clients_open(struct loop *loop, const char *address, struct config_error *error)
{
	struct timeval period = {0, CLIENT_SWEEP_US};
	struct clients *all = calloc(1, sizeof *all);
	if (all == NULL) return NULL;
	all->loop = loop;
	all->capacity = (uint32_t)loop->config->connections_max;
	snprintf(error->text, sizeof error->text, "out of memory");
	if (!take_memory(all) || !listen_on(all, address, error)) {
		clients_close(all);
		return NULL;
	}
	event_add(all->sweep, &period);
	return all;
}

void clients_close(struct clients *all)
{
	all->closing = true;
	for (uint32_t i = 0; all->table != NULL && i < all->capacity; i++)
		if (all->table[i] != NULL) client_free(all->table[i]);
	if (all->listener != NULL) evconnlistener_free(all->listener);
	if (all->sweep != NULL) event_free(all->sweep);
	free(all->table);
	free(all->free_places);
	free(all->stats);
	free(all->scratch.data);
	free(all);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* The connection whose request in flight this names, or NULL when that has gone. */
static struct client *find(struct clients *all, struct client_ref ref)
{
	uint32_t place = (uint32_t)(ref.v & ((1U << PLACE_BITS) - 1));
	struct client *c = place < all->capacity ? all->table[place] : NULL;
	if (c != NULL && c->state == CLIENT_BUSY && c->serial == ref.v >> PLACE_BITS) return c;
	all->loop->metrics.replies_dropped++;
	return NULL;
}

void clients_reply(struct clients *all, struct client_ref to, const struct reply *reply)
{
	struct client *c = find(all, to);
	if (c == NULL) return;
	assert(c->want != NULL);
	answer_object(c, reply);
}

void clients_reply_compare(struct clients *all, struct client_ref to,
                           const struct compare_result *result)
{
	struct client *c = find(all, to);
	if (c != NULL) answer_compare(c, result);
}

void clients_reply_props(struct clients *all, struct client_ref to,
                         const struct props_result *result)
{
	struct client *c = find(all, to);
	if (c != NULL) answer_props_changed(c, result);
}

void clients_reply_list(struct clients *all, struct client_ref to, const struct list_page *page)
{
	struct client *c = find(all, to);
	if (c != NULL) answer_list_page(c, page);
}

/* ---- turns ---------------------------------------------------------------------------------- */

bool clients_turn(struct clients *all)
{
	struct client *list = all->dirty;
	all->dirty = NULL;
	while (list != NULL) {
		struct client *c = list;
		list = c->next_dirty;
		c->next_dirty = NULL;
		client_turn(c);
	}
	return all->dirty != NULL;
}

void clients_drain(struct clients *all)
{
	if (all->draining) return;
	/* What has reached this machine was accepted: who waits to be taken, and what waits to be read. */
	take_waiting(all);
	all->draining = true;
	evconnlistener_free(all->listener);
	all->listener = NULL;
	for (uint32_t i = 0; i < all->capacity; i++)
		if (all->table[i] != NULL) client_look_last(all->table[i]);
}

bool clients_are_quiet(const struct clients *all)
{
	for (uint32_t i = 0; i < all->capacity; i++) {
		const struct client *c = all->table[i];
		if (c == NULL || c->state == CLIENT_LINGER) continue;
		if (c->state != CLIENT_IDLE || c->out.len > 0) return false;
	}
	return true;
}

/* The clock is asked ten times a second at most. */
uint64_t client_unix_ms(struct clients *all)
{
	struct instant now = loop_now();
	if (all->unix_ms == 0 || now.us - all->unix_ms_at.us > MS(100)) {
		all->unix_ms = loop_wall().ms;
		all->unix_ms_at = now;
	}
	return all->unix_ms;
}
