/* cmd_http.c - one HTTP request, blocking, with a deadline over all of it.
 *
 *   connect -> send head and body -> read to the end that Content-Length, chunks or closing says
 *
 * Each request says "Connection: close". Not here: redirects, proxies, TLS. */
#include "drive/cmd_http.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/config.h"
#include "wire/http.h"

/* One exchange under way. */
struct exchange {
	int fd;
	uint64_t deadline_ms;
	char *why;
	size_t why_len;
	const char *url;
};

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool fail(struct exchange *x, const char *what)
{
	snprintf(x->why, x->why_len, "%s: %s", x->url, what);
	return false;
}

static bool fail_errno(struct exchange *x)
{
	return fail(x, errno == ECONNREFUSED ? "connection refused; is the node running?"
	                                     : strerror(errno));
}

/* Wait until the socket can be read (POLLIN) or written. */
static bool wait_for(struct exchange *x, short what)
{
	for (;;) {
		uint64_t now = now_ms();
		struct pollfd p = {x->fd, what, 0};
		if (now >= x->deadline_ms) return fail(x, "no answer in time");
		int ready = poll(&p, 1, (int)(x->deadline_ms - now));
		if (ready > 0) return true;
		if (ready < 0 && errno != EINTR) return fail_errno(x);
	}
}

/* ---- connecting ----------------------------------------------------------------------------- */

/* "http://host:port/" in its two parts. */
static bool split_url(struct exchange *x, char *host, size_t capacity, char *port)
{
	char address[512];
	uint16_t number;
	if (strncmp(x->url, "https://", 8) == 0)
		return fail(x, "https is not spoken here; use http://");
	if (strncmp(x->url, "http://", 7) != 0) return fail(x, "expected a URL as http://host:port");
	size_t len = strcspn(x->url + 7, "/");
	if (len >= sizeof address - 8 || (x->url[7 + len] != '\0' && x->url[8 + len] != '\0'))
		return fail(x, "expected a URL as http://host:port, without a path");
	snprintf(address, sizeof address, "%.*s", (int)len, x->url + 7);
	if (!config_split_address(address, host, capacity, &number)) {
		snprintf(address + len, sizeof address - len, ":8098");
		if (!config_split_address(address, host, capacity, &number))
			return fail(x, "expected a URL as http://host:port");
	}
	snprintf(port, 8, "%u", number);
	return true;
}

static bool connect_to(struct exchange *x, const struct addrinfo *a)
{
	x->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
	int error = 0;
	socklen_t len = sizeof error;
	if (x->fd < 0) return fail_errno(x);
	if (connect(x->fd, a->ai_addr, a->ai_addrlen) == 0) return true;
	if (errno != EINPROGRESS) return fail_errno(x);
	if (!wait_for(x, POLLOUT)) return false;
	getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	errno = error;
	return error == 0 || fail_errno(x);
}

static bool connect_any(struct exchange *x)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	char host[300], port[8];
	if (!split_url(x, host, sizeof host, port)) return false;
	int bad = getaddrinfo(host, port, &hints, &list);
	if (bad != 0) return fail(x, gai_strerror(bad));
	bool done = false;
	for (const struct addrinfo *a = list; a != NULL && !done; a = a->ai_next) {
		if (x->fd >= 0) close(x->fd);
		done = connect_to(x, a);
	}
	freeaddrinfo(list);
	return done;
}

/* ---- sending and reading -------------------------------------------------------------------- */

static bool send_all(struct exchange *x, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(x->fd, data, len, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN && wait_for(x, POLLOUT)) continue;
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return true; /* read what it said */
		if (sent < 0) return errno != EAGAIN && fail_errno(x);
		data += sent;
		len -= (size_t)sent;
	}
	return true;
}

static bool send_request(struct exchange *x, const struct cmd_http_request *r)
{
	struct buffer head = {0};
	buffer_printf(&head, "%s ", r->method);
	buffer_append(&head, bytes_of_string(r->path));
	buffer_printf(&head, " HTTP/1.1\r\nHost: %.200s\r\nConnection: close\r\n", r->url + 7);
	if (r->headers != NULL) buffer_append(&head, bytes_of_string(r->headers));
	if (r->has_body) buffer_printf(&head, "Content-Length: %zu\r\n", r->body.len);
	buffer_append(&head, BYTES("\r\n"));
	bool sent = send_all(x, buffer_head(&head), head.len) &&
	            (!r->has_body || send_all(x, r->body.data, r->body.len));
	buffer_free(&head);
	return sent;
}

