/* bench_load.c - the loop of the load generator: phases, schedule, timeouts. The picture is in
 * bench.h.
 *
 * In an open loop the thread sleeps on a timerfd until the next operation is due: epoll's own timeout
 * counts in milliseconds. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/panic.h"
#include "drive/bench.h"

#define SECOND_NS 1000000000ULL
#define SWEEP_NS (SECOND_NS / 100)
#define TURN_EVENTS 256
/* Not indexes of connections. */
#define ID_TIMER UINT32_MAX
#define ID_SIGNAL (UINT32_MAX - 1)

static_assert(BENCH_CONNECTIONS_MAX < ID_SIGNAL, "ids do not meet");

/* ---- issuing -------------------------------------------------------------------------------- */

void bench_offer(struct bench *b, struct bench_conn *c)
{
	if (c->ready || !bench_conn_has_room(b, c)) return;
	assert(b->ready_count < b->options->connections);
	c->ready = true;
	b->ready[(b->ready_first + b->ready_count++) % b->options->connections] =
		(unsigned)(c - b->conns);
}

static struct bench_conn *next_ready(struct bench *b)
{
	struct bench_conn *c = &b->conns[b->ready[b->ready_first]];
	assert(b->ready_count > 0 && c->ready);
	b->ready_first = (b->ready_first + 1) % b->options->connections;
	b->ready_count--;
	c->ready = false;
	return c;
}

static uint64_t load_total(const struct bench *b)
{
	return b->options->keys * (b->keys != NULL ? 2 : 1);
}

static bool is_open_loop(const struct bench *b)
{
	return b->options->rate > 0 && b->phase != BENCH_LOAD;
}

/* When operation `scheduled` starts. */
static uint64_t due_ns(const struct bench *b)
{
	uint64_t rate = b->options->rate, i = b->scheduled;
	return b->schedule_ns + i / rate * SECOND_NS + i % rate * SECOND_NS / rate;
}

static bool may_issue(const struct bench *b, uint64_t now)
{
	switch (b->phase) {
	case BENCH_LOAD: return b->issued < load_total(b);
	case BENCH_MEASURE:
		if (b->options->count > 0 && b->issued >= b->options->count) return false;
		break;
	case BENCH_WARM_UP: break;
	default: return false;
	}
	return b->options->rate == 0 || due_ns(b) <= now;
}

static void issue_due(struct bench *b)
{
	uint64_t now = bench_now_ns();
	while (b->ready_count > 0 && may_issue(b, now)) {
		struct bench_conn *c = next_ready(b);
		while (bench_conn_has_room(b, c) && may_issue(b, now)) {
			uint64_t start = is_open_loop(b) ? due_ns(b) : now;
			struct bench_op op = bench_op_draw(b, start);
			op.sent_ns = now;
			b->scheduled++;
			bench_conn_add(b, c, &op);
			/* In an open loop connections take turns, so that none waits behind another. */
			if (is_open_loop(b)) break;
		}
		if (c->state == BENCH_OPEN) bench_conn_flush(b, c, now);
		bench_offer(b, c);
		now = bench_now_ns();
	}
}

/* ---- phases --------------------------------------------------------------------------------- */

static void enter(struct bench *b, enum bench_phase phase, uint64_t now, uint64_t lasts_ns)
{
	b->phase = phase;
	b->phase_end_ns = now + lasts_ns;
	b->issued = b->failed = 0;
}

static void begin_measure(struct bench *b, uint64_t now)
{
	const struct bench_options *o = b->options;
	enter(b, BENCH_MEASURE, now, o->duration_s * SECOND_NS);
	b->tally->start_ns = now;
	b->tally->own_cpu_ns = bench_cpu_own_ns();
	for (unsigned i = 0; i < o->pid_count; i++) b->servers_ns[i] = bench_cpu_of_ns(o->pids[i]);
}

/* What was due and found no connection has waited until now, at least. */
static void count_unsent(struct bench *b, uint64_t now)
{
	struct bench_tally *t = b->tally;
	if (!is_open_loop(b)) return;
	for (; due_ns(b) < now && (b->options->count == 0 || b->issued < b->options->count);
	     b->scheduled++, b->issued++) {
		bool get = prng_below(&b->prng, 100) < b->options->read_percent;
		if (due_ns(b) < t->start_ns) continue;
		bench_hist_add(&t->hist[get ? BENCH_GET : BENCH_PUT], now - due_ns(b));
		t->unsent++;
	}
}

