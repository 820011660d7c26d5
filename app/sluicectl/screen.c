/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Escape sequences are those of ECMA-48 and xterm, which every terminal of today knows: alternate
 * screen, cursor, and no wrapping, so that long lines are cut by the terminal itself.
 */
#include "screen.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

#define ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE_END "\033[K"
#define CLEAR_SCREEN_END "\033[J"

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};

int64_t
screen_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
enter(const struct screen *screen)
{
	if (screen->has_modes) {
		struct termios modes = screen->modes;

		/* Keys at once and unseen; ^C and ^Z go on making signals. */
		modes.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
		modes.c_cc[VMIN] = 1;
		modes.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
	}
	fputs(ENTER, stdout);
	fflush(stdout);
}

static void
leave(const struct screen *screen)
{
	fputs(LEAVE, stdout);
	fflush(stdout);
	if (screen->has_modes)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->modes);
}

void
screen_open(struct screen *screen, bool wanted)
{
	sigset_t set;

	*screen = (struct screen){.signals = -1, .keys = -1};
	if (!wanted || isatty(STDOUT_FILENO) != 1)
		return;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_COUNT(watched); i++)
		sigaddset(&set, watched[i]);
	sigprocmask(SIG_BLOCK, &set, &screen->mask);
	screen->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signals < 0) {
		sigprocmask(SIG_SETMASK, &screen->mask, NULL);
		return;
	}
	screen->is_full = true;
	if (tcgetattr(STDIN_FILENO, &screen->modes) == 0) {
		screen->has_modes = true;
		screen->keys = STDIN_FILENO;
	}
	enter(screen);
}

void
screen_close(struct screen *screen)
{
	if (!screen->is_full)
		return;
	leave(screen);
	close(screen->signals);
	sigprocmask(SIG_SETMASK, &screen->mask, NULL);
	screen->is_full = false;
	if (screen->end_signal != 0)
		raise(screen->end_signal);
}

/* ^Z: the shell gets its terminal as it was, and gives it back later. */
static void
stop(const struct screen *screen)
{
	leave(screen);
	raise(SIGSTOP);
	enter(screen);
}

static enum screen_event
signal_take(struct screen *screen)
{
	struct signalfd_siginfo info;

	if (read(screen->signals, &info, sizeof(info)) != sizeof(info))
		return SCREEN_TIME;
	switch (info.ssi_signo) {
	case SIGTSTP:
		stop(screen);
		return SCREEN_REDRAW;
	case SIGWINCH:
	case SIGCONT:
		return SCREEN_REDRAW;
	default:
		screen->end_signal = (int)info.ssi_signo;
		return SCREEN_END;
	}
}

/* Any key but q is nothing to us; a keyboard that is gone isn't asked again. */
static enum screen_event
key_take(struct screen *screen)
{
	char keys[64];
	const ssize_t count = read(screen->keys, keys, sizeof(keys));

	if (count <= 0) {
		screen->keys = -1;
		return SCREEN_TIME;
	}
	return memchr(keys, 'q', (size_t)count) != NULL ? SCREEN_END : SCREEN_TIME;
}

enum screen_event
screen_wait(struct screen *screen, int64_t until_ms)
{
	for (;;) {
		const int64_t left = until_ms - screen_now_ms();
		struct pollfd fds[] = {
				{.fd = screen->signals, .events = POLLIN},
				{.fd = screen->keys, .events = POLLIN},
		};
		enum screen_event event = SCREEN_TIME;

		poll(fds, ARRAY_COUNT(fds),
				left > 0 ? (int)(left < INT32_MAX ? left : INT32_MAX) : 0);
		if (fds[0].revents != 0)
			event = signal_take(screen);
		else if (fds[1].revents != 0)
			event = key_take(screen);
		if (event != SCREEN_TIME || left <= 0)
			return event;
	}
}

void
screen_size(unsigned *lines, unsigned *columns)
{
	struct winsize size;

	*lines = 24;
	*columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
		return;
	*lines = size.ws_row;
	*columns = size.ws_col;
}

void
screen_draw(const char *text, size_t length)
{
	const char *end = text + length;
	unsigned columns;
	unsigned left;

	screen_size(&left, &columns);
	fputs(HOME, stdout);
	while (text < end && left-- > 0) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));

		if (line_end == NULL)
			line_end = end;
		fwrite(text, 1, (size_t)(line_end - text), stdout);
		fputs(CLEAR_LINE_END, stdout);
		/* After the last line of the screen a new line would scroll it. */
		if (left > 0)
			fputs("\r\n", stdout);
		text = line_end < end ? line_end + 1 : end;
	}
	if (left > 0 && left != UINT32_MAX)
		fputs(CLEAR_SCREEN_END, stdout);
	fflush(stdout);
}
