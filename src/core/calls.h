/* calls.h - what the core's files offer each other, by file. The shapes are in core.h, which includes
 * this at its end. */
#ifndef DUNLIN_CALLS_H
#define DUNLIN_CALLS_H

#include "core/core.h"

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
/* coord_count.c */
/* The sibling of an increment of what `state` counts to, under the dot that was just minted; the coord's
 * context becomes what it replaces. */
enum err count_make(struct node *n, struct coord *c, const struct object *state,
                    struct sibling *added);
/* What a counter's client is told: the number, of what the reply shows. */
void count_answer(struct coord *c, struct reply *r);
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
/* Why this node may not mint now (its clock, its memory, its disk, no room for a stand-in copy
 * where it would be a fallback for this one); ERR_OK: it may. */
enum err forward_reason(const struct node *n, struct coord *c);
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
/* A page of our own. */
void compare_on_scanned(struct node *n, struct coord *c, const struct event *ev,
                        struct effects *fx);
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
void replica_on_timer(struct node *n, struct replica *r, struct effects *fx);
/* A page waits for the byte budget of background work. True: its timer will tell. */
bool replica_must_wait(struct node *n, struct replica *r);
void replica_on_read(struct node *n, struct replica *r, const struct event *ev, struct effects *fx);
void replica_on_scanned(struct node *n, struct replica *r, const struct event *ev,
                        struct effects *fx);
enum key_verdict merge_apply(struct node *n, struct replica *r, const struct key_state *state,
                             struct bytes *object, struct effects *fx);
void merge_on_stored(struct node *n, struct replica *r, enum err e, struct effects *fx);
/* Merge an object into our own store, for a read repair or a verification. `complete`: it is all that a
 * replica which vouches holds of the key. False: no room. */
bool replica_merge_own(struct node *n, struct bytes key, struct bytes object, bool complete,
                       bool verifying, struct effects *fx);
/* Let go of what is dead in it. `forget`: and of all else up to the horizon, which others, who vouch,
 * do not hold. For a verification. False: no room. */
bool replica_reap_own(struct node *n, struct bytes key, bool forget, struct effects *fx);
/* Remove the record of a key if it is damaged still; for a verification. False: no room. */
bool replica_purge_own(struct node *n, struct bytes key, struct effects *fx);
/* ---- scan.c ------------------------------------------------------------------------------------- */

/* Ask our own store for a page of a partition. False: no room in the slot's arena. */
bool scan_begin(struct node *n, struct slot *s, struct partition_id p, struct bytes after,
                struct effects *fx);
bool scan_begin_sized(struct node *n, struct slot *s, struct partition_id p, struct bytes after,
                      size_t bytes_max, struct effects *fx);
/* Up to `last`, that key among them; empty: to the end of the partition. */
bool scan_begin_until(struct node *n, struct slot *s, struct partition_id p, struct bytes after,
                      struct bytes last, struct effects *fx);
/* What the store gave, as the answer to such a question, in the arena. False: no room. */
bool scan_page(struct node *n, struct arena *a, const struct event *ev,
               const struct msg_scan *asked, struct msg_scan_reply *out);

/* ---- hint.c: one delivery --------------------------------------------------------------------------- */

struct hint_record; /* below */
enum hint_verdict { HINT_TAKEN, HINT_LATER, HINT_NO_MEMORY };

/* Begin to deliver a record of this lane. TAKEN: begun, or there is nothing to be done for it now. */
enum hint_verdict hint_deliver(struct node *n, uint32_t lane, struct bytes record,
                               const struct hint_record *r, struct effects *fx);
/* Drop an extra hint that nobody needs any more (its time is over, or its target is no member). */
enum hint_verdict hint_discard(struct node *n, uint32_t lane, struct bytes record,
                               const struct hint_record *r, struct effects *fx);
void hint_on_read(struct node *n, struct hint_slot *h, const struct event *ev, struct effects *fx);
void hint_on_ack(struct node *n, struct hint_slot *h, uint16_t member, enum err e,
                 struct effects *fx);
void hint_on_timer(struct node *n, struct hint_slot *h, struct effects *fx);
enum key_verdict drop_apply(struct node *n, struct hint_slot *h, const struct key_state *state,
                            struct bytes *object, struct effects *fx);
void hint_on_stored(struct node *n, struct hint_slot *h, enum err e, struct effects *fx);

/* ---- hint_record.c ------------------------------------------------------------------------------------ */

