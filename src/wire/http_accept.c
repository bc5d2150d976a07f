/* http_accept.c - see http_accept.h. A q is counted in thousandths. Of several ranges that match a
 * type the most specific decides; what is not a media range is passed over. */
#include "wire/http_accept.h"

#include "base/panic.h"
#include "wire/http_text.h"

#define Q_ONE 1000

enum match { MATCH_NONE, MATCH_ALL, MATCH_MAIN, MATCH_EXACT };

/* "0.5", "1", ".2"; what is no number is 1. */
static int read_q(struct bytes text)
{
	int q = 0, unit = Q_ONE;
	bool point = false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (c == '.' && !point) {
			point = true;
		} else if (http_text_is_digit(c)) {
			if (point) unit /= 10;
			q += (c - '0') * unit;
			if (q > Q_ONE) return Q_ONE;
		} else {
			return Q_ONE;
		}
	}
	return text.len == 0 ? Q_ONE : q;
}

/* The q among the parameters of a range. */
static int q_of(struct bytes params)
{
	while (params.data != NULL) {
		struct bytes param = http_text_split(&params, ';');
		if (param.len >= 2 && http_text_lower(param.data[0]) == 'q' && param.data[1] == '=')
			return read_q((struct bytes){param.data + 2, param.len - 2});
	}
	return Q_ONE;
}

static struct bytes main_of(struct bytes media)
{
	const uint8_t *slash = media.len == 0 ? NULL : memchr(media.data, '/', media.len);
	return slash == NULL ? media : (struct bytes){media.data, (size_t)(slash - media.data)};
}

static enum match match_of(struct bytes range, struct bytes media)
{
	if (bytes_equal(range, BYTES("*/*")) || bytes_equal(range, BYTES("*"))) return MATCH_ALL;
	if (http_text_same(range, media)) return MATCH_EXACT;
	bool wild = range.len >= 2 && memcmp(range.data + range.len - 2, "/*", 2) == 0;
	return wild && http_text_same(main_of(range), main_of(media)) ? MATCH_MAIN : MATCH_NONE;
}

/* The q that `accept` gives to a media type; *how: by what kind of range. */
static int quality(struct bytes accept, struct bytes media, enum match *how)
{
	int q = 0;
	*how = MATCH_NONE;
	while (accept.data != NULL) {
		struct bytes params = http_text_split(&accept, ',');
		if (params.len == 0) continue;
		struct bytes range = http_text_split(&params, ';');
		enum match match = match_of(range, media);
		if (match <= *how) continue;
		*how = match;
		q = q_of(params);
	}
	assert(q >= 0 && q <= Q_ONE);
	return q;
}

static bool names_json_first(struct bytes accept)
{
	struct bytes first = http_text_split(&accept, ',');
	struct bytes range = first.len == 0 ? first : http_text_split(&first, ';');
	return http_text_same(range, BYTES("application/json")) && (first.len == 0 || q_of(first) > 0);
}

bool http_accept_prefers_json(struct bytes accept)
{
	enum match json_by, html_by;
	if (accept.len == 0) return false;
	int json = quality(accept, BYTES("application/json"), &json_by);
	int html = quality(accept, BYTES("text/html"), &html_by);
	if (json_by < MATCH_MAIN || json == 0) return false;
	return html_by < MATCH_MAIN || json > html || (json == html && names_json_first(accept));
}

enum http_accept_choice http_accept_siblings(struct bytes accept)
{
	if (accept.len == 0) return HTTP_ACCEPT_TEXT;
	enum match multipart_by, text_by;
	int multipart = quality(accept, BYTES("multipart/mixed"), &multipart_by);
	int text = quality(accept, BYTES("text/plain"), &text_by);
	if (multipart_by < MATCH_MAIN && names_json_first(accept)) return HTTP_ACCEPT_JSON;
	if (multipart_by >= MATCH_MAIN && multipart > 0 && multipart >= text)
		return HTTP_ACCEPT_MULTIPART;
	if (text > 0) return HTTP_ACCEPT_TEXT;
	return multipart > 0 ? HTTP_ACCEPT_MULTIPART : HTTP_ACCEPT_NONE;
}

struct bytes http_accept_media(struct bytes content_type)
{
	return content_type.len == 0 ? content_type : http_text_split(&content_type, ';');
}

bool http_accept_type(struct bytes accept, struct bytes content_type)
{
	enum match how;
	return accept.len == 0 || quality(accept, http_accept_media(content_type), &how) > 0;
}
