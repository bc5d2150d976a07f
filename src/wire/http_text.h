/* http_text.h - the letters of HTTP (RFC 9110, section 5.6): classes of bytes, and comparisons that
 * do not see case. Locale has no say. */
#ifndef DUNLIN_WIRE_HTTP_TEXT_H
#define DUNLIN_WIRE_HTTP_TEXT_H

#include "base/bytes.h"

static inline uint8_t http_text_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static inline bool http_text_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Space or tab: white space within a line. */
static inline bool http_text_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* 0 to 15, or -1. */
static inline int http_text_hex(uint8_t c)
{
	if (http_text_is_digit(c)) return c - '0';
	c = http_text_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* May stand in a method or a field name ("tchar"). */
bool http_text_is_token(uint8_t c);
/* May stand in a field value: no control bytes but tab. Bytes from 0x80 up are let through. */
static inline bool http_text_is_value(uint8_t c)
{
	return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* Every byte is one that may stand in a field value. */
bool http_text_all_value(struct bytes b);
/* Equal but for the case of ASCII letters. */
bool http_text_same(struct bytes a, struct bytes b);
/* Like memcmp, but for the case of ASCII letters; a prefix sorts first. */
int http_text_compare(struct bytes a, struct bytes b);
/* Without blanks at both ends. */
struct bytes http_text_trim(struct bytes b);
/* Cut *rest at the first `separator` outside double quotes: the piece before it, trimmed; *rest
 * goes on behind it, and is {NULL, 0} after the last piece. Call until rest->data is NULL. */
struct bytes http_text_split(struct bytes *rest, uint8_t separator);

#endif
