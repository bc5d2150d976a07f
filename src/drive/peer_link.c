/* peer_link.c - dialling: names to addresses, addresses to connections, again and again; see
 * peer_link.h for a link's life.
 *
 * Always true: a link has a connection, a look-up or a timer set, at most one of them, and exactly one
 * unless it is SELF, TWIN or gone; down is told once for each up.
 * Not here: the bytes of a connection (peer_conn.c), the listening side (peer.c). */
#include "drive/peer_link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/util.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/panic.h"

/* Outlives its link, and even the peers, when they are freed first. */
struct link_resolve {
	struct link_resolve *next;
	struct peer_link *link; /* NULL: nobody waits any more */
	struct peers *peers;    /* NULL: they are gone */
};

#define US_OF_A_NODE(l) ((unsigned long long)(l)->node.v)

uint64_t peers_now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECONDS(1) + (uint64_t)t.tv_nsec / 1000;
}

/* ---- the table by node ----------------------------------------------------------------------- */

static struct peer_link **bucket_of(struct peers *p, struct node_id node)
{
	return &p->by_node[node.v % LINK_BUCKETS]; /* ids are random */
}

struct peer_link *peer_link_find(const struct peers *p, struct node_id node)
{
	struct peer_link *l = p->by_node[node.v % LINK_BUCKETS];
	while (l != NULL && l->node.v != node.v) l = l->next_by_node;
	return l;
}

void peer_link_list(struct peer_link *l, struct node_id node)
{
	assert(!l->listed && node.v != 0 && peer_link_find(l->peers, node) == NULL);
	struct peer_link **bucket = bucket_of(l->peers, node);
	l->node = node;
	l->next_by_node = *bucket;
	*bucket = l;
	l->listed = true;
}

void peer_link_unlist(struct peer_link *l)
{
	if (!l->listed) return;
	struct peer_link **at = bucket_of(l->peers, l->node);
	while (*at != l) at = &(*at)->next_by_node;
	*at = l->next_by_node;
	l->listed = false;
}

/* ---- when to dial ------------------------------------------------------------------------------ */

static void wait(struct peer_link *l, uint64_t us)
{
	struct timeval t = {.tv_sec = (time_t)(us / SECONDS(1)),
	                    .tv_usec = (suseconds_t)(us % SECONDS(1))};
	l->state = LINK_WAITING;
	(void)event_add(l->retry, &t);
}

/* Between half and the whole of the backoff, which then doubles. */
static void wait_longer(struct peer_link *l)
{
	uint64_t half = l->backoff_us / 2;
	uint64_t us = half + randombytes_uniform((uint32_t)half + 1);
	l->backoff_us *= 2;
	if (l->backoff_us > RECONNECT_US_MAX) l->backoff_us = RECONNECT_US_MAX;
	wait(l, us);
}

/* A look-up that does not come back is not waited for; it ends by itself, with nobody to tell. */
static bool leave_look_up(struct peer_link *l)
{
	uint32_t count = 0;
	if (l->state != LINK_RESOLVING) return false;
	for (struct link_resolve *r = l->peers->look_ups; r != NULL; r = r->next) count++;
	if (count >= LOOK_UPS_MAX) return false;
	l->resolve->link = NULL;
	l->resolve = NULL;
	return true;
}

void peer_link_hurry(struct peer_link *l)
{
	if (l->gone || (l->state != LINK_WAITING && !leave_look_up(l))) return;
	l->backoff_us = RECONNECT_US_MIN;
	wait_longer(l);
}

/* The links that stood back for this one. */
static void wake_twins(struct peer_link *l)
{
	for (struct peer_link *t = l->peers->links; t != NULL; t = t->next)
		if (t->state == LINK_TWIN && t->node.v == l->node.v && !t->gone) {
			t->backoff_us = RECONNECT_US_MIN;
			wait_longer(t);
		}
}

void peer_link_failed(struct peer_link *l, const char *why)
{
	assert(l->conn == NULL && l->resolve == NULL);
	struct peers *p = l->peers;
	bool was_up = l->state == LINK_UP;
	l->dropped += peer_queue_clear(&l->queue);
	if (l->gone || l->state == LINK_SELF || l->state == LINK_TWIN) return;
	if (was_up) {
		l->breaks++;
		if (peers_now_us() - l->up_since_us > RECONNECT_US_MAX) l->backoff_us = RECONNECT_US_MIN;
	}
	wait_longer(l);
	/* Said again only when it is another reason. */
	if (l->said == NULL || strcmp(l->said, why) != 0)
		peers_say(p, was_up ? "warn" : "info", "msg=\"%s\" address=%s node=%016llx reason=\"%s\"",
		          was_up ? "peer is down" : "peer cannot be reached", l->address, US_OF_A_NODE(l),
		          why);
	l->said = why;
	if (!l->listed || l->told == LINK_TOLD_DOWN) return;
	l->told = LINK_TOLD_DOWN;
	wake_twins(l);
	p->config.down(p->config.ctx, l->node);
}

