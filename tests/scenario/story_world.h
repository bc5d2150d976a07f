/* story_world.h - the world behind story.h: an agenda, a network, disks, and nodes that die and come
 * back. Included by story.h only. */
#ifndef DUNLIN_TEST_STORY_WORLD_H
#define DUNLIN_TEST_STORY_WORLD_H

/* ---- agenda --------------------------------------------------------------------------------- */

static inline struct item *item_new(struct story *s, enum item_kind kind, int node, uint64_t at_us)
{
	assert(s->items < STORY_ITEMS);
	struct item *i = &s->item[s->items++];
	*i = (struct item){.at_us = at_us, .order = ++s->order, .kind = kind, .node = node};
	i->start = s->node[node].start;
	return i;
}

static inline uint8_t *bytes_kept(struct bytes x, struct bytes y)
{
	uint8_t *to = malloc(x.len + y.len + 1);
	assert(to != NULL);
	if (x.len > 0) memcpy(to, x.data, x.len);
	if (y.len > 0) memcpy(to + x.len, y.data, y.len);
	return to;
}

/* ---- effects -------------------------------------------------------------------------------- */

static inline void packet_new(struct story *s, int from, int to, const struct effect *f)
{
	struct packer measure = {0};
	msg_pack(&measure, &f->send.msg);
	bool held = s->hold[from][to] && f->send.msg.type == MSG_PUT;
	uint64_t at = held ? UINT64_MAX : s->now_us + s->net_us[from][to];
	struct item *i = item_new(s, ITEM_PACKET, to, at);
	i->from = from;
	i->start = 0; /* it may come after a restart: tickets tell */
	i->len = measure.len;
	i->bytes = malloc(measure.len);
	assert(i->bytes != NULL);
	struct packer p = {.to = i->bytes, .capacity = measure.len};
	msg_pack(&p, &f->send.msg);
}

static inline void story_send(struct story *s, int from, const struct effect *f)
{
	int to = story_find(s, f->send.to);
	if (to < 0 || s->node[to].node == NULL || s->cut[from][to]) return;
	packet_new(s, from, to, f);
	if (s->twice[from][to]) packet_new(s, from, to, f);
}

static inline void node_dies(struct story *s, int node);

static inline void story_write(struct story *s, int node, const struct effect *f)
{
	struct story_node *n = &s->node[node];
	uint64_t at = s->now_us + n->disk_us;
	if (at < n->last_write_us)
		at = n->last_write_us; /* in the order in which they were asked for */
	n->last_write_us = at;
	struct item *i = item_new(s, ITEM_WRITTEN, node, at);
	i->ticket = f->ticket;
	i->ops = f->write.ops;
	i->count = f->write.count;
	n->writes++;
}

static inline void story_reply(struct story *s, const struct effect *f)
{
	struct answer *a = &s->answer[f->reply.client.v - 1];
	const struct reply *r = &f->reply.reply;
	a->here = true;
	a->times++;
	a->reply = *r;
	a->context_len = r->context.len;
	if (r->context.len > 0) memcpy(a->context, r->context.data, r->context.len);
	*a->text = '\0';
	if (r->sibling_count > 0) siblings_text(a->text, r->siblings, r->sibling_count);
}

/* Names are kept as text, one a line; the next page is asked for when the step is over. */
static inline void story_list_page(struct story *s, int node, const struct list_page *p)
{
	s->list_err = p->err;
	for (uint32_t i = 0; i < p->count; i++) {
		assert(s->list_len + p->names[i].len + 2 < sizeof s->list_text);
		memcpy(s->list_text + s->list_len, p->names[i].data, p->names[i].len);
		s->list_len += p->names[i].len;
		s->list_text[s->list_len++] = '\n';
	}
	s->list_text[s->list_len] = '\0';
	s->list_done = p->done || p->err != ERR_OK;
	s->list_pages++;
	if (!s->list_done) s->list_more = p->ticket, s->list_node = node;
}

/* Of a step its views are not kept. */
static inline void story_trace(struct story *s, int node, const struct trace_step *step)
{
	assert(s->steps < STORY_STEPS);
	s->step_node[s->steps] = node;
	s->step[s->steps] = *step;
	s->step[s->steps].key = s->step[s->steps].http = BYTES_EMPTY;
	s->steps++;
}

