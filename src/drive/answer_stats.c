/* answer_stats.c - /stats: the figures that monitoring of stores of this kind asks for, as one flat
 * JSON object. What a name promises and this node does not measure is not there.
 *
 * Names without `_total` are of the last minute: see stats.h. Times are microseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/client.h"
#include "drive/cmd.h"
#include "drive/stats.h"
#include "ring/layout.h"
#include "wire/http_accept.h"
#include "wire/http_fields.h"
#include "wire/http_json.h"

struct out {
	struct buffer text;
	const char *between; /* members */
};

static void name(struct out *o, const char *key)
{
	buffer_printf(&o->text, "%s\"%s\":", o->text.len > 1 ? o->between : "", key);
}

static void number(struct out *o, const char *key, uint64_t v)
{
	name(o, key);
	buffer_printf(&o->text, "%llu", (unsigned long long)v);
}

static void json_text(struct buffer *to, struct bytes text)
{
	struct http_out out = {0};
	http_json_any(&out, text);
	uint8_t *room = buffer_room(to, out.len);
	if (room == NULL) return;
	out = (struct http_out){room, out.len, 0};
	http_json_any(&out, text);
	buffer_added(to, out.len);
}

static void text(struct out *o, const char *key, struct bytes v)
{
	name(o, key);
	json_text(&o->text, v);
}

/* prefix_mean, _median, _95, _99, _100 */
static void spread(struct out *o, const char *prefix, const struct stats_window *w)
{
	static const struct {
		const char *suffix;
		unsigned permille;
	} points[] = {{"median", 500}, {"95", 950}, {"99", 990}, {"100", 1000}};
	char key[96];
	snprintf(key, sizeof key, "%s_mean", prefix);
	number(o, key, stats_mean(w));
	for (unsigned i = 0; i < sizeof points / sizeof points[0]; i++) {
		snprintf(key, sizeof key, "%s_%s", prefix, points[i].suffix);
		number(o, key, stats_quantile(w, points[i].permille));
	}
}

static void counted(struct out *o, const char *key, uint64_t minute, uint64_t total)
{
	char full[96];
	number(o, key, minute);
	snprintf(full, sizeof full, "%s_total", key);
	number(o, full, total);
}

static void members(struct out *o, const struct client *c, const char *key, bool connected_only)
{
	const struct node *n = c->all->loop->node;
	const struct layout *y = node_layout(n);
	bool any = false;
	name(o, key);
	buffer_printf(&o->text, "[");
	for (uint32_t i = 0; y != NULL && i < y->member_count; i++) {
		bool self = y->members[i].id.v == node_self(n).v;
		if (connected_only && (self || !node_believes_up(n, y->members[i].id))) continue;
		buffer_printf(&o->text, any ? "," : "");
		json_text(&o->text, y->members[i].name);
		any = true;
	}
	buffer_printf(&o->text, "]");
}

/* How many partitions each member is first of, in the words of the original. */
static void ownership(struct out *o, const struct layout *y)
{
	struct buffer b = {0};
	uint32_t *first = y == NULL ? NULL : calloc(y->member_count, sizeof *first);
	buffer_printf(&b, "[");
	for (uint32_t p = 0; first != NULL && p < y->partitions; p++)
		first[y->primaries[p * y->replicas]]++;
	for (uint32_t i = 0; first != NULL && i < y->member_count; i++)
		buffer_printf(&b, "%s{'%.*s',%u}", i > 0 ? "," : "", (int)y->members[i].name.len,
		              (const char *)y->members[i].name.data, first[i]);
	buffer_printf(&b, "]");
	text(o, "ring_ownership", bytes_of(buffer_head(&b), b.len));
	buffer_free(&b);
	free(first);
}

static void put_ring(struct out *o, const struct client *c)
{
	const struct layout *y = node_layout(c->all->loop->node);
	members(o, c, "ring_members", false);
	members(o, c, "connected_nodes", true);
	number(o, "ring_num_partitions", y == NULL ? 0 : y->partitions);
	number(o, "ring_creation_size", c->all->loop->config->partitions);
	ownership(o, y);
}

