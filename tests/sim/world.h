/* world.h - a whole cluster in one thread, on virtual time.
 *
 *   heap of agenda items --> world_run pops the earliest --> its room handles it:
 *
 *     net.c       a packet arrives; a connection is made or breaks
 *     disk.c      a read, scan or group commit is done
 *     proc.c      a process starts, stands still, goes on; its clock tells it to tick
 *     fault.c     trouble begins or ends
 *     workload.c  a client acts or gives up
 *     counting.c  the same, of clients that count
 *     operator.c  properties are changed, keys listed
 *     final.c     heal, wait, read everything, look into the stores
 *
 * Whatever happens to a node ends in world_step, the only caller of node_step: one event in, effects
 * out, each performed at once (a store write, a packet, a reply to a client) and never nested. A
 * process may be told to die before its next effects are done: that is a crash at any boundary.
 * Everything that chance decides comes from one seed (chance.h), so a seed is a run. */
#ifndef DUNLIN_SIM_WORLD_H
#define DUNLIN_SIM_WORLD_H

#include "dunlin/node.h"
#include "store/store.h"
#include "tests/sim/asks.h"
#include "tests/sim/bounds.h"
#include "tests/sim/chance.h"
#include "tests/sim/check.h"
#include "tests/sim/history.h"
#include "tests/sim/options.h"

/* Virtual time begins here, so that 0 stays "nothing". */
#define SIM_BEGIN_US SECONDS(1)
#define SIM_PARTITIONS 16
#define SIM_POOL_BYTES MIB(4)
/* This many agenda items at one instant are a livelock. */
#define SIM_ITEMS_AT_ONCE_MAX 200000

enum agenda_kind {
	AGENDA_PACKET,        /* p: packet */
	AGENDA_CONNECT,       /* a, b: try to connect */
	AGENDA_PEER_UP,       /* a learns of b; x: b's start */
	AGENDA_PEER_DOWN,     /* a learns that its connection to b broke */
	AGENDA_BREAK,         /* a, b: a cut connection gives up */
	AGENDA_READ,          /* p: disk_read */
	AGENDA_SCAN,          /* p: disk_scan */
	AGENDA_COMMIT,        /* the group of disk a is on stable storage */
	AGENDA_TICK,          /* node a asked for it */
	AGENDA_RESTART,       /* node a starts */
	AGENDA_RESUME,        /* node a goes on */
	AGENDA_FAULT,         /* trouble of kind x strikes */
	AGENDA_FAULT_END,     /* p: trouble */
	AGENDA_REQUEST,       /* p: a client's request arrives */
	AGENDA_CLIENT,        /* client a acts */
	AGENDA_CLIENT_END,    /* client a gives up on operation x */
	AGENDA_COUNT,         /* counting client a acts */
	AGENDA_COUNT_END,     /* counting client a gives up on question x */
	AGENDA_OPERATOR,      /* the operator acts */
	AGENDA_OPERATOR_MORE, /* node a is asked for the page behind ticket x */
	AGENDA_FINAL,         /* the next stage of the end */
	AGENDA_KINDS
};

struct agenda_item {
	uint64_t at_us, order;
	enum agenda_kind kind;
	uint16_t a, b;
	uint32_t start; /* of node a, when it was put in; 0: any */
	uint64_t x;
	void *p;
};

enum proc_state { PROC_DOWN, PROC_UP, PROC_PAUSED };

/* One store write that the node waits for. */
struct disk_write {
	struct ticket ticket;
	const struct store_op *ops;
	uint32_t count;
	uint64_t sum; /* of the bytes at the time of asking: they must not change until the answer */
	enum err err;
};

struct disk {
	struct store *store;
	struct disk_write *queue; /* the first `group` of them are being committed */
	uint32_t count, room, group;
	uint32_t slow_factor;            /* 1: healthy */
	uint32_t full;                   /* troubles that fill it */
	uint32_t error_ppm, misread_ppm; /* of its reads */
	bool sync_fails;                 /* the next one */
};

struct proc {
	enum proc_state state;
	struct node *node; /* NULL while down */
	void *memory, *pool;
	size_t memory_bytes;
	struct node_id id;         /* of the last start; 0 before the first */
	struct bounds bounds;      /* of this start */
	uint32_t start;            /* counts starts */
	uint32_t pauses;           /* counts them */
	uint64_t resume_us;        /* while paused */
	uint64_t clock_base_us;    /* its monotonic clock minus virtual time */
	int64_t off_us, drift_ppm; /* its wall clock: so far off at `set_us`, and so much more since */
	uint64_t set_us;
	uint64_t tick_us;     /* earliest tick on the agenda; UINT64_MAX: none */
	int64_t effects_left; /* it dies before this many more; -1: it lives */
	uint64_t restart_us;  /* after such a death: how long it stays down */
	char name[16], address[32];
	struct disk disk;
};

