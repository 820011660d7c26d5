/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fuzz target without libFuzzer: runs it once for each file of the folders named. Any compiler
 * can build it, which is how coverage is measured.
 *
 *	replay_NAME FOLDER...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_BYTES_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

/* For mutators, which nobody asks here. */
size_t
LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room)
{
	(void)data, (void)room;
	return size;
}

static int
replay_file(const char *folder, const char *name)
{
	static uint8_t bytes[INPUT_BYTES_MAX];
	char path[4096];
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		return 1;
	}
	length = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);

	/* Of exactly the input's size, so that a sanitizer sees a byte read behind it. */
	uint8_t *input = malloc(length > 0 ? length : 1);

	if (input == NULL)
		return 1;
	for (size_t i = 0; i < length; i++)
		input[i] = bytes[i];
	LLVMFuzzerTestOneInput(input, length);
	free(input);
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned files = 0;
	int status = 0;

	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		struct dirent *entry;

		if (folder == NULL) {
			perror(argv[i]);
			return 1;
		}
		while ((entry = readdir(folder)) != NULL) {
			if (entry->d_name[0] == '.')
				continue;
			status |= replay_file(argv[i], entry->d_name);
			files++;
		}
		closedir(folder);
	}
	printf("%u inputs\n", files);
	return files > 0 ? status : 1;
}
