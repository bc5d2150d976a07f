/* cmd_bench.c - `dunlin bench`: load a cluster over HTTP and say how it held. */
#include <stdlib.h>

#include "base/panic.h"
#include "drive/bench.h"
#include "drive/cmd.h"

static int report(const struct cmd *cmd, const struct bench_options *o, const struct bench_tally *t)
{
	if (t->end_ns == 0) return cmd_complain(cmd, CMD_FAILED, "interrupted before the measurement");
	if (!o->json)
		bench_report_text(o, t);
	else if (!bench_report_json(o, t))
		return cmd_complain(cmd, CMD_FAILED, "cannot write the result");
	if (t->completed[BENCH_PUT] + t->completed[BENCH_GET] > 0) return CMD_DONE;
	return cmd_complain(cmd, CMD_FAILED, "not one operation succeeded");
}

static int run_bench(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	int exit_code;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	struct bench_options *o = malloc(sizeof *o);
	struct bench_tally *t = malloc(sizeof *t);
	if (o == NULL || t == NULL)
		exit_code = cmd_complain(cmd, CMD_FAILED, "out of memory");
	else if (!bench_options_parse(cmd, &args, o))
		exit_code = CMD_MISUSE;
	else
		exit_code = bench_run(cmd, o, t) ? report(cmd, o, t) : CMD_FAILED;
	free(o);
	free(t);
	return exit_code;
}

const struct cmd cmd_bench = {
	.name = "bench",
	.words = "",
	.summary = "load a cluster and measure throughput and latency",
	.text =
		"Writes every key once (not measured), then mixes reads and writes. A write carries the\n"
		"context of the key's last answer, as a client's does that read it before.\n\n"
		"Where that context may not be whole (the key's last answer was lost, two writes of it\n"
		"passed each other), the key is read first, whatever --read says.\n\n"
		"Closed loop: each connection sends when its answer is here; it shows the highest rate.\n"
		"Open loop (--rate): operations start on schedule and latency counts from then, so that\n"
		"a stall is paid by all that it delayed. A latency without its rate says little.\n\n"
		"Errors are counted by kind and do not stop it; ^C ends it with what it has.\n\n"
		"  dunlin bench\n"
		"  dunlin bench --url http://10.0.0.1:8098,http://10.0.0.2:8098 --read 95 --dist zipf\n"
		"  dunlin bench --rate 5000 --duration 60 --json >result.json\n",
	.options = bench_option_table,
	.option_count = BENCH_OPTION_COUNT,
	.run = run_bench,
};
