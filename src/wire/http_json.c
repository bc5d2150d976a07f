/* http_json.c - see http_json.h. */
#include "wire/http_json.h"

#include "base/bytes.h"
#include "base/panic.h"

/* Bytes of the sequence that begins here; 0: none does. Overlong forms, surrogates and what is past
 * U+10FFFF are none. */
static size_t sequence(const uint8_t *at, size_t left)
{
	uint8_t c = at[0];
	size_t len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
	if (c >= 0x80 && (c < 0xc2 || c > 0xf4)) return 0;
	if (len > left) return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80) return 0;
	if ((c == 0xe0 && at[1] < 0xa0) || (c == 0xed && at[1] > 0x9f)) return 0;
	if ((c == 0xf0 && at[1] < 0x90) || (c == 0xf4 && at[1] > 0x8f)) return 0;
	return len;
}

bool http_json_is_text(struct bytes text)
{
	for (size_t i = 0; i < text.len;) {
		size_t len = sequence(text.data + i, text.len - i);
		if (len == 0) return false;
		i += len;
	}
	return true;
}

static void put_escape(struct http_out *o, uint8_t c)
{
	static const char hex[] = "0123456789abcdef", letters[] = "b\bf\fn\nr\rt\t\"\"\\\\";
	char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	for (size_t i = 0; letters[i] != '\0'; i += 2) {
		if ((uint8_t)letters[i + 1] != c) continue;
		escape[1] = letters[i];
		http_out_bytes(o, bytes_of(escape, 2));
		return;
	}
	http_out_bytes(o, bytes_of(escape, 6));
}

void http_json_string(struct http_out *o, struct bytes text)
{
	size_t from = 0;
	http_out_string(o, "\"");
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
		http_out_bytes(o, bytes_of(text.data + from, i - from));
		put_escape(o, c);
		from = i + 1;
	}
	if (from < text.len) http_out_bytes(o, bytes_of(text.data + from, text.len - from));
	http_out_string(o, "\"");
}

void http_json_any(struct http_out *o, struct bytes bytes)
{
	if (http_json_is_text(bytes)) {
		http_json_string(o, bytes);
		return;
	}
	http_out_string(o, "\"");
	http_out_escaped(o, bytes);
	http_out_string(o, "\"");
}
