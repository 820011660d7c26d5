/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scripts, one statement per line; # begins a comment. They drive one backend, 10.0.0.2:80 or
 * [fd00::2]:80, and clients c1..c15 at addresses of their own.
 *
 *	set KEY VALUE          the backend's settings, by their names in the configuration
 *	limit KEY VALUE        connections, syn_entries or early_packets; before all else
 *	ip 6                   the same
 *	c1 sends FLAGS FIELD...
 *	backend sends FLAGS to c1 FIELD...
 *	because REASON         what became of the last packet sent
 *	c1 gets FLAGS FIELD... the first packet to c1 that was not looked at yet
 *	backend gets FLAGS from c1 FIELD...
 *	c1 gets nothing        also: backend gets nothing, nobody gets anything
 *	connects c1 FIELD...   a whole handshake, both SYNs with these fields
 *	again c1               its next ISN, 1,000,000 further, from which numbers count now
 *	bounce c1 N            N empty ACKs by both ends in turn, one in 20 ms, all forwarded
 *	flood N REASON COUNT...  N SYNs of strangers, and what became of how many
 *	after 1s               time passes, with a tick every 10 ms; also: after 20ms
 *	standstill 3s          time passes at once
 *	worker 2               packets go to the second worker from now on
 *	buffers none           no packet can be made; buffers some: again
 *	new secret             for cookies, by a reload
 *	restart                everything is forgotten but the settings
 *	counter NAME VALUE     the backend's, of all workers
 *	connections N          how many are held; the same: half-open N, waiting N
 *
 * FLAGS are SYN, SYN-ACK, FIN-ACK and so on, of FIN SYN RST PSH ACK URG ECE CWR; or NONE.
 * FIELDs are, with a number: seq ack len win mss wscale ttl; with two: ts VALUE ECHO, block LEFT
 * RIGHT; sack (permitted) alone; what shall be absent: no mss, no wscale, no sack, no ts, no
 * block. Only sent: options HEX, bytes as they are; wrong checksum.
 *
 * In what is sent, seq and ack not given are the next of their direction; in what is got, fields
 * not given don't count. Numbers are relative to the ISN of their direction and leg, or to its
 * first TSval, so what passes translated has the same ones on both legs.
 */
#ifndef SLUICE_TESTS_SIM_SCENARIO_H
#define SLUICE_TESTS_SIM_SCENARIO_H

#include <stdbool.h>

/** Plays each file; says on standard output what failed, and how many there were. */
bool scenario_play_all(char *const *files, unsigned count);

#endif
