/* core.h - the private shapes of the core: the node, its slots, and who handles what.
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
#include "core/keys.h"
#include "core/object.h"
#include "core/latency.h"
#include "core/list.h"
#include "core/props.h"
#include "core/quorum.h"
#include "dunlin/node.h"
#include "ring/layout.h"
#include "ring/ring.h"

/* ---- slots --------------------------------------------------------------------------------- */

enum pool_id { SLOT_COORD = 1, SLOT_REPLICA, SLOT_HINT, SLOT_KEY, SLOT_CHORE };

/* One atomic batch on its way to the store, in its slot's arena. The store answers in order, so the
 * first of a slot's list is the one that is answered next. */
struct write {
	struct write *next;
	int32_t hints, stand_ins; /* by how much it changes the number that is held */
	uint32_t count, room;
	struct store_op ops[];
};

/* What every slot begins with. */
struct slot {
	struct ticket self;
	struct timer timer;
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
	struct instant deadline, hint_at;
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
	REPLICA_PURGE /* our own: remove a damaged record that no other replica can mend */
};

struct replica {
	struct slot slot;
	enum replica_kind kind;
	struct node_id from; /* {0}: ourselves; nobody waits for an answer */
	struct ticket id;
	bool verifying; /* part of a verification, which waits for it */
	bool scan_objects;
	bool whole; /* READ: the object, however large */
	struct bytes key, incoming;
	struct bytes prefix, after; /* LIST, HELD */
	struct arena_mark kept;     /* what comes behind it is of one page */
	bool buckets;
	uint32_t most;
	struct partition_id partition;
	struct key_op op;
};

/* ---- hints in delivery (hint.c) ------------------------------------------------------------- */

enum { HINT_RECORDS_MAX = 16 };
enum hint_phase { HINT_READING, HINT_SENT, HINT_DROPPING, HINT_DELETING };

struct hint_slot {
	struct slot slot;
	enum hint_phase phase;
	bool stand_in;
	struct node_id target;                  /* of an extra hint */
	struct bytes records[HINT_RECORDS_MAX]; /* keys in the hints family */
	uint32_t record_count;
	struct bytes key, object;
	struct target targets[REPLICAS_MAX];
	uint32_t target_count;
	uint8_t confirmed; /* stand-in: places that hold it */
	bool dropped;
	struct quorum quorum;
	struct key_op op;
};

struct courier {
	struct instant next; /* when to begin the next round */
	uint64_t pause_us;   /* between rounds; grows while nothing can be delivered */
	bool running;
	bool page_done; /* nothing follows this page */
	bool in_page;   /* deliveries of the page are being begun */
	uint32_t in_flight, delivered;
	bool uncertain; /* a write failed that would have changed what is held: count again */
	bool whole;     /* the round passed nothing over */
	uint64_t seen_hints, seen_stand_ins; /* in this round */
	uint64_t changes, changes_at_start;  /* writes of hint records that were answered */
	struct ticket newest;                /* the delivery begun last: more records may join it */
	struct bytes after;                  /* in `arena` */
	struct arena arena;
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
	CHORE_PROPS /* a page of bucket properties */
};

