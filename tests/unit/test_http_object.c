/* test_http_object.c - requests about an object: what the core is asked, and what is refused. */
#include "test_http_util.h"
#include "wire/http_object.h"
#include "wire/meta.h"
#include "wire/vtag.h"

static struct http_request r;
static struct http_target t;
static struct request out;
static struct http_object_want want;
static struct http_failure why;
static uint8_t room[HTTP_SCRATCH_BYTES];
static const uint8_t entropy[HTTP_OBJECT_RANDOM_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

/* `head` without its last empty line and without Host. */
static bool ask(const char *head, const char *body)
{
	static char text[2 * HTTP_HEAD_BYTES_MAX];
	struct http_scratch scratch = scratch_of(room);
	int n = snprintf(text, sizeof(text), "%sHost: a\r\n\r\n", head);
	assert_in_range(n, 1, sizeof(text) - 1);
	if (http_parse((const uint8_t *)text, (size_t)n, 0, &r) != HTTP_COMPLETE)
		fail_msg("%s: %s", head, r.reason);
	assert_null(http_target_parse(&r, &scratch, &t));
	why = (struct http_failure){0};
	return http_object_request(&r, &t, bytes_of_string(body), entropy, &scratch, &out, &want, &why);
}

static void expect_refused(const char *head, const char *body, int status, const char *text)
{
	if (ask(head, body)) fail_msg("%s: not refused", head);
	if (why.status != status || (text != NULL && strcmp(why.text, text) != 0))
		fail_msg("%s: %d %s", head, why.status, why.text);
	assert_int_equal(why.text[strlen(why.text) - 1], '\n');
}

#define GET(query) "GET /riak/b/k" query " HTTP/1.1\r\n"
#define DELETE(query) "DELETE /riak/b/k" query " HTTP/1.1\r\n"
#define PUT(query) "PUT /riak/b/k" query " HTTP/1.1\r\nContent-Type: text/plain\r\n"
#define POST(query) "POST /riak/b" query " HTTP/1.1\r\nContent-Type: text/plain\r\n"
#define COUNT_AT(query) "POST /buckets/b/counters/k" query " HTTP/1.1\r\n"
#define NUMBER_OF(query) "GET /buckets/b/counters/k" query " HTTP/1.1\r\n"
#define SYNC_WORDS "sync_on_write query parameter must be default, backend, one or all\n"
#define NO_INDEXES "there are no secondary indexes here yet: send no X-Riak-Index-* field\n"
#define INTEGER_OR_WORD                                                                            \
	" query parameter must be an integer or one of the following words: 'one', 'quorum' or "       \
	"'all'\n"

static void each_fault_has_its_status_and_text(void **state)
{
	(void)state;
	static const struct {
		const char *head;
		int status;
		const char *text; /* NULL: free */
	} rows[] = {
		{"PATCH /riak/b/k HTTP/1.1\r\n", 501, NULL},
		{"OPTIONS /riak/b/k HTTP/1.1\r\n", 405, NULL},
		{"TRACE /riak/b/k HTTP/1.1\r\n", 405, NULL},
		{"PUT /riak/b/k HTTP/1.1\r\n", 400, "Missing Content-Type request header\n"},
		{"POST /riak/b/k HTTP/1.1\r\n", 400, "Missing Content-Type request header\n"},
		{"POST /riak/b HTTP/1.1\r\n", 400, "Missing Content-Type request header\n"},
		{"PUT /riak/b/k HTTP/1.1\r\nContent-Type:\r\n", 400,
	     "Missing Content-Type request header\n"},
		{PUT("") "Content-Type: text/plain\r\n", 400, NULL},
		{PUT("") "Content-MD5: rL0Y20zC+Fzt72VPzMSk2A==\r\n", 400, NULL},
		{PUT("") "Content-MD5: x\r\n", 400, NULL},
		{PUT("") "Content-MD5:\r\n", 400, NULL},
		{PUT("") "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==x\r\n", 400, NULL},
		{GET("?timeout=x"), 400, "Bad timeout value \"x\"\n"},
		{GET("?timeout="), 400, "Bad timeout value \"\"\n"},
		{GET("?timeout"), 400, "Bad timeout value \"\"\n"},
		{GET("?timeout=-1"), 400, "Bad timeout value \"-1\"\n"},
		{GET("?timeout=0"), 400, "Bad timeout value \"0\"\n"},
		{GET("?timeout=1.5"), 400, "Bad timeout value \"1.5\"\n"},
		{GET("?timeout=a%0D%0Ab"), 400, "Bad timeout value \"a??b\"\n"},
		{GET("?r=x"), 400, "r" INTEGER_OR_WORD},
		{GET("?r="), 400, "r" INTEGER_OR_WORD},
		{GET("?r=1.5"), 400, "r" INTEGER_OR_WORD},
		{GET("?r=-"), 400, "r" INTEGER_OR_WORD},
		{GET("?r=--1"), 400, "r" INTEGER_OR_WORD},
		{GET("?r=One"), 400, "r" INTEGER_OR_WORD},
		{GET("?r=+1"), 400, "r" INTEGER_OR_WORD},
		{GET("?w=x"), 400, "w" INTEGER_OR_WORD},
		{GET("?pr=x"), 400, "pr" INTEGER_OR_WORD},
		{GET("?pw=x"), 400, "pw" INTEGER_OR_WORD},
		{GET("?dw=x"), 400, "dw" INTEGER_OR_WORD},
		{GET("?rw=x"), 400, "rw" INTEGER_OR_WORD},
		{GET("?node_confirms=x"), 400, "node_confirms" INTEGER_OR_WORD},
		{GET("?r=0"), 400, "r query parameter must be at least 1\n"},
		{GET("?w=0"), 400, "w query parameter must be at least 1\n"},
		{GET("?rw=0"), 400, "rw query parameter must be at least 1\n"},
		{GET("?r=-1"), 400, NULL},
		{GET("?pr=-1"), 400, NULL},
		{GET("?pw=-1"), 400, NULL},
		{GET("?dw=-1"), 400, NULL},
		{GET("?pr=-0"), 400, NULL},
		{GET("?node_confirms=-7"), 400, NULL},
		{GET("?basic_quorum=1"), 400, "basic_quorum query parameter must be true or false\n"},
		{GET("?notfound_ok="), 400, "notfound_ok query parameter must be true or false\n"},
		{GET("?trace=x"), 400, "trace query parameter must be 1 or 0\n"},
		{GET("?trace="), 400, NULL},
		{PUT("?trace=2"), 400, NULL},
		{PUT("?sync_on_write=never"), 400, SYNC_WORDS},
		{PUT("?sync_on_write="), 400, SYNC_WORDS},
		{PUT("?sync_on_write"), 400, SYNC_WORDS},
		{PUT("?sync_on_write=ALL"), 400, SYNC_WORDS},
		{POST("?sync_on_write=1"), 400, SYNC_WORDS},
		{GET("?consistency=two"), 400, NULL},
		{GET("?consistency=ONE"), 400, NULL},
		{GET("") "X-Dunlin-Consistency: x\r\n", 400, NULL},
		{GET("?vtag=x"), 404, NULL},
		{PUT("") "Link: x\r\n", 400, NULL},
		{PUT("") "X-Riak-Index-age_int: 7\r\n", 400, NO_INDEXES},
		{PUT("") "x-riak-index-NAME_bin:\r\n", 400, NO_INDEXES},
		{PUT("") "X-Riak-Index-: x\r\n", 400, NO_INDEXES},
		{POST("") "X-Riak-Index-a_bin: x\r\nX-Riak-Index-a_bin: y\r\n", 400, NO_INDEXES},
		{PUT("") "X-Riak-Vclock: %%%\r\n", 400, NULL},
		{PUT("") "X-Riak-Vclock: AAA\r\n", 400, NULL},
		{PUT("") "X-Riak-Vclock: AA-_\r\n", 400, NULL},
		{PUT("") "X-Riak-Vclock: AAAA AAAA\r\n", 400, NULL},
		{PUT("") "X-Riak-Vclock: AAAA\r\nX-Riak-Vclock: AAAA\r\n", 400, NULL},
		{DELETE("") "X-Riak-Vclock: *\r\n", 400, NULL},
		{"PUT /riak/b/k HTTP/1.1\r\nContent-Type: text\r\n", 415, NULL},
		{"PUT /riak/b/k HTTP/1.1\r\nContent-Type: a/b/c\r\n", 415, NULL},
		{"PUT /riak/b/k HTTP/1.1\r\nContent-Type: /b\r\n", 415, NULL},
		{"PUT /riak/b/k HTTP/1.1\r\nContent-Type: a/\r\n", 415, NULL},
		{"PUT /riak/b/k HTTP/1.1\r\nContent-Type: ; a/b\r\n", 415, NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		expect_refused(rows[i].head, "", rows[i].status, rows[i].text);
}

/* One request with every fault at once; each fault mended shows the next. */
static void of_several_faults_the_first_in_order_is_answered(void **state)
{
	(void)state;
	static const struct {
		const char *head, *text;
		int status;
	} rows[] = {
#define QUERY "?timeout=x&r=x&notfound_ok=x&sync_on_write=x&consistency=x"
		{"BREW /riak/b/k" QUERY " HTTP/1.1\r\nContent-MD5: x\r\n", "the method BREW is not", 501},
		{"PUT /riak/b/k" QUERY " HTTP/1.1\r\nContent-MD5: x\r\n", "Content-MD5", 400},
		{"PUT /riak/b/k" QUERY " HTTP/1.1\r\n", "Missing Content-Type", 400},
		{"PUT /riak/b/k" QUERY " HTTP/1.1\r\nContent-Type: x\r\nLink: x\r\n", "Bad timeout", 400},
		{"PUT /riak/b/k?sync_on_write=x&notfound_ok=x&r=x&consistency=x HTTP/1.1\r\n"
	     "Content-Type: x\r\nLink: x\r\n",
	     "r query", 400},
		{"PUT /riak/b/k?sync_on_write=x&notfound_ok=x&consistency=x HTTP/1.1\r\n"
	     "Content-Type: x\r\nLink: x\r\n",
	     "notfound_ok", 400},
		{"PUT /riak/b/k?sync_on_write=x&consistency=x HTTP/1.1\r\n"
	     "Content-Type: x\r\nLink: x\r\n",
	     "sync_on_write", 400},
		{"PUT /riak/b/k?consistency=x HTTP/1.1\r\nContent-Type: x\r\nLink: x\r\n", "consistency",
	     400},
		{"PUT /riak/b/k HTTP/1.1\r\nContent-Type: x\r\nX-Riak-Index-a_int: x\r\nLink: x\r\n"
	     "X-Riak-Vclock: *\r\n",
	     "a Link", 400},
		{"PUT /riak/b/k HTTP/1.1\r\nContent-Type: x\r\nX-Riak-Index-a_int: x\r\n"
	     "X-Riak-Vclock: *\r\n",
	     "there are no secondary indexes", 400},
		{"PUT /riak/b/k HTTP/1.1\r\nContent-Type: x\r\nX-Riak-Vclock: *\r\n", "X-Riak-Vclock", 400},
		{"PUT /riak/b/k HTTP/1.1\r\nContent-Type: x\r\n", "Content-Type must be", 415},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		expect_refused(rows[i].head, "", rows[i].status, NULL);
		if (strncmp(why.text, rows[i].text, strlen(rows[i].text)) != 0)
			fail_msg("%s: %s", rows[i].head, why.text);
	}
}

static void a_405_names_the_methods_and_a_refused_write_is_known_as_one(void **state)
{
	(void)state;
	expect_refused("OPTIONS /riak/b/k HTTP/1.1\r\n", "", 405, NULL);
	assert_string_equal(why.allow, "GET, HEAD, PUT, POST, DELETE");
	assert_false(why.write);
	expect_refused(PUT("?r=x"), "", 400, NULL);
	assert_true(why.write && why.allow == NULL);
	expect_refused(GET("?r=x"), "", 400, NULL);
	assert_false(why.write);
}

static void what_is_known_before_the_body_is_refused_before_it(void **state)
{
	(void)state;
	assert_false(ask("PUT /riak/b/k HTTP/1.1\r\n", "") || http_object_admit(&r, &t, &why));
	assert_int_equal(why.status, 400);
	assert_false(ask("BREW /riak/b/k HTTP/1.1\r\n", "") || http_object_admit(&r, &t, &why));
	assert_int_equal(why.status, 501);
	assert_true(ask(PUT(""), "") && http_object_admit(&r, &t, &why));
	/* Only the body can tell which of its two faults comes first. */
	assert_false(ask("PUT /riak/b/k HTTP/1.1\r\nContent-MD5: x\r\n", ""));
	assert_true(http_object_admit(&r, &t, &why));
}

static void names_longer_than_their_limits_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *format;
		int max;
	} rows[] = {{"GET /types/%s/buckets/b/keys/k HTTP/1.1\r\n", TYPE_BYTES_MAX},
	            {"GET /riak/%s/k HTTP/1.1\r\n", BUCKET_BYTES_MAX},
	            {"GET /riak/b/%s HTTP/1.1\r\n", NAME_BYTES_MAX}};
	char name[NAME_BYTES_MAX + 2], head[2 * NAME_BYTES_MAX];
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (int over = 0; over < 2; over++) {
			memset(name, 'x', sizeof(name));
			name[rows[i].max + over] = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(head, sizeof(head), rows[i].format, name);
#pragma GCC diagnostic pop
			assert_int_equal(ask(head, ""), over == 0);
		}
		assert_int_equal(why.status, 400);
	}
}

