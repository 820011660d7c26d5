/* SPDX-License-Identifier: BSD-3-Clause */
#include "families.h"

#include <inttypes.h>
#include <math.h>

static void
escaped_write(FILE *out, const char *text, bool quotes)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '\\' || (*text == '"' && quotes))
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static const char *
type_name(const struct families *families, enum family_type type)
{
	switch (type) {
	case FAMILY_COUNTER:
		return "counter";
	case FAMILY_HISTOGRAM:
		return "histogram";
	case FAMILY_INFO:
		return families->is_open ? "info" : "gauge";
	case FAMILY_GAUGE:
	default:
		return "gauge";
	}
}

void
family_begin(struct families *families, const char *name, enum family_type type, const char *unit,
		const char *help)
{
	const char *suffix = type == FAMILY_COUNTER ? "_total" : type == FAMILY_INFO ? "_info" : "";
	const char *shown = families->is_open ? "" : suffix;

	families->name = name;
	families->suffix = suffix;
	fprintf(families->out, "# TYPE %s%s %s\n", name, shown, type_name(families, type));
	if (unit != NULL && families->is_open)
		fprintf(families->out, "# UNIT %s %s\n", name, unit);
	fprintf(families->out, "# HELP %s%s ", name, shown);
	escaped_write(families->out, help, families->is_open);
	fputc('\n', families->out);
}

/* Name and labels; le: one more label, or NULL. */
static void
head_write(const struct families *families, const char *suffix, const struct label *labels,
		unsigned label_count, const char *le)
{
	fprintf(families->out, "%s%s", families->name, suffix);
	if (label_count == 0 && le == NULL)
		return;
	for (unsigned i = 0; i < label_count; i++) {
		fprintf(families->out, "%c%s=\"", i == 0 ? '{' : ',', labels[i].name);
		escaped_write(families->out, labels[i].value, true);
		fputc('"', families->out);
	}
	if (le != NULL)
		fprintf(families->out, "%cle=\"%s\"", label_count == 0 ? '{' : ',', le);
	fputc('}', families->out);
}

void
family_count(struct families *families, const struct label *labels, unsigned label_count,
		int64_t value)
{
	head_write(families, families->suffix, labels, label_count, NULL);
	fprintf(families->out, " %" PRId64 "\n", value);
}

void
family_number(struct families *families, const struct label *labels, unsigned label_count,
		double value)
{
	head_write(families, families->suffix, labels, label_count, NULL);
	fprintf(families->out, " %.16g\n", value);
}

void
family_histogram(struct families *families, const struct label *labels, unsigned label_count,
		const uint64_t *buckets, unsigned bucket_count, double first, double sum)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < bucket_count; i++) {
		char le[32] = "+Inf";

		below += buckets[i];
		if (i + 1 < bucket_count)
			snprintf(le, sizeof(le), "%.10g", ldexp(first, (int)i));
		head_write(families, "_bucket", labels, label_count, le);
		fprintf(families->out, " %" PRIu64 "\n", below);
	}
	head_write(families, "_count", labels, label_count, NULL);
	fprintf(families->out, " %" PRIu64 "\n", below);
	head_write(families, "_sum", labels, label_count, NULL);
	fprintf(families->out, " %.16g\n", sum);
}

void
families_end(struct families *families)
{
	if (families->is_open)
		fputs("# EOF\n", families->out);
}
