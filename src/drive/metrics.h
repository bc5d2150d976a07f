/* metrics.h - what the HTTP side counts, and everything the process counts as Prometheus text
 * (exposition format 0.0.4). */
#ifndef DUNLIN_DRIVE_METRICS_H
#define DUNLIN_DRIVE_METRICS_H

#include "drive/buffer.h"
#include "dunlin/types.h"

struct loop;

/* Upper bounds of the latency buckets, in microseconds: 1, 2, 5 a decade. The last has no bound. */
/* Left as it is: the formatter never agrees with itself about this list. */
/* clang-format off */
#define METRICS_BOUNDS(X) \
	X(100) X(200) X(500) X(1000) X(2000) X(5000) X(10000) X(20000) X(50000) X(100000) \
	X(200000) X(500000) X(1000000) X(2000000) X(5000000) X(10000000) X(60000000)
/* clang-format on */

enum {
#define X(us) METRICS_BUCKET_##us,
	METRICS_BOUNDS(X)
#undef X
		METRICS_BUCKET_REST,
	METRICS_BUCKETS
};

struct metrics_histogram {
	uint64_t counts[METRICS_BUCKETS];
	uint64_t sum_us;
};

#define METRICS_METHODS 10 /* enum http_method */
#define METRICS_CLASSES 6  /* status / 100 */

#define METRICS_HTTP(X)                                                                            \
	X(connections_accepted, COUNTER, "connections of clients accepted")                            \
	X(connections_refused, COUNTER, "connections refused at connections_max")                      \
	X(connections_given_up, COUNTER, "connections ended that took no answers or held too much")    \
	X(connections, GAUGE, "connections of clients now")                                            \
	X(requests_in_flight, GAUGE, "requests handed to the core and not yet answered")               \
	X(timeouts, COUNTER, "requests that did not arrive in time (408)")                             \
	X(replies_dropped, COUNTER, "answers whose client had gone")                                   \
	X(bytes_received, COUNTER, "bytes read from clients")                                          \
	X(bytes_sent, COUNTER, "bytes written to clients")

struct metrics {
	uint64_t requests[METRICS_METHODS][METRICS_CLASSES];
	struct metrics_histogram get, put, del;
#define X(name, kind, help) uint64_t name;
	METRICS_HTTP(X)
#undef X
};

void metrics_request(struct metrics *m, unsigned method, int status);
void metrics_observe(struct metrics_histogram *h, uint64_t us);

/* Append all of it. */
void metrics_render(const struct loop *l, struct buffer *to);

#endif
