/* test_context.c - what a client was shown, as bytes that only this cluster can make, for this key. */
#include <setjmp.h>
#include <sodium/crypto_shorthash_siphash24.h>
#include <stdarg.h>

#include "core/context.h"
#include "ring/ring.h"
#include "tests/unit/test_core_util.h"

#include <cmocka.h>

static struct room room;
static const uint8_t secret[16] = "sixteen secrets";

static int open_room(void **state)
{
	(void)state;
	room_open(&room, MIB(4));
	return 0;
}

static int close_room(void **state)
{
	(void)state;
	room_close(&room);
	return 0;
}

static struct bytes key_of(const char *type, const char *bucket, const char *name)
{
	struct bytes t = bytes_of_string(type), b = bytes_of_string(bucket), n = bytes_of_string(name);
	uint8_t *to = arena_take(&room.arena, full_key_len(t, b, n));
	full_key_write(to, t, b, n);
	return bytes_of(to, full_key_len(t, b, n));
}

static struct bytes seal(struct bytes key, const char *shown)
{
	struct dvv v = dvv_of(&room.arena, shown);
	struct bytes out;
	assert_true(context_seal(&room.arena, secret, key, &v, &out));
	return out;
}

static enum err open_it(struct bytes key, struct bytes context)
{
	struct dvv out;
	return context_open(&room.arena, secret, key, context, &out);
}

static void a_context_says_again_what_was_shown(void **state)
{
	(void)state;
	static const char *const shown[] = {"", "A1", "A3 B7 | A5 C1", "| Z9"};
	struct bytes key = key_of("default", "carts", "bob");
	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
		struct dvv out;
		struct bytes context = seal(key, shown[i]);
		assert_int_equal(context_open(&room.arena, secret, key, context, &out), ERR_OK);
		assert_string_equal(dvv_text(&out), shown[i]);
	}
}

static void no_context_means_that_nothing_was_shown(void **state)
{
	(void)state;
	struct dvv out = {.vector_count = 3};
	struct bytes key = key_of("default", "carts", "bob");
	assert_int_equal(context_open(&room.arena, secret, key, BYTES_EMPTY, &out), ERR_OK);
	assert_int_equal(out.vector_count + out.dot_count, 0);
}

static void a_context_of_another_key_bucket_or_type_is_refused(void **state)
{
	(void)state;
	struct bytes context = seal(key_of("default", "carts", "bob"), "A3 | B7");
	assert_int_equal(open_it(key_of("default", "carts", "bob"), context), ERR_OK);
	assert_int_equal(open_it(key_of("default", "carts", "bo"), context), ERR_BAD_CONTEXT);
	assert_int_equal(open_it(key_of("default", "carts", "Bob"), context), ERR_BAD_CONTEXT);
	assert_int_equal(open_it(key_of("default", "cart", "sbob"), context), ERR_BAD_CONTEXT);
	assert_int_equal(open_it(key_of("default", "art", "bob"), context), ERR_BAD_CONTEXT);
	assert_int_equal(open_it(key_of("other", "carts", "bob"), context), ERR_BAD_CONTEXT);
}

static void a_context_of_another_cluster_is_refused(void **state)
{
	(void)state;
	static const uint8_t other[16] = "another secret!";
	struct bytes key = key_of("default", "carts", "bob");
	struct bytes context = seal(key, "A3");
	struct dvv out = {.vector_count = 3};
	assert_int_equal(context_open(&room.arena, other, key, context, &out), ERR_BAD_CONTEXT);
	assert_int_equal(out.vector_count, 0);
}

static void a_context_with_any_bit_changed_is_refused(void **state)
{
	(void)state;
	struct bytes key = key_of("default", "carts", "bob");
	struct bytes context = seal(key, "A3 B70000 | A5");
	uint8_t copy[128];
	for (size_t bit = 0; bit < context.len * 8; bit++) {
		memcpy(copy, context.data, context.len);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(open_it(key, bytes_of(copy, context.len)), ERR_BAD_CONTEXT);
	}
}

