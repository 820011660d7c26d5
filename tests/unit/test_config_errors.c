/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bad configurations, each with all the lines it must give. In the tables ' stands for the
 * quotation mark, in the file and in what is expected of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/config.h"

#define LINES_MAX 14

#define PORTS "'ports': {'client': {'device': 'c'}, 'server': {'device': 's'}}"
#define WORKERS "'workers': {'cpus': [1]}"
#define BACKEND "{'name': 'web', 'address': '10.0.0.2', 'port': 80}"
#define BACKENDS "'backends': [" BACKEND "]"

/* Files that are right but for one part, which stands in line 2. */
#define WITH_PORTS(part) "{" WORKERS ", " BACKENDS ",\n'ports': " part "}"
#define WITH_WORKERS(part) "{" PORTS ", " BACKENDS ",\n'workers': " part "}"
#define WITH_BACKENDS(part) "{" PORTS ", " WORKERS ",\n'backends': [" part "]}"
#define WITH(part) "{" PORTS ", " WORKERS ", " BACKENDS ",\n" part "}"

/* What is allowed, as messages say it. */
#define TOP_KEYS                                                                                   \
	"ports, workers, control, eal, limits, keys, timeouts, probe, egress, sources, queues, "   \
	"backends"
#define QUEUE_KEYS                                                                                 \
	"somaxconn, tcp_max_syn_backlog, tcp_syncookies, tcp_abort_on_overflow, "                  \
	"tcp_synack_retries, tcp_syn_retries, queue_rules, connect_window, early_data, "           \
	"fragments, stray, mode"
#define BACKEND_KEYS                                                                               \
	QUEUE_KEYS ", name, address, port, exempt, backlog, announced_mss, announced_wscale, "     \
		   "profile, profile_sack, profile_timestamps, profile_ecn"
#define PORT_KEYS "device, mtu, rx_descriptors, tx_descriptors, checksum, qinq_outer"
#define PREFIXES "a prefix of the family of address, as 10.1.0.0/16 or fd00:1::/32"
#define ADDRESSES "IPv4 or IPv6 address of a host"
#define NAMES "1..63 of A-Z a-z 0-9 . _ -"
#define CPUS "1..128 different of 0..1023"
#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10

struct bad {
	unsigned number;
	const char *text;
	const char *lines[LINES_MAX];
};

static void
quote(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			*text = '"';
	}
}

/* Parses text of a case and compares all lines; with quotes they are taken as they are. */
static void
expect(unsigned number, const char *text, size_t length, const char *const *lines, bool quotes)
{
	struct config_errors errors;
	struct config *config = config_parse("f", text, length, &errors);
	unsigned count = 0;

	assert_null(config);
	for (; count < LINES_MAX && lines[count] != NULL; count++) {
		char *line = strdup(lines[count]);

		if (!quotes)
			quote(line);
		if (count >= errors.count || strcmp(line, errors.lines[count]) != 0)
			fail_msg("case %u line %u:\nexpected %s\n     got %s", number, count, line,
					count < errors.count ? errors.lines[count] : "nothing");
		free(line);
	}
	if (count < errors.count)
		fail_msg("case %u: unexpected %s", number, errors.lines[count]);
	config_errors_free(&errors);
	assert_int_equal(errors.count, 0);
}

static void
expect_all(const struct bad *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *text = strdup(cases[i].text);

		quote(text);
		expect(cases[i].number, text, strlen(text), cases[i].lines, false);
		free(text);
	}
}

