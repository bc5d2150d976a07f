/* http_chunk.c - bodies that come in chunks (RFC 9112, section 7.1), decoded where they lie.
 *
 *   SIZE --";"--> EXTENSION           TRAILER_START --CR--> LAST_LF --LF--> DONE
 *    \CR            /CR                  ^    |  ^
 *     SIZE_LF <----/                     |  NAME -> VALUE --CR--> TRAILER_LF
 *      | \__0 left______________________/                             |  LF
 *      v   left                          \____________________________/
 *     DATA --0 left--> DATA_CR --CR--> DATA_LF --LF--> SIZE
 *
 * Always true:
 *   C1  the decoded bytes never overtake the bytes they are decoded from;
 *   C2  body_bytes is what was decoded plus `left`;
 *   C3  a body costs at most HTTP_CHUNK_EXTRA_BYTES_MAX beyond its chunks and their size digits. */
#include "wire/http.h"

#include "base/panic.h"
#include "wire/http_text.h"

enum chunk_state {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER_START,
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_LAST_LF,
	CHUNK_DONE
};

/* Hex digits of a chunk's size; 15 cannot overflow, leading zeroes included. */
#define SIZE_DIGITS_MAX 15

static bool bad(struct http_chunks *c, const char *reason)
{
	c->reason = reason;
	return false;
}

static bool to(struct http_chunks *c, enum chunk_state next)
{
	c->state = (uint8_t)next;
	return true;
}

static bool on_size(struct http_chunks *c, uint8_t byte)
{
	int digit = http_text_hex(byte);
	if (digit >= 0) {
		if (c->digits == SIZE_DIGITS_MAX) return bad(c, "the size of a chunk is too large");
		c->digits++;
		c->left = c->left << 4 | (uint64_t)digit;
		return true;
	}
	if (c->digits == 0) return bad(c, "a chunk must begin with its size in hexadecimal");
	c->line_bytes = 0;
	if (byte == ';') return to(c, CHUNK_EXTENSION);
	if (byte == '\r') return to(c, CHUNK_SIZE_LF);
	return bad(c, "a chunk's size must be followed by CR LF or ';'");
}

/* The size line is over: its chunk begins. */
static bool on_size_end(struct http_chunks *c)
{
	c->digits = 0;
	if (c->body_bytes > UINT64_MAX - c->left) return bad(c, "the size of a chunk is too large");
	c->body_bytes += c->left;
	return to(c, c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_START);
}

/* Extensions are let through unread, and trailers dropped, but neither without end. */
static bool on_extra(struct http_chunks *c, uint8_t byte)
{
	if (byte != '\r' && !http_text_is_value(byte))
		return bad(c, "a chunk line holds a control byte");
	if (++c->extra_bytes > HTTP_CHUNK_EXTRA_BYTES_MAX)
		return bad(c, "the chunk extensions and trailers of the body are too long");
	if (c->state == CHUNK_EXTENSION) {
		if (++c->line_bytes > HTTP_CHUNK_LINE_BYTES_MAX)
			return bad(c, "a chunk extension is too long");
		return byte == '\r' ? to(c, CHUNK_SIZE_LF) : true;
	}
	return byte == '\r' ? to(c, CHUNK_TRAILER_LF) : true;
}

static bool on_trailer_name(struct http_chunks *c, uint8_t byte)
{
	if (c->state == CHUNK_TRAILER_START && byte == '\r') return to(c, CHUNK_LAST_LF);
	if (c->state == CHUNK_TRAILER_NAME && byte == ':') return to(c, CHUNK_TRAILER_VALUE);
	if (!http_text_is_token(byte)) return bad(c, "a trailer must be: name, colon, value");
	if (++c->extra_bytes > HTTP_CHUNK_EXTRA_BYTES_MAX)
		return bad(c, "the chunk extensions and trailers of the body are too long");
	return to(c, CHUNK_TRAILER_NAME);
}

static bool on_line_end(struct http_chunks *c, uint8_t byte, enum chunk_state next)
{
	if (byte != '\n') return bad(c, "CR must be followed by LF");
	return next == CHUNK_DATA ? on_size_end(c) : to(c, next);
}

/* Every byte that is not body. */
static bool on_byte(struct http_chunks *c, uint8_t byte)
{
	switch ((enum chunk_state)c->state) {
	case CHUNK_SIZE: return on_size(c, byte);
	case CHUNK_SIZE_LF: return on_line_end(c, byte, CHUNK_DATA);
	case CHUNK_DATA_CR:
		return byte == '\r' ? to(c, CHUNK_DATA_LF) : bad(c, "a chunk must end with CR LF");
	case CHUNK_DATA_LF: return on_line_end(c, byte, CHUNK_SIZE);
	case CHUNK_EXTENSION:
	case CHUNK_TRAILER_VALUE: return on_extra(c, byte);
	case CHUNK_TRAILER_START:
	case CHUNK_TRAILER_NAME: return on_trailer_name(c, byte);
	case CHUNK_TRAILER_LF: return on_line_end(c, byte, CHUNK_TRAILER_START);
	case CHUNK_LAST_LF: return on_line_end(c, byte, CHUNK_DONE);
	case CHUNK_DATA:
	case CHUNK_DONE: break;
	}
	unreachable();
}

enum http_verdict http_chunks_decode(struct http_chunks *c, uint8_t *data, size_t len, size_t *body,
                                     size_t *used)
{
	assert(c->state != CHUNK_DONE && c->reason == NULL);
	size_t from = 0, to_at = 0;
	bool good = true;
	while (good && from < len && c->state != CHUNK_DONE) {
		if (c->state != CHUNK_DATA) {
			good = on_byte(c, data[from++]);
			continue;
		}
		size_t piece = c->left < len - from ? (size_t)c->left : len - from;
		if (from != to_at) memmove(data + to_at, data + from, piece);
		from += piece;
		to_at += piece;
		c->left -= piece;
		if (c->left == 0) to(c, CHUNK_DATA_CR);
	}
	assert(to_at <= from && from <= len);
	*body = to_at;
	*used = from;
	if (!good) return HTTP_BAD;
	return c->state == CHUNK_DONE ? HTTP_COMPLETE : HTTP_MORE;
}
