/* http_out.c - see http_out.h. */
#include "wire/http_out.h"

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/http_text.h"

void http_out_bytes(struct http_out *o, struct bytes b)
{
	if (b.len > 0 && o->len <= o->capacity && b.len <= o->capacity - o->len)
		memcpy(o->data + o->len, b.data, b.len);
	o->len += b.len;
}

void http_out_string(struct http_out *o, const char *s)
{
	http_out_bytes(o, bytes_of_string(s));
}

/* At least `width` digits. */
static void number(struct http_out *o, uint64_t v, int width)
{
	char text[20];
	int at = (int)sizeof(text);
	while (v > 0 || (int)sizeof(text) - at < width) {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	}
	http_out_bytes(o, bytes_of(text + at, sizeof(text) - (size_t)at));
}

void http_out_uint(struct http_out *o, uint64_t v)
{
	number(o, v, 1);
}

struct civil {
	uint64_t year;
	unsigned month, day; /* from 1 */
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar, counted in eras of 400 years that
 * begin on 1 March (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static struct civil civil_of_days(uint64_t days)
{
	uint64_t z = days + 719468;
	uint64_t era = z / 146097, day_of_era = z % 146097;
	uint64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t shifted = (5 * day_of_year + 2) / 153; /* 0: March */
	struct civil c = {.day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1),
	                  .month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9)};
	c.year = year_of_era + era * 400 + (c.month <= 2);
	assert(c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= 31);
	return c;
}

void http_out_date(struct http_out *o, uint64_t unix_s)
{
	static const char weekdays[] = "Thu, Fri, Sat, Sun, Mon, Tue, Wed, ";
	static const char months[] = " Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
	const uint64_t last = 253402300799; /* 9999-12-31 23:59:59: the format has four digits */
	if (unix_s > last) unix_s = last;
	uint64_t days = unix_s / 86400, second = unix_s % 86400;
	struct civil c = civil_of_days(days);
	http_out_bytes(o, bytes_of(weekdays + days % 7 * 5, 5));
	number(o, c.day, 2);
	http_out_bytes(o, bytes_of(months + ((size_t)c.month - 1) * 4, 5));
	number(o, c.year, 4);
	http_out_string(o, " ");
	number(o, second / 3600, 2);
	http_out_string(o, ":");
	number(o, second / 60 % 60, 2);
	http_out_string(o, ":");
	number(o, second % 60, 2);
	http_out_string(o, " GMT");
}

static bool is_unreserved(uint8_t c)
{
	uint8_t lower = http_text_lower(c);
	return (lower >= 'a' && lower <= 'z') || http_text_is_digit(c) || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

void http_out_escaped(struct http_out *o, struct bytes b)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.data[i];
		char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
		http_out_bytes(o, is_unreserved(c) ? bytes_of(&b.data[i], 1) : bytes_of(escape, 3));
	}
}

void http_out_base64(struct http_out *o, struct bytes b)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < b.len; i += 3) {
		size_t n = b.len - i < 3 ? b.len - i : 3;
		uint32_t v = 0;
		for (size_t k = 0; k < 3; k++) v = v << 8 | (k < n ? b.data[i + k] : 0);
		char text[4];
		for (size_t k = 0; k < 4; k++) {
			text[k] = '=';
			if (k <= n) text[k] = digits[v >> (18 - 6 * k) & 63];
		}
		http_out_bytes(o, bytes_of(text, 4));
	}
}
