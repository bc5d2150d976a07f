/* meta.h - the stored header fields of one sibling as one opaque blob. The core only compares it,
 * so equal fields must give equal bytes: callers pass user fields sorted and without doubles.
 *
 *   [1, content type, content encoding or nil, [bucket, key, tag, ...], [name, value, ...], []]
 *
 * with one array of links and one of user fields, both flat; the last is for index terms. msgpack
 * as base/cursor.h writes it. An empty blob (a tombstone's) has no fields. */
#ifndef DUNLIN_WIRE_META_H
#define DUNLIN_WIRE_META_H

#include "base/cursor.h"

/* ---- writing: these five, in this order ---------------------------------------------------- */

/* An empty content_encoding is none. */
void meta_pack_open(struct packer *p, struct bytes content_type, struct bytes content_encoding);
/* Then `count` times meta_pack_link. */
void meta_pack_links(struct packer *p, uint32_t count);
void meta_pack_link(struct packer *p, struct bytes bucket, struct bytes key, struct bytes tag);
/* Then `count` times meta_pack_user. */
void meta_pack_users(struct packer *p, uint32_t count);
void meta_pack_user(struct packer *p, struct bytes name, struct bytes value);
void meta_pack_close(struct packer *p);

/* ---- reading ----------------------------------------------------------------------------- */

struct meta {
	struct bytes content_type;     /* "application/octet-stream" where the blob has none */
	struct bytes content_encoding; /* empty: none */
	uint32_t link_count, user_count;
	struct cursor links, users; /* for meta_next_ */
};

struct meta_link {
	struct bytes bucket, key, tag;
};

struct meta_user {
	struct bytes name, value;
};

/* Checks all of it, also that no field holds what could end a header line. False: malformed, and
 * *out is as of an empty blob. */
bool meta_read(struct bytes blob, struct meta *out);
/* The next one; false when there are no more. */
bool meta_next_link(struct meta *m, struct meta_link *out);
bool meta_next_user(struct meta *m, struct meta_user *out);

#endif
