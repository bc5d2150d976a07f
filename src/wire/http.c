/* http.c - the head of a request: request line, field lines, what they say about the body.
 *
 *   [CRLF] method SP target SP HTTP/1.x CRLF  (name ":" value CRLF)*  CRLF
 *
 * Always true:
 *   H1  no byte outside data[0, len) is read, and none is written;
 *   H2  a verdict other than HTTP_MORE does not depend on how the bytes were cut into calls;
 *   H3  after HTTP_COMPLETE the end of the body is certain: a length, chunks, or no body.
 * Not here: chunked bodies (http_chunks.c), what the target means (http_target.c). */
#include "wire/http.h"

#include "base/panic.h"
#include "wire/http_text.h"

struct parse {
	const uint8_t *at, *end;
	size_t block;     /* bytes of field lines so far, line ends included */
	bool close, stay; /* options of Connection */
	struct http_request *out;
};

static enum http_verdict bad(struct parse *p, int status, const char *reason)
{
	p->out->status = status;
	p->out->reason = reason;
	return HTTP_BAD;
}

/* ---- lines ------------------------------------------------------------------------------- */

/* The line that begins at p->at, without its CRLF. Length is judged before anything else, so that a
 * line that never ends is refused as one that is too long would be. */
static enum http_verdict take_line(struct parse *p, size_t max, int too_long, struct bytes *line)
{
	assert(p->at <= p->end);
	size_t left = (size_t)(p->end - p->at);
	const uint8_t *lf = left == 0 ? NULL : memchr(p->at, '\n', left);
	size_t len = lf != NULL ? (size_t)(lf - p->at) : left;
	bool cr = len > 0 && p->at[len - 1] == '\r';
	*line = (struct bytes){p->at, len - cr};
	if (line->len > max) return bad(p, too_long, "a line of the request head is too long");
	if (lf == NULL) return HTTP_MORE;
	if (!cr) return bad(p, 400, "each line of the request head must end with CR LF");
	p->at = lf + 1;
	return HTTP_COMPLETE;
}

/* ---- request line ------------------------------------------------------------------------ */

static enum http_method method_of(struct bytes text)
{
	static const struct {
		const char *text;
		enum http_method method;
	} methods[] = {{"GET", HTTP_GET},     {"HEAD", HTTP_HEAD},      {"PUT", HTTP_PUT},
	               {"POST", HTTP_POST},   {"DELETE", HTTP_DELETE},  {"OPTIONS", HTTP_OPTIONS},
	               {"TRACE", HTTP_TRACE}, {"CONNECT", HTTP_CONNECT}};
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (bytes_equal(text, bytes_of_string(methods[i].text))) return methods[i].method;
	}
	return HTTP_OTHER;
}

