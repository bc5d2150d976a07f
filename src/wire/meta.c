/* meta.c - see meta.h, where the bytes are drawn. */
#include "wire/meta.h"

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/http_text.h"

#define VERSION 1
#define FIELDS 6

void meta_pack_open(struct packer *p, struct bytes content_type, struct bytes content_encoding)
{
	assert(http_text_all_value(content_type) && http_text_all_value(content_encoding));
	pack_array(p, FIELDS);
	pack_uint(p, VERSION);
	pack_bin(p, content_type);
	if (content_encoding.len > 0)
		pack_bin(p, content_encoding);
	else
		pack_nil(p);
}

void meta_pack_links(struct packer *p, uint32_t count)
{
	assert(count <= META_BYTES_MAX);
	pack_array(p, 3 * count);
}

void meta_pack_link(struct packer *p, struct bytes bucket, struct bytes key, struct bytes tag)
{
	pack_bin(p, bucket);
	pack_bin(p, key);
	pack_bin(p, tag);
}

void meta_pack_users(struct packer *p, uint32_t count)
{
	assert(count <= HTTP_HEADERS_MAX);
	pack_array(p, 2 * count);
}

void meta_pack_user(struct packer *p, struct bytes name, struct bytes value)
{
	assert(name.len > 0 && http_text_all_value(name) && http_text_all_value(value));
	pack_bin(p, name);
	pack_bin(p, value);
}

void meta_pack_close(struct packer *p)
{
	pack_array(p, 0);
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Text that will stand in a header line. */
static struct bytes read_text(struct cursor *c)
{
	struct bytes b = cursor_bin(c, META_BYTES_MAX);
	if (!http_text_all_value(b)) c->bad = true;
	return b;
}

/* Links are percent-encoded when they are written, so their bytes are free. */
static uint32_t read_links(struct cursor *c, struct cursor *from)
{
	uint32_t count = cursor_array(c, META_BYTES_MAX);
	*from = *c;
	for (uint32_t i = 0; i < count && !c->bad; i++) cursor_bin(c, META_BYTES_MAX);
	if (count % 3 != 0) c->bad = true;
	return count / 3;
}

static bool is_field_name(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!http_text_is_token(name.data[i])) return false;
	}
	return name.len > 0;
}

static uint32_t read_users(struct cursor *c, struct cursor *from)
{
	uint32_t count = cursor_array(c, META_BYTES_MAX);
	*from = *c;
	for (uint32_t i = 0; i < count && !c->bad; i++) {
		struct bytes text = read_text(c);
		if (i % 2 == 0 && !is_field_name(text)) c->bad = true;
	}
	if (count % 2 != 0) c->bad = true;
	return count / 2;
}

static void read_all(struct cursor *c, struct meta *out)
{
	cursor_array_exact(c, FIELDS);
	if (cursor_uint(c, VERSION) != VERSION) c->bad = true;
	struct bytes content_type = read_text(c);
	if (content_type.len > 0) out->content_type = content_type;
	if (!cursor_nil(c)) out->content_encoding = read_text(c);
	out->link_count = read_links(c, &out->links);
	out->user_count = read_users(c, &out->users);
	cursor_array_exact(c, 0);
}

bool meta_read(struct bytes blob, struct meta *out)
{
	*out = (struct meta){.content_type = BYTES("application/octet-stream")};
	if (blob.len == 0) return true;
	struct meta m = *out;
	struct cursor c = cursor_of(blob);
	read_all(&c, &m);
	if (!cursor_finished(&c)) return false;
	*out = m;
	return true;
}

bool meta_next_link(struct meta *m, struct meta_link *out)
{
	if (m->link_count == 0) return false;
	m->link_count--;
	out->bucket = cursor_bin(&m->links, META_BYTES_MAX);
	out->key = cursor_bin(&m->links, META_BYTES_MAX);
	out->tag = cursor_bin(&m->links, META_BYTES_MAX);
	assert(!m->links.bad);
	return true;
}

bool meta_next_user(struct meta *m, struct meta_user *out)
{
	if (m->user_count == 0) return false;
	m->user_count--;
	out->name = cursor_bin(&m->users, META_BYTES_MAX);
	out->value = cursor_bin(&m->users, META_BYTES_MAX);
	assert(!m->users.bad);
	return true;
}