static const struct bad shape_cases[] = {
		{1, "{}",
				{"f:1: ports: required key is missing (allowed an object)",
						"f:1: workers: required key is missing (allowed an "
						"object)",
						"f:1: backends: required key is missing (allowed "
						"up to limits.backends objects)"}},
		{2, "[1, 2]", {"f:1: top level: not an object (value [...]; allowed an object)"}},
		{3, "[]", {"f:1: top level: not an object (value []; allowed an object)"}},
		{4, WITH("'ethernet': 1"),
				{"f:2: ethernet: unknown key (value 1; allowed " TOP_KEYS ")"}},
		{5, WITH("'queues': {\n'somaxcon': 128}"),
				{"f:3: queues.somaxcon: unknown key; did you mean 'somaxconn'? "
				 "(value 128; allowed " QUEUE_KEYS ")"}},
		{6, WITH("'queues': {'backlog': 128}"),
				{"f:2: queues.backlog: unknown key (value 128; allowed " QUEUE_KEYS
				 ")"}},
		{7, WITH_BACKENDS(BACKEND ",\n{'name': 'b', 'adress': '10.0.0.3', 'port': 80}"),
				{"f:3: backends[1].address: required key is missing "
				 "(allowed " ADDRESSES ")",
						"f:3: backends[1].adress: unknown key; did you "
						"mean 'address'? (value '10.0.0.3'; "
						"allowed " BACKEND_KEYS ")"}},
		{8, WITH("'limits': {'a b': 1, '': 2, 'c\\u0009.d': 3}"),
				{"f:2: limits['a b']: unknown key (value 1; allowed "
				 "connections_per_worker, ipv6_connections_per_worker, "
				 "syn_entries_per_worker, mbufs, "
				 "early_packets_per_worker, monitor_clients_per_worker, "
				 "source_prefixes_per_worker, backends)",
						"f:2: limits['']: unknown key (value 2; allowed "
						"connections_per_worker, "
						"ipv6_connections_per_worker, "
						"syn_entries_per_worker, mbufs, "
						"early_packets_per_worker, "
						"monitor_clients_per_worker, "
						"source_prefixes_per_worker, backends)",
						"f:2: limits['c\\x09.d']: unknown key (value 3; "
						"allowed connections_per_worker, "
						"ipv6_connections_per_worker, "
						"syn_entries_per_worker, mbufs, "
						"early_packets_per_worker, "
						"monitor_clients_per_worker, "
						"source_prefixes_per_worker, backends)"}},
		{9, WITH("'eal': [],\n'eal': []"),
				{"f:3: eal: key repeated (value []; first in line 2)"}},
		{10, WITH("'control': {'cpu': 1,\n'c\\u0070u': 2,\n'cpu': 3000}"),
				{"f:3: control.cpu: key repeated (value 2; first in line 2)",
						"f:4: control.cpu: key repeated (value 3000; first "
						"in line 2)",
						"f:4: control.cpu: out of range (value 3000; "
						"allowed 0..1023)"}},
		{11, WITH("'x': [{'a': 1,\n'a': 2}]"),
				{"f:2: x: unknown key (value [...]; allowed " TOP_KEYS ")",
						"f:3: x[0].a: key repeated (value 2; first in line "
						"2)"}},
		{12, WITH("'limits': 5, 'control': [], 'keys': null, 'queues': 'x'"),
				{"f:2: control: not an object (value []; allowed an object)",
						"f:2: limits: not an object (value 5; allowed an "
						"object)",
						"f:2: keys: not an object (value null; allowed an "
						"object)",
						"f:2: queues: not an object (value 'x'; allowed an "
						"object)"}},
		{13, "{'ports': 1,\n'workers': [],\n'backends': {}}",
				{"f:1: ports: not an object (value 1; allowed an object)",
						"f:2: workers: not an object (value []; allowed an "
						"object)",
						"f:3: backends: not an array (value {}; allowed up "
						"to limits.backends objects)"}},
		{14, WITH("'" X50 "': '" X50 "'"),
				{"f:2: " X10 X10 X10 X10
				 "xxxxx...: unknown key (value '" X10 X10 X10 X10
				 "xxxx...; allowed " TOP_KEYS ")"}},
};

static const struct bad port_cases[] = {
		{20, WITH_PORTS("{'client': {'device': 'c'}}"),
				{"f:2: ports.server: required key is missing (allowed an "
				 "object)"}},
		{21, WITH_PORTS("{'client': {},\n'server': 's'}"),
				{"f:2: ports.client.device: required key is missing (allowed "
				 "1..1023 bytes)",
						"f:3: ports.server: not an object (value 's'; "
						"allowed an object)"}},
		{22, WITH_PORTS("{'client': {'device': 'c'},\n'server': {'device': 'c'}}"),
				{"f:3: ports.server.device: same device as ports.client.device "
				 "(value 'c'; allowed another device)"}},
		{23, WITH_PORTS("{'client': {'device': ''},\n'server': {'device': 5}}"),
				{"f:2: ports.client.device: empty (value ''; allowed 1..1023 "
				 "bytes)",
						"f:3: ports.server.device: not a string (value 5; "
						"allowed 1..1023 bytes)"}},
		{24,
				WITH_PORTS("{'client': {'device': 'c', 'mtu': 1279},\n"
					   "'server': {'device': 's', 'mtu': 9601}}"),
				{"f:2: ports.client.mtu: out of range (value 1279; allowed 0 or "
				 "1280..9600)",
						"f:3: ports.server.mtu: out of range (value 9601; "
						"allowed 0 or 1280..9600)"}},
		{25,
				WITH_PORTS("{'client': {'device': 'c', 'checksum': 'off'},\n"
					   "'server': {'device': 's', 'checksum': true}}"),
				{"f:2: ports.client.checksum: not one of the choices (value "
				 "'off'; allowed 'auto', 'strict', 'partial')",
						"f:3: ports.server.checksum: not a string (value "
						"true; allowed 'auto', 'strict', 'partial')"}},
		{26,
				WITH_PORTS("{'client': {'device': 'c\\u0000d'},\n"
					   "'server': {'device': 's\\u007f'}}"),
				{"f:2: ports.client.device: contains a NUL or other control "
				 "character (value 'c\\u0000d'; allowed 1..1023 bytes)",
						"f:3: ports.server.device: contains a NUL or other "
						"control character (value 's\\u007f'; allowed "
						"1..1023 bytes)"}},
		{27,
				WITH_PORTS("{'client': {'device': 'c'}, 'server': {'device': 's', "
					   "'speed': 10}, 'backend': {}}"),
				{"f:2: ports.server.speed: unknown key (value 10; "
				 "allowed " PORT_KEYS ")",
						"f:2: ports.backend: unknown key (value {}; "
						"allowed client, server)"}},
};

