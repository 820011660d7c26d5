/* SPDX-License-Identifier: BSD-3-Clause */
/* ENSURE stops the process and says where; the arithmetic of the ground floor. */
#include "base/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/reason.h"

/* Runs a function in a child with its standard error in text; returns the signal that ended it. */
static int
signal_of(void (*function)(void), char *text, size_t size)
{
	int ends[2], status;
	ssize_t length;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const struct rlimit no_core = {0, 0};

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		function();
		_exit(0);
	}
	close(ends[1]);
	length = read(ends[0], text, size - 1);
	assert_true(length >= 0);
	text[length] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
break_promise(void)
{
	unsigned two = 2;

	ENSURE(two + two == 5);
}

static void
keep_promise(void)
{
	unsigned two = 2;

	ENSURE(two + two == 4);
}

static void
ask_no_reason(void)
{
	reason_name(REASON_COUNT);
}

static void
test_ensure(void **state)
{
	char text[512];

	(void)state;
	assert_int_equal(signal_of(break_promise, text, sizeof(text)), SIGABRT);
	assert_non_null(strstr(text, "two + two == 5"));
	assert_non_null(strstr(text, "test_base.c:"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_int_equal(signal_of(keep_promise, text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

static void
test_no_such_reason(void **state)
{
	char text[512];

	(void)state;
	assert_int_equal(signal_of(ask_no_reason, text, sizeof(text)), SIGABRT);
	assert_non_null(strstr(text, "reason.c:"));
}

static void
test_cache_align(void **state)
{
	(void)state;
	for (size_t size = 0; size < 300; size++) {
		size_t aligned = cache_align(size);

		assert_true(aligned >= size && aligned < size + 64 && aligned % 64 == 0);
	}
}

static void
test_sides(void **state)
{
	(void)state;
	assert_int_equal(side_other(SIDE_CLIENT), SIDE_BACKEND);
	assert_int_equal(side_other(SIDE_BACKEND), SIDE_CLIENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_ensure),
			cmocka_unit_test(test_no_such_reason),
			cmocka_unit_test(test_cache_align),
			cmocka_unit_test(test_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
