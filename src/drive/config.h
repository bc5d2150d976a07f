/* config.h - the configuration: one table of keys, and where their values come from.
 *
 * A value is looked for in this order: a flag (--key-file F), the environment (DUNLIN_KEY_FILE=F), the
 * ini file (key_file = F), the default. A source replaces what the ones after it say, also a list. An
 * unknown key or a value that does not fit stops the start with where it stood and what was expected.
 * docs/dunlin.conf.example lists every key; a test holds it against the table. */
#ifndef DUNLIN_DRIVE_CONFIG_H
#define DUNLIN_DRIVE_CONFIG_H

#include "drive/log.h"
#include "dunlin/props.h"
#include "dunlin/types.h"

/* One row each: key, kind, least, most, default, help. Numbers are counts or have their unit in the
 * name; BYTES takes a suffix (k, m, g: powers of 1024). An empty default of TEXT means "not set". */
#define CONFIG_KEYS(X)                                                                             \
	X(name, TEXT, 0, MEMBER_NAME_BYTES_MAX, "", "name for people; the host name if not set")       \
	X(dir, TEXT, 1, CONFIG_TEXT_BYTES_MAX - 64, "data", "directory of the data; made if absent")   \
	X(http, ADDRESS, 0, 0, "127.0.0.1:8098", "address:port for clients")                           \
	X(peer, ADDRESS, 0, 0, "127.0.0.1:8099", "address:port for the other nodes")                   \
	X(advertise, HOSTPORT, 0, 0, "", "host:port at which others reach `peer`; `peer` if not set")  \
	X(join, LIST, 0, JOIN_ADDRESSES_MAX, "",                                                       \
	  "peer addresses (host:port, ...) to form a cluster with; may repeat; empty: a cluster of "   \
	  "one")                                                                                       \
	X(expect, NUMBER, 0, MEMBERS_MAX, "0", "how many nodes form the cluster; needed with `join`")  \
	X(zone, TEXT, 0, MEMBER_ZONE_BYTES_MAX, "", "rack or site; replicas are spread over zones")    \
	X(weight, NUMBER, 1, MEMBER_WEIGHT_MAX, "100", "share of the data, relative to other nodes'")  \
	X(partitions, NUMBER, 1, PARTITIONS_MAX, "256", "partitions of a new cluster, a power of two") \
	X(replicas, NUMBER, 0, REPLICAS_MAX, "0",                                                      \
	  "copies of each key in a new cluster; 0: 3, or as many as there are nodes")                  \
	X(key_file, TEXT, 0, CONFIG_TEXT_BYTES_MAX - 1, "",                                            \
	  "file with the cluster key, 64 hex digits a line (a second line: also accepted)")            \
	X(riak_defaults, YESNO, 0, 1, "no",                                                            \
	  "allow_mult=false for the default bucket type, as in Riak")                                  \
	X(insecure, YESNO, 0, 1, "no",                                                                 \
	  "serve clients without authentication on an address that is not loopback")                   \
	X(site_check, YESNO, 0, 1, "yes",                                                              \
	  "refuse writes that a browser sends for a page of another site (Origin, Referer)")           \
	X(bucket_type, TYPES, 0, BUCKET_TYPES_MAX, "",                                                 \
	  "a bucket type and its defaults: NAME property=value ...; may repeat")                       \
	X(listing, YESNO, 0, 1, "yes", "keys and buckets may be listed; it reads everything")          \
	X(value_bytes_max, BYTES, 1, VALUE_BYTES_MAX, "8m", "largest value; above it: 413")            \
	X(siblings_max, NUMBER, 1, SIBLINGS_MAX, "100", "siblings a write may leave; above it: 503")   \
	X(hint_after_ms, NUMBER, 1, 60000, "500", "a replica this late gets a hint")                   \
	X(hint_window_ms, NUMBER, 1000, 2592000000, "10800000",                                        \
	  "hints older than this are dropped, and read repair is left to mend it")                     \
	X(reap_period_ms, NUMBER, 100, 86400000, "300000",                                             \
	  "between two rounds that let go of tombstones and of what has expired")                      \
	X(hint_bytes_max, BYTES, KIB(4), MIB(1048576), "1g",                                           \
	  "hints kept for other nodes, in bytes; above it: dropped")                                   \
	X(stand_ins_max, NUMBER, 1, STAND_INS_MAX, "10000000",                                         \
	  "copies kept in the place of other nodes; above it: refused")                                \
	X(stand_in_bytes_max, BYTES, KIB(4), MIB(1048576), "16g", "the same, in bytes")                \
	X(requests_max, NUMBER, 8, COORD_SLOTS_MAX, "8192",                                            \
	  "client requests in flight; above it: 503")                                                  \
	X(peer_requests_max, NUMBER, 8, REPLICA_SLOTS_MAX, "8192", "peers' requests in flight")        \
	X(pool_bytes, BYTES, MIB(16), POOL_BYTES_MAX, "1g",                                            \
	  "memory for the bytes of requests in flight, a power of two")                                \
	X(connections_max, NUMBER, 1, HTTP_CONNECTIONS_MAX, "4096", "connections of clients")          \
	X(request_timeout_ms, NUMBER, 10, 3600000, "60000",                                            \
	  "a request must have arrived this long after its first byte; else 408")                      \
	X(idle_timeout_ms, NUMBER, 10, 86400000, "300000", "a silent connection is closed after this") \
	X(cache_bytes, BYTES, MIB(1), MIB(1048576), "64m", "memory for the store's cache of blocks")   \
	X(record_cache_bytes, BYTES, 0, MIB(1048576), "32m",                                           \
	  "memory for objects read or written last; 0: none")                                          \
	X(readers, NUMBER, 1, 64, "2", "threads that read what is not in the cache")                   \
	X(log_level, LEVEL, 0, 0, "info", "error, warn, info or debug")

