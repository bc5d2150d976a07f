/* test_msg.c - messages between nodes as bytes. msgpack-c is the independent judge of what we write;
 * generated messages of every type go there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/unit/test_msg_util.h"

#include <cmocka.h>
#include <msgpack.h>

/* ---- tests ------------------------------------------------------------------------------- */

static void every_type_comes_back_as_it_was_sent(void **state)
{
	(void)state;
	struct maker *g = maker_new(1);
	struct scan_entry *entries = entries_new();
	for (int i = 0; i < ROUNDS; i++) {
		struct msg m = make(g, (enum msg_type)(1 + i % (MSG_TYPE_END - 1))), back;
		struct bytes b = pack(&m);
		assert_int_equal(msg_unpack(b, &back, entries), ERR_OK);
		same(&m, &back);
		free((void *)(uintptr_t)b.data);
	}
	free(entries);
	free(g);
}

/* How many fields docs/WIRE.md says each type has, head not counted. */
static const uint32_t wire_fields[MSG_TYPE_END] = {0, 17, 3, 1, 2, 5, 23, 13, 5, 5, 1,
                                                   1, 1,  1, 3, 2, 2, 5,  6,  3, 3};

/* Then it has a field more. */
static bool is_traced(const struct msg *m)
{
	return (m->type == MSG_FORWARD && m->forward.request.trace.v != 0) ||
	       (m->type == MSG_FORWARD_REPLY && m->forward_reply.http.len > 0);
}

/* msgpack-c writes what it read, in its own shortest forms: the same bytes again. */
static void msgpack_c_writes_the_same(const msgpack_object *o, struct bytes b)
{
	msgpack_sbuffer out;
	msgpack_sbuffer_init(&out);
	msgpack_packer p;
	msgpack_packer_init(&p, &out, msgpack_sbuffer_write);
	msgpack_pack_object(&p, *o);
	same_bytes(bytes_of(out.data, out.size), b);
	msgpack_sbuffer_destroy(&out);
}

static void msgpack_c_reads_the_same_values(void **state)
{
	(void)state;
	struct maker *g = maker_new(2);
	for (int i = 0; i < ROUNDS; i++) {
		struct msg m = make(g, (enum msg_type)(1 + i % (MSG_TYPE_END - 1)));
		struct bytes b = pack(&m);
		msgpack_unpacked u;
		msgpack_unpacked_init(&u);
		size_t at = 0;
		assert_int_equal(msgpack_unpack_next(&u, (const char *)b.data, b.len, &at),
		                 MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(at, b.len);
		assert_int_equal(u.data.type, MSGPACK_OBJECT_ARRAY);
		assert_int_equal(u.data.via.array.size, 4 + wire_fields[m.type] + is_traced(&m));
		const msgpack_object *f = u.data.via.array.ptr;
		assert_true(f[0].via.u64 == m.type && f[1].via.u64 == m.id.v);
		assert_true(f[2].via.u64 == m.epoch.v && f[3].via.u64 == m.hlc.v);
		if (m.type == MSG_PUT) {
			assert_int_equal(f[5].type, MSGPACK_OBJECT_BIN);
			same_bytes(bytes_of(f[5].via.bin.ptr, f[5].via.bin.size), m.put.object);
		}
		if (m.type == MSG_SCAN_REPLY) {
			assert_int_equal(f[8].via.array.size, m.scan_reply.count);
			if (m.scan_reply.count > 0) {
				const msgpack_object *e = f[8].via.array.ptr[0].via.array.ptr;
				same_bytes(bytes_of(e[0].via.bin.ptr, e[0].via.bin.size),
				           m.scan_reply.entries[0].store_key);
				assert_int_equal(e[3].via.boolean, m.scan_reply.entries[0].damaged);
			}
		}
		msgpack_c_writes_the_same(&u.data, b);
		msgpack_unpacked_destroy(&u);
		free((void *)(uintptr_t)b.data);
	}
	free(g);
}

/* The bytes end exactly at a page that may not be touched. */
static void a_message_cut_anywhere_is_bad_and_nothing_past_it_is_read(void **state)
{
	(void)state;
	struct maker *g = maker_new(3);
	struct scan_entry *entries = entries_new();
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = 256 * page;
	uint8_t *map =
		mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + room, page, PROT_NONE), 0);
	for (int i = 0; i < 4 * (MSG_TYPE_END - 1); i++) {
		struct msg m = make(g, (enum msg_type)(1 + i % (MSG_TYPE_END - 1))), back;
		struct bytes b = pack(&m);
		assert_true(b.len <= room);
		size_t step = b.len > 3000 ? b.len / 1500 : 1;
		for (size_t len = 0; len < b.len; len += step) {
			uint8_t *to = map + room - len;
			memcpy(to, b.data, len);
			assert_int_equal(msg_unpack(bytes_of(to, len), &back, entries), ERR_BAD_BYTES);
		}
		free((void *)(uintptr_t)b.data);
	}
	munmap(map, room + page);
	free(entries);
	free(g);
}

