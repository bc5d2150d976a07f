/* metrics.c - counting, and the text that Prometheus reads.
 *
 * Names begin with dunlin_; counters end with _total, as the format's conventions ask; times are in
 * seconds. Not here: what the core counts (NODE_METRICS), which is only written out. */
#include "drive/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/panic.h"
#include "drive/loop.h"
#include "drive/members.h"
#include "drive/peer.h"
#include "drive/storer.h"
#include "ring/layout.h"
#include "wire/http.h"

static const uint64_t bounds_us[] = {
#define X(us) us,
	METRICS_BOUNDS(X)
#undef X
};
static_assert(sizeof bounds_us / sizeof bounds_us[0] == METRICS_BUCKET_REST,
              "a bound for each bucket but the last");

void metrics_request(struct metrics *m, unsigned method, int status)
{
	unsigned class = status < 0 ? 0 : (unsigned)status / 100;
	assert(method < METRICS_METHODS);
	m->requests[method][class < METRICS_CLASSES ? class : 0]++;
}

void metrics_observe(struct metrics_histogram *h, uint64_t us)
{
	unsigned i = 0;
	while (i < METRICS_BUCKET_REST && us > bounds_us[i]) i++;
	h->counts[i]++;
	h->sum_us += us;
}

/* ---- the text ------------------------------------------------------------------------------- */

enum kind { COUNTER, GAUGE };

static void head(struct buffer *to, const char *name, const char *type, const char *help)
{
	buffer_printf(to, "# HELP dunlin_%s %s\n# TYPE dunlin_%s %s\n", name, help, name, type);
}

static void number(struct buffer *to, const char *name, enum kind kind, const char *help,
                   uint64_t value)
{
	char full[96];
	snprintf(full, sizeof full, "%s%s", name, kind == COUNTER ? "_total" : "");
	head(to, full, kind == COUNTER ? "counter" : "gauge", help);
	buffer_printf(to, "dunlin_%s %llu\n", full, (unsigned long long)value);
}

static void render_core(const struct loop *l, struct buffer *to)
{
	struct node_metrics m;
	node_metrics(l->node, &m);
#define X(name, kind, help) number(to, #name, kind, help, m.name);
	NODE_METRICS(X)
#undef X
	number(to, "ready", GAUGE, "1 when the node is formed and serving", node_is_ready(l->node));
}

static void render_http(const struct loop *l, struct buffer *to)
{
	static const char *const methods[METRICS_METHODS] = {
		"other", "get", "head", "put", "post", "delete", "options", "trace", "connect", ""};
	const struct metrics *m = &l->metrics;
	head(to, "http_requests_total", "counter", "requests answered, by method and class of status");
	for (unsigned i = 0; i + 1 < METRICS_METHODS; i++)
		for (unsigned class = 2; class < METRICS_CLASSES; class ++)
			buffer_printf(to, "dunlin_http_requests_total{method=\"%s\",status=\"%uxx\"} %llu\n",
			              methods[i], class, (unsigned long long)m->requests[i][class]);
#define X(name, kind, help) number(to, "http_" #name, kind, help, m->name);
	METRICS_HTTP(X)
#undef X
}

static void render_histogram(struct buffer *to, const char *operation,
                             const struct metrics_histogram *h)
{
	uint64_t below = 0;
	for (unsigned i = 0; i < METRICS_BUCKET_REST; i++) {
		below += h->counts[i];
		buffer_printf(to, "dunlin_request_seconds_bucket{op=\"%s\",le=\"%g\"} %llu\n", operation,
		              (double)bounds_us[i] / 1e6, (unsigned long long)below);
	}
	below += h->counts[METRICS_BUCKET_REST];
	buffer_printf(to,
	              "dunlin_request_seconds_bucket{op=\"%s\",le=\"+Inf\"} %llu\n"
	              "dunlin_request_seconds_sum{op=\"%s\"} %.6f\n"
	              "dunlin_request_seconds_count{op=\"%s\"} %llu\n",
	              operation, (unsigned long long)below, operation, (double)h->sum_us / 1e6,
	              operation, (unsigned long long)below);
}

static void render_latency(const struct loop *l, struct buffer *to)
{
	head(to, "request_seconds", "histogram",
	     "time from a whole request to its answer, for requests that the core took");
	render_histogram(to, "get", &l->metrics.get);
	render_histogram(to, "put", &l->metrics.put);
	render_histogram(to, "delete", &l->metrics.del);
}

/* A label's value: quotes, backslashes and line ends are escaped. */
static void render_label(struct buffer *to, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];
		if (c == '"' || c == '\\')
			buffer_printf(to, "\\%c", c);
		else if (c == '\n')
			buffer_printf(to, "\\n");
		else
			buffer_printf(to, "%c", c);
	}
}

enum of_member { MEMBER_UP, MEMBER_LAG, MEMBER_QUEUE_BYTES, MEMBER_QUEUE_MESSAGES };