static const struct bad worker_cases[] = {
		{30, WITH_WORKERS("{}"),
				{"f:2: workers.cpus: required key is missing (allowed " CPUS ")"}},
		{31, WITH_WORKERS("{'cpus': []}"),
				{"f:2: workers.cpus: wrong number of elements (value 0 elements; "
				 "allowed " CPUS ")"}},
		{32, WITH_WORKERS("{'cpus': 3}"),
				{"f:2: workers.cpus: not an array (value 3; allowed " CPUS ")"}},
		{33, WITH_WORKERS("{'cpus': [1,\n-1,\n1024,\n'2',\n1.0,\ntrue,\n1]}"),
				{"f:3: workers.cpus[1]: out of range (value -1; allowed 0..1023)",
						"f:4: workers.cpus[2]: out of range (value 1024; "
						"allowed 0..1023)",
						"f:5: workers.cpus[3]: not an integer (value '2'; "
						"allowed 0..1023)",
						"f:6: workers.cpus[4]: not an integer (value 1.0; "
						"allowed 0..1023)",
						"f:7: workers.cpus[5]: not an integer (value true; "
						"allowed 0..1023)",
						"f:8: workers.cpus[6]: same CPU as workers.cpus[0] "
						"(value 1; allowed every CPU once)"}},
};

static const struct bad key_cases[] = {
		{40, WITH("'control': {'cpu': 1024, 'socket': ''}"),
				{"f:2: control.cpu: out of range (value 1024; allowed 0..1023)",
						"f:2: control.socket: empty (value ''; allowed "
						"1..104 bytes)"}},
		{41, WITH("'control': {'socket': '/" X50 X50 X10 "'}"),
				{"f:2: control.socket: too long (value '/" X10 X10 X10 X10
				 "xxx...; allowed 1..104 bytes)"}},
		{42, WITH("'keys': {'secret_file': ''}"),
				{"f:2: keys.secret_file: empty (value ''; allowed 1..4095 "
				 "bytes)"}},
		{43,
				WITH("'limits': {'connections_per_worker': 4,\n"
				     "'ipv6_connections_per_worker': 5}"),
				{"f:3: limits.ipv6_connections_per_worker: more than "
				 "limits.connections_per_worker (value 5; allowed 0..4)"}},
		{44,
				WITH("'limits': {'connections_per_worker': 0,\n"
				     "'ipv6_connections_per_worker': 5}"),
				{"f:2: limits.connections_per_worker: out of range (value 0; "
				 "allowed 1..67108864)"}},
		{45, WITH("'eal': 'x'"),
				{"f:2: eal: not an array (value 'x'; allowed 0..64 of 1..1023 "
				 "bytes)"}},
		{46, WITH("'eal': ['--no-pci',\n'', 5,\n'a\\nb']"),
				{"f:3: eal[1]: empty (value ''; allowed 1..1023 bytes)",
						"f:3: eal[2]: not a string (value 5; allowed "
						"1..1023 bytes)",
						"f:4: eal[3]: contains a NUL or other control "
						"character (value 'a\\nb'; allowed 1..1023 "
						"bytes)"}},
#define REFUSED(index, option)                                                                     \
	"f:2: eal[" #index "]: workers.cpus and control.cpu decide this (value '" option           \
	"'; allowed options that choose no cores)"
		{47,
				WITH("'eal': ['-l', '-l1-3', '-c', '-c0xf', '--lcores', "
				     "'--lcores=1', "
				     "'--main-lcore', '--main-lcore=1', '--lc=1', '--']"),
				{REFUSED(0, "-l"), REFUSED(1, "-l1-3"), REFUSED(2, "-c"),
						REFUSED(3, "-c0xf"), REFUSED(4, "--lcores"),
						REFUSED(5, "--lcores=1"),
						REFUSED(6, "--main-lcore"),
						REFUSED(7, "--main-lcore=1"), REFUSED(8, "--lc=1"),
						REFUSED(9, "--")}},
#undef REFUSED
		{48, WITH("'control': {'drain_s': 86401,\n'drain': 1}"),
				{"f:2: control.drain_s: out of range (value 86401; allowed "
				 "0..86400)",
						"f:3: control.drain: unknown key; did you mean "
						"'drain_s'? (value 1; allowed cpu, socket, "
						"drain_s, watchdog_s)"}},
		{49, WITH("'limits': {'syn_entries_per_worker': 4194305}"),
				{"f:2: limits.syn_entries_per_worker: out of range (value 4194305; "
				 "allowed 0 or 64..4194304)"}},
		{50, WITH("'queues': {'tcp_syncookies': 3,\n'tcp_syn_retries': -1}"),
				{"f:2: queues.tcp_syncookies: out of range (value 3; allowed 0..2)",
						"f:3: queues.tcp_syn_retries: out of range (value "
						"-1; allowed 1..10)"}},
		{51, WITH("'queues': {'queue_rules': 'linux-5.10'}"),
				{"f:2: queues.queue_rules: not one of the choices (value "
				 "'linux-5.10'; allowed 'linux-2.6', 'linux-4.4', 'linux-6.18', "
				 "'classic')"}},
		{52,
				WITH_PORTS("{'client': {'device': 'c', 'qinq_outer': 88},\n"
					   "'server': {'device': 's', 'qinq_outer': '0x88A8'}}"),
				{"f:2: ports.client.qinq_outer: not a string (value 88; allowed "
				 "'0x8100', '0x88a8')",
						"f:3: ports.server.qinq_outer: not one of the "
						"choices "
						"(value '0x88A8'; allowed '0x8100', '0x88a8')"}},
};

