/* loop.c - callbacks become events, effects become calls; no policy.
 *
 *   turn:  libevent's callbacks (each a step) -> tick if due -> clients -> layout -> flush peers -> timer
 *
 * Always true:
 *   L1  steps do not nest: the effects of one are all performed before the next begins;
 *   L2  what storage answers from its cache is handed over right after the step that asked, by
 *       storer_deliver, which is a loop of its own and no recursion.
 * Not here: opening files and memory (server.c), what the effects do (storer, peer, clients). */
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/panic.h"
#include "drive/clients.h"
#include "drive/libevent.h"
#include "drive/loop.h"
#include "drive/peer.h"
#include "drive/storer.h"
#include "ring/layout.h"

struct instant loop_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct instant){(uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000};
}

struct wall loop_wall(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (struct wall){(uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000};
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void perform(struct loop *l, const struct effect *fx)
{
	switch (fx->type) {
	case FX_SEND:
		/* What cannot be sent is lost like any message; the core has its deadlines. */
		peers_send(l->peers, fx->send.to, &fx->send.msg);
		return;
	case FX_STORE_READ:
	case FX_STORE_WRITE:
	case FX_STORE_SCAN: storer_do(l->storer, fx); return;
	case FX_REPLY: clients_reply(l->clients, fx->reply.client, &fx->reply.reply); return;
	case FX_REPLY_COMPARE:
		clients_reply_compare(l->clients, fx->compare.client, &fx->compare.result);
		return;
	case FX_REPLY_PROPS:
		clients_reply_props(l->clients, fx->props.client, &fx->props.result);
		return;
	case FX_REPLY_LIST: clients_reply_list(l->clients, fx->list.client, &fx->list.page); return;
	case FX_TRACE: traces_note(&l->traces, &fx->trace, loop_wall()); return;
	}
	unreachable();
}

static void perform_all(struct loop *l)
{
	for (uint32_t i = 0; i < l->effects.count; i++) perform(l, &l->effects.list[i]);
}

void loop_step(struct loop *l, struct event *ev)
{
	assert(!l->in_step);
	l->in_step = true;
	ev->now = loop_now();
	ev->wall = loop_wall();
	node_step(l->node, ev, &l->effects);
	perform_all(l);
	l->in_step = false;
	if (l->in_delivery) return;
	l->in_delivery = true;
	storer_deliver(l->storer);
	l->in_delivery = false;
}

/* ---- callbacks ------------------------------------------------------------------------------ */

static void on_stored(void *context, const struct event *completion)
{
	struct loop *l = context;
	struct event ev = *completion;
	/* Called out of storer_deliver, or out of the loop; either way the storer goes on by itself. */
	bool before = l->in_delivery;
	l->in_delivery = true;
	loop_step(l, &ev);
	l->in_delivery = before;
}

/* What the disk holds is unknown from here on. Nothing more may be answered. */
static void on_store_failed(void *context)
{
	struct loop *l = context;
	log_say(l->log, LOG_LEVEL_ERROR,
	        "the store could not make a write durable; stopping at once, since what the disk holds "
	        "is unknown. Check the disk before starting again",
	        LOG_S("dir", l->config->dir));
	_exit(1);
}

static void on_peer(struct loop *l, enum event_type type, struct node_id node)
{
	struct event ev = {.type = type, .peer = {node}};
	loop_step(l, &ev);
}

static void on_peer_up(void *context, struct node_id node)
{
	on_peer(context, EV_PEER_UP, node);
}

static void on_peer_down(void *context, struct node_id node)
{
	on_peer(context, EV_PEER_DOWN, node);
}

static void on_peer_message(void *context, struct node_id from, const struct msg *m)
{
	struct event ev = {.type = EV_PEER_MESSAGE, .message = {from, *m}};
	loop_step(context, &ev);
}

static void on_peer_log(void *context, const char *level, const char *line)
{
	struct loop *l = context;
	enum log_level at = LOG_LEVEL_WARN;
	if (!log_level_parse(level, &at)) at = LOG_LEVEL_WARN;
	log_fields(l->log, at, line);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	/* It only ends the wait; loop_turn looks whether a tick is due. */
	(void)fd;
	(void)what;
	(void)context;
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct loop *l = context;
	(void)what;
	if (l->stopping) {
		l->stopped = true;
		return;
	}
	log_say(l->log, LOG_LEVEL_INFO, "stopping",
	        LOG_S("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
	l->stopping = true;
	l->stop_at = (struct instant){loop_now().us + DRAIN_US};
	clients_drain(l->clients);
}

/* ---- turns ---------------------------------------------------------------------------------- */

/* The peers are told once about each layout. */
static void follow_layout(struct loop *l)
{
	const struct layout *y = node_layout(l->node);
	if (y == NULL || y->epoch.v == l->epoch) return;
	l->epoch = y->epoch.v;
	peers_set_cluster(l->peers, y->cluster);
	for (uint32_t i = 0; i < y->member_count; i++) {
		const struct member *m = &y->members[i];
		if (m->id.v != node_self(l->node).v) peers_know(l->peers, m->id, m->address);
	}
	log_say(l->log, LOG_LEVEL_INFO, "the layout is in force", LOG_U("epoch", y->epoch.v),
	        LOG_U("members", y->member_count), LOG_U("partitions", y->partitions),
	        LOG_U("replicas", y->replicas));
}

/* True: the core wants another tick at once. */
static bool tick_if_due(struct loop *l)
{
	struct event tick = {.type = EV_TICK};
	if (node_deadline(l->node).us > loop_now().us) return false;
	loop_step(l, &tick);
	return node_deadline(l->node).us <= loop_now().us;
}

static void set_timer(struct loop *l)
{
	uint64_t now = loop_now().us, at = node_deadline(l->node).us;
	if (l->stopping && l->stop_at.us < at) at = l->stop_at.us;
	uint64_t wait = at <= now ? 0 : at - now;
	struct timeval timeout = {(time_t)(wait / 1000000), (suseconds_t)(wait % 1000000)};
	if (wait > SECONDS(3600)) timeout.tv_sec = 3600;
	event_add(l->timer, &timeout);
}

/* After the callbacks. True: there is more to do at once. */
static bool loop_turn(struct loop *l)
{
	bool more = tick_if_due(l);
	more |= clients_turn(l->clients);
	follow_layout(l);
	peers_flush(l->peers);
	set_timer(l);
	return more;
}

void loop_drain(struct loop *l, bool on)
{
	struct event ev = {.type = EV_DRAIN, .drain = {on}};
	loop_step(l, &ev);
}

static void look_for_unsent(void *context, const struct peer_stats *s)
{
	struct loop *l = context;
	l->unsent |= s->queued_bytes > 0 && node_believes_up(l->node, s->node);
}

/* Our clients have their answers. Then no forwarded request is taken any more, and what was taken ends:
 * with its answer, and with a hint for whoever was late. */
static bool is_answered(struct loop *l)
{
	if (!clients_are_quiet(l->clients)) return false;
	if (!l->quiet) {
		l->quiet = true;
		loop_drain(l, true);
		peers_flush(l->peers);
	}
	l->unsent = false;
	peers_each(l->peers, look_for_unsent, l);
	return node_is_idle(l->node) && !l->unsent;
}

/* Everything that was accepted is answered, or the time for it is over. */
static bool is_over(struct loop *l)
{
	if (l->stopped) return true;
	if (node_cannot_start(l->node)) {
		log_say(l->log, LOG_LEVEL_ERROR, "the first start could not be recorded: is the disk full?",
		        LOG_S("dir", l->config->dir));
		return true;
	}
	if (!l->stopping) return false;
	if (is_answered(l)) return true;
	if (loop_now().us < l->stop_at.us) return false;
	log_text(l->log, LOG_LEVEL_WARN, "stopping although requests are unanswered");
	return true;
}

void loop_run(struct loop *l)
{
	bool more = loop_turn(l);
	while (!is_over(l)) {
		event_base_loop(l->base, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0));
		more = loop_turn(l);
	}
}

/* ---- opening -------------------------------------------------------------------------------- */

static bool out_of_memory(struct config_error *error)
{
	snprintf(error->text, sizeof error->text, "out of memory, threads or descriptors");
	return false;
}

static bool open_events(struct loop *l)
{
	static const int numbers[2] = {SIGTERM, SIGINT};
	l->base = event_base_new();
	if (l->base == NULL) return false;
	l->timer = event_new(l->base, -1, 0, on_timer, l);
	if (l->timer == NULL) return false;
	for (unsigned i = 0; i < 2; i++) {
		l->signals[i] = evsignal_new(l->base, numbers[i], on_signal, l);
		if (l->signals[i] == NULL || event_add(l->signals[i], NULL) != 0) return false;
	}
	return true;
}

static bool open_peers(struct loop *l, const struct peers_config *given, struct config_error *error)
{
	struct peers_config c = *given;
	c.self = node_self(l->node);
	c.ctx = l;
	c.up = on_peer_up;
	c.down = on_peer_down;
	c.message = on_peer_message;
	c.log = on_peer_log;
	l->peers = peers_new(l->base, &c);
	if (l->peers == NULL) {
		snprintf(error->text, sizeof error->text, "peer = %s: cannot listen there",
		         l->config->peer);
		return false;
	}
	for (uint32_t i = 0; i < l->config->join.count; i++)
		peers_dial(l->peers, bytes_of_string(l->config->join.items[i]));
	return true;
}

bool loop_open(struct loop *l, const struct config *config, const struct log *log,
               const struct loop_parts *parts, struct config_error *error)
{
	*l = (struct loop){.config = config, .log = log, .node = parts->node};
	struct storer_config storer = {.readers = (uint32_t)config->readers,
	                               .done = on_stored,
	                               .fatal = on_store_failed,
	                               .context = l};
	if (!open_events(l)) return out_of_memory(error);
	l->storer = storer_new(l->base, parts->store, &storer);
	if (l->storer == NULL) return out_of_memory(error);
	l->clients = clients_open(l, config->http, error);
	if (l->clients == NULL) return false;
	/* The first step draws the node's id, which the peers need before its effects are performed. */
	l->in_step = true;
	node_start(l->node, loop_now(), loop_wall(), &l->effects);
	if (!open_peers(l, parts->peers, error)) return false;
	perform_all(l);
	l->in_step = false;
	return true;
}

void loop_close(struct loop *l)
{
	if (l->clients != NULL) clients_close(l->clients);
	if (l->peers != NULL) peers_free(l->peers);
	if (l->storer != NULL) storer_stop(l->storer);
	for (unsigned i = 0; i < 2; i++)
		if (l->signals[i] != NULL) event_free(l->signals[i]);
	traces_free(&l->traces);
	if (l->timer != NULL) event_free(l->timer);
	if (l->base != NULL) event_base_free(l->base);
	*l = (struct loop){0};
}
