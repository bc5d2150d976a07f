/* test_http_reply.c - answers, byte for byte where clients look at bytes. */
#include "test_http_util.h"
#include "wire/http_reply.h"
#include "wire/meta.h"
#include "wire/vtag.h"

#define NOW 784111777400UL /* Sun, 06 Nov 1994 08:49:37.4 GMT, in ms */
#define DATED "Server: dunlin\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define PLAIN "Content-Type: text/plain; charset=utf-8\r\n"

static char text[1 << 20];

/* Prepared, counted, and written into exactly the room that was counted. */
static const char *render(const struct http_object_want *w, const struct reply *reply)
{
	struct http_object_reply a;
	http_object_reply_prepare(&a, w, reply, NOW);
	assert_true(a.bytes < sizeof(text));
	uint8_t *room = malloc(a.bytes);
	struct http_out out = {room, a.bytes, 0};
	http_object_reply_write(&a, &out);
	assert_int_equal(out.len, a.bytes);
	memcpy(text, room, a.bytes);
	text[a.bytes] = 0;
	free(room);
	return text;
}

static struct http_object_want want_of(enum request_op op)
{
	return (struct http_object_want){.op = op,
	                                 .family = HTTP_FAMILY_V2,
	                                 .keep_alive = true,
	                                 .type = BYTES("default"),
	                                 .bucket = BYTES("b c"),
	                                 .key = BYTES("k"),
	                                 .content_type = op == REQUEST_PUT ? BYTES("a/b") : BYTES("")};
}

static struct bytes meta_blob(void)
{
	static uint8_t room[256];
	struct packer p = {room, sizeof(room), 0};
	meta_pack_open(&p, BYTES("text/plain; charset=utf-8"), BYTES("gzip"));
	meta_pack_links(&p, 1);
	meta_pack_link(&p, BYTES("b/"), BYTES("k k"), BYTES("t"));
	meta_pack_users(&p, 1);
	meta_pack_user(&p, BYTES("CoLor"), BYTES("red"));
	meta_pack_close(&p);
	return bytes_of(room, p.len);
}

/* actor 1, at second `s` of 1970: its vtag begins with ten zeroes and a one. */
static struct sibling sibling_of(uint64_t s, struct bytes value)
{
	return (struct sibling){.dot = {{1}, {s * 1000 << 16}}, .meta = meta_blob(), .value = value};
}

static struct reply shown(const struct sibling *siblings, uint32_t count)
{
	return (struct reply){
		.context = BYTES("\0\1\2\xff"), .siblings = siblings, .sibling_count = count};
}

static void expect_has(const char *part)
{
	if (strstr(text, part) == NULL) fail_msg("no '%s' in\n%s", part, text);
}

static void expect_lacks(const char *part)
{
	if (strstr(text, part) != NULL) fail_msg("'%s' in\n%s", part, text);
}

#define STORED_FIELDS(prefix, key)                                                                 \
	"Content-Encoding: gzip\r\n"                                                                   \
	"Link: <" prefix "b%2F" key "k%20k>; riaktag=\"t\", <" prefix "b%20c>; rel=\"up\"\r\n"         \
	"Last-Modified: Thu, 01 Jan 1970 00:00:07 GMT\r\n"                                             \
	"X-Riak-Meta-CoLor: red\r\n"

/* ---- reads ------------------------------------------------------------------------------- */

static void one_value_is_answered_with_its_fields(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s = sibling_of(7, BYTES("hello"));
	struct reply reply = shown(&s, 1);
	char vtag[VTAG_CHARS + 1] = {0}, expected[1024];
	vtag_write(s.dot, vtag);
	snprintf(expected, sizeof(expected),
	         "HTTP/1.1 200 OK\r\n" DATED "Content-Type: text/plain; charset=utf-8\r\n"
	         "Content-Length: 5\r\nVary: Accept-Encoding\r\nX-Riak-Vclock: AAEC/w==\r\n"
	         "ETag: \"%s\"\r\n%s\r\nhello",
	         vtag, STORED_FIELDS("/buckets/", "/keys/"));
	assert_string_equal(render(&w, &reply), expected);
}

