#include "base/crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* of CRC-32C, bits reversed */

typedef uint32_t update_fn(uint32_t crc, const unsigned char *p, size_t n);

static uint32_t table[8][256];

static void table_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? POLYNOMIAL : 0);
		table[0][i] = c;
	}
	for (int t = 1; t < 8; t++)
		for (int i = 0; i < 256; i++)
			table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
}

/* Eight bytes a step ("slicing by 8"). */
static uint32_t update_table(uint32_t crc, const unsigned char *p, size_t n)
{
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
					 (uint32_t)p[3] << 24);
		crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^
		      table[4][low >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
		      table[0][p[7]];
	}
	while (n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return crc;
}

/* --- by the processor, where it can. step8() and step1() are its instructions. */

#if defined(__x86_64__)

#define CPU_CRC __attribute__((target("sse4.2")))

static bool cpu_has_crc(void)
{
	return __builtin_cpu_supports("sse4.2");
}

CPU_CRC static inline uint32_t step8(uint32_t crc, const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return (uint32_t)__builtin_ia32_crc32di(crc, v);
}

CPU_CRC static inline uint32_t step1(uint32_t crc, unsigned char byte)
{
	return __builtin_ia32_crc32qi(crc, byte);
}

#elif defined(__aarch64__) && defined(__linux__)

#include <sys/auxv.h>

#define CPU_CRC
#define CAP_CRC32 (1u << 7) /* HWCAP_CRC32 */

static bool cpu_has_crc(void)
{
	return getauxval(AT_HWCAP) & CAP_CRC32;
}

static inline uint32_t step8(uint32_t crc, const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(v));
	return crc;
}

static inline uint32_t step1(uint32_t crc, unsigned char byte)
{
	__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"((uint32_t)byte));
	return crc;
}

#else

static bool cpu_has_crc(void)
{
	return false;
}

#endif

#ifdef CPU_CRC

/* The instruction takes three cycles, but one can begin in each: so three stretches are summed side
 * by side. The sum of two stretches in a row is that of the first, moved on by the length of the
 * second, xor that of the second begun with zero. */
#define STRETCH 1024

static uint32_t moved[4][256]; /* a sum moved on by STRETCH zero bytes, by its four bytes */

CPU_CRC static void moved_make(void)
{
	uint32_t bits[32];

	for (int bit = 0; bit < 32; bit++) {
		static const unsigned char zero[8];
		uint32_t crc = (uint32_t)1 << bit;

		for (int i = 0; i < STRETCH; i += 8)
			crc = step8(crc, zero);
		bits[bit] = crc;
	}
	for (int byte = 0; byte < 4; byte++)
		for (int v = 0; v < 256; v++)
			for (int bit = 0; bit < 8; bit++)
				if (v >> bit & 1)
					moved[byte][v] ^= bits[byte * 8 + bit];
}

static uint32_t move(uint32_t crc)
{
	return moved[0][crc & 255] ^ moved[1][crc >> 8 & 255] ^ moved[2][crc >> 16 & 255] ^
	       moved[3][crc >> 24];
}

CPU_CRC static uint32_t update_cpu(uint32_t crc, const unsigned char *p, size_t n)
{
	for (; n >= 3 * STRETCH; n -= 3 * STRETCH, p += 3 * STRETCH) {
		uint32_t second = 0, third = 0;

		for (int i = 0; i < STRETCH; i += 8) {
			crc = step8(crc, p + i);
			second = step8(second, p + STRETCH + i);
			third = step8(third, p + 2 * STRETCH + i);
		}
		crc = move(move(crc) ^ second) ^ third;
	}
	for (; n >= 8; n -= 8, p += 8)
		crc = step8(crc, p);
	while (n--)
		crc = step1(crc, *p++);
	return crc;
}

#else

static void moved_make(void)
{
}

#define update_cpu update_table

#endif

static update_fn *update;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void)
{
	if (cpu_has_crc()) {
		moved_make();
		update = update_cpu;
		return;
	}
	table_make();
	update = update_table;
}

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	pthread_once(&once, choose);
	return ~update(~crc, p, n);
}

uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n)
{
	static pthread_once_t table_once = PTHREAD_ONCE_INIT;

	pthread_once(&table_once, table_make);
	return ~update_table(~crc, p, n);
}
