/* main.c - dunlin-lab: the laboratory from the command line.
 *
 *   dunlin-lab [policies] [sweep] [quorum] [--quick] [--also POLICY] [--out DIR]
 *
 * Without a word all three. --quick: the sweep to 10^4 keys, fewer writes for the quorums. --also: one more
 * policy, broken on purpose (dirty_key_forget). Tables to stdout, DIR/policies.tsv, DIR/sweep.tsv and
 * DIR/quorum.tsv. The same bytes each time. Exit 0; 1: a file cannot be written; 2: misuse. */
#include <stdlib.h>

#include "tests/lab/quorum.h"
#include "tests/lab/sweep.h"
#include "tests/lab/table.h"

enum { DO_POLICIES = 1, DO_SWEEP = 2, DO_QUORUM = 4 };

struct options {
	unsigned what;
	bool quick;
	const struct policy *also;
	const char *out;
};

static bool word(const char *arg, struct options *o)
{
	if (strcmp(arg, "policies") == 0)
		o->what |= DO_POLICIES;
	else if (strcmp(arg, "sweep") == 0)
		o->what |= DO_SWEEP;
	else if (strcmp(arg, "quorum") == 0)
		o->what |= DO_QUORUM;
	else if (strcmp(arg, "--quick") == 0)
		o->quick = true;
	else
		return false;
	return true;
}

static bool parse(int argc, char **argv, struct options *o)
{
	*o = (struct options){.out = "build/lab"};
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		if (word(argv[i], o)) continue;
		if (strcmp(argv[i], "--out") == 0 && *value != '\0')
			o->out = value;
		else if (strcmp(argv[i], "--also") == 0 && strcmp(value, dirty_key_forget.name) == 0)
			o->also = &dirty_key_forget;
		else
			return false;
		i++;
	}
	if (o->what == 0) o->what = DO_POLICIES | DO_SWEEP | DO_QUORUM;
	return true;
}

static FILE *create(const struct options *o, const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", o->out, name);
	FILE *f = fopen(path, "w");
	if (f != NULL) return f;
	perror(path);
	exit(1);
}

static void finish(FILE *f)
{
	if (fclose(f) == 0) return;
	perror("lab");
	exit(1);
}

int main(int argc, char **argv)
{
	struct options o;
	if (!parse(argc, argv, &o)) {
		fprintf(stderr, "usage: dunlin-lab [policies] [sweep] [quorum] [--quick] "
		                "[--also dirty_key_forget] [--out DIR]\n");
		return 2;
	}
	if ((o.what & DO_POLICIES) != 0) {
		FILE *f = create(&o, "policies.tsv");
		table_run(o.also, f);
		finish(f);
	}
	if ((o.what & DO_SWEEP) != 0) {
		FILE *f = create(&o, "sweep.tsv");
		sweep_run(o.quick ? 10000 : 1000000, f);
		finish(f);
	}
	if ((o.what & DO_QUORUM) != 0) {
		FILE *f = create(&o, "quorum.tsv");
		quorum_run(o.quick ? 50 : 1000, f);
		finish(f);
	}
	return 0;
}
