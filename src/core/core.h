/* core.h - the private shapes of the core: the node and its slots. Who handles what: calls.h.
 *
 * Every request in flight is a slot: of a client (coord), of a peer (replica), of a hint in delivery
 * (hint_slot), of the node itself (chore). A slot has an arena for its bytes, a timer, and a ticket
 * that store effects and messages bring back. Its end is deferred: slot_end marks it, and it is
 * released when the next step begins, because effects of this step may borrow from it. */
#ifndef DUNLIN_CORE_H
#define DUNLIN_CORE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/heap.h"
#include "base/panic.h"
#include "base/prng.h"
#include "base/slots.h"
#include "core/actor.h"
#include "core/budget.h"
#include "core/foreground.h"
#include "core/keys.h"
#include "core/object.h"
#include "core/latency.h"
#include "core/list.h"
#include "core/props.h"
#include "core/quorum.h"
#include "core/reap.h"
#include "dunlin/node.h"
#include "ring/layout.h"
#include "ring/ring.h"

/* ---- slots --------------------------------------------------------------------------------- */

enum pool_id { SLOT_COORD = 1, SLOT_REPLICA, SLOT_HINT, SLOT_KEY, SLOT_CHORE };

/* One atomic batch on its way to the store, in its slot's arena. The store answers in order, so the
 * first of a slot's list is the one that is answered next. */
struct write {
	struct write *next;
	int32_t hints, stand_ins; /* by how much it changes the number that is held, and the bytes */
	int64_t hint_bytes, stand_in_bytes;
	uint32_t count, room;
	struct store_op ops[];
};

/* What every slot begins with. */
struct slot {
	struct ticket self;
	struct timer timer;
	uint64_t born; /* the how-manieth */
	struct arena arena;
	uint32_t store_open;  /* store effects not answered yet: they borrow from the arena */
	struct write *writes; /* of these, the writes, oldest first */
	bool ended;
};

/* ---- a client's request (coord_*.c) -------------------------------------------------------- */

/* Quorums of one request, resolved against the bucket's n. */
struct needs {
	uint8_t n, r, pr, w, pw, dw, confirms;
	uint8_t replies; /* that a read waits for: r, or confirms */
	bool notfound_ok, basic_quorum;
};

/* One node that is asked: a primary, or a fallback that stands for one. */
struct target {
	uint16_t member;
	uint8_t place; /* which of the n primaries it is, or stands for */
	bool fallback;
	bool replaced; /* it failed, and another target stands for the same place */
	/* PUT */
	struct hlc fence; /* what this node had promised when the write was sent (reap.c) */
	/* GET */
	struct bytes object; /* what it holds, encoded; empty: nothing, or all of it is in another's */
	bool found;
	bool answered;     /* it said what it holds, or that it holds nothing */
	bool asked, whole; /* `whole`: for the object, however large */
	bool hedged;       /* another one was asked because it took long */
	bool summarized;   /* it gave a digest, and what its object has seen */
	bool differs;      /* its object is not the digest's that all of it is in */
	struct instant asked_at;
	uint8_t digest[16];
	struct dvv seen;
};

enum coord_phase {
	COORD_FREE,
	PUT_QUEUED,  /* waits for its turn on the key */
	PUT_CLOCK,   /* waits for a reservation of the clock */
	PUT_WAITING, /* minted; written and sent */
	PUT_REPLIED, /* answered; waits for the rest, to hint what is missing */
	GET_WAITING,
	GET_REPLIED,   /* answered; waits for the rest, to repair what is stale */
	GET_REPAIRING, /* traced: waits until those that were repaired have confirmed it */
	FORWARDED,     /* another node coordinates */
	COMPARING,
	PROPS_ASKING, /* every member is asked whether it holds data of the bucket */
	PROPS_QUEUED, /* another change is being written */
	PROPS_WRITING,
	PROPS_TELLING, /* in force here; waits until the others have it too */
	LISTING
};

/* A forwarded request that was taken: should the network bring it twice, it is minted once. */
enum { FORWARD_WAYS = 8 };
struct forward_seen {
	struct node_id from;
	struct ticket id;
};

/* One replica's page of a compare. */
struct compare_side {
	uint16_t member;
	bool done, asked;
	uint32_t at, count;
	struct scan_entry *entries;
	struct arena page;
};

struct coord {
	struct slot slot;
	enum coord_phase phase;
	/* Whom to answer: a client, or the node that forwarded to us. */
	struct client_ref client;
	bool remote;
	struct node_id remote_node;
	struct ticket remote_id;

