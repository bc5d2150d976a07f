/* peer_world.h - several `peers` on one event loop, over real sockets on loopback, for the tests of the
 * transport. Time is real, so waiting is for a condition, not for a while. */
#ifndef DUNLIN_TESTS_PEER_WORLD_H
#define DUNLIN_TESTS_PEER_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/libevent.h"
#include "drive/peer.h"
#include "wire/frame.h"
#include "wire/msg.h"

#include <cmocka.h>

enum { NODES = 3, PATIENCE_MS = 8000, NOTES = 64 };

/* ---- a small world ------------------------------------------------------------------------- */

struct station {
	struct world *world;
	struct peers *peers;
	struct node_id id;
	unsigned ups, downs, messages, heartbeats, bulk, logs, warnings;
	unsigned heartbeats_before_bulk;
	struct node_id last_up, last_down, last_from;
	struct msg last; /* without its views */
	uint8_t bulk_hash[32];
	size_t bulk_len;
	struct node_id forget_on_up;
	char last_log[512];
};

struct world {
	struct event_base *base;
	struct station at[NODES];
};

static inline void on_up(void *ctx, struct node_id node)
{
	struct station *s = ctx;
	s->ups++;
	s->last_up = node;
	if (s->forget_on_up.v != 0) peers_forget(s->peers, s->forget_on_up);
}

static inline void on_down(void *ctx, struct node_id node)
{
	struct station *s = ctx;
	s->downs++;
	s->last_down = node;
}

static inline void on_message(void *ctx, struct node_id from, const struct msg *m)
{
	struct station *s = ctx;
	s->messages++;
	s->last_from = from;
	s->last = *m;
	if (m->type == MSG_HEARTBEAT) {
		s->heartbeats++;
		if (s->bulk == 0) s->heartbeats_before_bulk++;
	}
	if (m->type != MSG_PUT || m->put.object.len < FRAME_BYTES_MAX) return;
	s->bulk++;
	s->bulk_len = m->put.object.len;
	crypto_generichash(s->bulk_hash, 32, m->put.object.data, m->put.object.len, NULL, 0);
}

static inline void on_log(void *ctx, const char *level, const char *line)
{
	struct station *s = ctx;
	s->logs++;
	if (strcmp(level, "warn") == 0) s->warnings++;
	snprintf(s->last_log, sizeof s->last_log, "%s", line);
	if (getenv("TEST_PEER_LOG") != NULL)
		fprintf(stderr, "%016llx %s %s\n", (unsigned long long)s->id.v, level, line);
}

static inline struct node_id id_of(unsigned i)
{
	return (struct node_id){0x1000 + i};
}

static inline struct peers_config config_of(struct station *s)
{
	struct peers_config c = {.self = s->id,
	                         .start_nonce = 77,
	                         .listen = "127.0.0.1:0",
	                         .keys = {{{1, 2, 3}}},
	                         .key_count = 1,
	                         .ctx = s,
	                         .up = on_up,
	                         .down = on_down,
	                         .message = on_message,
	                         .log = on_log};
	return c;
}

static inline struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	w->base = event_base_new();
	assert_non_null(w->base);
	for (unsigned i = 0; i < NODES; i++) w->at[i] = (struct station){.world = w, .id = id_of(i)};
	return w;
}

static inline struct station *start_with(struct world *w, unsigned i, const struct peers_config *c)
{
	w->at[i].peers = peers_new(w->base, c);
	assert_non_null(w->at[i].peers);
	return &w->at[i];
}

static inline struct station *start(struct world *w, unsigned i)
{
	struct peers_config c = config_of(&w->at[i]);
	return start_with(w, i, &c);
}

static inline void stop(struct station *s)
{
	peers_free(s->peers);
	s->peers = NULL;
}

static inline void world_free(struct world *w)
{
	for (unsigned i = 0; i < NODES; i++)
		if (w->at[i].peers != NULL) stop(&w->at[i]);
	event_base_free(w->base);
	free(w);
}

static inline struct bytes address_in(char *room, size_t capacity, const char *host, unsigned port)
{
	snprintf(room, capacity, "%s:%u", host, port);
	return bytes_of_string(room);
}

static inline void know(struct station *s, const struct station *other)
{
	char room[64];
	peers_know(s->peers, other->id,
	           address_in(room, sizeof room, "127.0.0.1", peers_port(other->peers)));
}

static inline void dial(const struct station *s, const char *host, unsigned port)
{
	char room[64];
	peers_dial(s->peers, address_in(room, sizeof room, host, port));
}

static inline uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One turn of the loop, with its flush; sleeps a little when nothing happens. */
static inline void turn(struct world *w)
{
	const struct timespec little = {.tv_nsec = 200000};
	event_base_loop(w->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	for (unsigned i = 0; i < NODES; i++)
		if (w->at[i].peers != NULL) peers_flush(w->at[i].peers);
	nanosleep(&little, NULL);
}

#define RUN_UNTIL(w, condition)                                                                    \
	do {                                                                                           \
		uint64_t until = now_ms() + PATIENCE_MS;                                                   \
		while (!(condition) && now_ms() < until) turn(w);                                          \
		assert_true(condition);                                                                    \
	} while (0)

static inline void run_for(struct world *w, uint64_t ms)
{
	for (uint64_t until = now_ms() + ms; now_ms() < until;) turn(w);
}

static inline struct msg get(uint64_t id)
{
	return (struct msg){.type = MSG_GET, .id = {id}, .get = {BYTES("\0\1t\0\1b\0\1k"), true}};
}

static inline struct msg heartbeat(uint64_t id)
{
	return (struct msg){.type = MSG_HEARTBEAT, .id = {id}, .heartbeat = {.wall_ms = 5}};
}

static inline struct msg bulk(struct bytes object)
{
	return (struct msg){.type = MSG_PUT,
	                    .put = {.key = BYTES("\0\1t\0\1b\0\1k"), .object = object}};
}

struct found {
	const char *address;
	struct peer_stats stats;
	unsigned links;
};

static inline void visit(void *ctx, const struct peer_stats *s)
{
	struct found *f = ctx;
	f->links++;
	if (f->address == NULL || strcmp(s->address, f->address) == 0) f->stats = *s;
}

/* Of the link with that address, or of the only one. */
static inline struct peer_stats stats_of(const struct station *s, const char *address)
{
	struct found f = {.address = address};
	peers_each(s->peers, visit, &f);
	assert_true(f.links > 0);
	return f.stats;
}

#endif
