/* peer.c - the connections to the other nodes; see peer.h.
 *
 *   peer_link.c   what is dialled: an address, again and again     one link -> at most one connection
 *   peer_conn.c   one connection: handshake, hello, frames
 *   peer_queue.c  what waits for one link, and in which order
 *   here          the listening side, the table of both, sending, figures
 *
 * Always true: the callbacks run only below libevent callbacks; a link or connection that such a
 * callback may be standing on is only marked (gone, doomed) and freed at a later turn. */
#include "drive/peer_link.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/util.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/msg.h"

/* ---- saying things ------------------------------------------------------------------------- */

void peers_say(struct peers *p, const char *level, const char *format, ...)
{
	char line[LOG_LINE_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	p->config.log(p->config.ctx, level, line);
}

/* For what strangers can cause: at most one line a second. */
static void say_rarely(struct peers *p, const char *what, const char *who, const char *why)
{
	uint64_t now = peers_now_us();
	if (now < p->quiet_until_us) {
		p->unsaid++;
		return;
	}
	p->quiet_until_us = now + SECONDS(1);
	peers_say(p, "warn", "msg=\"%s\" from=%s reason=\"%s\" not_logged_before=%llu", what, who, why,
	          (unsigned long long)p->unsaid);
	p->unsaid = 0;
}

static void name_of_remote(int fd, char *to, size_t capacity)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof a;
	char host[64], port[8];
	if (getpeername(fd, (struct sockaddr *)&a, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&a, len, host, sizeof host, port, sizeof port,
	                NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(to, capacity, "%s:%s", host, port);
	else
		snprintf(to, capacity, "unknown");
}

/* ---- accepting ------------------------------------------------------------------------------- */

static void unlink_accepted(struct peer_conn *c)
{
	struct peers *p = c->peers;
	if (c->phase != CONN_OPEN) p->totals.handshakes_open--;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		p->accepted = c->next;
	if (c->next != NULL) c->next->prev = c->prev;
}

/* A newcomer may be a member: who has waited longest without a word goes. */
static void drop_oldest_handshake(struct peers *p)
{
	struct peer_conn *oldest = NULL;
	for (struct peer_conn *c = p->accepted; c != NULL; c = c->next)
		if (c->phase != CONN_OPEN) oldest = c;
	if (oldest == NULL) return;
	p->totals.handshake_failures++;
	say_rarely(p, "peer connection refused", "many", "too many handshakes at once");
	unlink_accepted(oldest);
	peer_conn_free(oldest);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int len, void *arg)
{
	struct peers *p = arg;
	(void)listener;
	(void)from;
	(void)len;
	p->totals.accepted++;
	if (p->totals.handshakes_open == HANDSHAKES_MAX) drop_oldest_handshake(p);
	struct peer_conn *c = peer_conn_accepted(p, fd);
	if (c == NULL) return;
	c->next = p->accepted;
	if (c->next != NULL) c->next->prev = c;
	p->accepted = c;
	p->totals.handshakes_open++;
}

/* Out of descriptors, say. Trying again at once would be a loop. */
static void on_accept_failed(struct evconnlistener *listener, void *arg)
{
	struct peers *p = arg;
	struct timeval t = {.tv_usec = MS(100)};
	say_rarely(p, "peer connection not accepted", "listener", strerror(errno));
	evconnlistener_disable(listener);
	(void)event_add(p->accept_again, &t);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct peers *p = arg;
	(void)fd;
	(void)what;
	evconnlistener_enable(p->listener);
}

/* The node came back before its old connection was noticed to be dead. */
static void doom_earlier_start(struct peers *p, const struct peer_conn *fresh)
{
	for (struct peer_conn *c = p->accepted; c != NULL; c = c->next)
		if (c->phase == CONN_OPEN && c->hello.node.v == fresh->hello.node.v &&
		    c->hello.start_nonce != fresh->hello.start_nonce)
			peer_conn_doom(c, "an earlier start of that node");
}

static const char *accepted_open(struct peer_conn *c)
{
	struct peers *p = c->peers;
	p->totals.handshakes_open--;
	if (c->hello.node.v == p->config.self.v) return "this node itself";
	if (hello_clusters_differ(c->hello.cluster, p->config.cluster))
		return "a node of another cluster";
	doom_earlier_start(p, c);
	/* Who can reach us can probably be reached. */
	struct peer_link *l = peer_link_find(p, c->hello.node);
	if (l != NULL) peer_link_hurry(l);
	return NULL;
}

static bool is_ordinary_end(const struct peer_conn *c, const char *why)
{
	return c->phase == CONN_OPEN &&
	       (c->hello.node.v == c->peers->config.self.v || c->doom != NULL ||
	        strcmp(why, "closed by the other end") == 0 || strcmp(why, strerror(ECONNRESET)) == 0);
}

static void accepted_broken(struct peer_conn *c, const char *why)
{
	struct peers *p = c->peers;
	char who[96];
	if (c->phase != CONN_OPEN) p->totals.handshake_failures++;
	name_of_remote(c->fd, who, sizeof who);
	if (!is_ordinary_end(c, why)) say_rarely(p, "peer connection ended", who, why);
	unlink_accepted(c);
	peer_conn_free(c);
}

/* ---- what a connection calls ------------------------------------------------------------------- */

const struct peers_config *peers_config_of(const struct peers *p)
{
	return &p->config;
}

struct event_base *peers_base_of(const struct peers *p)
{
	return p->base;
}

const char *peers_on_open(struct peer_conn *c)
{
	assert(c->phase == CONN_OPEN);
	return c->link != NULL ? peer_link_opened(c->link, c) : accepted_open(c);
}

bool peers_on_message(struct peer_conn *c, struct bytes message)
{
	struct peers *p = c->peers;
	struct msg m;
	assert(c->phase == CONN_OPEN && c->link == NULL);
	if (msg_unpack(message, &m, p->entries) != ERR_OK) {
		p->totals.bad_messages++;
		return false;
	}
	struct peer_link *l = peer_link_find(p, c->hello.node);
	if (l != NULL) {
		l->messages_in++;
		l->bytes_in += c->bytes_in - c->bytes_in_told;
		c->bytes_in_told = c->bytes_in;
	}
	p->config.message(p->config.ctx, c->hello.node, &m);
	return true;
}

static void flush_link(struct peer_link *l)
{
	if (l->state == LINK_UP) l->messages_out += peer_conn_flush(l->conn, &l->queue);
}

void peers_on_writable(struct peer_conn *c)
{
	flush_link(c->link);
}

void peers_on_broken(struct peer_conn *c, const char *why)
{
	struct peer_link *l = c->link;
	if (l == NULL) {
		accepted_broken(c, why);
		return;
	}
	assert(l->conn == c);
	if (c->phase == CONN_SHAKING || c->phase == CONN_GREETING) l->handshake_failures++;
	l->bytes_out += c->bytes_out;
	l->conn = NULL;
	peer_conn_free(c);
	peer_link_failed(l, why);
	if (l->gone) event_active(l->peers->sweep, EV_TIMEOUT, 0);
}

/* ---- who is known ------------------------------------------------------------------------------ */

static struct peer_link *find_address(struct peers *p, struct bytes address)
{
	for (struct peer_link *l = p->links; l != NULL; l = l->next)
		if (!l->gone && bytes_equal(bytes_of_string(l->address), address)) return l;
	return NULL;
}

static struct peer_link *add_link(struct peers *p, struct bytes address)
{
	struct peer_link *l = peer_link_new(p, address);
	if (l == NULL) peers_say(p, "warn", "msg=\"no memory for another peer\"");
	return l;
}

static bool refuse_address(struct peers *p, struct bytes address)
{
	if (peer_link_address_is_sound(address)) return false;
	peers_say(p, "warn", "msg=\"peer address is not host:port\" bytes=%zu", address.len);
	return true;
}

void peers_dial(struct peers *p, struct bytes address)
{
	if (refuse_address(p, address) || find_address(p, address) != NULL) return;
	(void)add_link(p, address);
}

static void move_link(struct peer_link *l, struct bytes address)
{
	if (bytes_equal(bytes_of_string(l->address), address)) return;
	memset(l->address, 0, sizeof l->address);
	memcpy(l->address, address.data, address.len);
	l->said = NULL;
	peer_link_hurry(l);
}

void peers_know(struct peers *p, struct node_id node, struct bytes address)
{
	assert(node.v != 0);
	if (node.v == p->config.self.v || refuse_address(p, address)) return;
	struct peer_link *l = peer_link_find(p, node);
	if (l == NULL) {
		l = find_address(p, address);
		/* A join address that nobody has answered yet, or this node's own from before it moved. */
		if (l == NULL || l->fixed || l->node.v != 0 || l->state == LINK_SELF)
			l = add_link(p, address);
		if (l == NULL) return;
		peer_link_list(l, node);
	}
	l->fixed = true;
	move_link(l, address);
}

static void forget_link(struct peer_link *l)
{
	peer_link_unlist(l);
	l->gone = true;
	if (l->conn != NULL)
		peer_conn_doom(l->conn, "no longer a member"); /* and swept when that has ended */
	else
		event_active(l->peers->sweep, EV_TIMEOUT, 0);
}

void peers_forget(struct peers *p, struct node_id node)
{
	for (struct peer_link *l = p->links; l != NULL; l = l->next)
		if (l->node.v == node.v && !l->gone) forget_link(l);
}

/* Frees what is gone and has nothing under way. */
static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct peers *p = arg;
	(void)fd;
	(void)what;
	for (struct peer_link **at = &p->links; *at != NULL;) {
		struct peer_link *l = *at;
		if (l->gone && l->conn == NULL && !l->to_flush) {
			*at = l->next;
			peer_link_free(l);
		} else {
			at = &l->next;
		}
	}
}

static void doom_of_another_cluster(struct peers *p, struct peer_conn *c)
{
	if (c != NULL && c->phase == CONN_OPEN &&
	    hello_clusters_differ(c->hello.cluster, p->config.cluster))
		peer_conn_doom(c, "a node of another cluster");
}

void peers_set_cluster(struct peers *p, const uint8_t id[16])
{
	memcpy(p->config.cluster, id, sizeof p->config.cluster);
	for (struct peer_conn *c = p->accepted; c != NULL; c = c->next) doom_of_another_cluster(p, c);
	for (struct peer_link *l = p->links; l != NULL; l = l->next)
		doom_of_another_cluster(p, l->conn);
}

/* ---- sending ----------------------------------------------------------------------------------- */

bool peers_send(struct peers *p, struct node_id to, const struct msg *m)
{
	struct peer_link *l = peer_link_find(p, to);
	if (l == NULL) return false;
	if (l->state != LINK_UP || !peer_queue_add(&l->queue, m)) {
		l->dropped++;
		return false;
	}
	if (l->to_flush) return true;
	l->to_flush = true;
	l->next_to_flush = p->flush_list;
	p->flush_list = l;
	return true;
}

void peers_flush(struct peers *p)
{
	while (p->flush_list != NULL) {
		struct peer_link *l = p->flush_list;
		p->flush_list = l->next_to_flush;
		l->to_flush = false;
		if (l->gone)
			event_active(p->sweep, EV_TIMEOUT, 0);
		else
			flush_link(l);
	}
}

bool peers_is_up(const struct peers *p, struct node_id node)
{
	const struct peer_link *l = peer_link_find(p, node);
	return l != NULL && l->state == LINK_UP;
}

/* ---- figures ----------------------------------------------------------------------------------- */

static const char *state_name(enum link_state s)
{
	switch (s) {
	case LINK_WAITING: return "waiting";
	case LINK_RESOLVING: return "resolving";
	case LINK_CONNECTING: return "connecting";
	case LINK_UP: return "up";
	case LINK_SELF: return "self";
	case LINK_TWIN: return "twin";
	}
	unreachable();
}

void peers_each(const struct peers *p, void (*visit)(void *ctx, const struct peer_stats *s),
                void *ctx)
{
	for (const struct peer_link *l = p->links; l != NULL; l = l->next) {
		if (l->gone) continue;
		struct peer_stats s = {.node = l->node,
		                       .address = l->address,
		                       .state = state_name(l->state),
		                       .bytes_in = l->bytes_in,
		                       .bytes_out = l->bytes_out,
		                       .messages_in = l->messages_in,
		                       .messages_out = l->messages_out,
		                       .queued_bytes = l->queue.bytes,
		                       .queued_messages = l->queue.messages,
		                       .dropped = l->dropped,
		                       .connects = l->connects,
		                       .breaks = l->breaks,
		                       .handshake_failures = l->handshake_failures};
		if (l->conn != NULL) {
			s.bytes_out += l->conn->bytes_out;
			s.queued_bytes += l->conn->out_len - l->conn->out_at;
		}
		visit(ctx, &s);
	}
}

struct peers_totals peers_totals(const struct peers *p)
{
	return p->totals;
}

/* ---- life -------------------------------------------------------------------------------------- */

/* "address:port" or "[address]:port" as what can be bound; the port may be 0. NULL: neither. */
static struct addrinfo *parse_listen(const char *text)
{
	char host[MEMBER_ADDRESS_BYTES_MAX + 1];
	const char *colon = strrchr(text, ':');
	if (colon == NULL || (size_t)(colon - text) >= sizeof host) return NULL;
	size_t len = (size_t)(colon - text);
	bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	if (brackets) len -= 2;
	memcpy(host, brackets ? text + 1 : text, len);
	host[len] = '\0';
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	                         .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	return getaddrinfo(host, colon + 1, &hints, &found) == 0 ? found : NULL;
}

static bool start_listening(struct peers *p)
{
	struct addrinfo *at = parse_listen(p->config.listen);
	if (at == NULL) {
		peers_say(p, "warn", "msg=\"peer listen address is not address:port\" address=\"%s\"",
		          p->config.listen);
		return false;
	}
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
	p->listener = evconnlistener_new_bind(p->base, on_accept, p, flags, SOMAXCONN, at->ai_addr,
	                                      (int)at->ai_addrlen);
	int error = errno;
	freeaddrinfo(at);
	if (p->listener == NULL) {
		peers_say(p, "warn", "msg=\"cannot listen for peers\" address=\"%s\" reason=\"%s\"",
		          p->config.listen, strerror(error));
		return false;
	}
	evconnlistener_set_error_cb(p->listener, on_accept_failed);
	return true;
}

static bool start(struct peers *p)
{
	p->sweep = event_new(p->base, -1, 0, on_sweep, p);
	p->accept_again = event_new(p->base, -1, 0, on_accept_again, p);
	p->entries = malloc(SCAN_PAGE_ENTRIES_MAX * sizeof *p->entries);
	if (p->sweep == NULL || p->accept_again == NULL || p->entries == NULL) return false;
	return p->config.listen == NULL || start_listening(p);
}

struct peers *peers_new(struct event_base *base, const struct peers_config *config)
{
	assert(config->self.v != 0 && config->key_count >= 1 && config->key_count <= PEER_KEYS_MAX);
	assert(config->up != NULL && config->down != NULL && config->message != NULL);
	assert(config->log != NULL);
	struct peers *p = calloc(1, sizeof *p);
	if (p == NULL || sodium_init() < 0) {
		free(p);
		return NULL;
	}
	p->base = base;
	p->config = *config;
	if (start(p)) return p;
	peers_free(p);
	return NULL;
}

void peers_free(struct peers *p)
{
	for (struct peer_link *l = p->links; l != NULL;) {
		struct peer_link *next = l->next;
		l->to_flush = false;
		peer_link_free(l);
		l = next;
	}
	while (p->accepted != NULL) {
		struct peer_conn *c = p->accepted;
		unlink_accepted(c);
		peer_conn_free(c);
	}
	peer_link_orphan_look_ups(p);
	if (p->listener != NULL) evconnlistener_free(p->listener);
	if (p->sweep != NULL) event_free(p->sweep);
	if (p->accept_again != NULL) event_free(p->accept_again);
	free(p->entries);
	sodium_memzero(p, sizeof *p);
	free(p);
}

unsigned peers_port(const struct peers *p)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof a;
	char port[8] = "0";
	if (p->listener == NULL) return 0;
	if (getsockname(evconnlistener_get_fd(p->listener), (struct sockaddr *)&a, &len) == 0)
		(void)getnameinfo((struct sockaddr *)&a, len, NULL, 0, port, sizeof port, NI_NUMERICSERV);
	return (unsigned)strtoul(port, NULL, 10);
}
