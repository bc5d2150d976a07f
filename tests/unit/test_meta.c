/* test_meta.c - stored header fields: what is packed is read back, what is damaged is refused. */
#include "test_http_util.h"
#include "wire/meta.h"

static struct bytes pack(uint8_t *to, size_t capacity)
{
	struct packer p = {to, capacity, 0};
	meta_pack_open(&p, BYTES("text/plain; charset=utf-8"), BYTES("gzip"));
	meta_pack_links(&p, 2);
	meta_pack_link(&p, BYTES("b"), BYTES("k\r\n"), BYTES("t"));
	meta_pack_link(&p, BYTES("b2"), BYTES("k2"), BYTES(""));
	meta_pack_users(&p, 1);
	meta_pack_user(&p, BYTES("Color"), BYTES("red"));
	meta_pack_close(&p);
	return bytes_of(to, p.len);
}

static void what_is_packed_is_read_back(void **state)
{
	(void)state;
	uint8_t room[256];
	struct meta m;
	struct meta_link link;
	struct meta_user user;
	assert_true(meta_read(pack(room, sizeof(room)), &m));
	assert_true(is_text(m.content_type, "text/plain; charset=utf-8"));
	assert_true(is_text(m.content_encoding, "gzip"));
	assert_true(meta_next_link(&m, &link) && is_text(link.bucket, "b") &&
	            is_text(link.key, "k\r\n") && is_text(link.tag, "t"));
	assert_true(meta_next_link(&m, &link) && is_text(link.key, "k2") && is_text(link.tag, ""));
	assert_false(meta_next_link(&m, &link));
	assert_true(meta_next_user(&m, &user) && is_text(user.name, "Color") &&
	            is_text(user.value, "red"));
	assert_false(meta_next_user(&m, &user));
}

static void counting_takes_no_room(void **state)
{
	(void)state;
	uint8_t room[256];
	assert_int_equal(pack(NULL, 0).len, pack(room, sizeof(room)).len);
}

static void no_blob_is_an_object_without_fields(void **state)
{
	(void)state;
	struct meta m;
	assert_true(meta_read(BYTES_EMPTY, &m));
	assert_true(is_text(m.content_type, "application/octet-stream"));
	assert_int_equal(m.content_encoding.len + m.link_count + m.user_count, 0);
}

static void expect_refused(struct guard *g, const char *what, struct bytes blob)
{
	struct meta m;
	blob.data = guard_place(g, blob);
	if (meta_read(blob, &m)) fail_msg("%s", what);
	assert_true(is_text(m.content_type, "application/octet-stream"));
	assert_int_equal(m.link_count + m.user_count, 0);
}

static void every_shorter_or_longer_blob_is_refused(void **state)
{
	(void)state;
	uint8_t room[256];
	struct guard g = guard_open();
	struct bytes blob = pack(room, sizeof(room));
	for (size_t len = 1; len < blob.len; len++)
		expect_refused(&g, "cut short", bytes_of(blob.data, len));
	room[blob.len] = 0;
	expect_refused(&g, "one byte more", bytes_of(blob.data, blob.len + 1));
	guard_close(&g);
}

static void every_flipped_byte_is_survived(void **state)
{
	(void)state;
	uint8_t room[256];
	struct guard g = guard_open();
	struct bytes blob = pack(room, sizeof(room));
	for (size_t i = 0; i < blob.len * 256; i++) {
		struct meta m;
		struct meta_link link;
		struct meta_user user;
		uint8_t *at = guard_place(&g, blob);
		at[i / 256] = (uint8_t)i;
		meta_read(bytes_of(at, blob.len), &m);
		while (meta_next_link(&m, &link)) assert_true(link.key.len <= blob.len);
		while (meta_next_user(&m, &user)) assert_true(user.name.len > 0);
	}
	guard_close(&g);
}

static void what_could_end_a_header_line_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct bytes blob;
	} rows[] = {
#define BLOB(what, text)                                                                           \
	{                                                                                              \
		what,                                                                                      \
		{                                                                                          \
			(const uint8_t *)(text), sizeof(text) - 1                                              \
		}                                                                                          \
	}
		BLOB("LF in type", "\x96\x01\xc4\x02"
	                       "a\n"
	                       "\xc0\x90\x90\x90"),
		BLOB("CR in encoding", "\x96\x01\xc4\x01"
	                           "a\xc4\x01\r"
	                           "\x90\x90\x90"),
		BLOB("colon in name", "\x96\x01\xc4\x01"
	                          "a\xc0\x90\x92\xc4\x01:\xc4\x01"
	                          "b\x90"),
		BLOB("empty name", "\x96\x01\xc4\x01"
	                       "a\xc0\x90\x92\xc4\x00\xc4\x01"
	                       "b\x90"),
		BLOB("LF in value", "\x96\x01\xc4\x01"
	                        "a\xc0\x90\x92\xc4\x01"
	                        "b\xc4\x01\n"
	                        "\x90"),
		BLOB("name without value", "\x96\x01\xc4\x01"
	                               "a\xc0\x90\x91\xc4\x01"
	                               "b\x90"),
		BLOB("two thirds of a link", "\x96\x01\xc4\x01"
	                                 "a\xc0\x92\xc4\x01"
	                                 "b\xc4\x01"
	                                 "c\x90\x90"),
		BLOB("version 2", "\x96\x02\xc4\x01"
	                      "a\xc0\x90\x90\x90"),
		BLOB("version 0", "\x96\x00\xc4\x01"
	                      "a\xc0\x90\x90\x90"),
		BLOB("index terms", "\x96\x01\xc4\x01"
	                        "a\xc0\x90\x90\x91\xc4\x01"
	                        "b"),
		BLOB("five fields", "\x95\x01\xc4\x01"
	                        "a\xc0\x90\x90"),
		BLOB("text", "hello"),
	};
	struct guard g = guard_open();
	for (size_t i = 0; i < COUNT(rows); i++) expect_refused(&g, rows[i].what, rows[i].blob);
	struct meta m;
	assert_true(meta_read(BYTES("\x96\x01\xc4\x01"
	                            "a\xc0\x90\x92\xc4\x01"
	                            "b\xc4\x01"
	                            "c\x90"),
	                      &m));
	guard_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_packed_is_read_back),
		cmocka_unit_test(counting_takes_no_room),
		cmocka_unit_test(no_blob_is_an_object_without_fields),
		cmocka_unit_test(every_shorter_or_longer_blob_is_refused),
		cmocka_unit_test(every_flipped_byte_is_survived),
		cmocka_unit_test(what_could_end_a_header_line_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
