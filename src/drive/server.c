/* server.c - one node as a process, from an empty directory to a clean end.
 *
 *   key file -> store -> boot records -> core -> loop -> (serving) -> loop closed -> store closed
 *
 * What was opened is closed in the opposite order, however far it came.
 * Not here: what happens while it runs (loop.c). */
#include "drive/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/cmd.h"
#include "drive/loop.h"
#include "drive/peer.h"
#include "store/store_rocksdb.h"

struct server {
	const struct config *config;
	struct log log;
	struct peers_config peers;
	struct store *store;
	void *memory, *pool;
	size_t memory_bytes;
	struct node *node;
	struct loop *loop;
};

static bool fail(const struct server *s, const char *msg, const char *why)
{
	log_say(&s->log, LOG_LEVEL_ERROR, msg, LOG_S("error", why));
	return false;
}

/* ---- the cluster key ------------------------------------------------------------------------ */

/* One key of 64 hex digits at *text, which moves on behind it. */
static bool parse_key(const char **text, struct noise_key *key)
{
	size_t len = 0;
	const char *end = NULL;
	bool fits = sodium_hex2bin(key->b, sizeof key->b, *text, strlen(*text), NULL, &len, &end) == 0;
	if (!fits || len != sizeof key->b || (*end != '\0' && strchr(" \t\r\n", *end) == NULL))
		return false;
	*text = end;
	return true;
}

static bool parse_keys(struct server *s, const char *text)
{
	for (;;) {
		text += strspn(text, " \t\r\n");
		if (*text == '\0') return s->peers.key_count > 0;
		if (s->peers.key_count == PEER_KEYS_MAX) return false;
		if (!parse_key(&text, &s->peers.keys[s->peers.key_count])) return false;
		s->peers.key_count++;
	}
}

static bool read_keys(struct server *s)
{
	char text[512], why[CONFIG_TEXT_BYTES_MAX + 128];
	const char *path = s->config->key_file;
	struct stat about;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	int error = errno;
	if (fd >= 0 && fstat(fd, &about) == 0 && (about.st_mode & 077) != 0)
		log_say(&s->log, LOG_LEVEL_WARN, "the key file can be read by others; chmod 600 it",
		        LOG_S("key_file", path));
	if (fd >= 0) close(fd);
	if (len < 0) {
		snprintf(why, sizeof why, "%s: %s", path, strerror(error));
		return fail(s, "the key file cannot be read", why);
	}
	text[len] = '\0';
	bool good = parse_keys(s, text);
	sodium_memzero(text, sizeof text);
	snprintf(why, sizeof why, "%s: expected one or two keys of 64 hex digits", path);
	return good || fail(s, "the key file is not as it should be", why);
}

/* Without a key file there are no peers: the node listens for none, under a key that nobody has. */
static bool open_keys(struct server *s)
{
	randombytes_buf(&s->peers.start_nonce, sizeof s->peers.start_nonce);
	if (s->config->key_file[0] != '\0') {
		s->peers.listen = s->config->peer;
		return read_keys(s);
	}
	assert(s->config->join.count == 0);
	randombytes_buf(s->peers.keys[0].b, sizeof s->peers.keys[0].b);
	s->peers.key_count = 1;
	return true;
}

/* ---- store and core ------------------------------------------------------------------------- */

static bool open_store(struct server *s)
{
	size_t records = (size_t)s->config->record_cache_bytes;
	struct store_rocksdb_config c = {.cache_bytes = (size_t)s->config->cache_bytes,
	                                 .record_bytes =
	                                     records == 0 ? STORE_RECORD_CACHE_OFF : records};
	char why[1024] = "";
	enum err e = store_rocksdb_open(s->config->dir, &c, &s->store, why, sizeof why);
	if (e != ERR_OK) return fail(s, "the store cannot be opened", why);
	if (why[0] != '\0')
		log_say(&s->log, LOG_LEVEL_WARN, "the store was mended", LOG_S("what", why));
	return true;
}

static void *take_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	               -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* Where others reach our HTTP side: its port, on the host of the peer port if it listens on any. Empty:
 * nobody but this machine's own does. */
static struct bytes http_address(const struct config *c, char *to, size_t capacity)
{
	char host[CONFIG_TEXT_BYTES_MAX], any[CONFIG_TEXT_BYTES_MAX];
	uint16_t port, peer_port;
	if (!config_split_address(c->http, host, sizeof host, &port)) return BYTES_EMPTY;
	bool is_any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 || host[0] == '\0';
	if (is_any && !config_split_address(c->advertise, any, sizeof any, &peer_port))
		return BYTES_EMPTY;
	const char *name = is_any ? any : host;
	int len = snprintf(to, capacity, strchr(name, ':') != NULL ? "[%s]:%u" : "%s:%u", name, port);
	return (size_t)len < capacity ? bytes_of(to, (size_t)len) : BYTES_EMPTY;
}