static void head_has_the_same_fields_and_no_body(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET), head = w;
	struct sibling s[] = {sibling_of(7, BYTES("hello")), sibling_of(8, BYTES("x"))};
	head.head = true;
	for (uint32_t count = 0; count <= 2; count++) {
		struct reply reply = shown(s, count);
		char whole[4096];
		strcpy(whole, render(&w, &reply));
		render(&head, &reply);
		size_t len = strlen(text);
		assert_memory_equal(text, whole, len);
		assert_memory_equal(text + len - 4, "\r\n\r\n", 4);
		assert_true(strlen(whole) > len);
	}
}

static void links_take_the_shape_of_the_family(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s = sibling_of(7, BYTES("hello"));
	struct reply reply = shown(&s, 1);
	w.family = HTTP_FAMILY_V1;
	render(&w, &reply);
	expect_has(STORED_FIELDS("/riak/", "/"));
	w.family = HTTP_FAMILY_V3;
	render(&w, &reply);
	expect_has(STORED_FIELDS("/buckets/", "/keys/"));
}

static void an_empty_value_is_a_value(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s = sibling_of(7, BYTES_EMPTY);
	struct reply reply = shown(&s, 1);
	render(&w, &reply);
	expect_has("HTTP/1.1 200 OK\r\n");
	expect_has("Content-Length: 0\r\n");
}

static void what_was_deleted_or_never_was_is_not_found(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct reply gone = {.err = ERR_NOT_FOUND, .deleted = true, .context = BYTES("\0\1\2\xff")};
	struct reply never = {.err = ERR_NOT_FOUND}, none = {.err = ERR_OK};
	assert_string_equal(render(&w, &never), "HTTP/1.1 404 Not Found\r\n" DATED PLAIN
	                                        "Content-Length: 10\r\n\r\nnot found\n");
	assert_string_equal(render(&w, &gone),
	                    "HTTP/1.1 404 Not Found\r\n" DATED PLAIN
	                    "Content-Length: 10\r\nX-Riak-Vclock: AAEC/w==\r\nX-Riak-Deleted: true\r\n"
	                    "\r\nnot found\n");
	render(&w, &none);
	expect_has("HTTP/1.1 404 ");
	w.op = REQUEST_DELETE;
	render(&w, &gone);
	expect_has("HTTP/1.1 404 ");
	expect_has("X-Riak-Deleted: true\r\n");
}

static void a_tombstone_shown_alone_is_a_value_that_says_so(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s = {.dot = {{1}, {7000UL << 16}}, .tombstone = true}, expired = s;
	expired.meta = meta_blob();
	expired.value = BYTES("still there");
	for (int i = 0; i < 2; i++) {
		struct reply reply = shown(i == 0 ? &s : &expired, 1);
		render(&w, &reply);
		expect_has("HTTP/1.1 200 OK\r\n");
		expect_has("X-Riak-Deleted: true\r\n");
		expect_has("Content-Type: application/octet-stream\r\nContent-Length: 0\r\n");
		expect_lacks("still there");
	}
}

static void a_damaged_blob_of_fields_hides_no_value(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s = sibling_of(7, BYTES("hello"));
	s.meta = BYTES("\xff\xff");
	struct reply reply = shown(&s, 1);
	render(&w, &reply);
	expect_has("Content-Type: application/octet-stream\r\n");
	expect_has("\r\n\r\nhello");
}

/* ---- siblings ---------------------------------------------------------------------------- */

