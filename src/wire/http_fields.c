/* http_fields.c - see http_fields.h. Links are kept decoded, in the order sent, and user fields
 * sorted by name without regard to case, the last of several of one name: so two writes that say
 * the same have the same bytes.
 *
 *   Link: </riak/B/K>; riaktag="T", </buckets/B/keys/K>; riaktag="T", </buckets/B>; rel="up" */
#include "wire/http_fields.h"

#include "wire/http_text.h"
#include "wire/meta.h"

#define META_PREFIX_LEN (sizeof("X-Riak-Meta-") - 1)

struct bytes http_fields_join(const struct http_request *r, enum http_name id,
                              struct http_scratch *scratch)
{
	if (!http_header_repeated(r, id)) return http_header(r, id, NULL);
	size_t len = 0;
	for (uint32_t i = r->first[id]; i < r->header_count; i++) {
		if (r->headers[i].id == id) len += r->headers[i].value.len + 2;
	}
	uint8_t *to = http_scratch_room(scratch, len);
	for (uint32_t i = r->first[id]; i < r->header_count; i++) {
		struct bytes value = r->headers[i].value;
		if (r->headers[i].id != id) continue;
		if (value.len > 0) memcpy(to, value.data, value.len);
		memcpy(to + value.len, ", ", 2);
		to += value.len + 2;
	}
	assert(len >= 2);
	return http_scratch_take(scratch, len - 2);
}

/* ---- links ------------------------------------------------------------------------------- */

struct link {
	struct bytes names[2]; /* bucket, and key unless it is a parent; still encoded */
	uint32_t name_count;
	struct bytes relation; /* "riaktag" or "rel" */
	struct bytes tag;
};

/* "/riak/B", "/riak/B/K", "/buckets/B", "/buckets/B/keys/K": the names in it. */
static bool read_link_path(struct bytes path, struct link *out)
{
	struct bytes segments[5];
	uint32_t count = 0;
	while (path.data != NULL && count < 5) segments[count++] = http_text_split(&path, '/');
	if (path.data != NULL || count < 3 || segments[0].len != 0) return false;
	bool v1 = bytes_equal(segments[1], BYTES("riak"));
	bool v2 = bytes_equal(segments[1], BYTES("buckets"));
	bool keys = count == 5 && bytes_equal(segments[3], BYTES("keys"));
	out->names[0] = segments[2];
	out->names[1] = v1 && count == 4 ? segments[3] : segments[count - 1];
	out->name_count = count == 3 ? 1 : 2;
	if (out->names[0].len == 0 || out->names[1].len == 0) return false;
	return ((v1 || v2) && count == 3) || (v1 && count == 4) || (v2 && keys);
}

/* `<path>; relation="tag"`. */
static bool read_link(struct bytes text, struct link *out)
{
	const uint8_t *close = text.len == 0 ? NULL : memchr(text.data, '>', text.len);
	if (close == NULL || text.data[0] != '<') return false;
	struct bytes path = {text.data + 1, (size_t)(close - text.data) - 1};
	struct bytes rest = {close + 1, text.len - path.len - 2};
	if (!read_link_path(path, out)) return false;
	rest = http_text_trim(rest);
	if (rest.len == 0 || rest.data[0] != ';') return false;
	rest = http_text_trim((struct bytes){rest.data + 1, rest.len - 1});
	const uint8_t *equals = rest.len == 0 ? NULL : memchr(rest.data, '=', rest.len);
	if (equals == NULL) return false;
	out->relation = (struct bytes){rest.data, (size_t)(equals - rest.data)};
	out->tag = (struct bytes){equals + 1, rest.len - out->relation.len - 1};
	if (out->tag.len < 2 || out->tag.data[0] != '"' || out->tag.data[out->tag.len - 1] != '"')
		return false;
	out->tag = (struct bytes){out->tag.data + 1, out->tag.len - 2};
	return memchr(out->tag.data, '"', out->tag.len) == NULL;
}

/* Decode to *room, which moves on. All that one link decodes to is shorter than its line. */
static bool decode(struct bytes from, uint8_t **room, struct bytes *out)
{
	size_t len = 0;
	if (!http_target_decode(from, *room, &len)) return false;
	*out = (struct bytes){*room, len};
	*room += len;
	return true;
}

/* One member of a Link field. p is NULL while links are only counted. */
static bool take_link(struct bytes text, const struct http_target *t, uint8_t *room,
                      struct packer *p, uint32_t *count)
{
	struct link link;
	struct bytes bucket, key, tag;
	if (!read_link(text, &link) || !decode(link.names[0], &room, &bucket)) return false;
	/* The parent, which every answer names anyway. */
	if (link.name_count == 1)
		return bytes_equal(link.relation, BYTES("rel")) && bytes_equal(link.tag, BYTES("up")) &&
		       bytes_equal(bucket, t->bucket);
	if (!bytes_equal(link.relation, BYTES("riaktag"))) return false;
	if (!decode(link.names[1], &room, &key) || !decode(link.tag, &room, &tag)) return false;
	if (p != NULL) meta_pack_link(p, bucket, key, tag);
	++*count;
	return true;
}

