/* options.h - what one run of the simulator is: seed, size, length, and which faults may strike. */
#ifndef DUNLIN_SIM_OPTIONS_H
#define DUNLIN_SIM_OPTIONS_H

#include "dunlin/types.h"

/* One row each: name, word on the command line, what it does. docs/FAULTS.md has the prose. */
#define FAULT_TABLE(X)                                                                             \
	X(DELAY, "delay", "heavy-tailed delays on some links")                                         \
	X(LOSS, "loss", "messages vanish")                                                             \
	X(DUP, "dup", "messages arrive twice")                                                         \
	X(REORDER, "reorder", "messages overtake each other")                                          \
	X(PARTITION, "partition", "halves, one alone, or a random split")                              \
	X(ONEWAY, "oneway", "a link carries in one direction only")                                    \
	X(SLOWLINK, "slowlink", "a link that is slow for a while")                                     \
	X(FLAP, "flap", "a link that comes and goes")                                                  \
	X(CRASH, "crash", "a process dies between two effects; its unsynced tail is lost")             \
	X(CRASHALL, "crashall", "all processes die at once")                                           \
	X(TORN, "torn", "the crash cuts a batch in two")                                               \
	X(PAUSE, "pause", "a process stands still, then everything comes late")                        \
	X(SKEW, "skew", "clocks that are off, and drift")                                              \
	X(JUMP, "jump", "a clock jumps")                                                               \
	X(FULL, "full", "a disk is full for a while")                                                  \
	X(ROT, "rot", "stored records of one node go bad")                                             \
	X(OLDCOPY, "oldcopy", "a disk is put back from an older copy of itself")                       \
	X(SLOWDISK, "slowdisk", "a disk is slow for a while")                                          \
	X(NOROOM, "noroom", "in one seed of four: little room for stand-in copies, or hints too")      \
	X(DRAIN, "drain", "a node is drained for a while")

enum fault_kind {
#define X(name, word, text) FAULT_##name,
	FAULT_TABLE(X)
#undef X
		FAULT_KINDS
};

#define FAULTS_ALL ((1U << FAULT_KINDS) - 1)
/* What a coordinator, or what it meant to hint, may not survive. */
#define FAULTS_FATAL                                                                               \
	(FAULT_BIT(FAULT_CRASH) | FAULT_BIT(FAULT_CRASHALL) | FAULT_BIT(FAULT_TORN) |                  \
	 FAULT_BIT(FAULT_FULL) | FAULT_BIT(FAULT_ROT) | FAULT_BIT(FAULT_OLDCOPY))
#define FAULT_BIT(kind) (1U << (unsigned)(kind))

/* Bounds of one run; the tables of the simulator are laid out for them. */
#define SIM_NODES_MAX 9
#define SIM_CLIENTS_MAX 256
#define SIM_HOT_KEYS 12 /* fought over all the time */
#define SIM_KEYS 24 /* the others have their slice of the trouble, one after another, then peace */

struct sim_options {
	uint64_t seed;
	uint32_t nodes, clients;
	uint64_t time_us; /* of trouble; forming, healing and checking come on top */
	uint32_t faults;  /* bit per fault_kind */
	bool trace;       /* a failing run is played again, and the events of the failed key printed */
	bool twice;       /* every seed is run twice and must give the same hash */
	bool shrink;      /* look for a smaller run that fails too */
	bool stop;        /* of many seeds: no more after the first that fails */
	bool in_process;  /* no child process: for debuggers */
	uint32_t seeds;   /* 0: the one seed */
	uint32_t jobs;    /* children at once */
	uint64_t first;
};

/* False, and a sentence on stderr, when the arguments make no sense. */
bool options_parse(struct sim_options *o, int argc, char **argv);
/* "--faults" as a word list; `to` has room. */
void options_faults_text(uint32_t faults, char *to, size_t room);
/* The command line that gives this run. */
void options_command(const struct sim_options *o, char *to, size_t room);
const char *options_fault_word(enum fault_kind kind);

#endif
