/* cluster.c - see cluster.h. */
#include "tests/lab/cluster.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/full_key.h"
#include "base/panic.h"
#include "store/store_mem.h"
#include "wire/msg.h"

#define POOL_BYTES MIB(2)
#define BEGIN_US SECONDS(1)
#define EPOCH_MS 1700000000000UL
/* What an agenda may do in one call before it counts as never ending. */
#define STEPS_MAX 10000000

enum { ITEM_PACKET, ITEM_READ, ITEM_SCAN, ITEM_WRITTEN, ITEM_UP };

struct packet {
	bool object; /* it carries one */
	size_t len;
	uint8_t bytes[];
};

/* A store effect that waits for its time. */
struct ask {
	enum store_family family;
	struct bytes after, until; /* a read: `after` is the key; views into `bytes` */
	uint32_t records_max;
	size_t bytes_max;
	const struct store_op *ops;
	uint32_t count;
	bool object;
	uint8_t bytes[];
};

/* ---- durations ------------------------------------------------------------------------------ */

uint64_t duration_draw_us(const struct duration *d, struct prng *p)
{
	/* Two numbers in (0, 1]. */
	double which = (double)((prng_next(p) >> 11) + 1) / 9007199254740992.0;
	double u = (double)((prng_next(p) >> 11) + 1) / 9007199254740992.0;
	double ms = d->plus_ms;
	if (which <= d->pareto)
		ms += d->x_m_ms / pow(u, 1 / d->alpha);
	else if (d->lambda > 0)
		ms += -log(u) / d->lambda;
	return (uint64_t)(ms * 1000) + 1;
}

/* ---- effects -------------------------------------------------------------------------------- */

static int find(const struct cluster *c, struct node_id id)
{
	for (uint16_t i = 0; i < c->nodes; i++)
		if (c->node[i].id.v == id.v) return i;
	return -1;
}

static void perform_send(struct cluster *c, uint16_t from, const struct effect *f)
{
	struct packer measure = {0};
	int to = find(c, f->send.to);
	if (to < 0) return;
	msg_pack(&measure, &f->send.msg);
	struct packet *p = malloc(sizeof *p + measure.len);
	assert(p != NULL);
	*p = (struct packet){.object = f->send.msg.type == MSG_PUT, .len = measure.len};
	struct packer write = {.to = p->bytes, .capacity = measure.len};
	msg_pack(&write, &f->send.msg);
	c->under_way += p->object;
	uint64_t at = c->now_us + duration_draw_us(&c->around->net, &c->prng);
	agenda_put(&c->agenda,
	           (struct agenda_item){
				   .at_us = at, .kind = ITEM_PACKET, .node = (uint16_t)to, .from = from, .p = p});
}

static struct ask *ask_new(struct bytes after, struct bytes until)
{
	struct ask *a = malloc(sizeof *a + after.len + until.len);
	assert(a != NULL);
	*a = (struct ask){.after = {a->bytes, after.len}, .until = {a->bytes + after.len, until.len}};
	if (after.len > 0) memcpy(a->bytes, after.data, after.len);
	if (until.len > 0) memcpy(a->bytes + after.len, until.data, until.len);
	return a;
}

/* Objects take the disk's time, in the order in which they are asked for. */
static uint64_t durable_at(struct cluster *c, uint16_t node, const struct effect *f, struct ask *a)
{
	uint64_t at = c->now_us;
	for (uint32_t i = 0; i < f->write.count; i++)
		a->object |= f->write.ops[i].family == STORE_OBJECTS;
	if (a->object) at += duration_draw_us(&c->around->disk, &c->prng);
	if (at < c->node[node].last_write_us) at = c->node[node].last_write_us;
	c->node[node].last_write_us = at;
	c->under_way += a->object;
	return at;
}