#define AT_ADDRESS(text) WITH_BACKENDS("{'name': 'a', 'port': 1, 'address': " text "}")
#define REFUSED(problem, text)                                                                     \
	"f:2: backends[0].address: " problem " (value " text "; allowed " ADDRESSES ")"

static const struct bad address_cases[] = {
		{60, AT_ADDRESS("'10.0.0'"), {REFUSED("not an address", "'10.0.0'")}},
		{61, AT_ADDRESS("'10.0.0.256'"), {REFUSED("not an address", "'10.0.0.256'")}},
		{62, AT_ADDRESS("'10.0.0.02'"), {REFUSED("not an address", "'10.0.0.02'")}},
		{63, AT_ADDRESS("'10.0.0.2/32'"), {REFUSED("not an address", "'10.0.0.2/32'")}},
		{64, AT_ADDRESS("'www.example.org'"),
				{REFUSED("not an address", "'www.example.org'")}},
		{65, AT_ADDRESS("'fe80::1%eth0'"), {REFUSED("not an address", "'fe80::1%eth0'")}},
		{66, AT_ADDRESS("'[2001:db8::1]'"), {REFUSED("not an address", "'[2001:db8::1]'")}},
		{67, AT_ADDRESS("'0.0.0.0'"), {REFUSED("unspecified address", "'0.0.0.0'")}},
		{68, AT_ADDRESS("'255.255.255.255'"),
				{REFUSED("broadcast address", "'255.255.255.255'")}},
		{69, AT_ADDRESS("'127.0.0.1'"), {REFUSED("loopback address", "'127.0.0.1'")}},
		{70, AT_ADDRESS("'127.255.255.255'"),
				{REFUSED("loopback address", "'127.255.255.255'")}},
		{71, AT_ADDRESS("'224.0.0.1'"), {REFUSED("multicast address", "'224.0.0.1'")}},
		{72, AT_ADDRESS("'239.255.255.255'"),
				{REFUSED("multicast address", "'239.255.255.255'")}},
		{73, AT_ADDRESS("'::'"), {REFUSED("unspecified address", "'::'")}},
		{74, AT_ADDRESS("'::1'"), {REFUSED("loopback address", "'::1'")}},
		{75, AT_ADDRESS("'ff02::1'"), {REFUSED("multicast address", "'ff02::1'")}},
		{76, AT_ADDRESS("'::ffff:10.0.0.2'"),
				{REFUSED("IPv4-mapped address; write the IPv4 address itself",
						"'::ffff:10.0.0.2'")}},
		{77, AT_ADDRESS("''"), {REFUSED("empty", "''")}},
		{78, AT_ADDRESS("80"), {REFUSED("not a string", "80")}},
		{79, AT_ADDRESS("'10.0.0.2\\u0000'"),
				{REFUSED("contains a NUL or other control character",
						"'10.0.0.2\\u0000'")}},
};
#undef REFUSED

