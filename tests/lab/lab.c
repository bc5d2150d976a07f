/* lab.c - see lab.h: the link, the clocks, and what happens. */
#include "tests/lab/lab.h"

#include <stdlib.h>

#include "tests/lab/policy.h"
#include "tests/lab/scenario.h"
#include "wire/msg.h"

enum lab_item_kind { ITEM_WRITE, ITEM_PACKET, ITEM_ALARM, ITEM_LINK };

/* `what` of an ITEM_LINK; the nodes notice a while later. Of an ITEM_WRITE it is the stream. */
enum link_change { LINK_CUT, LINK_WHOLE, LINK_CUT_NOTICED, LINK_WHOLE_NOTICED };

struct packet {
	uint16_t from;
	uint32_t len;
	uint8_t bytes[];
};

void lab_alarm(struct lab *l, uint16_t node, uint64_t after_us, uint32_t what)
{
	agenda_put(&l->agenda,
	           (struct agenda_item){
				   .at_us = l->now_us + after_us, .kind = ITEM_ALARM, .node = node, .what = what});
}

/* ---- clocks --------------------------------------------------------------------------------- */

struct wall lab_wall(const struct lab *l, uint16_t node)
{
	int64_t right = (int64_t)(LAB_EPOCH_MS + l->now_us / 1000);
	return (struct wall){(uint64_t)(right + l->node[node].skew_ms)};
}

struct hlc lab_hlc(const struct lab *l, uint16_t node)
{
	return clock_now(&l->node[node].clock, lab_wall(l, node));
}

uint64_t lab_ticket(struct lab *l)
{
	return prng_next(&l->chance) | 1ULL << 63;
}

/* ---- the link ------------------------------------------------------------------------------- */

void lab_send(struct lab *l, uint16_t from, uint16_t to, enum lab_kind kind, struct bytes bytes,
              size_t envelope, size_t records)
{
	struct lab_sent *s = &l->sent[kind];
	assert(from != to && envelope + records <= bytes.len);
	if (l->down) return;
	s->messages++;
	s->bytes += bytes.len;
	s->envelopes += envelope;
	s->records += records;
	if (l->cut) return;
	struct packet *p = malloc(sizeof *p + bytes.len);
	assert(p != NULL);
	*p = (struct packet){.from = from, .len = (uint32_t)bytes.len};
	memcpy(p->bytes, bytes.data, bytes.len);
	agenda_put(&l->agenda,
	           (struct agenda_item){
				   .at_us = l->now_us + LAB_DELAY_US, .kind = ITEM_PACKET, .node = to, .p = p});
}

void lab_send_msg(struct lab *l, uint16_t from, uint16_t to, enum lab_kind kind,
                  const struct msg *m, size_t records)
{
	struct packer p = {.to = l->scratch, .capacity = LAB_SCRATCH_BYTES}, head = {0};
	msg_pack(&p, m);
	assert(pack_fits(&p));
	pack_array(&head, 0);
	pack_uint(&head, m->type);
	pack_uint(&head, m->id.v);
	pack_uint(&head, m->epoch.v);
	pack_uint(&head, m->hlc.v);
	lab_send(l, from, to, kind, bytes_of(p.to, p.len), head.len, records);
}

/* ---- writing through ------------------------------------------------------------------------ */

/* A ticket that tells which key its answer is about, and in what state it was. */
static uint64_t ticket_of(const struct lab *l, uint16_t node, uint32_t key)
{
	return (l->node[node].held[key].x & ~0xffffffffULL) | 1ULL << 63 | key;
}

static void write_through(struct lab *l, uint16_t node, uint32_t key)
{
	uint8_t full[LAB_KEY_BYTES];
	struct msg m = {.type = MSG_PUT, .epoch = {1}, .hlc = lab_hlc(l, node)};
	m.put.key = keys_full(&l->ground->keys, key, full);
	m.put.object = lab_held(l, node, key);
	m.put.fence = hlc_at_ms(LAB_EPOCH_MS - 1);
	struct packer records = {0};
	pack_bin(&records, m.put.key);
	pack_bin(&records, m.put.object);
	for (uint16_t to = 0; to < LAB_NODES; to++) {
		if (to == node) continue;
		m.id.v = ticket_of(l, node, key);
		lab_send_msg(l, node, to, SENT_WRITE_THROUGH, &m, records.len);
	}
}

