/* keys.c - see keys.h. */
#include "tests/lab/keys.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"
#include "ring/ring.h"

enum { NAME_AT = LAB_KEY_BYTES - 9 }; /* nine digits end the key */

static struct bytes full_of(uint32_t name, uint8_t to[LAB_KEY_BYTES])
{
	char text[24];
	snprintf(text, sizeof text, "k%09u", (unsigned)name);
	struct bytes type = BYTES("default"), bucket = BYTES("b"), key = bytes_of_string(text);
	assert(full_key_len(type, bucket, key) == LAB_KEY_BYTES);
	full_key_write(to, type, bucket, key);
	return bytes_of(to, LAB_KEY_BYTES);
}

struct hashed {
	struct key_hash hash;
	uint32_t name;
};

static int by_hash(const void *x, const void *y)
{
	const struct hashed *a = x, *b = y;
	if (a->hash.v != b->hash.v) return a->hash.v < b->hash.v ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

void keys_init(struct keys *k, uint32_t count)
{
	uint8_t text[LAB_KEY_BYTES];
	struct hashed *all = malloc(count * sizeof *all);
	*k = (struct keys){.count = count,
	                   .hash = malloc(count * sizeof *k->hash),
	                   .name = malloc(count * sizeof *k->name),
	                   .place = malloc(count * sizeof *k->place)};
	assert(all != NULL && k->hash != NULL && k->name != NULL && k->place != NULL);
	for (uint32_t i = 0; i < count; i++) all[i] = (struct hashed){key_hash_of(full_of(i, text)), i};
	qsort(all, count, sizeof *all, by_hash);
	for (uint32_t i = 0; i < count; i++) {
		k->hash[i] = all[i].hash;
		k->name[i] = all[i].name;
		k->place[all[i].name] = i;
	}
	free(all);
}

void keys_free(struct keys *k)
{
	free(k->hash);
	free(k->name);
	free(k->place);
	*k = (struct keys){0};
}

struct bytes keys_full(const struct keys *k, uint32_t place, uint8_t to[LAB_KEY_BYTES])
{
	assert(place < k->count);
	return full_of(k->name[place], to);
}

uint32_t keys_find(const struct keys *k, struct bytes full)
{
	uint32_t name = 0;
	assert(full.len == LAB_KEY_BYTES);
	for (size_t i = NAME_AT; i < full.len; i++) name = name * 10 + (full.data[i] - '0');
	assert(name < k->count);
	return k->place[name];
}

uint32_t keys_from(const struct keys *k, uint64_t hash)
{
	uint32_t low = 0, high = k->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (k->hash[middle].v < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
