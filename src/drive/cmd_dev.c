/* cmd_dev.c - `dunlin dev`: a local cluster of real processes, in the foreground.
 *
 *   D/cluster.key              the key that all of them share, random, mode 0600
 *   D/nodes                    how many nodes this directory was made for
 *   D/n1/ D/n2/ ...            data of a node, with its pid (while it runs), log and dunlin.conf:
 *                              `dunlin start --config D/n2/dunlin.conf` starts it again by hand
 *
 *   start all -> until each serves and reaches all others -> "ready" -> wait for a signal -> stop all -> wait for all
 *
 * Always true: only processes that were forked here are signalled; they die with us, however we die
 * (PR_SET_PDEATHSIG). A node that dies is reported, not restarted. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/cmd.h"
#include "drive/cmd_http.h"
#include "drive/config.h"

struct dev_node {
	pid_t pid; /* 0: not running */
	uint16_t http, peer;
};

struct dev {
	const struct cmd *cmd;
	char dir[CONFIG_TEXT_BYTES_MAX / 2];
	char program[CONFIG_TEXT_BYTES_MAX];
	unsigned count;
	struct dev_node nodes[DEV_NODES_MAX];
	sigset_t signals, mask_before;
};

typedef char dev_path[CONFIG_TEXT_BYTES_MAX];

/* D/n2/log */
static void node_path(const struct dev *d, unsigned i, const char *name, dev_path to)
{
	snprintf(to, sizeof(dev_path), "%s/n%u%s%s", d->dir, i + 1, name[0] ? "/" : "", name);
}

/* ---- files ---------------------------------------------------------------------------------- */

static bool fail(const struct dev *d, const char *path)
{
	cmd_complain(d->cmd, CMD_FAILED, "%s: %s", path, strerror(errno));
	return false;
}

static bool make_dir(const struct dev *d, const char *path)
{
	return mkdir(path, 0777) == 0 || errno == EEXIST || fail(d, path);
}

static bool write_file(const struct dev *d, const char *path, const char *text, int flags,
                       mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode);
	if (fd < 0) return fail(d, path);
	ssize_t written = write(fd, text, strlen(text));
	bool done = close(fd) == 0 && written == (ssize_t)strlen(text);
	return done || fail(d, path);
}

static bool make_key(const struct dev *d)
{
	uint8_t key[32];
	char hex[2 * sizeof key + 1], text[2 * sizeof key + 2];
	dev_path path;
	snprintf(path, sizeof path, "%s/cluster.key", d->dir);
	if (access(path, F_OK) == 0) return true;
	randombytes_buf(key, sizeof key);
	sodium_bin2hex(hex, sizeof hex, key, sizeof key);
	snprintf(text, sizeof text, "%s\n", hex);
	bool done = write_file(d, path, text, O_EXCL, 0600);
	sodium_memzero(key, sizeof key);
	sodium_memzero(hex, sizeof hex);
	sodium_memzero(text, sizeof text);
	return done;
}

/* A directory made for three nodes is not started with five: they would never form. */
static bool check_count(const struct dev *d)
{
	char text[16] = "";
	unsigned before = 0;
	dev_path path;
	snprintf(path, sizeof path, "%s/nodes", d->dir);
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		snprintf(text, sizeof text, "%u\n", d->count);
		return write_file(d, path, text, O_EXCL, 0666);
	}
	if (fgets(text, sizeof text, file) != NULL) before = (unsigned)strtoul(text, NULL, 10);
	fclose(file);
	if (before == d->count) return true;
	cmd_complain(d->cmd, CMD_FAILED,
	             "%s was made for %u nodes; say --nodes %u, or use another --dir", d->dir, before,
	             before);
	return false;
}

static void join_list(const struct dev *d, struct buffer *to)
{
	for (unsigned i = 0; i < d->count; i++) {
		buffer_printf(to, "join = 127.0.0.1:%u\n", d->nodes[i].peer);
	}
}

