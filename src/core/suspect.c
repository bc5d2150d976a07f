/* suspect.c - the partitions whose memory this node does not vouch for.
 *
 * A record that is damaged makes its partition suspect, and a disk that is an old copy (memory.c) all of
 * them. What is not found there counts for nothing, and nothing there counts towards pr, until verify.c
 * has held it against the other replicas. The set is durable: one record of the meta family. */
#include "core/core.h"

static bool is_suspect(const struct node *n, struct partition_id p)
{
	return (n->suspect[p.v / 8] >> p.v % 8 & 1) != 0;
}

bool partition_vouched(const struct node *n, struct partition_id p)
{
	return n->memory.confirmed && !is_suspect(n, p);
}

/* Partitions, as far as it is known how many there are. */
static uint32_t partitions(const struct node *n)
{
	return n->formed ? n->layout.partitions : PARTITIONS_MAX;
}

uint32_t suspect_count(const struct node *n)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < (partitions(n) + 7) / 8; i++)
		count += (uint32_t)__builtin_popcount(n->suspect[i]);
	return count;
}

bool suspect_add_record(struct node *n, struct chore *ch, struct write *w)
{
	uint32_t count = suspect_count(n);
	size_t room = 8 + (size_t)count * 5;
	struct packer p = {.to = arena_take(&ch->slot.arena, room), .capacity = room};
	if (p.to == NULL) return false;
	pack_array(&p, count);
	for (uint32_t i = 0; i < partitions(n); i++)
		if (is_suspect(n, (struct partition_id){i})) pack_uint(&p, i);
	assert(pack_fits(&p));
	write_add(w, STORE_META, META_SUSPECT, bytes_of(p.to, p.len));
	return true;
}

static void write_suspects(struct node *n, struct effects *fx)
{
	struct chore *ch = chore_take(n, CHORE_SUSPECT);
	struct write *w = ch == NULL ? NULL : write_new(&ch->slot, 1);
	if (w != NULL && suspect_add_record(n, ch, w))
		emit_write(fx, &ch->slot, w);
	else if (ch != NULL)
		slot_end(n, &ch->slot); /* the next change writes it */
}

enum err suspect_boot(struct node *n, struct bytes value)
{
	struct cursor c = cursor_of(value);
	uint32_t count = cursor_array(&c, PARTITIONS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t p = cursor_uint(&c, PARTITIONS_MAX - 1);
		n->suspect[p / 8] |= (uint8_t)(1U << p % 8);
	}
	return cursor_finished(&c) ? ERR_OK : ERR_BAD_BYTES;
}

void suspect_partition(struct node *n, struct partition_id p, struct effects *fx)
{
	n->counters.corrupt_records++;
	/* The record may have held dots of ours that nobody else has seen: never follow them. */
	node_draw_actor(n);
	verify_on_damage(n, p);
	if (is_suspect(n, p)) return;
	n->suspect[p.v / 8] |= (uint8_t)(1U << p.v % 8);
	write_suspects(n, fx);
}

void suspect_all(struct node *n)
{
	for (uint32_t i = 0; i < n->layout.partitions; i++) n->suspect[i / 8] |= (uint8_t)(1U << i % 8);
}

void suspect_no_more(struct node *n, struct partition_id p, struct effects *fx)
{
	n->suspect[p.v / 8] &= (uint8_t) ~(1U << p.v % 8);
	n->counters.verified_partitions++;
	write_suspects(n, fx);
}

bool suspect_next(const struct node *n, struct partition_id *p)
{
	for (uint32_t i = 0; i < n->layout.partitions; i++) {
		p->v = (p->v + 1) % n->layout.partitions;
		if (is_suspect(n, *p)) return true;
	}
	return false;
}
