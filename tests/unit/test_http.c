/* test_http.c - the request parser. Every row is parsed whole, then byte by byte, each time with a
 * page behind the last byte that must not be touched; the verdicts must agree. */
#include "test_http_util.h"

/* ---- three ways to the same verdict ------------------------------------------------------ */

static enum http_verdict parse_whole(struct guard *g, struct bytes text, struct http_request *r)
{
	return http_parse(guard_place(g, text), text.len, 0, r);
}

/* Stops at the first verdict other than HTTP_MORE; *at is how many bytes it took. */
static enum http_verdict parse_bytewise(struct guard *g, struct bytes text, struct http_request *r,
                                        size_t *at)
{
	size_t last = 0;
	for (*at = 1; *at <= text.len; ++*at) {
		struct bytes so_far = {text.data, *at};
		enum http_verdict v = http_parse(guard_place(g, so_far), *at, last, r);
		if (v != HTTP_MORE) return v;
		last = *at;
	}
	return HTTP_MORE;
}

static void expect_bad(struct guard *g, const char *name, struct bytes text, int status)
{
	static struct http_request r;
	size_t at;
	enum http_verdict whole = parse_whole(g, text, &r);
	if (whole != HTTP_BAD || r.status != status || r.reason == NULL)
		fail_msg("%s: whole gives verdict %d status %d", name, (int)whole, r.status);
	enum http_verdict stepwise = parse_bytewise(g, text, &r, &at);
	if (stepwise != HTTP_BAD || r.status != status)
		fail_msg("%s: byte by byte gives verdict %d status %d", name, (int)stepwise, r.status);
}

static void expect_good(struct guard *g, struct bytes text, struct http_request *r)
{
	size_t at;
	assert_int_equal(parse_bytewise(g, text, r, &at), HTTP_COMPLETE);
	if (r->head_bytes != at) fail_msg("%.*s: complete too late", (int)text.len, text.data);
	assert_int_equal(parse_whole(g, text, r), HTTP_COMPLETE);
	assert_int_equal(r->head_bytes, at);
}

/* ---- what is refused --------------------------------------------------------------------- */

#define GET "GET / HTTP/1.1\r\n"
#define PUT "PUT / HTTP/1.1\r\nHost: a\r\n"

struct bad_row {
	const char *name;
	int status;
	struct bytes text;
};
#define ROW(name, status, text)                                                                    \
	{                                                                                              \
		name, status,                                                                              \
		{                                                                                          \
			(const uint8_t *)(text), sizeof(text) - 1                                              \
		}                                                                                          \
	}

