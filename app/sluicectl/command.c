/* SPDX-License-Identifier: BSD-3-Clause */
/* Only the table and how it is searched. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "text.h"

#define ROW_OPTIONS                                                                                \
	(OPTION_BIT(OPTION_BACKEND) | OPTION_BIT(OPTION_CLIENT) | OPTION_BIT(OPTION_STATE) |       \
			OPTION_BIT(OPTION_LIMIT))

static const struct command table[] = {
		{"ss", "", "backends and their two queues, as ss -lnt lists sockets",
				"One line per backend. Recv-Q is how many clients are in the "
				"accept "
				"queue, Send-Q its\n"
				"limit; SYN-RECV how many are half open, Max how many of them fit; "
				"Mode "
				"whether a new\n"
				"client gets a place in the syn queue or a cookie; Estab how many "
				"are "
				"established. A full\n"
				"queue is marked by \"!\", and lines below say what that means for "
				"clients.\n",
				"  sluicectl ss\n"
				"  sluicectl ss --backend web\n"
				"  sluicectl --json ss | jq '.[] | select(.recv_q > .send_q) | "
				".backend'\n",
				OPTION_BIT(OPTION_BACKEND), .run = listing_run},
		{"ss syn-recv", "", "half-open clients",
				"One line per client in a syn queue: Timer is when its SYN-ACK is "
				"sent "
				"again, Repeats how\n"
				"often that was done, Acked whether it has proved itself but met a "
				"full "
				"accept queue.\n",
				"  sluicectl ss syn-recv --backend web --limit 20\n"
				"  sluicectl ss syn-recv --client 10.0.0.1\n",
				ROW_OPTIONS, .run = rows_syn_recv_run},
		{"ss established", "", "connections of proved clients",
				"One line per connection whose client has proved itself, those "
				"waiting "
				"in the accept queue\n"
				"(queued, connecting) included. Age counts from the proof, then "
				"from "
				"the last segment.\n",
				"  sluicectl ss established --backend web\n"
				"  sluicectl ss established --state queued --client "
				"'[fd00::1]:40000'\n"
				"  sluicectl --json ss established | jq length\n",
				ROW_OPTIONS, .run = rows_established_run},
		{"profile", "[BACKEND]", "what backends' SYN-ACKs have taught, per worker",
				"One line per backend and worker: what the backend's own SYN-ACKs "
				"had, and so what\n"
				"the next client's SYN-ACK announces (all but WScale, which is "
				"configured); Window is\n"
				"their initial one, Drift how often an answer was not what was "
				"expected. \"-\" is what\n"
				"was not learned yet, or a window scale that was refused.\n",
				"  sluicectl profile\n"
				"  sluicectl profile web\n"
				"  sluicectl --json profile | jq '.[] | select(.drift > 0)'\n",
				OPTION_BIT(OPTION_LIMIT), .arguments_max = 1,
				.kinds = {ARGUMENT_BACKEND}, .run = rows_profile_run},
		{"netstat", "[BACKEND]", "counters, under Linux's names",
				"Counters of all backends together and of each, then why packets "
				"ended "
				"as they did (reasons)\n"
				"and what was sent unasked (emitted). Counters that are 0 are left "
				"out. "
				"With --diff only what\n"
				"was added since your last call with --diff; CurrEstab is a level "
				"and "
				"shown as it is.\n",
				"  sluicectl netstat\n"
				"  sluicectl netstat web --explain\n"
				"  sluicectl netstat --diff; sleep 10; sluicectl netstat --diff\n",
				OPTION_BIT(OPTION_DIFF) | OPTION_BIT(OPTION_EXPLAIN) |
						OPTION_BIT(OPTION_ZEROS),
				0, 1, {ARGUMENT_BACKEND}, netstat_run},
		{"watch", "", "rates and queues, live",
				"Rates of SYNs, cookies, proofs, established connections and "
				"drops, and "
				"each backend's queues\n"
				"against their limits. Full-screen on a terminal, where q ends it; "
				"elsewhere one block per\n"
				"interval. Outlives a restart of the appliance.\n",
				"  sluicectl watch\n"
				"  sluicectl watch --interval 5 --count 12\n"
				"  sluicectl --json watch | jq .rates.drops\n",
				OPTION_BIT(OPTION_INTERVAL) | OPTION_BIT(OPTION_BLOCKS),
				.run = watch_run},
		{"doctor", "", "which backend loses clients, why, and the cure",
				"Says in plain words which backend loses clients, in which queue, "
				"since "
				"when, how many, what\n"
				"the clients saw, and which setting would cure it. Exit status 3 "
				"when "
				"it found something.\n",
				"  sluicectl doctor\n"
				"  sluicectl --json doctor | jq -r '.findings[].cure.command'\n",
				.run = doctor_run},
		{"explain", "CLIENT BACKEND", "what state one connection is in, and why",
				"CLIENT is ADDRESS:PORT, [ADDRESS]:PORT for IPv6; BACKEND an "
				"address and "
				"port or a name. Both\n"
				"may be one argument, joined by \"-\" or \"->\".\n",
				"  sluicectl explain 10.0.0.1:40000 web\n"
				"  sluicectl explain '[fd00::1]:40000' '[fd00::2]:80' --vlan 7\n"
				"  sluicectl explain '10.0.0.1:40000 -> 10.0.0.2:80'\n",
				OPTION_BIT(OPTION_VLAN), 1, 3, {ARGUMENT_OTHER, ARGUMENT_BACKEND},
				explain_run},
		{"set", "BACKEND KEY VALUE", "change one key of a backend now, without saving it",
				"KEY is one that a backend may have in the configuration file. It "
				"holds "
				"at once and lasts\n"
				"until the next reload or restart: to keep it, write it into the "
				"file.\n",
				"  sluicectl set web backlog 2048\n"
				"  sluicectl set web queue_rules linux-4.4\n",
				.arguments_min = 3, .arguments_max = 3,
				.kinds = {ARGUMENT_BACKEND, ARGUMENT_KEY}, .run = change_set_run},
		{"reload", "", "read the configuration file again",
				"All of the file or, with any error in it, nothing. Removed "
				"backends "
				"drain: they take no new\n"
				"connections, and old ones go on.\n",
				"  sluicectl reload\n"
				"  sluicectl reload --drain-deadline 60\n",
				OPTION_BIT(OPTION_DRAIN_DEADLINE), .run = change_reload_run},
		{"check", "[FILE]", "validate a configuration without using it",
				"With FILE no appliance is needed; exit status 2 and every error "
				"when it "
				"is wrong. Without\n"
				"FILE the appliance says what a reload would do.\n",
				"  sluicectl check /etc/sluice/sluice.json\n"
				"  sluicectl check && sluicectl reload\n",
				.arguments_max = 1, .kinds = {ARGUMENT_FILE},
				.run = change_check_run},
		{"flush", "BACKEND", "end all connections of a backend",
				"Forgets its half-open clients and resets its connections at both "
				"ends. "
				"Asks first when it\n"
				"stands at a terminal.\n",
				"  sluicectl flush web\n"
				"  sluicectl flush web --yes\n",
				OPTION_BIT(OPTION_YES), 1, 1, {ARGUMENT_BACKEND}, change_flush_run},
		{"stats", "", "everything that is counted, as JSON",
				"What the appliance prints on SIGUSR1.\n",
				"  sluicectl stats\n"
				"  sluicectl --json stats | jq .mbufs\n",
				.run = appliance_stats_run},
		{"ping", "", "is the appliance there, and how did its last reload go",
				"Version, uptime, generation of the configuration, last reload.\n",
				"  sluicectl ping\n"
				"  until sluicectl --timeout 1 ping; do sleep 1; done\n",
				.run = appliance_ping_run},
		{"lists", "",
				"which sources are denied and allowed, and how many SYNs they may "
				"send",
				"Prefixes in each list, by family, and the file they are from; "
				"when "
				"the files were read,\n"
				"and the SYN rate limit. A reload reads the files again.\n",
				"  sluicectl lists\n"
				"  sluicectl --json lists | jq .deny.ipv4\n",
				.run = appliance_lists_run},
		{"completion bash", "", "print bash's completion script",
				"Completes commands, options, keys, and names of backends, for "
				"which it "
				"asks the appliance.\n",
				"  source <(sluicectl completion bash)\n"
				"  sluicectl completion bash > /etc/bash_completion.d/sluicectl\n",
				.run = completion_bash_run},
		{"completion backends", "", "print the names of all backends",
				"One per line; the completion script asks for them.\n",
				"  sluicectl completion backends\n",
				.run = completion_backends_run},
		{"help", "[COMMAND]", "help, also of one command",
				"Without COMMAND a list of all.\n",
				"  sluicectl help ss established\n", .arguments_max = 2,
				.kinds = {ARGUMENT_COMMAND}, .run = help_run},
};

const struct command *
commands(size_t *count)
{
	*count = ARRAY_COUNT(table);
	return table;
}

static const struct command *
find_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	}
	return NULL;
}

#define NAME_BYTES 64

/* The first count words as one name; longer ones name nothing. */
static void
join(char name[NAME_BYTES], const char *const *words, unsigned count)
{
	size_t used = 0;

	name[0] = '\0';
	for (unsigned i = 0; i < count && used < NAME_BYTES; i++)
		used += (size_t)snprintf(
				name + used, NAME_BYTES - used, "%s%s", i > 0 ? " " : "", words[i]);
}

const struct command *
command_find(const char *const *words, unsigned count, unsigned *used)
{
	for (*used = count < 2 ? count : 2; *used > 0; --*used) {
		const struct command *found;
		char name[NAME_BYTES];

		join(name, words, *used);
		found = find_name(name);
		if (found != NULL)
			return found;
	}
	return NULL;
}

const char *
command_nearest(const char *const *words, unsigned count)
{
	struct text_nearest nearest = {0};
	char name[NAME_BYTES];

	for (unsigned used = count < 2 ? count : 2; used > 0 && nearest.best == NULL; used--) {
		join(name, words, used);
		nearest.word = name;
		for (size_t i = 0; i < ARRAY_COUNT(table); i++)
			text_nearest_try(&nearest, table[i].name);
	}
	return nearest.best;
}
