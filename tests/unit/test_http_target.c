/* test_http_target.c - paths, names and query parameters. */
#include "test_http_util.h"
#include "wire/http_target.h"

static uint8_t room[HTTP_SCRATCH_BYTES];

/* The target stands in front of a page that must not be touched. */
static const char *parse(struct guard *g, enum http_method method, struct bytes target,
                         struct http_target *t)
{
	static struct http_request r;
	struct http_scratch scratch = scratch_of(room);
	r.method = method;
	r.target = (struct bytes){guard_place(g, target), target.len};
	return http_target_parse(&r, &scratch, t);
}

static void each_path_has_its_route(void **state)
{
	(void)state;
	static const struct {
		enum http_method method;
		const char *path;
		enum http_route route;
		enum http_family family;
		const char *type, *bucket, *key;
	} rows[] = {
#define V1 HTTP_FAMILY_V1
#define V2 HTTP_FAMILY_V2
#define V3 HTTP_FAMILY_V3
		{HTTP_GET, "/riak/b/k", HTTP_ROUTE_OBJECT, V1, "default", "b", "k"},
		{HTTP_GET, "/buckets/b/keys/k", HTTP_ROUTE_OBJECT, V2, "default", "b", "k"},
		{HTTP_GET, "/types/t/buckets/b/keys/k", HTTP_ROUTE_OBJECT, V3, "t", "b", "k"},
		{HTTP_POST, "/types/t/buckets/b/keys/k", HTTP_ROUTE_OBJECT, V3, "t", "b", "k"},
		{HTTP_GET, "/buckets/b/counters/k", HTTP_ROUTE_COUNTER, V2, "default", "b", "k"},
		{HTTP_PUT, "/buckets/b/counters/k/", HTTP_ROUTE_COUNTER, V2, "default", "b", "k"},
		{HTTP_GET, "/buckets/b/counters", HTTP_ROUTE_UNKNOWN, V2, "default", "b", ""},
		{HTTP_GET, "/buckets/b/counters/k/x", HTTP_ROUTE_UNKNOWN, V2, "default", "b", "k"},
		{HTTP_GET, "/types/default/buckets/b/counters/k", HTTP_ROUTE_UNKNOWN, V3, "default", "b",
	     "k"},
		{HTTP_POST, "/riak/b", HTTP_ROUTE_OBJECT_LIST, V1, "default", "b", ""},
		{HTTP_POST, "/buckets/b/keys", HTTP_ROUTE_OBJECT_LIST, V2, "default", "b", ""},
		{HTTP_POST, "/types/t/buckets/b/keys", HTTP_ROUTE_OBJECT_LIST, V3, "t", "b", ""},
		{HTTP_GET, "/riak/b?keys=true", HTTP_ROUTE_KEYS, V1, "default", "b", ""},
		{HTTP_GET, "/buckets/b/keys/", HTTP_ROUTE_KEYS, V2, "default", "b", ""},
		{HTTP_GET, "/types/t/buckets/b/keys", HTTP_ROUTE_KEYS, V3, "t", "b", ""},
		{HTTP_GET, "/riak", HTTP_ROUTE_BUCKETS, V1, "default", "", ""},
		{HTTP_GET, "/buckets?buckets=true", HTTP_ROUTE_BUCKETS, V2, "default", "", ""},
		{HTTP_GET, "/types/t/buckets", HTTP_ROUTE_BUCKETS, V3, "t", "", ""},
		{HTTP_PUT, "/riak/b", HTTP_ROUTE_PROPS, V1, "default", "b", ""},
		{HTTP_PUT, "/buckets/b/props", HTTP_ROUTE_PROPS, V2, "default", "b", ""},
		{HTTP_GET, "/types/t/buckets/b/props", HTTP_ROUTE_PROPS, V3, "t", "b", ""},
		{HTTP_GET, "/types/t/props", HTTP_ROUTE_TYPE_PROPS, V3, "t", "", ""},
		{HTTP_GET, "/", HTTP_ROUTE_ROOT, V2, "default", "", ""},
		{HTTP_GET, "", HTTP_ROUTE_ROOT, V2, "default", "", ""},
		{HTTP_GET, "?x", HTTP_ROUTE_ROOT, V2, "default", "", ""},
		{HTTP_GET, "//", HTTP_ROUTE_ROOT, V2, "default", "", ""},
		{HTTP_GET, "/ping", HTTP_ROUTE_PING, V2, "default", "", ""},
		{HTTP_GET, "/ready/", HTTP_ROUTE_READY, V2, "default", "", ""},
		{HTTP_GET, "/metrics", HTTP_ROUTE_METRICS, V2, "default", "", ""},
		{HTTP_GET, "/stats", HTTP_ROUTE_STATS, V2, "default", "", ""},
		{HTTP_GET, "/admin", HTTP_ROUTE_ADMIN, V2, "default", "", ""},
		{HTTP_POST, "/admin/layout/commit", HTTP_ROUTE_ADMIN, V2, "default", "", ""},
		{HTTP_GET, "/ping/x", HTTP_ROUTE_UNKNOWN, V2, "default", "", ""},
		{HTTP_GET, "/Ping", HTTP_ROUTE_UNKNOWN, V2, "default", "", ""},
		{HTTP_GET, "/mapred", HTTP_ROUTE_UNKNOWN, V2, "default", "", ""},
		{HTTP_GET, "/riak/b/k/_,_,1", HTTP_ROUTE_UNKNOWN, V1, "default", "b", "k"},
		{HTTP_GET, "/buckets/b", HTTP_ROUTE_UNKNOWN, V2, "default", "b", ""},
		{HTTP_GET, "/buckets/b/keys/k/x", HTTP_ROUTE_UNKNOWN, V2, "default", "b", "k"},
		{HTTP_GET, "/buckets/b/keyz/k", HTTP_ROUTE_UNKNOWN, V2, "default", "b", "k"},
		{HTTP_GET, "/types", HTTP_ROUTE_UNKNOWN, V3, "default", "", ""},
		{HTTP_GET, "/types/t", HTTP_ROUTE_UNKNOWN, V3, "t", "", ""},
		{HTTP_GET, "/1/2/3/4/5/6/7/8/9", HTTP_ROUTE_UNKNOWN, V2, "default", "", ""},
		{HTTP_GET, "/admin/2/3/4/5/6/7/8/9", HTTP_ROUTE_UNKNOWN, V2, "default", "", ""},
		{HTTP_OPTIONS, "*", HTTP_ROUTE_UNKNOWN, V2, "default", "", ""},
		{HTTP_CONNECT, "ping", HTTP_ROUTE_UNKNOWN, V2, "default", "", ""},
	};
	struct guard g = guard_open();
	for (size_t i = 0; i < COUNT(rows); i++) {
		static struct http_target t;
		assert_null(parse(&g, rows[i].method, bytes_of_string(rows[i].path), &t));
		if (t.route != rows[i].route || t.family != rows[i].family ||
		    !is_text(t.type, rows[i].type) || !is_text(t.bucket, rows[i].bucket) ||
		    !is_text(t.key, rows[i].key))
			fail_msg("%s: route %d family %d", rows[i].path, (int)t.route, (int)t.family);
	}
	guard_close(&g);
}