static void a_read_is_asked_with_its_full_key(void **state)
{
	(void)state;
	assert_true(ask("GET /types/t/buckets/b%2F/keys/a+k HTTP/1.1\r\nX-Riak-Vclock: *\r\n", "xx"));
	assert_int_equal(out.op, REQUEST_GET);
	assert_true(bytes_equal(out.key, BYTES("\0\1t\0\2b/\0\3a k")));
	assert_false(out.options.has_context);
	assert_int_equal(out.value.len + out.meta.len + out.context.len, 0);
	assert_true(want.family == HTTP_FAMILY_V3 && !want.head && !want.choose_key);
	assert_true(is_text(want.type, "t") && is_text(want.bucket, "b/") && is_text(want.key, "a k"));
	assert_true(ask("HEAD /riak/b/k HTTP/1.1\r\n", ""));
	assert_true(want.head && want.op == REQUEST_GET && want.family == HTTP_FAMILY_V1);
	assert_true(bytes_equal(out.key, BYTES("\0\7default\0\1b\0\1k")));
}

static void options_default_unless_they_are_asked_for(void **state)
{
	(void)state;
	assert_true(ask(GET("?n_val=x&sloppy_quorum=x&return_body=x&asis=x&returnbody=true"), ""));
	const int16_t counts[] = {
		out.options.r,  out.options.w,  out.options.pr,           out.options.pw,
		out.options.dw, out.options.rw, out.options.node_confirms};
	for (size_t i = 0; i < COUNT(counts); i++) assert_int_equal(counts[i], QUORUM_DEFAULT);
	assert_int_equal(out.options.notfound_ok, BOOL_DEFAULT);
	assert_int_equal(out.options.basic_quorum, BOOL_DEFAULT);
	assert_int_equal(out.options.timeout_us, 0);
	assert_false(out.options.return_body || out.options.has_vtag || out.options.has_context);
	assert_true(ask(GET("?r=default&pr=0&notfound_ok=Default&basic_quorum=TRUE&timeout=1"), ""));
	assert_int_equal(out.options.r, QUORUM_DEFAULT);
	assert_int_equal(out.options.pr, 0);
	assert_int_equal(out.options.notfound_ok, BOOL_DEFAULT);
	assert_int_equal(out.options.basic_quorum, 1);
	assert_int_equal(out.options.timeout_us, 1000);
	assert_true(ask(GET("?r=one&w=quorum&pw=all&dw=0&rw=3&node_confirms=99999999999999999999"
	                    "&notfound_ok=false&timeout=99999999999999999999"),
	                ""));
	assert_int_equal(out.options.r, QUORUM_ONE);
	assert_int_equal(out.options.w, QUORUM_QUORUM);
	assert_int_equal(out.options.pw, QUORUM_ALL);
	assert_int_equal(out.options.dw, 0);
	assert_int_equal(out.options.rw, 3);
	assert_int_equal(out.options.node_confirms, INT16_MAX);
	assert_int_equal(out.options.notfound_ok, 0);
	assert_int_equal(out.options.timeout_us, REQUEST_TIMEOUT_US_MAX);
}

