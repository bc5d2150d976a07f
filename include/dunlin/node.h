/* node.h - the only door to the core.
 *
 * One `struct node` is one shard of one process: no globals, no I/O, no allocation after node_init.
 * The outside turns what happens into events, calls node_step, and does what the effects ask.
 *
 *   boot:  node_init, one node_boot_record per record of the meta family, node_start
 *   run:   node_step for each event; EV_TICK at node_deadline
 *
 * The same object files run in the server and in the simulator. */
#ifndef DUNLIN_NODE_H
#define DUNLIN_NODE_H

#include "dunlin/effect.h"
#include "dunlin/event.h"

struct node;
struct layout; /* ring/layout.h */

struct node_config {
	struct bytes name, address, zone; /* address: host:port of the peer port, as others reach it */
	struct bytes http;                /* host:port at which clients reach it; empty: not known */
	uint32_t weight;                  /* 0: 100 */
	const struct bytes *join;         /* addresses to form with, own one included or not */
	uint32_t join_count;              /* 0: form a cluster of one */
	uint32_t expect;                  /* members of layout 1 */
	uint32_t partitions;              /* of layout 1, 0: PARTITIONS_DEFAULT */
	uint32_t replicas;                /* of layout 1, 0: REPLICAS_DEFAULT; at most `expect` */
	bool riak_defaults;               /* allow_mult=false for the default type */
	const struct bucket_type *types;  /* declared bucket types; copied */
	uint32_t type_count;              /* at most BUCKET_TYPES_MAX */
	uint32_t siblings_max;            /* 0: SIBLINGS_MAX */
	uint64_t hint_after_us;           /* 0: HINT_AFTER_US */
	uint64_t reap_period_us;          /* 0: REAP_PERIOD_US */
	uint32_t read_all_one_in;         /* 0: READ_ALL_ONE_IN; 1: reads ask all replicas */
	uint32_t read_whole_bytes;        /* 0: READ_WHOLE_BYTES */
	/* What is kept for others; 0: the limits.h values. */
	uint64_t hints_max, hint_bytes_max, hint_window_ms, stand_ins_max, stand_in_bytes_max;
	uint32_t coord_slots, replica_slots; /* 0: the limits.h values */
	uint8_t entropy[64];                 /* from the system, fresh at each start */
};

/* Bytes of memory that node_init wants, aligned to 64. `memory` stays the caller's. */
size_t node_memory(const struct node_config *config);
/* `memory` must be zeroed (fresh from mmap or calloc). `pool` of `pool_bytes` (a power of two, at
 * least MIB(1)) holds the bytes of requests in flight; it need not be zeroed. */
struct node *node_init(void *memory, const struct node_config *config, void *pool,
                       size_t pool_bytes);

/* One record of the store's meta family, in any order, before node_start. ERR_BAD_BYTES: this
 * directory was written by something else, a newer version, or is damaged: do not start. */
enum err node_boot_record(struct node *n, struct bytes key, struct bytes value);

/* The first step: what must be durable before anything else. */
void node_start(struct node *n, struct instant now, struct wall wall, struct effects *fx);

void node_step(struct node *n, const struct event *ev, struct effects *fx);

/* When node_step wants an EV_TICK at the latest. It may be in the past: then at once. */
struct instant node_deadline(const struct node *n);

/* ---- looking in, for /ready, /admin, /metrics and the simulator -------------------------------- */

/* This start could not be recorded (a full disk, at the first start of all): end the process. */
bool node_cannot_start(const struct node *n);
struct node_id node_self(const struct node *n);
bool node_is_ready(const struct node *n); /* formed and serving, and not being drained */
bool node_is_draining(const struct node *n);
/* No request of a client is under way, nor what follows its answer (hints for who is late). */
bool node_is_idle(const struct node *n);
/* The properties in force; bucket empty: of the type. ERR_NO_TYPE. */
enum err node_props(const struct node *n, struct bytes type, struct bytes bucket,
                    struct props *out);
const struct layout *node_layout(const struct node *n); /* NULL until formed */
bool node_believes_up(const struct node *n, struct node_id peer);
/* Age of the oldest write that the member has not confirmed, of those that this node keeps for it. */
uint64_t node_lag_ms(const struct node *n, struct node_id peer);
/* Why it is not ready, or what it misses; a sentence for people. "" when all is well. */
const char *node_trouble(const struct node *n);
/* How reaping goes, as this node sees it. */
struct node_reaping {
	struct hlc horizon;       /* what is dead at or below it may go */
	struct hlc round;         /* the latest that it takes part in */
	bool mortal;              /* it may hold tombstones, or what expires */
	bool proposes;            /* it leads the round under way */
	enum reap_step step;      /* of the round under way; REAP_IDLE: none */
	struct node_id waits_for; /* who has not answered that step */
};
void node_reaping(const struct node *n, struct node_reaping *out);

