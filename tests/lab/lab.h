/* lab.h - the world of the laboratory: nodes that hold objects, a link that can be cut, virtual time.
 *
 *   scenario.c  when a client writes which key at which node, when the link is cut, whose clock is off
 *   a policy    what the nodes tell each other so that both come to hold the same
 *   gauge.c     what that costs: bytes, stale reads, time until all is equal
 *
 * Objects are the core's own, siblings kept, written, merged and digested by src/core/object.c with
 * dots from src/core/actor.c. A message is packed to its last byte before it is sent, and unpacked
 * where it arrives; what is counted is those bytes. Everything that chance decides comes from two
 * generators, one for the clients, which is the same for all policies, and one for the policy. */
#ifndef DUNLIN_LAB_H
#define DUNLIN_LAB_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/panic.h"
#include "base/prng.h"
#include "core/actor.h"
#include "core/object.h"
#include "dunlin/msg.h"
#include "tests/lab/agenda.h"
#include "tests/lab/keys.h"

#define LAB_NODES 2
#define LAB_DELAY_US MS(25)
#define LAB_EPOCH_MS 1700000000000UL
/* Clients write until then; how long the rest may take before it counts as never. */
#define LAB_END_US SECONDS(600)
#define LAB_GRACE_US SECONDS(120)
#define LAB_STREAMS 2
/* The longest letter, and memory for decoding one object. */
#define LAB_SCRATCH_BYTES MIB(64)
#define LAB_POOL_BYTES MIB(1)

struct policy;   /* policy.h */
struct scenario; /* scenario.h */

/* ---- what both nodes hold at the beginning ---------------------------------------------------- */

/* One object, as a node holds it. */
struct held {
	const uint8_t *data; /* encoded; NULL: absent */
	uint32_t len;
	bool own;          /* `data` is this node's to free */
	struct dot newest; /* of its siblings */
	uint64_t x, y;     /* its digest; 0, 0: absent */
};

struct ground {
	struct keys keys;
	uint32_t value_bytes;
	uint8_t *value;    /* the bytes of every value */
	struct held *held; /* by place */
	uint8_t *memory;
};

/* `count` keys, each written once, between 30 days and an hour before the beginning. */
void ground_init(struct ground *g, uint32_t count, uint32_t value_bytes);
void ground_free(struct ground *g);

/* ---- the world ------------------------------------------------------------------------------ */

enum lab_path { PATH_ONLY, PATH_WRITE_THROUGH };

struct lab_node {
	struct clock clock;
	struct node_id id;
	int64_t skew_ms;
	struct held *held; /* by place */
};

/* Of what was sent. `records` are the bytes of keys and objects in it: what any policy has to move. */
struct lab_sent {
	uint64_t messages, bytes, records, envelopes;
};
enum lab_kind { SENT_POLICY, SENT_WRITE_THROUGH, SENT_KINDS };

struct gauge {
	struct dot *acked; /* by place: of the newest write that was acknowledged */
	uint8_t *stale;    /* by place: bit i, node i has not seen that */
	uint64_t stale_count[LAB_NODES], stale_weight[LAB_NODES][LAB_STREAMS];
	double stale_us; /* the integral, over time, of how many reads of all would be stale */
	uint64_t integrated_us;
	uint32_t differing; /* keys that are not the same everywhere */
	/* Since the heal, or the end of writing: keys that were not the same then, and are not yet. */
	uint64_t owed_from_us, settled_us;
	struct bytes *owed; /* by place: what all must have seen; empty: nothing */
	uint32_t owed_count;
	bool owing; /* that moment has come */
};

struct lab {
	const struct ground *ground;
	const struct policy *policy;
	const struct scenario *scenario;
	enum lab_path path;
	void *state; /* the policy's */
	struct lab_node node[LAB_NODES];
	bool cut;  /* what is on the link is lost */
	bool down; /* and the nodes know: nobody sends any more */
	uint64_t now_us;
	struct agenda agenda;
	struct prng clients, chance; /* chance: the policy's */
	uint64_t writes;
	struct lab_sent sent[SENT_KINDS];
	struct gauge gauge;
	void *pool_memory, *pool_state;
	struct pool pool;
	struct arena arena; /* for the length of one operation */
	uint8_t *scratch;   /* a letter that is being written */
	/* By place: how many of 2^40 writes of that stream are to it; and these added up. */
	uint64_t *weight[LAB_STREAMS], *sums[LAB_STREAMS];
};

/* `policy` and `scenario` may be NULL: nothing happens by itself then. */
void lab_init(struct lab *l, const struct ground *g, const struct scenario *s,
              const struct policy *p, enum lab_path path);
void lab_free(struct lab *l);
/* Until all that the clients wrote is everywhere, or `LAB_GRACE_US` after the last write. */
void lab_run(struct lab *l);
/* Until nothing is on the agenda. */
void lab_drain(struct lab *l);

/* The policy's on_alarm, at that node, after so long. */
void lab_alarm(struct lab *l, uint16_t node, uint64_t after_us, uint32_t what);
struct wall lab_wall(const struct lab *l, uint16_t node);
struct hlc lab_hlc(const struct lab *l, uint16_t node);
/* A number as a node's ticket is: it fills all its eight bytes. */
uint64_t lab_ticket(struct lab *l);

/* Counted, and on its way; lost if the link is cut now or when it would arrive. To a peer that is known
 * to be down nothing is sent, nor counted. The bytes are copied. */
void lab_send(struct lab *l, uint16_t from, uint16_t to, enum lab_kind kind, struct bytes bytes,
              size_t envelope, size_t records);
/* The same of a message of the server's, with that many bytes of keys and objects in it. */
void lab_send_msg(struct lab *l, uint16_t from, uint16_t to, enum lab_kind kind,
                  const struct msg *m, size_t records);

/* ---- objects (shelf.c) ------------------------------------------------------------------------ */

static inline struct bytes lab_held(const struct lab *l, uint16_t node, uint32_t key)
{
	return bytes_of(l->node[node].held[key].data, l->node[node].held[key].len);
}
/* Decoded into l->arena: mark and release. */
struct object lab_object(struct lab *l, struct bytes encoded);
/* A client, which was shown what this node holds, writes. It is acknowledged at once. */
void lab_write(struct lab *l, uint16_t node, uint32_t key);
/* Merge. Did that bring anything new? */
bool lab_merge(struct lab *l, uint16_t node, uint32_t key, struct bytes object);
/* For the sweep: replace what is held, without clients. */
void lab_put(struct lab *l, uint16_t node, uint32_t key, const struct held *held);
/* A version of that key minted by `node` at that time, over what it holds. */
void lab_write_at(struct lab *l, uint16_t node, uint32_t key, uint64_t unix_ms);

/* ---- measuring (gauge.c) ---------------------------------------------------------------------- */

void gauge_init(struct lab *l);
void gauge_free(struct lab *l);
/* Before anything changes: the time since the last call counts as it was. */
void gauge_advance(struct lab *l);
void gauge_on_change(struct lab *l, uint16_t node, uint32_t key, const struct held *before);
void gauge_on_ack(struct lab *l, uint32_t key, struct dot dot);
/* From now on it counts how long that takes which is not the same everywhere yet. */
void gauge_owe(struct lab *l);
/* Stale reads in per cent, over LAB_END_US. */
double gauge_stale_pct(const struct lab *l);
/* Seconds; negative: never. */
double gauge_converge_s(const struct lab *l);

#endif
