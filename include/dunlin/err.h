/* err.h - what can go wrong in the world, as data.
 *
 * Three things are called errors elsewhere and are kept apart here. Our own bug is an `assert` and
 * stops the process. Bytes that a client or a peer should not have sent are a decoder's answer.
 * The world (disk, silence, too few nodes) is an `enum err` that travels in events, messages and
 * replies. One row each: name, HTTP status, whether the same request may succeed later, sentence.
 * The numbers are part of the peer protocol (docs/WIRE.md): add at the end, never renumber. */
#ifndef DUNLIN_ERR_H
#define DUNLIN_ERR_H

#define ERR_TABLE(X)                                                                               \
	X(OK, 200, 0, "ok")                                                                            \
	X(NOT_FOUND, 404, 0, "not found")                                                              \
	X(BUSY, 503, 1, "too many requests in flight here; try again")                                 \
	X(TIMEOUT, 503, 1, "request timed out")                                                        \
	X(R_UNMET, 503, 1, "R-value unsatisfied")                                                      \
	X(PR_UNMET, 503, 1, "PR-value unsatisfied")                                                    \
	X(W_UNMET, 503, 1, "Too Many write failures to satisfy W/DW")                                  \
	X(PW_UNMET, 503, 1, "PW-value unsatisfied")                                                    \
	X(DW_UNMET, 503, 1, "DW-value unsatisfied")                                                    \
	X(CONFIRMS_UNMET, 503, 1, "node_confirms-value unsatisfied")                                   \
	X(ABOVE_N, 400, 0, "a quorum value is above the bucket's n value")                             \
	X(BAD_CONTEXT, 400, 0, "the context was not given out for this key by this cluster")           \
	X(NO_VTAG, 404, 0, "no sibling has that vtag")                                                 \
	X(SIBLINGS, 503, 0, "the write would exceed siblings_max; resolve the siblings first")         \
	X(TOO_LARGE, 413, 0, "too large")                                                              \
	X(NOT_READY, 503, 1, "the cluster is not formed yet")                                          \
	X(CLOCK, 503, 1, "this node's clock is too far from its peers'; it does not accept writes")    \
	X(NOT_MEMBER, 503, 1, "asked a node that is not on the key's preference list")                 \
	X(UNREACHABLE, 503, 1, "no node that may take this request can be reached")                    \
	X(STORE, 503, 1, "the store failed")                                                           \
	X(CORRUPT, 503, 1, "a stored record is damaged")                                               \
	X(FULL, 503, 1, "no space left; this node takes no writes")                                    \
	X(BAD_BYTES, 400, 0, "malformed")                                                              \
	X(OLD_EPOCH, 503, 1, "the layout is older than ours")                                          \
	X(PLAN, 409, 0, "the members cannot carry N distinct replicas")                                \
	X(NO_TYPE, 404, 0, "Unknown bucket type")                                                      \
	X(PRECONDITION, 412, 0, "the object is not as the request's conditions ask")                   \
	X(MODIFIED, 409, 0, "the object is not as X-Riak-If-Not-Modified says")                        \
	X(NO_CONTEXT, 428, 0, "the bucket asks for a context (X-Riak-Vclock), and a value is there")   \
	X(EXISTS, 409, 0, "the bucket is write_once, and the key is there")                            \
	X(HOLDS_DATA, 409, 0, "n_val cannot be changed while a node holds data of the bucket")         \
	X(SILENT, 409, 0, "n_val cannot be changed while a member of the cluster is silent")           \
	X(COVERAGE, 503, 1, "a partition has no primary that can be reached and vouches for it")       \
	X(CLOSED, 503, 1, "n_val of the bucket is being changed; try again")                           \
	X(NOT_SEEN, 503, 1, "no replica that answers has seen what X-Dunlin-At-Least names")           \
	X(COUNTER_MULT, 409, 0, "Counters require bucket property 'allow_mult=true'")                  \
	X(COUNTER_RANGE, 409, 0, "the increment would take the counter out of 64 bits")                \
	X(COUNTER_FULL, 503, 0, "the counter has too many entries; delete it and count anew")          \
	X(NO_ROOM, 503, 1, "no room here to stand in for the nodes that are away; try another node")   \
	X(DRAINING, 503, 1, "this node is being drained; ask another one")                             \
	X(LATE, 503, 1, "this node has not caught up with a round of reaping; it takes no writes yet")

enum err {
#define X(name, status, retry, text) ERR_##name,
	ERR_TABLE(X)
#undef X
		ERR_COUNT
};

/* Each is total: a number out of range gives the row of ERR_BAD_BYTES. */
const char *err_name(enum err e);
const char *err_text(enum err e);
int err_http_status(enum err e);
int err_retryable(enum err e);

#endif