static inline void story_perform(struct story *s, int node, const struct effect *f)
{
	struct item *i;
	switch (f->type) {
	case FX_SEND: story_send(s, node, f); break;
	case FX_STORE_READ:
		i = item_new(s, ITEM_READ, node, s->now_us);
		i->ticket = f->ticket;
		i->family = f->read.family;
		i->len = f->read.key.len;
		i->bytes = bytes_kept(f->read.key, BYTES_EMPTY);
		break;
	case FX_STORE_WRITE: story_write(s, node, f); break;
	case FX_STORE_SCAN:
		i = item_new(s, ITEM_SCAN, node, s->now_us);
		i->ticket = f->ticket;
		i->family = f->scan.family;
		i->split = f->scan.after.len;
		i->len = f->scan.after.len + f->scan.until.len;
		i->count = f->scan.records_max;
		i->bytes_max = f->scan.bytes_max;
		i->bytes = bytes_kept(f->scan.after, f->scan.until);
		break;
	case FX_REPLY: story_reply(s, f); break;
	case FX_REPLY_PROPS:
		s->props = f->props.result;
		s->props_here = true;
		break;
	case FX_REPLY_LIST: story_list_page(s, node, &f->list.page); break;
	case FX_TRACE: story_trace(s, node, &f->trace); break;
	case FX_REPLY_COMPARE:
		s->compared = f->compare.result;
		s->compared.examples = NULL;
		s->compare_here = true;
		break;
	}
}

static inline void story_effects(struct story *s, int node)
{
	tell_effects(s, node);
	uint32_t start = s->node[node].start;
	for (uint32_t i = 0; i < s->fx.count; i++) {
		story_perform(s, node, &s->fx.list[i]);
		struct story_node *n = &s->node[node];
		bool dies = n->dies_at_write > 0 && n->writes == n->dies_at_write;
		if (!dies || s->fx.list[i].type != FX_STORE_WRITE) continue;
		const struct effect *f = &s->fx.list[i];
		struct store_batch batch = {f->write.ops, f->write.count};
		if (n->durable_then) assert_int_equal(store_write(n->store, &batch, 1), ERR_OK);
		n->dies_at_write = 0;
		node_dies(s, node);
		return;
	}
	assert(s->node[node].start == start);
}

static inline struct wall wall_of(const struct story *s, int node)
{
	int64_t right = (int64_t)(STORY_EPOCH_MS + s->now_us / 1000);
	return (struct wall){(uint64_t)(right + s->node[node].wall_ms)};
}

static inline void story_step(struct story *s, int node, struct event *ev)
{
	struct story_node *n = &s->node[node];
	if (n->node == NULL) return;
	ev->now = (struct instant){s->now_us};
	ev->wall = wall_of(s, node);
	node_step(n->node, ev, &s->fx);
	story_effects(s, node);
	if (s->list_more.v == 0) return;
	struct event more = {.type = EV_CLIENT_LIST_MORE, .list_more = {.ticket = s->list_more}};
	s->list_more.v = 0;
	story_step(s, s->list_node, &more);
}

/* ---- what happens --------------------------------------------------------------------------- */

static inline void happen_packet(struct story *s, const struct item *i)
{
	struct event ev = {.type = EV_PEER_MESSAGE, .message = {.from = s->node[i->from].id}};
	if (s->node[i->node].node == NULL) return;
	enum err e = msg_unpack(bytes_of(i->bytes, i->len), &ev.message.msg, s->entries);
	assert_int_equal(e, ERR_OK);
	tell_message(s, i->node, i->from, &ev.message.msg);
	story_step(s, i->node, &ev);
}

static inline void happen_read(struct story *s, const struct item *i)
{
	void *handle = NULL;
	struct event ev = {.type = EV_STORE_READ, .read = {.ticket = i->ticket}};
	ev.read.err = store_read(s->node[i->node].store, i->family, bytes_of(i->bytes, i->len), false,
	                         &ev.read.value, &handle);
	story_step(s, i->node, &ev);
	if (handle != NULL) store_release(handle);
}