static void on_msg(struct lab *l, uint16_t node, uint16_t from, struct bytes bytes)
{
	static struct scan_entry entries[SCAN_PAGE_ENTRIES_MAX];
	struct msg m;
	enum err e = msg_unpack(bytes, &m, entries);
	assert(e == ERR_OK);
	clock_follow(&l->node[node].clock, lab_wall(l, node), m.hlc);
	if (l->policy->on_msg != NULL && l->policy->on_msg(l, node, from, &m)) return;
	if (m.type == MSG_PUT) {
		lab_merge(l, node, keys_find(&l->ground->keys, m.put.key), m.put.object);
		struct msg ack = {.type = MSG_PUT_ACK, .id = m.id, .epoch = {1}, .hlc = lab_hlc(l, node)};
		lab_send_msg(l, node, from, SENT_WRITE_THROUGH, &ack, 0);
	} else {
		assert(m.type == MSG_PUT_ACK);
		bool as_is = m.id.v == ticket_of(l, node, (uint32_t)m.id.v);
		if (as_is && l->policy->on_confirmed != NULL)
			l->policy->on_confirmed(l, node, from, (uint32_t)m.id.v);
	}
}

/* ---- what happens --------------------------------------------------------------------------- */

static void happen_packet(struct lab *l, uint16_t node, const struct packet *p)
{
	if (l->cut) return;
	struct letter_in in = {.from = p->from, .c = cursor_of(bytes_of(p->bytes, p->len))};
	cursor_array(&in.c, UINT32_MAX);
	unsigned type = (unsigned)cursor_uint(&in.c, LETTER_TAKEN);
	if (type < MSG_TYPE_END) {
		on_msg(l, node, p->from, bytes_of(p->bytes, p->len));
		return;
	}
	in.type = (enum letter_type)type;
	in.id = cursor_uint(&in.c, UINT64_MAX);
	cursor_uint(&in.c, UINT64_MAX);
	struct hlc hlc = {cursor_uint(&in.c, UINT64_MAX)};
	assert(!in.c.bad && type >= LETTER_ROOT);
	clock_follow(&l->node[node].clock, lab_wall(l, node), hlc);
	l->policy->on_letter(l, node, &in);
}

static void stream_next(struct lab *l, uint32_t stream)
{
	const struct stream *s = &l->scenario->stream[stream];
	uint64_t from = l->now_us < s->from_us ? s->from_us : l->now_us;
	uint64_t at = from + scenario_gap_us(s, &l->clients);
	if (at < s->until_us)
		agenda_put(&l->agenda,
		           (struct agenda_item){.at_us = at, .kind = ITEM_WRITE, .what = stream});
}

static void happen_write(struct lab *l, uint32_t stream)
{
	uint32_t key = scenario_key(l->sums[stream], l->ground->keys.count, &l->clients);
	uint16_t node = (uint16_t)prng_below(&l->clients, LAB_NODES);
	l->writes++;
	lab_write(l, node, key);
	if (l->path == PATH_WRITE_THROUGH) write_through(l, node, key);
	if (l->policy->on_written != NULL) l->policy->on_written(l, node, key);
	stream_next(l, stream);
}

static void notice(struct lab *l, bool whole)
{
	l->down = !whole;
	for (uint16_t i = 0; i < LAB_NODES; i++)
		if (l->policy->on_link != NULL) l->policy->on_link(l, i, whole);
}

/* Silence tells of a cut, the first heartbeat that comes through of its end. */
static void happen_link(struct lab *l, enum link_change change)
{
	struct agenda_item noticed = {.kind = ITEM_LINK};
	switch (change) {
	case LINK_CUT:
		l->cut = true;
		noticed.at_us = l->now_us + SILENCE_US;
		noticed.what = LINK_CUT_NOTICED;
		agenda_put(&l->agenda, noticed);
		break;
	case LINK_WHOLE:
		l->cut = false;
		gauge_owe(l);
		noticed.at_us = l->now_us + HEARTBEAT_US + LAB_DELAY_US;
		noticed.what = LINK_WHOLE_NOTICED;
		agenda_put(&l->agenda, noticed);
		break;
	case LINK_CUT_NOTICED: notice(l, false); break;
	case LINK_WHOLE_NOTICED: notice(l, true); break;
	}
}

