/* fuzz_msg.c - any bytes to msg_unpack: no overrun, and what is accepted is the one encoding of what
 * it says. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* On the heap and of the exact size, so that the sanitizer sees the first byte too many. */
	uint8_t *in = malloc(size + (size == 0));
	uint8_t *again = malloc(size + (size == 0));
	struct scan_entry *entries = malloc(SCAN_PAGE_ENTRIES_MAX * sizeof *entries);
	assert(in != NULL && again != NULL && entries != NULL);
	if (size > 0) memcpy(in, data, size);
	struct msg m;
	if (msg_unpack(bytes_of(in, size), &m, entries) == ERR_OK) {
		struct packer p = {again, size, 0};
		msg_pack(&p, &m);
		assert(p.len == size && memcmp(in, again, size) == 0);
	}
	free(entries);
	free(again);
	free(in);
	return 0;
}
