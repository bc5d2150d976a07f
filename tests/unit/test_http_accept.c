/* test_http_accept.c - what a client gets for its Accept line, the real ones first. */
#include "test_http_util.h"
#include "wire/http_accept.h"

static void siblings_are_shown_as_each_client_expects(void **state)
{
	(void)state;
	static const struct {
		const char *accept;
		enum http_accept_choice choice;
	} rows[] = {
#define JSON HTTP_ACCEPT_JSON
#define NONE HTTP_ACCEPT_NONE
#define TEXT HTTP_ACCEPT_TEXT
#define PARTS HTTP_ACCEPT_MULTIPART
		{"multipart/mixed, application/json, */*;q=0.5", PARTS},       /* python */
		{"multipart/mixed, application/json;q=0.7, */*;q=0.5", PARTS}, /* riak-js, Ruby */
		{"*/*, multipart/mixed", PARTS},                               /* PHP */
		{"multipart/mixed, */*;q=0.9", PARTS},                         /* rhc */
		{"*/*", TEXT},                                                 /* nodiak, curl */
		{"", TEXT},
		{"text/plain", TEXT},
		{"text/*", TEXT},
		{"multipart/mixed", PARTS},
		{"multipart/*", PARTS},
		{"Multipart/Mixed", PARTS},
		{"multipart/mixed;q=0.5, text/plain;q=0.5", PARTS},
		{"multipart/mixed;q=0.4, text/plain;q=0.5", TEXT},
		{"multipart/*;q=0.4, text/*;q=0.5", TEXT},
		{"multipart/mixed;q=0.3, */*", TEXT},
		{"multipart/mixed;q=0, */*", TEXT},
		{"multipart/mixed;q=0", NONE},
		{"multipart/mixed;q=0, multipart/*", NONE},
		{"text/plain;q=0, */*", PARTS},
		{"text/plain;q=0, multipart/mixed;q=0, */*", NONE},
		{"*/*;q=0", NONE},
		{"*", TEXT},
		{"application/json", JSON},
		{"application/json, */*", JSON},
		{"application/json, multipart/mixed;q=0.1", PARTS},
		{"application/json;q=0", NONE},
		{"text/plain, application/json", TEXT},
		{"image/png, text/html", NONE},
		{"text/html, image/gif, *; q=.2, */*; q=.2", TEXT},
		{"multipart/mixed; boundary=\"a,b\"; Q=0.9 , text/plain ; q=0.8", PARTS},
		{", ,multipart/mixed", PARTS},
		{"multipart/mixed;q=1.000", PARTS},
		{"multipart/mixed;q=0.0001, text/plain;q=0", NONE},
		{"multipart/mixed;q=7", PARTS},
		{"multipart/mixed;q=x", PARTS},
		{"text/plain;q=0, text/plain", NONE},
		{"/", NONE},
		{";;;,,,", NONE},
	};
	struct guard g = guard_open();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes accept = bytes_of_string(rows[i].accept);
		accept.data = guard_place(&g, accept);
		if (http_accept_siblings(accept) != rows[i].choice) fail_msg("%s", rows[i].accept);
	}
	guard_close(&g);
}

static void a_stored_type_is_acceptable_or_not(void **state)
{
	(void)state;
	static const struct {
		const char *accept, *type;
		bool ok;
	} rows[] = {
		{"", "text/plain", true},
		{"*/*", "text/plain", true},
		{"text/plain", "text/plain; charset=utf-8", true},
		{"TEXT/Plain", "text/plain", true},
		{"text/*", "text/html", true},
		{"application/json", "text/html", false},
		{"application/json, */*;q=0.1", "text/html", true},
		{"text/html;q=0, */*", "text/html", false},
		{"text/*;q=0, text/html", "text/html", true},
		{"text/html", "text", false},
		{"multipart/mixed", "application/octet-stream", false},
		{"text/ht", "text/html", false},
		{"t/*", "text/html", false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (http_accept_type(bytes_of_string(rows[i].accept), bytes_of_string(rows[i].type)) !=
		    rows[i].ok)
			fail_msg("%s: %s", rows[i].accept, rows[i].type);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siblings_are_shown_as_each_client_expects),
		cmocka_unit_test(a_stored_type_is_acceptable_or_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
