/* CRC-32C (Castagnoli, RFC 3720 B.4), with the CPU's instruction where it has one. */
#ifndef POSTERN_BASE_CRC32C_H
#define POSTERN_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues crc (0 at the start) over n bytes. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* The same without the CPU's help: what crc32c() falls back to; for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