/* A part of a key claims more than the key has; the key is the last that may be read. */
static void a_key_whose_part_is_longer_than_the_key_is_not_read_past_its_end(void **state)
{
	(void)state;
	struct scan_entry *entries = entries_new();
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
	struct msg m = {.type = MSG_GET, .get = {BYTES("\0\xff\0\0\0\0"), true}}, back;
	struct bytes b = pack(&m);
	memcpy(map + page - b.len, b.data, b.len);
	assert_int_equal(msg_unpack(bytes_of(map + page - b.len, b.len), &back, entries),
	                 ERR_BAD_BYTES);
	munmap(map, 2 * page);
	free((void *)(uintptr_t)b.data);
	free(entries);
}

static void a_byte_after_the_message_makes_it_bad(void **state)
{
	(void)state;
	struct maker *g = maker_new(4);
	struct scan_entry *entries = entries_new();
	for (int t = 1; t < MSG_TYPE_END; t++) {
		struct msg m = make(g, (enum msg_type)t), back;
		struct bytes b = pack(&m);
		uint8_t *longer = malloc(b.len + 1);
		assert_non_null(longer);
		memcpy(longer, b.data, b.len);
		longer[b.len] = 0;
		assert_int_equal(msg_unpack(bytes_of(longer, b.len + 1), &back, entries), ERR_BAD_BYTES);
		free(longer);
		free((void *)(uintptr_t)b.data);
	}
	free(entries);
	free(g);
}

/* Whatever one changed byte does, it is refused or it is the one encoding of something. */
static void a_changed_byte_is_refused_or_means_something_else(void **state)
{
	(void)state;
	struct maker *g = maker_new(5);
	struct scan_entry *entries = entries_new();
	for (int i = 0; i < ROUNDS; i++) {
		struct msg m = make(g, (enum msg_type)(1 + i % (MSG_TYPE_END - 1))), back;
		struct bytes b = pack(&m);
		uint8_t *changed = (uint8_t *)(uintptr_t)b.data;
		for (int k = 0; k < 50; k++) {
			size_t at = (size_t)prng_below(&g->prng, k < 25 && b.len > 40 ? 40 : b.len);
			uint8_t was = changed[at];
			changed[at] = (uint8_t)prng_next(&g->prng);
			if (msg_unpack(b, &back, entries) == ERR_OK) {
				struct bytes again = pack(&back);
				same_bytes(b, again);
				free((void *)(uintptr_t)again.data);
			}
			changed[at] = was;
		}
		free(changed);
	}
	free(entries);
	free(g);
}

/* Packs what msg_pack would assert on or never write. */
static enum err unpack_packed(const struct packer *p)
{
	struct scan_entry *entries = entries_new();
	struct msg m;
	assert_true(pack_fits(p));
	enum err e = msg_unpack(bytes_of(p->to, p->len), &m, entries);
	free(entries);
	return e;
}

static void head(struct packer *p, uint32_t count, uint64_t type)
{
	p->len = 0;
	pack_array(p, count);
	pack_uint(p, type);
	pack_uint(p, 1);
	pack_uint(p, 2);
	pack_uint(p, 3);
}

static void unknown_types_counts_and_numbers_out_of_range_are_bad(void **state)
{
	(void)state;
	uint8_t room[512];
	struct packer p = {room, sizeof room, 0};
	head(&p, 5, MSG_PUT_ACK);
	pack_uint(&p, ERR_COUNT - 1);
	assert_int_equal(unpack_packed(&p), ERR_OK);
	head(&p, 5, MSG_PUT_ACK);
	pack_uint(&p, ERR_COUNT);
	assert_int_equal(unpack_packed(&p), ERR_BAD_BYTES);
	for (unsigned type = 0; type < 200; type += MSG_TYPE_END) {
		head(&p, 4, type);
		assert_int_equal(unpack_packed(&p), ERR_BAD_BYTES);
	}
	head(&p, 6, MSG_PUT_ACK); /* one field too many */
	pack_uint(&p, 0);
	pack_uint(&p, 0);
	assert_int_equal(unpack_packed(&p), ERR_BAD_BYTES);
	head(&p, 7, MSG_SCAN);
	pack_uint(&p, PARTITIONS_MAX);
	pack_bin(&p, BYTES_EMPTY);
	pack_bool(&p, false);
	assert_int_equal(unpack_packed(&p), ERR_BAD_BYTES);
	head(&p, 5, MSG_VOTE);
	pack_bin(&p, BYTES("fifteen bytes.."));
	assert_int_equal(unpack_packed(&p), ERR_BAD_BYTES);
}

