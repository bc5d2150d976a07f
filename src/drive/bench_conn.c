/* bench_conn.c - one connection of the load generator.
 *
 *   CLOSED --retry_ns--> CONNECTING --writable--> OPEN --end, error, timeout--> CLOSED
 *      ^---------refused, too late----/
 *
 * After a loss the connection's own node is tried first, then the others in turn, so that the load
 * goes on when a node is down and comes back to it later. Waits double up to a second.
 *
 * Always true: `in_flight` operations wait, in the order in which they were sent; a connection that
 * is not OPEN has none. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/bench.h"

#define READ_BYTES KIB(16)

static const struct bench_node *node_of(const struct bench *b, const struct bench_conn *c)
{
	return &b->nodes[(c->home + c->shift) % b->options->target_count];
}

static void watch(const struct bench *b, struct bench_conn *c, int how)
{
	struct epoll_event e = {.events = EPOLLIN | (c->wants_out ? (uint32_t)EPOLLOUT : 0),
	                        .data.u32 = (uint32_t)(c - b->conns)};
	if (epoll_ctl(b->epoll, how, c->fd, &e) != 0) unreachable();
}

void bench_conn_lose(struct bench *b, struct bench_conn *c, enum bench_error e, uint64_t now_ns)
{
	unsigned doublings = c->failures < 10 ? c->failures : 10;
	uint64_t wait_us = BENCH_RETRY_US_MIN << doublings;
	bool was_open = c->state == BENCH_OPEN;
	assert(was_open || c->in_flight == 0);
	for (; c->in_flight > 0; c->in_flight--) {
		bench_op_failed(b, &c->ops[c->first], e);
		c->first = (c->first + 1) % b->options->pipeline;
	}
	if (!was_open) {
		b->failed++;
		if (b->phase == BENCH_MEASURE) b->tally->errors[e]++;
	}
	if (c->fd >= 0) close(c->fd); /* which also ends the watch */
	c->fd = -1;
	c->state = BENCH_CLOSED;
	c->shift = was_open ? 0 : c->shift + 1;
	c->failures++;
	c->in_body = c->closing = c->wants_out = false;
	c->body_left = 0;
	buffer_consume(&c->in, c->in.len);
	buffer_consume(&c->out, c->out.len);
	c->retry_ns = now_ns + 1000 * (wait_us < BENCH_RETRY_US_MAX ? wait_us : BENCH_RETRY_US_MAX);
}

void bench_conn_connect(struct bench *b, struct bench_conn *c, uint64_t now_ns)
{
	const struct bench_node *n = node_of(b, c);
	int on = 1;
	assert(c->state == BENCH_CLOSED && c->fd < 0);
	c->state = BENCH_CONNECTING;
	c->retry_ns = now_ns + 1000 * BENCH_CONNECT_US;
	c->fd = socket(n->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		bench_conn_lose(b, c, BENCH_UNREACHABLE, now_ns);
		return;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(c->fd, (const struct sockaddr *)&n->address, n->address_len) != 0 &&
	    errno != EINPROGRESS) {
		bench_conn_lose(b, c, errno == ECONNREFUSED ? BENCH_REFUSED : BENCH_UNREACHABLE, now_ns);
		return;
	}
	c->wants_out = true;
	watch(b, c, EPOLL_CTL_ADD);
}

static void on_connected(struct bench *b, struct bench_conn *c)
{
	int error = 0;
	socklen_t len = sizeof error;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) error = errno;
	if (error != 0) {
		bench_conn_lose(b, c, error == ECONNREFUSED ? BENCH_REFUSED : BENCH_UNREACHABLE,
		                bench_now_ns());
		return;
	}
	c->state = BENCH_OPEN;
	c->wants_out = false;
	watch(b, c, EPOLL_CTL_MOD);
	b->opened++;
	bench_offer(b, c);
}

/* ---- out ------------------------------------------------------------------------------------ */

/* Values differ, and do not compress: each is another piece of a random pool. */
static struct bytes value_for(const struct bench *b, const struct bench_op *op)
{
	uint64_t at = (op->key * 7919 + op->sent_ns) % 4096;
	return bytes_of(b->value_pool + at, b->options->value_bytes);
}

