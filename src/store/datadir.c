/* datadir.c - see datadir.h. */
#include "store/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/panic.h"
#include "store/store.h"

/* A file's name in the engine's directory, with its slash. */
#define ENGINE_NAME_BYTES_MAX 64

static bool path_of(const char *dir, const char *name, char path[DATADIR_PATH_BYTES_MAX])
{
	int len = snprintf(path, DATADIR_PATH_BYTES_MAX, "%s/%s", dir, name);
	return len > 0 && len < DATADIR_PATH_BYTES_MAX;
}

bool datadir_engine_path(const char *dir, char path[DATADIR_PATH_BYTES_MAX])
{
	return path_of(dir, "rocksdb", path) &&
	       strlen(path) + ENGINE_NAME_BYTES_MAX < DATADIR_PATH_BYTES_MAX;
}

bool datadir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return false;
	bool ok = fsync(fd) == 0;
	close(fd);
	return ok;
}

/* Written aside and renamed: it is there whole or not at all. */
static bool write_format(const char *aside, const char *path)
{
	int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) return false;
	char line[32];
	int len = snprintf(line, sizeof(line), "dunlin %d\n", STORE_FORMAT);
	assert(len > 0 && (size_t)len < sizeof(line));
	bool ok = write(fd, line, (size_t)len) == len && fsync(fd) == 0;
	if (close(fd) != 0) ok = false;
	return ok && rename(aside, path) == 0;
}

bool datadir_mark(const char *dir, char *why, size_t why_len)
{
	char path[DATADIR_PATH_BYTES_MAX], aside[DATADIR_PATH_BYTES_MAX];
	if (path_of(dir, "FORMAT", path) && path_of(dir, "FORMAT.new", aside) &&
	    write_format(aside, path) && datadir_sync(dir))
		return true;
	snprintf(why, why_len, "cannot write %s/FORMAT: %s", dir, strerror(errno));
	return false;
}

/* The number in "dunlin N\n", or -1. */
static long parse_format(const char *text)
{
	if (strncmp(text, "dunlin ", 7) != 0) return -1;
	char *end;
	long version = strtol(text + 7, &end, 10);
	return end != text + 7 && *end == '\n' && version > 0 ? version : -1;
}

static bool check_format(int fd, const char *path, char *why, size_t why_len)
{
	char text[32] = {0};
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	long version = len > 0 ? parse_format(text) : -1;
	if (version >= 1 && version <= STORE_FORMAT) return true;
	if (version > STORE_FORMAT)
		snprintf(why, why_len, "%s says format %ld; this version reads up to %d: use a newer one",
		         path, version, STORE_FORMAT);
	else
		snprintf(why, why_len, "%s does not begin with \"dunlin 1\": not a data directory", path);
	return false;
}

/* No FORMAT yet: right for a new directory, wrong for one that already holds an engine. */
static bool found_directory(const char *dir, char *why, size_t why_len)
{
	char engine[DATADIR_PATH_BYTES_MAX];
	struct stat st;
	if (!datadir_engine_path(dir, engine)) {
		snprintf(why, why_len, "%s: path too long", dir);
		return false;
	}
	if (stat(engine, &st) == 0) {
		snprintf(why, why_len, "%s exists but %s/FORMAT does not: not a data directory", engine,
		         dir);
		return false;
	}
	return datadir_mark(dir, why, why_len);
}

static bool lock_and_check(int fd, const char *path, char *why, size_t why_len)
{
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		snprintf(why, why_len,
		         errno == EWOULDBLOCK ? "%s is locked: another process runs on this directory"
		                              : "cannot lock %s",
		         path);
		return false;
	}
	return check_format(fd, path, why, why_len);
}

int datadir_open(const char *dir, char *why, size_t why_len)
{
	assert(dir != NULL && why_len > 0);
	char path[DATADIR_PATH_BYTES_MAX];
	if (!path_of(dir, "FORMAT", path)) {
		snprintf(why, why_len, "%s: path too long", dir);
		return -1;
	}
	if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
		snprintf(why, why_len, "cannot make %s: %s", dir, strerror(errno));
		return -1;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && found_directory(dir, why, why_len))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	else if (fd < 0 && errno != ENOENT)
		snprintf(why, why_len, "cannot open %s: %s", path, strerror(errno));
	if (fd < 0) return -1;
	if (lock_and_check(fd, path, why, why_len)) return fd;
	close(fd);
	return -1;
}
