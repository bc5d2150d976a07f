/* props.h - bucket properties in the core: the replicated map, a client's change of it, its gossip.
 * Private to the core; core.h includes it. What a property is: dunlin/props.h. */
#ifndef DUNLIN_CORE_PROPS_H
#define DUNLIN_CORE_PROPS_H

#include "base/arena.h"
#include "base/cursor.h"
#include "dunlin/effect.h"
#include "dunlin/event.h"
#include "ring/ring.h"

struct node;
struct node_config;
struct coord;
struct chore;

/* What was last said of one property. */
struct prop_cell {
	struct dot stamp; /* of that change; 0: never said */
	bool set;         /* else it was let go of */
	int64_t value;
};

/* A bucket, or a type, of which something was said. Never removed. */
struct props_entry {
	struct bytes key; /* type and bucket, each behind its length; a type: its bucket is empty */
	uint32_t next;    /* in its chain: place + 1 */
	uint64_t digest[2];
	struct prop_cell cells[PROP_COUNT];
	struct props now; /* in force */
};

struct type_props {
	struct bytes name;
	struct props declared, now;
};

/* Keys on which no write is taken while their n_val is being changed. */
struct props_closed {
	struct instant until;
	uint32_t len;
	uint8_t prefix[PREFIX_BYTES_MAX];
};

enum { PROPS_CHAINS = 1024 };

struct props_map {
	struct props_entry **list; /* PROPS_BUCKETS_MAX, in order of acquaintance */
	uint32_t count;
	uint32_t chains[PROPS_CHAINS];
	uint64_t digest[2];       /* of all entries, in any order */
	struct type_props *types; /* the first is "default" */
	uint32_t type_count;
	struct props other;   /* of a type that is not declared here */
	bool writing;         /* one change at a time is on its way to the store */
	struct ticket client; /* whose it is; 0: a peer's */
	bool caught_up;       /* a member had the same map, or gave us its own, since the start */
	struct node_id pull_from;
	struct ticket pull; /* 0: nothing is being pulled */
	struct instant pull_give_up;
	uint32_t pull_next;
	bool pull_last;
	struct props_closed closed[PROPS_CLOSED_MAX];
};

/* A client's change of bucket properties (props_change.c), in the slot's arena. */
struct props_change {
	struct bytes type, key; /* key: of the entry */
	bool reset;
	uint32_t count;
	const struct prop_change *changes;
	struct member_set asked, empty; /* whether they hold data; those that said they do not */
	uint32_t next_to_ask;
};

/* props_change.c */
void props_on_request(struct node *n, const struct event *ev, struct effects *fx);
void props_on_held(struct node *n, struct coord *c, uint16_t member, const struct msg_held *h,
                   struct effects *fx);
void props_on_timer(struct node *n, struct coord *c, struct effects *fx);
void props_on_peers_changed(struct node *n, struct coord *c, struct effects *fx);
/* The write of its change was answered. */
void props_on_written(struct node *n, struct coord *c, enum err e, struct effects *fx);

/* props.c */

void props_init(struct node *n, const struct node_config *c);
/* A record of the meta family under META_PROPS. */
enum err props_boot(struct node *n, struct bytes key, struct bytes value);
/* The properties in force for a key. */
const struct props *props_of(const struct node *n, struct bytes full_key);
/* How many replicas the key has in this layout. */
uint8_t props_n(const struct node *n, const struct props *p);
static inline uint8_t props_n_of(const struct node *n, struct bytes full_key)
{
	return props_n(n, props_of(n, full_key));
}
bool props_keep_siblings(const struct props *p);
/* -1: it is not declared. */
int props_type_find(const struct node *n, struct bytes type);
struct props_entry *props_find(const struct node *n, struct bytes key);
/* The properties in force, were this the entry of its key. */
void props_resolve(const struct node *n, struct bytes type, const struct props_entry *e,
                   struct props *out);
/* type, bucket: each behind its length. False: no room. */
bool props_key(struct arena *a, struct bytes type, struct bytes bucket, struct bytes *out);
void props_pack_entry(struct packer *p, const struct props_entry *e);
/* Key and cells; the key is a view. False: the cursor is bad. */
bool props_take_entry(struct cursor *c, struct props_entry *e);
/* Write entries (in the chore's arena) to the store; in force once durable. */
bool props_write(struct node *n, struct chore *ch, struct effects *fx);
void props_on_stored(struct node *n, struct chore *ch, enum err e, struct effects *fx);
bool props_are_closed(const struct node *n, struct bytes full_key);
void props_close(struct node *n, struct bytes prefix);
void props_open(struct node *n, struct bytes prefix);
bool props_can_close(const struct node *n);

/* props_gossip.c */
void props_on_ask(struct node *n, struct node_id from, const struct msg *m, struct effects *fx);
void props_on_page(struct node *n, struct node_id from, const struct msg *m, struct effects *fx);
/* A member's hash was heard. */
void props_on_hash(struct node *n, struct node_id from, const uint8_t hash[16], struct effects *fx);
void props_hash(const struct node *n, uint8_t out[16]);
void props_push(struct node *n, const struct props_entry *entries, uint32_t count,
                struct effects *fx);
void props_pull_on(struct node *n, struct effects *fx);

#endif