static enum err unpack_get(struct bytes key)
{
	uint8_t room[FULL_KEY_BYTES_MAX + 64];
	struct packer p = {room, sizeof room, 0};
	head(&p, 6, MSG_GET);
	pack_bin(&p, key);
	pack_bool(&p, false);
	return unpack_packed(&p);
}

static enum err unpack_get_reply(struct bytes object, struct bytes digest, struct bytes seen)
{
	uint8_t room[256];
	struct packer p = {room, sizeof room, 0};
	head(&p, 9, MSG_GET_REPLY);
	pack_uint(&p, ERR_OK);
	pack_bool(&p, true);
	pack_bin(&p, object);
	pack_bin(&p, digest);
	pack_bin(&p, seen);
	return unpack_packed(&p);
}

static void an_answer_has_the_object_or_its_digest(void **state)
{
	(void)state;
	struct bytes digest = BYTES("sixteen bytes of"), object = BYTES("object"), seen = BYTES("s");
	assert_int_equal(unpack_get_reply(object, BYTES_EMPTY, BYTES_EMPTY), ERR_OK);
	assert_int_equal(unpack_get_reply(BYTES_EMPTY, digest, seen), ERR_OK);
	assert_int_equal(unpack_get_reply(BYTES_EMPTY, BYTES_EMPTY, seen), ERR_BAD_BYTES);
	assert_int_equal(unpack_get_reply(BYTES_EMPTY, BYTES("fifteen bytes o"), seen), ERR_BAD_BYTES);
	assert_int_equal(unpack_get_reply(object, digest, BYTES_EMPTY), ERR_BAD_BYTES);
	assert_int_equal(unpack_get_reply(object, BYTES_EMPTY, seen), ERR_BAD_BYTES);
}

static void a_key_that_is_not_three_parts_is_bad(void **state)
{
	(void)state;
	assert_int_equal(unpack_get(BYTES("\0\1t\0\1b\0\1k")), ERR_OK);
	assert_int_equal(unpack_get(BYTES("\0\0\0\0\0\0")), ERR_BAD_BYTES);
	assert_int_equal(unpack_get(BYTES("\0\1t\0\0\0\1k")), ERR_BAD_BYTES);
	assert_int_equal(unpack_get(BYTES_EMPTY), ERR_BAD_BYTES);
	assert_int_equal(unpack_get(BYTES("\0\1t\0\1b\0\1")), ERR_BAD_BYTES);
	assert_int_equal(unpack_get(BYTES("\0\1t\0\1b\0\1kk")), ERR_BAD_BYTES);
	assert_int_equal(unpack_get(BYTES("\0\1t\0\1b")), ERR_BAD_BYTES);
	uint8_t long_type[300] = {1, 0}; /* 256 bytes of type: one too many */
	assert_int_equal(unpack_get(bytes_of(long_type, 2 + 256 + 4)), ERR_BAD_BYTES);
}

static void pack_entry(struct packer *p, struct bytes key, struct bytes object, bool damaged)
{
	pack_array(p, 4);
	pack_bin(p, key);
	pack_bin(p, BYTES("0123456789abcdef"));
	pack_bin(p, object);
	pack_bool(p, damaged);
}

static enum err unpack_two_entries(struct bytes a, struct bytes b, struct bytes object,
                                   bool damaged)
{
	uint8_t room[512];
	struct packer p = {room, sizeof room, 0};
	head(&p, 9, MSG_SCAN_REPLY);
	pack_uint(&p, 0);
	pack_bool(&p, true);
	pack_bool(&p, true);
	pack_uint(&p, 0);
	pack_array(&p, 2);
	pack_entry(&p, a, BYTES_EMPTY, false);
	pack_entry(&p, b, object, damaged);
	return unpack_packed(&p);
}

static void a_page_out_of_order_or_a_damaged_record_with_bytes_is_bad(void **state)
{
	(void)state;
	struct bytes one = BYTES("hashhash\0\1t\0\1b\0\1a"), two = BYTES("hashhash\0\1t\0\1b\0\1b");
	assert_int_equal(unpack_two_entries(one, two, BYTES("o"), false), ERR_OK);
	assert_int_equal(unpack_two_entries(one, two, BYTES_EMPTY, true), ERR_OK);
	assert_int_equal(unpack_two_entries(one, two, BYTES("o"), true), ERR_BAD_BYTES);
	assert_int_equal(unpack_two_entries(two, one, BYTES("o"), false), ERR_BAD_BYTES);
	assert_int_equal(unpack_two_entries(one, one, BYTES("o"), false), ERR_BAD_BYTES);
	assert_int_equal(unpack_two_entries(BYTES("hash"), two, BYTES("o"), false), ERR_BAD_BYTES);
}

