/* answer_root.c - what is here: `/` as JSON, as a Link field, and as a page for people; and who holds
 * a key. Only what this build does is named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/client.h"
#include "drive/cmd.h"
#include "ring/layout.h"
#include "ring/ring.h"
#include "wire/http_accept.h"
#include "wire/http_fields.h"
#include "wire/http_json.h"

/* Names that clients of this kind look for. */
static const struct {
	const char *name, *path;
} resources[] = {
	{"riak_kv_wm_bucket_type", "/types"}, {"riak_kv_wm_buckets", "/buckets"},
	{"riak_kv_wm_counter", "/buckets"},   {"riak_kv_wm_keylist", "/buckets"},
	{"riak_kv_wm_object", "/buckets"},    {"riak_kv_wm_props", "/buckets"},
	{"riak_kv_wm_preflist", "/buckets"},  {"riak_kv_wm_ping", "/ping"},
	{"riak_kv_wm_stats", "/stats"},
};
enum { RESOURCES = sizeof resources / sizeof resources[0] };

static void put_links(char *to, size_t room)
{
	size_t len = (size_t)snprintf(to, room, "Vary: Accept\r\nLink: ");
	for (unsigned i = 0; i < RESOURCES; i++)
		len += (size_t)snprintf(to + len, room - len, "%s<%s>; rel=\"%s\"", i > 0 ? ", " : "",
		                        resources[i].path, resources[i].name);
	len += (size_t)snprintf(to + len, room - len, "\r\n");
	assert(len < room);
}

static void put_json(struct buffer *to)
{
	for (unsigned i = 0; i < RESOURCES; i++)
		buffer_printf(to, "%s\"%s\":\"%s\"", i > 0 ? "," : "{", resources[i].name,
		              resources[i].path);
	buffer_printf(to, "}\n");
}

/* ---- the page ----------------------------------------------------------------------------------- */

/* Text of others, harmless in HTML. */
static void put_text(struct buffer *to, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		bool plain = c >= 0x20 && c != '<' && c != '>' && c != '&' && c != '"' && c < 0x7f;
		if (plain)
			buffer_append(to, bytes_of(&c, 1));
		else
			buffer_printf(to, "&#%u;", c < 0x20 || c == 0x7f ? 0xfffdU : c);
	}
}

static bool is_up(const struct node *n, const struct member *m)
{
	return m->id.v == node_self(n).v || node_believes_up(n, m->id);
}

static void put_member(const struct node *n, const struct member *m, bool zones, struct buffer *to)
{
	bool up = is_up(n, m);
	buffer_printf(to, "<tr><td>");
	put_text(to, m->name);
	buffer_printf(to, "</td><td>");
	put_text(to, m->address);
	if (zones) {
		buffer_printf(to, "</td><td>");
		put_text(to, m->zone);
	}
	buffer_printf(to, "</td><td class=\"%s\">%s</td></tr>\n", up ? "up" : "down",
	              m->id.v == node_self(n).v ? "this node"
	              : up                      ? "up"
	                                        : "down");
}

static int by_name(const void *left, const void *right)
{
	const struct member *const *a = left, *const *b = right;
	return bytes_compare((*a)->name, (*b)->name);
}

/* The members by name, as many as a page should have; what is above it is in /admin/layout. */
static void put_members(const struct node *n, const struct layout *y, struct buffer *to)
{
	const struct member *members[MEMBERS_MAX] = {NULL};
	bool zones = false;
	for (uint32_t i = 0; i < y->member_count; i++) {
		members[i] = &y->members[i];
		zones |= y->members[i].zone.len > 0;
	}
	qsort(members, y->member_count, sizeof members[0], by_name);
	buffer_printf(to, "<table><tr><th>name<th>peers at%s<th>state</tr>\n", zones ? "<th>zone" : "");
	for (uint32_t i = 0; i < y->member_count && i < 64; i++) put_member(n, members[i], zones, to);
	buffer_printf(to, "</table>\n");
	if (y->member_count > 64)
		buffer_printf(to, "<p>and %u more: <a href=\"/admin/layout\">/admin/layout</a></p>\n",
		              y->member_count - 64);
}