static bool write_config(const struct dev *d, unsigned i)
{
	struct buffer text = {0};
	dev_path dir, path;
	node_path(d, i, "", dir);
	node_path(d, i, "dunlin.conf", path);
	if (!make_dir(d, dir)) return false;
	buffer_printf(&text,
	              "# written by `dunlin dev` at each start\nname = n%u\nhttp = 127.0.0.1:%u\n",
	              i + 1, d->nodes[i].http);
	buffer_printf(&text, "peer = 127.0.0.1:%u\nexpect = %u\n", d->nodes[i].peer, d->count);
	buffer_printf(&text, "dir = %s\nkey_file = %s/cluster.key\n", dir, d->dir);
	if (d->count > 1) join_list(d, &text);
	buffer_append(&text, bytes_of("", 1));
	bool done = write_file(d, path, (const char *)buffer_head(&text), O_TRUNC, 0666);
	buffer_free(&text);
	return done;
}

/* ---- processes ------------------------------------------------------------------------------ */

/* What the child does between fork and exec. */
_Noreturn static void become_node(const struct dev *d, unsigned i, pid_t parent)
{
	dev_path config, log;
	node_path(d, i, "dunlin.conf", config);
	node_path(d, i, "log", log);
	/* A group of its own: the terminal's ^C is for us, and we stop it. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) _exit(CMD_FAILED);
	sigprocmask(SIG_SETMASK, &d->mask_before, NULL);
	int in = open("/dev/null", O_RDONLY), out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (in < 0 || out < 0) _exit(CMD_FAILED);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	execl(d->program, "dunlin", "start", "--config", config, (char *)NULL);
	_exit(CMD_FAILED);
}

static bool start_node(struct dev *d, unsigned i)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0) return fail(d, "fork");
	if (pid == 0) become_node(d, i, parent);
	d->nodes[i].pid = pid;
	return true;
}

/* The last line of a node's log, which says why it ended. */
static void print_last_line(const struct dev *d, unsigned i)
{
	char line[2048], last[2048] = "";
	dev_path path;
	node_path(d, i, "log", path);
	FILE *file = fopen(path, "re");
	if (file == NULL) return;
	while (fgets(line, sizeof line, file) != NULL) memcpy(last, line, sizeof last);
	fclose(file);
	last[strcspn(last, "\n")] = '\0';
	if (last[0] != '\0') fprintf(stderr, "  %s\n", last);
	fprintf(stderr, "  its log is %s\n", path);
}

static void report_death(const struct dev *d, unsigned i, pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		fprintf(stderr, "n%u (pid %d) was killed by signal %d (%s)\n", i + 1, (int)pid,
		        WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		fprintf(stderr, "n%u (pid %d) exited with code %d\n", i + 1, (int)pid, WEXITSTATUS(status));
	print_last_line(d, i);
}

/* Reap what has ended. Returns how many still run. */
static unsigned reap(struct dev *d, bool report, bool *clean)
{
	unsigned running = 0;
	for (unsigned i = 0; i < d->count; i++) {
		int status;
		pid_t pid = d->nodes[i].pid;
		if (pid == 0) continue;
		if (waitpid(pid, &status, WNOHANG) != pid) {
			running++;
			continue;
		}
		d->nodes[i].pid = 0;
		if (status != 0) *clean = false;
		if (report || status != 0) report_death(d, i, pid, status);
	}
	return running;
}

static void signal_all(const struct dev *d, int signal_number)
{
	for (unsigned i = 0; i < d->count; i++)
		if (d->nodes[i].pid > 0) kill(d->nodes[i].pid, signal_number);
}

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Wait for one of our signals; 0 when the time is over. */
static int wait_signal(const struct dev *d, uint64_t us)
{
	struct timespec timeout = {(time_t)(us / 1000000), (long)(us % 1000000 * 1000)};
	int signal_number = sigtimedwait(&d->signals, NULL, &timeout);
	return signal_number < 0 ? 0 : signal_number;
}

static bool is_stop(int signal_number)
{
	return signal_number == SIGINT || signal_number == SIGTERM || signal_number == SIGHUP;
}

/* Ask all to stop and wait; what does not stop in time is killed. True: all ended as they should. */
static bool stop_all(struct dev *d)
{
	uint64_t deadline = now_us() + DEV_STOP_US;
	bool clean = true, killed = false;
	signal_all(d, SIGTERM);
	while (reap(d, false, &clean) > 0) {
		wait_signal(d, MS(50));
		if (now_us() < deadline || killed) continue;
		fprintf(stderr, "a node did not stop in time and is killed\n");
		signal_all(d, SIGKILL);
		killed = true;
	}
	return clean && !killed;
}

/* ---- forming -------------------------------------------------------------------------------- */

static bool ask(const struct dev_node *n, const char *path, struct cmd_http_answer *answer,
                char *why, size_t why_len)
{
	char url[64];
	snprintf(url, sizeof url, "http://127.0.0.1:%u", n->http);
	struct cmd_http_request r = {.url = url, .method = "GET", .path = path, .timeout_ms = 1000};
	return cmd_http(&r, answer, why, why_len);
}

/* Does the node serve? Else why not. */
static bool is_serving(const struct dev_node *n, char *why, size_t why_len)
{
	struct cmd_http_answer answer;
	if (!ask(n, "/ready", &answer, why, why_len)) return false;
	bool serving = answer.status == 200;
	snprintf(why, why_len, "%.*s", (int)(answer.body.len < 250 ? answer.body.len : 250),
	         (const char *)answer.body.data);
	why[strcspn(why, "\n")] = '\0';
	cmd_http_free(&answer);
	return serving;
}

/* Does it reach all others? A node serves before that, but not yet every quorum. */
static bool reaches_all(const struct dev_node *n, char *why, size_t why_len)
{
	struct cmd_http_answer answer;
	size_t i;
	json_t *m;
	bool all = true;
	if (!ask(n, "/admin/status", &answer, why, why_len)) return false;
	json_t *status = json_loadb((const char *)answer.body.data, answer.body.len, 0, NULL);
	json_array_foreach(json_object_get(status, "members"), i, m)
	{
		if (json_is_true(json_object_get(m, "up"))) continue;
		all = false;
		const char *name = json_string_value(json_object_get(m, "name"));
		snprintf(why, why_len, "it does not reach %s", name == NULL ? "another" : name);
	}
	json_decref(status);
	cmd_http_free(&answer);
	return all && status != NULL;
}

enum dev_outcome { DEV_FORMED, DEV_STOPPED, DEV_BROKEN };

static enum dev_outcome wait_until_ready(struct dev *d)
{
	uint64_t deadline = now_us() + DEV_READY_US;
	char why[300] = "";
	for (unsigned i = 0; i < d->count;) {
		bool clean = true;
		if (is_stop(wait_signal(d, MS(20)))) return DEV_STOPPED;
		if (reap(d, true, &clean) < d->count) return DEV_BROKEN;
		const struct dev_node *n = &d->nodes[i];
		if (is_serving(n, why, sizeof why) && reaches_all(n, why, sizeof why)) {
			i++;
		} else if (now_us() > deadline) {
			cmd_complain(d->cmd, CMD_FAILED, "n%u is not ready after %lu s: %s", i + 1,
			             DEV_READY_US / 1000000, why);
			return DEV_BROKEN;
		}
	}
	return DEV_FORMED;
}

static void print_cluster(const struct dev *d)
{
	dev_path dir;
	for (unsigned i = 0; i < d->count; i++) {
		node_path(d, i, "", dir);
		printf("n%u  http://127.0.0.1:%u  pid %d  %s\n", i + 1, d->nodes[i].http,
		       (int)d->nodes[i].pid, dir);
	}
	printf("try: dunlin put carts bob '3 pears' --url http://127.0.0.1:%u\n", d->nodes[0].http);
	printf("stop with ^C\nready\n");
	fflush(stdout);
}

/* Until a signal, or until none is left. True: we were asked to stop. */
static bool watch(struct dev *d)
{
	for (;;) {
		bool clean = true;
		if (is_stop(wait_signal(d, SECONDS(3600)))) return true;
		if (reap(d, true, &clean) > 0) continue;
		cmd_complain(d->cmd, CMD_FAILED, "no node is left");
		return false;
	}
}

/* ---- the command ---------------------------------------------------------------------------- */

static bool prepare(struct dev *d, const char *dir, uint64_t http_base)
{
	ssize_t len = readlink("/proc/self/exe", d->program, sizeof d->program - 1);
	if (len <= 0) return fail(d, "/proc/self/exe");
	if (sodium_init() < 0) return fail(d, "libsodium");
	if (!make_dir(d, dir)) return false;
	/* A node's configuration must hold wherever it is started from. */
	char *real = realpath(dir, NULL);
	bool fits = real != NULL && strlen(real) < 140;
	if (fits) memcpy(d->dir, real, strlen(real) + 1);
	free(real);
	if (!fits) {
		cmd_complain(d->cmd, CMD_FAILED, "%s: its whole path must be shorter than 140 bytes", dir);
		return false;
	}
	for (unsigned i = 0; i < d->count; i++) {
		d->nodes[i].http = (uint16_t)(http_base + 10 * i);
		d->nodes[i].peer = (uint16_t)(d->nodes[i].http + 1);
	}
	if (!check_count(d) || !make_key(d)) return false;
	for (unsigned i = 0; i < d->count; i++)
		if (!write_config(d, i)) return false;
	return true;
}

static int serve(struct dev *d)
{
	bool started = true, stopped = false;
	sigemptyset(&d->signals);
	sigaddset(&d->signals, SIGINT);
	sigaddset(&d->signals, SIGTERM);
	sigaddset(&d->signals, SIGHUP);
	sigaddset(&d->signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &d->signals, &d->mask_before);
	for (unsigned i = 0; i < d->count && started; i++) started = start_node(d, i);
	enum dev_outcome outcome = started ? wait_until_ready(d) : DEV_BROKEN;
	if (outcome == DEV_FORMED) {
		print_cluster(d);
		stopped = watch(d);
	}
	bool clean = stop_all(d);
	return (stopped || outcome == DEV_STOPPED) && clean ? CMD_DONE : CMD_FAILED;
}

static int run_dev(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_args args;
	struct dev d = {.cmd = cmd};
	uint64_t nodes = 3, http_base = 8098;
	int exit_code;
	if (!cmd_parse(cmd, argc, argv, &args, &exit_code)) return exit_code;
	if (!cmd_number(cmd, &args, "nodes", 1, DEV_NODES_MAX, &nodes)) return CMD_MISUSE;
	if (!cmd_number(cmd, &args, "http-base", 1024, 65535 - 10 * DEV_NODES_MAX, &http_base))
		return CMD_MISUSE;
	d.count = (unsigned)nodes;
	if (!prepare(&d, cmd_value(cmd, &args, "dir", "dunlin-dev"), http_base)) return CMD_FAILED;
	return serve(&d);
}

static const struct cmd_option dev_options[] = {
	{"nodes", "N", "how many; default 3"},
	{"dir", "D", "where their data goes, kept for the next time; default ./dunlin-dev"},
	{"http-base", "PORT",
     "n1 has PORT for clients and PORT+1 for peers, n2 PORT+10, ...; default 8098"},
};
const struct cmd cmd_dev = {
	.name = "dev",
	.words = "",
	.summary = "run a local cluster of real processes",
	.text =
		"Prints the URLs and `ready` once the cluster has formed; ^C stops it. A node that dies\n"
		"is reported, not restarted: `dunlin start --config D/n2/dunlin.conf` does that.\n\n"
		"  dunlin dev\n"
		"  dunlin dev --nodes 5 --dir /tmp/five --http-base 9000\n",
	.options = dev_options,
	.option_count = sizeof dev_options / sizeof dev_options[0],
	.run = run_dev,
};