static const struct bad backend_cases[] = {
		{80, WITH_BACKENDS("5, [],\n{}"),
				{"f:2: backends[0]: not an object (value 5; allowed an object)",
						"f:2: backends[1]: not an object (value []; "
						"allowed an object)",
						"f:3: backends[2].name: required key is missing "
						"(allowed " NAMES ")",
						"f:3: backends[2].address: required key is missing "
						"(allowed " ADDRESSES ")",
						"f:3: backends[2].port: required key is missing "
						"(allowed 1..65535)"}},
		{81,
				WITH_BACKENDS(BACKEND ",\n{'name': 'b', 'address': "
						      "'10.0.0.3',\n'port': 70000}"),
				{"f:4: backends[1].port: out of range (value 70000; allowed "
				 "1..65535)"}},
		{82, WITH_BACKENDS("{'name': 'a b', 'address': '10.0.0.3', 'port': 0}"),
				{"f:2: backends[0].name: contains another character (value 'a "
				 "b'; allowed " NAMES ")",
						"f:2: backends[0].port: out of range (value 0; "
						"allowed 1..65535)"}},
		{83,
				WITH_BACKENDS("{'name': '', 'address': '10.0.0.3', 'port': "
					      "80},\n{'name': '" X50 "xxxxxxxxxxxxxx', 'address': "
					      "'10.0.0.4', 'port': 80}"),
				{"f:2: backends[0].name: empty (value ''; allowed " NAMES ")",
						"f:3: backends[1].name: too long (value '" X10 X10
								X10 X10 "xxxx...; allowed " NAMES
						")"}},
		{84,
				WITH_BACKENDS(BACKEND ",\n{'name': 'b', 'address': '10.0.0.2', "
						      "'port': 80},\n"
						      "{'name': 'c',\n'address': '10.0.0.2', "
						      "'port': 80}"),
				{"f:3: backends[1].address: same address and port as backends[0] "
				 "(value '10.0.0.2'; allowed another address and port than in line "
				 "2)",
						"f:5: backends[2].address: same address and port "
						"as backends[0] (value '10.0.0.2'; allowed another "
						"address and port than in line 2)"}},
		{85,
				WITH_BACKENDS("{'name': 'a', 'address': '2001:db8::1', 'port': "
					      "80},\n"
					      "{'name': 'b', 'address': '2001:DB8:0:0::0:1', "
					      "'port': 80}"),
				{"f:3: backends[1].address: same address and port as backends[0] "
				 "(value '2001:DB8:0:0::0:1'; allowed another address and port "
				 "than in line 2)"}},
		{86,
				WITH_BACKENDS("{'name': 'z', 'address': '10.0.0.9', 'port': "
					      "80},\n" BACKEND ",\n{'name': 'web', 'address': "
					      "'10.0.0.3', 'port': 80}"),
				{"f:4: backends[2].name: same name as backends[1] (value 'web'; "
				 "allowed another name than in line 3)"}},
		{87,
				"{" PORTS ", " WORKERS
				", 'limits': {'backends': 1},\n'backends': [" BACKEND
				",\n{'name': 'b', 'address': '10.0.0.3', 'port': 80}]}",
				{"f:2: backends: more than limits.backends (value 2 elements; "
				 "allowed 0..1)"}},
		{88,
				WITH_BACKENDS("{'name': 'a', 'address': '10.0.0.3', 'port': "
					      "80,\n'backlog': 0, "
					      "'somaxconn': 0,\n'tcp_syncookies': 3, "
					      "'announced_mss': 87,\n"
					      "'announced_wscale': 10, 'connect_window': '9',\n"
					      "'max_connections': 1}"),
				{"f:3: backends[0].somaxconn: out of range (value 0; allowed "
				 "1..1048576)",
						"f:3: backends[0].backlog: out of range (value 0; "
						"allowed 1..1048576)",
						"f:4: backends[0].tcp_syncookies: out of range "
						"(value 3; allowed 0..2)",
						"f:4: backends[0].announced_mss: out of range "
						"(value 87; allowed 88..65495)",
						"f:5: backends[0].connect_window: not an integer "
						"(value '9'; allowed 1..65535)",
						"f:5: backends[0].announced_wscale: out of range "
						"(value 10; allowed 0..9)",
						"f:6: backends[0].max_connections: unknown key "
						"(value 1; allowed " BACKEND_KEYS ")"}},
		{89,
				WITH_BACKENDS("{'name': 'a', 'port': 80, 'exempt': ["
					      "'10.1.0.0/16', '10.1.0.1/16',\n'10.1.0.0/33', "
					      "'10.1.0.0/0', 'fd00::/129',\n'fd00::/7', "
					      "'10.1.0.0/', '10.1/16', '', 7,\n'10.1.0.0/+8', "
					      "'fd00::', '10.9.9.9'], 'address': '10.0.0.2'},\n"
					      "{'name': 'b', 'port': 81, 'address': '10.0.0.2', "
					      "'exempt': '10.0.0.1'},\n"
					      "{'name': 'c', 'port': 82, 'address': '10.0.0.2', "
					      "'exempt': [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,"
					      "17]}"),
				{"f:2: backends[0].exempt[1]: has bits set behind its length "
				 "(value '10.1.0.1/16'; allowed " PREFIXES ")",
						"f:3: backends[0].exempt[2]: length not in 1..32 "
						"(value '10.1.0.0/33'; allowed " PREFIXES ")",
						"f:3: backends[0].exempt[3]: length not in 1..32 "
						"(value '10.1.0.0/0'; allowed " PREFIXES ")",
						"f:3: backends[0].exempt[4]: length not in 1..128 "
						"(value 'fd00::/129'; allowed " PREFIXES ")",
						"f:4: backends[0].exempt[5]: not of the family "
						"of address (value 'fd00::/7'; allowed " PREFIXES
						")",
						"f:4: backends[0].exempt[6]: length not in 1..32 "
						"(value '10.1.0.0/'; allowed " PREFIXES ")",
						"f:4: backends[0].exempt[7]: not a prefix "
						"(value '10.1/16'; allowed " PREFIXES ")",
						"f:4: backends[0].exempt[8]: empty "
						"(value ''; allowed " PREFIXES ")",
						"f:4: backends[0].exempt[9]: not a string "
						"(value 7; allowed " PREFIXES ")",
						"f:5: backends[0].exempt[10]: length not in 1..32 "
						"(value '10.1.0.0/+8'; allowed " PREFIXES ")",
						"f:5: backends[0].exempt[11]: not of the family "
						"of address (value 'fd00::'; allowed " PREFIXES ")",
						"f:6: backends[1].exempt: not an array (value "
						"'10.0.0.1'; allowed 0..16 of a prefix, of the "
						"family of address)",
						"f:7: backends[2].exempt: wrong number of elements "
						"(value 17 elements; allowed 0..16 of a prefix, "
						"of the family of address)"}},
};

