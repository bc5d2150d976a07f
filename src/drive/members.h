/* members.h - what this node knows of each member: for /metrics and /admin. */
#ifndef DUNLIN_DRIVE_MEMBERS_H
#define DUNLIN_DRIVE_MEMBERS_H

#include "drive/loop.h"
#include "ring/layout.h"

struct member_figures {
	bool self, up;
	uint64_t lag_ms;         /* age of the oldest write kept for it (node_lag_ms) */
	uint64_t queue_bytes;    /* waiting to be written to it */
	uint64_t queue_messages; /* of these, those that are not sealed yet */
};

/* One for each member of the layout, in its order; freed by the caller, NULL without memory. */
struct member_figures *member_figures(const struct loop *l, const struct layout *y);

#endif
