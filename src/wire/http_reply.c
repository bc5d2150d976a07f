/* http_reply.c - see http_reply.h: what all answers share, and those that are about no object. */
#include "wire/http_reply.h"

#include "base/panic.h"
#include "wire/http_reply_parts.h"

const char *http_reply_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {{200, "OK"},
	            {201, "Created"},
	            {204, "No Content"},
	            {300, "Multiple Choices"},
	            {304, "Not Modified"},
	            {400, "Bad Request"},
	            {401, "Unauthorized"},
	            {403, "Forbidden"},
	            {404, "Not Found"},
	            {405, "Method Not Allowed"},
	            {406, "Not Acceptable"},
	            {408, "Request Timeout"},
	            {409, "Conflict"},
	            {412, "Precondition Failed"},
	            {413, "Content Too Large"},
	            {414, "URI Too Long"},
	            {415, "Unsupported Media Type"},
	            {417, "Expectation Failed"},
	            {426, "Upgrade Required"},
	            {428, "Precondition Required"},
	            {429, "Too Many Requests"},
	            {431, "Request Header Fields Too Large"},
	            {500, "Internal Server Error"},
	            {501, "Not Implemented"},
	            {503, "Service Unavailable"},
	            {505, "HTTP Version Not Supported"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].status == status) return rows[i].text;
	}
	return "Unknown";
}

void http_reply_field(struct http_out *out, const char *name, struct bytes value)
{
	assert(name[0] != 0);
	http_out_string(out, name);
	http_out_string(out, ": ");
	http_out_bytes(out, value);
	http_out_string(out, "\r\n");
}

void http_reply_head(struct http_out *out, const struct http_reply_head *head)
{
	assert(head->status >= 200 && head->status <= 599);
	http_out_string(out, "HTTP/1.1 ");
	http_out_uint(out, (uint64_t)head->status);
	http_out_string(out, " ");
	http_out_string(out, http_reply_reason(head->status));
	http_out_string(out, "\r\nServer: dunlin\r\nDate: ");
	http_out_date(out, head->unix_ms / 1000);
	http_out_string(out, "\r\n");
	if (!head->keep_alive) http_out_string(out, "Connection: close\r\n");
	if (head->keep_alive && head->http_1_0) http_out_string(out, "Connection: keep-alive\r\n");
	if (head->status != 304) http_reply_field(out, "Content-Type", head->content_type);
	/* RFC 9110, section 8.6: an answer that cannot have a body has no length either. */
	if (head->status == 204 || head->status == 304) return;
	if (head->body_bytes == HTTP_REPLY_STREAM) {
		if (!head->http_1_0) http_out_string(out, "Transfer-Encoding: chunked\r\n");
		return;
	}
	http_out_string(out, "Content-Length: ");
	http_out_uint(out, head->body_bytes);
	http_out_string(out, "\r\n");
}

void http_reply_write(const struct http_reply *a, uint64_t unix_ms, struct http_out *out)
{
	assert(a->status != 204 || a->body.len == 0);
	struct bytes type =
		a->content_type != NULL ? bytes_of_string(a->content_type) : HTTP_REPLY_TEXT;
	size_t len = a->stream ? HTTP_REPLY_STREAM : a->body.len;
	struct http_reply_head head = {a->status, type, len, a->keep_alive, a->http_1_0, unix_ms};
	http_reply_head(out, &head);
	if (a->headers != NULL) http_out_string(out, a->headers);
	http_out_string(out, "\r\n");
	if (!a->head) http_out_bytes(out, a->body);
}

static void put_hex(struct http_out *out, size_t v)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * sizeof v];
	size_t at = sizeof text;
	do {
		text[--at] = digits[v & 15];
		v >>= 4;
	} while (v > 0);
	http_out_bytes(out, bytes_of(text + at, sizeof text - at));
}

void http_reply_chunk(bool http_1_0, struct bytes piece, struct http_out *out)
{
	if (http_1_0) {
		http_out_bytes(out, piece);
		return;
	}
	put_hex(out, piece.len);
	http_out_string(out, "\r\n");
	http_out_bytes(out, piece);
	http_out_string(out, "\r\n");
}

void http_reply_failure(const struct http_failure *why, const struct http_request *r,
                        uint64_t unix_ms, struct http_out *out)
{
	struct bytes body = bytes_of_string(why->text);
	struct http_reply_head head = {why->status,   HTTP_REPLY_TEXT, body.len,
	                               r->keep_alive, r->minor == 0,   unix_ms};
	http_reply_head(out, &head);
	if (why->allow != NULL) http_reply_field(out, "Allow", bytes_of_string(why->allow));
	if (why->write) http_out_string(out, "X-Dunlin-Outcome: none\r\n");
	http_out_string(out, "\r\n");
	if (r->method != HTTP_HEAD) http_out_bytes(out, body);
}

void http_reply_bad(int status, const char *reason, uint64_t unix_ms, struct http_out *out)
{
	assert(status >= 400 && reason != NULL);
	struct bytes text = bytes_of_string(reason);
	struct http_reply_head head = {status, HTTP_REPLY_TEXT, text.len + 1, false, false, unix_ms};
	http_reply_head(out, &head);
	http_out_string(out, "\r\n");
	http_out_bytes(out, text);
	http_out_string(out, "\n");
}
