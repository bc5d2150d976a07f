/* test_http_site.c - writes that a browser sends for a page of another site. */
#include <string.h>

#include "test_http_util.h"
#include "wire/http_site.h"

static bool same(const char *method, const char *fields)
{
	char text[512];
	struct http_request r;
	snprintf(text, sizeof(text), "%s /x HTTP/1.1\r\n%s\r\n", method, fields);
	assert_int_equal(http_parse((const uint8_t *)text, strlen(text), 0, &r), HTTP_COMPLETE);
	return http_site_is_same(&r);
}

static void what_is_no_browser_says_nothing_of_a_site(void **state)
{
	(void)state;
	assert_true(same("PUT", "Host: a\r\n"));
	assert_true(same("DELETE", "Host: a:8098\r\n"));
}

static void a_page_of_the_host_itself_may_write(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"Host: a\r\nReferer: http://a/\r\n",
		"Host: a:8098\r\nReferer: http://a:8108/x?y#z\r\n",
		"Host: a\r\nOrigin: http://A\r\n",
		"Host: a\r\nOrigin: http://a\r\nReferer: HTTP://a?q\r\n",
		"Host: [::1]:8098\r\nOrigin: http://[::1]:9\r\n",
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!same("PUT", rows[i]) || !same("POST", rows[i]) || !same("DELETE", rows[i]))
			fail_msg("refused: %s", rows[i]);
	}
}

static void a_page_of_another_site_may_read_and_no_more(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"Host: a\r\nReferer: http://b/\r\n",
		"Host: a\r\nReferer: https://a/\r\n",
		"Host: a\r\nReferer: http://a.b/\r\n",
		"Host: a\r\nReferer: http://a@b/\r\n",
		"Host: a\r\nReferer: http://b#http://a/\r\n",
		"Host: a\r\nReferer: /x\r\n",
		"Host: a\r\nReferer: \r\n",
		"Host: a\r\nReferer: http://\r\n",
		"Host: a\r\nOrigin: null\r\n",
		"Host: a\r\nOrigin: http://b\r\nReferer: http://a/\r\n",
		"Host: a\r\nOrigin: http://a\r\nReferer: http://b/\r\n",
		"Host: [::1]\r\nOrigin: http://[::2]\r\n",
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (same("PUT", rows[i]) || same("POST", rows[i]) || same("DELETE", rows[i]))
			fail_msg("taken: %s", rows[i]);
		assert_true(same("GET", rows[i]));
		assert_true(same("HEAD", rows[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_browser_says_nothing_of_a_site),
		cmocka_unit_test(a_page_of_the_host_itself_may_write),
		cmocka_unit_test(a_page_of_another_site_may_read_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
