/* http_site.c - see http_site.h. What cannot be read is another site. */
#include "wire/http_site.h"

#include "base/bytes.h"
#include "wire/http_text.h"

#define SCHEME BYTES("http://")

/* Up to the first of the two bytes, or all of it. */
static struct bytes up_to(struct bytes text, uint8_t one, uint8_t other)
{
	size_t len = 0;
	while (len < text.len && text.data[len] != one && text.data[len] != other) len++;
	return bytes_of(text.data, len);
}

/* "host", of "host:port" or "[::1]:port". */
static struct bytes host_of(struct bytes authority)
{
	if (authority.len == 0 || authority.data[0] != '[') return up_to(authority, ':', ':');
	return up_to(authority, ']', ']');
}

static bool names_host(struct bytes url, struct bytes host)
{
	struct bytes head = bytes_of(url.data, url.len < SCHEME.len ? url.len : SCHEME.len);
	if (!http_text_same(head, SCHEME)) return false;
	struct bytes rest = bytes_of(url.data + SCHEME.len, url.len - SCHEME.len);
	struct bytes authority = up_to(up_to(rest, '/', '?'), '#', '#');
	return http_text_same(host_of(authority), host);
}

bool http_site_is_same(const struct http_request *r)
{
	bool has_origin, has_referer, has_host;
	struct bytes origin = http_header(r, HTTP_NAME_ORIGIN, &has_origin);
	struct bytes referer = http_header(r, HTTP_NAME_REFERER, &has_referer);
	struct bytes host = host_of(http_header(r, HTTP_NAME_HOST, &has_host));
	if (r->method != HTTP_PUT && r->method != HTTP_POST && r->method != HTTP_DELETE) return true;
	if (!has_origin && !has_referer) return true;
	if (!has_host || host.len == 0) return false;
	return (!has_origin || names_host(origin, host)) && (!has_referer || names_host(referer, host));
}
