/* http_text.c - see http_text.h. */
#include "wire/http_text.h"

#include "base/panic.h"

bool http_text_is_token(uint8_t c)
{
	/* One bit for each of RFC 9110's tchar, 32 bytes a word. */
	static const uint32_t token[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
	return token[c >> 5] >> (c & 31) & 1;
}

bool http_text_all_value(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		if (!http_text_is_value(b.data[i])) return false;
	}
	return true;
}

bool http_text_same(struct bytes a, struct bytes b)
{
	return a.len == b.len && http_text_compare(a, b) == 0;
}

int http_text_compare(struct bytes a, struct bytes b)
{
	for (size_t i = 0; i < a.len && i < b.len; i++) {
		int order = http_text_lower(a.data[i]) - http_text_lower(b.data[i]);
		if (order != 0) return order;
	}
	return a.len < b.len ? -1 : a.len > b.len;
}

struct bytes http_text_trim(struct bytes b)
{
	while (b.len > 0 && http_text_is_blank(b.data[0])) {
		b.data++;
		b.len--;
	}
	while (b.len > 0 && http_text_is_blank(b.data[b.len - 1])) b.len--;
	return b;
}

struct bytes http_text_split(struct bytes *rest, uint8_t separator)
{
	assert(rest->data != NULL);
	bool quoted = false;
	size_t i = 0;
	for (; i < rest->len && (quoted || rest->data[i] != separator); i++) {
		if (rest->data[i] == '"') quoted = !quoted;
		if (quoted && rest->data[i] == '\\' && i + 1 < rest->len) i++;
	}
	struct bytes piece = http_text_trim((struct bytes){rest->data, i});
	*rest = i < rest->len ? (struct bytes){rest->data + i + 1, rest->len - i - 1} : BYTES_EMPTY;
	return piece;
}
