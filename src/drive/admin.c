/* admin.c - what a node says of itself as JSON.
 *
 * Ids are 16 hex digits, hashes too. A name that is no UTF-8 is given percent-encoded, under the same
 * member with `_encoded` behind it. The cluster's secret is never shown.
 * Not here: changing anything, but for draining; the others only look. */
#include "drive/admin.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/admin_json.h"
#include "drive/cmd.h"
#include "drive/members.h"
#include "drive/storer.h"
#include "ring/ring.h"

static bool is_up(const struct loop *l, struct node_id id)
{
	return id.v == node_self(l->node).v || node_believes_up(l->node, id);
}

/* ---- status and layout ---------------------------------------------------------------------- */

struct share {
	uint32_t all, first; /* partitions it holds; those whose first replica it is */
};

/* Of all members, in one pass over the table; freed by the caller, NULL without memory. */
static struct share *shares_of(const struct layout *y)
{
	struct share *shares = calloc(y->member_count, sizeof *shares);
	for (uint32_t i = 0; shares != NULL && i < y->partitions * y->replicas; i++) {
		assert(y->primaries[i] < y->member_count);
		shares[y->primaries[i]].all++;
		shares[y->primaries[i]].first += i % y->replicas == 0;
	}
	return shares;
}

static json_t *member_json(const struct member *m, struct share share,
                           const struct member_figures *f)
{
	json_t *o = json_object();
	set_hex(o, "id", m->id.v);
	set_bytes(o, "name", m->name);
	set_bytes(o, "address", m->address);
	set_bytes(o, "zone", m->zone);
	set_number(o, "weight", m->weight);
	set(o, "state", json_string(m->state == MEMBER_SERVING ? "serving" : "leaving"));
	set(o, "self", json_boolean(f->self));
	set(o, "up", json_boolean(f->up));
	set_number(o, "partitions", share.all);
	set_number(o, "first_places", share.first);
	set_number(o, "lag_ms", f->lag_ms);
	set_number(o, "queue_bytes", f->queue_bytes);
	set_number(o, "queue_messages", f->queue_messages);
	return o;
}

static json_t *members_json(const struct loop *l, const struct layout *y)
{
	struct share *shares = shares_of(y);
	struct member_figures *figures = member_figures(l, y);
	json_t *list = json_array();
	for (uint32_t i = 0; shares != NULL && figures != NULL && i < y->member_count; i++)
		json_array_append_new(list, member_json(&y->members[i], shares[i], &figures[i]));
	free(figures);
	free(shares);
	return list;
}

static json_t *cluster_json(const struct layout *y)
{
	json_t *o = json_object();
	char id[33];
	for (unsigned i = 0; i < 16; i++) snprintf(id + 2 * i, 3, "%02x", y->cluster[i]);
	set(o, "id", json_string(id));
	set_number(o, "epoch", y->epoch.v);
	set_number(o, "partitions", y->partitions);
	set_number(o, "replicas", y->replicas);
	return o;
}

static json_t *node_json(const struct loop *l)
{
	json_t *o = json_object();
	set_hex(o, "id", node_self(l->node).v);
	set(o, "name", json_string(l->config->name));
	set(o, "version", json_string(CMD_VERSION));
	set(o, "http", json_string(l->config->http));
	set(o, "peer", json_string(l->config->advertise));
	set(o, "ready", json_boolean(node_is_ready(l->node)));
	set(o, "trouble", json_string(node_trouble(l->node)));
	return o;
}

static json_t *counters_json(const struct loop *l)
{
	struct node_metrics m;
	json_t *o = json_object();
	node_metrics(l->node, &m);
#define X(name, kind, help) set_number(o, #name, m.name);
	NODE_METRICS(X)
#undef X
	return o;
}

static json_t *reaping_json(const struct loop *l, const struct layout *y)
{
	static const char *const steps[REAP_STEP_END] = {"none", "promise", "match", "prove", "sweep"};
	struct node_reaping r;
	json_t *o = json_object();
	node_reaping(l->node, &r);
	int index = y == NULL ? -1 : layout_find(y, r.waits_for);
	set(o, "waiting", json_boolean(r.mortal));
	set_number(o, "horizon_ms", r.horizon.v >> 16);
	set(o, "step", json_string(steps[r.step]));
	set_number(o, "round_ms", r.step == REAP_IDLE ? 0 : r.round.v >> 16);
	if (index < 0) return o;
	set_hex(o, "waits_for_id", r.waits_for.v);
	set_bytes(o, "waits_for", y->members[index].name);
	return o;
}

static json_t *disk_json(const struct loop *l)
{
	struct store_usage u;
	json_t *o = json_object();
	storer_usage(l->storer, &u);
	set_number(o, "bytes", u.bytes);
	set_number(o, "free_bytes", u.free_bytes);
	set(o, "read_only", json_boolean(u.read_only));
	return o;
}

