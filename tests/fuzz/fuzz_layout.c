/* fuzz_layout.c - layouts, as a peer gone mad could propose them: what is accepted is sound, is written
 * again byte for byte, and gives preference lists. */
#include "base/bytes.h"
#include "base/panic.h"
#include "ring/ring.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 8 << 20 };

static void use(const struct layout *l)
{
	struct member_set up = {0};
	struct preference list[REPLICAS_MAX];
	for (uint32_t i = 0; i < l->member_count; i += 2) member_set_add(&up, i);
	struct partition_id p = partition_of(l, (struct key_hash){0x8000000000000000U});
	assert(p.v < l->partitions);
	assert(ring_preference(l, p, l->replicas, &up, list) == l->replicas);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pool pool;
	struct arena arena;
	struct layout l;
	static uint8_t region[ROOM] __attribute__((aligned(64))), state[ROOM / POOL_PIECE_BYTES_MIN];
	memset(state, 0, sizeof state);
	pool_init(&pool, region, ROOM, state);
	arena_init(&arena, &pool);
	if (layout_decode(bytes_of(data, size), &arena, &l) == ERR_OK) {
		struct packer p = {.to = malloc(size), .capacity = size};
		assert(p.to != NULL && layout_is_sound(&l));
		layout_encode(&p, &l);
		assert(p.len == size && memcmp(p.to, data, size) == 0);
		use(&l);
		free(p.to);
	}
	arena_free(&arena);
	assert(pool.used == 0);
	return 0;
}