/* ---- a hello ------------------------------------------------------------------------------------- */

static void go_up(struct peer_link *l)
{
	struct peers *p = l->peers;
	assert(l->listed && l->conn != NULL && l->told != LINK_TOLD_UP);
	event_del(l->retry);
	l->state = LINK_UP;
	l->told = LINK_TOLD_UP;
	l->connects++;
	l->up_since_us = peers_now_us();
	l->said = NULL;
	peers_say(p, "info", "msg=\"peer is up\" address=%s node=%016llx", l->address, US_OF_A_NODE(l));
	p->config.up(p->config.ctx, l->node);
}

static void stop_trying(struct peer_link *l)
{
	event_del(l->retry);
	if (l->conn != NULL) peer_conn_free(l->conn);
	l->conn = NULL;
	if (l->resolve != NULL) l->resolve->link = NULL;
	l->resolve = NULL;
}

/* The node is reached by another link already. That one takes the connection if it has none. */
static const char *stand_back(struct peer_link *l, struct peer_link *other, struct peer_conn *c)
{
	peer_link_unlist(l);
	l->node = other->node;
	l->state = LINK_TWIN;
	l->told = LINK_TOLD_NOTHING;
	if (other->state == LINK_UP) return "the same node as another address";
	stop_trying(other);
	l->conn = NULL;
	other->conn = c;
	c->link = other;
	go_up(other);
	return NULL;
}

const char *peer_link_opened(struct peer_link *l, struct peer_conn *c)
{
	struct peers *p = l->peers;
	assert(l->conn == c && l->state == LINK_CONNECTING);
	if (c->hello.node.v == p->config.self.v) {
		peers_say(p, "info", "msg=\"an address to dial is this node's own\" address=%s",
		          l->address);
		l->state = LINK_SELF;
		return "this node itself";
	}
	if (hello_clusters_differ(c->hello.cluster, p->config.cluster)) {
		l->backoff_us = RECONNECT_US_MAX;
		return "a node of another cluster";
	}
	if (l->fixed && l->node.v != c->hello.node.v) {
		l->backoff_us = RECONNECT_US_MAX;
		return "another node answers at this address";
	}
	struct peer_link *other = peer_link_find(p, c->hello.node);
	if (other != NULL && other != l) return stand_back(l, other, c);
	if (other == NULL) {
		peer_link_unlist(l);
		l->told = LINK_TOLD_NOTHING;
		peer_link_list(l, c->hello.node);
	}
	go_up(l);
	return NULL;
}

/* ---- names and addresses ----------------------------------------------------------------------- */

static void connect_to(struct peer_link *l, const struct sockaddr *to, socklen_t len)
{
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		peer_link_failed(l, strerror(errno));
		return;
	}
	if (connect(fd, to, len) != 0 && errno != EINPROGRESS) {
		int error = errno;
		close(fd);
		peer_link_failed(l, strerror(error));
		return;
	}
	l->conn = peer_conn_dialled(l->peers, l, fd);
	l->state = LINK_CONNECTING;
	if (l->conn == NULL) peer_link_failed(l, "no memory");
}

/* The addresses of a name are tried in turn, one an attempt. */
static const struct evutil_addrinfo *pick(const struct evutil_addrinfo *list, unsigned attempt)
{
	unsigned count = 0;
	for (const struct evutil_addrinfo *a = list; a != NULL; a = a->ai_next) count++;
	if (count == 0) return NULL;
	for (unsigned i = attempt % count; i > 0; i--) list = list->ai_next;
	return list;
}

static void forget_look_up(struct link_resolve *r)
{
	if (r->peers == NULL) return;
	struct link_resolve **at = &r->peers->look_ups;
	while (*at != r) at = &(*at)->next;
	*at = r->next;
}

void peer_link_orphan_look_ups(struct peers *p)
{
	for (struct link_resolve *r = p->look_ups; r != NULL; r = r->next) {
		r->link = NULL;
		r->peers = NULL;
	}
	if (p->dns != NULL) evdns_base_free(p->dns, 0);
}

