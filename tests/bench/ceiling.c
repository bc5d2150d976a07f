/* ceiling.c - null replication: what HTTP and messages to two peers cost when nothing is stored.
 *
 *   ceiling HTTP_PORT PEER_PORT PEER_PORT_OF_B PEER_PORT_OF_C      one of three processes, on 127.0.0.1
 *
 * The messages are those of a quorum operation with N = 3: the node that a client asks sends 150 bytes
 * to both others, they answer with 150 bytes, and with its own vote and the first answer (W = 2, R = 2)
 * the client has its reply; the second answer is dropped. There is no store, no protocol, no
 * encryption, no ring, no timeout, and of HTTP only the blank line and Content-Length. Each loop turn
 * writes at most once to each socket. No real system that does the work can be faster than this.
 *
 * A message: type (1: request, 2: answer), three bytes of nothing, slot, generation, filler.
 * Always true: an operation's slot is taken until its client was answered; an answer with an old
 * generation is a straggler. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/panic.h"
#include "drive/buffer.h"
#include "drive/libevent.h"

#define MESSAGE_BYTES 150
#define READ_BYTES 65536
#define SLOTS 65536
#define FDS_MAX 4096

enum { REQUEST = 1, ANSWER = 2 };

struct message {
	uint8_t type, unused[3];
	uint32_t slot, generation;
	uint8_t filler[MESSAGE_BYTES - 12];
};
_Static_assert(sizeof(struct message) == 152, "150 bytes, and two of padding that are not sent");

struct conn {
	struct ceiling *c;
	int fd;
	bool is_peer, dirty;
	struct libevent_event *on_read;
	struct buffer in, out;
};

struct slot {
	uint32_t generation;
	int client; /* -1: free */
	bool get;
};

struct ceiling {
	struct event_base *base;
	struct conn *conns[FDS_MAX]; /* by descriptor */
	struct conn *peers[2];       /* the connections that we opened */
	struct conn *dirty[FDS_MAX];
	unsigned dirty_count;
	struct slot *slots;
	uint32_t *free_slots, free_count;
};

_Noreturn static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- out, once a turn ----------------------------------------------------------------------- */

static void say(struct conn *x, const void *data, size_t len)
{
	if (!buffer_append(&x->out, (struct bytes){data, len})) die("memory");
	if (x->dirty) return;
	x->dirty = true;
	x->c->dirty[x->c->dirty_count++] = x;
}

static void drop(struct conn *x)
{
	if (x->is_peer) exit(0); /* the run is over */
	x->c->conns[x->fd] = NULL;
	event_free(x->on_read);
	close(x->fd);
	buffer_free(&x->in);
	buffer_free(&x->out);
	free(x);
}

/* Sockets are blocking to write: what a client does not read holds up all, which no client here does. */
static void flush(struct ceiling *c)
{
	for (unsigned i = 0; i < c->dirty_count; i++) {
		struct conn *x = c->dirty[i];
		bool failed = false;
		while (x->out.len > 0 && !failed) {
			ssize_t n = send(x->fd, buffer_head(&x->out), x->out.len, MSG_NOSIGNAL);
			failed = n < 0 && errno != EINTR;
			if (n > 0) buffer_consume(&x->out, (size_t)n);
		}
		x->dirty = false;
		if (failed) drop(x);
	}
	c->dirty_count = 0;
}

/* ---- peers ---------------------------------------------------------------------------------- */

static void answer_client(struct ceiling *c, uint32_t index)
{
	static const char put_head[] = "HTTP/1.1 204 No Content\r\nServer: ceiling\r\n\r\n";
	static const char get_head[] =
		"HTTP/1.1 200 OK\r\nServer: ceiling\r\nContent-Length: 100\r\n\r\n"
		"....................................................................................."
		"...............";
	struct slot *s = &c->slots[index];
	struct conn *client = c->conns[s->client];
	if (client != NULL && s->get)
		say(client, get_head, sizeof get_head - 1);
	else if (client != NULL)
		say(client, put_head, sizeof put_head - 1);
	s->client = -1;
	s->generation++;
	c->free_slots[c->free_count++] = index;
}

static void on_messages(struct conn *x)
{
	struct message m = {0};
	while (x->in.len >= MESSAGE_BYTES) {
		memcpy(&m, buffer_head(&x->in), MESSAGE_BYTES);
		buffer_consume(&x->in, MESSAGE_BYTES);
		if (m.type == REQUEST) {
			m.type = ANSWER;
			say(x, &m, MESSAGE_BYTES);
		} else if (m.slot < SLOTS && x->c->slots[m.slot].generation == m.generation) {
			answer_client(x->c, m.slot);
		}
	}
}

