/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the lab's packet senders (flood.c, battery.c) have in common: a raw socket, checksums,
 * random numbers that repeat, a clock, an end by signal, and how they refuse their arguments.
 */
#ifndef SLUICE_TESTS_LAB_SENDER_H
#define SLUICE_TESTS_LAB_SENDER_H

#include <netinet/ether.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define SENDER_BATCH 32
#define NS_PER_S 1000000000ull

/** Says what went wrong, by errno, and ends with status 1. */
_Noreturn void sender_fail(const char *what);

/** Says what is wrong with a value, then the usage, and ends with status 2. */
_Noreturn void sender_refuse(const char *what, const char *value, const char *usage);

/** A number from lowest to highest; refuses anything else. */
uint64_t sender_number(const char *text, uint64_t lowest, uint64_t highest, const char *usage);

/** The next of a sequence of random numbers: splitmix64 (Steele, Lea, Flood 2014). */
uint64_t sender_draw(uint64_t *state);

/** A raw socket bound to an interface, whose address becomes *mac. protocol, in network order, is
 * what it receives; 0 is nothing. */
int sender_open(const char *interface, uint16_t protocol, struct ether_addr *mac);

/** Sends all of at most SENDER_BATCH messages, also when the interface's queue is full for now. */
void sender_send(int fd, struct mmsghdr *messages, unsigned count);

/** Adds 16-bit words in network order to the Internet checksum's sum (RFC 1071). */
uint32_t sender_sum_add(uint32_t sum, const void *bytes, unsigned length);

/** The checksum of a sum, in host order. */
uint16_t sender_sum_close(uint32_t sum);

/** The monotonic clock. */
uint64_t sender_clock_ns(void);

void sender_sleep_until(uint64_t at_ns);

/** From now on SIGINT and SIGTERM are only looked at by sender_is_stopped(). */
void sender_stop_block(void);

/** True once one of them has come. */
bool sender_is_stopped(void);

#endif
