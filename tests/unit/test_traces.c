/* test_traces.c - which traces a node keeps, of how many steps, and for how long. */
#include "drive/traces.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include <cmocka.h>

static const struct wall wall = {1700000000000};

static void note(struct traces *t, uint64_t id, enum trace_kind kind, uint64_t at_us)
{
	struct trace_step s = {.trace = {id}, .kind = kind, .at = {at_us}};
	uint8_t key[3] = {'k', (uint8_t)id, 0};
	if (kind == TRACE_ADMITTED) s.key = bytes_of(key, 2);
	traces_note(t, &s, wall);
	memset(key, 0xa5, sizeof key); /* it is borrowed for the call */
}

static const struct trace_kept *found(const struct traces *t, uint64_t id, uint64_t now_us)
{
	return traces_find(t, (struct trace_id){id}, (struct instant){now_us});
}

static void a_trace_is_kept_with_its_key_and_steps(void **state)
{
	struct traces t = {0};
	(void)state;
	assert_null(found(&t, 1, 0));
	assert_null(traces_at(&t, 0, (struct instant){0}));
	note(&t, 1, TRACE_ADMITTED, 100);
	note(&t, 1, TRACE_ASKED, 110);
	const struct trace_kept *k = found(&t, 1, 120);
	assert_non_null(k);
	assert_int_equal(k->count, 2);
	assert_int_equal(k->began.us, 100);
	assert_true(bytes_equal(bytes_of(k->key, k->key_len), BYTES("k\1")));
	assert_null(k->steps[0].key.data);
	assert_false(k->ended);
	note(&t, 1, TRACE_ENDED, 130);
	assert_true(k->ended);
	assert_null(found(&t, 2, 120));
	assert_null(found(&t, 0, 120));
	traces_free(&t);
	assert_null(found(&t, 1, 120));
}

static void the_address_of_who_took_it_over_is_copied(void **state)
{
	struct traces t = {0};
	char http[] = "10.0.0.7:8098", longer[MEMBER_ADDRESS_BYTES_MAX + 2];
	(void)state;
	note(&t, 1, TRACE_ADMITTED, 100);
	struct trace_step s = {.trace = {1}, .kind = TRACE_ANSWER_OF_FORWARD};
	s.http = bytes_of(http, strlen(http));
	traces_note(&t, &s, wall);
	memset(http, 'x', sizeof http - 1);
	assert_string_equal(found(&t, 1, 100)->http, "10.0.0.7:8098");
	memset(longer, 'y', sizeof longer);
	s.http = bytes_of(longer, sizeof longer);
	traces_note(&t, &s, wall);
	assert_string_equal(found(&t, 1, 100)->http, "10.0.0.7:8098");
	traces_free(&t);
}

static void the_newest_take_the_place_of_the_oldest(void **state)
{
	struct traces t = {0};
	(void)state;
	for (uint64_t id = 1; id <= TRACES_KEPT_MAX + 3; id++) {
		note(&t, id, TRACE_ADMITTED, id);
		note(&t, id, TRACE_ENDED, id);
	}
	for (uint64_t id = 1; id <= 3; id++) {
		assert_null(found(&t, id, 300));
		note(&t, id, TRACE_ANSWERED, 300); /* a late one finds no place, and takes none */
		assert_null(found(&t, id, 300));
	}
	for (uint64_t id = 4; id <= TRACES_KEPT_MAX + 3; id++)
		assert_int_equal(found(&t, id, 300)->count, 2);
	for (uint32_t i = 0; i < TRACES_KEPT_MAX; i++)
		assert_int_equal(traces_at(&t, i, (struct instant){300})->id.v, TRACES_KEPT_MAX + 3 - i);
	assert_null(traces_at(&t, TRACES_KEPT_MAX, (struct instant){300}));
	traces_free(&t);
}

static void what_has_no_room_is_counted(void **state)
{
	struct traces t = {0};
	(void)state;
	note(&t, 1, TRACE_ADMITTED, 100);
	for (uint32_t i = 1; i < TRACE_STEPS_MAX + 5; i++) note(&t, 1, TRACE_ASKED, 100 + i);
	note(&t, 1, TRACE_ENDED, 999);
	const struct trace_kept *k = found(&t, 1, 1000);
	assert_int_equal(k->count, TRACE_STEPS_MAX);
	assert_int_equal(k->dropped, 6);
	assert_true(k->ended);
	traces_free(&t);
}

static void an_old_trace_is_unknown(void **state)
{
	struct traces t = {0};
	(void)state;
	note(&t, 1, TRACE_ADMITTED, 100);
	assert_non_null(found(&t, 1, 100 + TRACE_KEPT_US));
	assert_non_null(traces_at(&t, 0, (struct instant){100 + TRACE_KEPT_US}));
	assert_null(found(&t, 1, 101 + TRACE_KEPT_US));
	assert_null(traces_at(&t, 0, (struct instant){101 + TRACE_KEPT_US}));
	traces_free(&t);
}

static void ids_are_sixteen_hex_digits(void **state)
{
	struct trace_id id;
	(void)state;
	assert_true(trace_id_read(BYTES("0123456789abcDEF"), &id));
	assert_true(id.v == 0x0123456789abcdefU);
	assert_false(trace_id_read(BYTES("0000000000000000"), &id));
	assert_false(trace_id_read(BYTES("123456789abcdef"), &id));
	assert_false(trace_id_read(BYTES("00123456789abcdef"), &id));
	assert_false(trace_id_read(BYTES("0x23456789abcdef"), &id));
	assert_false(trace_id_read(BYTES(" 123456789abcdef"), &id));
	assert_false(trace_id_read(BYTES("0123456789abcde@"), &id));
	assert_false(trace_id_read(BYTES_EMPTY, &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trace_is_kept_with_its_key_and_steps),
		cmocka_unit_test(the_address_of_who_took_it_over_is_copied),
		cmocka_unit_test(the_newest_take_the_place_of_the_oldest),
		cmocka_unit_test(what_has_no_room_is_counted),
		cmocka_unit_test(an_old_trace_is_unknown),
		cmocka_unit_test(ids_are_sixteen_hex_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