static void sync_on_write_is_judged_where_it_has_a_meaning(void **state)
{
	(void)state;
	assert_true(ask(PUT("?sync_on_write=default"), "") && ask(PUT("?sync_on_write=backend"), ""));
	assert_true(ask(POST("?sync_on_write=one"), "") && ask(POST("?sync_on_write=all"), ""));
	assert_true(ask(GET("?sync_on_write=x"), "") && ask(DELETE("?sync_on_write=x"), ""));
}

static void what_stores_nothing_may_name_indexes(void **state)
{
	(void)state;
	assert_true(ask(GET("") "X-Riak-Index-a_bin: x\r\n", ""));
	assert_true(ask(DELETE("") "X-Riak-Index-a_bin: x\r\n", ""));
	assert_true(ask(PUT("") "X-Riak-Indexed: x\r\n", ""));
}

static void consistency_is_a_name_for_four_values(void **state)
{
	(void)state;
	static const struct {
		const char *head;
		int r, w, pr, pw;
	} rows[] = {
#define ONE QUORUM_ONE
#define QUO QUORUM_QUORUM
#define ALL QUORUM_ALL
#define DEF QUORUM_DEFAULT
		{GET(""), DEF, DEF, DEF, DEF},
		{GET("?consistency=one"), ONE, ONE, 0, 0},
		{GET("?consistency=quorum"), QUO, QUO, 0, 0},
		{GET("?consistency=all"), ALL, ALL, 0, 0},
		{GET("?consistency=primary"), QUO, QUO, QUO, QUO},
		{GET("") "X-Dunlin-Consistency: one\r\n", ONE, ONE, 0, 0},
		{GET("?consistency=all") "x-dunlin-consistency: one\r\n", ALL, ALL, 0, 0},
		{GET("?consistency=one&r=2"), 2, ONE, 0, 0},
		{GET("?consistency=one&w=all&pw=1"), ONE, ALL, 0, 1},
		{GET("?consistency=primary&pr=0"), QUO, QUO, 0, QUO},
		{GET("?consistency=one&rw=2"), ONE, ONE, 0, 0},
		{DELETE("?consistency=one&rw=2"), DEF, DEF, 0, 0},
		{DELETE("?consistency=one"), ONE, ONE, 0, 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(ask(rows[i].head, ""));
		const struct request_options *o = &out.options;
		if (o->r != rows[i].r || o->w != rows[i].w || o->pr != rows[i].pr || o->pw != rows[i].pw)
			fail_msg("%s: %d %d %d %d", rows[i].head, o->r, o->w, o->pr, o->pw);
	}
}

static void a_write_carries_value_context_and_fields(void **state)
{
	(void)state;
	assert_true(ask(PUT("?returnbody=true") "X-Riak-Vclock: AAEC/w==\r\n"
	                                        "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n"
	                                        "Accept: a/b\r\nAccept: c/d\r\n",
	                "hello"));
	assert_int_equal(out.op, REQUEST_PUT);
	assert_true(is_text(out.value, "hello"));
	assert_true(out.options.return_body && want.return_body && out.options.has_context);
	assert_true(bytes_equal(out.context, BYTES("\0\1\2\xff")));
	assert_true(is_text(want.content_type, "text/plain") && is_text(want.accept, "a/b, c/d"));
	assert_true(ask(PUT("?returnbody=True") "X-Riak-Vclock:\r\n", ""));
	assert_false(out.options.return_body || out.options.has_context);
	assert_true(ask(DELETE("?returnbody=true") "X-Riak-Vclock: AAEC\r\n", "ignored"));
	assert_true(out.op == REQUEST_DELETE && out.options.has_context && !want.return_body);
	assert_int_equal(out.value.len, 0);
}

static void a_context_may_be_as_long_as_the_limit(void **state)
{
	(void)state;
	static char head[3 * CONTEXT_BYTES_MAX];
	for (size_t over = 0; over < 2; over++) {
		size_t len = (CONTEXT_BYTES_MAX + 2) / 3 * 4, at = (size_t)sprintf(head, "%s", PUT(""));
		at += (size_t)sprintf(head + at, "X-Riak-Vclock: ");
		memset(head + at, 'A', len + 4 * over);
		/* 8192 is not a multiple of three: the last group holds two bytes. */
		static_assert(CONTEXT_BYTES_MAX % 3 == 2, "as this test builds it");
		memcpy(head + at + len + 4 * over - 1, "=\r\n", 4);
		assert_int_equal(ask(head, ""), over == 0);
		if (over == 0) assert_int_equal(out.context.len, CONTEXT_BYTES_MAX);
	}
	assert_string_equal(why.text, "X-Riak-Vclock is longer than any context given out\n");
}

static void a_post_without_key_gets_a_fresh_one(void **state)
{
	(void)state;
	assert_true(ask("POST /buckets/b/keys HTTP/1.1\r\nContent-Type: a/b\r\n", "v"));
	assert_true(want.choose_key && want.op == REQUEST_PUT);
	assert_in_range(want.key.len, 20, 30);
	struct dot d;
	assert_true(vtag_read(want.key, &d) && d.actor.v == 0x0102030405060708 && d.at.v == 9ULL << 56);
	assert_int_equal(out.key.len, 6 + 7 + 1 + want.key.len);
	assert_memory_equal(out.key.data + 6 + 7 + 1, want.key.data, want.key.len);
	assert_true(ask("POST /buckets/b/keys/k HTTP/1.1\r\nContent-Type: a/b\r\n", "v"));
	assert_false(want.choose_key);
}

static void a_vtag_asks_for_one_sibling(void **state)
{
	(void)state;
	assert_true(ask(GET("?vtag=00000000001000000000zA"), ""));
	assert_true(out.options.has_vtag);
	assert_int_equal(out.options.vtag.actor.v, 1);
	assert_int_equal(out.options.vtag.at.v, 62 * 61 + 10);
	assert_true(ask(PUT("?vtag=x"), ""));
	assert_false(out.options.has_vtag);
}

/* ---- stored fields ----------------------------------------------------------------------- */

static struct meta stored(void)
{
	struct meta m;
	assert_true(meta_read(out.meta, &m));
	return m;
}

static void user_fields_are_sorted_and_the_last_of_a_name_wins(void **state)
{
	(void)state;
	assert_true(ask("PUT /riak/b/k HTTP/1.1\r\nContent-Type: TEXT/plain; charset=\"utf-8\"; x=y\r\n"
	                "Content-Encoding: gzip\r\nX-Riak-Meta-b: 1\r\nx-riak-meta-Zeta: 2\r\n"
	                "X-RIAK-META-B: 3\r\nX-Riak-Meta-aLPHA:\r\nContent-encoding: br\r\n",
	                ""));
	struct meta m = stored();
	struct meta_user u;
	assert_true(is_text(m.content_type, "TEXT/plain; charset=\"utf-8\"; x=y"));
	assert_true(is_text(m.content_encoding, "gzip, br"));
	assert_true(meta_next_user(&m, &u) && is_text(u.name, "aLPHA") && is_text(u.value, ""));
	assert_true(meta_next_user(&m, &u) && is_text(u.name, "B") && is_text(u.value, "3"));
	assert_true(meta_next_user(&m, &u) && is_text(u.name, "Zeta") && is_text(u.value, "2"));
	assert_false(meta_next_user(&m, &u));
}

static void links_are_kept_decoded_and_the_parent_is_dropped(void **state)
{
	(void)state;
	assert_true(ask(PUT("") "Link: </riak/b/k%2F1>; riaktag=\"t+1\", </buckets/x,y/keys/"
	                        "z>;riaktag=\"a,b\"\r\nLink: </buckets/b>; rel=\"up\" ,\r\n"
	                        "Link: </riak/b>; rel=\"up\",</riak/b/k>; riaktag=\"\"\r\n",
	                ""));
	struct meta m = stored();
	struct meta_link l;
	assert_int_equal(m.link_count, 3);
	assert_true(meta_next_link(&m, &l) && is_text(l.bucket, "b") && is_text(l.key, "k/1") &&
	            is_text(l.tag, "t 1"));
	assert_true(meta_next_link(&m, &l) && is_text(l.bucket, "x,y") && is_text(l.key, "z") &&
	            is_text(l.tag, "a,b"));
	assert_true(meta_next_link(&m, &l) && is_text(l.key, "k") && is_text(l.tag, ""));
}

static void other_links_are_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"x",
		"<",
		"<>",
		"</riak/b/k>",
		"</riak/b/k>;",
		"</riak/b/k>; riaktag",
		"</riak/b/k>; riaktag=",
		"</riak/b/k>; riaktag=t",
		"</riak/b/k>; riaktag=\"",
		"</riak/b/k>; riaktag=\"a\"b\"",
		"</riak/b/k>; riaktag=\"t\" x",
		"</riak/b/k>; rel=\"up\"",
		"</riak/b/k> riaktag=\"t\"",
		"</riak/b/k/l>; riaktag=\"t\"",
		"</riak/b/>; riaktag=\"t\"",
		"</riak//k>; riaktag=\"t\"",
		"<riak/b/k>; riaktag=\"t\"",
		"</raw/b/k>; riaktag=\"t\"",
		"</buckets/b/k>; riaktag=\"t\"",
		"</buckets/b/keyz/k>; riaktag=\"t\"",
		"</buckets/b/keys/k/l>; riaktag=\"t\"",
		"</buckets/b>; riaktag=\"t\"",
		"</buckets/b>; rel=\"down\"",
		"</buckets/c>; rel=\"up\"",
		"</riak/%zz/k>; riaktag=\"t\"",
		"</riak/b/%>; riaktag=\"t\"",
		"</riak/b/k>; riaktag=\"%\"",
		"</riak/b/k>; riaktag=\"t\", x",
		"http://a/riak/b/k; riaktag=\"t\"",
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char head[256];
		snprintf(head, sizeof(head), PUT("") "Link: %s\r\n", rows[i]);
		expect_refused(head, "", 400, NULL);
	}
}