static void perform_store(struct cluster *c, uint16_t node, const struct effect *f)
{
	struct agenda_item item = {.at_us = c->now_us, .node = node, .ticket = f->ticket};
	struct ask *a;
	if (f->type == FX_STORE_READ) {
		a = ask_new(f->read.key, BYTES_EMPTY);
		a->family = f->read.family;
		item.kind = ITEM_READ;
	} else if (f->type == FX_STORE_SCAN) {
		a = ask_new(f->scan.after, f->scan.until);
		a->family = f->scan.family;
		a->records_max = f->scan.records_max;
		a->bytes_max = f->scan.bytes_max;
		item.kind = ITEM_SCAN;
	} else {
		a = ask_new(BYTES_EMPTY, BYTES_EMPTY);
		a->ops = f->write.ops;
		a->count = f->write.count;
		item.at_us = durable_at(c, node, f, a);
		item.kind = ITEM_WRITTEN;
	}
	item.p = a;
	agenda_put(&c->agenda, item);
}

static void perform_reply(struct cluster *c, const struct effect *f)
{
	const struct reply *r = &f->reply.reply;
	struct answer *a = &c->answer[f->reply.client.v - 1];
	assert(!a->here);
	*a = (struct answer){.here = true, .err = r->err, .at_us = c->now_us};
	for (uint32_t i = 0; i < r->sibling_count; i++) {
		assert(r->siblings[i].value.len == sizeof(uint64_t));
		uint64_t value = get_u64be(r->siblings[i].value.data);
		if (value > a->value) a->value = value;
	}
}

static void perform(struct cluster *c, uint16_t node)
{
	for (uint32_t i = 0; i < c->fx->count; i++) {
		const struct effect *f = &c->fx->list[i];
		switch (f->type) {
		case FX_SEND: perform_send(c, node, f); break;
		case FX_STORE_READ:
		case FX_STORE_WRITE:
		case FX_STORE_SCAN: perform_store(c, node, f); break;
		case FX_REPLY: perform_reply(c, f); break;
		default: unreachable(); /* nobody asked for anything else */
		}
	}
	c->fx->count = 0;
}

static struct wall wall_of(const struct cluster *c)
{
	return (struct wall){EPOCH_MS + c->now_us / 1000};
}

static void step(struct cluster *c, uint16_t node, struct event *ev)
{
	ev->now = (struct instant){c->now_us};
	ev->wall = wall_of(c);
	node_step(c->node[node].node, ev, c->fx);
	perform(c, node);
}

/* ---- what happens --------------------------------------------------------------------------- */

static void happen_packet(struct cluster *c, const struct agenda_item *i)
{
	const struct packet *p = i->p;
	struct event ev = {.type = EV_PEER_MESSAGE, .message = {.from = c->node[i->from].id}};
	enum err e = msg_unpack(bytes_of(p->bytes, p->len), &ev.message.msg, c->entries);
	assert(e == ERR_OK);
	c->under_way -= p->object;
	step(c, i->node, &ev);
}

static void happen_read(struct cluster *c, const struct agenda_item *i)
{
	const struct ask *a = i->p;
	void *handle = NULL;
	struct event ev = {.type = EV_STORE_READ, .read = {.ticket = i->ticket}};
	ev.read.err =
		store_read(c->node[i->node].store, a->family, a->after, false, &ev.read.value, &handle);
	step(c, i->node, &ev);
	if (handle != NULL) store_release(handle);
}

static void happen_written(struct cluster *c, const struct agenda_item *i)
{
	const struct ask *a = i->p;
	struct event ev = {.type = EV_STORE_WRITTEN, .written = {.ticket = i->ticket}};
	struct store_batch batch = {a->ops, a->count};
	ev.written.err = store_write(c->node[i->node].store, &batch, 1);
	c->under_way -= a->object;
	step(c, i->node, &ev);
}

struct page {
	struct store_record records[64];
	uint32_t count, most;
};

static bool page_record(void *context, const struct store_record *r)
{
	struct page *p = context;
	if (p->count == p->most || p->count == 64) return false;
	uint8_t *copy = malloc(r->key.len + r->value.len + 1);
	assert(copy != NULL);
	memcpy(copy, r->key.data, r->key.len);
	if (r->value.len > 0) memcpy(copy + r->key.len, r->value.data, r->value.len);
	p->records[p->count++] = (struct store_record){
		.key = bytes_of(copy, r->key.len), .value = bytes_of(copy + r->key.len, r->value.len)};
	return true;
}