static void put_cluster(const struct client *c, struct buffer *to)
{
	const struct node *n = c->all->loop->node;
	const struct layout *y = node_layout(n);
	if (y == NULL) {
		buffer_printf(to, "<p>It belongs to no cluster yet: %s</p>\n", node_trouble(n));
		return;
	}
	uint32_t down = 0;
	for (uint32_t i = 0; i < y->member_count; i++) down += !is_up(n, &y->members[i]);
	buffer_printf(to, "<p>Layout %llu: %u partitions, %u replicas of each key, %u member%s",
	              (unsigned long long)y->epoch.v, y->partitions, y->replicas, y->member_count,
	              y->member_count == 1 ? "" : "s");
	if (down == 0)
		buffer_printf(to, ", <span class=\"up\">all up</span>.</p>\n");
	else
		buffer_printf(to, ", <span class=\"down\">%u down</span>.</p>\n", down);
	put_members(n, y, to);
}

static const char page_head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width\"><title>Dunlin</title>\n"
	"<link rel=\"icon\" href=\"data:,\">\n<style>"
	"body{font:16px/1.5 system-ui,sans-serif;max-width:46em;margin:2em auto;padding:0 "
	"1em;color:#222;"
	"background:#fff}code,pre{font:14px/1.5 ui-monospace,monospace;background:#f4f4f0}"
	"pre{padding:.8em 1em;overflow-x:auto}table{border-collapse:collapse}"
	"td,th{text-align:left;padding:.2em 1.2em .2em 0;border-bottom:1px solid #ddd}"
	".up{color:#166534}.down{color:#b91c1c}li{margin:.2em 0}</style></head>\n<body>\n";

static const char page_links[] =
	"<h2>Where to go</h2>\n<ul>\n"
	"<li><a href=\"/ready\">/ready</a>: does it serve?</li>\n"
	"<li><a href=\"/admin/status\">/admin/status</a>: the node, its cluster, its counters, as "
	"JSON</li>\n"
	"<li><a href=\"/admin/layout\">/admin/layout</a>: who holds which partition</li>\n"
	"<li><a href=\"/metrics\">/metrics</a>: for Prometheus; <a href=\"/stats\">/stats</a>: as "
	"JSON</li>\n"
	"<li><a href=\"/buckets?buckets=true\">/buckets?buckets=true</a>: which buckets there are "
	"(reads everything)</li>\n</ul>\n";

/* How the reader came here, if that is a host and a port and nothing to be wary of. */
static struct bytes own_address(const struct client *c)
{
	struct bytes host = http_header(&c->all->request, HTTP_NAME_HOST, NULL);
	bool good = host.len > 0 && host.len <= 255;
	for (size_t i = 0; i < host.len && good; i++) {
		uint8_t letter = host.data[i] | 0x20;
		good =
			(letter >= 'a' && letter <= 'z') || memchr("0123456789.:-[]", host.data[i], 15) != NULL;
	}
	return good ? host : bytes_of_string(c->all->loop->config->http);
}

