/* policy.c - the list of them; see policy.h. */
#include "tests/lab/policy.h"

const struct policy *const policies[POLICIES] = {&eventual_constant,        &bounded_staleness,
                                                 &leader_hot_follower_cold, &nearsight_age_tiered,
                                                 &dirty_key_push,           &time_radix};
