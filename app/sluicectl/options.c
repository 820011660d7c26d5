/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Not getopt_long(): options of a command are only known once the command is, which may stand
 * behind them, and a value like -5 is no option.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "command.h"
#include "text.h"

#define SOCKET_DEFAULT "/run/sluice/control.sock"
#define TIMEOUT_DEFAULT_S 10

static const struct option_spec specs[OPTION_TOTAL] = {
		[OPTION_SOCKET] = {"socket", 's', OPTION_TEXT, "PATH", 0, 0,
				"the appliance's control socket; else $SLUICE_SOCKET, else "
				"/run/sluice/control.sock"},
		[OPTION_JSON] = {"json", 'j', OPTION_FLAG, NULL, 0, 0,
				"print the result as one line of JSON"},
		[OPTION_TIMEOUT] = {"timeout", 't', OPTION_SECONDS, "S", 0.01, 3600,
				"give up when the appliance says nothing for S seconds (10)"},
		[OPTION_HELP] = {"help", 'h', OPTION_FLAG, NULL, 0, 0, "help, also of one command"},
		[OPTION_VERSION] = {"version", 0, OPTION_FLAG, NULL, 0, 0, "the version"},
		[OPTION_BACKEND] = {"backend", 'b', OPTION_TEXT, "NAME", 0, 0,
				"only of this backend"},
		[OPTION_CLIENT] = {"client", 'c', OPTION_TEXT, "ADDRESS[:PORT]", 0, 0,
				"only of this client; [ADDRESS]:PORT for IPv6"},
		[OPTION_STATE] = {"state", 0, OPTION_TEXT, "STATE", 0, 0, "only in this state"},
		[OPTION_LIMIT] = {"limit", 'l', OPTION_INTEGER, "N", 1, 4294967295.0,
				"at most N rows (all)"},
		[OPTION_DIFF] = {"diff", 'd', OPTION_FLAG, NULL, 0, 0,
				"what was added since your last call with --diff"},
		[OPTION_EXPLAIN] = {"explain", 'e', OPTION_FLAG, NULL, 0, 0,
				"with what each counter counts"},
		[OPTION_ZEROS] = {"zeros", 'z', OPTION_FLAG, NULL, 0, 0,
				"also counters that are 0"},
		[OPTION_INTERVAL] = {"interval", 'i', OPTION_SECONDS, "S", 0.1, 86400,
				"seconds from one look to the next (1)"},
		[OPTION_BLOCKS] = {"count", 'n', OPTION_INTEGER, "N", 1, 4294967295.0,
				"end after N looks"},
		[OPTION_DRAIN_DEADLINE] = {"drain-deadline", 0, OPTION_INTEGER, "S", 0,
				4294967295.0,
				"reset after S seconds what is left of removed backends"},
		[OPTION_VLAN] = {"vlan", 0, OPTION_INTEGER, "N", 0, 4095, "inside this VLAN"},
		[OPTION_YES] = {"yes", 'y', OPTION_FLAG, NULL, 0, 0, "do not ask"},
};

const struct option_spec *
option_specs(void)
{
	return specs;
}

/* Keeps the first problem. */
__attribute__((format(printf, 2, 3))) static bool
fail(struct options *options, const char *format, ...)
{
	va_list arguments;

	if (options->problem[0] != '\0')
		return false;
	va_start(arguments, format);
	vsnprintf(options->problem, sizeof(options->problem), format, arguments);
	va_end(arguments);
	return false;
}

static bool
fail_unknown(struct options *options, const char *word, const char *name)
{
	struct text_nearest nearest = {.word = name};

	for (unsigned i = 0; i < OPTION_TOTAL; i++)
		text_nearest_try(&nearest, specs[i].name);
	if (nearest.best != NULL)
		return fail(options, "unknown option \"%s\"; did you mean --%s?", word,
				nearest.best);
	return fail(options, "unknown option \"%s\"; try: sluicectl --help", word);
}

/* JSON can carry nothing else; paths never go there. */
static bool
is_utf8(const char *text)
{
	json_t *string = json_string(text);
	const bool is = string != NULL;

	json_decref(string);
	return is;
}

static bool
number_parse(struct options *options, enum option_id id, const char *value)
{
	const struct option_spec *spec = &specs[id];
	char *end;
	double number;

	errno = 0;
	number = strtod(value, &end);
	if (!isdigit((unsigned char)value[0]) || *end != '\0' || errno != 0 || value[1] == 'x' ||
			value[1] == 'X' || number < spec->min || number > spec->max ||
			(spec->kind == OPTION_INTEGER && number != floor(number)))
		return fail(options, "--%s takes %s from %.10g to %.10g, not \"%s\"", spec->name,
				spec->kind == OPTION_INTEGER ? "a whole number" : "seconds",
				spec->min, spec->max, value);
	options->numbers[id] = number;
	return true;
}

static bool
value_take(struct options *options, enum option_id id, const char *value)
{
	options->values[id] = value;
	if (id != OPTION_SOCKET && !is_utf8(value))
		return fail(options, "--%s is not UTF-8", specs[id].name);
	if (specs[id].kind == OPTION_TEXT)
		return value[0] != '\0' || fail(options, "--%s is empty", specs[id].name);
	return number_parse(options, id, value);
}

/* One of "--name", "--name value", "--name=value"; returns how many words that were, 0 when it is
 * wrong. next may be NULL. */
