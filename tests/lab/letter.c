/* letter.c - see letter.h. */
#include "tests/lab/letter.h"

enum { HEAD_FIELDS = 4, ANY = 0xffffff };

void letter_open(struct lab *l, struct letter *o, uint16_t from, enum letter_type type, uint64_t id,
                 uint32_t fields)
{
	*o = (struct letter){.p = {.to = l->scratch, .capacity = LAB_SCRATCH_BYTES}};
	pack_array(&o->p, HEAD_FIELDS + fields);
	pack_uint(&o->p, type);
	pack_uint(&o->p, id);
	pack_uint(&o->p, 1);
	pack_uint(&o->p, lab_hlc(l, from).v);
	o->envelope = o->p.len;
}

void letter_send(struct lab *l, struct letter *o, uint16_t from, uint16_t to)
{
	assert(pack_fits(&o->p));
	lab_send(l, from, to, SENT_POLICY, bytes_of(o->p.to, o->p.len), o->envelope, o->records);
}

/* How many of these keys fill one letter; at least one. */
static uint32_t fill(const struct lab *l, uint16_t from, const uint32_t *key, uint32_t count)
{
	size_t bytes = 0;
	uint32_t n = 0;
	while (n < count && (n == 0 || bytes < LETTER_RECORDS_BYTES))
		bytes += LAB_KEY_BYTES + lab_held(l, from, key[n++]).len;
	return n;
}

uint32_t letter_records(struct lab *l, uint16_t from, uint16_t to, uint64_t id, const uint32_t *key,
                        uint32_t count)
{
	uint32_t letters = 0;
	for (uint32_t done = 0; done < count; letters++) {
		struct letter o;
		uint32_t n = fill(l, from, key + done, count - done);
		letter_open(l, &o, from, LETTER_RECORDS, id, 1);
		pack_array(&o.p, 2 * n);
		size_t before = o.p.len;
		for (uint32_t i = 0; i < n; i++) {
			uint8_t full[LAB_KEY_BYTES];
			pack_bin(&o.p, keys_full(&l->ground->keys, key[done + i], full));
			pack_bin(&o.p, lab_held(l, from, key[done + i]));
		}
		o.records = o.p.len - before;
		letter_send(l, &o, from, to);
		done += n;
	}
	return letters;
}

void letter_taken(struct lab *l, uint16_t from, uint16_t to, uint64_t id)
{
	struct letter o;
	letter_open(l, &o, from, LETTER_TAKEN, id, 0);
	letter_send(l, &o, from, to);
}

void letter_merge(struct lab *l, uint16_t node, struct letter_in *in)
{
	uint32_t count = cursor_array(&in->c, ANY) / 2;
	for (uint32_t i = 0; i < count; i++) {
		struct bytes full = cursor_bin(&in->c, FULL_KEY_BYTES_MAX);
		struct bytes object = cursor_bin(&in->c, OBJECT_BYTES_MAX);
		assert(!in->c.bad);
		lab_merge(l, node, keys_find(&l->ground->keys, full), object);
	}
	assert(cursor_finished(&in->c));
}