static void a_context_cut_short_or_with_something_behind_it_is_refused(void **state)
{
	(void)state;
	struct bytes key = key_of("default", "carts", "bob");
	struct bytes context = seal(key, "A3 B7 | A5");
	uint8_t longer[128];
	for (size_t len = 1; len < context.len; len++) {
		uint8_t *exact = malloc(len);
		memcpy(exact, context.data, len);
		assert_int_equal(open_it(key, bytes_of(exact, len)), ERR_BAD_CONTEXT);
		free(exact);
	}
	memcpy(longer, context.data, context.len);
	longer[context.len] = 0;
	assert_int_equal(open_it(key, bytes_of(longer, context.len + 1)), ERR_BAD_CONTEXT);
}

/* Rightly sealed, and still not one state: only a bug of a peer of ours could make it. */
static void a_sealed_state_out_of_order_is_refused(void **state)
{
	(void)state;
	struct bytes key = key_of("default", "carts", "bob");
	assert_int_equal(open_it(key, seal(key, "B1 A1")), ERR_BAD_CONTEXT);
	assert_int_equal(open_it(key, seal(key, "A2 | A1")), ERR_BAD_CONTEXT);
	assert_int_equal(open_it(key, seal(key, "A0")), ERR_BAD_CONTEXT);
}

/* The same, by a peer that knows the secret. */
static void a_sealed_state_with_something_behind_it_is_refused(void **state)
{
	(void)state;
	struct bytes key = key_of("default", "carts", "bob");
	uint8_t sealed[256], context[32] = {0};
	for (unsigned extra = 0; extra <= 1; extra++) {
		struct packer rest = {.to = context + 8, .capacity = 24};
		struct dvv v = dvv_of(&room.arena, "A3");
		dvv_pack(&rest, &v);
		if (extra > 0) pack_uint(&rest, 7);
		memcpy(sealed, key.data, key.len);
		memcpy(sealed + key.len, rest.to, rest.len);
		crypto_shorthash_siphash24(context, sealed, key.len + rest.len, secret);
		assert_int_equal(open_it(key, bytes_of(context, 8 + rest.len)),
		                 extra == 0 ? ERR_OK : ERR_BAD_CONTEXT);
	}
}

static void the_longest_context_is_taken_and_a_longer_one_is_refused(void **state)
{
	(void)state;
	struct bytes key = key_of("default", "carts", "bob"), context;
	struct dot *many = arena_take(&room.arena, 2000 * sizeof *many);
	bool taken = false, refused = false;
	for (uint64_t i = 0; i < 2000; i++) many[i] = (struct dot){{i + 1}, {UINT64_MAX / 2 + i}};
	for (uint32_t count = 600; count < 1000; count++) {
		struct arena_mark mark = arena_mark(&room.arena);
		struct dvv v = {.vector = many, .vector_count = count};
		assert_true(context_seal(&room.arena, secret, key, &v, &context));
		bool fits = context.len <= CONTEXT_BYTES_MAX;
		assert_int_equal(open_it(key, context), fits ? ERR_OK : ERR_BAD_CONTEXT);
		taken = taken || fits;
		refused = refused || !fits;
		arena_release(&room.arena, mark);
	}
	assert_true(taken && refused);
}

static void without_room_the_answer_is_busy_and_not_that_it_is_forged(void **state)
{
	(void)state;
	struct bytes key = key_of("default", "carts", "bob"), out;
	struct bytes context = seal(key, "A3 | B7");
	struct dvv v = dvv_of(&room.arena, "A3"), shown;
	struct room full;
	room_open(&full, MIB(1));
	room_exhaust(&full, POOL_PIECE_BYTES_MIN);
	assert_int_equal(context_open(&full.arena, secret, key, context, &shown), ERR_BUSY);
	assert_false(context_seal(&full.arena, secret, key, &v, &out));
	full.pool.used = 0;
	room_close(&full);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_room, close_room)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_context_says_again_what_was_shown),
		T(no_context_means_that_nothing_was_shown),
		T(a_context_of_another_key_bucket_or_type_is_refused),
		T(a_context_of_another_cluster_is_refused),
		T(a_context_with_any_bit_changed_is_refused),
		T(a_context_cut_short_or_with_something_behind_it_is_refused),
		T(a_sealed_state_out_of_order_is_refused),
		T(a_sealed_state_with_something_behind_it_is_refused),
		T(the_longest_context_is_taken_and_a_longer_one_is_refused),
		T(without_room_the_answer_is_busy_and_not_that_it_is_forged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
