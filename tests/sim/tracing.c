/* tracing.c - see tracing.h. What is demanded of the trace of one request on one node:
 *
 *   T1  ADMITTED comes first and once, ENDED last; exactly one REPLIED before it
 *   T2  time does not go back; steps stay below TRACE_STEPS_MAX
 *   T3  nobody answers, is lost or stays silent who was not asked, and nobody answers twice
 *   T4  the answers it counts are as many as it says when the quorum is judged and when it replies; a
 *       write that is acknowledged had as many as it needed
 *   T5  what it says was answered is what the client got
 *
 * The workload numbers its traces, so a number names one request. */
#include "tests/sim/tracing.h"

#include <stdlib.h>
#include <string.h>

#include "base/panic.h"

struct told {
	uint32_t start, steps; /* of which life of the process; 0: nothing was told */
	uint64_t last_us;
	bool replied, ended, forwarded;
	uint32_t counted, fallbacks; /* answers since the last TURN */
	uint32_t asked, answered;    /* processes, since then */
	uint32_t repairing;
	struct trace_step reply;
};

struct tracing {
	struct told *told; /* [trace][process] */
	uint64_t room;     /* traces */
};

void tracing_init(struct world *w)
{
	w->tracing = calloc(1, sizeof *w->tracing);
	assert(w->tracing != NULL);
}

void tracing_free(struct world *w)
{
	free(w->tracing->told);
	free(w->tracing);
}

static struct told *told_of(struct world *w, uint16_t proc, struct trace_id trace)
{
	struct tracing *t = w->tracing;
	if (trace.v >= t->room) {
		uint64_t room = trace.v * 2 + 1024;
		t->told = realloc(t->told, room * w->options.nodes * sizeof *t->told);
		assert(t->told != NULL);
		memset(t->told + t->room * w->options.nodes, 0,
		       (room - t->room) * w->options.nodes * sizeof *t->told);
		t->room = room;
	}
	return &t->told[trace.v * w->options.nodes + proc];
}

static void lie(struct world *w, uint16_t proc, const struct trace_step *s, const char *what)
{
	world_fail(w, "trace", HIST_NOBODY, HIST_NOBODY, "%s, trace %llu, step %s: %s",
	           w->procs[proc].name, (unsigned long long)s->trace.v, trace_kind_name(s->kind), what);
}

/* ---- one step ------------------------------------------------------------------------------- */

static void on_answer(struct world *w, uint16_t proc, struct told *t, const struct trace_step *s)
{
	int who = world_find(w, s->node);
	if (who < 0) return; /* it has another id by now */
	uint32_t bit = 1U << who;
	if ((t->asked & bit) == 0) lie(w, proc, s, "of a node that was not asked");
	if ((t->answered & bit) != 0) lie(w, proc, s, "of a node that had answered");
	t->answered |= bit;
	if (s->kind != TRACE_ANSWERED || !s->counted) return;
	if (t->replied) lie(w, proc, s, "counted behind the reply");
	t->counted++;
	t->fallbacks += s->stands_for.v != 0;
}

static void on_repair(struct world *w, uint16_t proc, struct told *t, const struct trace_step *s)
{
	int who = world_find(w, s->node);
	if (who < 0) return;
	if (s->kind == TRACE_REPAIR) {
		t->repairing |= 1U << who;
		return;
	}
	if ((t->repairing & 1U << who) == 0) lie(w, proc, s, "of a node that was not sent a repair");
	t->repairing &= ~(1U << who);
}

/* To a question, or to a repair. */
static void on_silent(struct world *w, uint16_t proc, struct told *t, const struct trace_step *s)
{
	int who = world_find(w, s->node);
	if (who >= 0 && (t->repairing & 1U << who) != 0)
		on_repair(w, proc, t, s);
	else
		on_answer(w, proc, t, s);
}

static void on_replied(struct world *w, uint16_t proc, struct told *t, const struct trace_step *s)
{
	if (t->replied) lie(w, proc, s, "a second reply");
	t->replied = true;
	t->reply = *s;
	if (t->forwarded) return;
	if (s->got != t->counted) lie(w, proc, s, "other answers were counted than it says");
	if (s->fallbacks != t->fallbacks) lie(w, proc, s, "other fallbacks than it says");
	if (s->err == ERR_OK && s->write && s->got < s->need) lie(w, proc, s, "too few answers");
}

static void on_step(struct world *w, uint16_t proc, struct told *t, const struct trace_step *s)
{
	switch (s->kind) {
	case TRACE_TURN: t->counted = t->fallbacks = t->asked = t->answered = 0; break;
	case TRACE_FORWARDED: t->forwarded = true; break;
	case TRACE_ASKED:
		if (world_find(w, s->node) >= 0) t->asked |= 1U << world_find(w, s->node);
		break;
	case TRACE_ANSWERED:
	case TRACE_LOST: on_answer(w, proc, t, s); break;
	case TRACE_SILENT: on_silent(w, proc, t, s); break;
	case TRACE_QUORUM:
		if (s->got != t->counted) lie(w, proc, s, "other answers were counted than it says");
		break;
	case TRACE_REPAIR:
	case TRACE_REPAIRED: on_repair(w, proc, t, s); break;
	case TRACE_REPLIED: on_replied(w, proc, t, s); break;
	case TRACE_ENDED:
		if (!t->replied) lie(w, proc, s, "without a reply");
		t->ended = true;
		break;
	default: break;
	}
}

void tracing_on_step(struct world *w, uint16_t proc, const struct trace_step *step)
{
	struct told *t = told_of(w, proc, step->trace);
	assert(step->trace.v != 0 && w->procs[proc].start > 0);
	bool known = t->start == w->procs[proc].start;
	if ((step->kind == TRACE_ADMITTED) == known)
		lie(w, proc, step, known ? "a second time" : "before it was admitted");
	if (!known) *t = (struct told){.start = w->procs[proc].start};
	if (t->ended) lie(w, proc, step, "behind the end");
	if (step->at.us < t->last_us) lie(w, proc, step, "time goes back");
	if (++t->steps > TRACE_STEPS_MAX) lie(w, proc, step, "too many steps");
	t->last_us = step->at.us;
	on_step(w, proc, t, step);
}

/* ---- the answer, and the end ---------------------------------------------------------------- */

void tracing_on_reply(struct world *w, uint16_t proc, struct trace_id trace,
                      const struct reply *reply)
{
	const struct told *t = told_of(w, proc, trace);
	const struct trace_step *s = &t->reply;
	if (t->start != w->procs[proc].start || !t->replied)
		world_fail(w, "trace", HIST_NOBODY, HIST_NOBODY, "%s, trace %llu: answered, yet not told",
		           w->procs[proc].name, (unsigned long long)trace.v);
	else if (s->err != reply->err || s->outcome != reply->outcome ||
	         s->fallbacks != reply->fallbacks || s->siblings != reply->sibling_count ||
	         (reply->written && s->dot.at.v != reply->dot.at.v))
		lie(w, proc, s, "the client got another answer");
}

void tracing_check(struct world *w)
{
	for (uint64_t id = 0; id < w->tracing->room; id++) {
		for (uint16_t p = 0; p < w->options.nodes; p++) {
			const struct told *t = told_of(w, p, (struct trace_id){id});
			bool lives = w->procs[p].state == PROC_UP && w->procs[p].start == t->start;
			if (t->start != 0 && lives && !t->ended)
				world_fail(w, "trace", HIST_NOBODY, HIST_NOBODY, "%s, trace %llu: never ended",
				           w->procs[p].name, (unsigned long long)id);
		}
	}
}