static void put_machine(struct out *o)
{
	struct sysinfo info = {0};
	double load[3] = {0};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	sysinfo(&info);
	if (getloadavg(load, 3) < 0) memset(load, 0, sizeof load);
	number(o, "cpu_nprocs", cpus < 0 ? 0 : (uint64_t)cpus);
	number(o, "cpu_avg1", (uint64_t)(load[0] * 256)); /* in 256ths, as the original counts */
	number(o, "cpu_avg5", (uint64_t)(load[1] * 256));
	number(o, "cpu_avg15", (uint64_t)(load[2] * 256));
	number(o, "mem_total", (uint64_t)info.totalram * info.mem_unit);
	number(o, "mem_allocated", (uint64_t)(info.totalram - info.freeram) * info.mem_unit);
	number(o, "memory_total", stats_resident_bytes());
	number(o, "sys_wordsize", 64);
	text(o, "sys_system_architecture", BYTES("x86_64-pc-linux-gnu"));
}

static void put_work(struct out *o, const struct client *c)
{
	struct node_metrics m;
	const struct stats *s = c->all->stats;
	const struct stats_counts *was = stats_minute_ago(s);
	node_metrics(c->all->loop->node, &m);
	uint64_t puts = m.client_puts + m.client_deletes + m.client_increments;
	counted(o, "node_gets", m.client_gets - was->gets, m.client_gets);
	counted(o, "node_puts", puts - was->puts, puts);
	counted(o, "node_gets_counter", m.client_counter_gets - was->counter_gets,
	        m.client_counter_gets);
	counted(o, "node_puts_counter", m.client_increments - was->increments, m.client_increments);
	counted(o, "vnode_gets", m.replica_gets - was->replica_gets, m.replica_gets);
	counted(o, "vnode_puts", m.replica_puts - was->replica_puts, m.replica_puts);
	counted(o, "read_repairs", m.read_repairs - was->read_repairs, m.read_repairs);
	number(o, "coord_redirs_total", m.forwards_sent);
	spread(o, "node_get_fsm_time", &s->windows[STATS_GET_US]);
	spread(o, "node_put_fsm_time", &s->windows[STATS_PUT_US]);
	spread(o, "node_get_fsm_siblings", &s->windows[STATS_GET_SIBLINGS]);
	spread(o, "node_get_fsm_objsize", &s->windows[STATS_GET_BYTES]);
	number(o, "pbc_active", 0); /* there is no such port */
	number(o, "pbc_connects", 0);
	number(o, "pbc_connects_total", 0);
}

void answer_stats(struct client *c)
{
	c->all->scratch.used = 0;
	struct bytes accept = http_fields_join(&c->all->request, HTTP_NAME_ACCEPT, &c->all->scratch);
	bool pretty = accept.len > 0 && http_accept_type(accept, BYTES("text/plain")) &&
	              !http_accept_type(accept, BYTES("application/json"));
	struct out o = {.between = pretty ? ",\n " : ","};
	stats_roll(c->all->stats, c->all->loop);
	buffer_printf(&o.text, "{");
	/* The versions that tell clients of this kind what they may ask for. */
	text(&o, "riak_kv_version", BYTES("3.0.16"));
	text(&o, "riak_core_version", BYTES("3.0.16"));
	text(&o, "dunlin_version", bytes_of_string(CMD_VERSION));
	text(&o, "nodename", bytes_of_string(c->all->loop->config->name));
	text(&o, "storage_backend", BYTES("rocksdb"));
	put_ring(&o, c);
	put_work(&o, c);
	put_machine(&o);
	buffer_printf(&o.text, "}\n");
	answer_buffer(c, 200, pretty ? "text/plain; charset=utf-8" : "application/json", &o.text);
}