static void put_page(const struct client *c, struct buffer *to)
{
	const struct loop *l = c->all->loop;
	struct bytes host = own_address(c);
	const char *url = (const char *)host.data, *trouble = node_trouble(l->node);
	bool ready = node_is_ready(l->node);
	buffer_append(to, bytes_of(page_head, sizeof page_head - 1));
	buffer_printf(to, "<h1>Dunlin</h1>\n<p>This is node <b>");
	put_text(to, bytes_of_string(l->config->name));
	buffer_printf(to, "</b>, version %s. It is <span class=\"%s\">%s</span>", CMD_VERSION,
	              ready ? "up" : "down", ready ? "ready" : "not ready");
	if (trouble[0] != '\0') buffer_printf(to, ": ");
	put_text(to, bytes_of_string(trouble));
	buffer_printf(to, ".</p>\n<h2>Its cluster</h2>\n");
	put_cluster(c, to);
	int len = (int)host.len;
	buffer_printf(
		to,
		"<h2>To try</h2>\n<pre>curl -i -X PUT -H 'Content-Type: text/plain' -d 'hello' \\\n"
		"    http://%.*s/buckets/greetings/keys/first\n"
		"curl -i http://%.*s/buckets/greetings/keys/first\n"
		"curl http://%.*s/buckets/greetings/props</pre>\n",
		len, url, len, url, len, url);
	buffer_append(to, bytes_of(page_links, sizeof page_links - 1));
	buffer_printf(to, "</body></html>\n");
}

void answer_root(struct client *c)
{
	struct buffer body = {0};
	char links[1024];
	c->all->scratch.used = 0;
	struct bytes accept = http_fields_join(&c->all->request, HTTP_NAME_ACCEPT, &c->all->scratch);
	bool json = http_accept_prefers_json(accept);
	put_links(links, sizeof links);
	if (json)
		put_json(&body);
	else
		put_page(c, &body);
	answer_text(c, 200, json ? "application/json" : "text/html; charset=utf-8", links,
	            bytes_of(buffer_head(&body), body.len));
	buffer_free(&body);
}

/* ---- who holds a key -------------------------------------------------------------------------------- */

static struct member_set members_up(const struct client *c, const struct layout *y)
{
	struct member_set up = {0};
	const struct node *n = c->all->loop->node;
	for (uint32_t i = 0; i < y->member_count; i++)
		if (y->members[i].id.v == node_self(n).v || node_believes_up(n, y->members[i].id))
			member_set_add(&up, i);
	return up;
}

static void put_name(struct buffer *to, struct bytes name)
{
	struct http_out out = {0};
	http_json_any(&out, name);
	uint8_t *room = buffer_room(to, out.len);
	if (room == NULL) return;
	out = (struct http_out){room, out.len, 0};
	http_json_any(&out, name);
	buffer_added(to, out.len);
}

/* {"preflist":[{"partition":P,"node":"NAME","primary":true}, ...]} */
void answer_preflist(struct client *c, const struct http_target *t)
{
	const struct layout *y = node_layout(c->all->loop->node);
	uint8_t full[FULL_KEY_BYTES_MAX];
	struct preference list[REPLICAS_MAX];
	struct props props;
	struct buffer text = {0};
	if (y == NULL) {
		answer_not_ready(c);
		return;
	}
	if (t->type.len > TYPE_BYTES_MAX || t->bucket.len > BUCKET_BYTES_MAX ||
	    t->key.len > NAME_BYTES_MAX) {
		answer_line(c, 400, "a name is too long\n");
		return;
	}
	if (node_props(c->all->loop->node, t->type, t->bucket, &props) != ERR_OK) {
		answer_no_type(c, t->type);
		return;
	}
	full_key_write(full, t->type, t->bucket, t->key);
	struct key_hash hash = key_hash_of(bytes_of(full, full_key_len(t->type, t->bucket, t->key)));
	struct partition_id partition = partition_of(y, hash);
	struct member_set up = members_up(c, y);
	unsigned count = ring_preference(y, partition, (unsigned)props.v[PROP_n_val], &up, list);
	buffer_printf(&text, "{\"preflist\":[");
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(&text, "%s{\"partition\":%u,\"node\":", i > 0 ? "," : "", partition.v);
		put_name(&text, y->members[list[i].member].name);
		buffer_printf(&text, ",\"primary\":%s}", list[i].fallback ? "false" : "true");
	}
	buffer_printf(&text, "]}\n");
	answer_buffer(c, 200, "application/json", &text);
}
