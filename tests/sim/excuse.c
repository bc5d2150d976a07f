/* excuse.c - see excuse.h. */
#include "tests/sim/excuse.h"

#include "tests/sim/choose.h"
#include "tests/sim/fault.h"

/* Rot is met when it is read: until the partition is verified, who met it counts towards no pr. */
static bool rot_was_met(const struct world *w)
{
	for (uint32_t i = 0; i < w->options.nodes; i++) {
		struct node_metrics m;
		if (w->procs[i].state != PROC_UP) continue;
		node_metrics(w->procs[i].node, &m);
		if (m.suspect_partitions > 0) return true;
	}
	return false;
}

/* More primaries, or more nodes, than there are without who is gone. */
static bool wants_who_is_gone(const struct world *w, struct bytes full_key,
                              const struct request_options *o, enum err err)
{
	uint32_t primaries = w->history.replicas_n - world_replicas_gone(w, full_key);
	uint32_t nodes = w->options.nodes - 1;
	if (w->gone == SIM_NODES_MAX) return false;
	switch (err) {
	case ERR_PR_UNMET:
	case ERR_PW_UNMET:
	case ERR_TIMEOUT:
		return choose_quorum(w, o->pr, 0) > primaries || choose_quorum(w, o->pw, 0) > primaries;
	case ERR_R_UNMET:
		/* With notfound_ok=false it takes all replicas to say that there is nothing. */
		if (o->notfound_ok == 0 && nodes < w->history.replicas_n) return true;
		return choose_quorum(w, o->r, 0) > nodes;
	case ERR_W_UNMET: return choose_quorum(w, o->w, 0) > nodes;
	default: return false;
	}
}

bool excuse_holds(const struct world *w, struct bytes full_key, const struct request_options *o,
                  enum err err)
{
	bool unmet = err == ERR_PR_UNMET || err == ERR_R_UNMET || err == ERR_LATE;
	if (unmet && rot_was_met(w)) return true;
	/* A session may have been shown what was on one disk only, and was lost there. */
	if (err == ERR_NOT_SEEN && fault_spoils_a_disk(w)) return true;
	return wants_who_is_gone(w, full_key, o, err);
}
