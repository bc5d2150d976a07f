/* http_conditions.c - see http_conditions.h. */
#include "wire/http_conditions.h"

#include <sodium.h>

#include "base/etag.h"
#include "wire/http_fields.h"
#include "wire/http_text.h"
#include "wire/vtag.h"

/* ---- ETags ------------------------------------------------------------------------------- */

static struct bytes bare(struct bytes tag)
{
	if (tag.len > 2 && (tag.data[0] | 0x20) == 'w' && tag.data[1] == '/')
		tag = (struct bytes){tag.data + 2, tag.len - 2};
	if (tag.len >= 2 && tag.data[0] == '"' && tag.data[tag.len - 1] == '"')
		tag = (struct bytes){tag.data + 1, tag.len - 2};
	return tag;
}

/* *any: it says "*". */
static bool read_tags(const struct http_request *r, enum http_name id, struct http_scratch *scratch,
                      struct bytes *out, bool *any, struct http_failure *why)
{
	struct bytes text = http_fields_join(r, id, scratch);
	size_t most = CONDITION_TAGS_MAX * ETAG_BYTES, len = 0;
	uint8_t *to = http_scratch_room(scratch, most);
	*any = false;
	while (text.data != NULL) {
		struct bytes tag = http_text_split(&text, ',');
		struct dot dot;
		if (bytes_equal(tag, BYTES("*"))) *any = true;
		if (!vtag_read(bare(tag), &dot)) continue;
		if (len == most)
			return http_failure_set(why, 400, "a condition names at most %d ETags",
			                        CONDITION_TAGS_MAX);
		put_u64be(to + len, dot.actor.v);
		put_u64be(to + len + 8, dot.at.v);
		len += ETAG_BYTES;
	}
	*out = http_scratch_take(scratch, len);
	return true;
}

/* ---- dates ------------------------------------------------------------------------------- */

/* The next run of digits; false: there is none. */
static bool number(struct bytes *rest, unsigned *out)
{
	size_t i = 0, digits = 0;
	while (i < rest->len && !http_text_is_digit(rest->data[i])) i++;
	*out = 0;
	for (; i < rest->len && http_text_is_digit(rest->data[i]) && digits < 5; i++, digits++)
		*out = *out * 10 + (unsigned)(rest->data[i] - '0');
	*rest = (struct bytes){rest->data + i, rest->len - i};
	return digits > 0;
}

/* The name of a month anywhere in it: 1 to 12, or 0. */
static unsigned month(struct bytes text)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	for (size_t i = 0; i + 3 <= text.len; i++)
		for (unsigned m = 0; m < 12; m++)
			if (memcmp(text.data + i, names + (size_t)3 * m, 3) == 0) return m + 1;
	return 0;
}

/* Days from 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_of(int64_t year, unsigned m, unsigned day)
{
	year -= m <= 2;
	int64_t era = year / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (int64_t)(m > 2 ? m - 3 : m + 9) + 2) / 5 + (int64_t)day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/*   Sun, 06 Nov 1994 08:49:37 GMT     Sunday, 06-Nov-94 08:49:37 GMT     Sun Nov  6 08:49:37 1994 */
bool http_date_read(struct bytes text, uint64_t *unix_s)
{
	unsigned day, h, min, s, year, m;
	if (text.len < 24 || text.len > 40 || (m = month(text)) == 0) return false;
	bool asctime = text.data[3] == ' ';
	struct bytes rest = text;
	if (!number(&rest, &day)) return false;
	if (!asctime && !number(&rest, &year)) return false;
	if (!number(&rest, &h) || !number(&rest, &min) || !number(&rest, &s)) return false;
	if (asctime && !number(&rest, &year)) return false;
	if (year < 70) year += 2000;
	if (year < 100) year += 1900;
	if (year < 1970 || year > 9999 || day < 1 || day > 31 || h > 23 || min > 59 || s > 60)
		return false;
	*unix_s = (uint64_t)days_of(year, m, day) * 86400 + h * 3600 + min * 60 + s;
	return true;
}

/* ---- all of them -------------------------------------------------------------------------- */

static bool stores(const struct http_request *r)
{
	return r->method == HTTP_PUT || r->method == HTTP_POST;
}

static bool read_context(const struct http_request *r, struct http_scratch *scratch,
                         struct conditions *out, struct http_failure *why)
{
	bool found;
	struct bytes text = http_header(r, HTTP_NAME_IF_CONTEXT, &found);
	if (!found || !stores(r)) return true;
	uint8_t *to = http_scratch_room(scratch, CONTEXT_BYTES_MAX);
	size_t len = 0;
	if (text.len == 0 || http_header_repeated(r, HTTP_NAME_IF_CONTEXT) ||
	    sodium_base642bin(to, CONTEXT_BYTES_MAX, (const char *)text.data, text.len, NULL, &len,
	                      NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return http_failure_set(why, 400, "X-Riak-If-Not-Modified must be one context in base64");
	out->context = http_scratch_take(scratch, len);
	out->what |= IF_CONTEXT;
	return true;
}

bool http_conditions_read(const struct http_request *r, struct http_scratch *scratch,
                          struct conditions *out, struct http_failure *why)
{
	bool match, none, date, any;
	*out = (struct conditions){0};
	http_header(r, HTTP_NAME_IF_MATCH, &match);
	http_header(r, HTTP_NAME_IF_NONE_MATCH, &none);
	struct bytes text = http_header(r, HTTP_NAME_IF_UNMODIFIED, &date);
	if (match) {
		if (!read_tags(r, HTTP_NAME_IF_MATCH, scratch, &out->match, &any, why)) return false;
		out->what |= any ? IF_MATCH_ANY : IF_MATCH_TAG;
	}
	/* RFC 9110, section 13.1.4: If-Match is the better of the two. */
	if (date && !match && http_date_read(text, &out->unmodified_s)) out->what |= IF_UNMODIFIED;
	if (none) {
		if (!read_tags(r, HTTP_NAME_IF_NONE_MATCH, scratch, &out->none_match, &any, why))
			return false;
		out->what |= any ? IF_NONE_MATCH_ANY : IF_NONE_MATCH_TAG;
	}
	return read_context(r, scratch, out, why);
}

bool http_conditions_modified(const struct http_request *r, uint64_t *unix_s)
{
	bool none, date;
	http_header(r, HTTP_NAME_IF_NONE_MATCH, &none);
	struct bytes text = http_header(r, HTTP_NAME_IF_MODIFIED, &date);
	return date && !none && http_date_read(text, unix_s);
}