struct story_page {
	struct store_record records[256];
	uint32_t count, most;
	size_t bytes, bytes_max;
};

static inline bool page_record(void *context, const struct store_record *r)
{
	struct story_page *p = context;
	size_t len = r->key.len + r->value.len;
	if (p->count == p->most || p->count == 256) return false;
	if (p->count > 0 && p->bytes + len > p->bytes_max) return false;
	p->bytes += len;
	struct store_record *to = &p->records[p->count++];
	*to = *r;
	to->key.data = bytes_kept(r->key, BYTES_EMPTY);
	to->value.data = bytes_kept(r->value, BYTES_EMPTY);
	return true;
}

static inline void happen_scan(struct story *s, const struct item *i)
{
	struct story_page page = {.most = i->count, .bytes_max = i->bytes_max};
	struct event ev = {.type = EV_STORE_SCANNED, .scanned = {.ticket = i->ticket}};
	ev.scanned.err = store_scan(s->node[i->node].store, i->family, bytes_of(i->bytes, i->split),
	                            bytes_of(i->bytes + i->split, i->len - i->split), page_record,
	                            &page, &ev.scanned.done);
	ev.scanned.count = page.count;
	ev.scanned.records = page.records;
	story_step(s, i->node, &ev);
	for (uint32_t r = 0; r < page.count; r++) {
		free((void *)(uintptr_t)page.records[r].key.data);
		free((void *)(uintptr_t)page.records[r].value.data);
	}
}

static inline void happen_written(struct story *s, const struct item *i)
{
	struct event ev = {.type = EV_STORE_WRITTEN, .written = {.ticket = i->ticket}};
	struct store_batch batch = {i->ops, i->count};
	bool object = false;
	for (uint32_t op = 0; op < i->count; op++)
		object = object || (i->ops[op].family == STORE_OBJECTS && i->ops[op].value.data != NULL);
	ev.written.err = store_write(s->node[i->node].store, &batch, 1);
	if (ev.written.err != ERR_OK)
		story_say(s, i->node, "%s < store %s", s->node[i->node].name, err_name(ev.written.err));
	else if (object)
		story_say(s, i->node, "%s < stored", s->node[i->node].name);
	story_step(s, i->node, &ev);
}

static inline void happen(struct story *s, struct item *i)
{
	struct event ev = {.type = i->kind == ITEM_UP ? EV_PEER_UP : EV_PEER_DOWN};
	ev.peer.node = s->node[i->from].id;
	switch (i->kind) {
	case ITEM_PACKET: happen_packet(s, i); break;
	case ITEM_READ: happen_read(s, i); break;
	case ITEM_SCAN: happen_scan(s, i); break;
	case ITEM_WRITTEN: happen_written(s, i); break;
	case ITEM_UP:
	case ITEM_DOWN: story_step(s, i->node, &ev); break;
	}
}

/* ---- time ----------------------------------------------------------------------------------- */

static inline int earliest_item(const struct story *s)
{
	int best = -1;
	for (int i = 0; i < s->items; i++) {
		const struct item *x = &s->item[i], *y = &s->item[best < 0 ? i : best];
		if (best < 0 || x->at_us < y->at_us || (x->at_us == y->at_us && x->order < y->order))
			best = i;
	}
	return best;
}

static inline int earliest_tick(const struct story *s, uint64_t *at)
{
	int best = -1;
	*at = UINT64_MAX;
	for (int i = 0; i < s->nodes; i++) {
		if (s->node[i].node == NULL) continue;
		uint64_t deadline = node_deadline(s->node[i].node).us;
		if (deadline >= *at) continue;
		*at = deadline;
		best = i;
	}
	if (*at < s->now_us) *at = s->now_us;
	return best;
}