static void end_measure(struct bench *b, uint64_t now)
{
	struct bench_tally *t = b->tally;
	issue_due(b);
	t->end_ns = now;
	t->own_cpu_ns = bench_cpu_own_ns() - t->own_cpu_ns;
	/* What a process used that has ended meanwhile is lost. */
	for (unsigned i = 0; i < b->options->pid_count; i++) {
		uint64_t after = bench_cpu_of_ns(b->options->pids[i]);
		if (after > b->servers_ns[i]) t->servers_cpu_ns += after - b->servers_ns[i];
	}
	count_unsent(b, now);
	enter(b, BENCH_DRAIN, now, b->options->timeout_s * SECOND_NS);
}

static void end_load(struct bench *b, const struct cmd *cmd, uint64_t now)
{
	if (b->phase == BENCH_LOAD && b->failed > 0)
		cmd_complain(cmd, CMD_DONE, "%llu errors while the keys were written",
		             (unsigned long long)b->failed);
	enter(b, BENCH_WARM_UP, now, b->options->warm_up_s * SECOND_NS);
	b->schedule_ns = now;
	b->scheduled = 0;
}

static void advance(struct bench *b, const struct cmd *cmd, uint64_t now)
{
	bool late = now >= b->phase_end_ns, idle = b->in_flight == 0;
	switch (b->phase) {
	case BENCH_LOAD:
		if (late || (idle && b->issued == load_total(b))) end_load(b, cmd, now);
		break;
	case BENCH_WARM_UP:
		if (late) begin_measure(b, now);
		break;
	case BENCH_MEASURE:
		if (late || (idle && b->options->count > 0 && b->issued >= b->options->count))
			end_measure(b, now);
		break;
	case BENCH_DRAIN:
		if (late || idle) b->phase = BENCH_OVER;
		break;
	case BENCH_OVER: break;
	}
}

/* A signal: measure no more. */
static void interrupt(struct bench *b)
{
	struct signalfd_siginfo info;
	if (read(b->signals, &info, sizeof info) <= 0) return;
	if (b->phase == BENCH_MEASURE)
		end_measure(b, bench_now_ns());
	else
		b->phase = BENCH_OVER;
}

/* ---- time ----------------------------------------------------------------------------------- */

static void sweep(struct bench *b, uint64_t now)
{
	uint64_t timeout_ns = b->options->timeout_s * SECOND_NS;
	for (unsigned i = 0; i < b->options->connections; i++) {
		struct bench_conn *c = &b->conns[i];
		if (c->state == BENCH_CLOSED && now >= c->retry_ns)
			bench_conn_connect(b, c, now);
		else if (c->state == BENCH_CONNECTING && now >= c->retry_ns)
			bench_conn_lose(b, c, BENCH_UNREACHABLE, now);
		else if (c->in_flight > 0 && now - c->ops[c->first].sent_ns > timeout_ns)
			bench_conn_lose(b, c, BENCH_TIMEOUT, now);
	}
}

static void on_time(struct bench *b, const struct cmd *cmd)
{
	uint64_t now = bench_now_ns();
	if (now >= b->sweep_ns) {
		sweep(b, now);
		b->sweep_ns = now + SWEEP_NS;
	}
	advance(b, cmd, now);
	if (now >= b->tick_ns) {
		bench_report_progress(b, now);
		bench_hist_clear(b->second);
		b->tick_ns += SECOND_NS;
	}
}

/* Wake up at the next thing to do without being told. */
static void arm(struct bench *b)
{
	uint64_t at = b->sweep_ns < b->tick_ns ? b->sweep_ns : b->tick_ns;
	bool issuing = b->phase == BENCH_WARM_UP || b->phase == BENCH_MEASURE;
	if (b->phase_end_ns < at) at = b->phase_end_ns;
	if (b->options->rate > 0 && issuing && b->ready_count > 0 && due_ns(b) < at) at = due_ns(b);
	if (at == b->armed_ns && at > bench_now_ns()) return;
	struct itimerspec when = {.it_value = {(time_t)(at / SECOND_NS), (long)(at % SECOND_NS)}};
	if (timerfd_settime(b->timer, TFD_TIMER_ABSTIME, &when, NULL) != 0) unreachable();
	b->armed_ns = at;
}

static void turn(struct bench *b)
{
	struct epoll_event events[TURN_EVENTS];
	arm(b);
	int count = epoll_wait(b->epoll, events, TURN_EVENTS, -1);
	for (int i = 0; i < count; i++) {
		uint32_t id = events[i].data.u32;
		if (id == ID_SIGNAL) interrupt(b);
		if (id == ID_SIGNAL || id == ID_TIMER) continue;
		bench_conn_on_event(b, &b->conns[id], events[i].events);
		issue_due(b);
	}
}

/* ---- the run -------------------------------------------------------------------------------- */