static void equal_fields_give_equal_bytes_whatever_their_order(void **state)
{
	(void)state;
	uint8_t first[256];
	assert_true(ask(PUT("") "X-Riak-Meta-A: 1\r\nX-Riak-Meta-B: 2\r\n", ""));
	struct bytes kept = {first, out.meta.len};
	memcpy(first, out.meta.data, out.meta.len);
	assert_true(ask("PUT /riak/b/k HTTP/1.1\r\nX-Riak-Meta-B: 2\r\nX-Riak-Meta-A: 1\r\n"
	                "Content-Type: text/plain\r\n",
	                ""));
	assert_true(bytes_equal(kept, out.meta));
}

static int64_t asked_delta(void)
{
	assert_int_equal(out.value.len, INCREMENT_BYTES);
	return (int64_t)get_u64be(out.value.data);
}

static void an_increment_is_a_number_and_nothing_else(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		int64_t delta;
	} good[] = {{"0", 0},
	            {"-0", 0},
	            {"+5", 5},
	            {"-7", -7},
	            {"0000000000000000012", 12},
	            {"9223372036854775807", INT64_MAX},
	            {"-9223372036854775808", INT64_MIN}};
	static const char *const bad[] = {"",
	                                  "-",
	                                  "+",
	                                  "1.5",
	                                  "0x1",
	                                  " 1",
	                                  "1 ",
	                                  "1\n",
	                                  "+-1",
	                                  "1e1",
	                                  "9223372036854775808",
	                                  "-9223372036854775809",
	                                  "00000000000000000001",
	                                  "99999999999999999999"};
	for (size_t i = 0; i < COUNT(good); i++) {
		if (!ask(COUNT_AT(""), good[i].body)) fail_msg("%s", good[i].body);
		assert_true(asked_delta() == good[i].delta);
	}
	for (size_t i = 0; i < COUNT(bad); i++) expect_refused(COUNT_AT(""), bad[i], 400, NULL);
}

