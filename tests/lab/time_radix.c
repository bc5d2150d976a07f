/* time_radix.c - the place of Dunlin's own anti-entropy among the policies.
 *
 * What is to be here calls the exchange of src/core and nothing else: on_changed keeps its digests, on_alarm
 * is its schedule, on_link the comparison after a heal; its messages are the server's own, sent with
 * lab_send_msg and heard by on_msg. Until that exchange exists this says so, wherever a table has a line for it. */
#include "tests/lab/policy.h"

const struct policy time_radix = {.name = "time_radix",
                                  .missing = "the exchange is not in the core yet"};
