/* bench_answer.c - the head of an answer, read as far as a load generator must.
 *
 * Not a checker of HTTP: fields that it does not know pass unread. */
#include "drive/bench_answer.h"

#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/panic.h"

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 204 No Content" */
static bool take_status(const uint8_t *line, size_t len, struct bench_answer *a)
{
	if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ') return false;
	if (!is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11])) return false;
	a->status = (unsigned)(line[9] - '0') * 100 + (unsigned)(line[10] - '0') * 10 +
	            (unsigned)(line[11] - '0');
	a->close = line[7] == '0';
	return a->status >= 200 && a->status < 600;
}

static bool take_length(struct bytes text, uint64_t *length)
{
	*length = 0;
	if (text.len == 0 || text.len > 15) return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.data[i])) return false;
		*length = *length * 10 + (uint64_t)(text.data[i] - '0');
	}
	return true;
}

static bool is_named(const uint8_t *line, size_t len, const char *name, size_t name_len)
{
	return len > name_len && line[name_len] == ':' &&
	       strncasecmp((const char *)line, name, name_len) == 0;
}
#define NAMED(line, len, literal) is_named(line, len, literal, sizeof(literal) - 1)

static struct bytes field_value(const uint8_t *line, size_t len)
{
	const uint8_t *colon = memchr(line, ':', len);
	assert(colon != NULL);
	struct bytes v = bytes_of(colon + 1, len - (size_t)(colon - line) - 1);
	while (v.len > 0 && v.data[0] == ' ') v = bytes_of(v.data + 1, v.len - 1);
	while (v.len > 0 && v.data[v.len - 1] == ' ') v.len--;
	return v;
}

static bool take_field(const uint8_t *line, size_t len, struct bench_answer *a)
{
	switch (line[0] | 0x20) {
	case 'c':
		if (NAMED(line, len, "content-length"))
			return take_length(field_value(line, len), &a->body_bytes);
		if (NAMED(line, len, "connection")) {
			struct bytes v = field_value(line, len);
			a->close = v.len == 5 && strncasecmp((const char *)v.data, "close", 5) == 0;
		}
		return true;
	case 't': return !NAMED(line, len, "transfer-encoding");
	case 'x':
		if (NAMED(line, len, "x-riak-vclock")) a->context = field_value(line, len);
		return true;
	default: return true;
	}
}

size_t bench_answer_parse(struct bytes in, struct bench_answer *a, bool *bad)
{
	*bad = false;
	*a = (struct bench_answer){0};
	const uint8_t *end = in.len == 0 ? NULL : memmem(in.data, in.len, "\r\n\r\n", 4);
	if (end == NULL) {
		*bad = in.len > BENCH_HEAD_BYTES_MAX;
		return 0;
	}
	bool good = true;
	for (const uint8_t *line = in.data; line < end && good;) {
		const uint8_t *line_end = memchr(line, '\r', (size_t)(end - line) + 1);
		assert(line_end != NULL); /* `end` points to one */
		size_t len = (size_t)(line_end - line);
		good = line == in.data ? take_status(line, len, a) : len == 0 || take_field(line, len, a);
		line = line_end + 2;
	}
	/* These have no body, whatever they say of its length. */
	if (a->status == 204 || a->status == 304) a->body_bytes = 0;
	*bad = !good || a->status == 0;
	return *bad ? 0 : (size_t)(end - in.data) + 4;
}
