/* options.h - what one run of the simulator is: seed, size, length, and which faults may strike. */
#ifndef DUNLIN_SIM_OPTIONS_H
#define DUNLIN_SIM_OPTIONS_H

#include <stdio.h>

#include "dunlin/types.h"
#include "tests/sim/numbers.h"

/* One row each: name, word on the command line, what it does. docs/FAULTS.md has the prose. */
#define FAULT_TABLE(X)                                                                             \
	X(DELAY, "delay", "heavy-tailed delays on some links")                                         \
	X(LOSS, "loss", "messages vanish")                                                             \
	X(DUP, "dup", "messages arrive twice")                                                         \
	X(REORDER, "reorder", "messages overtake each other")                                          \
	X(PARTITION, "partition", "halves, one alone, or a random split")                              \
	X(PARTIAL, "partial", "some see each other and some do not: a bridge, a ring, holes")          \
	X(ONEWAY, "oneway", "a link carries in one direction only")                                    \
	X(SLOWLINK, "slowlink", "a link, or all links of a node, are slow for a while")                \
	X(FLAP, "flap", "a link that comes and goes")                                                  \
	X(CRASH, "crash", "a process dies between two effects; its unsynced tail is lost")             \
	X(CRASHALL, "crashall", "all processes die at once")                                           \
	X(GONE, "gone", "in one seed of four: a node is lost for ever")                                \
	X(TORN, "torn", "the crash cuts a batch in two")                                               \
	X(PAUSE, "pause", "a process stands still, then everything comes late")                        \
	X(DRAIN, "drain", "a node is drained for a while")                                             \
	X(SKEW, "skew", "clocks that are off, and drift")                                              \
	X(JUMP, "jump", "a clock jumps")                                                               \
	X(DRIFT, "drift", "a clock runs much too fast or too slow for a while")                        \
	X(STOP, "stop", "a clock stands still for a while")                                            \
	X(FULL, "full", "a disk is full for a while")                                                  \
	X(SLOWDISK, "slowdisk", "a disk is slow for a while")                                          \
	X(READERR, "readerr", "reads and scans of a disk fail for a while")                            \
	X(MISREAD, "misread", "one disk reads, for a while, other bytes than were written")            \
	X(SYNCERR, "syncerr", "a group commit fails, and the process ends")                            \
	X(ROT, "rot", "stored records of one node go bad")                                             \
	X(OLDCOPY, "oldcopy", "a disk is put back from an older copy of itself")                       \
	X(NOROOM, "noroom", "in one seed of four: little room for stand-in copies, or hints too")

enum fault_kind {
#define X(name, word, text) FAULT_##name,
	FAULT_TABLE(X)
#undef X
		FAULT_KINDS
};

#define FAULT_BIT(kind) (1U << (unsigned)(kind))
#define FAULTS_ALL ((1U << FAULT_KINDS) - 1)
/* What may lose what is on one disk only. */
#define FAULTS_OF_ONE_DISK                                                                         \
	(FAULT_BIT(FAULT_ROT) | FAULT_BIT(FAULT_OLDCOPY) | FAULT_BIT(FAULT_MISREAD) |                  \
	 FAULT_BIT(FAULT_GONE))
/* What a coordinator, or what it meant to hint, may not survive. */
#define FAULTS_FATAL                                                                               \
	(FAULT_BIT(FAULT_CRASH) | FAULT_BIT(FAULT_CRASHALL) | FAULT_BIT(FAULT_TORN) |                  \
	 FAULT_BIT(FAULT_FULL) | FAULT_BIT(FAULT_SYNCERR) | FAULTS_OF_ONE_DISK)

/* Bounds of one run; the tables of the simulator are laid out for them. */
#define SIM_NODES_MAX 9
#define SIM_CLIENTS_MAX 256
#define SIM_COUNTERS_MAX 5
#define SIM_HOT_KEYS 12 /* fought over all the time */
#define SIM_KEYS 24 /* the others have their slice of the trouble, one after another, then peace */
#define SIM_STRIKES_MAX 64 /* of one kind of fault */
#define SIM_TURNS_MAX                                                                              \
	65536 /* of clients, which can be left out one by one; those behind them cannot */

/* What a run is made of. `until_us` and what follows leave parts of it out, and the rest happens as nearly
 * as it did with them as may be: whoever draws has a stream of its own (chance.h). */
struct sim_options {
	uint64_t seed;
	uint32_t nodes, clients;
	uint64_t time_us;              /* of trouble; forming, healing and checking come on top */
	uint32_t faults;               /* bit per fault_kind */
	uint64_t until_us;             /* trouble ends here, though it was to go on; 0: it goes on */
	uint64_t strikes[FAULT_KINDS]; /* of each kind, by number: what may strike */
	uint64_t turns[NUMBERS_WORDS(SIM_TURNS_MAX)]; /* number: client + turn of it * clients */
	uint64_t keys;                                /* bit per key that clients ask for */
	uint32_t counters;                            /* counting clients */
	uint32_t operators;                           /* 0 or 1 */
	bool forbid_siblings; /* a client that is shown two has failed: no promise, to see it shrink */
	bool trace;      /* a failing run is played again, and the events of the failed key printed */
	bool twice;      /* every seed is run twice and must give the same hash */
	bool shrink;     /* look for a smaller run that fails too */
	bool stop;       /* of many seeds: no more after the first that fails */
	bool in_process; /* no child process: for debuggers */
	uint32_t seeds;  /* 0: the one seed */
	uint32_t jobs;   /* children at once */
	uint64_t first;
};

/* All faults, everything in them. */
void options_default(struct sim_options *o);
/* False, and a sentence on stderr, when the arguments make no sense. */
bool options_parse(struct sim_options *o, int argc, char **argv);
/* The command line that gives this run. */
void options_print(const struct sim_options *o, FILE *to);
const char *options_fault_word(enum fault_kind kind);

#endif
