/* Runs a fuzz target over the files of its corpus, as one TAP test each. The corpus of
 * build/t/fuzz/NAME.t is $POSTERN_SRC/t/fuzz/corpus/NAME. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static int tests;

static void replay(const char *path, const char *name)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (f == NULL)
		return;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	/* An exact allocation, so that a read past the end is seen. */
	data = malloc(size > 0 ? (size_t)size : 1);
	if (size >= 0 && data && fread(data, 1, (size_t)size, f) == (size_t)size) {
		LLVMFuzzerTestOneInput(data, (size_t)size);
		printf("ok %d - %s\n", ++tests, name);
		fflush(stdout);
	}
	free(data);
	fclose(f);
}

int main(int argc, char **argv)
{
	const char *src = getenv("POSTERN_SRC");
	const char *slash = strrchr(argv[0], '/');
	char name[256], dir[4096], path[8192];
	struct dirent *e;
	DIR *d;

	snprintf(name, sizeof name, "%s", slash ? slash + 1 : argv[0]);
	if (strlen(name) > 2)
		name[strlen(name) - 2] = 0; /* ".t" */
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	printf("ok %d - empty input\n", ++tests);
	snprintf(dir, sizeof dir, "%s/t/fuzz/corpus/%s", src ? src : ".", name);
	d = opendir(dir);
	while (d && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			replay(path, e->d_name);
	}
	if (d)
		closedir(d);
	printf("1..%d\n", tests);
	return 0;
}