/* ---- clients -------------------------------------------------------------------------------- */

static size_t content_length(const uint8_t *head, size_t len)
{
	const uint8_t *at = memmem(head, len, "\r\nContent-Length: ", 18);
	return at == NULL ? 0 : (size_t)strtoul((const char *)at + 18, NULL, 10);
}

static void begin(struct conn *x, bool get)
{
	struct ceiling *c = x->c;
	struct message m = {.type = REQUEST};
	assert(c->free_count > 0);
	m.slot = c->free_slots[--c->free_count];
	struct slot *s = &c->slots[m.slot];
	m.generation = s->generation;
	s->client = x->fd;
	s->get = get;
	for (unsigned i = 0; i < 2; i++) say(c->peers[i], &m, MESSAGE_BYTES);
}

static void on_requests(struct conn *x)
{
	for (;;) {
		const uint8_t *head = buffer_head(&x->in);
		const uint8_t *blank = x->in.len == 0 ? NULL : memmem(head, x->in.len, "\r\n\r\n", 4);
		if (blank == NULL) return;
		size_t len = (size_t)(blank - head) + 4;
		bool get = head[0] == 'G';
		len += get ? 0 : content_length(head, len);
		if (x->in.len < len) return;
		buffer_consume(&x->in, len);
		begin(x, get);
	}
}

/* ---- sockets -------------------------------------------------------------------------------- */

static void on_read(evutil_socket_t fd, short what, void *argument)
{
	struct conn *x = argument;
	uint8_t *room = buffer_room(&x->in, x->is_peer ? READ_BYTES : READ_BYTES / 16);
	(void)what;
	if (room == NULL) die("memory");
	ssize_t n = recv(fd, room, x->is_peer ? READ_BYTES : READ_BYTES / 16, 0);
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
	if (n <= 0) {
		if (!x->dirty) drop(x);
		return;
	}
	buffer_added(&x->in, (size_t)n);
	if (x->is_peer)
		on_messages(x);
	else
		on_requests(x);
}

static struct conn *conn_new(struct ceiling *c, int fd, bool is_peer)
{
	struct conn *x = calloc(1, sizeof *x);
	int on = 1;
	if (x == NULL || fd >= FDS_MAX) die("too many connections");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	*x = (struct conn){.c = c, .fd = fd, .is_peer = is_peer};
	x->on_read = event_new(c->base, fd, EV_READ | EV_PERSIST, on_read, x);
	if (x->on_read == NULL || event_add(x->on_read, NULL) != 0) die("event");
	c->conns[fd] = x;
	return x;
}

static void on_client(evutil_socket_t listener, short what, void *argument)
{
	int fd = accept(listener, NULL, NULL);
	(void)what;
	if (fd >= 0) conn_new(argument, fd, false);
}

static void on_peer(evutil_socket_t listener, short what, void *argument)
{
	int fd = accept(listener, NULL, NULL);
	(void)what;
	if (fd >= 0) conn_new(argument, fd, true);
}

static struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	                            .sin_port = htons((uint16_t)atoi(port)),
	                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void listen_at(struct ceiling *c, const char *port, event_callback_fn on_accept)
{
	struct sockaddr_in a = loopback(port);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0) die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 512) != 0) die(port);
	struct libevent_event *e = event_new(c->base, fd, EV_READ | EV_PERSIST, on_accept, c);
	if (e == NULL || event_add(e, NULL) != 0) die("event");
}

static struct conn *connect_to(struct ceiling *c, const char *port)
{
	struct sockaddr_in a = loopback(port);
	for (unsigned attempt = 0; attempt < 500; attempt++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0) die("socket");
		if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return conn_new(c, fd, true);
		close(fd);
		usleep(10000);
	}
	die(port);
}

int main(int argc, char **argv)
{
	struct ceiling *c = calloc(1, sizeof *c);
	if (c == NULL || argc != 5) {
		fprintf(stderr, "usage: ceiling HTTP_PORT PEER_PORT PEER_PORT_OF_B PEER_PORT_OF_C\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	c->base = event_base_new();
	c->slots = calloc(SLOTS, sizeof *c->slots);
	c->free_slots = calloc(SLOTS, sizeof *c->free_slots);
	if (c->base == NULL || c->slots == NULL || c->free_slots == NULL) die("memory");
	for (uint32_t i = 0; i < SLOTS; i++) c->free_slots[c->free_count++] = i;
	listen_at(c, argv[2], on_peer);
	for (unsigned i = 0; i < 2; i++) c->peers[i] = connect_to(c, argv[3 + i]);
	listen_at(c, argv[1], on_client);
	while (event_base_loop(c->base, EVLOOP_ONCE) == 0) flush(c);
	return 0;
}