static double figure_of(const struct member_figures *f, enum of_member what)
{
	switch (what) {
	case MEMBER_UP: return f->up ? 1 : 0;
	case MEMBER_LAG: return (double)f->lag_ms / 1000;
	case MEMBER_QUEUE_BYTES: return (double)f->queue_bytes;
	case MEMBER_QUEUE_MESSAGES: return (double)f->queue_messages;
	}
	unreachable();
}

static void render_each(struct buffer *to, const struct layout *y,
                        const struct member_figures *figures, enum of_member what, const char *name,
                        const char *help)
{
	head(to, name, "gauge", help);
	for (uint32_t i = 0; i < y->member_count; i++) {
		if (figures[i].self) continue;
		buffer_printf(to, "dunlin_%s{peer=\"", name);
		render_label(to, y->members[i].name);
		buffer_printf(to, "\",id=\"%016llx\"} %.15g\n", (unsigned long long)y->members[i].id.v,
		              figure_of(&figures[i], what));
	}
}

static void render_peers(const struct loop *l, struct buffer *to)
{
	const struct layout *y = node_layout(l->node);
	struct member_figures *f = y == NULL ? NULL : member_figures(l, y);
	if (f == NULL) return;
	number(to, "layout_epoch", GAUGE, "number of the layout in force", y->epoch.v);
	render_each(to, y, f, MEMBER_UP, "peer_up", "1 when the member is believed up");
	render_each(to, y, f, MEMBER_LAG, "peer_lag_seconds",
	            "age of the oldest write kept here that the member has not confirmed");
	render_each(to, y, f, MEMBER_QUEUE_BYTES, "peer_queue_bytes",
	            "bytes that wait to be written to the member");
	render_each(to, y, f, MEMBER_QUEUE_MESSAGES, "peer_queue_messages",
	            "messages among them that are not sealed yet");
	free(f);
}

/* Who holds up a round of reaping; nobody while none is under way. */
static void render_reaping(const struct loop *l, struct buffer *to)
{
	const struct layout *y = node_layout(l->node);
	struct node_reaping r;
	if (y == NULL) return;
	node_reaping(l->node, &r);
	head(to, "reap_waits_for", "gauge", "1 for the member that the round of reaping waits for");
	for (uint32_t i = 0; i < y->member_count; i++) {
		buffer_printf(to, "dunlin_reap_waits_for{peer=\"");
		render_label(to, y->members[i].name);
		buffer_printf(to, "\",id=\"%016llx\"} %d\n", (unsigned long long)y->members[i].id.v,
		              r.waits_for.v == y->members[i].id.v);
	}
}

static void render_sync(struct buffer *to, const struct storer_stats *st)
{
	uint64_t below = 0;
	head(to, "store_sync_seconds", "histogram", "time of one group commit, with its fdatasync");
	for (unsigned i = 0; i + 1 < STORER_SYNC_BUCKETS; i++) {
		below += st->sync_buckets[i];
		buffer_printf(to, "dunlin_store_sync_seconds_bucket{le=\"%g\"} %llu\n",
		              (double)(64ULL << i) / 1e6, (unsigned long long)below);
	}
	below += st->sync_buckets[STORER_SYNC_BUCKETS - 1];
	buffer_printf(to,
	              "dunlin_store_sync_seconds_bucket{le=\"+Inf\"} %llu\n"
	              "dunlin_store_sync_seconds_sum %.6f\ndunlin_store_sync_seconds_count %llu\n",
	              (unsigned long long)below, (double)st->sync_us_sum / 1e6,
	              (unsigned long long)below);
}

static void render_records(struct buffer *to, const struct record_cache_stats *c)
{
	number(to, "record_cache_hits", COUNTER, "reads answered by the cache of records", c->hits);
	number(to, "record_cache_misses", COUNTER, "reads that it left to the engine", c->misses);
	number(to, "record_cache_evictions", COUNTER, "records that made room for others",
	       c->evictions);
	number(to, "record_cache_drops", COUNTER, "times all of it was dropped: damage, rebuilds",
	       c->drops);
	number(to, "record_cache_records", GAUGE, "records in it", c->records);
	number(to, "record_cache_bytes", GAUGE, "bytes that it takes", c->bytes);
}

static void render_usage(const struct loop *l, struct buffer *to)
{
	struct store_usage u;
	storer_usage(l->storer, &u);
	number(to, "store_bytes", GAUGE, "bytes of the store on disk", u.bytes);
	number(to, "store_free_bytes", GAUGE, "bytes free on its disk", u.free_bytes);
	number(to, "store_read_only", GAUGE, "1 when writes are refused", u.read_only);
	number(to, "store_rebuilding", GAUGE, "damaged families being rebuilt", u.rebuilding);
	number(to, "store_rebuilds", COUNTER, "damaged families rebuilt", u.rebuilds);
	number(to, "store_lost_stretches", COUNTER, "stretches of keys that no rebuild could read",
	       u.lost_stretches);
	number(to, "store_lost_records", COUNTER, "records known by key that no rebuild could read",
	       u.lost_records);
	render_records(to, &u.records);
}