struct link {
	uint32_t cuts;    /* troubles that cut it */
	uint64_t slow_us; /* added to each delay */
	uint64_t last_us; /* arrival of the latest packet: nothing overtakes it */
};

struct net {
	struct link link[SIM_NODES_MAX][SIM_NODES_MAX];
	bool connected[SIM_NODES_MAX][SIM_NODES_MAX];       /* one for each pair, a < b */
	bool told_up[SIM_NODES_MAX][SIM_NODES_MAX];         /* a was told that b is up */
	struct node_id broke[SIM_NODES_MAX][SIM_NODES_MAX]; /* a is still to be told that this broke */
	uint32_t loss_ppm, dup_ppm, reorder_ppm, delay_ppm;
	uint64_t sent, dropped;
};

struct trace {
	bool on;
	struct bytes key;     /* full key to follow */
	uint64_t lines, skip; /* the first `skip` lines are not printed */
};

struct workload; /* workload.c */
struct counting; /* counting.c */
struct tracing;  /* tracing.c */
struct look;     /* look.c */
struct operator; /* operator.c */

enum stage { STAGE_FORMING, STAGE_TROUBLE, STAGE_CALM, STAGE_CHECKING, STAGE_OVER };

struct world {
	struct sim_options options;
	struct prng *prng; /* the stream of what happens now */
	struct prng chance, proc_chance[SIM_NODES_MAX];
	uint64_t now_us, order, hash, steps;
	uint64_t last_item_us, items_at_once;
	struct agenda_item *agenda;
	uint32_t agenda_count, agenda_room;
	struct proc procs[SIM_NODES_MAX];
	struct net net;
	struct effects *fx;
	struct scan_entry *scan_entries; /* for msg_unpack */
	uint64_t fault_count[FAULT_KINDS];
	uint64_t fault_mean_us; /* between two troubles of one kind */
	struct prng schedule[FAULT_KINDS];
	uint32_t strikes[FAULT_KINDS]; /* that were due */
	uint32_t strike;               /* the number of the one that strikes now */
	struct store *old_copy;        /* of that disk; NULL: none was taken yet */
	uint16_t bad_disk;             /* the one disk that is spoiled: fault_disk.c */
	uint16_t gone;                 /* who is lost for ever; SIM_NODES_MAX: nobody */
	bool early;                    /* trouble strikes while the cluster forms */
	struct asks asks;
	enum stage stage;
	uint64_t stage_us; /* when it began */
	uint32_t stage_round, compares_left;
	struct workload *workload;
	struct counting *counting;
	struct tracing *tracing;
	struct look *look;
	struct operator* operator;
	struct history history;
	struct trace trace;
	bool compare_open;
	bool failed;
	struct check_failure failure;
};

void world_init(struct world *w, const struct sim_options *options);
/* Until everything is checked or something failed. */
void world_run(struct world *w);
void world_free(struct world *w);

/* Put something on the agenda; the rest of the item is the caller's to fill. */
struct agenda_item *world_at(struct world *w, uint64_t at_us, enum agenda_kind kind);
/* Let `ev` happen to a node that is up, and perform what it asks. `now` and `wall` are filled in. */
void world_step(struct world *w, uint16_t proc, struct event *ev);
/* Perform the effects that node_start or node_step left in w->fx. */
void world_perform(struct world *w, uint16_t proc);

/* Is it lost for ever? */
bool world_is_gone(const struct world *w, uint16_t proc);
/* The first that is not. */
uint16_t world_anyone(const struct world *w);
/* How many replicas of this key (a full key) are lost with who is gone. */
uint32_t world_replicas_gone(const struct world *w, struct bytes full_key);
/* The node's own clocks, now. */
struct instant world_instant(const struct world *w, uint16_t proc);
struct wall world_wall(const struct world *w, uint16_t proc);
/* Virtual time at which a right wall clock shows that. */
uint64_t world_us_of(uint64_t unix_ms);

/* The first failure stays. */
void world_fail(struct world *w, const char *promise, uint32_t key, uint32_t write,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
/* What follows draws from that stream; returns the one before. */
struct prng *world_draw_from(struct world *w, struct prng *stream);
/* The first failure of a check, with what it says. */
void world_failed(struct world *w, const struct check_failure *f);
/* Was it served, as promised? A failure of the run if not. */
void world_ask_ended(struct world *w, uint32_t ask);
/* Into the hash of the run. */
void world_note(struct world *w, uint64_t value);

/* min <= x <= max, uniform. */
uint64_t world_between(struct world *w, uint64_t min, uint64_t max);
/* Exponential around `mean`, at most 8 times it, at least 1. */
uint64_t world_about(struct world *w, uint64_t mean);
/* True `ppm` times in a million. */
bool world_chance(struct world *w, uint32_t ppm);
bool world_may(const struct world *w, enum fault_kind kind);

/* Who answers to this id now? -1: nobody. */
int world_find(const struct world *w, struct node_id id);

#endif