static int status(const struct loop *l, struct buffer *to)
{
	const struct layout *y = node_layout(l->node);
	json_t *o = json_object();
	set(o, "node", node_json(l));
	set(o, "cluster", y == NULL ? json_null() : cluster_json(y));
	set(o, "members", y == NULL ? json_array() : members_json(l, y));
	set(o, "reaping", reaping_json(l, y));
	set(o, "disk", disk_json(l));
	set(o, "counters", counters_json(l));
	dump(o, to);
	return 200;
}

/* Q arrays of N places in `members`. */
static json_t *table_json(const struct layout *y)
{
	json_t *table = json_array();
	for (uint32_t p = 0; p < y->partitions; p++) {
		json_t *places = json_array();
		for (uint32_t i = 0; i < y->replicas; i++)
			json_array_append_new(places, json_integer(y->primaries[p * y->replicas + i]));
		json_array_append_new(table, places);
	}
	return table;
}

static int layout(const struct loop *l, struct buffer *to)
{
	const struct layout *y = node_layout(l->node);
	if (y == NULL) return refuse(to, 503, node_trouble(l->node));
	json_t *o = cluster_json(y);
	set(o, "members", members_json(l, y));
	set(o, "primaries", table_json(y));
	dump(o, to);
	return 200;
}

/* ---- where a key lives ---------------------------------------------------------------------- */

static struct member_set members_up(const struct loop *l, const struct layout *y)
{
	struct member_set up = {0};
	for (uint32_t i = 0; i < y->member_count; i++)
		if (is_up(l, y->members[i].id)) member_set_add(&up, i);
	return up;
}

static json_t *place_json(const struct layout *y, const struct preference *p, unsigned place)
{
	json_t *o = json_object();
	char why[128];
	set_hex(o, "id", y->members[p->member].id.v);
	set_bytes(o, "name", y->members[p->member].name);
	set(o, "up", json_boolean(p->up));
	set(o, "fallback", json_boolean(p->fallback));
	if (p->fallback) set_bytes(o, "stands_for", y->members[p->stands_for].name);
	if (p->fallback)
		snprintf(why, sizeof why, "fallback: the primary of place %u is believed down", place + 1);
	else if (!p->up)
		snprintf(why, sizeof why, "primary of place %u; believed down, and no fallback is left",
		         place + 1);
	else
		snprintf(why, sizeof why, "primary of place %u", place + 1);
	set(o, "why", json_string(why));
	return o;
}

/* A name from the query, within its limits. */
static bool name_param(const struct http_target *t, const char *name, size_t most,
                       struct bytes *value)
{
	return http_target_param(t, name, value) && value->len > 0 && value->len <= most;
}

static struct bytes type_param(const struct http_target *t)
{
	struct bytes type;
	return http_target_param(t, "type", &type) && type.len > 0 ? type : BYTES("default");
}

static int ring(const struct loop *l, const struct http_target *t, struct buffer *to)
{
	const struct layout *y = node_layout(l->node);
	struct bytes type = type_param(t), bucket, key;
	uint8_t full[FULL_KEY_BYTES_MAX];
	struct preference list[REPLICAS_MAX];
	if (y == NULL) return refuse(to, 503, node_trouble(l->node));
	if (type.len > TYPE_BYTES_MAX || !name_param(t, "bucket", BUCKET_BYTES_MAX, &bucket) ||
	    !name_param(t, "key", NAME_BYTES_MAX, &key))
		return refuse(to, 400, "expected ?bucket=B&key=K, and type=T unless it is `default`");
	full_key_write(full, type, bucket, key);
	struct key_hash hash = key_hash_of(bytes_of(full, full_key_len(type, bucket, key)));
	struct partition_id partition = partition_of(y, hash);
	struct member_set up = members_up(l, y);
	unsigned count = ring_preference(y, partition, y->replicas, &up, list);
	json_t *o = json_object(), *places = json_array();
	set_number(o, "epoch", y->epoch.v);
	set_number(o, "partition", partition.v);
	set_hex(o, "hash", hash.v);
	for (unsigned i = 0; i < count; i++) json_array_append_new(places, place_json(y, &list[i], i));
	set(o, "preference", places);
	dump(o, to);
	return 200;
}

/* ---- draining ------------------------------------------------------------------------------- */

static bool wants_cancel(const struct http_target *t)
{
	struct bytes value;
	return http_target_param(t, "cancel", &value) && bytes_equal(value, BYTES("true"));
}

/* Members whose absence keeps copies and hints here. */
static json_t *away_json(const struct loop *l)
{
	const struct layout *y = node_layout(l->node);
	json_t *list = json_array();
	for (uint32_t i = 0; y != NULL && i < y->member_count; i++) {
		if (is_up(l, y->members[i].id)) continue;
		json_t *o = json_object();
		set_hex(o, "id", y->members[i].id.v);
		set_bytes(o, "name", y->members[i].name);
		json_array_append_new(list, o);
	}
	return list;
}