static unsigned
long_take(struct options *options, const char *word, const char *next)
{
	const char *equals = strchr(word, '=');
	const size_t length = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word) - 2;
	char name[64];
	unsigned id = 0;

	snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : 63), word + 2);
	while (id < OPTION_TOTAL && strcmp(specs[id].name, name) != 0)
		id++;
	if (id == OPTION_TOTAL)
		return fail_unknown(options, word, name);
	if (specs[id].kind == OPTION_FLAG) {
		if (equals != NULL)
			return fail(options, "--%s takes no value", name);
		options->values[id] = "";
		return 1;
	}
	if (equals != NULL)
		return value_take(options, id, equals + 1) ? 1 : 0;
	if (next == NULL)
		return fail(options, "--%s needs %s", name, specs[id].argument);
	return value_take(options, id, next) ? 2 : 0;
}

/* "-j", "-jz", "-s value", "-svalue"; as long_take(). */
static unsigned
short_take(struct options *options, const char *word, const char *next)
{
	for (const char *letter = word + 1; *letter != '\0'; letter++) {
		unsigned id = 0;

		while (id < OPTION_TOTAL && specs[id].letter != *letter)
			id++;
		if (id == OPTION_TOTAL)
			return fail_unknown(options, word, word + 1);
		if (specs[id].kind == OPTION_FLAG) {
			options->values[id] = "";
			continue;
		}
		if (letter[1] != '\0')
			return value_take(options, id, letter + 1) ? 1 : 0;
		if (next == NULL)
			return fail(options, "-%c needs %s", *letter, specs[id].argument);
		return value_take(options, id, next) ? 2 : 0;
	}
	return 1;
}

/* "-", "-5" and "->" are words of their own. */
static bool
is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0' && word[1] != '>' &&
	       !isdigit((unsigned char)word[1]);
}

/* Sorts the words into options and others; goes on behind a problem to see --json. */
static void
words_sort(struct options *options, int argc, char **argv)
{
	bool options_end = false;

	for (int i = 1; i < argc;) {
		unsigned taken = 1;

		if (options_end || !is_option(argv[i]))
			options->words[options->count++] = argv[i];
		else if (strcmp(argv[i], "--") == 0)
			options_end = true;
		else if (argv[i][1] == '-')
			taken = long_take(options, argv[i], argv[i + 1]);
		else
			taken = short_take(options, argv[i], argv[i + 1]);
		i += taken == 0 ? 1 : (int)taken;
	}
}

static bool
command_take(struct options *options)
{
	unsigned words;

	options->command = command_find(options->words, options->count, &words);
	options->arguments += words;
	options->count -= words;
	if (options->command == NULL && options->count > 0) {
		const char *nearest = command_nearest(options->words, options->count);

		if (nearest != NULL)
			return fail(options, "unknown command \"%s\"; did you mean \"%s\"?",
					options->words[0], nearest);
		return fail(options, "unknown command \"%s\"; try: sluicectl --help",
				options->words[0]);
	}
	return true;
}

static bool
arguments_check(struct options *options)
{
	const struct command *command = options->command;

	for (unsigned id = 0; id < OPTION_TOTAL; id++) {
		if (options_has(options, id) &&
				((OPTIONS_GLOBAL | command->options) & OPTION_BIT(id)) == 0)
			return fail(options, "%s takes no --%s; try: sluicectl help %s",
					command->name, specs[id].name, command->name);
	}
	for (unsigned i = 0; i < options->count; i++) {
		const bool is_file =
				i < COMMAND_ARGUMENTS_MAX && command->kinds[i] == ARGUMENT_FILE;

		if (!is_file && !is_utf8(options->arguments[i]))
			return fail(options, "argument %u is not UTF-8", i + 1);
	}
	if (options->count < command->arguments_min)
		return fail(options, "%s needs %s; try: sluicectl help %s", command->name,
				command->arguments, command->name);
	if (options->count > command->arguments_max) {
		const char *nearest = command_nearest(options->words, 2);

		if (command->arguments_max == 0 && nearest != NULL &&
				strcmp(nearest, command->name) != 0)
			return fail(options, "unexpected \"%s\"; did you mean \"%s\"?",
					options->arguments[0], nearest);
		return fail(options, "unexpected \"%s\"; try: sluicectl help %s",
				options->arguments[command->arguments_max], command->name);
	}
	return true;
}

bool
options_parse(struct options *options, int argc, char **argv)
{
	*options = (struct options){.words = calloc((size_t)argc + 1, sizeof(*options->words))};
	ENSURE(options->words != NULL);
	options->arguments = options->words;
	words_sort(options, argc, argv);
	if (options->problem[0] != '\0' || !command_take(options))
		return false;
	if (options->command == NULL || options_has(options, OPTION_HELP))
		return true;
	return arguments_check(options);
}

void
options_fini(struct options *options)
{
	free(options->words);
}

const char *
options_socket(const struct options *options)
{
	const char *environment = getenv("SLUICE_SOCKET");

	if (options_has(options, OPTION_SOCKET))
		return options->values[OPTION_SOCKET];
	return environment != NULL && environment[0] != '\0' ? environment : SOCKET_DEFAULT;
}

unsigned
options_timeout_ms(const struct options *options)
{
	const double seconds = options_has(options, OPTION_TIMEOUT)
					       ? options->numbers[OPTION_TIMEOUT]
					       : TIMEOUT_DEFAULT_S;

	return (unsigned)(seconds * 1000);
}
