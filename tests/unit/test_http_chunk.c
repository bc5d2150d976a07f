/* test_http_chunk.c - chunked bodies, whole and byte by byte, in front of a page that must not be
 * touched. */
#include "test_http_util.h"

struct decoded {
	enum http_verdict verdict;
	size_t used;
	struct bytes body;
	uint64_t body_bytes;
};

/* In calls of `step` bytes, each in place; the body is gathered in `room`. */
static struct decoded decode(struct guard *g, struct bytes text, size_t step, uint8_t *room)
{
	struct http_chunks c = {0};
	struct decoded d = {.verdict = HTTP_MORE, .body = {room, 0}};
	while (d.verdict == HTTP_MORE && d.used < text.len) {
		size_t left = text.len - d.used, body = 0, used = 0;
		struct bytes piece = {text.data + d.used, left < step ? left : step};
		uint8_t *at = guard_place(g, piece);
		d.verdict = http_chunks_decode(&c, at, piece.len, &body, &used);
		assert_true(d.verdict != HTTP_MORE || used == piece.len);
		assert_true(d.verdict == HTTP_BAD ? c.reason != NULL : c.reason == NULL);
		memcpy(room + d.body.len, at, body);
		d.body.len += body;
		d.used += used;
	}
	d.body_bytes = c.body_bytes;
	return d;
}

static const size_t steps[] = {1, 2, 3, 7, 4096};

#define CHUNKED(text)                                                                              \
	{                                                                                              \
		(const uint8_t *)(text), sizeof(text) - 1                                                  \
	}

static void good_bodies_are_decoded_in_place(void **state)
{
	(void)state;
	static const struct {
		struct bytes text;
		const char *body;
		size_t rest; /* bytes behind the end that are left alone */
	} rows[] = {
		{CHUNKED("0\r\n\r\n"), "", 0},
		{CHUNKED("5\r\nhello\r\n0\r\n\r\n"), "hello", 0},
		{CHUNKED("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nGET /"), "hello!", 5},
		{CHUNKED("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), "01234567890123456789", 0},
		{CHUNKED("000003\r\nabc\r\n000\r\n\r\n"), "abc", 0},
		{CHUNKED("3;a=b;c=\"d\"\r\nabc\r\n0;last\r\n\r\n"), "abc", 0},
		{CHUNKED("3\r\nabc\r\n0\r\nChecksum: 1\r\nX:\r\n\r\n"), "abc", 0},
		{CHUNKED("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n", 0},
	};
	struct guard g = guard_open();
	uint8_t room[256];
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t s = 0; s < COUNT(steps); s++) {
			struct decoded d = decode(&g, rows[i].text, steps[s], room);
			if (d.verdict != HTTP_COMPLETE || !is_text(d.body, rows[i].body) ||
			    d.used + rows[i].rest != rows[i].text.len || d.body_bytes != d.body.len)
				fail_msg("row %zu in steps of %zu", i, steps[s]);
		}
	}
	guard_close(&g);
}

static void bad_bodies_are_refused_however_they_are_cut(void **state)
{
	(void)state;
	static const struct bytes rows[] = {
		CHUNKED("\r\n"),
		CHUNKED("g\r\n"),
		CHUNKED("-1\r\n"),
		CHUNKED("+1\r\n"),
		CHUNKED(" 1\r\n"),
		CHUNKED("1 \r\n"),
		CHUNKED("0x1\r\n"),
		CHUNKED(";a=b\r\n"),
		CHUNKED("5\nhello\r\n"),
		CHUNKED("5\r\rhello\r\n"),
		CHUNKED("5\r\nhelloX\r\n"),
		CHUNKED("5\r\nhello\n0\r\n\r\n"),
		CHUNKED("5\r\nhello\rX"),
		CHUNKED("5\r\nhell\r\n0\r\n\r\n"),
		CHUNKED("5;a\nb\r\nhello\r\n"),
		CHUNKED("5;a\0b\r\nhello\r\n"),
		CHUNKED("0\r\n\n"),
		CHUNKED("0\r\n X: y\r\n\r\n"),
		CHUNKED("0\r\nX : y\r\n\r\n"),
		CHUNKED("0\r\n: y\r\n\r\n"),
		CHUNKED("0\r\nXy\r\n\r\n"),
		CHUNKED("0\r\nX: a\0b\r\n\r\n"),
		CHUNKED("0\r\nX: y\n\r\n"),
		CHUNKED("0\r\nX: y\r\r\n\r\n"),
		CHUNKED("0\r\n\rX"),
		CHUNKED("1000000000000000\r\n"),
		CHUNKED("fffffffffffffffff\r\n"),
		CHUNKED("0000000000000000000000000001\r\n"),
	};
	struct guard g = guard_open();
	uint8_t room[256];
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t s = 0; s < COUNT(steps); s++) {
			struct decoded d = decode(&g, rows[i], steps[s], room);
			if (d.verdict != HTTP_BAD) fail_msg("row %zu in steps of %zu", i, steps[s]);
		}
	}
	guard_close(&g);
}

static void the_size_of_a_chunk_counts_before_its_bytes_come(void **state)
{
	(void)state;
	struct http_chunks c = {0};
	uint8_t text[] = "fffffff\r\nx";
	size_t body, used;
	assert_int_equal(http_chunks_decode(&c, text, 10, &body, &used), HTTP_MORE);
	assert_int_equal(body, 1);
	assert_int_equal(text[0], 'x');
	assert_int_equal(c.body_bytes, 0xfffffff);
}

/* The same piece again and again, until the verdict; how many were taken. */
static size_t repeat(const char *head, const char *piece, struct http_chunks *c)
{
	uint8_t text[512];
	size_t body, used, count = 0;
	enum http_verdict v;
	memcpy(text, head, strlen(head));
	v = http_chunks_decode(c, text, strlen(head), &body, &used);
	for (; v == HTTP_MORE && count < 1000000; count++) {
		memcpy(text, piece, strlen(piece));
		v = http_chunks_decode(c, text, strlen(piece), &body, &used);
	}
	assert_int_equal(v, HTTP_BAD);
	return count;
}

static void extensions_and_trailers_are_bounded(void **state)
{
	(void)state;
	struct http_chunks line = {0}, many = {0}, trailer = {0}, names = {0};
	assert_int_equal(repeat("1;", "a", &line), HTTP_CHUNK_LINE_BYTES_MAX + 1);
	assert_int_equal(repeat("1;a\r\nx\r\n", "1;a\r\nx\r\n", &many), HTTP_CHUNK_EXTRA_BYTES_MAX / 2);
	assert_in_range(repeat("0\r\n", "a: b\r\n", &trailer), 1000, HTTP_CHUNK_EXTRA_BYTES_MAX);
	assert_int_equal(repeat("0\r\n", "a", &names), HTTP_CHUNK_EXTRA_BYTES_MAX + 1);
}

static void a_sum_of_sizes_cannot_wrap_round(void **state)
{
	(void)state;
	struct http_chunks c = {.body_bytes = UINT64_MAX - 1};
	uint8_t text[] = "2\r\n";
	size_t body, used;
	assert_int_equal(http_chunks_decode(&c, text, 3, &body, &used), HTTP_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_bodies_are_decoded_in_place),
		cmocka_unit_test(bad_bodies_are_refused_however_they_are_cut),
		cmocka_unit_test(the_size_of_a_chunk_counts_before_its_bytes_come),
		cmocka_unit_test(extensions_and_trailers_are_bounded),
		cmocka_unit_test(a_sum_of_sizes_cannot_wrap_round),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