static const struct bad_row bad_rows[] = {
	ROW("bare LF ends request line", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
	ROW("bare LF ends field", 400, GET "Host: a\n\r\n"),
	ROW("bare LF ends head", 400, GET "Host: a\r\n\n"),
	ROW("only bare LFs", 400, "GET / HTTP/1.1\nHost: a\n\n"),
	ROW("bare LF first", 400, "\nGET / HTTP/1.1\r\n"),
	ROW("two empty lines first", 400, "\r\n\r\nGET / HTTP/1.1\r\n"),
	ROW("bare CR in request line", 400, "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("bare CR in value", 400, GET "Host: a\rb\r\n\r\n"),
	ROW("CR CR LF", 400, GET "Host: a\r\r\n\r\n"),
	ROW("bare CR as line end", 400, GET "Host: a\rX: b\r\n\r\n"),
	ROW("NUL in value", 400, GET "Host: a\r\nX: a\0b\r\n\r\n"),
	ROW("NUL in name", 400, GET "Host: a\r\nX\0: b\r\n\r\n"),
	ROW("NUL in target", 400, "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("NUL in method", 400, "G\0T / HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("control byte in value", 400, GET "Host: a\r\nX: a\x01\r\n\r\n"),
	ROW("escape in value", 400, GET "Host: a\r\nX: \x1b[0m\r\n\r\n"),
	ROW("DEL in value", 400, GET "Host: a\r\nX: \x7f\r\n\r\n"),
	ROW("DEL in target", 400, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("space before colon", 400, GET "Host : a\r\n\r\n"),
	ROW("tab before colon", 400, GET "Host\t: a\r\n\r\n"),
	ROW("space before the colon of a length", 400, PUT "Content-Length : 3\r\n\r\n"),
	ROW("space before the colon of an encoding", 400, PUT "Transfer-Encoding : chunked\r\n\r\n"),
	ROW("folded field", 400, GET "Host: a\r\n b\r\n\r\n"),
	ROW("folded with tab", 400, GET "Host: a\r\n\tb\r\n\r\n"),
	ROW("blank before the first field", 400, GET " Host: a\r\n\r\n"),
	ROW("line of one space", 400, GET "Host: a\r\n \r\n\r\n"),
	ROW("no colon", 400, GET "Host a\r\n\r\n"),
	ROW("no name", 400, GET ": a\r\n\r\n"),
	ROW("name with a brace", 400, GET "Ho{st: a\r\n\r\n"),
	ROW("name with a high byte", 400, GET "H\xc3\xb6st: a\r\n\r\n"),
	ROW("name with a parenthesis", 400, GET "Host: a\r\nX(y): a\r\n\r\n"),
	ROW("two lengths that differ", 400, PUT "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"),
	ROW("two lengths that agree", 400, PUT "Content-Length: 3\r\ncontent-length: 3\r\n\r\n"),
	ROW("list of lengths", 400, PUT "Content-Length: 3, 3\r\n\r\n"),
	ROW("length with plus", 400, PUT "Content-Length: +3\r\n\r\n"),
	ROW("length with minus", 400, PUT "Content-Length: -3\r\n\r\n"),
	ROW("length with inner space", 400, PUT "Content-Length: 3 3\r\n\r\n"),
	ROW("length in hexadecimal", 400, PUT "Content-Length: 0x3\r\n\r\n"),
	ROW("length with point", 400, PUT "Content-Length: 3.0\r\n\r\n"),
	ROW("length with underscore", 400, PUT "Content-Length: 1_0\r\n\r\n"),
	ROW("empty length", 400, PUT "Content-Length:\r\n\r\n"),
	ROW("quoted length", 400, PUT "Content-Length: \"3\"\r\n\r\n"),
	ROW("length above 63 bits", 400, PUT "Content-Length: 9223372036854775808\r\n\r\n"),
	ROW("length above 64 bits", 400, PUT "Content-Length: 18446744073709551619\r\n\r\n"),
	ROW("length far above", 400, PUT "Content-Length: 99999999999999999999999999\r\n\r\n"),
	ROW("length then encoding", 400, PUT "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
	ROW("encoding then length", 400, PUT "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
	ROW("two encodings", 400,
        PUT "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
	ROW("identity", 501, PUT "Transfer-Encoding: identity\r\n\r\n"),
	ROW("gzip, chunked", 501, PUT "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	ROW("chunked, identity", 501, PUT "Transfer-Encoding: chunked, identity\r\n\r\n"),
	ROW("xchunked", 501, PUT "Transfer-Encoding: xchunked\r\n\r\n"),
	ROW("chunked twice", 501, PUT "Transfer-Encoding: chunked, chunked\r\n\r\n"),
	ROW("chunked with parameter", 501, PUT "Transfer-Encoding: chunked;a=b\r\n\r\n"),
	ROW("quoted chunked", 501, PUT "Transfer-Encoding: \"chunked\"\r\n\r\n"),
	ROW("empty encoding", 501, PUT "Transfer-Encoding:\r\n\r\n"),
	ROW("chunked with vertical tab", 400,
        PUT "Transfer-Encoding: \x0b"
            "chunked\r\n\r\n"),
	ROW("encoding on HTTP/1.0", 400, "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	ROW("no Host", 400, GET "\r\n"),
	ROW("two Hosts", 400, GET "Host: a\r\nHost: a\r\n\r\n"),
	ROW("two Hosts on 1.0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
	ROW("list of hosts", 400, GET "Host: a, b\r\n\r\n"),
	ROW("Host with path", 400, GET "Host: a/b\r\n\r\n"),
	ROW("Host with user", 400, GET "Host: u@a\r\n\r\n"),
	ROW("Host with space", 400, GET "Host: a b\r\n\r\n"),
	ROW("unknown expectation", 417, GET "Host: a\r\nExpect: a-miracle\r\n\r\n"),
	ROW("HTTP/0.9", 400, "GET /\r\n"),
	ROW("no target", 400, "GET HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("only a method", 400, "GET\r\n"),
	ROW("space first", 400, " GET / HTTP/1.1\r\n"),
	ROW("two spaces before target", 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("two spaces after target", 400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("tab after method", 400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("tab after target", 400, "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("space after version", 400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
	ROW("space in target", 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("fragment in target", 400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("relative target", 400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("star for GET", 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("authority for GET", 400, "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("absolute without host", 400, "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("absolute with user", 400, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("absolute of another scheme", 400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("absolute without Host field", 400, "GET http://a/ HTTP/1.1\r\n\r\n"),
	ROW("method with slash", 400, "GE/T / HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("lower-case version", 400, "GET / http/1.1\r\nHost: a\r\n\r\n"),
	ROW("version of one digit", 400, "GET / HTTP/1\r\nHost: a\r\n\r\n"),
	ROW("version of two digits", 400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
	ROW("version with letters", 400, "GET / HTTP/1.x\r\nHost: a\r\n\r\n"),
	ROW("HTTP/2.0", 505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
	ROW("HTTP/0.9 by name", 505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
	ROW("preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	ROW("garbage behind an empty line", 400, "\r\n\x94\xdf\xb7"),
	ROW("garbage behind a CR", 400, "\r\xab\xab"),
	ROW("TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
};

static void every_malformed_request_is_refused_with_its_status(void **state)
{
	(void)state;
	struct guard g = guard_open();
	for (size_t i = 0; i < COUNT(bad_rows); i++)
		expect_bad(&g, bad_rows[i].name, bad_rows[i].text, bad_rows[i].status);
	guard_close(&g);
}

/* ---- limits ------------------------------------------------------------------------------ */

struct builder {
	char *text;
	size_t len;
};

static void add(struct builder *b, const char *s)
{
	memcpy(b->text + b->len, s, strlen(s));
	b->len += strlen(s);
}

static void add_filler(struct builder *b, char c, size_t count)
{
	memset(b->text + b->len, c, count);
	b->len += count;
}

static struct bytes built(const struct builder *b)
{
	return bytes_of(b->text, b->len);
}

static struct bytes with_target(struct builder *b, size_t target)
{
	b->len = 0;
	add(b, "GET /");
	add_filler(b, 'a', target - 1);
	add(b, " HTTP/1.1\r\nHost: a\r\n\r\n");
	return built(b);
}

/* A block of `lines` fields of `line` bytes each, line ends included, and Host. */
static struct bytes with_fields(struct builder *b, size_t lines, size_t line)
{
	b->len = 0;
	add(b, GET);
	for (size_t i = 0; i < lines; i++) {
		add(b, "Link: ");
		add_filler(b, 'a', line - 8);
		add(b, "\r\n");
	}
	add(b, "Host: a\r\n\r\n");
	return built(b);
}

static void lines_and_blocks_are_bounded_and_the_bounds_can_be_used(void **state)
{
	(void)state;
	static struct http_request r;
	struct guard g = guard_open();
	struct builder b = {malloc(GUARD_BYTES), 0};
	const size_t target = HTTP_LINE_BYTES_MAX - sizeof("GET  HTTP/1.1") + 1;
	expect_good(&g, with_target(&b, target), &r);
	assert_int_equal(r.target.len, target);
	expect_bad(&g, "long target", with_target(&b, target + 1), 414);
	expect_good(&g, with_fields(&b, 1, HTTP_LINE_BYTES_MAX + 2), &r);
	expect_bad(&g, "long field", with_fields(&b, 1, HTTP_LINE_BYTES_MAX + 3), 431);
	/* Seven lines of 8 KiB, as clients with many links send; then a block of just the limit. */
	expect_good(&g, with_fields(&b, 7, 8192), &r);
	assert_int_equal(r.header_count, 8);
	struct bytes whole = with_fields(&b, 11, 5957);
	assert_int_equal(whole.len - sizeof(GET) + 1 - 2, HTTP_HEADER_BYTES_MAX);
	expect_good(&g, whole, &r);
	whole = with_fields(&b, 8, 8191);
	assert_int_equal(whole.len - sizeof(GET) + 1 - 2, HTTP_HEADER_BYTES_MAX + 1);
	expect_bad(&g, "long block", whole, 431);
	free(b.text);
	guard_close(&g);
}

static void a_line_that_never_ends_is_refused_at_its_limit(void **state)
{
	(void)state;
	static struct http_request r;
	struct guard g = guard_open();
	struct builder b = {malloc(GUARD_BYTES), 0};
	size_t at;
	add(&b, "GET /");
	add_filler(&b, 'a', 2 * HTTP_LINE_BYTES_MAX);
	assert_int_equal(parse_bytewise(&g, built(&b), &r, &at), HTTP_BAD);
	assert_int_equal(r.status, 414);
	assert_int_equal(at, HTTP_LINE_BYTES_MAX + 1);
	b.len = 0;
	add(&b, GET "X: ");
	add_filler(&b, 'a', 2 * HTTP_LINE_BYTES_MAX);
	assert_int_equal(parse_bytewise(&g, built(&b), &r, &at), HTTP_BAD);
	assert_int_equal(r.status, 431);
	assert_int_equal(at, sizeof(GET) - 1 + HTTP_LINE_BYTES_MAX + 1);
	free(b.text);
	guard_close(&g);
}

static void as_many_fields_as_the_limit_and_not_one_more(void **state)
{
	(void)state;
	static struct http_request r;
	struct guard g = guard_open();
	struct builder b = {malloc(GUARD_BYTES), 0};
	expect_good(&g, with_fields(&b, HTTP_HEADERS_MAX - 1, 10), &r);
	assert_int_equal(r.header_count, HTTP_HEADERS_MAX);
	assert_true(http_header_repeated(&r, HTTP_NAME_LINK));
	assert_false(http_header_repeated(&r, HTTP_NAME_HOST));
	expect_bad(&g, "fields", with_fields(&b, HTTP_HEADERS_MAX, 10), 431);
	free(b.text);
	guard_close(&g);
}

static void no_head_is_longer_than_the_limit_that_buffers_are_made_for(void **state)
{
	(void)state;
	static struct http_request r;
	struct guard g = guard_open();
	struct builder b = {malloc(GUARD_BYTES), 0};
	add(&b, "\r\nGET /");
	add_filler(&b, 'a', HTTP_LINE_BYTES_MAX - 14);
	add(&b, " HTTP/1.1\r\n");
	for (int i = 0; i < 8; i++) {
		add(&b, "X:");
		add_filler(&b, 'a', 8188);
		add(&b, i < 7 ? "\r\n" : "");
	}
	/* The open line may still become the end of a block of exactly the limit. */
	size_t last = 0;
	enum http_verdict v = HTTP_MORE;
	for (; b.len <= HTTP_HEAD_BYTES_MAX + 1 && v == HTTP_MORE; add(&b, "a")) {
		v = http_parse(guard_place(&g, built(&b)), b.len, last, &r);
		last = b.len;
	}
	assert_int_equal(v, HTTP_BAD);
	assert_int_equal(r.status, 431);
	free(b.text);
	guard_close(&g);
}

/* ---- what is accepted -------------------------------------------------------------------- */

static void parse_text(struct guard *g, const char *text, struct http_request *r)
{
	expect_good(g, bytes_of_string(text), r);
}

static void the_parts_of_a_request_are_where_they_stand(void **state)
{
	(void)state;
	static struct http_request r;
	struct guard g = guard_open();
	parse_text(&g,
	           "PUT /buckets/b/keys/k?w=2 HTTP/1.1\r\nhost:  a:8098 \t\r\nCONTENT-LENGTH: 0012\r\n"
	           "X-Riak-Meta-Color: red\r\nX-Riak-Meta-: none\r\nEmpty:\r\nX: a\tb \xc3\xa9\r\n\r\n",
	           &r);
	assert_int_equal(r.method, HTTP_PUT);
	assert_true(is_text(r.method_text, "PUT"));
	assert_true(is_text(r.target, "/buckets/b/keys/k?w=2"));
	assert_int_equal(r.minor, 1);
	assert_int_equal(r.header_count, 6);
	assert_true(is_text(r.headers[0].value, "a:8098"));
	assert_true(r.has_content_length && r.content_length == 12 && !r.chunked);
	assert_true(r.headers[2].id == HTTP_NAME_META && is_text(r.headers[2].value, "red"));
	assert_int_equal(r.headers[3].id, HTTP_NAME_OTHER);
	assert_true(is_text(r.headers[5].value, "a\tb \xc3\xa9"));
	assert_true(r.keep_alive && !r.expect_continue);
	guard_close(&g);
}

static void what_follows_the_head_is_left_alone(void **state)
{
	(void)state;
	static struct http_request r;
	struct guard g = guard_open();
	struct bytes two = BYTES(GET "Host: a\r\n\r\n\n\n\0garbage");
	assert_int_equal(parse_whole(&g, two, &r), HTTP_COMPLETE);
	assert_int_equal(r.head_bytes, sizeof(GET "Host: a\r\n\r\n") - 1);
	guard_close(&g);
}

static void a_refusal_says_what_was_expected(void **state)
{
	(void)state;
	static struct http_request r;
	struct guard g = guard_open();
	assert_int_equal(parse_whole(&g, BYTES(GET "Host: a\r\n b\r\n\r\n"), &r), HTTP_BAD);
	assert_string_equal(r.reason, "a field must not be folded");
	guard_close(&g);
}

static void one_empty_line_before_a_request_is_let_through(void **state)
{
	(void)state;
	static struct http_request r;
	struct guard g = guard_open();
	parse_text(&g, "\r\n" GET "Host: a\r\n\r\n", &r);
	assert_int_equal(r.method, HTTP_GET);
	guard_close(&g);
}

static void each_method_is_known_by_its_exact_letters(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum http_method method;
	} rows[] = {{"GET", HTTP_GET},         {"HEAD", HTTP_HEAD},       {"PUT", HTTP_PUT},
	            {"POST", HTTP_POST},       {"DELETE", HTTP_DELETE},   {"OPTIONS", HTTP_OPTIONS},
	            {"TRACE", HTTP_TRACE},     {"CONNECT", HTTP_CONNECT}, {"PATCH", HTTP_OTHER},
	            {"get", HTTP_OTHER},       {"GETS", HTTP_OTHER},      {"GE", HTTP_OTHER},
	            {"BREW~1!#$", HTTP_OTHER}, {"PROPFIND", HTTP_OTHER}};
	static struct http_request r;
	struct guard g = guard_open();
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[128];
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].text);
		parse_text(&g, text, &r);
		assert_int_equal(r.method, rows[i].method);
	}
	guard_close(&g);
}

static void targets_in_every_form_give_path_and_query(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"GET / ", "/"},
		{"GET /a//b/?x=y ", "/a//b/?x=y"},
		{"GET /\xc3\xa9 ", "/\xc3\xa9"},
		{"GET http://a:8098/ping ", "/ping"},
		{"GET HTTP://a/x?y ", "/x?y"},
		{"GET https://[::1]:8098/x ", "/x"},
		{"GET http://a ", ""},
		{"GET http://a?x=@ ", "?x=@"},
		{"OPTIONS * ", "*"},
		{"CONNECT a:443 ", "a:443"},
	};
	static struct http_request r;
	struct guard g = guard_open();
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[128];
		snprintf(text, sizeof(text), "%sHTTP/1.1\r\nHost: a\r\n\r\n", rows[i][0]);
		parse_text(&g, text, &r);
		if (!is_text(r.target, rows[i][1])) fail_msg("%s", rows[i][0]);
	}
	guard_close(&g);
}

static void connection_and_version_decide_what_happens_next(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint8_t minor;
		bool keep_alive, expect;
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1, true, false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 1, false, false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", 1, false, false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\n", 1, false, false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", 1,
	     false, false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", 1, true, false},
		{"GET / HTTP/1.0\r\n\r\n", 0, false, false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, true, false},
		{"GET / HTTP/1.7\r\nHost: a\r\n\r\n", 1, true, false},
		{"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n", 1, true, true},
		{"PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", 0, false, false},
		{"GET / HTTP/1.1\r\nHost:\r\n\r\n", 1, true, false},
	};
	static struct http_request r;
	struct guard g = guard_open();
	for (size_t i = 0; i < COUNT(rows); i++) {
		parse_text(&g, rows[i].text, &r);
		if (r.minor != rows[i].minor || r.keep_alive != rows[i].keep_alive ||
		    r.expect_continue != rows[i].expect)
			fail_msg("%s", rows[i].text);
	}
	guard_close(&g);
}

static void a_body_has_a_length_or_chunks_or_is_not_there(void **state)
{
	(void)state;
	static struct http_request r;
	struct guard g = guard_open();
	parse_text(&g, PUT "Content-Length: 9223372036854775807\r\n\r\n", &r);
	assert_true(r.has_content_length && r.content_length == INT64_MAX);
	parse_text(&g, PUT "Transfer-Encoding: \t Chunked \r\n\r\n", &r);
	assert_true(r.chunked && !r.has_content_length);
	parse_text(&g, PUT "\r\n", &r);
	assert_true(!r.chunked && !r.has_content_length && r.content_length == 0);
	guard_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_malformed_request_is_refused_with_its_status),
		cmocka_unit_test(lines_and_blocks_are_bounded_and_the_bounds_can_be_used),
		cmocka_unit_test(a_line_that_never_ends_is_refused_at_its_limit),
		cmocka_unit_test(as_many_fields_as_the_limit_and_not_one_more),
		cmocka_unit_test(no_head_is_longer_than_the_limit_that_buffers_are_made_for),
		cmocka_unit_test(the_parts_of_a_request_are_where_they_stand),
		cmocka_unit_test(what_follows_the_head_is_left_alone),
		cmocka_unit_test(a_refusal_says_what_was_expected),
		cmocka_unit_test(one_empty_line_before_a_request_is_let_through),
		cmocka_unit_test(each_method_is_known_by_its_exact_letters),
		cmocka_unit_test(targets_in_every_form_give_path_and_query),
		cmocka_unit_test(connection_and_version_decide_what_happens_next),
		cmocka_unit_test(a_body_has_a_length_or_chunks_or_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