static bool open_node(struct server *s)
{
	const struct config *c = s->config;
	char http[MEMBER_ADDRESS_BYTES_MAX + 1];
	struct bytes join[JOIN_ADDRESSES_MAX];
	struct node_config n = {.name = bytes_of_string(c->name),
	                        .address = bytes_of_string(c->advertise),
	                        .zone = bytes_of_string(c->zone),
	                        .http = http_address(c, http, sizeof http),
	                        .weight = (uint32_t)c->weight,
	                        .join = join,
	                        .join_count = c->join.count,
	                        .expect = (uint32_t)c->expect,
	                        .partitions = (uint32_t)c->partitions,
	                        .replicas = (uint32_t)c->replicas,
	                        .riak_defaults = c->riak_defaults,
	                        .types = c->bucket_type.items,
	                        .type_count = c->bucket_type.count,
	                        .siblings_max = (uint32_t)c->siblings_max,
	                        .hint_after_us = MS(c->hint_after_ms),
	                        .hint_window_ms = c->hint_window_ms,
	                        .reap_period_us = c->reap_period_ms * 1000,
	                        .hint_bytes_max = c->hint_bytes_max,
	                        .stand_ins_max = c->stand_ins_max,
	                        .stand_in_bytes_max = c->stand_in_bytes_max,
	                        .coord_slots = (uint32_t)c->requests_max,
	                        .replica_slots = (uint32_t)c->peer_requests_max};
	for (uint32_t i = 0; i < c->join.count; i++) join[i] = bytes_of_string(c->join.items[i]);
	randombytes_buf(n.entropy, sizeof n.entropy);
	s->memory_bytes = node_memory(&n);
	s->memory = take_pages(s->memory_bytes);
	s->pool = take_pages((size_t)c->pool_bytes);
	if (s->memory == NULL || s->pool == NULL)
		return fail(s, "no memory for requests; a smaller pool_bytes may help", strerror(errno));
	s->node = node_init(s->memory, &n, s->pool, (size_t)c->pool_bytes);
	sodium_memzero(n.entropy, sizeof n.entropy);
	return true;
}

struct booting {
	struct server *server;
	enum err err;
};

static bool boot_record(void *context, const struct store_record *record)
{
	struct booting *b = context;
	b->err = record->damaged ? ERR_CORRUPT
	                         : node_boot_record(b->server->node, record->key, record->value);
	return b->err == ERR_OK;
}

static bool boot(struct server *s)
{
	struct booting b = {s, ERR_OK};
	bool done;
	enum err e = store_scan(s->store, STORE_META, BYTES_EMPTY, BYTES_EMPTY, boot_record, &b, &done);
	if (e != ERR_OK) return fail(s, "the store cannot be read", err_text(e));
	if (b.err == ERR_OK) return true;
	return fail(
		s,
		"what this directory says of the node is damaged, or was written by another program "
		"or a newer version",
		err_text(b.err));
}

/* ---- the process ---------------------------------------------------------------------------- */

static bool pid_path(const struct server *s, char *path, size_t capacity)
{
	return (size_t)snprintf(path, capacity, "%s/pid", s->config->dir) < capacity;
}

static void write_pid(const struct server *s)
{
	char path[CONFIG_TEXT_BYTES_MAX];
	FILE *file = pid_path(s, path, sizeof path) ? fopen(path, "we") : NULL;
	if (file == NULL) {
		log_say(&s->log, LOG_LEVEL_WARN, "the pid file cannot be written", LOG_S("file", path));
		return;
	}
	fprintf(file, "%d\n", (int)getpid());
	fclose(file);
}

static void remove_pid(const struct server *s)
{
	char path[CONFIG_TEXT_BYTES_MAX];
	if (pid_path(s, path, sizeof path)) unlink(path);
}

/* As many descriptors as we may have: each connection is one. */
static void raise_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool open_loop(struct server *s)
{
	struct loop_parts parts = {s->store, s->node, &s->peers};
	struct config_error error;
	s->loop = malloc(sizeof *s->loop);
	if (s->loop == NULL) return fail(s, "the node cannot start", "out of memory");
	return loop_open(s->loop, s->config, &s->log, &parts, &error) ||
	       fail(s, "the node cannot start", error.text);
}

static bool open_all(struct server *s)
{
	return open_keys(s) && open_store(s) && open_node(s) && boot(s) && open_loop(s);
}

static void close_all(struct server *s)
{
	if (s->loop != NULL) loop_close(s->loop);
	free(s->loop);
	if (s->store != NULL) store_close(s->store);
	if (s->memory != NULL) munmap(s->memory, s->memory_bytes);
	if (s->pool != NULL) munmap(s->pool, (size_t)s->config->pool_bytes);
	sodium_memzero(s->peers.keys, sizeof s->peers.keys);
}

int server_run(const struct config *config)
{
	struct server s = {.config = config, .log = {STDERR_FILENO, config->log_level}};
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	if (sodium_init() < 0) {
		fail(&s, "libsodium cannot start", "no source of randomness");
		return CMD_FAILED;
	}
	bool opened = open_all(&s);
	if (opened) {
		write_pid(&s);
		log_say(&s.log, LOG_LEVEL_INFO, "serving", LOG_S("name", config->name),
		        LOG_S("http", config->http),
		        LOG_S("peer", s.peers.listen == NULL ? "none" : s.peers.listen),
		        LOG_S("dir", config->dir), LOG_S("version", CMD_VERSION));
		if (!config_is_loopback(config->http))
			log_text(
				&s.log, LOG_LEVEL_WARN,
				"insecure = yes: whoever reaches the HTTP port can read and change everything");
		loop_run(s.loop);
	}
	bool served = opened && !node_cannot_start(s.node);
	close_all(&s);
	if (opened) remove_pid(&s);
	if (!served) return CMD_FAILED;
	log_text(&s.log, LOG_LEVEL_INFO, "stopped");
	return CMD_DONE;
}