/* Let so many milliseconds pass. */
static inline void run_us(struct story *s, uint64_t for_us)
{
	uint64_t until = s->now_us + for_us;
	for (uint32_t steps = 0;; steps++) {
		uint64_t tick_at;
		int item = earliest_item(s), ticker = earliest_tick(s, &tick_at);
		uint64_t at = item >= 0 ? s->item[item].at_us : UINT64_MAX;
		if (at > until && (ticker < 0 || tick_at > until)) break;
		assert(steps < 1000000); /* or time stands still */
		if (item >= 0 && at <= tick_at) {
			struct item i = s->item[item];
			s->item[item] = s->item[--s->items];
			s->now_us = at;
			if (i.start == 0 || i.start == s->node[i.node].start) happen(s, &i);
			free(i.bytes);
		} else {
			struct event ev = {.type = EV_TICK};
			s->now_us = tick_at;
			story_step(s, ticker, &ev);
		}
	}
	s->now_us = until;
}

static inline void run(struct story *s, uint64_t for_ms)
{
	run_us(s, ms(for_ms));
}

/* ---- nodes that come and go ----------------------------------------------------------------- */

static inline struct node_config config_of(struct story *s, int node, struct bytes *join,
                                           char addresses[STORY_NODES][8])
{
	struct node_config c = {.name = bytes_of_string(s->node[node].name),
	                        .expect = s->join != NULL ? s->expect : (uint32_t)s->nodes,
	                        .partitions = 16,
	                        .siblings_max = s->siblings_max,
	                        .read_all_one_in = s->read_all_one_in > 0 ? s->read_all_one_in : 1,
	                        .read_whole_bytes = s->read_whole_bytes,
	                        .reap_period_us = s->reap_period_us,
	                        .coord_slots = s->coord_slots > 0 ? s->coord_slots : 64,
	                        .replica_slots = 64,
	                        .hints_max = s->hints_max,
	                        .hint_bytes_max = s->hint_bytes_max,
	                        .hint_window_ms = s->hint_window_ms,
	                        .stand_ins_max = s->stand_ins_max,
	                        .stand_in_bytes_max = s->stand_in_bytes_max};
	s->type = (struct bucket_type){.name = BYTES("default"),
	                               .change_count = 1,
	                               .changes = {{.prop = PROP_n_val, .value = s->n_val}}};
	c.types = &s->type;
	c.type_count = s->n_val > 0;
	for (int i = 0; i < STORY_NODES; i++) snprintf(addresses[i], 8, "%c:1", (char)('A' + i));
	c.address = bytes_of_string(addresses[node]);
	if (s->join != NULL)
		for (const char *l = s->join; *l != '\0'; l++)
			join[c.join_count++] = bytes_of_string(addresses[*l - 'A']);
	c.join = join;
	struct prng random;
	prng_seed(&random, (uint64_t)node * 1000 + s->node[node].start);
	for (size_t i = 0; i < sizeof c.entropy; i++) c.entropy[i] = (uint8_t)prng_next(&random);
	return c;
}

static inline bool boot_each(void *context, const struct store_record *r)
{
	enum err e = r->damaged ? ERR_CORRUPT : node_boot_record(context, r->key, r->value);
	assert_int_equal(e, ERR_OK);
	return true;
}

static inline void connect_all(struct story *s, int node)
{
	for (int i = 0; i < s->nodes; i++) {
		if (i == node || s->node[i].node == NULL || s->cut[i][node] || s->cut[node][i]) continue;
		item_new(s, ITEM_UP, node, s->now_us + ms(5))->from = i;
		item_new(s, ITEM_UP, i, s->now_us + ms(5))->from = node;
	}
}

static inline void node_starts(struct story *s, int node)
{
	struct story_node *n = &s->node[node];
	struct bytes join[STORY_NODES];
	char addresses[STORY_NODES][8];
	assert(n->node == NULL);
	n->start++;
	n->last_write_us = 0;
	struct node_config c = config_of(s, node, join, addresses);
	size_t bytes = (node_memory(&c) + 63) / 64 * 64;
	n->memory = aligned_alloc(64, bytes);
	assert(n->memory != NULL);
	memset(n->memory, 0, bytes);
	n->node = node_init(n->memory, &c, n->pool, STORY_POOL_BYTES);
	bool done;
	assert_int_equal(
		store_scan(n->store, STORE_META, BYTES_EMPTY, BYTES_EMPTY, boot_each, n->node, &done),
		ERR_OK);
	story_say(s, -1, "* %s starts", n->name);
	node_start(n->node, (struct instant){s->now_us}, wall_of(s, node), &s->fx);
	n->id = node_self(n->node);
	story_effects(s, node);
	if (n->node != NULL) connect_all(s, node);
}