static void a_counter_is_asked_for_as_one(void **state)
{
	(void)state;
	assert_true(ask(COUNT_AT("?returnvalue=true&w=2&sync_on_write=x") "X-Dunlin-TTL: 9\r\n", "3"));
	assert_true(out.op == REQUEST_INCREMENT && !out.as_counter && out.options.return_body);
	assert_true(bytes_equal(out.key, BYTES("\0\7default\0\1b\0\1k")));
	assert_true(out.options.w == 2 && out.ttl_s == 9 && !out.options.has_context);
	assert_true(want.counter && want.op == REQUEST_INCREMENT);
	assert_true(ask(COUNT_AT("?returnbody=true&returnvalue=TRUE") "X-Riak-Vclock: *\r\n", "3"));
	assert_false(out.options.return_body || out.options.has_context);
	assert_true(ask(NUMBER_OF("?r=one") "If-Match: x\r\nX-Dunlin-At-Least: AAEC\r\n", "x"));
	assert_true(out.op == REQUEST_GET && out.as_counter && out.options.r == QUORUM_ONE);
	assert_true(out.value.len == 0 && out.conditions.what == 0 && out.at_least.len == 3);
	assert_true(ask("HEAD /buckets/b/counters/k HTTP/1.1\r\n", "") && want.head && want.counter);
	assert_true(ask(GET(""), "") && !out.as_counter && !want.counter);
}