static void siblings_are_listed_by_vtag_unless_multipart_is_named(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s[] = {sibling_of(7, BYTES("x")), sibling_of(9, BYTES("y"))};
	struct reply reply = shown(s, 2);
	char vtags[2][VTAG_CHARS + 1] = {{0}}, body[128];
	vtag_write(s[0].dot, vtags[0]);
	vtag_write(s[1].dot, vtags[1]);
	snprintf(body, sizeof(body), "\r\n\r\nSiblings:\n%s\n%s\n", vtags[0], vtags[1]);
	w.accept = BYTES("*/*");
	render(&w, &reply);
	expect_has("HTTP/1.1 300 Multiple Choices\r\n");
	expect_has("Content-Type: text/plain\r\nContent-Length: 56\r\n");
	expect_has("Vary: Accept, Accept-Encoding\r\nX-Riak-Vclock: AAEC/w==\r\nETag: \"");
	expect_has("Last-Modified: Thu, 01 Jan 1970 00:00:09 GMT\r\n");
	expect_lacks("Link:");
	assert_string_equal(strstr(text, "\r\n\r\n"), body);
}

static void multipart_has_every_sibling_with_its_fields(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s[] = {sibling_of(7, BYTES("one")),
	                      {.dot = {{2}, {8000UL << 16}}, .tombstone = true}};
	struct reply reply = shown(s, 2);
	char vtags[2][VTAG_CHARS + 1] = {{0}}, boundary[64], body[2048];
	vtag_write(s[0].dot, vtags[0]);
	vtag_write(s[1].dot, vtags[1]);
	w.accept = BYTES("multipart/mixed, */*;q=0.9");
	render(&w, &reply);
	expect_has("HTTP/1.1 300 Multiple Choices\r\n");
	assert_int_equal(
		sscanf(strstr(text, "multipart/mixed;"), "multipart/mixed; boundary=%32[^\r]", boundary),
		1);
	snprintf(body, sizeof(body),
	         "\r\n\r\n\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\nEtag: %s\r\n"
	         "%s\r\none\r\n--%s\r\nContent-Type: application/octet-stream\r\n"
	         "Etag: %s\r\nLink: </buckets/b%%20c>; rel=\"up\"\r\n"
	         "Last-Modified: Thu, 01 Jan 1970 00:00:08 GMT\r\n"
	         "X-Riak-Deleted: true\r\n\r\n\r\n--%s--\r\n",
	         boundary, vtags[0], STORED_FIELDS("/buckets/", "/keys/"), boundary, vtags[1],
	         boundary);
	char *from = strstr(text, "\r\n\r\n");
	assert_non_null(from);
	assert_int_equal(strlen(boundary), HTTP_BOUNDARY_CHARS);
	assert_string_equal(from, body);
}

static void a_boundary_is_never_part_of_a_value(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s[] = {sibling_of(7, BYTES("x")), sibling_of(9, BYTES("y"))};
	struct reply reply = shown(s, 2);
	struct http_object_reply a;
	char value[16 * sizeof(a.boundary)] = "";
	w.accept = BYTES("multipart/mixed");
	/* Each time the value of the last sibling also holds what would have been chosen. */
	for (int i = 0; i < 8; i++) {
		http_object_reply_prepare(&a, &w, &reply, NOW);
		assert_null(strstr(value, a.boundary));
		strcat(strcat(value, "--"), a.boundary);
		s[1].value = bytes_of_string(value);
	}
}

/* Never more than was asked for, also when the node's clock stands behind a boundary of a second. */
static void a_ttl_is_what_is_left_in_whole_seconds(void **state)
{
	(void)state;
	static const struct {
		uint64_t left_ms;
		const char *shown;
	} rows[] = {{1000999, "1000"}, {1000000, "1000"}, {999999, "999"}, {600, "0"}, {0, "0"}};
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s = sibling_of(7, BYTES("x"));
	struct reply reply = shown(&s, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[64];
		s.expires_ms = NOW + rows[i].left_ms;
		snprintf(line, sizeof(line), "\r\nX-Dunlin-TTL: %s\r\n", rows[i].shown);
		assert_non_null(strstr(render(&w, &reply), line));
	}
	s.expires_ms = 1; /* long ago */
	assert_non_null(strstr(render(&w, &reply), "\r\nX-Dunlin-TTL: 0\r\n"));
}

static void etag_of(const struct sibling *s, uint32_t count, char etag[64])
{
	struct http_object_want w = want_of(REQUEST_GET);
	struct reply reply = shown(s, count);
	render(&w, &reply);
	assert_int_equal(sscanf(strstr(text, "ETag: "), "ETag: \"%40[0-9A-Za-z]\"", etag), 1);
}

