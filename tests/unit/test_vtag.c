/* test_vtag.c - dots as text and back. */
#include "test_http_util.h"
#include "wire/vtag.h"

static struct dot dot_of(uint64_t actor, uint64_t at)
{
	return (struct dot){{actor}, {at}};
}

static void a_dot_becomes_22_letters_and_digits_and_comes_back(void **state)
{
	(void)state;
	static const uint64_t values[] = {0, 1, 61, 62, 3843, 1UL << 32, UINT64_MAX - 1, UINT64_MAX};
	for (size_t i = 0; i < COUNT(values); i++) {
		for (size_t k = 0; k < COUNT(values); k++) {
			char text[VTAG_CHARS];
			struct dot back = dot_of(7, 7);
			vtag_write(dot_of(values[i], values[k]), text);
			for (size_t c = 0; c < VTAG_CHARS; c++)
				assert_true((text[c] >= '0' && text[c] <= '9') ||
				            (text[c] >= 'A' && text[c] <= 'Z') ||
				            (text[c] >= 'a' && text[c] <= 'z'));
			assert_true(vtag_read(bytes_of(text, sizeof(text)), &back));
			assert_int_equal(back.actor.v, values[i]);
			assert_int_equal(back.at.v, values[k]);
		}
	}
}

static void the_digits_stand_where_they_are_said_to(void **state)
{
	(void)state;
	char text[VTAG_CHARS + 1] = {0};
	vtag_write(dot_of(1, 62 * 61 + 10), text);
	assert_string_equal(text, "00000000001000000000zA");
}

static void what_is_no_vtag_is_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"0",
		"000000000010000000000z",
		"00000000001000000000zA0",
		"00000000001000000000z-",
		"0000000000 000000000zA",
		"LygHa16AHYG00000000000", /* 2^64 */
		"zzzzzzzzzzz00000000000",
		"00000000000zzzzzzzzzzz",
	};
	struct dot d;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (i == 2) continue; /* the one good one, that the others differ from */
		if (vtag_read(bytes_of_string(rows[i]), &d)) fail_msg("%s", rows[i]);
	}
	assert_true(vtag_read(bytes_of_string(rows[2]), &d));
	assert_true(vtag_read(BYTES("LygHa16AHYF00000000000"), &d));
	assert_int_equal(d.actor.v, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dot_becomes_22_letters_and_digits_and_comes_back),
		cmocka_unit_test(the_digits_stand_where_they_are_said_to),
		cmocka_unit_test(what_is_no_vtag_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
