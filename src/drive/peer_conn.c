/* peer_conn.c - one connection between two nodes; see peer_conn.h for its life.
 *
 * Always true: a stranger owns this struct, PEER_GREETING_BYTES_MAX of input and one timer, for at
 * most HANDSHAKE_TIMEOUT_US; buffers for frames come with OPEN. A dialled connection receives
 * nothing after the hello, an accepted one sends nothing after it.
 * Not here: which nodes to dial and when again, and what their messages mean (peer.c). */
#include "drive/peer_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "base/bytes.h"
#include "base/panic.h"

enum {
	FRAME_WIRE_BYTES_MAX = FRAME_LENGTH_BYTES + FRAME_SEALED_BYTES_MAX,
	IN_BYTES = 2 * FRAME_WIRE_BYTES_MAX, /* a frame that is not whole yet, and what follows it */
	READS_PER_TURN = 4,
	WRITES_PER_TURN = 4
};
static_assert(PEER_OUT_BYTES >= FRAME_WIRE_BYTES_MAX, "a frame fits");
static_assert(PEER_GREETING_BYTES_MAX >=
                  NOISE_HANDSHAKE_BYTES + FRAME_LENGTH_BYTES + HELLO_PLAIN_BYTES + NOISE_TAG_BYTES,
              "a greeting fits");

/* Both ends must mean the same protocol; another version of it is another key to them. */
static const char prologue[] = "dunlin peers 1";

static struct bytes prologue_bytes(void)
{
	return bytes_of(prologue, sizeof prologue - 1);
}

/* ---- the socket ---------------------------------------------------------------------------- */

/* What a kernel does not know is not needed to be correct, so nobody looks at the results. */
static void set_option(int fd, int level, int name, unsigned long value)
{
	int v = (int)value;
	(void)setsockopt(fd, level, name, &v, sizeof v);
}

static void set_options(int fd)
{
	unsigned long stall_s = PEER_STALL_US / SECONDS(1);
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, PEER_STALL_US / MS(1));
	set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, PEER_UNSENT_BYTES);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, stall_s);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, stall_s);
}

/* Nothing after this may touch the connection. */
static void end(struct peer_conn *c, const char *why)
{
	peers_on_broken(c, why);
}

void peer_conn_doom(struct peer_conn *c, const char *why)
{
	if (c->doom != NULL) return;
	c->doom = why;
	event_active(c->deadline, EV_TIMEOUT, 0);
}

/* Writes what is sealed. False: the connection is broken. */
static bool write_out(struct peer_conn *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
		if (n < 0) return false;
		c->out_at += (size_t)n;
		c->bytes_out += (uint64_t)n;
	}
	if (c->out_at == c->out_len) c->out_at = c->out_len = 0;
	return true;
}

static void wait_until_writable(struct peer_conn *c)
{
	(void)event_add(c->writable, NULL);
}

/* ---- sending ------------------------------------------------------------------------------- */

/* Seals frames into the out buffer while there are some and they fit. */
static uint64_t fill_out(struct peer_conn *c, struct peer_queue *q)
{
	uint64_t messages = 0;
	while (!peer_queue_is_empty(q) && !noise_is_spent(&c->send)) {
		struct bytes plain = peer_queue_front(q);
		size_t wire = FRAME_LENGTH_BYTES + plain.len + NOISE_TAG_BYTES;
		if (wire > c->out_capacity - c->out_len) break;
		c->out_len += frame_seal(&c->send, plain, c->out + c->out_len);
		messages += peer_queue_pop(q);
	}
	return messages;
}

uint64_t peer_conn_flush(struct peer_conn *c, struct peer_queue *q)
{
	assert(c->phase == CONN_OPEN && c->link != NULL);
	uint64_t messages = 0;
	if (c->doom != NULL) return 0;
	for (unsigned i = 0; i < WRITES_PER_TURN; i++) {
		/* Only when all is written: what is sealed cannot be overtaken any more. */
		if (c->out_len == 0) messages += fill_out(c, q);
		if (c->out_len == 0) break;
		if (!write_out(c)) {
			peer_conn_doom(c, "connection broke");
			return messages;
		}
		if (c->out_len > 0) break;
	}
	if (noise_is_spent(&c->send)) peer_conn_doom(c, "keys are used up");
	if (c->out_len > 0 || !peer_queue_is_empty(q)) wait_until_writable(c);
	return messages;
}

/* ---- the handshake ------------------------------------------------------------------------- */

static struct noise_key fresh_ephemeral(void)
{
	struct noise_key k;
	randombytes_buf(k.b, sizeof k.b);
	return k;
}

static void send_first(struct peer_conn *c)
{
	const struct peers_config *config = peers_config_of(c->peers);
	struct noise_key ephemeral = fresh_ephemeral();
	noise_write_first(&c->handshake, &config->keys[0], &ephemeral, prologue_bytes(), BYTES_EMPTY,
	                  c->out);
	sodium_memzero(&ephemeral, sizeof ephemeral);
	c->out_len = NOISE_HANDSHAKE_BYTES;
	c->phase = CONN_SHAKING;
}

