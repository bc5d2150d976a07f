/* story_disk.h - what is durable on a node of a story. Included by story.h only. */
#ifndef DUNLIN_TEST_STORY_DISK_H
#define DUNLIN_TEST_STORY_DISK_H

static inline struct bytes object_key(uint8_t to[264], const char *key)
{
	struct bytes full = full_key(to + 8, key);
	put_u64be(to, key_hash_of(full).v);
	return bytes_of(to, full.len + 8);
}

/* What is durable on a node under a key: siblings as text, "nothing", or "damaged". */
static inline const char *held(struct story *s, int node, const char *key)
{
	static char text[512];
	uint8_t to[264];
	struct bytes value;
	void *handle = NULL;
	enum err e =
		store_read(s->node[node].store, STORE_OBJECTS, object_key(to, key), false, &value, &handle);
	if (e == ERR_NOT_FOUND) return "nothing";
	if (e == ERR_CORRUPT) return "damaged";
	object_text(s, text, value);
	store_release(handle);
	return text;
}

static inline bool count_record(void *context, const struct store_record *r)
{
	(void)r;
	++*(uint32_t *)context;
	return true;
}

/* Records of the hints family that are durable on a node. */
static inline uint32_t hints_on(struct story *s, int node)
{
	uint32_t count = 0;
	bool done;
	assert_int_equal(store_scan(s->node[node].store, STORE_HINTS, BYTES_EMPTY, BYTES_EMPTY,
	                            count_record, &count, &done),
	                 ERR_OK);
	return count;
}

static inline void rot(struct story *s, int node, const char *key)
{
	uint8_t to[264];
	assert_true(store_mem_rot_key(s->node[node].store, STORE_OBJECTS, object_key(to, key), 77));
}

#endif
