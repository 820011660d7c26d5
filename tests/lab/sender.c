/* SPDX-License-Identifier: BSD-3-Clause */
#include "sender.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/mix.h"

void
sender_fail(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

void
sender_refuse(const char *what, const char *value, const char *usage)
{
	fprintf(stderr, "%s: %s: %s\n%s", program_invocation_short_name, what, value, usage);
	exit(2);
}

uint64_t
sender_number(const char *text, uint64_t lowest, uint64_t highest, const char *usage)
{
	uint64_t number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0' || number < lowest || number > highest)
		sender_refuse("not a number in range", text, usage);
	return number;
}

uint64_t
sender_draw(uint64_t *state)
{
	return mix_next(state);
}

int
sender_open(const char *interface, uint16_t protocol, struct ether_addr *mac)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = protocol};
	int fd = socket(AF_PACKET, SOCK_RAW, protocol);
	struct ifreq request = {0};

	if (fd < 0)
		sender_fail("raw socket");
	if (strlen(interface) >= sizeof(request.ifr_name)) {
		errno = ENODEV;
		sender_fail(interface);
	}
	strcpy(request.ifr_name, interface);
	if (ioctl(fd, SIOCGIFHWADDR, &request) != 0)
		sender_fail(interface);
	memcpy(mac, request.ifr_hwaddr.sa_data, sizeof(*mac));
	address.sll_ifindex = (int)if_nametoindex(interface);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		sender_fail(interface);
	return fd;
}

void
sender_send(int fd, struct mmsghdr *messages, unsigned count)
{
	for (unsigned done = 0; done < count;) {
		int n = sendmmsg(fd, messages + done, count - done, 0);

		if (n > 0)
			done += (unsigned)n;
		else if (errno != ENOBUFS && errno != EINTR)
			sender_fail("send");
	}
}

uint32_t
sender_sum_add(uint32_t sum, const void *bytes, unsigned length)
{
	const uint8_t *byte = bytes;

	for (unsigned i = 0; i < length; i++)
		sum += i % 2 ? byte[i] : (uint32_t)byte[i] << 8;
	return sum;
}

uint16_t
sender_sum_close(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint64_t
sender_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void
sender_sleep_until(uint64_t at_ns)
{
	struct timespec at = {
			.tv_sec = (time_t)(at_ns / NS_PER_S), .tv_nsec = (long)(at_ns % NS_PER_S)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

void
sender_stop_block(void)
{
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
}

bool
sender_is_stopped(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM);
}
