/* dvv.h - dotted version vectors: what has been seen of one key.
 *
 * A vector entry (actor, at) says that every dot of that actor for this key up to `at` was seen; a
 * single dot says that this one was. Nothing is ever pruned here. All functions are pure; results
 * are made in the arena, and `false` means that it has no room.
 *
 * Sources: Preguica, Baquero, Almeida, Fonte, Goncalves, "Dotted Version Vectors" (2010);
 * docs/ARCHITECTURE.md, "Causality". */
#ifndef DUNLIN_DVV_H
#define DUNLIN_DVV_H

#include "base/arena.h"
#include "base/cursor.h"
#include "dunlin/object.h"

enum dvv_order { DVV_EQUAL, DVV_BEFORE, DVV_AFTER, DVV_CONCURRENT };

/* By (actor, at): the order in which dots are stored. */
int dot_compare(struct dot a, struct dot b);
/* By (at, actor): the order of last-write-wins, among concurrent siblings only. */
int dot_compare_age(struct dot a, struct dot b);
static inline bool dot_equal(struct dot a, struct dot b)
{
	return a.actor.v == b.actor.v && a.at.v == b.at.v;
}

bool dvv_covers(const struct dvv *v, struct dot d);
/* Is all that b has seen covered by a? */
bool dvv_includes(const struct dvv *a, const struct dvv *b);
/* The same, where everything up to `horizon` counts as seen by a. */
bool dvv_includes_above(const struct dvv *a, const struct dvv *b, struct hlc horizon);
/* BEFORE: b has seen all of a, and more. */
enum dvv_order dvv_compare(const struct dvv *a, const struct dvv *b);
/* The vector's entry for an actor: all its dots up to there were seen. 0: none. */
uint64_t dvv_vector_at(const struct dvv *v, struct actor_id actor);
/* Does a vector entry or a single dot name this actor? */
bool dvv_names(const struct dvv *v, struct actor_id actor);
/* The greatest dot in it, by (at, actor); no dot if it is empty. */
struct dot dvv_greatest(const struct dvv *v);

bool dvv_join(struct arena *a, const struct dvv *x, const struct dvv *y, struct dvv *out);
/* Add a dot that follows everything its actor did before, all of which is covered: into the vector. */
bool dvv_fold(struct arena *a, const struct dvv *v, struct dot d, struct dvv *out);
/* Add a dot and claim nothing about its actor's earlier ones. */
bool dvv_add(struct arena *a, const struct dvv *v, struct dot d, struct dvv *out);

void dvv_pack(struct packer *p, const struct dvv *v);
/* ERR_BAD_BYTES (also when it is not in canonical order), ERR_BUSY when the arena has no room. */
enum err dvv_unpack(struct cursor *c, struct arena *a, struct dvv *out);

#endif