void bench_conn_add(struct bench *b, struct bench_conn *c, const struct bench_op *op)
{
	const struct bench_key *k = b->keys == NULL ? NULL : &b->keys[op->key];
	assert(bench_conn_has_room(b, c));
	c->ops[(c->first + c->in_flight) % b->options->pipeline] = *op;
	c->in_flight++;
	if (!bench_node_request(node_of(b, c), &c->out, op, k, value_for(b, op))) c->closing = true;
}

void bench_conn_flush(struct bench *b, struct bench_conn *c, uint64_t now_ns)
{
	bool wanted = c->wants_out;
	assert(c->state == BENCH_OPEN);
	while (c->out.len > 0) {
		ssize_t sent = send(c->fd, buffer_head(&c->out), c->out.len, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR) continue;
		if (sent < 0 && errno == EAGAIN) break;
		if (sent < 0) {
			bench_conn_lose(b, c, BENCH_LOST, now_ns);
			return;
		}
		buffer_consume(&c->out, (size_t)sent);
	}
	c->wants_out = c->out.len > 0;
	if (c->wants_out != wanted) watch(b, c, EPOLL_CTL_MOD);
}

/* ---- in ------------------------------------------------------------------------------------- */

static void end_first(struct bench *b, struct bench_conn *c, uint64_t now_ns)
{
	assert(c->in_flight > 0 && c->body_left == 0);
	bench_op_answered(b, &c->ops[c->first], c->status, now_ns);
	c->first = (c->first + 1) % b->options->pipeline;
	c->in_flight--;
	c->in_body = false;
	c->failures = 0;
}

/* Take one answer, or a part of one, from the buffer. False: no more can be taken now. */
static bool take(struct bench *b, struct bench_conn *c, uint64_t now_ns, bool *bad)
{
	if (c->in_body) {
		uint64_t n = c->in.len < c->body_left ? c->in.len : c->body_left;
		buffer_consume(&c->in, n);
		c->body_left -= n;
		if (c->body_left > 0) return false;
		end_first(b, c, now_ns);
		return true;
	}
	struct bench_answer a;
	if (c->in.len == 0) return false;
	size_t head = bench_answer_parse(bytes_of(buffer_head(&c->in), c->in.len), &a, bad);
	if (c->in_flight == 0) *bad = true; /* an answer to nothing */
	if (*bad || head == 0) return false;
	bench_op_learn(b, &c->ops[c->first], &a);
	c->in_body = true;
	c->status = a.status;
	c->body_left = a.body_bytes;
	if (a.close) c->closing = true;
	buffer_consume(&c->in, head);
	return true;
}

static void take_all(struct bench *b, struct bench_conn *c, uint64_t now_ns)
{
	bool bad = false;
	bool more = true;
	while (more) more = take(b, c, now_ns, &bad);
	if (bad)
		bench_conn_lose(b, c, BENCH_GARBLED, now_ns);
	else if (c->closing && !c->in_body)
		bench_conn_lose(b, c, BENCH_LOST, now_ns);
	else
		bench_offer(b, c);
}

/* The middle of a large body is thrown away where it was read. */
static ssize_t receive(struct bench *b, struct bench_conn *c)
{
	if (c->in_body && c->in.len == 0) {
		size_t most = c->body_left < READ_BYTES * 16 ? c->body_left : READ_BYTES * 16;
		ssize_t n = recv(c->fd, b->scratch, most, 0);
		if (n > 0) c->body_left -= (uint64_t)n;
		return n;
	}
	uint8_t *room = buffer_room(&c->in, READ_BYTES);
	if (room == NULL) {
		errno = ENOMEM;
		return -1;
	}
	ssize_t n = recv(c->fd, room, READ_BYTES, 0);
	if (n > 0) buffer_added(&c->in, (size_t)n);
	return n;
}

void bench_conn_on_event(struct bench *b, struct bench_conn *c, uint32_t events)
{
	if (c->state == BENCH_CLOSED) return; /* lost since epoll spoke */
	if (c->state == BENCH_CONNECTING) {
		on_connected(b, c);
		return;
	}
	if ((events & EPOLLOUT) != 0) bench_conn_flush(b, c, bench_now_ns());
	if (c->state != BENCH_OPEN || (events & ~(uint32_t)EPOLLOUT) == 0) return;
	ssize_t n = receive(b, c);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (n <= 0)
		bench_conn_lose(b, c, BENCH_LOST, bench_now_ns());
	else
		take_all(b, c, bench_now_ns());
}