	struct request request; /* in the arena */
	struct key_hash hash;
	struct partition_id partition;
	struct needs needs;
	struct instant began, deadline, hint_at;
	struct quorum quorum;
	struct target targets[TARGETS_MAX];
	uint32_t target_count;
	uint32_t notfounds, errors; /* GET: answers that found nothing, and ones that failed */
	uint8_t order[TARGETS_MAX]; /* GET: in which targets are asked; up to `order_at` they were */
	uint8_t order_at;
	bool everyone;       /* GET: asks all of them */
	struct dvv at_least; /* GET: what the answer must have seen */
	bool mult;           /* siblings are kept (allow_mult) */
	bool blind_delete;   /* a DELETE without context: reads first */
	bool conditional;    /* reads first, and is done only if its conditions hold */
	uint8_t bucket_asks; /* of a conditional write: BUCKET_ bits */
	struct bytes found;  /* what that read found, encoded */
	uint64_t ttl_s;

	struct dvv context; /* PUT: what the client was shown */
	struct key_op op;
	struct bytes object; /* PUT: the merged object as written and sent */
	struct dot dot;
	bool replied, minted;
	uint32_t hinted;           /* places for which an extra hint is kept */
	uint32_t asked, repairing; /* traced: targets that were asked, that a repair was sent to */
	bool writing;              /* traced: it is a write's turn, no look before it */

	uint16_t forwarded_to;
	struct member_set tried; /* members that a forward went to */

	struct compare_side *sides;
	uint32_t side_count;
	struct compare_result compared;
	struct hlc compared_as_of; /* digests are of what this horizon leaves */
	struct bytes *examples;
	struct bytes compare_prefix;

	struct props_change *change;
	struct listing *list;
};

/* ---- a peer's request (replica.c) ---------------------------------------------------------- */

enum replica_kind {
	REPLICA_READ,
	REPLICA_MERGE,
	REPLICA_SCAN,
	REPLICA_LIST, /* the names on one page of a partition */
	REPLICA_HELD, /* is there any record of a bucket? */
	REPLICA_REAP, /* our own: let go of what is dead */
	REPLICA_PURGE /* our own: remove a damaged record that no other replica can mend */
};

struct replica {
	struct slot slot;
	enum replica_kind kind;
	struct node_id from; /* {0}: ourselves; nobody waits for an answer */
	struct ticket id;
	bool verifying; /* part of a verification, which waits for it */
	bool complete;  /* MERGE: what comes is all that a replica which vouches holds of the key */
	struct msg_scan scan; /* as it was asked for; its bytes are in `after` */
	bool whole;           /* READ: the object, however large */
	struct bytes key, incoming;
	struct bytes prefix, after; /* LIST, HELD */
	struct arena_mark kept;     /* what comes behind it is of one page */
	bool buckets;
	uint32_t most;
	struct partition_id partition;
	struct key_op op;
};

/* ---- hints in delivery (hint.c, courier.c) --------------------------------------------------- */

enum { HINT_RECORDS_MAX = 16 };
enum hint_phase { HINT_READING, HINT_SENT, HINT_DROPPING, HINT_DELETING };

struct hint_slot {
	struct slot slot;
	enum hint_phase phase;
	bool stand_in;
	uint32_t lane;                          /* it was begun in */
	struct node_id target;                  /* of an extra hint */
	struct bytes records[HINT_RECORDS_MAX]; /* keys in the hints family */
	uint32_t record_count;
	uint64_t record_bytes;
	struct bytes key, object;
	struct target targets[REPLICAS_MAX];
	uint32_t target_count;
	uint32_t waiting;  /* targets (bits) that count it among what is open to them */
	uint64_t estimate; /* bytes that were paid for before its size was known */
	uint8_t confirmed; /* stand-in: places that hold it */
	bool dropped;
	struct quorum quorum;
	struct key_op op;
};

/* The oldest write that is kept for one node (lag.c): its time, ms; 0: none. What a way or a sweep under
 * way has seen, and what was written since it began. */
struct lag {
	uint64_t oldest_ms, seen_ms[2], noted_ms[2];
};

/* What is kept for one node, on its way there. Two more lanes have no node: of the stand-in copies, and
 * of the sweep, which delivers nothing. A way leads through all records of the lane. */