static void a_segment_is_decoded_once_after_splitting(void **state)
{
	(void)state;
	static const struct {
		const char *segment;
		struct bytes key;
	} rows[] = {
#define KEY(segment, text)                                                                         \
	{                                                                                              \
		segment,                                                                                   \
		{                                                                                          \
			(const uint8_t *)(text), sizeof(text) - 1                                              \
		}                                                                                          \
	}
		KEY("plain", "plain"),   KEY("a%2Fb", "a/b"),
		KEY("a+b", "a b"),       KEY("a%20b", "a b"),
		KEY("a%2Bb", "a+b"),     KEY("a%252Fb", "a%2Fb"),
		KEY("%00", "\0"),        KEY("%ff%FE", "\xff\xfe"),
		KEY("a%3Fb%23", "a?b#"), KEY(".", "."),
		KEY("..", ".."),         KEY("%2e%2E", ".."),
		KEY("+", " "),           KEY("\xc3\xa9", "\xc3\xa9"),
		KEY("%26%3D", "&="),     KEY("_,;:@!$'()*", "_,;:@!$'()*"),
	};
	struct guard g = guard_open();
	for (size_t i = 0; i < COUNT(rows); i++) {
		static struct http_target t;
		char path[64];
		snprintf(path, sizeof(path), "//buckets//b/keys/%s/", rows[i].segment);
		assert_null(parse(&g, HTTP_GET, bytes_of_string(path), &t));
		assert_int_equal(t.route, HTTP_ROUTE_OBJECT);
		if (!bytes_equal(t.key, rows[i].key)) fail_msg("%s", path);
	}
	guard_close(&g);
}