static void happen(struct lab *l, const struct agenda_item *item)
{
	gauge_advance(l);
	switch ((enum lab_item_kind)item->kind) {
	case ITEM_WRITE: happen_write(l, item->what); break;
	case ITEM_PACKET: happen_packet(l, item->node, item->p); break;
	case ITEM_LINK: happen_link(l, (enum link_change)item->what); break;
	case ITEM_ALARM: l->policy->on_alarm(l, item->node, item->what); break;
	}
	free(item->p);
}

static void step(struct lab *l)
{
	struct agenda_item item = agenda_take(&l->agenda);
	l->now_us = item.at_us;
	happen(l, &item);
}

void lab_run(struct lab *l)
{
	while (agenda_next_us(&l->agenda) <= LAB_END_US) step(l);
	l->now_us = LAB_END_US;
	gauge_advance(l);
	if (!l->gauge.owing) gauge_owe(l);
	while (l->gauge.differing > 0 && agenda_next_us(&l->agenda) <= LAB_END_US + LAB_GRACE_US)
		step(l);
}

void lab_drain(struct lab *l)
{
	while (l->agenda.count > 0) step(l);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void node_init_here(struct lab *l, uint16_t i)
{
	struct lab_node *n = &l->node[i];
	size_t bytes = l->ground->keys.count * sizeof *n->held;
	/* A reservation that never ends: what it costs a disk is not measured here. */
	clock_start(&n->clock, &l->clients, (struct hlc){0});
	n->clock.reserved = (struct hlc){UINT64_MAX - 2};
	n->id.v = prng_next(&l->clients);
	n->skew_ms = i == 1 && l->scenario != NULL ? l->scenario->skew_ms : 0;
	n->held = malloc(bytes);
	assert(n->held != NULL);
	memcpy(n->held, l->ground->held, bytes);
}

static void scenario_begin(struct lab *l)
{
	for (uint32_t i = 0; i < LAB_STREAMS; i++) {
		l->weight[i] = scenario_weights(&l->scenario->stream[i], &l->ground->keys);
		if (l->weight[i] == NULL) continue;
		l->sums[i] = malloc(l->ground->keys.count * sizeof *l->sums[i]);
		assert(l->sums[i] != NULL);
		uint64_t sum = 0;
		for (uint32_t k = 0; k < l->ground->keys.count; k++) l->sums[i][k] = sum += l->weight[i][k];
		stream_next(l, i);
	}
	if (l->scenario->heal_us == 0) return;
	agenda_put(&l->agenda, (struct agenda_item){
							   .at_us = l->scenario->cut_us, .kind = ITEM_LINK, .what = LINK_CUT});
	agenda_put(
		&l->agenda,
		(struct agenda_item){.at_us = l->scenario->heal_us, .kind = ITEM_LINK, .what = LINK_WHOLE});
}

void lab_init(struct lab *l, const struct ground *g, const struct scenario *s,
              const struct policy *p, enum lab_path path)
{
	*l = (struct lab){.ground = g, .policy = p, .scenario = s, .path = path};
	prng_seed(&l->clients, 1);
	prng_seed(&l->chance, 2);
	l->pool_memory = aligned_alloc(64, LAB_POOL_BYTES);
	l->pool_state = calloc(1, pool_state_bytes(LAB_POOL_BYTES));
	l->scratch = malloc(LAB_SCRATCH_BYTES);
	assert(l->pool_memory != NULL && l->pool_state != NULL && l->scratch != NULL);
	pool_init(&l->pool, l->pool_memory, LAB_POOL_BYTES, l->pool_state);
	arena_init(&l->arena, &l->pool);
	for (uint16_t i = 0; i < LAB_NODES; i++) node_init_here(l, i);
	gauge_init(l);
	if (s != NULL) scenario_begin(l);
	if (p != NULL && p->open != NULL) p->open(l);
}

void lab_free(struct lab *l)
{
	if (l->policy != NULL && l->policy->close != NULL) l->policy->close(l);
	while (l->agenda.count > 0) free(agenda_take(&l->agenda).p);
	for (uint16_t i = 0; i < LAB_NODES; i++) {
		struct held *held = l->node[i].held;
		for (uint32_t k = 0; k < l->ground->keys.count; k++)
			if (held[k].own) free((void *)(uintptr_t)held[k].data);
		free(held);
	}
	for (uint32_t i = 0; i < LAB_STREAMS; i++) {
		free(l->weight[i]);
		free(l->sums[i]);
	}
	gauge_free(l);
	arena_free(&l->arena);
	agenda_free(&l->agenda);
	free(l->pool_memory);
	free(l->pool_state);
	free(l->scratch);
}