/* A comma inside <> is part of a name. */
static struct bytes next_member(struct bytes *rest)
{
	size_t i = 0;
	bool quoted = false, pointed = false;
	for (; i < rest->len && (quoted || pointed || rest->data[i] != ','); i++) {
		uint8_t c = rest->data[i];
		if (c == '"' && !pointed) quoted = !quoted;
		if (!quoted) pointed = c == '<' || (pointed && c != '>');
	}
	struct bytes member = http_text_trim((struct bytes){rest->data, i});
	*rest = i < rest->len ? (struct bytes){rest->data + i + 1, rest->len - i - 1} : BYTES_EMPTY;
	return member;
}

static bool take_links(const struct http_request *r, const struct http_target *t, uint8_t *room,
                       struct packer *p, uint32_t *count)
{
	*count = 0;
	for (uint32_t i = r->first[HTTP_NAME_LINK]; i < r->header_count; i++) {
		struct bytes rest = r->headers[i].value;
		if (r->headers[i].id != HTTP_NAME_LINK) continue;
		while (rest.data != NULL) {
			struct bytes member = next_member(&rest);
			if (member.len > 0 && !take_link(member, t, room, p, count)) return false;
		}
	}
	return true;
}

/* ---- user fields ------------------------------------------------------------------------- */

struct users {
	uint32_t count;
	const struct http_header *list[HTTP_HEADERS_MAX];
};

static struct bytes user_name(const struct http_header *h)
{
	assert(h->id == HTTP_NAME_META && h->name.len > META_PREFIX_LEN);
	return (struct bytes){h->name.data + META_PREFIX_LEN, h->name.len - META_PREFIX_LEN};
}

/* Into its place; one of the same name gives way. */
static void insert_user(struct users *u, const struct http_header *h)
{
	uint32_t low = 0, high = u->count;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order = http_text_compare(user_name(h), user_name(u->list[middle]));
		if (order == 0) {
			u->list[middle] = h;
			return;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	memmove(&u->list[low + 1], &u->list[low], (u->count - low) * sizeof(u->list[0]));
	u->list[low] = h;
	u->count++;
	assert(u->count <= HTTP_HEADERS_MAX);
}

static void pack_users(const struct http_request *r, struct packer *p)
{
	struct users u;
	u.count = 0;
	for (uint32_t i = r->first[HTTP_NAME_META]; i < r->header_count; i++) {
		if (r->headers[i].id == HTTP_NAME_META) insert_user(&u, &r->headers[i]);
	}
	meta_pack_users(p, u.count);
	for (uint32_t i = 0; i < u.count; i++)
		meta_pack_user(p, user_name(u.list[i]), u.list[i]->value);
}

/* ---- all of them ------------------------------------------------------------------------- */

bool http_fields_pack(const struct http_request *r, const struct http_target *t,
                      struct http_scratch *scratch, struct bytes *meta, struct http_failure *why)
{
	uint8_t *room = http_scratch_room(scratch, HTTP_LINE_BYTES_MAX);
	http_scratch_take(scratch, HTTP_LINE_BYTES_MAX);
	uint32_t link_count = 0;
	if (!take_links(r, t, room, NULL, &link_count))
		return http_failure_set(
			why, 400,
			"a Link must be </buckets/B/keys/K>; riaktag=\"T\" or "
			"</riak/B/K>; riaktag=\"T\", or name its own bucket with rel=\"up\"");
	/* A term that nobody keeps would be missed only when it is looked for. */
	if (r->first[HTTP_NAME_INDEX] != HTTP_HEADERS_MAX)
		return http_failure_set(why, 400,
		                        "there are no secondary indexes here yet: send no "
		                        "X-Riak-Index-* field");
	struct bytes encoding = http_fields_join(r, HTTP_NAME_CONTENT_ENCODING, scratch);
	struct packer p = {http_scratch_room(scratch, META_BYTES_MAX), META_BYTES_MAX, 0};
	meta_pack_open(&p, http_header(r, HTTP_NAME_CONTENT_TYPE, NULL), encoding);
	meta_pack_links(&p, link_count);
	take_links(r, t, room, &p, &link_count);
	pack_users(r, &p);
	meta_pack_close(&p);
	if (!pack_fits(&p)) return http_failure_set(why, 431, "the stored header fields are too long");
	*meta = http_scratch_take(scratch, p.len);
	return true;
}