static void the_etag_of_a_set_names_its_dots_in_any_order(void **state)
{
	(void)state;
	struct sibling s[] = {sibling_of(7, BYTES("x")), sibling_of(9, BYTES("y"))};
	struct sibling swapped[] = {s[1], s[0]}, other[] = {s[0], sibling_of(10, BYTES("y"))};
	struct sibling more[] = {s[0], s[1], sibling_of(11, BYTES("z"))};
	char a[64], b[64], c[64], d[64];
	etag_of(s, 2, a);
	etag_of(swapped, 2, b);
	etag_of(other, 2, c);
	etag_of(more, 3, d);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_string_not_equal(a, d);
}

static void a_read_that_accepts_nothing_we_have_is_406_and_shows_no_context(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s[] = {sibling_of(7, BYTES("x")), sibling_of(9, BYTES("y"))};
	w.accept = BYTES("image/png");
	for (uint32_t count = 1; count <= 2; count++) {
		struct reply reply = shown(s, count);
		render(&w, &reply);
		expect_has("HTTP/1.1 406 Not Acceptable\r\n");
		expect_lacks("X-Riak-Vclock");
		expect_lacks("ETag");
	}
	struct reply gone = {.err = ERR_NOT_FOUND};
	render(&w, &gone);
	expect_has("HTTP/1.1 404 ");
	w.op = REQUEST_PUT;
	w.return_body = true;
	for (uint32_t count = 1; count <= 2; count++) {
		struct reply reply = shown(s, count);
		render(&w, &reply);
		expect_has(count == 1 ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 300 Multiple Choices\r\n");
		expect_has("X-Riak-Vclock: AAEC/w==\r\n");
	}
}

/* ---- writes ------------------------------------------------------------------------------ */

static struct reply written(void)
{
	return (struct reply){
		.written = true, .dot = {{1}, {62 * 61 + 10}}, .context = BYTES("\0\1\2\xff")};
}

#define SHOWN "X-Riak-Vclock: AAEC/w==\r\nETag: \"00000000001000000000zA\"\r\n"

static void a_write_is_204_with_context_and_etag(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_PUT);
	struct reply reply = written();
	assert_string_equal(render(&w, &reply),
	                    "HTTP/1.1 204 No Content\r\n" DATED "Content-Type: a/b\r\n" SHOWN "\r\n");
	w = want_of(REQUEST_DELETE);
	assert_string_equal(render(&w, &reply), "HTTP/1.1 204 No Content\r\n" DATED PLAIN SHOWN "\r\n");
}

static void a_post_without_key_is_201_with_a_relative_location(void **state)
{
	(void)state;
	static const struct {
		enum http_family family;
		const char *location;
	} rows[] = {{HTTP_FAMILY_V1, "Location: /riak/b%20c/k\r\n"},
	            {HTTP_FAMILY_V2, "Location: /buckets/b%20c/keys/k\r\n"},
	            {HTTP_FAMILY_V3, "Location: /types/t%2F/buckets/b%20c/keys/k\r\n"}};
	struct http_object_want w = want_of(REQUEST_PUT);
	struct reply reply = written();
	w.choose_key = true;
	w.type = BYTES("t/");
	for (size_t i = 0; i < COUNT(rows); i++) {
		w.family = rows[i].family;
		render(&w, &reply);
		expect_has("HTTP/1.1 201 Created\r\n");
		expect_has("Content-Type: a/b\r\nContent-Length: 0\r\n" SHOWN);
		expect_has(rows[i].location);
	}
}

