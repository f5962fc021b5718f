/* CRC-32C, by the processor's instructions and without. Also run for other machines
 * (t/20-program/cross). */
#include "base/crc32c.h"
#include "../../lib/tap.h"

int main(void)
{
	static unsigned char data[16384];
	bool good = true;

	is_int(crc32c(0, "123456789", 9), 0xe3069283, "the check value");
	memset(data, 0, 32);
	is_int(crc32c(0, data, 32), 0x8a9136aa, "RFC 3720: zeros");
	memset(data, 0xff, 32);
	is_int(crc32c(0, data, 32), 0x62a8ab43, "RFC 3720: ones");
	is_int(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283, "in parts");
	is_int(crc32c(7, data, 0), 7, "of nothing");
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 31 + i / 256);
	for (size_t n = 0; n < 600; n++)
		good = good && crc32c(1, data + n % 9, n) == crc32c_portable(1, data + n % 9, n);
	for (size_t n = 600; n < sizeof(data) - 9; n += 123)
		good = good && crc32c((uint32_t)n, data + n % 9, n) ==
				   crc32c_portable((uint32_t)n, data + n % 9, n);
	ok(good, "with and without the CPU's help");
	return done();
}
