/* bench_answer.h - what the load generator needs to know of an HTTP answer's head. */
#ifndef DUNLIN_DRIVE_BENCH_ANSWER_H
#define DUNLIN_DRIVE_BENCH_ANSWER_H

#include "dunlin/types.h"

struct bench_answer {
	unsigned status; /* 200 to 599 */
	uint64_t body_bytes;
	bool close;           /* the server will send nothing more on this connection */
	struct bytes context; /* X-Riak-Vclock, inside the input; empty: none */
};

/* Length of the whole head at the front of `in`; 0: it goes on, or, with *bad set, it is none that
 * this generator can follow (chunks, an interim answer, a length that is no number). */
size_t bench_answer_parse(struct bytes in, struct bench_answer *a, bool *bad);

#endif
