/* table.h - all policies in all scenarios, and the tables of them. */
#ifndef DUNLIN_LAB_TABLE_H
#define DUNLIN_LAB_TABLE_H

#include <stdio.h>

#include "tests/lab/policy.h"
#include "tests/lab/scenario.h"

/* So many keys of so many bytes. The write-up's own is small: values outweigh what is said of them. */
struct regime {
	const char *name;
	uint32_t keys, value_bytes;
};
#define REGIMES 3
extern const struct regime regimes[REGIMES];

struct result {
	bool run;
	uint64_t bytes, overhead, messages, envelopes;
	double stale_pct, converge_s; /* converge_s below 0: never */
};

/* overhead: what the policy sent that is not keys and objects. */
void table_result(const struct lab *l, struct result *out);

/* Run and print everything; rows to `tsv`. `also`: one more policy at the end, or NULL. */
void table_run(const struct policy *also, FILE *tsv);

#endif
