/* bench.h - the load generator: one thread, one epoll, many connections.
 *
 *   phase:  LOAD (each key once, closed loop) -> WARM_UP -> MEASURE -> DRAIN (what is on the way) -> over
 *
 * An operation is measured when its start lies in MEASURE. In a closed loop it starts when it is
 * written to a connection that is free for it. In an open loop operation i starts at i / rate after
 * the beginning, whether or not a connection is free then: an operation that waits for one has been
 * waiting for its user too (no coordinated omission).
 *
 * Always true: an operation that was issued ends once, as an answer or as an error. A connection is
 * in `ready` at most once. */
#ifndef DUNLIN_DRIVE_BENCH_H
#define DUNLIN_DRIVE_BENCH_H

#include <sys/socket.h>

#include "drive/bench_answer.h"
#include "drive/bench_hist.h"
#include "drive/bench_options.h"
#include "drive/buffer.h"

enum bench_kind { BENCH_PUT, BENCH_GET };
#define BENCH_KINDS 2

enum bench_error {
	BENCH_REFUSED,     /* nobody listens */
	BENCH_UNREACHABLE, /* another reason not to get a connection */
	BENCH_LOST,        /* an operation whose connection ended before its answer */
	BENCH_TIMEOUT,     /* an operation without an answer in time */
	BENCH_GARBLED,     /* an answer that could not be read */
	BENCH_ERRORS
};
#define BENCH_STATUSES 600

/* What came out of one phase. */
struct bench_tally {
	struct bench_hist hist[BENCH_KINDS];
	uint64_t answered;               /* answers of any kind inside the measured time */
	uint64_t completed[BENCH_KINDS]; /* successes among them; the rate is made of these */
	uint64_t not_found;              /* of the reads */
	uint64_t unsent;                 /* open loop: due, and still waiting at the end */
	uint64_t errors[BENCH_ERRORS], statuses[BENCH_STATUSES];
	uint64_t start_ns, end_ns;
	uint64_t own_cpu_ns, servers_cpu_ns; /* while it was measured */
};

struct bench_op {
	uint64_t start_ns, sent_ns, key;
	enum bench_kind kind;
	bool measured;
};

enum bench_conn_state { BENCH_CLOSED, BENCH_CONNECTING, BENCH_OPEN };

struct bench_conn {
	int fd;
	enum bench_conn_state state;
	unsigned home, shift; /* node = (home + shift) modulo nodes: its own, or one that answers */
	unsigned failures;    /* since an answer; they make the waits longer */
	uint64_t retry_ns;    /* CLOSED: when to try again. CONNECTING: when to give up */
	bool ready, wants_out, closing;
	unsigned first, in_flight; /* ring of `pipeline` operations */
	struct bench_op *ops;
	bool in_body; /* of the answer whose head was read */
	unsigned status;
	uint64_t body_left;
	struct buffer in, out;
};

/* What is known of a key that is written with contexts. */
struct bench_key {
	uint8_t context_chars; /* 0: there is none */
	bool covered;          /* else it may have siblings we do not know: read it before a write */
	uint16_t writes;       /* on their way; two at once leave siblings */
	char context[BENCH_CONTEXT_CHARS_MAX];
};

/* A node, resolved, with the parts of a request that never change. */
struct bench_node {
	struct sockaddr_storage address;
	socklen_t address_len;
	struct buffer put_head, put_tail, get_head, get_tail;
};

enum bench_phase { BENCH_LOAD, BENCH_WARM_UP, BENCH_MEASURE, BENCH_DRAIN, BENCH_OVER };

