/* keys.h - the keys of a run: n full keys of 24 bytes. A key is named by its place in the order of key
 * hashes, which is the order of every store; so a range of hashes is a range of places. */
#ifndef DUNLIN_LAB_KEYS_H
#define DUNLIN_LAB_KEYS_H

#include "dunlin/types.h"

#define LAB_KEY_BYTES 24

struct keys {
	uint32_t count;
	struct key_hash *hash; /* ascending */
	uint32_t *name;        /* what its text says, by place */
	uint32_t *place;       /* and back */
};

void keys_init(struct keys *k, uint32_t count);
void keys_free(struct keys *k);
/* The full key at a place: type "default", bucket "b", a name of ten characters. */
struct bytes keys_full(const struct keys *k, uint32_t place, uint8_t to[LAB_KEY_BYTES]);
/* The place of a full key. It is one of them. */
uint32_t keys_find(const struct keys *k, struct bytes full);
/* The first place whose hash is not below. */
uint32_t keys_from(const struct keys *k, uint64_t hash);

#endif
