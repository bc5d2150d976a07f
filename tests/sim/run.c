/* run.c - see run.h.
 *
 * A child writes its result, one struct, into a pipe and exits; a child that dies without a result
 * has crashed, and that is the result. */
#include "tests/sim/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/panic.h"
#include "tests/sim/counting.h"
#include "tests/sim/proc.h"
#include "tests/sim/world.h"

/* CPU seconds after which a child is taken for hung: far below what the slowest run is worth. */
#define CHILD_CPU_MARGIN_S 120

static uint64_t cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void result_fill(const struct world *w, struct run_result *out)
{
	out->held = !w->failed;
	out->hash = w->hash;
	out->steps = w->steps;
	out->trace_lines = w->trace.lines;
	out->virtual_us = w->now_us - SIM_BEGIN_US;
	out->key = out->write = HIST_NOBODY;
	workload_figures(w, &out->figures);
	out->increments = counting_acked(w);
	memcpy(out->fault_count, w->fault_count, sizeof out->fault_count);
	memcpy(out->strikes, w->strikes, sizeof out->strikes);
	memcpy(out->turns, workload_turns(w), sizeof out->turns);
	for (uint16_t i = 0; world_may(w, FAULT_NOROOM) && i < w->options.nodes; i++)
		out->fault_count[FAULT_NOROOM] += proc_refused(w, i);
	if (!w->failed) return;
	out->key = w->failure.key;
	out->write = w->failure.write;
	snprintf(out->promise, sizeof out->promise, "%s", w->failure.promise);
	snprintf(out->text, sizeof out->text, "%s", w->failure.text);
}

static void run_once(const struct sim_options *o, struct run_trace trace, struct run_result *out)
{
	struct world *w = malloc(sizeof *w);
	assert(w != NULL);
	uint64_t began = cpu_us();
	*out = (struct run_result){.seed = o->seed};
	world_init(w, o);
	w->trace = (struct trace){.on = trace.on, .skip = trace.skip};
	if (trace.on && trace.key < SIM_KEYS) w->trace.key = workload_key(w, trace.key);
	world_run(w);
	out->cpu_us = cpu_us() - began;
	result_fill(w, out);
	world_free(w);
	free(w);
}

void run_here(const struct sim_options *o, struct run_trace trace, struct run_result *out)
{
	run_once(o, trace, out);
	if (!o->twice || !out->held) return;
	struct run_result again;
	run_once(o, trace, &again);
	if (again.hash == out->hash && again.held) return;
	out->held = false;
	snprintf(out->promise, sizeof out->promise, "sameness");
	snprintf(out->text, sizeof out->text,
	         "the same seed gave two runs: hash %016llx after %llu steps, then %016llx after %llu",
	         (unsigned long long)out->hash, (unsigned long long)out->steps,
	         (unsigned long long)again.hash, (unsigned long long)again.steps);
}

/* ---- children ------------------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int from;
	uint64_t seed;
};

static void child_limits(const struct sim_options *o)
{
	rlim_t seconds = (rlim_t)(o->time_us / SECONDS(1) / 2 + CHILD_CPU_MARGIN_S);
	struct rlimit cpu = {seconds, seconds}, core = {0, 0};
	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_CORE, &core);
}

static struct child child_start(const struct sim_options *o, struct run_trace trace)
{
	int ends[2];
	fflush(NULL);
	if (pipe(ends) != 0) dunlin_panic(__FILE__, __LINE__, "pipe failed");
	pid_t pid = fork();
	if (pid < 0) dunlin_panic(__FILE__, __LINE__, "fork failed");
	if (pid > 0) {
		close(ends[1]);
		return (struct child){pid, ends[0], o->seed};
	}
	struct run_result result;
	close(ends[0]);
	child_limits(o);
	run_here(o, trace, &result);
	bool sent = write(ends[1], &result, sizeof result) == (ssize_t)sizeof result;
	exit(sent ? 0 : 3);
}

static void child_crashed(const struct child *c, int status, struct run_result *out)
{
	*out = (struct run_result){
		.crashed = true, .seed = c->seed, .key = HIST_NOBODY, .write = HIST_NOBODY};
	snprintf(out->promise, sizeof out->promise, "crash");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		snprintf(out->text, sizeof out->text, "it never ends: out of CPU time");
	else if (WIFSIGNALED(status))
		snprintf(out->text, sizeof out->text, "died of %s (its last words are on stderr)",
		         strsignal(WTERMSIG(status)));
	else
		snprintf(out->text, sizeof out->text, "exit status %d", WEXITSTATUS(status));
}

static void child_end(const struct child *c, struct run_result *out)
{
	int status = 0;
	size_t got = 0;
	struct run_result result;
	while (got < sizeof result) {
		ssize_t more = read(c->from, (char *)&result + got, sizeof result - got);
		if (more <= 0) break;
		got += (size_t)more;
	}
	close(c->from);
	waitpid(c->pid, &status, 0);
	if (got == sizeof result && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		*out = result;
	else
		child_crashed(c, status, out);
}

void run_in_child(const struct sim_options *o, struct run_trace trace, struct run_result *out)
{
	struct child c = child_start(o, trace);
	child_end(&c, out);
}

/* In order of the seeds: the oldest child is waited for, so at most `jobs` run at once. */
uint32_t run_many(const struct sim_options *o, uint32_t count,
                  bool (*each)(void *context, const struct run_result *), void *context)
{
	struct child running[64];
	uint32_t started = 0, ended = 0;
	bool go_on = true;
	assert(o->jobs > 0 && o->jobs <= 64);
	while (ended < count && (go_on || ended < started)) {
		while (go_on && started < count && started - ended < o->jobs) {
			struct sim_options one = *o;
			one.seed = o->first + started;
			running[started++ % o->jobs] = child_start(&one, RUN_UNTRACED);
		}
		struct run_result result;
		child_end(&running[ended++ % o->jobs], &result);
		if (!each(context, &result)) go_on = false;
	}
	return ended;
}