static void a_bad_escape_is_refused_wherever_it_stands(void **state)
{
	(void)state;
	static const char *const rows[] = {"/%",    "/%a",        "/a%g0",    "/%0g",   "/a%",
	                                   "/a?%",  "/a?b=%2",    "/a?b=%zz", "/a?%x=", "/%%30",
	                                   "/% 2f", "/a?b=1&c=%", "/%u0041",  "/%-1"};
	struct guard g = guard_open();
	for (size_t i = 0; i < COUNT(rows); i++) {
		static struct http_target t;
		if (parse(&g, HTTP_GET, bytes_of_string(rows[i]), &t) == NULL) fail_msg("%s", rows[i]);
	}
	guard_close(&g);
}

static void query_parameters_are_form_decoded_and_the_first_wins(void **state)
{
	(void)state;
	static const struct {
		const char *query, *name, *value; /* value NULL: none */
	} rows[] = {
		{"/ping?", "r", NULL},
		{"/ping?r=2", "r", "2"},
		{"/ping?r=2&r=3", "r", "2"},
		{"/ping?r=2&", "r", "2"},
		{"/ping?&&r=2", "r", "2"},
		{"/ping?r", "r", ""},
		{"/ping?r=", "r", ""},
		{"/ping?r=a=b", "r", "a=b"},
		{"/ping?r=a%26b+c%2B", "r", "a&b c+"},
		{"/ping?%72=x", "r", "x"},
		{"/ping?R=x", "r", NULL},
		{"/ping?rr=x", "r", NULL},
		{"/ping?r?=x", "r", NULL},
		{"/ping?r=a?b", "r", "a?b"},
		{"/ping?=x", "r", NULL},
		{"/ping?r=a/b", "r", "a/b"},
	};
	struct guard g = guard_open();
	for (size_t i = 0; i < COUNT(rows); i++) {
		static struct http_target t;
		struct bytes value;
		assert_null(parse(&g, HTTP_GET, bytes_of_string(rows[i].query), &t));
		assert_int_equal(t.route, HTTP_ROUTE_PING);
		bool found = http_target_param(&t, rows[i].name, &value);
		if (found != (rows[i].value != NULL) || (found && !is_text(value, rows[i].value)))
			fail_msg("%s", rows[i].query);
	}
	guard_close(&g);
}

static void more_parameters_than_the_limit_are_refused(void **state)
{
	(void)state;
	static struct http_target t;
	struct guard g = guard_open();
	char query[8 + 2 * HTTP_QUERY_PARAMS_MAX + 3] = "/ping?";
	for (int i = 0; i < HTTP_QUERY_PARAMS_MAX; i++) strcat(query, "a&");
	assert_null(parse(&g, HTTP_GET, bytes_of_string(query), &t));
	assert_int_equal(t.param_count, HTTP_QUERY_PARAMS_MAX);
	assert_non_null(parse(&g, HTTP_GET, bytes_of_string(strcat(query, "a")), &t));
	guard_close(&g);
}

static void the_rest_of_an_admin_path_is_given_in_segments(void **state)
{
	(void)state;
	static struct http_target t;
	struct guard g = guard_open();
	assert_null(parse(&g, HTTP_GET, BYTES("/admin/trace/a%2Fb"), &t));
	assert_int_equal(t.segment_count, 3);
	assert_true(is_text(t.segments[1], "trace") && is_text(t.segments[2], "a/b"));
	guard_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_path_has_its_route),
		cmocka_unit_test(a_segment_is_decoded_once_after_splitting),
		cmocka_unit_test(a_bad_escape_is_refused_wherever_it_stands),
		cmocka_unit_test(query_parameters_are_form_decoded_and_the_first_wins),
		cmocka_unit_test(more_parameters_than_the_limit_are_refused),
		cmocka_unit_test(the_rest_of_an_admin_path_is_given_in_segments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
