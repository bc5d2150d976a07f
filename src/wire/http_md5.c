/* http_md5.c - see http_md5.h. */
#include "wire/http_md5.h"

#include <sodium.h>
#include <string.h>

#include "wire/md5.h"

bool http_md5_check(const struct http_request *r, struct bytes body, struct http_failure *why)
{
	bool found;
	struct bytes text = http_header(r, HTTP_NAME_CONTENT_MD5, &found);
	if (!found) return true;
	uint8_t given[MD5_BYTES], digest[MD5_BYTES];
	size_t len = 0;
	bool good = sodium_base642bin(given, sizeof(given), (const char *)text.data, text.len, NULL,
	                              &len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
	md5(body, digest);
	if (good && len == MD5_BYTES && memcmp(given, digest, MD5_BYTES) == 0) return true;
	return http_failure_set(why, 400, "Content-MD5 is not the MD5 of the body in base64");
}