/* Everything at once, in the order of the file. */
static const struct bad multi_cases[] = {
		{90,
				"{\n"
				"  'ports': {'client': {'device': 'a', 'mtu': 9.5}},\n"
				"  'workers': {'cpus': [1, 1]},\n"
				"  'limits': {'mbufs': 1023, 'mbuf': 1},\n"
				"  'queues': {'tcp_abort_on_overflow': true},\n"
				"  'backends': [\n"
				"    {'name': 'a', 'address': '10.0.0.2', 'port': 80},\n"
				"    {'name': 'a', 'address': '10.0.0.2', 'port': '80'}\n"
				"  ],\n"
				"  'workers': {'cpus': [2, 2]}\n"
				"}\n",
				{"f:2: ports.client.mtu: not an integer (value 9.5; allowed 0 or "
				 "1280..9600)",
						"f:2: ports.server: required key is missing "
						"(allowed an object)",
						"f:4: limits.mbufs: out of range (value 1023; "
						"allowed 1024..16777216)",
						"f:4: limits.mbuf: unknown key; did you mean "
						"'mbufs'? (value 1; allowed "
						"connections_per_worker, "
						"ipv6_connections_per_worker, "
						"syn_entries_per_worker, mbufs, "
						"early_packets_per_worker, "
						"monitor_clients_per_worker, "
						"source_prefixes_per_worker, backends)",
						"f:5: queues.tcp_abort_on_overflow: not an integer "
						"(value true; allowed 0..1)",
						"f:8: backends[1].port: not an integer (value "
						"'80'; allowed 1..65535)",
						"f:8: backends[1].name: same name as backends[0] "
						"(value 'a'; allowed another name than in line 7)",
						"f:10: workers: key repeated (value {...}; first "
						"in line 3)",
						"f:10: workers.cpus[1]: same CPU as "
						"workers.cpus[0] (value 2; allowed every CPU "
						"once)"}},
};

