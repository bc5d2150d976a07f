/* members.c - see members.h. */
#include "drive/members.h"

#include <stdlib.h>

#include "drive/peer.h"

struct visit {
	const struct layout *layout;
	struct member_figures *figures;
};

/* A member may have several addresses, and connections come and go. */
static void add_queue(void *context, const struct peer_stats *s)
{
	struct visit *v = context;
	int member = layout_find(v->layout, s->node);
	if (s->node.v == 0 || member < 0) return;
	v->figures[member].queue_bytes += s->queued_bytes;
	v->figures[member].queue_messages += s->queued_messages;
}

struct member_figures *member_figures(const struct loop *l, const struct layout *y)
{
	struct member_figures *list = calloc(y->member_count, sizeof *list);
	struct visit v = {y, list};
	if (list == NULL) return NULL;
	for (uint32_t i = 0; i < y->member_count; i++) {
		struct node_id id = y->members[i].id;
		list[i].self = id.v == node_self(l->node).v;
		list[i].up = list[i].self || node_believes_up(l->node, id);
		list[i].lag_ms = node_lag_ms(l->node, id);
	}
	peers_each(l->peers, add_queue, &v);
	return list;
}