static void what_a_counter_refuses(void **state)
{
	(void)state;
	expect_refused("PUT /buckets/b/counters/k HTTP/1.1\r\n", "1", 405, NULL);
	assert_string_equal(why.allow, "GET, HEAD, POST");
	assert_false(http_object_admit(&r, &t, &why));
	expect_refused("BREW /buckets/b/counters/k HTTP/1.1\r\n", "1", 501, NULL);
	expect_refused(COUNT_AT("") "If-None-Match: *\r\n", "1", 400,
	               "an increment takes no conditions\n");
	expect_refused(COUNT_AT("") "X-Riak-If-Not-Modified: AAEC\r\n", "1", 400, NULL);
	expect_refused(COUNT_AT("?w=0"), "1", 400, NULL);
	expect_refused(COUNT_AT("") "Content-MD5: rL0Y20zC+Fzt72VPzMSk2A==\r\n", "1", 400, NULL);
	assert_false(ask(COUNT_AT(""), ""));
	assert_true(http_object_admit(&r, &t, &why)); /* without Content-Type */
}

static void what_is_kept_points_only_into_itself(void **state)
{
	(void)state;
	assert_true(ask("GET /types/t/buckets/b/keys/k HTTP/1.1\r\nAccept: a/b\r\n", ""));
	size_t len = http_object_keep_bytes(&want);
	uint8_t *memory = malloc(len);
	struct http_object_want *kept = http_object_keep(&want, memory);
	memset(room, 0xee, sizeof(room));
	assert_true(is_text(kept->type, "t") && is_text(kept->bucket, "b") && is_text(kept->key, "k"));
	assert_true(is_text(kept->accept, "a/b") && kept->content_type.len == 0);
	assert_true(kept->accept.data >= memory && kept->accept.data + 3 <= memory + len);
	free(memory);
}

