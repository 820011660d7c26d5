/* SPDX-License-Identifier: BSD-3-Clause */
/* A secret that others may read is no secret: such a file is refused, not warned about. */
#include "keys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

#define SECRET_BYTES 16
#define SECRET_DIGITS (2 * SECRET_BYTES)

static bool
random_fill(void *buffer, size_t size)
{
	uint8_t *at = buffer;

	while (size > 0) {
		const ssize_t n = getrandom(at, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			say("getrandom: %s; without secrets there are no cookies", strerror(errno));
			return false;
		}
		at += n;
		size -= (size_t)n;
	}
	return true;
}

static uint8_t
digit_value(char digit)
{
	return (uint8_t)(digit <= '9' ? digit - '0' : tolower(digit) - 'a' + 10);
}

/* text: what the file holds, NUL-terminated. */
static bool
secret_parse(const char *text, uint8_t secret[SECRET_BYTES])
{
	for (unsigned i = 0; i < SECRET_DIGITS; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	if (text[SECRET_DIGITS + strspn(text + SECRET_DIGITS, " \t\r\n")] != '\0')
		return false;
	for (unsigned i = 0; i < SECRET_BYTES; i++)
		secret[i] = (uint8_t)(digit_value(text[2 * i]) << 4 | digit_value(text[2 * i + 1]));
	return true;
}

static bool
secret_read_fd(int fd, const char *path, uint8_t secret[SECRET_BYTES], char *message, size_t size)
{
	char text[SECRET_DIGITS + 32] = "";
	struct stat status;
	ssize_t length;
	bool valid;

	if (fstat(fd, &status) != 0 || (length = read(fd, text, sizeof(text) - 1)) < 0) {
		snprintf(message, size, "keys.secret_file: %s: %s", path, strerror(errno));
		return false;
	}
	if (status.st_mode & (S_IRWXG | S_IRWXO)) {
		snprintf(message, size,
				"keys.secret_file: %s: others may use it (mode %03o); run: chmod "
				"600 %s",
				path, status.st_mode & 0777, path);
		explicit_bzero(text, sizeof(text));
		return false;
	}

	valid = secret_parse(text, secret) && length < (ssize_t)sizeof(text) - 1;
	explicit_bzero(text, sizeof(text));
	if (!valid)
		snprintf(message, size,
				"keys.secret_file: %s: not exactly %d hexadecimal digits; make one "
				"with: (umask 077; openssl rand -hex %d > %s)",
				path, SECRET_DIGITS, SECRET_BYTES, path);
	return valid;
}

bool
keys_secret(const struct keys *keys, const char *secret_file, struct siphash_key *secret,
		char *message, size_t size)
{
	uint8_t bytes[SECRET_BYTES];
	bool valid;
	int fd;

	*secret = keys->cookie_secret;
	if (secret_file == NULL)
		return true;
	/* Not to wait for a writer, should it be a pipe. */
	fd = open(secret_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		snprintf(message, size, "keys.secret_file: %s: %s", secret_file, strerror(errno));
		return false;
	}
	valid = secret_read_fd(fd, secret_file, bytes, message, size);
	close(fd);
	if (valid)
		*secret = siphash_key_load(bytes);
	explicit_bzero(bytes, sizeof(bytes));
	return valid;
}

bool
keys_init(struct keys *keys, const char *secret_file)
{
	struct siphash_key secret;
	char message[1024];
	bool valid;

	if (!random_fill(keys, sizeof(*keys)))
		return false;
	valid = keys_secret(keys, secret_file, &secret, message, sizeof(message));
	explicit_bzero(&secret, sizeof(secret));
	if (!valid)
		say("%s", message);
	return valid;
}

void
keys_wipe(struct keys *keys)
{
	explicit_bzero(keys, sizeof(*keys));
}
