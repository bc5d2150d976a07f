/* letter.h - what the policies of the laboratory say to each other, as bytes.
 *
 * In the encoding of docs/WIRE.md and with the head that every message between nodes has: packed
 * [type, id, epoch, hlc, fields...]. The server has no such messages; types are above all of its own. */
#ifndef DUNLIN_LAB_LETTER_H
#define DUNLIN_LAB_LETTER_H

#include "base/cursor.h"
#include "tests/lab/lab.h"

enum letter_type {
	LETTER_ROOT = 64, /* scope, digest of all */
	LETTER_SAME,      /* scope: mine is the same */
	LETTER_ASK,       /* scope, level, nodes: the digests of their children */
	LETTER_NODES,     /* scope, level of the children, [node, digests (bin), ...] */
	LETTER_ASK_KEYS,  /* scope, leaves: what is in them */
	LETTER_KEYS,      /* scope, leaves, [full key, what was seen of it (bin), ...] */
	LETTER_WANT,      /* full keys: send me these; with none, the end of a round */
	LETTER_RECORDS,   /* [full key, object, ...] */
	LETTER_TAKEN      /* they are here */
};

/* Records of one letter. */
#define LETTER_RECORDS_BYTES KIB(64)

/* ---- writing: one at a time ------------------------------------------------------------------- */

struct letter {
	struct packer p;
	size_t envelope, records;
};

/* Its head; `fields` more are to be packed. */
void letter_open(struct lab *l, struct letter *o, uint16_t from, enum letter_type type, uint64_t id,
                 uint32_t fields);
void letter_send(struct lab *l, struct letter *o, uint16_t from, uint16_t to);
/* Keys and what `from` holds of them, in as many letters as it takes, all with that id. How many. */
uint32_t letter_records(struct lab *l, uint16_t from, uint16_t to, uint64_t id, const uint32_t *key,
                        uint32_t count);
void letter_taken(struct lab *l, uint16_t from, uint16_t to, uint64_t id);

/* ---- reading ---------------------------------------------------------------------------------- */

struct letter_in {
	uint16_t from;
	enum letter_type type;
	uint64_t id;
	struct cursor c; /* at the first field */
};

/* Merge all records of a LETTER_RECORDS into what the node holds. */
void letter_merge(struct lab *l, uint16_t node, struct letter_in *in);

#endif