/* First bytes of keys in the hints family. */
enum { HINT_EXTRA = 'E', HINT_STAND_IN = 'S' };

struct hint_record {
	bool stand_in;
	struct node_id target; /* extra */
	struct hlc at;         /* extra: of the write; stand-in: of what was confirmed */
	struct hlc newest;     /* stand-in: of its newest dot, when the marker was written */
	uint8_t confirmed;     /* stand-in: places */
	uint64_t bytes;        /* extra: of the record; stand-in: of the object */
	struct bytes key;      /* full */
};

/* The key of an extra hint: for whom, which key, which write. */
bool extra_hint_key(struct arena *a, struct node_id target, struct bytes full_key, struct dot dot,
                    struct bytes *out);
/* Is there room for one more, beside those in `w`? */
bool extra_hint_room(const struct node *n, const struct write *w, size_t full_key_len);
void extra_hint_add(struct node *n, struct write *w, struct bytes record, struct node_id target);

/* A write of an object on a node that is no primary of its key. */
struct stand_in {
	struct bytes key;            /* full */
	struct bytes before, object; /* what we held (empty: nothing), what we shall hold */
	struct hlc newest;           /* of the object's newest dot */
	bool damaged;                /* what we held cannot be read */
};
/* Would this node stand in for another with an object of `after` bytes, in place of one of `before`
 * (0: none)? ERR_OK, NO_ROOM, FULL, DRAINING. */
enum err stand_in_room(const struct node *n, size_t before, size_t after);
/* Add the marker to such a write: two operations with the object. ERR_OK, why it is refused, or BUSY. */
enum err stand_in_add(struct node *n, struct slot *s, const struct stand_in *x, struct write *w);
/* Add the deletion of the marker to that of a damaged object. False: no room. */
bool stand_in_remove(struct node *n, struct slot *s, struct bytes full_key, struct write *w);
/* The value of a marker: who has confirmed this object. False: no room. */
bool stand_in_mark(const struct node *n, struct arena *a, uint8_t confirmed, struct hlc at,
                   struct bytes object, struct bytes *out);

bool hint_parse(const struct node *n, const struct store_record *record, struct hint_record *out);
/* May a stand-in copy go? All primaries hold it; or it is old, and W of them do. */
bool hint_is_delivered(const struct node *n, const struct hint_record *r);
/* Nobody needs this extra hint any more. */
bool hint_is_over(const struct node *n, const struct hint_record *r);
void hint_count(struct hint_tally *t, const struct hint_record *r);
/* What is held is this. */
void hint_believe(struct node *n, const struct hint_tally *t);
/* Does this write change what is held? And is such a one under way? */
bool hint_changes(const struct write *w);
bool hint_is_changing(const struct node *n);
/* Ages. */
void hint_metrics(const struct node *n, struct node_metrics *out);
/* At boot. True: all are counted. */
bool hint_count_page(struct node *n, struct chore *ch, const struct event *ev, struct effects *fx);

/* ---- courier.c ------------------------------------------------------------------------------------------ */

void courier_init(struct node *n, struct lane *lanes);
/* Room for one more delivery to this member? LATER: soon, by itself. AWAY: it is down, or silent, or
 * refuses; nobody waits for it. */
enum courier_room { COURIER_NOW, COURIER_LATER, COURIER_AWAY };
enum courier_room courier_room(struct node *n, uint32_t member);
/* A delivery to a member begins, and is paid for; its size is known; it has ended. */
void courier_open(struct node *n, uint32_t member, uint64_t bytes);
void courier_correct(struct node *n, uint32_t member, uint64_t estimate, uint64_t bytes);
enum courier_end { COURIER_CONFIRMED, COURIER_FAILED, COURIER_UNTOLD };
void courier_close(struct node *n, uint32_t member, enum courier_end end);
/* A delivery of lane `i` has ended; `delivered`: its records went. */
void courier_delivery_ended(struct node *n, uint32_t i, bool delivered, struct effects *fx);
/* Something was written for lane `i`. */
void courier_expect(struct node *n, uint32_t i);
/* What is held is not known for sure. */
void courier_recount(struct node *n);
void courier_go_on(struct node *n, struct effects *fx);
void hint_wake(struct node *n); /* a peer came back */
void hint_tick(struct node *n, struct effects *fx);
void hint_on_page(struct node *n, const struct event *ev, struct effects *fx);