struct config_list {
	uint32_t count;
	uint32_t source; /* who wrote it: a higher source replaces a lower one's */
	char (*items)[MEMBER_ADDRESS_BYTES_MAX + 1]; /* heap; config_free */
};

struct config_types {
	uint32_t count;
	uint32_t source;
	struct bucket_type *items; /* heap, names too; config_free */
};

typedef char config_text[CONFIG_TEXT_BYTES_MAX];

/* What each kind is in C. */
#define CONFIG_TYPE_TEXT config_text
#define CONFIG_TYPE_ADDRESS config_text
#define CONFIG_TYPE_HOSTPORT config_text
#define CONFIG_TYPE_LIST struct config_list
#define CONFIG_TYPE_TYPES struct config_types
#define CONFIG_TYPE_NUMBER uint64_t
#define CONFIG_TYPE_BYTES uint64_t
#define CONFIG_TYPE_YESNO bool
#define CONFIG_TYPE_LEVEL enum log_level

struct config {
#define X(key, kind, least, most, value, help) CONFIG_TYPE_##kind key;
	CONFIG_KEYS(X)
#undef X
};

/* Why a configuration was refused: one line for people, without a newline. */
struct config_error {
	char text[2 * CONFIG_TEXT_BYTES_MAX];
};

/* Rising: a later source replaces an earlier one's value. */
enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

/* One row of the table, for help texts and checks. */
struct config_key {
	const char *name, *kind, *value, *help; /* kind: what was expected, as an error says it */
	uint64_t least, most;
};
unsigned config_key_count(void);
struct config_key config_key_at(unsigned index);
/* Index of a key, with '-' standing for '_' too; -1 if there is none. */
int config_key_find(const char *name);

/* All false: *error says why. */
void config_init(struct config *c); /* the defaults */
bool config_set(struct config *c, enum config_source source, const char *where, const char *key,
                const char *value, struct config_error *error);
/* What config_set says of a key that is not in the table. */
void config_refuse_key(const char *where, const char *key, struct config_error *error);
bool config_file(struct config *c, const char *path, struct config_error *error);
/* `environment` is NULL-terminated, "NAME=value". */
bool config_environment(struct config *c, char *const *environment, struct config_error *error);
/* The rules that tie keys together; fills in what is derived (name, advertise, replicas). */
bool config_check(struct config *c, struct config_error *error);
void config_free(struct config *c);

/* config_types.c: "NAME property=value ..., NAME ..."; false: it is none. */
bool config_types_set(struct config_types *t, enum config_source source, const char *text);
void config_types_free(struct config_types *t);
/* The value of a property as it is written; false: it may not have that. */
bool config_prop_value(unsigned prop, struct bytes text, int64_t *value);

/* The key of the environment for a key of the table: DUNLIN_KEY_FILE for key_file. */
void config_environment_name(char *to, size_t capacity, const char *key);
/* Split host:port or [v6]:port; false if it is neither. `host` without the brackets. */
bool config_split_address(const char *address, char *host, size_t capacity, uint16_t *port);
/* Is it a loopback address (127/8, ::1, localhost)? */
bool config_is_loopback(const char *address);
/* Could `typed` be a mistyped `name`? */
bool config_is_near(const char *typed, const char *name);
/* The name that is nearest to a mistyped one, or NULL when none is near. `next` gives the i-th name,
 * NULL at the end. */
const char *config_nearest(const char *typed, const char *(*next)(unsigned i));
const char *config_nearest_key(const char *typed);

#endif