/* It is gone, with all that was not durable; the others' connections to it break a millisecond later,
 * unless they were cut before. */
static inline void node_dies(struct story *s, int node)
{
	struct story_node *n = &s->node[node];
	assert(n->node != NULL);
	story_say(s, -1, "* %s dies", n->name);
	n->node = NULL;
	free(n->memory);
	n->memory = NULL;
	n->start++;
	for (int i = 0; i < s->nodes; i++)
		if (i != node && s->node[i].node != NULL && !s->cut[node][i])
			item_new(s, ITEM_DOWN, i, s->now_us + ms(1))->from = node;
}

static inline void node_drains(struct story *s, int node, bool on)
{
	struct event ev = {.type = EV_DRAIN, .drain = {on}};
	story_step(s, node, &ev);
}

/* Nothing passes between the two, either way, and nobody is told. Or it passes again. */
static inline void cut(struct story *s, int x, int y, bool on)
{
	s->cut[x][y] = s->cut[y][x] = on;
}

/* What was held arrives now, and nothing more is held. */
static inline void let_go(struct story *s, int from, int to)
{
	s->hold[from][to] = false;
	for (int i = 0; i < s->items; i++) {
		struct item *x = &s->item[i];
		if (x->at_us == UINT64_MAX && x->from == from && x->node == to) x->at_us = s->now_us;
	}
}

static inline void net_delay(struct story *s, int from, int to, uint64_t us)
{
	s->net_us[from][to] = us;
}

/* ---- beginning and end ------------------------------------------------------------------------ */

static inline void seed_meta(struct story *s, int node, const char *key, const struct packer *p)
{
	struct store_op op = {STORE_META, bytes_of_string(key), bytes_of(p->to, p->len)};
	struct store_batch batch = {&op, 1};
	assert(pack_fits(p));
	assert_int_equal(store_write(s->node[node].store, &batch, 1), ERR_OK);
}

/* A cluster that has formed already: one partition, primaries A, B, C, ids 1, 2, ... */
static inline void seed_layout(struct story *s)
{
	static const uint16_t primaries[] = {A, B, C, D, E};
	struct member members[STORY_NODES] = {0};
	uint8_t bytes[1024];
	for (int i = 0; i < s->nodes; i++)
		members[i] = (struct member){.id = {(uint64_t)i + 1}, .weight = 100};
	struct layout l = {.secret = "the secret",
	                   .epoch = {1},
	                   .partitions = 1,
	                   .replicas = (uint8_t)s->replicas,
	                   .member_count = (uint32_t)s->nodes,
	                   .members = members,
	                   .primaries = primaries};
	for (int i = 0; i < s->nodes; i++) {
		struct packer p = {.to = bytes, .capacity = sizeof bytes};
		layout_encode(&p, &l);
		seed_meta(s, i, "layout", &p);
		p.len = 0;
		pack_array(&p, 4);
		pack_uint(&p, 1);
		pack_uint(&p, (uint64_t)i + 1);
		pack_uint(&p, 0);
		pack_uint(&p, 77);
		seed_meta(s, i, "identity", &p);
	}
}

static inline void story_init(struct story *s, int nodes)
{
	s->nodes = nodes;
	s->now_us = ms(1000);
	s->next = REQUEST_OPTIONS_DEFAULT;
	if (s->replicas == 0) s->replicas = nodes < 3 ? (uint32_t)nodes : 3;
	pool_init(&s->scratch.pool, s->scratch.region, sizeof s->scratch.region, s->scratch.state);
	arena_init(&s->scratch.arena, &s->scratch.pool);
	for (int i = 0; i < nodes; i++) {
		struct story_node *n = &s->node[i];
		n->name[0] = (char)('A' + i);
		n->disk_us = ms(2);
		n->store = store_mem_new();
		n->pool = aligned_alloc(4096, STORY_POOL_BYTES);
		assert(n->pool != NULL);
		memset(n->pool, 0xa5, STORY_POOL_BYTES);
		for (int j = 0; j < nodes; j++) s->net_us[i][j] = ms(1);
	}
}