/* The count says two thousand entries; the bytes hold none. */
static void a_count_is_not_believed(void **state)
{
	(void)state;
	uint8_t room[64];
	struct packer p = {room, sizeof room, 0};
	head(&p, 9, MSG_SCAN_REPLY);
	pack_uint(&p, 0);
	pack_bool(&p, true);
	pack_bool(&p, true);
	pack_uint(&p, 0);
	pack_array(&p, SCAN_PAGE_ENTRIES_MAX);
	assert_int_equal(unpack_packed(&p), ERR_BAD_BYTES);
}

static void an_absent_context_is_not_an_empty_one(void **state)
{
	(void)state;
	struct scan_entry *entries = entries_new();
	for (int has = 0; has < 2; has++) {
		struct msg m = {.type = MSG_FORWARD}, back;
		m.forward.request = (struct request){
			.op = REQUEST_PUT, .key = BYTES("\0\1t\0\1b\0\1k"), .options = REQUEST_OPTIONS_DEFAULT};
		m.forward.request.options.has_context = has == 1;
		struct bytes b = pack(&m);
		assert_int_equal(msg_unpack(b, &back, entries), ERR_OK);
		assert_int_equal(back.forward.request.options.has_context, has);
		assert_int_equal(back.forward.request.context.len, 0);
		free((void *)(uintptr_t)b.data);
	}
	free(entries);
}

/* A message has one encoding: the field of a trace is there only where there is a trace. */
static void a_trace_that_is_none_is_bad(void **state)
{
	(void)state;
	struct msg m = {.type = MSG_FORWARD}, reply = {.type = MSG_FORWARD_REPLY};
	uint8_t room[512];
	m.forward.request = (struct request){
		.op = REQUEST_GET, .key = BYTES("\0\1t\0\1b\0\1k"), .options = REQUEST_OPTIONS_DEFAULT};
	m.forward.request.trace.v = 7;
	reply.forward_reply.http = BYTES("x");
	struct packer p = {room, sizeof room, 0};
	msg_pack(&p, &m);
	assert_int_equal(unpack_packed(&p), ERR_OK);
	room[p.len - 1] = 0; /* the id, its last byte, becomes 0 */
	assert_int_equal(unpack_packed(&p), ERR_BAD_BYTES);
	p.len = 0;
	msg_pack(&p, &reply);
	assert_int_equal(unpack_packed(&p), ERR_OK);
	room[p.len - 2] = 0; /* the address, its length, becomes 0 */
	p.len--;
	assert_int_equal(unpack_packed(&p), ERR_BAD_BYTES);
}

static void an_increment_that_is_no_number_of_eight_bytes_is_bad(void **state)
{
	(void)state;
	static const uint8_t value[9];
	for (size_t len = 0; len <= sizeof value; len++) {
		struct msg m = {.type = MSG_FORWARD};
		uint8_t room[512];
		m.forward.request = (struct request){.op = REQUEST_INCREMENT,
		                                     .key = BYTES("\0\1t\0\1b\0\1k"),
		                                     .value = {value, len},
		                                     .options = REQUEST_OPTIONS_DEFAULT};
		struct packer p = {room, sizeof room, 0};
		msg_pack(&p, &m);
		assert_int_equal(unpack_packed(&p), len == INCREMENT_BYTES ? ERR_OK : ERR_BAD_BYTES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_comes_back_as_it_was_sent),
		cmocka_unit_test(msgpack_c_reads_the_same_values),
		cmocka_unit_test(a_message_cut_anywhere_is_bad_and_nothing_past_it_is_read),
		cmocka_unit_test(a_key_whose_part_is_longer_than_the_key_is_not_read_past_its_end),
		cmocka_unit_test(a_byte_after_the_message_makes_it_bad),
		cmocka_unit_test(a_changed_byte_is_refused_or_means_something_else),
		cmocka_unit_test(unknown_types_counts_and_numbers_out_of_range_are_bad),
		cmocka_unit_test(an_answer_has_the_object_or_its_digest),
		cmocka_unit_test(a_key_that_is_not_three_parts_is_bad),
		cmocka_unit_test(a_page_out_of_order_or_a_damaged_record_with_bytes_is_bad),
		cmocka_unit_test(a_count_is_not_believed),
		cmocka_unit_test(an_absent_context_is_not_an_empty_one),
		cmocka_unit_test(a_trace_that_is_none_is_bad),
		cmocka_unit_test(an_increment_that_is_no_number_of_eight_bytes_is_bad),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