struct chore {
	struct slot slot;
	enum chore_kind kind;
	struct bytes layout;         /* of VOTE and LAYOUT */
	struct props_entry *entries; /* of PROPS: as they will be */
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

/* ---- verification of a partition (verify.c) -------------------------------------------------- */

enum verify_phase {
	VERIFY_IDLE,
	VERIFY_ASKED,    /* another replica, for a page */
	VERIFY_MERGING,  /* that page into our own store */
	VERIFY_SCANNING, /* our own store, for records that are damaged still */
	VERIFY_PURGING
};

struct verify {
	enum verify_phase phase;
	struct instant next, give_up;
	struct partition_id partition;
	uint32_t side; /* which place of the preference list is pulled from */
	bool last_page;
	uint32_t open;      /* merges or purges under way */
	bool busy;          /* one is being begun: its end does not begin the next */
	uint32_t at, count; /* next entry of the page, entries in it */
	struct scan_entry *entries;
	struct bytes after;
	struct arena page, cursor;
	struct ticket ask;
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
	struct verify verify;
	struct props_map props;
	struct budget background;
	uint32_t hedge_credit;               /* HEDGE_ONE_IN of it pay for a hedge */
	uint32_t lists;                      /* under way */
	uint8_t suspect[PARTITIONS_MAX / 8]; /* partitions whose memory is not vouched for */
	struct node_metrics counters;
};

/* ---- emit.c ---------------------------------------------------------------------------------- */

struct effect *emit(struct effects *fx, enum effect_type type, struct ticket ticket);
bool effects_have_room(const struct effects *fx); /* for one more request's worth */
/* A message to a peer: epoch and clock filled in. The caller fills the union. */
struct msg *emit_msg(struct node *n, struct effects *fx, struct node_id to, enum msg_type type,
                     struct ticket id);
/* A batch of up to `room` operations; NULL: no room in the slot's arena. */
struct write *write_new(struct slot *s, uint32_t room);
/* Add a put, or with BYTES_EMPTY a delete. An empty value that is to be put is WRITE_MARK. */
void write_add(struct write *w, enum store_family family, struct bytes key, struct bytes value);
#define WRITE_MARK BYTES("")

/* Store effects under the slot's ticket, counted in the slot. Their bytes are in its arena. */
void emit_write(struct effects *fx, struct slot *s, struct write *w);
void emit_read(struct effects *fx, struct slot *s, enum store_family family, struct bytes key);
void emit_scan(struct effects *fx, struct slot *s, enum store_family family, struct bytes after,
               struct bytes until, uint32_t records_max, size_t bytes_max);

/* ---- slots.c of the core: slot.c -------------------------------------------------------------- */

void *slot_take(struct node *n, struct slots *pool);
void slot_set_timer(struct node *n, struct slot *s, struct instant at);
/* No more events for it; released when the next step begins and no store effect is open. */
void slot_end(struct node *n, struct slot *s);
void slots_release_doomed(struct node *n);

static inline struct instant instant_after(struct instant t, uint64_t us)
{
	return (struct instant){t.us > UINT64_MAX - us ? UINT64_MAX : t.us + us};
}

/* ---- keys.c calls ------------------------------------------------------------------------------ */

enum key_verdict key_apply(struct node *n, struct key_op *op, const struct key_state *state,
                           struct bytes *object, struct effects *fx);
void key_finished(struct node *n, struct key_op *op, enum err e, struct effects *fx);
struct key_op *key_op_of(struct node *n, struct ticket slot);

/* ---- coord.c ------------------------------------------------------------------------------------ */

void coord_on_request(struct node *n, const struct event *ev, struct effects *fx);
void coord_on_forward(struct node *n, struct node_id from, const struct msg *m, struct effects *fx);
void coord_on_timer(struct node *n, struct coord *c, struct effects *fx);
void coord_on_peers_changed(struct node *n, struct coord *c, struct effects *fx);
struct coord *coord_find(const struct node *n, struct ticket t);
/* Answer the client or the node that forwarded. Once per request. */
void coord_reply(struct node *n, struct coord *c, struct reply *r, struct effects *fx);
void coord_fail(struct node *n, struct coord *c, enum err e, enum outcome o, struct effects *fx);
void coord_end(struct node *n, struct coord *c);
/* The context to show for what was seen, never over CONTEXT_BYTES_MAX. */
bool coord_context(struct node *n, struct coord *c, const struct dvv *shown,
                   const struct sibling *siblings, uint32_t count, struct bytes *out);
/* Fill the targets of a request from the preference list. Returns how many primaries are up. */
uint32_t coord_targets(struct node *n, struct coord *c);
struct target *coord_target(struct coord *c, uint16_t member, uint32_t *index);

/* coord_put.c */
void put_begin(struct node *n, struct coord *c, struct effects *fx);
enum key_verdict put_apply(struct node *n, struct coord *c, const struct key_state *state,
                           struct bytes *object, struct effects *fx);
void put_on_stored(struct node *n, struct coord *c, enum err e, struct effects *fx);
void put_on_ack(struct node *n, struct coord *c, uint16_t member, enum err e, struct effects *fx);
void put_on_timer(struct node *n, struct coord *c, struct effects *fx);
void put_on_peers_changed(struct node *n, struct coord *c, struct effects *fx);
/* A reservation of the clock is durable, or failed: a put that waited for it goes on, or is refused. */
void put_on_clock(struct node *n, struct coord *c, struct effects *fx);
/* coord_get.c */
void get_begin(struct node *n, struct coord *c, struct effects *fx);
void get_on_answer(struct node *n, struct coord *c, uint16_t member,
                   const struct msg_get_reply *answer, struct effects *fx);
void get_on_timer(struct node *n, struct coord *c, struct effects *fx);
void get_on_peers_changed(struct node *n, struct coord *c, struct effects *fx);

/* read_plan.c */
/* In which order the targets are asked, and whether all of them are. */
void read_plan(struct node *n, struct coord *c);
/* Ask until the quorum can be met by those that were asked. */
void read_ask(struct node *n, struct coord *c, struct effects *fx);
/* Ask one target again, for its whole object. */
void read_fetch(struct node *n, struct coord *c, uint32_t i, struct effects *fx);
/* One more for each that is late by now. */
void read_hedge(struct node *n, struct coord *c, struct effects *fx);
/* When somebody will be late next; the deadline if nobody. */
struct instant read_next(const struct node *n, const struct coord *c);
/* A target answered: measure it. */
void read_measure(struct node *n, struct coord *c, uint32_t i);
/* Targets that were asked and have not answered. */
uint32_t read_pending(const struct coord *c);

/* forward.c */
/* Why this node may not mint now (its clock, its disk); ERR_OK: it may. */
enum err forward_reason(const struct node *n);
void forward_begin(struct node *n, struct coord *c, struct effects *fx);
void forward_on_reply(struct node *n, struct coord *c, uint16_t member, const struct msg *m,
                      struct effects *fx);
void forward_on_timer(struct node *n, struct coord *c, struct effects *fx);
void forward_on_peers_changed(struct node *n, struct coord *c, struct effects *fx);
/* Was this forwarded request taken before? It is remembered now. */
bool forward_is_repeated(struct node *n, struct node_id from, struct ticket id);
void forward_send_reply(struct node *n, struct coord *c, const struct reply *r, struct effects *fx);

/* compare.c */
void compare_begin(struct node *n, const struct event *ev, struct effects *fx);
void compare_on_page(struct node *n, struct coord *c, uint16_t member,
                     const struct msg_scan_reply *page, struct effects *fx);
void compare_on_timer(struct node *n, struct coord *c, struct effects *fx);

/* condition.c */
/* What the bucket itself asks of a write. */
enum { BUCKET_WRITE_ONCE = 1, BUCKET_CONTEXT = 2 };
/* Does a write want a look at the object before it is done? Called once its options are resolved. */
bool condition_wanted(const struct props *p, const struct request *r, uint8_t *bucket_asks);
/* Primaries that such a look wants: a majority. */
void condition_needs(struct needs *k);
/* The look is over: refuse, or go on as a put. */
void condition_go_on(struct node *n, struct coord *c, const struct object *found,
                     struct effects *fx);
/* In its turn on the key: `state` becomes what the look found and what is here together. */
enum err condition_judge(struct node *n, struct coord *c, struct object *state);

/* ---- replica.c ---------------------------------------------------------------------------------- */

void replica_on_message(struct node *n, struct node_id from, const struct msg *m,
                        struct effects *fx);
void replica_on_read(struct node *n, struct replica *r, const struct event *ev, struct effects *fx);
void replica_on_scanned(struct node *n, struct replica *r, const struct event *ev,
                        struct effects *fx);
enum key_verdict merge_apply(struct node *n, struct replica *r, const struct key_state *state,
                             struct bytes *object, struct effects *fx);
void merge_on_stored(struct node *n, struct replica *r, enum err e, struct effects *fx);
/* Merge an object into our own store, for a read repair or a verification. False: no room. */
bool replica_merge_own(struct node *n, struct bytes key, struct bytes object, bool verifying,
                       struct effects *fx);
/* Remove the record of a key if it is damaged still; for a verification. False: no room. */
bool replica_purge_own(struct node *n, struct bytes key, struct effects *fx);
/* A page of a partition as a scan's answer, in the arena. */
bool scan_page(struct node *n, struct arena *a, const struct event *ev, bool objects,
               struct msg_scan_reply *out);
/* Ask the store for a page of a partition. False: no room in the slot's arena. */
bool scan_begin(struct node *n, struct slot *s, struct partition_id p, struct bytes after,
                struct effects *fx);

bool scan_begin_sized(struct node *n, struct slot *s, struct partition_id p, struct bytes after,
                      size_t bytes_max, struct effects *fx);

/* ---- hint.c --------------------------------------------------------------------------------------- */

void hint_tick(struct node *n, struct effects *fx);
void hint_on_page(struct node *n, const struct event *ev, struct effects *fx);
void hint_on_read(struct node *n, struct hint_slot *h, const struct event *ev, struct effects *fx);
void hint_on_ack(struct node *n, struct hint_slot *h, uint16_t member, enum err e,
                 struct effects *fx);
void hint_on_timer(struct node *n, struct hint_slot *h, struct effects *fx);
enum key_verdict drop_apply(struct node *n, struct hint_slot *h, const struct key_state *state,
                            struct bytes *object, struct effects *fx);
void hint_on_stored(struct node *n, struct hint_slot *h, enum err e, struct effects *fx);
/* First bytes of keys in the hints family. */
enum { HINT_EXTRA = 'E', HINT_STAND_IN = 'S' };
/* The key of an extra hint: for whom, which key, which write. */
bool extra_hint_key(struct arena *a, struct node_id target, struct bytes full_key, struct dot dot,
                    struct bytes *out);
/* Add to the write of an object on a node that is no primary of its key the marker that says so, or
 * to its deletion the marker's. `existed`: we held a state of the key already. False: no room. */
bool add_stand_in_marker(struct node *n, struct slot *s, struct bytes full_key, bool existed,
                         struct write *w);
bool remove_stand_in_marker(struct slot *s, struct bytes full_key, struct write *w);
void hint_wake(struct node *n); /* a peer came back */
/* At boot. True: all are counted. */
bool hint_count_page(struct node *n, struct chore *ch, const struct event *ev, struct effects *fx);

/* ---- chore.c, form.c, member.c, verify.c ------------------------------------------------------------ */

struct chore *chore_take(struct node *n, enum chore_kind kind);
void chore_on_written(struct node *n, struct chore *ch, enum err e, struct effects *fx);
void chore_on_scanned(struct node *n, struct chore *ch, const struct event *ev, struct effects *fx);
/* Write one meta record under the chore's ticket. `value` is copied. */
bool chore_write_meta(struct chore *ch, struct bytes key, struct bytes value, struct effects *fx);
void clock_reserve_if_wanted(struct node *n, struct effects *fx);

void form_tick(struct node *n, struct effects *fx);
void form_on_propose(struct node *n, struct node_id from, const struct msg *m, struct effects *fx);
void form_on_vote(struct node *n, struct node_id from, const struct msg *m, struct effects *fx);
void form_on_layout(struct node *n, struct node_id from, const struct msg *m, struct effects *fx);
/* A vote or a layout is durable, or could not be written. */
void form_on_stored(struct node *n, struct chore *ch, enum err e, struct effects *fx);
/* Take a layout into use. It is durable. ERR_BAD_BYTES: it is not one that we are a member of. */
enum err form_adopt(struct node *n, struct bytes layout);
const char *form_trouble(const struct node *n);

void member_on_up(struct node *n, struct node_id id, struct effects *fx);
void member_on_down(struct node *n, struct node_id id, struct effects *fx);
/* Something arrived: its sender lives. NULL: a stranger, or one of another cluster. */
struct peer *member_heard(struct node *n, struct node_id id, const struct msg *m);
void member_tick(struct node *n, struct effects *fx);
void member_on_heartbeat(struct node *n, struct peer *p, const struct msg *m, struct effects *fx);
/* For expiry: the hybrid clock, but near our wall clock; and the same, or 0 where nothing can be judged by
 * it because our clock is off. */
uint64_t member_time_ms(const struct node *n);
uint64_t member_now_ms(const struct node *n);
/* A step begins: has our wall clock jumped since the last one? */
void member_watch_clock(struct node *n);
struct peer *member_find(const struct node *n, struct node_id id);
/* After a pause of our own everybody seems silent: do not take it for their death. */
void member_forgive_own_pause(struct node *n);
/* Requests in flight are to look again at who is up, and at the clock. */
void member_peers_changed(struct node *n);
void member_reindex(struct node *n, const struct layout *l);

bool partition_vouched(const struct node *n, struct partition_id p);
/* A record of this partition is damaged: stop vouching for it, take a new actor, verify it. */
void verify_suspect(struct node *n, struct partition_id p, struct effects *fx);
void verify_tick(struct node *n, struct effects *fx);
void verify_on_page(struct node *n, uint16_t member, const struct msg *m, struct effects *fx);
/* A merge or a purge that it began has ended. */
void verify_on_step_done(struct node *n, struct effects *fx);
void verify_on_scanned(struct node *n, const struct event *ev, struct effects *fx);
enum err verify_boot(struct node *n, struct bytes value);
uint32_t verify_suspect_count(const struct node *n);

void node_draw_actor(struct node *n);
size_t key_entry_bytes(void);

/* The key of an object in the store: its hash, big-endian, then the full key. */
bool store_key_make(struct arena *a, struct key_hash hash, struct bytes full_key,
                    struct bytes *out);
static inline struct bytes store_key_full(struct bytes store_key)
{
	assert(store_key.len > 8);
	return bytes_of(store_key.data + 8, store_key.len - 8);
}

/* Keys of the meta family. */
#define META_IDENTITY BYTES("identity")
#define META_CLOCK BYTES("clock")
#define META_VOTE BYTES("vote")
#define META_LAYOUT BYTES("layout")
#define META_SUSPECT BYTES("suspect")
#define META_PROPS BYTES("props/")

#endif
