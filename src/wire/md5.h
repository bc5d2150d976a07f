/* md5.h - MD5 (RFC 1321), for the Content-MD5 header field and nothing else: it says that a body
 * arrived as it was sent, not that nobody forged it. */
#ifndef DUNLIN_WIRE_MD5_H
#define DUNLIN_WIRE_MD5_H

#include "dunlin/types.h"

#define MD5_BYTES 16

void md5(struct bytes data, uint8_t digest[MD5_BYTES]);

#endif