static void on_resolved(int error, struct evutil_addrinfo *list, void *arg)
{
	struct link_resolve *r = arg;
	struct peer_link *l = r->link;
	forget_look_up(r);
	free(r);
	if (l != NULL) {
		const struct evutil_addrinfo *a = pick(list, l->attempts);
		l->resolve = NULL;
		if (error == 0 && a != NULL) {
			connect_to(l, a->ai_addr, (socklen_t)a->ai_addrlen);
		} else {
			l->peers->dns_failed = true;
			peer_link_failed(l, "its name has no address");
		}
	}
	if (list != NULL) evutil_freeaddrinfo(list);
}

/* It reads /etc/resolv.conf and /etc/hosts once, so it is made anew after a failure. Without a usable
 * resolv.conf there are still the hosts. */
static struct evdns_base *name_server(struct peers *p)
{
	if (p->dns != NULL && p->dns_failed && p->look_ups == NULL) {
		evdns_base_free(p->dns, 0);
		p->dns = NULL;
	}
	if (p->dns != NULL) return p->dns;
	p->dns_failed = false;
	int quiet = EVDNS_BASE_DISABLE_WHEN_INACTIVE;
	const char *file = p->config.resolv_conf;
	int from = file == NULL ? EVDNS_BASE_INITIALIZE_NAMESERVERS : 0;
	p->dns = evdns_base_new(p->base, from | quiet);
	if (p->dns != NULL && file != NULL)
		(void)evdns_base_resolv_conf_parse(p->dns, DNS_OPTIONS_ALL, file);
	if (p->dns != NULL) return p->dns;
	p->dns = evdns_base_new(p->base, quiet);
	if (p->dns != NULL) (void)evdns_base_load_hosts(p->dns, "/etc/hosts");
	return p->dns;
}

static void look_up(struct peer_link *l)
{
	struct peers *p = l->peers;
	struct evdns_base *dns = name_server(p);
	struct link_resolve *r = calloc(1, sizeof *r);
	if (dns == NULL || r == NULL) {
		free(r);
		peer_link_failed(l, "no memory");
		return;
	}
	char host[MEMBER_ADDRESS_BYTES_MAX + 1];
	memcpy(host, l->address, sizeof host);
	char *colon = strrchr(host, ':');
	assert(colon != NULL);
	*colon = '\0';
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	*r = (struct link_resolve){.next = p->look_ups, .link = l, .peers = p};
	p->look_ups = r;
	l->resolve = r;
	l->state = LINK_RESOLVING;
	/* It may call back before it returns. It is never cancelled: it ends by itself. */
	(void)evdns_getaddrinfo(dns, host, colon + 1, &hints, on_resolved, r);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct peer_link *l = arg;
	struct sockaddr_storage to;
	int len = sizeof to;
	(void)fd;
	(void)what;
	if (l->gone) return;
	l->attempts++;
	if (evutil_parse_sockaddr_port(l->address, (struct sockaddr *)&to, &len) == 0)
		connect_to(l, (struct sockaddr *)&to, (socklen_t)len);
	else
		look_up(l);
}

/* ---- life ---------------------------------------------------------------------------------- */

bool peer_link_address_is_sound(struct bytes address)
{
	if (address.len == 0 || address.len > MEMBER_ADDRESS_BYTES_MAX) return false;
	size_t colon = 0;
	for (size_t i = 0; i < address.len; i++) {
		uint8_t c = address.data[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		             c == '.' || c == '-' || c == '_' || c == '[' || c == ']' || c == ':' ||
		             c == '%';
		if (!plain) return false;
		if (c == ':') colon = i;
	}
	size_t digits = address.len - colon - 1;
	unsigned long port = 0;
	if (colon == 0 || digits == 0 || digits > 5) return false;
	for (size_t i = colon + 1; i < address.len; i++) {
		if (address.data[i] < '0' || address.data[i] > '9') return false;
		port = port * 10 + address.data[i] - '0';
	}
	return port >= 1 && port <= UINT16_MAX;
}

struct peer_link *peer_link_new(struct peers *p, struct bytes address)
{
	assert(peer_link_address_is_sound(address));
	struct peer_link *l = calloc(1, sizeof *l);
	if (l == NULL) return NULL;
	l->peers = p;
	l->backoff_us = RECONNECT_US_MIN;
	memcpy(l->address, address.data, address.len);
	l->retry = event_new(p->base, -1, 0, on_retry, l);
	if (l->retry == NULL) {
		free(l);
		return NULL;
	}
	l->next = p->links;
	p->links = l;
	wait(l, 0);
	return l;
}

void peer_link_free(struct peer_link *l)
{
	assert(!l->to_flush);
	peer_link_unlist(l);
	stop_trying(l);
	event_free(l->retry);
	peer_queue_clear(&l->queue);
	free(l);
}