/* Everything up to the end of the connection. */
static bool read_all(struct exchange *x, struct buffer *all)
{
	for (;;) {
		uint8_t *to = buffer_room(all, 16384);
		if (to == NULL || all->len > CLI_REPLY_BYTES_MAX) return fail(x, "the answer is too large");
		ssize_t got = read(x->fd, to, buffer_room_left(all));
		if (got == 0) return true;
		if (got > 0)
			buffer_added(all, (size_t)got);
		else if (errno == EAGAIN && !wait_for(x, POLLIN))
			return false;
		else if (errno != EAGAIN && errno != EINTR)
			return fail_errno(x);
	}
}

bool cmd_http_field(const struct cmd_http_answer *answer, const char *name, struct bytes *value)
{
	const char *at = (const char *)buffer_head(&answer->all);
	const char *end = at + answer->head_len;
	size_t len = strlen(name);
	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at < end) {
		if ((size_t)(end - at) <= len || strncasecmp(at, name, len) != 0 || at[len] != ':')
			continue;
		const char *from = at + len + 1, *line_end = memchr(at, '\r', (size_t)(end - at));
		while (*from == ' ') from++;
		*value =
			bytes_of(from, line_end == NULL || line_end < from ? 0 : (size_t)(line_end - from));
		return true;
	}
	return false;
}

/* The body as its framing says; false: it is cut short. */
static bool take_body(struct cmd_http_answer *answer)
{
	struct bytes field;
	uint8_t *body = buffer_head(&answer->all) + answer->head_len;
	size_t have = answer->all.len - answer->head_len;
	if (cmd_http_field(answer, "Transfer-Encoding", &field)) {
		struct http_chunks chunks = {0};
		size_t len = 0, used = 0;
		bool whole = http_chunks_decode(&chunks, body, have, &len, &used) == HTTP_COMPLETE;
		answer->body = bytes_of(body, len);
		return whole;
	}
	answer->body = bytes_of(body, have);
	if (!cmd_http_field(answer, "Content-Length", &field) || field.len > 18) return true;
	char digits[20] = {0};
	memcpy(digits, field.data, field.len);
	size_t len = (size_t)strtoull(digits, NULL, 10);
	if (len > have) return false;
	answer->body.len = len;
	return true;
}

static bool take_answer(struct exchange *x, struct cmd_http_answer *answer)
{
	const uint8_t *head = buffer_head(&answer->all);
	const uint8_t *end = answer->all.len < 12 ? NULL : memmem(head, answer->all.len, "\r\n\r\n", 4);
	if (end == NULL || memcmp(head, "HTTP/1.", 7) != 0)
		return fail(x, answer->all.len == 0 ? "the connection closed without an answer"
		                                    : "that is no HTTP answer; is this the HTTP port?");
	answer->head_len = (size_t)(end - head) + 4;
	answer->status = (int)strtol((const char *)head + 9, NULL, 10);
	if (!take_body(answer)) return fail(x, "the answer was cut short");
	return true;
}

bool cmd_http(const struct cmd_http_request *request, struct cmd_http_answer *answer, char *why,
              size_t why_len)
{
	unsigned timeout = request->timeout_ms == 0 ? 65000 : request->timeout_ms;
	struct exchange x = {-1, now_ms() + timeout, why, why_len, request->url};
	assert(why_len > 0);
	*answer = (struct cmd_http_answer){0};
	bool done = connect_any(&x) && send_request(&x, request) && read_all(&x, &answer->all) &&
	            take_answer(&x, answer);
	if (x.fd >= 0) close(x.fd);
	if (!done) cmd_http_free(answer);
	return done;
}

void cmd_http_free(struct cmd_http_answer *answer)
{
	buffer_free(&answer->all);
	*answer = (struct cmd_http_answer){0};
}

void cmd_http_escape(struct buffer *to, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
		             strchr("-._~", c) != NULL;
		if (plain)
			buffer_append(to, bytes_of(&c, 1));
		else
			buffer_printf(to, "%%%02X", c);
	}
}