struct lane {
	struct node_id node;     /* of which its state is told; another one at its place begins anew */
	bool away;               /* was down when last looked at */
	bool walking, ended;     /* on its way; all records of it were begun */
	bool woken;              /* somebody came back meanwhile: the next way begins at once */
	bool from_first;         /* it began with the first record */
	bool missed;             /* some record of this way was not read */
	uint32_t pending;        /* deliveries begun in this lane */
	uint32_t delivered;      /* on this way */
	uint32_t open, window;   /* deliveries that wait for this node, and how many may */
	uint32_t failures;       /* since it last confirmed one */
	struct instant next;     /* when the next way begins */
	struct instant forgiven; /* after a failure: nothing is sent before */
	uint64_t pause_us;       /* between two ways; grows while nothing can be delivered */
	struct budget rate;      /* bytes to this node */
	struct bytes after;      /* in `arena`: the last record that was begun */
	struct arena arena;
	struct lag hints, copies; /* of member lanes */
};

enum { LANE_STAND_INS = MEMBERS_MAX, LANE_SWEEP, LANE_COUNT };

/* What is held, as it was counted. Ages: wall clock; 0: nothing is. */
struct hint_tally {
	uint64_t hints, hint_bytes, stand_ins, stand_in_bytes;
	uint64_t oldest_hint_ms, oldest_stand_in_ms;
};

struct courier {
	struct lane *lanes;  /* LANE_COUNT: of members by index, and the two others */
	bool asked;          /* a page is being read, for: */
	uint32_t asked_lane; /* the lane that had the last turn, too */
	bool busy;           /* deliveries are being begun */
	uint32_t
		blocked_on; /* the stand-in copies wait for room at this member; MEMBERS_MAX: for none */
	struct instant wake;  /* when somebody may be sent more bytes */
	uint64_t mean_bytes;  /* of an object that was delivered */
	struct ticket newest; /* the delivery begun last: more records may join it */
	bool uncertain;       /* a write failed that would have changed what is held: count again */
	uint64_t changes, changes_at_start; /* writes of hint records that were answered */
	struct instant sweep_began;
	bool whole;             /* the sweep missed nothing */
	struct hint_tally seen; /* by this sweep */
	uint64_t oldest_hint_ms, oldest_stand_in_ms;
};

/* ---- what the node does for itself (chore.c) ------------------------------------------------ */

enum chore_kind {
	CHORE_BOOT,        /* identity and start nonce */
	CHORE_COUNT_HINTS, /* at boot */
	CHORE_RESERVE,     /* the clock */
	CHORE_VOTE,
	CHORE_LAYOUT,
	CHORE_SUSPECT, /* which partitions are not vouched for */
	CHORE_HINT_PAGE,
	CHORE_VERIFY,
	CHORE_MEMORY, /* beats */
	CHORE_REAP,   /* the horizon */
	CHORE_PROPS   /* a page of bucket properties */
};

struct chore {
	struct slot slot;
	enum chore_kind kind;
	struct bytes layout;          /* of VOTE and LAYOUT */
	uint64_t beat;                /* of MEMORY */
	struct hlc horizon, promised; /* of REAP */
	struct props_entry *entries;  /* of PROPS: as they will be */
	uint32_t entry_count;
};

/* ---- peers and forming (member.c, form.c) --------------------------------------------------- */

struct peer {
	struct node_id id;
	bool connected; /* we can send to it */
	bool up;
	struct latency reads; /* its answers to our reads */
	struct instant heard;
	uint64_t start_nonce;
	uint64_t beat;  /* the newest that it told us, in any of its lives and ours */
	bool confirms;  /* it heard no beat of ours that is later than our own */
	bool mortal;    /* it may hold tombstones */
	bool props_met; /* its bucket properties were ours, when last heard */
	bool offset_known;
	int64_t offset_ms; /* its wall clock minus ours */
	/* While the cluster forms. */
	bool unformed, voted;
	uint16_t expect;
	uint32_t weight;
	uint8_t name_len, address_len, zone_len;
	uint8_t name[MEMBER_NAME_BYTES_MAX];
	uint8_t address[MEMBER_ADDRESS_BYTES_MAX];
	uint8_t zone[MEMBER_ZONE_BYTES_MAX];
};

/* ---- what the disk should know (memory.c) ------------------------------------------------------ */

struct memory {
	uint64_t beat; /* durable */
	uint64_t lost; /* 0, or a later one that somebody heard from us */
	struct instant next;
	bool confirmed; /* the others know of nothing later: this node vouches for its memory */
	bool dirty;     /* something was stored since the last beat */
	bool heard;     /* others' beats changed since they were stored */
	bool busy;      /* the record is being written */
};

/* ---- verification of a partition (verify.c) -------------------------------------------------- */