static void render_store(const struct loop *l, struct buffer *to)
{
	struct storer_stats st;
	storer_stats(l->storer, &st);
	number(to, "store_reads_cached", COUNTER, "reads answered from memory", st.reads_cached);
	number(to, "store_reads_pooled", COUNTER, "reads that went to a reader thread",
	       st.reads_pooled);
	number(to, "store_scans", COUNTER, "pages scanned", st.scans);
	number(to, "store_writes", COUNTER, "batches written", st.writes);
	number(to, "store_groups", COUNTER, "group commits, one fdatasync each", st.groups);
	number(to, "store_refused", COUNTER, "effects refused because a queue was full", st.refused);
	number(to, "store_group_max", GAUGE, "batches in the largest group", st.group_max);
	number(to, "store_writes_waiting", GAUGE, "batches that wait for the commit thread",
	       st.writes_waiting);
	number(to, "store_reads_waiting", GAUGE, "reads that wait for a thread", st.reads_waiting);
	render_usage(l, to);
	render_sync(to, &st);
}

/* What one round over the connections to peers adds up. */
struct traffic {
	uint64_t bytes_in, bytes_out, messages_in, messages_out, queued, dropped, connects, breaks,
		refused;
};

static void add_traffic(void *context, const struct peer_stats *s)
{
	struct traffic *t = context;
	t->bytes_in += s->bytes_in;
	t->bytes_out += s->bytes_out;
	t->messages_in += s->messages_in;
	t->messages_out += s->messages_out;
	t->queued += s->queued_bytes;
	t->dropped += s->dropped;
	t->connects += s->connects;
	t->breaks += s->breaks;
	t->refused += s->handshake_failures;
}

static void render_connections(const struct loop *l, struct buffer *to)
{
	struct traffic t = {0};
	struct peers_totals totals = peers_totals(l->peers);
	peers_each(l->peers, add_traffic, &t);
	number(to, "peer_bytes_received", COUNTER, "bytes read from peers", t.bytes_in);
	number(to, "peer_bytes_sent", COUNTER, "bytes written to peers", t.bytes_out);
	number(to, "peer_messages_received", COUNTER, "messages from peers", t.messages_in);
	number(to, "peer_messages_sent", COUNTER, "messages to peers", t.messages_out);
	number(to, "peer_queued_bytes", GAUGE, "bytes that wait to be written to peers", t.queued);
	number(to, "peer_dropped", COUNTER, "messages dropped because a queue was full", t.dropped);
	number(to, "peer_connects", COUNTER, "connections to peers that stood", t.connects);
	number(to, "peer_breaks", COUNTER, "connections to peers that broke", t.breaks);
	number(to, "peer_handshake_failures", COUNTER, "handshakes that failed, either way",
	       t.refused + totals.handshake_failures);
	number(to, "peer_accepted", COUNTER, "connections of peers accepted", totals.accepted);
	number(to, "peer_bad_messages", COUNTER, "messages that no peer of ours would send",
	       totals.bad_messages);
}

/* ---- the process ---------------------------------------------------------------------------- */

static uint64_t open_descriptors(void)
{
	uint64_t count = 0;
	DIR *dir = opendir("/proc/self/fd");
	if (dir == NULL) return 0;
	while (readdir(dir) != NULL) count++;
	closedir(dir);
	return count < 3 ? 0 : count - 3; /* ".", "..", and the directory itself */
}

static uint64_t resident_bytes(void)
{
	char line[128] = "";
	FILE *file = fopen("/proc/self/statm", "re");
	if (file == NULL) return 0;
	if (fgets(line, sizeof line, file) == NULL) line[0] = '\0';
	fclose(file);
	/* The second number. */
	char *second = strchr(line, ' ');
	unsigned long long pages = second == NULL ? 0 : strtoull(second, NULL, 10);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void render_process(struct buffer *to)
{
	struct rusage usage = {0};
	getrusage(RUSAGE_SELF, &usage);
	double seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	head(to, "process_cpu_seconds_total", "counter", "processor time, user and system");
	buffer_printf(to, "dunlin_process_cpu_seconds_total %.6f\n", seconds);
	number(to, "process_resident_bytes", GAUGE, "resident memory", resident_bytes());
	number(to, "process_open_fds", GAUGE, "open file descriptors", open_descriptors());
	number(to, "process_max_resident_bytes", GAUGE, "most resident memory so far",
	       (uint64_t)usage.ru_maxrss * 1024);
}

void metrics_render(const struct loop *l, struct buffer *to)
{
	render_core(l, to);
	render_http(l, to);
	render_latency(l, to);
	render_peers(l, to);
	render_reaping(l, to);
	render_store(l, to);
	render_connections(l, to);
	render_process(to);
}