/* The most that one request can hold must fit what limits.h says. */
static void the_largest_request_does_not_exhaust_the_scratch(void **state)
{
	(void)state;
	static char head[2 * HTTP_HEAD_BYTES_MAX];
	size_t at = (size_t)sprintf(head, "PUT /riak/");
	for (int i = 0; i < BUCKET_BYTES_MAX; i++) at += (size_t)sprintf(head + at, "%%62");
	at += (size_t)sprintf(head + at, "/");
	for (int i = 0; i < NAME_BYTES_MAX; i++) at += (size_t)sprintf(head + at, "%%6b");
	at += (size_t)sprintf(head + at, " HTTP/1.1\r\nContent-Type: a/b\r\n");
	for (int i = 0; i < 7; i++) {
		at += (size_t)sprintf(head + at, "%s: ", i % 2 == 0 ? "Content-Encoding" : "X-Riak-Meta-a");
		memset(head + at, 'e', 8000);
		at += 8000 + (size_t)sprintf(head + at + 8000, "\r\n");
	}
	assert_true(ask(head, ""));
	assert_int_equal(stored().content_encoding.len, 4 * 8000 + 3 * 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_has_its_status_and_text),
		cmocka_unit_test(of_several_faults_the_first_in_order_is_answered),
		cmocka_unit_test(a_405_names_the_methods_and_a_refused_write_is_known_as_one),
		cmocka_unit_test(what_is_known_before_the_body_is_refused_before_it),
		cmocka_unit_test(names_longer_than_their_limits_are_refused),
		cmocka_unit_test(a_read_is_asked_with_its_full_key),
		cmocka_unit_test(options_default_unless_they_are_asked_for),
		cmocka_unit_test(sync_on_write_is_judged_where_it_has_a_meaning),
		cmocka_unit_test(what_stores_nothing_may_name_indexes),
		cmocka_unit_test(consistency_is_a_name_for_four_values),
		cmocka_unit_test(a_write_carries_value_context_and_fields),
		cmocka_unit_test(a_context_may_be_as_long_as_the_limit),
		cmocka_unit_test(a_post_without_key_gets_a_fresh_one),
		cmocka_unit_test(a_vtag_asks_for_one_sibling),
		cmocka_unit_test(user_fields_are_sorted_and_the_last_of_a_name_wins),
		cmocka_unit_test(links_are_kept_decoded_and_the_parent_is_dropped),
		cmocka_unit_test(other_links_are_refused),
		cmocka_unit_test(equal_fields_give_equal_bytes_whatever_their_order),
		cmocka_unit_test(an_increment_is_a_number_and_nothing_else),
		cmocka_unit_test(a_counter_is_asked_for_as_one),
		cmocka_unit_test(what_a_counter_refuses),
		cmocka_unit_test(what_is_kept_points_only_into_itself),
		cmocka_unit_test(the_largest_request_does_not_exhaust_the_scratch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