static bool open_fds(struct bench *b, const sigset_t *signals)
{
	struct epoll_event timer = {.events = EPOLLIN | EPOLLET, .data.u32 = ID_TIMER};
	struct epoll_event signal = {.events = EPOLLIN, .data.u32 = ID_SIGNAL};
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	b->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	b->signals = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
	return b->epoll >= 0 && b->timer >= 0 && b->signals >= 0 &&
	       epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->timer, &timer) == 0 &&
	       epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->signals, &signal) == 0;
}

static bool take_memory(struct bench *b)
{
	const struct bench_options *o = b->options;
	bool writes = o->read_percent < 100 || o->load;
	size_t pool = o->value_bytes + 4096 + sizeof(uint64_t);
	b->conns = calloc(o->connections, sizeof *b->conns);
	b->ops = calloc((size_t)o->connections * o->pipeline, sizeof *b->ops);
	b->ready = calloc(o->connections, sizeof *b->ready);
	b->second = calloc(1, sizeof *b->second);
	b->scratch = malloc(KIB(256));
	b->value_pool = malloc(pool);
	if (o->contexts && writes) b->keys = calloc(o->keys, sizeof *b->keys);
	if (b->conns == NULL || b->ops == NULL || b->ready == NULL || b->second == NULL ||
	    b->scratch == NULL || b->value_pool == NULL || (o->contexts && writes && b->keys == NULL))
		return false;
	for (size_t i = 0; i + sizeof(uint64_t) <= pool; i += sizeof(uint64_t)) {
		uint64_t random = prng_next(&b->prng);
		memcpy(b->value_pool + i, &random, sizeof random);
	}
	for (unsigned i = 0; i < o->connections; i++) {
		b->conns[i].fd = -1;
		b->conns[i].home = i % o->target_count;
		b->conns[i].ops = b->ops + (size_t)i * o->pipeline;
	}
	return true;
}

static void give_back(struct bench *b)
{
	for (unsigned i = 0; b->conns != NULL && i < b->options->connections; i++) {
		if (b->conns[i].fd >= 0) close(b->conns[i].fd);
		buffer_free(&b->conns[i].in);
		buffer_free(&b->conns[i].out);
	}
	for (unsigned i = 0; i < b->options->target_count; i++) bench_node_free(&b->nodes[i]);
	if (b->epoll >= 0) close(b->epoll);
	if (b->timer >= 0) close(b->timer);
	if (b->signals >= 0) close(b->signals);
	free(b->conns);
	free(b->ops);
	free(b->ready);
	free(b->second);
	free(b->scratch);
	free(b->value_pool);
	free(b->keys);
}

static bool find_nodes(struct bench *b, const struct cmd *cmd)
{
	const char *why = "";
	for (unsigned i = 0; i < b->options->target_count; i++) {
		const struct bench_target *t = &b->options->targets[i];
		if (bench_node_init(&b->nodes[i], t, b->options, &why)) continue;
		cmd_complain(cmd, CMD_FAILED, "%s: %s", t->host, why);
		return false;
	}
	return true;
}

/* False: no node ever took a connection. */
static bool go(struct bench *b, const struct cmd *cmd)
{
	b->began_ns = b->sweep_ns = bench_now_ns();
	b->tick_ns = b->began_ns + SECOND_NS;
	if (b->options->load)
		enter(b, BENCH_LOAD, b->began_ns, 1000 * BENCH_LOAD_US);
	else
		end_load(b, cmd, b->began_ns);
	while (b->phase != BENCH_OVER) {
		on_time(b, cmd);
		issue_due(b);
		if (b->phase != BENCH_OVER) turn(b);
		if (b->opened == 0 && bench_now_ns() > b->began_ns + 1000 * BENCH_CONNECT_US) {
			cmd_complain(cmd, CMD_FAILED, "no node takes a connection; is one running?");
			return false;
		}
	}
	b->tally->errors[BENCH_TIMEOUT] += b->in_flight; /* not answered when it was over */
	return true;
}

bool bench_run(const struct cmd *cmd, const struct bench_options *o, struct bench_tally *tally)
{
	struct bench *b = calloc(1, sizeof *b);
	sigset_t signals, before;
	if (b == NULL) return cmd_complain(cmd, CMD_FAILED, "out of memory") == CMD_DONE;
	memset(tally, 0, sizeof *tally);
	b->options = o;
	b->tally = tally;
	b->epoll = b->timer = b->signals = -1;
	prng_seed(&b->prng, o->seed);
	bench_keys_init(&b->draw, o->dist, o->keys, o->exponent);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	bool done = find_nodes(b, cmd);
	if (done && (!open_fds(b, &signals) || !take_memory(b)))
		done = cmd_complain(cmd, CMD_FAILED, "cannot start: %s", strerror(errno)) == CMD_DONE;
	done = done && go(b, cmd);
	give_back(b);
	free(b);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return done;
}