static void returnbody_answers_what_is_stored_now(void **state)
{
	(void)state;
	struct sibling s[] = {sibling_of(7, BYTES("")), sibling_of(9, BYTES("y"))};
	struct http_object_want w = want_of(REQUEST_PUT);
	struct reply reply = shown(s, 1);
	w.return_body = true;
	render(&w, &reply);
	expect_has("HTTP/1.1 200 OK\r\n");
	expect_has("Content-Length: 0\r\n");
	expect_has("X-Riak-Meta-CoLor: red\r\n");
	reply.sibling_count = 2;
	render(&w, &reply);
	expect_has("HTTP/1.1 300 ");
	w.choose_key = true;
	render(&w, &reply);
	expect_has("HTTP/1.1 201 Created\r\n");
	expect_has("Siblings:\n");
	expect_has("Location: /buckets/b%20c/keys/k\r\n");
	w.return_body = false;
	render(&w, &reply);
	expect_lacks("Siblings:\n");
}

/* ---- failures ---------------------------------------------------------------------------- */

#define MAYBE "The write may have been stored, now or later; read before you send it again.\n"

static void each_failure_has_its_status_and_exact_text(void **state)
{
	(void)state;
	static const struct {
		enum request_op op;
		enum err err;
		enum outcome outcome;
		int status;
		const char *body;
		const char *fields; /* these and no more */
	} rows[] = {
#define RETRY "Retry-After: 1\r\n"
#define NOTHING "X-Dunlin-Outcome: none\r\n"
#define UNKNOWN "X-Dunlin-Outcome: unknown\r\n"
		{REQUEST_GET, ERR_TIMEOUT, OUTCOME_DONE, 503, "request timed out\n", RETRY},
		{REQUEST_GET, ERR_R_UNMET, OUTCOME_DONE, 503, "R-value unsatisfied: 2/3\n", RETRY},
		{REQUEST_GET, ERR_PR_UNMET, OUTCOME_DONE, 503, "PR-value unsatisfied: 2/3\n", RETRY},
		{REQUEST_GET, ERR_CONFIRMS_UNMET, OUTCOME_DONE, 503,
	     "node_confirms-value unsatisfied: 2/3\n", RETRY},
		{REQUEST_GET, ERR_NO_VTAG, OUTCOME_DONE, 404, "no sibling has that vtag\n", ""},
		{REQUEST_GET, ERR_ABOVE_N, OUTCOME_NONE, 400,
	     "Specified w/dw/pw/node_confirms values invalid for bucket n value of 5\n", ""},
		{REQUEST_PUT, ERR_ABOVE_N, OUTCOME_NONE, 400,
	     "Specified w/dw/pw/node_confirms values invalid for bucket n value of 5\n", NOTHING},
		{REQUEST_PUT, ERR_TIMEOUT, OUTCOME_UNKNOWN, 503, "request timed out\n", UNKNOWN RETRY},
		{REQUEST_PUT, ERR_PW_UNMET, OUTCOME_UNKNOWN, 503, "PW-value unsatisfied: 2/3\n",
	     UNKNOWN RETRY},
		{REQUEST_PUT, ERR_DW_UNMET, OUTCOME_NONE, 503, "DW-value unsatisfied: 2/3\n",
	     NOTHING RETRY},
		{REQUEST_DELETE, ERR_DW_UNMET, OUTCOME_UNKNOWN, 503, "DW-value unsatisfied: 2/3\n",
	     UNKNOWN RETRY},
		{REQUEST_PUT, ERR_CONFIRMS_UNMET, OUTCOME_UNKNOWN, 503,
	     "node_confirms-value unsatisfied: 2/3\n", UNKNOWN RETRY},
		{REQUEST_PUT, ERR_W_UNMET, OUTCOME_NONE, 503, "Too Many write failures to satisfy W/DW\n",
	     NOTHING RETRY},
		{REQUEST_PUT, ERR_W_UNMET, OUTCOME_UNKNOWN, 503,
	     "Too Many write failures to satisfy W/DW\n" MAYBE, UNKNOWN RETRY},
		{REQUEST_DELETE, ERR_UNREACHABLE, OUTCOME_UNKNOWN, 503,
	     "no node that may take this request can be reached\n" MAYBE, UNKNOWN RETRY},
		{REQUEST_PUT, ERR_SIBLINGS, OUTCOME_NONE, 503,
	     "the write would exceed siblings_max; resolve the siblings first\n", NOTHING},
		{REQUEST_PUT, ERR_TOO_LARGE, OUTCOME_NONE, 413, "too large\n", NOTHING},
		{REQUEST_PUT, ERR_BAD_CONTEXT, OUTCOME_NONE, 400,
	     "the context was not given out for this key by this cluster\n", NOTHING},
		{REQUEST_DELETE, ERR_NOT_FOUND, OUTCOME_NONE, 404, "not found\n", NOTHING},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_object_want w = want_of(rows[i].op);
		struct reply reply = {
			.err = rows[i].err, .outcome = rows[i].outcome, .got = 2, .need = 3, .n = 5};
		char expected[1024];
		w.accept = BYTES("image/png");
		snprintf(expected, sizeof(expected),
		         "HTTP/1.1 %d %s\r\n" DATED PLAIN "Content-Length: %zu\r\n%s\r\n%s", rows[i].status,
		         http_reply_reason(rows[i].status), strlen(rows[i].body), rows[i].fields,
		         rows[i].body);
		assert_string_equal(render(&w, &reply), expected);
	}
}