/* Of a member by its index, of the stand-in copies, of the sweep. */
struct lane *courier_lane(struct node *n, uint32_t i);

/* ---- lag.c: how far behind each member is ---------------------------------------------------------------- */

/* That is durable. */
void lag_on_written(struct node *n, const struct write *w);
/* A way through all records of the lane begins, sees a record, ends. */
void lag_begin(struct node *n, uint32_t lane);
void lag_see(struct node *n, uint32_t lane, const struct hint_record *r);
void lag_end(struct node *n, uint32_t lane);
uint64_t lag_ms(const struct node *n, uint32_t member);
/* When a tick is wanted for it at the latest. */
struct instant courier_deadline(const struct node *n);

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

/* reap.c */
enum err reap_boot(struct node *n, struct bytes value);
void reap_on_stored(struct node *n, const struct chore *ch, enum err e);
void reap_tick(struct node *n, struct effects *fx);
void reap_on_ask(struct node *n, struct node_id from, const struct msg *m, struct effects *fx);
void reap_on_done(struct node *n, struct node_id from, const struct msg *m);
void reap_tell(const struct node *n, struct msg_heartbeat *h);
void reap_on_heartbeat(struct node *n, struct peer *p, const struct msg_heartbeat *h,
                       struct effects *fx);
void reap_metrics(const struct node *n, struct node_metrics *out);
/* A walk through all partitions has ended. */
void reap_walked(struct node *n, enum verify_job job);
/* May a replica that matches for this horizon read here now? */
bool reap_may_be_matched(struct node *n, struct hlc horizon);
/* What a delivery of a hint says: never late. Before it promised, in whatever life, this node had delivered
 * all stand-in copies; what an old copy brings back of them was delivered then. */
struct hlc reap_hint_fence(const struct node *n);
/* Would others take our writes for late? Then an old copy has forgotten what this node promised. */
bool reap_is_behind(const struct node *n);
/* Was this write sent before its sender had promised what matching has begun for? */
bool reap_is_late(const struct node *n, struct hlc fence);

/* memory.c */
enum err memory_boot(struct node *n, struct bytes value);
void memory_tick(struct node *n, struct effects *fx);
void memory_on_stored(struct node *n, const struct chore *ch, enum err e);
/* Of our own memory, and of the peer's, in a heartbeat to it; and what one from it says. */
void memory_tell(const struct node *n, const struct peer *p, struct msg_heartbeat *h);
void memory_on_heartbeat(struct node *n, struct peer *p, const struct msg_heartbeat *h);
/* Who confirms us may have changed, or the members. */
void memory_judge(struct node *n);

/* suspect.c */
/* Is what this node finds, and does not find, in this partition all that it ever knew? */
bool partition_vouched(const struct node *n, struct partition_id p);
/* A record of this partition is damaged: stop vouching for it, take a new actor, verify it. */
void suspect_partition(struct node *n, struct partition_id p, struct effects *fx);
/* The whole disk is an old copy. Memory only: suspect_add_record makes it durable. */
void suspect_all(struct node *n);
bool suspect_add_record(struct node *n, struct chore *ch, struct write *w);
/* It was verified: vouch for it again. */
void suspect_no_more(struct node *n, struct partition_id p, struct effects *fx);
/* The next one after *p. In turn, so that one whose other replicas are silent does not keep the rest
 * waiting. */
bool suspect_next(const struct node *n, struct partition_id *p);
uint32_t suspect_count(const struct node *n);
enum err suspect_boot(struct node *n, struct bytes value);

/* verify.c */
void verify_tick(struct node *n, struct effects *fx);
void verify_on_page(struct node *n, uint16_t member, const struct msg *m, struct effects *fx);
/* What it began with one key has ended. */
/* `done`: it is durable, or there was nothing to do. */
void verify_on_step_done(struct node *n, bool done, struct effects *fx);
/* A damaged record of that partition was met. */
void verify_on_damage(struct node *n, struct partition_id p);
void verify_on_scanned(struct node *n, const struct event *ev, struct effects *fx);
/* The byte budget allows a page of our own store now. */
void verify_on_timer(struct node *n, struct chore *ch, struct effects *fx);
/* Walk through all partitions; VERIFY_SUSPECTS: stop walking. */
void verify_walk(struct node *n, enum verify_job job);
bool verify_is_idle(const struct node *n);

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
#define META_MEMORY BYTES("memory")
#define META_REAP BYTES("reap")
#define META_PROPS BYTES("props/")

#endif