struct bench {
	const struct bench_options *options;
	enum bench_phase phase;
	uint64_t phase_end_ns;
	struct bench_node nodes[BENCH_TARGETS_MAX];
	struct bench_conn *conns;
	struct bench_op *ops;                      /* of all connections */
	unsigned *ready, ready_first, ready_count; /* ring of connections with room for an operation */
	struct bench_keys draw;
	struct prng prng;
	struct bench_key *keys; /* NULL: writes are blind */
	uint8_t *value_pool, *scratch;
	int epoll, timer, signals;
	uint64_t in_flight, opened;          /* operations on their way; connections that ever opened */
	uint64_t schedule_ns, scheduled;     /* open loop: its beginning, and operations issued since */
	uint64_t issued, failed;             /* in this phase */
	uint64_t servers_ns[BENCH_PIDS_MAX]; /* CPU time of the servers when the measurement began */
	uint64_t began_ns, armed_ns;         /* the timer is set to armed_ns */
	uint64_t tick_ns, sweep_ns;          /* next progress line, next look at the connections */
	struct bench_tally *tally;           /* of MEASURE */
	struct bench_hist *second;           /* since the last progress line */
};

/* ---- bench_load.c --------------------------------------------------------------------------- */

/* Run it. False: it could not start, and was complained about. `*tally`: what was measured. */
bool bench_run(const struct cmd *cmd, const struct bench_options *o, struct bench_tally *tally);
/* From bench_conn.c: a connection has room. */
void bench_offer(struct bench *b, struct bench_conn *c);

/* ---- bench_op.c ----------------------------------------------------------------------------- */

/* The next operation of this phase. */
struct bench_op bench_op_draw(struct bench *b, uint64_t start_ns);
/* Its answer's head is here; it is whole; it will not come. */
void bench_op_learn(struct bench *b, const struct bench_op *op, const struct bench_answer *a);
void bench_op_answered(struct bench *b, const struct bench_op *op, unsigned status,
                       uint64_t now_ns);
void bench_op_failed(struct bench *b, const struct bench_op *op, enum bench_error e);

/* ---- bench_conn.c --------------------------------------------------------------------------- */

void bench_conn_connect(struct bench *b, struct bench_conn *c, uint64_t now_ns);
/* Put an operation on an open connection with room; sent by the next flush. */
void bench_conn_add(struct bench *b, struct bench_conn *c, const struct bench_op *op);
void bench_conn_flush(struct bench *b, struct bench_conn *c, uint64_t now_ns);
void bench_conn_on_event(struct bench *b, struct bench_conn *c, uint32_t events);
/* End it and what is on its way; it is tried again later. */
void bench_conn_lose(struct bench *b, struct bench_conn *c, enum bench_error e, uint64_t now_ns);
static inline bool bench_conn_has_room(const struct bench *b, const struct bench_conn *c)
{
	return c->state == BENCH_OPEN && !c->closing && c->in_flight < b->options->pipeline;
}

/* ---- bench_node.c --------------------------------------------------------------------------- */

/* Resolve a target and prepare its requests; false: *why says what failed. */
bool bench_node_init(struct bench_node *n, const struct bench_target *t,
                     const struct bench_options *o, const char **why);
void bench_node_free(struct bench_node *n);
/* Append a request. `k` may be NULL. */
bool bench_node_request(const struct bench_node *n, struct buffer *to, const struct bench_op *op,
                        const struct bench_key *k, struct bytes value);

/* ---- bench_clock.c -------------------------------------------------------------------------- */

uint64_t bench_now_ns(void); /* monotonic */
uint64_t bench_cpu_own_ns(void);
/* User and system time of a process so far, from /proc; 0 if it is gone. */
uint64_t bench_cpu_of_ns(int pid);

/* ---- bench_report.c ------------------------------------------------------------------------- */

/* One line to stderr. */
void bench_report_progress(const struct bench *b, uint64_t now_ns);
void bench_report_text(const struct bench_options *o, const struct bench_tally *t);
bool bench_report_json(const struct bench_options *o, const struct bench_tally *t);
uint64_t bench_report_errors(const struct bench_tally *t);
const char *bench_error_name(enum bench_error e);

#endif