static enum http_verdict read_version(struct parse *p, struct bytes text)
{
	if (text.len != 8 || memcmp(text.data, "HTTP/", 5) != 0 || !http_text_is_digit(text.data[5]) ||
	    text.data[6] != '.' || !http_text_is_digit(text.data[7]))
		return bad(p, 400, "the request line must be: method, target, HTTP/1.1");
	if (text.data[5] != '1') return bad(p, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	p->out->minor = text.data[7] != '0';
	return HTTP_COMPLETE;
}

/* Absolute form (RFC 9112, section 3.2.2): keep what follows the authority. */
static enum http_verdict strip_authority(struct parse *p, struct bytes target, size_t scheme)
{
	size_t at = scheme;
	while (at < target.len && target.data[at] != '/' && target.data[at] != '?') {
		if (target.data[at] == '@') return bad(p, 400, "a target must not bear user information");
		at++;
	}
	if (at == scheme) return bad(p, 400, "an absolute target must name a host");
	p->out->target = (struct bytes){target.data + at, target.len - at};
	return HTTP_COMPLETE;
}

static enum http_verdict read_target(struct parse *p, struct bytes target)
{
	for (size_t i = 0; i < target.len; i++) {
		uint8_t c = target.data[i];
		if (c <= 0x20 || c == 0x7f || c == '#')
			return bad(p, 400, "the target holds a byte that must be percent-encoded");
	}
	p->out->target = target;
	if (target.len > 0 && target.data[0] == '/') return HTTP_COMPLETE;
	if (bytes_equal(target, BYTES("*")) && p->out->method == HTTP_OPTIONS) return HTTP_COMPLETE;
	if (p->out->method == HTTP_CONNECT && target.len > 0) return HTTP_COMPLETE;
	struct bytes head = {target.data, target.len < 7 ? target.len : 7};
	if (http_text_same(head, BYTES("http://"))) return strip_authority(p, target, 7);
	head.len = target.len < 8 ? target.len : 8;
	if (http_text_same(head, BYTES("https://"))) return strip_authority(p, target, 8);
	return bad(p, 400, "the target must begin with '/'");
}

static enum http_verdict read_request_line(struct parse *p)
{
	if (p->at < p->end && !http_text_is_token(*p->at))
		return bad(p, 400, "a request begins with its method");
	struct bytes line;
	enum http_verdict v = take_line(p, HTTP_LINE_BYTES_MAX, 414, &line);
	if (v != HTTP_COMPLETE) return v;
	size_t space = 0;
	while (space < line.len && http_text_is_token(line.data[space])) space++;
	if (space == 0 || space == line.len || line.data[space] != ' ')
		return bad(p, 400, "the request line must be: method, target, HTTP/1.1");
	p->out->method_text = (struct bytes){line.data, space};
	p->out->method = method_of(p->out->method_text);
	struct bytes rest = {line.data + space + 1, line.len - space - 1};
	const uint8_t *end = rest.len == 0 ? NULL : memchr(rest.data, ' ', rest.len);
	if (end == NULL) return bad(p, 400, "the request line must be: method, target, HTTP/1.1");
	size_t target_len = (size_t)(end - rest.data);
	v = read_version(p, (struct bytes){end + 1, rest.len - target_len - 1});
	return v != HTTP_COMPLETE ? v : read_target(p, (struct bytes){rest.data, target_len});
}

/* ---- field lines ------------------------------------------------------------------------- */

#define META_PREFIX BYTES("X-Riak-Meta-")
#define INDEX_PREFIX BYTES("X-Riak-Index-")

static bool begins(struct bytes text, struct bytes with)
{
	return text.len >= with.len && http_text_same((struct bytes){text.data, with.len}, with);
}

static enum http_name name_of(struct bytes text)
{
	static const struct {
		struct bytes text;
		enum http_name id;
	} names[] = {
#define NAME(literal, id) {{(const uint8_t *)(literal), sizeof(literal) - 1}, id}
		NAME("Accept", HTTP_NAME_ACCEPT),
		NAME("Connection", HTTP_NAME_CONNECTION),
		NAME("Content-Encoding", HTTP_NAME_CONTENT_ENCODING),
		NAME("Content-Length", HTTP_NAME_CONTENT_LENGTH),
		NAME("Content-MD5", HTTP_NAME_CONTENT_MD5),
		NAME("Content-Type", HTTP_NAME_CONTENT_TYPE),
		NAME("Expect", HTTP_NAME_EXPECT),
		NAME("Host", HTTP_NAME_HOST),
		NAME("If-Match", HTTP_NAME_IF_MATCH),
		NAME("If-Modified-Since", HTTP_NAME_IF_MODIFIED),
		NAME("If-None-Match", HTTP_NAME_IF_NONE_MATCH),
		NAME("If-Unmodified-Since", HTTP_NAME_IF_UNMODIFIED),
		NAME("Link", HTTP_NAME_LINK),
		NAME("Origin", HTTP_NAME_ORIGIN),
		NAME("Referer", HTTP_NAME_REFERER),
		NAME("Transfer-Encoding", HTTP_NAME_TRANSFER_ENCODING),
		NAME("X-Dunlin-At-Least", HTTP_NAME_AT_LEAST),
		NAME("X-Dunlin-Consistency", HTTP_NAME_CONSISTENCY),
		NAME("X-Dunlin-TTL", HTTP_NAME_TTL),
		NAME("X-Riak-If-Not-Modified", HTTP_NAME_IF_CONTEXT),
		NAME("X-Riak-Vclock", HTTP_NAME_VCLOCK),
#undef NAME
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (http_text_same(text, names[i].text)) return names[i].id;
	}
	if (text.len > META_PREFIX.len && begins(text, META_PREFIX)) return HTTP_NAME_META;
	return begins(text, INDEX_PREFIX) ? HTTP_NAME_INDEX : HTTP_NAME_OTHER;
}

/* Digits only: no sign, no list, no overflow (RFC 9112, section 6.3). */
static enum http_verdict read_length(struct parse *p, struct bytes text)
{
	uint64_t v = 0;
	bool good = text.len > 0;
	for (size_t i = 0; i < text.len && good; i++) {
		uint8_t c = text.data[i];
		good = http_text_is_digit(c) && v <= (INT64_MAX - (uint64_t)(c - '0')) / 10;
		if (good) v = v * 10 + (uint64_t)(c - '0');
	}
	if (!good) return bad(p, 400, "Content-Length must be a decimal number");
	p->out->content_length = v;
	p->out->has_content_length = true;
	return HTTP_COMPLETE;
}

/* A host and a port; just what could make two readers disagree about it is refused. */
static bool host_is_plain(struct bytes host)
{
	for (size_t i = 0; i < host.len; i++) {
		if (host.data[i] <= ' ' || strchr("/\\?#@,\"<>", host.data[i]) != NULL) return false;
	}
	return true;
}

static void read_connection(struct parse *p, struct bytes list)
{
	while (list.data != NULL) {
		struct bytes option = http_text_split(&list, ',');
		p->close |= http_text_same(option, BYTES("close"));
		p->stay |= http_text_same(option, BYTES("keep-alive"));
	}
}

/* What a field means to the parser itself. */
static enum http_verdict read_field(struct parse *p, const struct http_header *h)
{
	bool again = p->out->first[h->id] != HTTP_HEADERS_MAX;
	switch (h->id) {
	case HTTP_NAME_CONTENT_LENGTH:
		if (again) return bad(p, 400, "Content-Length must be sent once");
		return read_length(p, h->value);
	case HTTP_NAME_TRANSFER_ENCODING:
		if (again) return bad(p, 400, "Transfer-Encoding must be sent once");
		if (!http_text_same(h->value, BYTES("chunked")))
			return bad(p, 501, "the only Transfer-Encoding known here is chunked");
		p->out->chunked = true;
		return HTTP_COMPLETE;
	case HTTP_NAME_HOST:
		if (again) return bad(p, 400, "Host must be sent once");
		if (!host_is_plain(h->value)) return bad(p, 400, "Host must be a host and a port");
		return HTTP_COMPLETE;
	case HTTP_NAME_EXPECT:
		if (!http_text_same(h->value, BYTES("100-continue")))
			return bad(p, 417, "the only expectation known here is 100-continue");
		p->out->expect_continue = p->out->minor > 0;
		return HTTP_COMPLETE;
	case HTTP_NAME_CONNECTION: read_connection(p, h->value); return HTTP_COMPLETE;
	default: return HTTP_COMPLETE;
	}
}

static enum http_verdict read_field_line(struct parse *p, struct bytes line)
{
	struct http_request *r = p->out;
	if (http_text_is_blank(line.data[0])) return bad(p, 400, "a field must not be folded");
	size_t colon = 0;
	while (colon < line.len && http_text_is_token(line.data[colon])) colon++;
	if (colon == 0 || colon == line.len || line.data[colon] != ':')
		return bad(p, 400, "a field must be: name, colon, value, without space before the colon");
	struct bytes value = {line.data + colon + 1, line.len - colon - 1};
	if (!http_text_all_value(value)) return bad(p, 400, "a field holds a control byte");
	if (r->header_count == HTTP_HEADERS_MAX) return bad(p, 431, "the request has too many fields");
	struct bytes name = {line.data, colon};
	struct http_header h = {name, http_text_trim(value), name_of(name)};
	enum http_verdict v = read_field(p, &h);
	if (r->first[h.id] == HTTP_HEADERS_MAX) r->first[h.id] = (uint16_t)r->header_count;
	r->headers[r->header_count++] = h;
	return v;
}

/* All field lines, and the empty one behind them. */
static enum http_verdict read_fields(struct parse *p)
{
	for (;;) {
		struct bytes line;
		enum http_verdict v = take_line(p, HTTP_LINE_BYTES_MAX, 431, &line);
		if (v == HTTP_BAD) return v;
		if (line.len > 0 && p->block + line.len + 2 > HTTP_HEADER_BYTES_MAX)
			return bad(p, 431, "the fields of the request are too long");
		if (v == HTTP_MORE || line.len == 0) return v;
		p->block += line.len + 2;
		v = read_field_line(p, line);
		if (v != HTTP_COMPLETE) return v;
	}
}

/* What only the whole head can tell. */
static enum http_verdict judge(struct parse *p)
{
	struct http_request *r = p->out;
	if (r->chunked && r->has_content_length)
		return bad(p, 400, "Content-Length and Transfer-Encoding exclude each other");
	if (r->chunked && r->minor == 0) return bad(p, 400, "HTTP/1.0 has no Transfer-Encoding");
	if (r->minor > 0 && r->first[HTTP_NAME_HOST] == HTTP_HEADERS_MAX)
		return bad(p, 400, "an HTTP/1.1 request must have a Host");
	r->keep_alive = !p->close && (r->minor > 0 || p->stay);
	return HTTP_COMPLETE;
}

/* ---- whole ------------------------------------------------------------------------------- */

/* Nothing has come since the last call but more of a line that it saw the start of, and that may
 * still grow. */
static bool still_open(const uint8_t *data, size_t len, size_t last_len)
{
	if (last_len == 0 || last_len >= len || len > HTTP_HEAD_BYTES_MAX) return false;
	if (memchr(data + last_len, '\n', len - last_len) != NULL) return false;
	const uint8_t *lf = memrchr(data, '\n', last_len);
	size_t start = lf == NULL ? 0 : (size_t)(lf - data) + 1;
	/* Two bytes of it: one alone may be the CR of an empty line. */
	return start + 2 <= last_len && len - start <= HTTP_LINE_BYTES_MAX;
}

/* All but the array of fields, which need not be touched. */
static void request_clear(struct http_request *r)
{
	memset(r, 0, offsetof(struct http_request, headers));
	for (int i = 0; i < HTTP_NAME_COUNT; i++) r->first[i] = HTTP_HEADERS_MAX;
}

enum http_verdict http_parse(const uint8_t *data, size_t len, size_t last_len,
                             struct http_request *out)
{
	assert(data != NULL || len == 0);
	assert(last_len <= len);
	request_clear(out);
	if (len == 0 || still_open(data, len, last_len)) return HTTP_MORE;
	struct parse p = {.at = data, .end = data + len, .out = out};
	/* RFC 9112, section 2.2: some clients end a body with a line that they did not count. */
	if (len >= 2 && data[0] == '\r' && data[1] == '\n') p.at += 2;
	if (len == 1 && data[0] == '\r') return HTTP_MORE;
	enum http_verdict v = read_request_line(&p);
	if (v != HTTP_COMPLETE) return v;
	v = read_fields(&p);
	if (v != HTTP_COMPLETE) return v;
	v = judge(&p);
	out->head_bytes = (size_t)(p.at - data);
	assert(out->head_bytes <= HTTP_HEAD_BYTES_MAX);
	return v;
}

struct bytes http_header(const struct http_request *r, enum http_name id, bool *found)
{
	assert(id > HTTP_NAME_OTHER && id < HTTP_NAME_COUNT);
	bool has = r->first[id] != HTTP_HEADERS_MAX;
	if (found != NULL) *found = has;
	return has ? r->headers[r->first[id]].value : BYTES_EMPTY;
}

bool http_header_repeated(const struct http_request *r, enum http_name id)
{
	uint32_t count = 0;
	for (uint32_t i = r->first[id]; i < r->header_count; i++) count += r->headers[i].id == id;
	return count > 1;
}