int admin_drain(struct loop *l, const struct http_target *t, bool change, struct buffer *to)
{
	struct node_metrics m;
	if (change) {
		bool on = !wants_cancel(t);
		if (on != node_is_draining(l->node))
			log_text(l->log, LOG_LEVEL_INFO, on ? "draining" : "no longer draining");
		loop_drain(l, on);
	}
	node_metrics(l->node, &m);
	bool draining = node_is_draining(l->node), idle = node_is_idle(l->node);
	json_t *o = json_object();
	set(o, "draining", json_boolean(draining));
	set(o, "done", json_boolean(draining && idle && m.stand_ins == 0 && m.hints == 0));
	set_number(o, "requests", idle ? 0 : m.coord_slots_used);
	set_number(o, "stand_ins", m.stand_ins);
	set_number(o, "stand_in_bytes", m.stand_in_bytes);
	set_number(o, "hints", m.hints);
	set_number(o, "hint_bytes", m.hint_bytes);
	set(o, "away", away_json(l));
	dump(o, to);
	return 200;
}

int admin_answer(struct loop *l, struct bytes what, const struct http_target *t, struct buffer *to)
{
	if (bytes_equal(what, BYTES("status"))) return status(l, to);
	if (bytes_equal(what, BYTES("layout"))) return layout(l, to);
	if (bytes_equal(what, BYTES("ring"))) return ring(l, t, to);
	return 404;
}

/* ---- comparing replicas --------------------------------------------------------------------- */

static bool number_param(const struct http_target *t, const char *name, uint32_t *value)
{
	struct bytes text;
	uint32_t number = 0;
	if (!http_target_param(t, name, &text) || text.len == 0 || text.len > 9) return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9') return false;
		number = number * 10 + (uint32_t)(text.data[i] - '0');
	}
	*value = number;
	return true;
}

/* All full keys of a bucket begin so: its type and its name, each behind its length. */
static struct bytes prefix_of(uint8_t *to, struct bytes type, struct bytes bucket)
{
	put_u16be(to, (uint16_t)type.len);
	memcpy(to + 2, type.data, type.len);
	put_u16be(to + 2 + type.len, (uint16_t)bucket.len);
	memcpy(to + 4 + type.len, bucket.data, bucket.len);
	return bytes_of(to, 4 + type.len + bucket.len);
}

int admin_compare_request(struct loop *l, const struct http_target *t, uint8_t *prefix,
                          struct event *ev, struct buffer *to)
{
	const struct layout *y = node_layout(l->node);
	struct bytes type = type_param(t), bucket;
	uint32_t partition;
	assert(ev->type == EV_CLIENT_COMPARE);
	if (y == NULL) return refuse(to, 503, node_trouble(l->node));
	if (!number_param(t, "partition", &partition) || partition >= y->partitions)
		return refuse(to, 400, "expected ?partition=P below the number of partitions");
	if (http_target_param(t, "bucket", &bucket)) {
		if (bucket.len == 0 || bucket.len > BUCKET_BYTES_MAX || type.len > TYPE_BYTES_MAX)
			return refuse(to, 400, "the bucket or its type is empty or too long");
		ev->compare.prefix = prefix_of(prefix, type, bucket);
	}
	ev->compare.partition = (struct partition_id){partition};
	return 200;
}

static json_t *key_json(struct bytes full)
{
	struct bytes type, bucket, name;
	json_t *o = json_object();
	if (!full_key_split(full, &type, &bucket, &name)) return o;
	set_bytes(o, "type", type);
	set_bytes(o, "bucket", bucket);
	set_bytes(o, "key", name);
	return o;
}

/* The name of whoever did not answer. */
static void set_silent(const struct loop *l, json_t *o, struct node_id silent)
{
	const struct layout *y = node_layout(l->node);
	int index = y == NULL ? -1 : layout_find(y, silent);
	if (silent.v == 0) return;
	set_hex(o, "silent_id", silent.v);
	if (index >= 0) set_bytes(o, "silent", y->members[index].name);
}

int admin_compare(struct loop *l, const struct compare_result *result, struct buffer *to)
{
	json_t *o = json_object(), *examples = json_array();
	if (result->err != ERR_OK) set(o, "error", json_string(err_text(result->err)));
	set_silent(l, o, result->silent);
	set_number(o, "replicas", result->replicas);
	set_number(o, "keys", result->keys);
	set_number(o, "different", result->different);
	for (uint32_t i = 0; i < result->example_count; i++)
		json_array_append_new(examples, key_json(result->examples[i]));
	set(o, "examples", examples);
	dump(o, to);
	return result->err == ERR_OK ? 200 : err_http_status(result->err);
}