/* Of an accepted connection. False: they do not hold the key. */
static bool answer_first(struct peer_conn *c, struct bytes in)
{
	const struct peers_config *config = peers_config_of(c->peers);
	unsigned which;
	uint8_t payload[1];
	if (noise_read_first(&c->handshake, config->keys, config->key_count, prologue_bytes(), in,
	                     payload, &which) != ERR_OK)
		return false;
	struct noise_key ephemeral = fresh_ephemeral();
	enum err e = noise_write_second(&c->handshake, &ephemeral, BYTES_EMPTY, c->out);
	sodium_memzero(&ephemeral, sizeof ephemeral);
	c->out_len = NOISE_HANDSHAKE_BYTES;
	return e == ERR_OK;
}

static void greet(struct peer_conn *c)
{
	const struct peers_config *config = peers_config_of(c->peers);
	struct hello mine = {
		.node = config->self, .features = config->features, .start_nonce = config->start_nonce};
	memcpy(mine.cluster, config->cluster, sizeof mine.cluster);
	uint8_t plain[HELLO_PLAIN_BYTES];
	hello_write(&mine, plain);
	noise_split(&c->handshake, &c->send, &c->receive);
	c->out_len += frame_seal(&c->send, bytes_of(plain, sizeof plain), c->out + c->out_len);
	c->phase = CONN_GREETING;
}

/* Takes the handshake message off the input. Returns how much, 0: not yet all there. */
static size_t shake(struct peer_conn *c, const char **why)
{
	struct bytes in = bytes_of(c->in, NOISE_HANDSHAKE_BYTES);
	uint8_t payload[1];
	if (c->in_len < NOISE_HANDSHAKE_BYTES) return 0;
	bool good = c->link != NULL ? noise_read_second(&c->handshake, in, payload) == ERR_OK
	                            : answer_first(c, in);
	if (!good) {
		*why = "handshake failed: another cluster key, or no Dunlin node";
		return 0;
	}
	greet(c);
	if (!write_out(c)) *why = "connection broke";
	if (c->out_len > 0) wait_until_writable(c);
	return in.len;
}

/* Memory for frames, once they have proven who they are. */
static bool make_room_for_frames(struct peer_conn *c)
{
	/* All small output has been written, or waits in the first bytes. */
	uint8_t **buffer = c->link != NULL ? &c->out : &c->in;
	size_t *capacity = c->link != NULL ? &c->out_capacity : &c->in_capacity;
	size_t want = c->link != NULL ? PEER_OUT_BYTES : (size_t)IN_BYTES;
	uint8_t *grown = realloc(*buffer, want);
	if (grown == NULL) return false;
	*buffer = grown;
	*capacity = want;
	return true;
}

static const char *on_hello(struct peer_conn *c, const struct frame *f)
{
	if (hello_read(f, &c->hello) != ERR_OK) return "malformed hello";
	c->phase = CONN_OPEN;
	event_del(c->deadline);
	/* The frame has been read: its memory may move. */
	if (!make_room_for_frames(c)) return "no memory";
	return peers_on_open(c);
}

/* ---- receiving ----------------------------------------------------------------------------- */

static const char *on_whole_messages(struct peer_conn *c, struct frame *f)
{
	struct bytes m;
	enum err e;
	while ((e = frame_next(f, &m)) == ERR_OK)
		if (!peers_on_message(c, m)) return "malformed message";
	return e == ERR_NOT_FOUND ? NULL : "malformed frame";
}

static const char *on_piece(struct peer_conn *c, const struct frame *f)
{
	struct frame_join *j = &c->join;
	size_t want = frame_join_capacity(j, f->body.len);
	if (want == 0) return "message too long";
	if (want > j->capacity) {
		uint8_t *grown = realloc(j->data, want);
		if (grown == NULL) return "no memory";
		j->data = grown;
		j->capacity = want;
	}
	enum err e = frame_join_add(j, f);
	if (e == ERR_NOT_FOUND) return NULL;
	bool good = e == ERR_OK && peers_on_message(c, bytes_of(j->data, j->len));
	/* Long messages are rare: their memory is not kept. */
	free(j->data);
	*j = (struct frame_join){0};
	return good ? NULL : "malformed message";
}

static const char *on_frame(struct peer_conn *c, struct bytes plain)
{
	struct frame f;
	if (frame_split(plain, &f) != ERR_OK) return "malformed frame";
	if (c->phase == CONN_GREETING) return on_hello(c, &f);
	if (c->link != NULL) return "spoke where it should listen";
	switch (f.kind) {
	case FRAME_WHOLE: return on_whole_messages(c, &f);
	case FRAME_PIECE:
	case FRAME_LAST_PIECE: return on_piece(c, &f);
	case FRAME_HELLO:
	case FRAME_KIND_COUNT: break;
	}
	return "malformed frame";
}