#define PROBED4 "{'name': 'a', 'address': '10.0.0.2', 'port': 80, 'profile': 'probe'}"
#define PROBED6 "{'name': 'b', 'address': 'fd00::2', 'port': 80,\n'profile': 'probe'}"
#define WITH_PROBE(probe, backends)                                                                \
	"{" PORTS ", " WORKERS ",\n'probe': {" probe "},\n'backends': [" backends "]}"

static const struct bad probe_cases[] = {
		{1, WITH_BACKENDS(PROBED4 ", " PROBED6),
				{"f:2: backends[0].profile: 'probe' needs probe.source (value "
				 "'probe'; allowed 'learn', 'fixed')",
						"f:3: backends[1].profile: 'probe' needs "
						"probe.source6 (value 'probe'; allowed 'learn', "
						"'fixed')"}},
		{2, WITH_PROBE("'source6': 'fd00::9'", PROBED4 ", " PROBED6),
				{"f:3: backends[0].profile: 'probe' needs probe.source (value "
				 "'probe'; allowed 'learn', 'fixed')"}},
		{3,
				WITH_PROBE("'source': '10.0.0.256',\n'source6': '10.0.0.9'",
						PROBED4 ", " PROBED6),
				{"f:2: probe.source: not an address (value '10.0.0.256'; allowed "
				 "IPv4 address of a host)",
						"f:3: probe.source6: address of the other family "
						"(value '10.0.0.9'; allowed IPv6 address of a "
						"host)"}},
		{4,
				WITH_PROBE("'source': 'fd00::9', 'gateway': "
					   "'224.0.0.1',\n'gateway6': 7",
						BACKEND),
				{"f:2: probe.source: address of the other family (value 'fd00::9'; "
				 "allowed IPv4 address of a host)",
						"f:2: probe.gateway: multicast address (value "
						"'224.0.0.1'; allowed IPv4 address of a host)",
						"f:3: probe.gateway6: not a string (value 7; "
						"allowed IPv6 address of a host)"}},
		{5, WITH_PROBE("'gateway': '10.0.0.1',\n'gateway6': 'fe80::1'", BACKEND),
				{"f:2: probe.gateway: without probe.source",
						"f:3: probe.gateway6: without probe.source6"}},
		{6, WITH_PROBE("'source': '10.0.0.1', 'gateway': '10.0.0.1'", BACKEND),
				{"f:2: probe.gateway: same address as probe.source (value "
				 "'10.0.0.1'; allowed another address)"}},
		{7, WITH_PROBE("'source': '10.0.0.2'", PROBED4),
				{"f:2: probe.source: same address as backends[0] (value "
				 "'10.0.0.2'; "
				 "allowed an address of its own)"}},
		{8, WITH_PROBE("'source': '10.0.0.9', 'vlan': 4095, 'prefix': 33", PROBED4),
				{"f:2: probe.prefix: out of range (value 33; allowed 0..32)",
						"f:2: probe.vlan: out of range (value 4095; "
						"allowed 0..4094)"}},
};

static void
test_probe(void **state)
{
	(void)state;
	expect_all(probe_cases, sizeof(probe_cases) / sizeof(probe_cases[0]));
}

static void
test_shape(void **state)
{
	(void)state;
	expect_all(shape_cases, sizeof(shape_cases) / sizeof(shape_cases[0]));
}

static void
test_ports(void **state)
{
	(void)state;
	expect_all(port_cases, sizeof(port_cases) / sizeof(port_cases[0]));
}

static void
test_workers(void **state)
{
	(void)state;
	expect_all(worker_cases, sizeof(worker_cases) / sizeof(worker_cases[0]));
}

static void
test_keys(void **state)
{
	(void)state;
	expect_all(key_cases, sizeof(key_cases) / sizeof(key_cases[0]));
}

static void
test_addresses(void **state)
{
	(void)state;
	expect_all(address_cases, sizeof(address_cases) / sizeof(address_cases[0]));
}

static void
test_backends(void **state)
{
	(void)state;
	expect_all(backend_cases, sizeof(backend_cases) / sizeof(backend_cases[0]));
}

static void
test_multi(void **state)
{
	(void)state;
	expect_all(multi_cases, sizeof(multi_cases) / sizeof(multi_cases[0]));
}

