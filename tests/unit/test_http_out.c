/* test_http_out.c - the writer, against the C library and libsodium. */
#include "test_http_util.h"
#include "wire/http_out.h"

#include <sodium.h>
#include <time.h>

static void dates_are_as_the_c_library_writes_them(void **state)
{
	(void)state;
	static const uint64_t edges[] = {0,          784111777,   951782399,  951782400,
	                                 951868800,  4107542399,  4107542400, 253402300799,
	                                 1709164800, 68169599999, 1735689599, 1};
	for (uint64_t i = 0; i < 20000 + COUNT(edges); i++) {
		uint64_t at = i < COUNT(edges) ? edges[i] : i * 12345678 % 253402300800;
		char ours[64] = {0}, theirs[64];
		struct http_out o = {(uint8_t *)ours, sizeof(ours), 0};
		http_out_date(&o, at);
		time_t t = (time_t)at;
		struct tm tm;
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
		assert_string_equal(ours, theirs);
	}
}

static void a_date_past_the_year_9999_stays_in_its_format(void **state)
{
	(void)state;
	char text[64] = {0};
	struct http_out o = {(uint8_t *)text, sizeof(text), 0};
	http_out_date(&o, UINT64_MAX);
	assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void base64_is_as_libsodium_writes_it(void **state)
{
	(void)state;
	for (size_t len = 0; len < 100; len++) {
		uint8_t bin[100];
		char ours[200] = {0}, theirs[200];
		randombytes_buf(bin, sizeof(bin));
		struct http_out o = {(uint8_t *)ours, sizeof(ours), 0};
		http_out_base64(&o, bytes_of(bin, len));
		sodium_bin2base64(theirs, sizeof(theirs), bin, len, sodium_base64_VARIANT_ORIGINAL);
		assert_string_equal(ours, theirs);
	}
}

static void escapes_leave_only_unreserved_bytes(void **state)
{
	(void)state;
	char text[64] = {0};
	struct http_out o = {(uint8_t *)text, sizeof(text), 0};
	http_out_escaped(&o, BYTES("aZ09-._~ /+%\xff\0"));
	assert_string_equal(text, "aZ09-._~%20%2F%2B%25%FF%00");
}

static void a_writer_without_room_counts(void **state)
{
	(void)state;
	char text[6] = "......";
	struct http_out none = {NULL, 0, 0}, some = {(uint8_t *)text, 5, 0};
	http_out_string(&none, "hello");
	http_out_uint(&none, 12345678901234567890u);
	http_out_uint(&none, 0);
	assert_int_equal(none.len, 5 + 20 + 1);
	http_out_string(&some, "hell");
	http_out_string(&some, "oo");
	assert_int_equal(some.len, 6);
	assert_memory_equal(text, "hell..", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_as_the_c_library_writes_them),
		cmocka_unit_test(a_date_past_the_year_9999_stays_in_its_format),
		cmocka_unit_test(base64_is_as_libsodium_writes_it),
		cmocka_unit_test(escapes_leave_only_unreserved_bytes),
		cmocka_unit_test(a_writer_without_room_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
