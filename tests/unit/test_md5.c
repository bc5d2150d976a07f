/* test_md5.c - MD5 against the vectors of RFC 1321, appendix A.5, and lengths around a block. */
#include "test_http_util.h"
#include "wire/md5.h"

static void expect(struct bytes data, const char *hex)
{
	uint8_t digest[MD5_BYTES];
	char text[2 * MD5_BYTES + 1];
	md5(data, digest);
	for (size_t i = 0; i < MD5_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(text, hex);
}

static void the_vectors_of_the_rfc_hold(void **state)
{
	(void)state;
	expect(BYTES_EMPTY, "d41d8cd98f00b204e9800998ecf8427e");
	expect(BYTES("a"), "0cc175b9c0f1b6a831c399e269772661");
	expect(BYTES("abc"), "900150983cd24fb0d6963f7d28e17f72");
	expect(BYTES("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
	expect(BYTES("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
	expect(BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
	       "d174ab98d277d9f5a5611c2c9f419d9f");
	expect(BYTES("1234567890123456789012345678901234567890"
	             "1234567890123456789012345678901234567890"),
	       "57edf4a22be3c955ac49da2e2107b67a");
}

static void lengths_around_a_block_are_padded_right(void **state)
{
	(void)state;
	static const struct {
		size_t len;
		const char *hex;
	} rows[] = {
		{55, "04364420e25c512fd958a70738aa8f72"},  {56, "668a72d5ba17f08e62dabcafad6db14b"},
		{57, "693037871c4a9d3d8685018905cb530a"},  {63, "7dc2ca208106a2f703567bdff99d8981"},
		{64, "c1bb4f81d892b2d57947682aeb252456"},  {65, "1bc932052302d074bdec39795fe00cf6"},
		{119, "ab347a5f68c8a443cfcddc633f12c24f"}, {120, "fb98667f98096de92620b64f46e1c5b5"},
		{128, "d69cb61a6ee87200676eb0d4b90edbcb"}};
	struct guard g = guard_open();
	uint8_t text[130];
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes b = {text, rows[i].len};
		b.data = guard_place(&g, b);
		expect(b, rows[i].hex);
	}
	guard_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_rfc_hold),
		cmocka_unit_test(lengths_around_a_block_are_padded_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
