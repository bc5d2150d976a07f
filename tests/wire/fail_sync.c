/* fail_sync.c - a preload library: fdatasync and fsync fail with EIO while the file that $FAIL_SYNC names
 * exists. Built and used by test_fdatasync.py. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int fails(void)
{
	const char *flag = getenv("FAIL_SYNC");
	return flag != NULL && access(flag, F_OK) == 0;
}

int fdatasync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	if (!fails()) return real(fd);
	errno = EIO;
	return -1;
}

int fsync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	if (!fails()) return real(fd);
	errno = EIO;
	return -1;
}