static void happen_scan(struct cluster *c, const struct agenda_item *i)
{
	const struct ask *a = i->p;
	struct page page = {.most = a->records_max};
	struct event ev = {.type = EV_STORE_SCANNED, .scanned = {.ticket = i->ticket}};
	ev.scanned.err = store_scan(c->node[i->node].store, a->family, a->after, a->until, page_record,
	                            &page, &ev.scanned.done);
	ev.scanned.count = page.count;
	ev.scanned.records = page.records;
	step(c, i->node, &ev);
	for (uint32_t r = 0; r < page.count; r++) free((void *)(uintptr_t)page.records[r].key.data);
}

static void happen(struct cluster *c, const struct agenda_item *i)
{
	struct event up = {.type = EV_PEER_UP, .peer = {.node = c->node[i->from].id}};
	switch (i->kind) {
	case ITEM_PACKET: happen_packet(c, i); break;
	case ITEM_READ: happen_read(c, i); break;
	case ITEM_SCAN: happen_scan(c, i); break;
	case ITEM_WRITTEN: happen_written(c, i); break;
	case ITEM_UP: step(c, i->node, &up); break;
	default: unreachable();
	}
	free(i->p);
}

/* ---- time ----------------------------------------------------------------------------------- */

static uint64_t next_tick(const struct cluster *c, uint16_t *node)
{
	uint64_t at = UINT64_MAX;
	for (uint16_t i = 0; i < c->nodes; i++) {
		uint64_t deadline = node_deadline(c->node[i].node).us;
		if (deadline >= at) continue;
		at = deadline;
		*node = i;
	}
	return at > c->now_us ? at : c->now_us;
}

/* The next thing that happens, if that is not after `until_us`. */
static bool advance(struct cluster *c, uint64_t until_us)
{
	uint16_t node = 0;
	uint64_t item_at = agenda_next_us(&c->agenda), tick_at = next_tick(c, &node);
	uint64_t at = item_at <= tick_at ? item_at : tick_at;
	if (at > until_us) return false;
	c->now_us = at;
	if (item_at <= tick_at) {
		struct agenda_item i = agenda_take(&c->agenda);
		happen(c, &i);
	} else {
		step(c, node, &(struct event){.type = EV_TICK});
	}
	return true;
}

void cluster_run_until(struct cluster *c, uint64_t until_us)
{
	uint32_t steps = 0;
	while (advance(c, until_us)) assert(++steps < STEPS_MAX);
	c->now_us = until_us;
}

static bool all_here(const struct cluster *c)
{
	for (uint32_t i = 0; i < c->answers; i++)
		if (!c->answer[i].here) return false;
	return true;
}

void cluster_await(struct cluster *c)
{
	for (uint32_t steps = 0; !all_here(c); steps++) {
		bool more = advance(c, UINT64_MAX);
		assert(more && steps < STEPS_MAX);
	}
}

void cluster_settle(struct cluster *c)
{
	for (uint32_t steps = 0; c->under_way > 0; steps++) {
		bool more = advance(c, UINT64_MAX);
		assert(more && steps < STEPS_MAX);
	}
	cluster_await(c);
	c->answers = 0;
}

/* ---- clients -------------------------------------------------------------------------------- */

static uint32_t ask(struct cluster *c, uint16_t node, struct request *r, uint32_t key)
{
	char text[16];
	uint8_t full[64];
	snprintf(text, sizeof text, "q%08u", (unsigned)key);
	struct bytes type = BYTES("default"), bucket = BYTES("b"), name = bytes_of_string(text);
	full_key_write(full, type, bucket, name);
	r->key = bytes_of(full, full_key_len(type, bucket, name));
	assert(c->answers < CLUSTER_ANSWERS);
	c->answer[c->answers].here = false;
	struct event ev = {.type = EV_CLIENT_REQUEST,
	                   .request = {.client = {c->answers + 1}, .request = *r}};
	uint32_t number = c->answers++;
	step(c, node, &ev);
	return number;
}