/* One frame off the input at `at`. Returns how much, 0: not yet all there, or *why it is bad. */
static size_t take_frame(struct peer_conn *c, size_t at, const char **why)
{
	size_t total;
	struct bytes plain;
	enum err e = frame_measure(bytes_of(c->in + at, c->in_len - at), &total);
	if (e == ERR_NOT_FOUND) return 0;
	if (e != ERR_OK || frame_open(&c->receive, c->in + at, total, &plain) != ERR_OK) {
		*why = "malformed frame";
		return 0;
	}
	*why = on_frame(c, plain);
	return total;
}

/* Everything that is whole in the input. Returns NULL, or why the connection is bad. */
static const char *take_input(struct peer_conn *c)
{
	const char *why = NULL;
	size_t at = 0, took;
	do {
		took = c->phase == CONN_SHAKING ? shake(c, &why) : take_frame(c, at, &why);
		at += took;
	} while (took > 0 && why == NULL && c->doom == NULL);
	c->in_len -= at;
	if (at > 0 && c->in_len > 0) memmove(c->in, c->in + at, c->in_len);
	if (why == NULL && c->doom == NULL && c->in_len == c->in_capacity) return "frame too long";
	return why;
}

/* What recv said instead of bytes. */
static const char *why_it_ended(const struct peer_conn *c, ssize_t n)
{
	if (c->link != NULL && c->phase == CONN_SHAKING)
		return "closed in the handshake: another cluster key, or no Dunlin node";
	return n == 0 ? "closed by the other end" : strerror(errno);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct peer_conn *c = arg;
	(void)what;
	for (unsigned i = 0; i < READS_PER_TURN && c->doom == NULL; i++) {
		size_t room = c->in_capacity - c->in_len;
		ssize_t n = recv(fd, c->in + c->in_len, room, 0);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
		if (n <= 0) {
			end(c, why_it_ended(c, n));
			return;
		}
		c->in_len += (size_t)n;
		c->bytes_in += (uint64_t)n;
		const char *why = take_input(c);
		if (why != NULL) {
			end(c, why);
			return;
		}
		if ((size_t)n < room) return;
	}
}

/* ---- life ---------------------------------------------------------------------------------- */

/* False: it failed, and the connection is gone. */
static bool on_connected(struct peer_conn *c)
{
	int error = 0;
	socklen_t len = sizeof error;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) error = errno;
	if (error != 0) {
		end(c, strerror(error));
		return false;
	}
	send_first(c);
	(void)event_add(c->readable, NULL);
	return true;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct peer_conn *c = arg;
	(void)fd;
	(void)what;
	if (c->phase == CONN_CONNECTING && !on_connected(c)) return;
	if (!write_out(c)) {
		end(c, "connection broke");
		return;
	}
	if (c->out_len > 0)
		wait_until_writable(c);
	else if (c->phase == CONN_OPEN && c->link != NULL)
		peers_on_writable(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct peer_conn *c = arg;
	(void)fd;
	(void)what;
	end(c, c->doom != NULL ? c->doom : "no handshake in time");
}

static bool make_events(struct peer_conn *c)
{
	struct event_base *base = peers_base_of(c->peers);
	c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(base, c->fd, EV_WRITE, on_writable, c);
	c->deadline = event_new(base, -1, 0, on_deadline, c);
	c->in = malloc(PEER_GREETING_BYTES_MAX);
	c->out = malloc(PEER_GREETING_BYTES_MAX);
	c->in_capacity = c->out_capacity = PEER_GREETING_BYTES_MAX;
	return c->readable != NULL && c->writable != NULL && c->deadline != NULL && c->in != NULL &&
	       c->out != NULL;
}

static struct peer_conn *conn_new(struct peers *p, struct peer_link *link, int fd)
{
	assert(fd >= 0);
	struct peer_conn *c = calloc(1, sizeof *c);
	if (c == NULL) {
		close(fd);
		return NULL;
	}
	*c = (struct peer_conn){.peers = p, .link = link, .fd = fd};
	if (!make_events(c)) {
		peer_conn_free(c);
		return NULL;
	}
	struct timeval patience = {.tv_sec = HANDSHAKE_TIMEOUT_US / SECONDS(1)};
	(void)event_add(c->deadline, &patience);
	set_options(fd);
	return c;
}

struct peer_conn *peer_conn_dialled(struct peers *p, struct peer_link *link, int fd)
{
	struct peer_conn *c = conn_new(p, link, fd);
	if (c == NULL) return NULL;
	c->phase = CONN_CONNECTING;
	wait_until_writable(c);
	return c;
}

struct peer_conn *peer_conn_accepted(struct peers *p, int fd)
{
	struct peer_conn *c = conn_new(p, NULL, fd);
	if (c == NULL) return NULL;
	c->phase = CONN_SHAKING;
	(void)event_add(c->readable, NULL);
	return c;
}

static void free_event(struct libevent_event *e)
{
	if (e != NULL) event_free(e);
}

void peer_conn_free(struct peer_conn *c)
{
	free_event(c->readable);
	free_event(c->writable);
	free_event(c->deadline);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c->join.data);
	sodium_memzero(c, sizeof *c);
	free(c);
}
