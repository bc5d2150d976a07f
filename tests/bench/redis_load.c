/* redis_load.c - the peer measured beside: Redis with two replicas, SET then WAIT 1, or GET.
 *
 *   redis_load PORT set|get CONNECTIONS KEYS VALUE_BYTES SECONDS PID,PID,...
 *
 * Closed loop, one operation on the way on each connection, a second of warm-up; a SET and its WAIT go
 * out in one write, and the operation ends with the second answer, which must say that one replica
 * has it. Prints one JSON object with the same names as `dunlin bench --json`. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/panic.h"
#include "base/prng.h"
#include "drive/bench.h"

#define CONNECTIONS_MAX 1024
#define VALUE_MAX 4096

struct load {
	bool set;
	unsigned connections, keys, value_bytes, pid_count;
	int pids[BENCH_PIDS_MAX], epoll;
	struct prng prng;
	struct conn {
		int fd;
		uint64_t sent_ns;
		size_t len;
		char in[VALUE_MAX + 256];
	} conns[CONNECTIONS_MAX];
	uint64_t from_ns, to_ns, failed, cpu_ns, own_ns;
	struct bench_hist hist;
	char value[VALUE_MAX + 1];
};

_Noreturn static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void ask(struct load *l, struct conn *c)
{
	char text[VALUE_MAX + 256], key[16];
	int key_len = snprintf(key, sizeof key, "key-%08u", (unsigned)prng_below(&l->prng, l->keys));
	int len = l->set
	              ? snprintf(text, sizeof text,
	                         "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%u\r\n%s\r\n"
	                         "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$4\r\n1000\r\n",
	                         key_len, key, l->value_bytes, l->value)
	              : snprintf(text, sizeof text, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", key_len, key);
	c->sent_ns = bench_now_ns();
	c->len = 0;
	if (send(c->fd, text, (size_t)len, MSG_NOSIGNAL) != len) die("send");
}

/* Has the whole answer come? *good: is it the one that was wanted? */
static bool is_whole(const struct load *l, const struct conn *c, bool *good)
{
	const char *end = memchr(c->in, '\n', c->len);
	*good = false;
	if (end == NULL) return false;
	if (c->in[0] == '-') return true;
	if (!l->set) {
		long len = c->in[0] == '$' ? strtol(c->in + 1, NULL, 10) : -1;
		*good = len == (long)l->value_bytes;
		return len < 0 || c->len >= (size_t)(end + 1 - c->in) + (size_t)len + 2;
	}
	size_t rest = c->len - (size_t)(end + 1 - c->in);
	if (memchr(end + 1, '\n', rest) == NULL) return false;
	*good = end[1] == ':' && strtol(end + 2, NULL, 10) >= 1;
	return true;
}

static void on_answer(struct load *l, struct conn *c)
{
	bool good;
	ssize_t n = recv(c->fd, c->in + c->len, sizeof c->in - c->len, 0);
	if (n <= 0) die("recv");
	c->len += (size_t)n;
	if (!is_whole(l, c, &good)) return;
	uint64_t now = bench_now_ns();
	if (now >= l->from_ns && now < l->to_ns && good) bench_hist_add(&l->hist, now - c->sent_ns);
	if (!good) l->failed++;
	ask(l, c);
}

static void open_all(struct load *l, uint16_t port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;
	for (unsigned i = 0; i < l->connections; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) die("connect");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) != 0) die("epoll");
		l->conns[i].fd = fd;
	}
	for (unsigned i = 0; i < l->connections; i++) ask(l, &l->conns[i]);
}

static uint64_t servers_ns(const struct load *l)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < l->pid_count; i++) sum += bench_cpu_of_ns(l->pids[i]);
	return sum;
}

static void run(struct load *l)
{
	struct epoll_event events[CONNECTIONS_MAX];
	bool began = false;
	for (uint64_t now = 0; now < l->to_ns; now = bench_now_ns()) {
		int count = epoll_wait(l->epoll, events, CONNECTIONS_MAX, 1000);
		if (!began && bench_now_ns() >= l->from_ns) {
			began = true;
			l->cpu_ns = servers_ns(l);
			l->own_ns = bench_cpu_own_ns();
		}
		for (int i = 0; i < count; i++) on_answer(l, &l->conns[events[i].data.u32]);
	}
	l->cpu_ns = servers_ns(l) - l->cpu_ns;
	l->own_ns = bench_cpu_own_ns() - l->own_ns;
}

static void print(const struct load *l)
{
	double seconds = (double)(l->to_ns - l->from_ns) / 1e9;
	double total = l->hist.total > 0 ? (double)l->hist.total : 1;
	printf(
		"{\"%s\":{\"rate\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f},\"errors\":%llu,"
		"\"servers_us_per_op\":%.2f,\"generator_us_per_op\":%.2f}\n",
		l->set ? "put" : "get", (double)l->hist.total / seconds,
		(double)bench_hist_at(&l->hist, 0.5) / 1e6, (double)bench_hist_at(&l->hist, 0.99) / 1e6,
		(double)bench_hist_at(&l->hist, 0.999) / 1e6, (unsigned long long)l->failed,
		(double)l->cpu_ns / 1e3 / total, (double)l->own_ns / 1e3 / total);
}

int main(int argc, char **argv)
{
	struct load *l = calloc(1, sizeof *l);
	if (l == NULL || argc != 8) {
		fprintf(stderr,
		        "usage: redis_load PORT set|get CONNECTIONS KEYS VALUE_BYTES SECONDS PIDS\n");
		return 2;
	}
	l->set = strcmp(argv[2], "set") == 0;
	l->connections = (unsigned)atoi(argv[3]);
	l->keys = (unsigned)atoi(argv[4]);
	l->value_bytes = (unsigned)atoi(argv[5]);
	if (l->connections > CONNECTIONS_MAX || l->value_bytes > VALUE_MAX || l->keys == 0) return 2;
	for (char *at = argv[7]; *at != '\0' && l->pid_count < BENCH_PIDS_MAX; at += *at == ',')
		l->pids[l->pid_count++] = (int)strtol(at, &at, 10);
	memset(l->value, 'x', l->value_bytes);
	prng_seed(&l->prng, 1);
	l->epoll = epoll_create1(0);
	l->from_ns = bench_now_ns() + 1000000000;
	l->to_ns = l->from_ns + (uint64_t)atoi(argv[6]) * 1000000000;
	open_all(l, (uint16_t)atoi(argv[1]));
	run(l);
	print(l);
	free(l);
	return 0;
}