uint32_t cluster_put(struct cluster *c, uint16_t node, uint32_t key, uint64_t value, unsigned w)
{
	uint8_t bytes[sizeof value];
	put_u64be(bytes, value);
	struct request r = {.op = REQUEST_PUT, .options = REQUEST_OPTIONS_DEFAULT};
	r.value = bytes_of(bytes, sizeof bytes);
	r.options.w = (int16_t)w;
	return ask(c, node, &r, key);
}

uint32_t cluster_get(struct cluster *c, uint16_t node, uint32_t key, unsigned r)
{
	struct request q = {.op = REQUEST_GET, .options = REQUEST_OPTIONS_DEFAULT};
	q.options.r = (int16_t)r;
	return ask(c, node, &q, key);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void node_begin(struct cluster *c, uint16_t i)
{
	struct cluster_node *n = &c->node[i];
	struct bytes join[CLUSTER_NODES_MAX];
	for (uint16_t j = 0; j < c->nodes; j++) join[j] = bytes_of_string(c->node[j].address);
	struct node_config config = {.name = bytes_of_string(n->name),
	                             .address = bytes_of_string(n->address),
	                             .join = join,
	                             .join_count = c->nodes,
	                             .expect = c->nodes,
	                             .partitions = 16,
	                             .replicas = c->nodes,
	                             .coord_slots = 64,
	                             .replica_slots = 128};
	for (size_t b = 0; b < sizeof config.entropy; b++)
		config.entropy[b] = (uint8_t)prng_next(&c->prng);
	size_t bytes = (node_memory(&config) + 63) / 64 * 64;
	n->memory = aligned_alloc(64, bytes);
	n->pool = aligned_alloc(4096, POOL_BYTES);
	n->store = store_mem_new();
	assert(n->memory != NULL && n->pool != NULL && n->store != NULL);
	memset(n->memory, 0, bytes);
	n->node = node_init(n->memory, &config, n->pool, POOL_BYTES);
	node_start(n->node, (struct instant){c->now_us}, wall_of(c), c->fx);
	n->id = node_self(n->node);
	perform(c, i);
}

static void form(struct cluster *c)
{
	for (uint16_t i = 0; i < c->nodes; i++)
		for (uint16_t j = 0; j < c->nodes; j++)
			if (i != j)
				agenda_put(&c->agenda,
				           (struct agenda_item){
							   .at_us = c->now_us + MS(5), .kind = ITEM_UP, .node = i, .from = j});
	cluster_run_until(c, c->now_us + SECONDS(5));
	for (uint16_t i = 0; i < c->nodes; i++) {
		assert(node_is_ready(c->node[i].node));
		cluster_put(c, i, 0, 1, c->nodes); /* each reserves its clock */
	}
	cluster_settle(c);
	cluster_run_until(c, c->now_us + SECONDS(5));
}

void cluster_init(struct cluster *c, uint16_t nodes, const struct surroundings *around,
                  uint64_t seed)
{
	assert(nodes <= CLUSTER_NODES_MAX);
	*c = (struct cluster){.around = around, .nodes = nodes, .now_us = BEGIN_US};
	c->fx = calloc(1, sizeof *c->fx);
	c->entries = calloc(SCAN_PAGE_ENTRIES_MAX, sizeof *c->entries);
	assert(c->fx != NULL && c->entries != NULL);
	prng_seed(&c->prng, seed);
	for (uint16_t i = 0; i < nodes; i++) {
		snprintf(c->node[i].name, sizeof c->node[i].name, "n%u", i + 1U);
		snprintf(c->node[i].address, sizeof c->node[i].address, "n%u:1", i + 1U);
	}
	for (uint16_t i = 0; i < nodes; i++) node_begin(c, i);
	form(c);
}

void cluster_free(struct cluster *c)
{
	while (c->agenda.count > 0) free(agenda_take(&c->agenda).p);
	agenda_free(&c->agenda);
	for (uint16_t i = 0; i < c->nodes; i++) {
		free(c->node[i].memory);
		free(c->node[i].pool);
		store_close(c->node[i].store);
	}
	free(c->fx);
	free(c->entries);
}