static void fallbacks_are_counted_on_every_answer_about_an_object(void **state)
{
	(void)state;
	struct sibling s = sibling_of(7, BYTES("x"));
	struct reply replies[] = {
		shown(&s, 1), {.err = ERR_NOT_FOUND}, {.err = ERR_TIMEOUT}, written()};
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct http_object_want w = want_of(i < 2 ? REQUEST_GET : REQUEST_PUT);
		render(&w, &replies[i]);
		expect_lacks("X-Dunlin-Fallbacks");
		replies[i].fallbacks = 2;
		render(&w, &replies[i]);
		expect_has("X-Dunlin-Fallbacks: 2\r\n");
	}
}

static void the_end_of_a_connection_is_announced(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct reply reply = {.err = ERR_NOT_FOUND};
	render(&w, &reply);
	expect_lacks("Connection:");
	w.http_1_0 = true;
	render(&w, &reply);
	expect_has("Connection: keep-alive\r\n");
	w.keep_alive = false;
	render(&w, &reply);
	expect_has("Connection: close\r\n");
}

/* ---- answers about no object -------------------------------------------------------------- */

static void plain_answers_have_type_length_and_further_fields(void **state)
{
	(void)state;
	struct http_reply a = {.status = 200,
	                       .content_type = "text/html",
	                       .body = BYTES("OK"),
	                       .headers = "X: y\r\n",
	                       .keep_alive = true};
	struct http_out count = {NULL, 0, 0}, out = {(uint8_t *)text, sizeof(text), 0};
	http_reply_write(&a, NOW, &count);
	http_reply_write(&a, NOW, &out);
	assert_int_equal(count.len, out.len);
	text[out.len] = 0;
	assert_string_equal(text, "HTTP/1.1 200 OK\r\n" DATED
	                          "Content-Type: text/html\r\nContent-Length: 2\r\nX: y\r\n\r\nOK");
	a = (struct http_reply){.status = 503, .body = BYTES("no\n"), .head = true};
	out.len = 0;
	http_reply_write(&a, NOW, &out);
	text[out.len] = 0;
	assert_string_equal(text, "HTTP/1.1 503 Service Unavailable\r\n" DATED
	                          "Connection: close\r\n" PLAIN "Content-Length: 3\r\n\r\n");
}

static void refusals_say_why_and_that_nothing_was_stored(void **state)
{
	(void)state;
	static struct http_request r;
	struct http_failure why = {.write = true};
	struct http_out out = {(uint8_t *)text, sizeof(text), 0};
	r.keep_alive = true;
	r.minor = 1;
	http_failure_set(&why, 400, "no %s", "good\r\nX: y");
	http_reply_failure(&why, &r, NOW, &out);
	text[out.len] = 0;
	assert_string_equal(text,
	                    "HTTP/1.1 400 Bad Request\r\n" DATED PLAIN
	                    "Content-Length: 14\r\nX-Dunlin-Outcome: none\r\n\r\nno good??X: y\n");
	out.len = 0;
	http_failure_set(&why, 405, "%s", "no");
	why.write = false;
	why.allow = "GET";
	r.method = HTTP_HEAD;
	http_reply_failure(&why, &r, NOW, &out);
	text[out.len] = 0;
	assert_string_equal(text, "HTTP/1.1 405 Method Not Allowed\r\n" DATED PLAIN
	                          "Content-Length: 3\r\nAllow: GET\r\n\r\n");
	out.len = 0;
	http_reply_bad(431, "too long", NOW, &out);
	text[out.len] = 0;
	assert_string_equal(text, "HTTP/1.1 431 Request Header Fields Too Large\r\n" DATED
	                          "Connection: close\r\n" PLAIN "Content-Length: 9\r\n\r\ntoo long\n");
}