/* What a walk through partitions is for. */
enum verify_job {
	VERIFY_SUSPECTS, /* to vouch for them again */
	VERIFY_MATCH,    /* a reap round: to hold what every other replica holds */
	VERIFY_SWEEP     /* a reap round: to let go of what is dead */
};

enum verify_phase {
	VERIFY_IDLE,
	VERIFY_ASKED,   /* another replica, for a page */
	VERIFY_MERGING, /* that page into our own store */
	VERIFY_JOINING, /* our own store, for what that page does not name */
	VERIFY_FORGETTING,
	VERIFY_SCANNING, /* our own store, for records that are damaged still, or dead */
	VERIFY_PURGING,
	VERIFY_SWEEPING
};

struct verify {
	enum verify_phase phase;
	struct instant next, give_up;
	enum verify_job job;  /* of the partition under way */
	enum verify_job walk; /* and of the walk that is wanted: MATCH, SWEEP, or none */
	uint32_t walk_at;     /* its next partition */
	struct partition_id partition, suspect;
	bool all_vouch; /* every other replica that was pulled from */
	bool again;     /* something was not merged, or went with a damaged record: once more */
	uint32_t side;  /* which place of the preference list is pulled from */
	bool last_page;
	uint32_t open;      /* merges or purges under way */
	uint32_t stray;     /* of these, also under way, those of a walk that was stopped */
	bool busy;          /* one is being begun: its end does not begin the next */
	uint32_t at, count; /* next entry of the page, entries in it */
	struct scan_entry *entries;
	struct scan_entry
		*page_entries; /* of the other replica's page, while ours are joined with it */
	uint32_t page_count;
	bool join_done;
	struct bytes before, after; /* where the page began, and where the next one does; in `cursor` */
	struct bytes joined;        /* of our own, up to here; in `own` */
	struct arena page, cursor, own;
	struct ticket ask, scan;
};

/* ---- the node -------------------------------------------------------------------------------- */

enum node_phase { NODE_BOOTING, NODE_FORMING, NODE_SERVING };

struct node {
	struct node_config config;
	enum node_phase phase;
	struct instant now, last_step;
	struct effects *step_effects; /* of the step under way: what ends a request has none at hand */
	struct wall wall;
	struct node_id self;
	uint64_t start_nonce, previous_nonce;
	struct prng prng;
	struct clock clock;
	struct forward_seen *forwards; /* FORWARDS_REMEMBERED of them, in sets */
	enum err clock_err;            /* of the last reservation */
	struct instant full_until;     /* the disk was full: until then others coordinate writes */
	bool clock_off;                /* too far from the median of the members' clocks */
	int64_t wall_ahead_ms;         /* wall clock less monotonic, when last looked at */

	struct pool pool;
	struct arena arena; /* what lives as long as the node */
	struct slots coords, replicas, hints, keys, chores;
	struct ticket *doomed;
	uint32_t doomed_count;
	uint32_t *key_chains; /* hash table of key entries: index + 1 */
	uint32_t key_chain_count;
	struct ticket ready_first, ready_last; /* keys whose turns found no room */
	struct heap timers;
	uint32_t sweep_at; /* coord slots from here on have not looked at the peers' last change */

	struct layout layout;
	struct bytes layout_bytes, vote;
	uint8_t vote_hash[LAYOUT_HASH_BYTES];
	bool formed, vote_durable;
	bool forming;        /* a vote or a layout is being written */
	bool foreign_layout; /* the stored layout does not name us */
	bool boot_failed;
	uint16_t self_member;
	struct peer *peers; /* formed: by member index; before: in order of acquaintance */
	uint32_t peer_count;
	struct member_set up; /* formed: members believed up, this node included */
	struct instant next_heartbeat, serving_since;
	bool settled; /* it is known who is there: see member.c */
	uint32_t beat_at;
	bool form_due;
	uint32_t list_size; /* addresses in the join list, our own included */

	uint32_t boot_chores; /* still to be done before we serve */
	struct hlc boot_reserved;
	struct courier courier;
	struct memory memory;
	struct reap reap;
	uint64_t births; /* of slots */
	struct verify verify;
	struct props_map props;
	struct budget background;
	struct foreground foreground;
	bool draining;                       /* coordinates nothing new, stands in for nobody */
	uint32_t hedge_credit;               /* HEDGE_ONE_IN of it pay for a hedge */
	uint32_t lists;                      /* under way */
	uint8_t suspect[PARTITIONS_MAX / 8]; /* partitions whose memory is not vouched for */
	struct node_metrics counters;
};

#include "core/calls.h"

#endif