static inline int client_put(struct story *s, int node, const char *key, const char *value,
                             int shown);

/* Nodes that have formed, know each other, and have reserved their clocks. */
static inline void begin(struct story *s, int nodes)
{
	story_init(s, nodes);
	s->quiet = true;
	seed_layout(s);
	for (int i = 0; i < nodes; i++) node_starts(s, i);
	run(s, 500);
	for (int i = 0; i < nodes; i++) client_put(s, i, "prologue", "", NOTHING);
	run(s, 2000);
	s->quiet = false;
	s->answers = 0;
	memset(s->answer, 0, sizeof s->answer);
	s->zero_us = s->now_us;
	for (int i = 0; i < nodes; i++) s->node[i].writes = 0;
}

static inline int story_setup(void **state)
{
	*state = calloc(1, sizeof(struct story));
	return *state == NULL;
}

/* Another story may begin in the same place. */
static inline void story_end(struct story *s)
{
	for (int i = 0; i < s->items; i++) free(s->item[i].bytes);
	for (int i = 0; i < s->nodes; i++) {
		free(s->node[i].memory);
		free(s->node[i].pool);
		store_close(s->node[i].store);
	}
	memset(s, 0, sizeof *s);
}

static inline int story_teardown(void **state)
{
	story_end(*state);
	free(*state);
	return 0;
}

/* ---- clients -------------------------------------------------------------------------------- */

static inline struct bytes full_key(uint8_t to[256], const char *key)
{
	struct bytes type = BYTES("default"), bucket = BYTES("b"), name = bytes_of_string(key);
	full_key_write(to, type, bucket, name);
	return bytes_of(to, full_key_len(type, bucket, name));
}

/* Ask; the answer's number comes back at once, the answer later. `shown`: the answer whose context is
 * sent along, or NOTHING. */
static inline int client_ask(struct story *s, int node, enum request_op op, const char *key,
                             const char *value, int shown)
{
	uint8_t to[256];
	assert(s->answers < STORY_ANSWERS && s->node[node].node != NULL);
	int number = s->answers++;
	struct event ev = {.type = EV_CLIENT_REQUEST};
	ev.request.client.v = (uint64_t)number + 1;
	struct request *r = &ev.request.request;
	*r = (struct request){.op = op, .key = full_key(to, key), .options = s->next};
	s->next = REQUEST_OPTIONS_DEFAULT;
	r->trace.v = s->trace_next;
	r->conditions = s->conditions_next;
	s->trace_next = 0;
	s->conditions_next = (struct conditions){0};
	if (value != NULL) r->value = bytes_of_string(value);
	r->ttl_s = s->ttl_s;
	if (s->if_none) r->conditions.what = IF_NONE_MATCH_ANY;
	s->ttl_s = 0;
	s->if_none = false;
	struct bytes context = BYTES_EMPTY;
	if (shown != NOTHING)
		context = bytes_of(s->answer[shown].context, s->answer[shown].context_len);
	r->options.has_context = shown != NOTHING && op != REQUEST_GET;
	*(op == REQUEST_GET ? &r->at_least : &r->context) = context;
	static const char *const verbs[] = {"get", "put", "delete"};
	story_say(s, node, "%s < %s %s%s%s", s->node[node].name, verbs[op], key,
	          value != NULL ? " " : "", value != NULL ? value : "");
	story_step(s, node, &ev);
	return number;
}

static inline int client_put(struct story *s, int node, const char *key, const char *value,
                             int shown)
{
	return client_ask(s, node, REQUEST_PUT, key, value, shown);
}

static inline int client_get(struct story *s, int node, const char *key)
{
	return client_ask(s, node, REQUEST_GET, key, NULL, NOTHING);
}

/* A read that must have seen what that answer showed. */
static inline int session_get(struct story *s, int node, const char *key, int shown)
{
	return client_ask(s, node, REQUEST_GET, key, NULL, shown);
}

static inline int client_delete(struct story *s, int node, const char *key, int shown)
{
	return client_ask(s, node, REQUEST_DELETE, key, NULL, shown);
}

#endif