/* Arrays one longer than allowed; the elements beyond are not read, or 129 lines would follow. */
static void
test_counts(void **state)
{
	static const char *const cpus[] = {
			"f:2: workers.cpus: wrong number of elements (value 129 elements; "
			"allowed " CPUS ")",
			NULL};
	static const char *const eal[] = {
			"f:2: eal: wrong number of elements (value 65 elements; allowed 0..64 of "
			"1..1023 bytes)",
			NULL};
	char text[4096];
	char *out;

	(void)state;
	out = stpcpy(text, "{" PORTS ", " BACKENDS ",\n'workers': {'cpus': [0");
	for (unsigned i = 1; i <= 128; i++)
		out += sprintf(out, ",%u", i < 128 ? i : 5000);
	strcpy(out, "]}}");
	quote(text);
	expect(100, text, strlen(text), cpus, false);

	out = stpcpy(text, "{" PORTS ", " WORKERS ", " BACKENDS ",\n'eal': ['x'");
	for (unsigned i = 1; i <= 64; i++)
		out = stpcpy(out, ",'x'");
	strcpy(out, "]}");
	quote(text);
	expect(101, text, strlen(text), eal, false);
}

/* What jansson refuses: one line with line and column, and nothing of the text raw. */
static void
test_syntax(void **state)
{
	static const struct {
		unsigned number;
		const char *text;
		size_t length;
		const char *line;
	} cases[] = {
#define TEXT(text) text, sizeof(text) - 1
			{110, TEXT("{\n  \"a\": 1,\n}"),
					"f:3:1: not JSON: string or '}' expected near '}'"},
			{111, TEXT("{\"a\": tru}"), "f:1:9: not JSON: invalid token near 'tru'"},
			{112, TEXT("{} x"), "f:1:4: not JSON: end of file expected near 'x'"},
			{113, TEXT("{"),
					"f:1:1: not JSON: string or '}' expected near end of file"},
			{114, TEXT("  \n"),
					"f:2:0: not JSON: '[' or '{' expected near end of file"},
			{115, TEXT("5"), "f:1:1: not JSON: '[' or '{' expected near '5'"},
			{116, TEXT("{\"a\": \"\xff\"}"),
					"f:1:7: not JSON: unable to decode byte 0xff near '\"'"},
			{117, TEXT("{\"a\": \"x\ny\"}"),
					"f:1:8: not JSON: unexpected newline near '\"x'"},
			{118, TEXT("{\"a\": \x1b[31m}"),
					"f:1:7: not JSON: invalid token near '\\x1b'"},
			{119, TEXT("{\"a\": 1e999}"),
					"f:1:11: not JSON: real number overflow near '1e999'"},
			{120, TEXT("{\"a\": 99999999999999999999}"),
					"f:1:26: not JSON: too big integer near "
					"'99999999999999999999'"},
			{121, TEXT("{\"a\0b\": 1}"),
					"f:1:3: not JSON: control character 0x0 near '\"a'"},
			{122, TEXT("{\"a\\u0000b\": 1}"),
					"f:1:11: not JSON: NUL byte in object key not supported "
					"near '\"a\\u0000b\"'"},
			{123, TEXT("// comment\n{}"),
					"f:1:1: not JSON: '[' or '{' expected near '/'"},
			{124, TEXT("{\"a\": 01}"), "f:1:7: not JSON: invalid token near '0'"},
			{125, TEXT("{\"a\": \"\\ud800\"}"),
					"f:1:14: not JSON: invalid Unicode '\\uD800' near "
					"'\"\\ud800\"'"},
#undef TEXT
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const lines[] = {cases[i].line, NULL};

		expect(cases[i].number, cases[i].text, cases[i].length, lines, true);
	}
}

/* A path deeper than a line can hold keeps its end. */
static void
test_deep_path(void **state)
{
	char text[4096];
	char *out = stpcpy(text, "{" PORTS ", " WORKERS ", " BACKENDS ", 'x': ");
	struct config_errors errors;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		*out++ = '[';
	out = stpcpy(out, "{'a': 1, 'a': 2}");
	for (unsigned i = 0; i < 1000; i++)
		*out++ = ']';
	strcpy(out, "}");
	quote(text);
	assert_null(config_parse("f", text, strlen(text), &errors));
	assert_int_equal(errors.count, 2);
	assert_int_equal(strncmp(errors.lines[0], "f:1: ...[0][0]", 14), 0);
	assert_non_null(strstr(
			errors.lines[0], "[0][0].a: key repeated (value 2; first in line 1)"));
	assert_true(strlen(errors.lines[0]) < 400);
	config_errors_free(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_shape),
			cmocka_unit_test(test_ports),
			cmocka_unit_test(test_workers),
			cmocka_unit_test(test_keys),
			cmocka_unit_test(test_addresses),
			cmocka_unit_test(test_backends),
			cmocka_unit_test(test_probe),
			cmocka_unit_test(test_multi),
			cmocka_unit_test(test_counts),
			cmocka_unit_test(test_syntax),
			cmocka_unit_test(test_deep_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
