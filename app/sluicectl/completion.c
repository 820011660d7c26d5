/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The completion script, written from the tables of commands, options and configuration keys, so
 * that none is forgotten. The script walks over the words before the cursor as options_parse()
 * would, and knows then which command they name and how many arguments it has.
 */
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "command.h"
#include "control/config_keys.h"
#include "field.h"
#include "session.h"
#include "text.h"

static const char script_walk[] =
		"_sluicectl()\n"
		"{\n"
		"\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal command='' count=0 options='' word i\n"
		"\tlocal ask=(\"$1\" --timeout 1)\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tword=${COMP_WORDS[i]}\n"
		"\t\tcase $word in\n"
		"\t\t-s | --socket)\n"
		"\t\t\task+=(--socket \"${COMP_WORDS[i+1]}\")\n"
		"\t\t\ti=$((i + 1))\n"
		"\t\t\t;;\n";

static const char script_words[] = "\t\t-*) ;;\n"
				   "\t\t*)\n"
				   "\t\t\tcase \"$command $count $word\" in\n";

static const char script_previous[] =
		"\t\t\t' 0 '*) command=$word ;;\n"
		"\t\t\t*) count=$((count + 1)) ;;\n"
		"\t\t\tesac\n"
		"\t\t\t;;\n"
		"\t\tesac\n"
		"\tdone\n"
		"\tcase $previous in\n"
		"\t-s | --socket)\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
		"\t\treturn\n"
		"\t\t;;\n"
		"\t-b | --backend)\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W "
		"\"$(\"${ask[@]}\" completion backends 2> /dev/null)\" -- \"$current\")\n"
		"\t\treturn\n"
		"\t\t;;\n";

static const char script_end[] =
		"\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
		"}\n"
		"complete -o filenames -F _sluicectl sluicectl\n";

/* "-t | --timeout" for all options that take a value but the two with cases of their own. */
static void
valued_print(const char *indent, bool with_backend)
{
	bool has_begun = false;

	fputs(indent, stdout);
	for (unsigned i = 0; i < OPTION_TOTAL; i++) {
		const struct option_spec *spec = &option_specs()[i];

		if (spec->kind == OPTION_FLAG || i == OPTION_SOCKET ||
				(i == OPTION_BACKEND && !with_backend))
			continue;
		fputs(has_begun ? " | " : "", stdout);
		if (spec->letter != 0)
			printf("-%c | ", spec->letter);
		printf("--%s", spec->name);
		has_begun = true;
	}
	fputs(")", stdout);
}

/* Commands of two words: the second one belongs to the name. */
static void
second_words_print(void)
{
	size_t count;
	const struct command *table = commands(&count);

	for (size_t i = 0; i < count; i++) {
		const char *space = strchr(table[i].name, ' ');

		if (space != NULL)
			printf("\t\t\t'%.*s 0 %s') command='%s' ;;\n", (int)(space - table[i].name),
					table[i].name, space + 1, table[i].name);
	}
}

static void
option_words_print(uint32_t options)
{
	for (unsigned i = 0; i < OPTION_TOTAL; i++) {
		if ((options & OPTION_BIT(i)) != 0)
			printf("--%s ", option_specs()[i].name);
	}
}

/* The words that may follow command; with "" those that may begin. */
static void
following_words_print(const char *command)
{
	const size_t length = strlen(command);
	const char *before = "";
	size_t before_length = 0;
	size_t count;
	const struct command *table = commands(&count);

	for (size_t i = 0; i < count; i++) {
		const char *word = table[i].name;
		size_t word_length;

		if (length > 0 && (strncmp(word, command, length) != 0 || word[length] != ' '))
			continue;
		word += length > 0 ? length + 1 : 0;
		word_length = strcspn(word, " ");
		/* Commands with the same first word stand together. */
		if (word_length != before_length || strncmp(word, before, word_length) != 0)
			printf("%.*s ", (int)word_length, word);
		before = word;
		before_length = word_length;
	}
}

static void
keys_print(void)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		if ((keys[i].scope & (CONFIG_SCOPE_BACKEND | CONFIG_SCOPE_QUEUES)) != 0 &&
				strcmp(keys[i].name, "address") != 0 &&
				strcmp(keys[i].name, "port") != 0 &&
				strcmp(keys[i].name, "name") != 0)
			printf("%s ", keys[i].name);
	}
}

static void
argument_case_print(const struct command *command, unsigned index)
{
	const enum command_argument kind = command->kinds[index];

	if (kind == ARGUMENT_OTHER)
		return;
	if (kind == ARGUMENT_FILE) {
		printf("\t'%s %u')\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
		       "\t\treturn\n\t\t;;\n",
				command->name, index);
		return;
	}
	printf("\t'%s %u') options=", command->name, index);
	if (kind == ARGUMENT_BACKEND) {
		fputs("$(\"${ask[@]}\" completion backends 2> /dev/null)", stdout);
	} else {
		putchar('\'');
		if (kind == ARGUMENT_KEY)
			keys_print();
		else
			following_words_print("");
		putchar('\'');
	}
	fputs(" ;;\n", stdout);
}

/* One case per command for its options, then one per argument. */
static void
cases_print(void)
{
	size_t count;
	const struct command *table = commands(&count);

	fputs("\tif [[ $current == -* ]]; then\n\t\tcase $command in\n", stdout);
	for (size_t i = 0; i < count; i++) {
		printf("\t\t'%s') options='", table[i].name);
		option_words_print(table[i].options | OPTIONS_GLOBAL);
		fputs("' ;;\n", stdout);
	}
	fputs("\t\t*) options='", stdout);
	option_words_print(OPTIONS_GLOBAL);
	fputs("' ;;\n\t\tesac\n\telse case \"$command $count\" in\n\t' 0') options='", stdout);
	following_words_print("");
	fputs("' ;;\n\t'ss 0') options='", stdout);
	following_words_print("ss");
	fputs("' ;;\n\t'completion 0') options='", stdout);
	following_words_print("completion");
	fputs("' ;;\n", stdout);
	for (size_t i = 0; i < count; i++) {
		for (unsigned j = 0; j < COMMAND_ARGUMENTS_MAX; j++)
			argument_case_print(&table[i], j);
	}
	fputs("\tesac\n\tfi\n", stdout);
}

enum status
completion_bash_run(struct session *session)
{
	(void)session;
	fputs(script_walk, stdout);
	valued_print("\t\t", true);
	fputs(" i=$((i + 1)) ;;\n", stdout);
	fputs(script_words, stdout);
	second_words_print();
	fputs(script_previous, stdout);
	valued_print("\t", false);
	fputs(" return ;;\n\tesac\n", stdout);
	cases_print();
	fputs(script_end, stdout);
	return STATUS_OK;
}

enum status
completion_backends_run(struct session *session)
{
	json_t *backends = session_ask_for(session, session_request("ss"), JSON_ARRAY);
	json_t *names = json_array();
	const json_t *backend;
	size_t i;

	if (backends == NULL) {
		json_decref(names);
		return STATUS_REFUSED;
	}
	json_array_foreach(backends, i, backend)
	{
		json_array_append(names, json_object_get(backend, "backend"));
	}
	if (session_is_json(session))
		session_print_json(names);
	else
		session_print_lines(stdout, names);
	json_decref(names);
	json_decref(backends);
	return STATUS_OK;
}