/* Counters since the start, and gauges. One row each: name, kind, help. */
#define NODE_METRICS(X)                                                                            \
	X(client_gets, COUNTER, "client reads coordinated")                                            \
	X(client_puts, COUNTER, "client writes coordinated")                                           \
	X(client_deletes, COUNTER, "client deletes coordinated")                                       \
	X(client_counter_gets, COUNTER, "of the client reads, those of counters")                      \
	X(client_increments, COUNTER, "client increments of counters coordinated")                     \
	X(forwards_sent, COUNTER, "writes handed to a node of the key's preference list")              \
	X(forwards_taken, COUNTER, "writes coordinated for a node that forwarded them")                \
	X(requests_busy, COUNTER, "requests refused because a slot or the pool was exhausted")         \
	X(requests_failed, COUNTER, "requests answered 503 for other reasons")                         \
	X(replica_gets, COUNTER, "reads answered for a coordinator")                                   \
	X(replica_puts, COUNTER, "objects merged for a coordinator")                                   \
	X(replica_puts_unchanged, COUNTER, "of those, the ones that brought nothing new")              \
	X(read_repairs, COUNTER, "objects sent to a stale replica after a read")                       \
	X(read_hedges, COUNTER, "replicas asked because another one took long to answer a read")       \
	X(read_hedges_withheld, COUNTER, "of those, the ones not asked: too many of them")             \
	X(read_fetches, COUNTER, "large objects fetched after a digest that differed")                 \
	X(reads_widened, COUNTER, "session reads that had to ask more replicas")                       \
	X(siblings_seen, COUNTER, "reads that found more than one sibling")                            \
	X(siblings_dropped_lww, COUNTER, "siblings dropped by last-write-wins")                        \
	X(siblings_refused, COUNTER, "writes refused at siblings_max")                                 \
	X(stand_ins_taken, COUNTER, "stand-in copies stored for an unreachable primary")               \
	X(stand_ins_delivered, COUNTER, "stand-in copies delivered to the primaries and dropped")      \
	X(stand_ins_refused, COUNTER, "stand-in copies refused for want of room, or while draining")   \
	X(stand_ins, GAUGE, "stand-in copies held now")                                                \
	X(stand_in_bytes, GAUGE, "bytes of their objects")                                             \
	X(stand_ins_oldest_seconds, GAUGE, "age of the oldest of them, when last looked over")         \
	X(hints_kept, COUNTER, "extra hints written for a primary that missed a write")                \
	X(hints_delivered, COUNTER, "extra hints delivered")                                           \
	X(hints_dropped, COUNTER, "extra hints dropped past their window or limit")                    \
	X(hints, GAUGE, "extra hints held now")                                                        \
	X(hint_bytes, GAUGE, "bytes of their records")                                                 \
	X(hints_oldest_seconds, GAUGE, "age of the oldest of them, when last looked over")             \
	X(hint_deliveries_failed, COUNTER,                                                             \
	  "hints and copies sent to a node that did not confirm them")                                 \
	X(props_changes, COUNTER, "changes of bucket properties taken from clients")                   \
	X(props_buckets, GAUGE, "buckets and types with properties of their own")                      \
	X(conditions_failed, COUNTER, "writes refused because a condition did not hold")               \
	X(lists, COUNTER, "listings begun")                                                            \
	X(background_waits, COUNTER, "times background work waited for the byte budget")               \
	X(background_bytes_per_s, GAUGE, "the byte budget; it shrinks while clients wait longer")      \
	X(foreground_p99_us, GAUGE, "p99 of own client requests in the last window, for that")         \
	X(draining, GAUGE, "1 while the node is being drained")                                        \
	X(late_answers, COUNTER, "answers that came after their request had ended")                    \
	X(peers_down_events, COUNTER, "times a peer was found down")                                   \
	X(peers_up, GAUGE, "peers believed up")                                                        \
	X(actors_drawn, COUNTER, "new actors drawn")                                                   \
	X(clock_waits, COUNTER, "writes that waited for a reservation of the clock")                   \
	X(clock_refused, COUNTER, "writes refused because the clock is off")                           \
	X(clock_offset_ms, GAUGE, "own clock minus the median of all members' clocks (absolute)")      \
	X(store_failures, COUNTER, "failed store writes")                                              \
	X(corrupt_records, COUNTER, "damaged records met")                                             \
	X(corrupt_purged, COUNTER, "damaged records removed that no other replica could mend")         \
	X(suspect_partitions, GAUGE, "partitions whose memory is not vouched for")                     \
	X(old_copies, COUNTER, "times the disk turned out to be an older copy of itself")              \
	X(memory_confirmed, GAUGE,                                                                     \
	  "1: more than half of the members know of no later state of this disk")                      \
	X(reap_rounds, COUNTER, "rounds of reaping that this node took part in to the end")            \
	X(reap_step, GAUGE, "step of the round under way: 1 promise to 4 sweep; 0: none")              \
	X(reap_horizon_seconds, GAUGE,                                                                 \
	  "how long ago everything dead was last proven to be nowhere else; 0: never")                 \
	X(reaped, COUNTER, "keys of which tombstones or expired values were let go of")                \
	X(reap_left, GAUGE, "keys that the last round left tombstones or mortal values of")            \
	X(writes_too_late, COUNTER, "writes from before a round of reaping, refused")                  \
	X(verified_partitions, COUNTER, "partitions verified against all other replicas")              \
	X(coord_slots_used, GAUGE, "client requests in flight")                                        \
	X(replica_slots_used, GAUGE, "peers' requests in flight")                                      \
	X(keys_in_flight, GAUGE, "keys with a write in flight")                                        \
	X(pool_bytes_used, GAUGE, "bytes held by requests in flight")

struct node_metrics {
#define X(name, kind, help) uint64_t name;
	NODE_METRICS(X)
#undef X
};
void node_metrics(const struct node *n, struct node_metrics *out);

#endif