static void a_counter_is_a_number_without_context_and_etag(void **state)
{
	(void)state;
	struct http_object_want w = want_of(REQUEST_GET);
	struct sibling s = sibling_of(7, BYTES("its bytes"));
	struct reply reply = shown(&s, 1);
	w.counter = true;
	w.content_type = BYTES("text/plain");
	strcpy(reply.number, "-12");
	assert_string_equal(render(&w, &reply),
	                    "HTTP/1.1 200 OK\r\n" DATED "Content-Type: text/plain\r\n"
	                    "Content-Length: 3\r\n\r\n-12");
	w.op = REQUEST_INCREMENT;
	reply.written = true;
	assert_int_equal(strncmp(render(&w, &reply), "HTTP/1.1 200 OK\r\n", 17), 0);
	reply.number[0] = '\0';
	assert_string_equal(render(&w, &reply),
	                    "HTTP/1.1 204 No Content\r\n" DATED "Content-Type: text/plain\r\n\r\n");
	reply = (struct reply){.err = ERR_COUNTER_MULT, .outcome = OUTCOME_NONE};
	assert_string_equal(render(&w, &reply), "HTTP/1.1 409 Conflict\r\n" DATED PLAIN
	                                        "Content-Length: 51\r\nX-Dunlin-Outcome: none\r\n\r\n"
	                                        "Counters require bucket property 'allow_mult=true'\n");
	w.op = REQUEST_GET;
	reply = (struct reply){.err = ERR_NOT_FOUND};
	render(&w, &reply);
	expect_has("HTTP/1.1 404 Not Found\r\n");
	expect_has("\r\n\r\nnot found\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_value_is_answered_with_its_fields),
		cmocka_unit_test(head_has_the_same_fields_and_no_body),
		cmocka_unit_test(links_take_the_shape_of_the_family),
		cmocka_unit_test(an_empty_value_is_a_value),
		cmocka_unit_test(what_was_deleted_or_never_was_is_not_found),
		cmocka_unit_test(a_tombstone_shown_alone_is_a_value_that_says_so),
		cmocka_unit_test(a_damaged_blob_of_fields_hides_no_value),
		cmocka_unit_test(siblings_are_listed_by_vtag_unless_multipart_is_named),
		cmocka_unit_test(multipart_has_every_sibling_with_its_fields),
		cmocka_unit_test(a_boundary_is_never_part_of_a_value),
		cmocka_unit_test(the_etag_of_a_set_names_its_dots_in_any_order),
		cmocka_unit_test(a_read_that_accepts_nothing_we_have_is_406_and_shows_no_context),
		cmocka_unit_test(a_write_is_204_with_context_and_etag),
		cmocka_unit_test(a_post_without_key_is_201_with_a_relative_location),
		cmocka_unit_test(returnbody_answers_what_is_stored_now),
		cmocka_unit_test(each_failure_has_its_status_and_exact_text),
		cmocka_unit_test(fallbacks_are_counted_on_every_answer_about_an_object),
		cmocka_unit_test(the_end_of_a_connection_is_announced),
		cmocka_unit_test(plain_answers_have_type_length_and_further_fields),
		cmocka_unit_test(a_ttl_is_what_is_left_in_whole_seconds),
		cmocka_unit_test(a_counter_is_a_number_without_context_and_etag),
		cmocka_unit_test(refusals_say_why_and_that_nothing_was_stored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
