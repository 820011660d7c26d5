/* SPDX-License-Identifier: BSD-3-Clause */
/* The settings that a script can change, by their names in the configuration. */
#include <string.h>

#include "scene.h"

/* A setting with words for values: which word is which number. */
struct word_setting {
	const char *key;
	size_t offset;
	const char *words[4];
};

struct number_setting {
	const char *key;
	size_t offset;
	size_t size;
};

#define NUMBER(name, member)                                                                       \
	{                                                                                          \
		name, offsetof(struct backend_config, member),                                     \
				sizeof(((struct backend_config *)NULL)->member)                    \
	}

static const struct number_setting numbers[] = {
		NUMBER("tcp_syncookies", tcp_syncookies),
		NUMBER("tcp_abort_on_overflow", tcp_abort_on_overflow),
		NUMBER("tcp_synack_retries", tcp_synack_retries),
		NUMBER("tcp_syn_retries", tcp_syn_retries),
		NUMBER("backlog", backlog),
		NUMBER("somaxconn", somaxconn),
		NUMBER("tcp_max_syn_backlog", tcp_max_syn_backlog),
		NUMBER("connect_window", connect_window),
		NUMBER("announced_mss", announced_mss),
		NUMBER("announced_wscale", announced_wscale),
		NUMBER("draining", is_draining),
};

static const struct word_setting word_settings[] = {
		{"queue_rules", offsetof(struct backend_config, queue_rules),
				{"linux-2.6", "linux-4.4", "linux-6.18", "classic"}},
		{"early_data", offsetof(struct backend_config, early_data),
				{"auto", "zero-window", "hold"}},
		{"stray", offsetof(struct backend_config, stray), {"drop", "reset", "pass"}},
		{"mode", offsetof(struct backend_config, mode), {"protect", "monitor", "off"}},
		{"fragments", offsetof(struct backend_config, fragments), {"drop", "pass"}},
};

static bool
number_set(struct scene *s, const char *key, const char *value)
{
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint32_t number;

		if (strcmp(numbers[i].key, key) != 0)
			continue;
		number = (uint32_t)scene_number(s, value);
		/* Little endian: the low bytes come first. */
		memcpy((uint8_t *)&s->config + numbers[i].offset, &number, numbers[i].size);
		return true;
	}
	return false;
}

static bool
word_set(struct scene *s, const char *key, const char *value)
{
	for (unsigned i = 0; i < sizeof(word_settings) / sizeof(word_settings[0]); i++) {
		const struct word_setting *setting = &word_settings[i];

		if (strcmp(setting->key, key) != 0)
			continue;
		for (unsigned w = 0; w < 4 && setting->words[w] != NULL; w++)
			if (value != NULL && strcmp(setting->words[w], value) == 0) {
				((uint8_t *)&s->config)[setting->offset] = (uint8_t)w;
				return true;
			}
		return false;
	}
	return false;
}

void
scene_set(struct scene *s, const char *key, const char *value)
{
	if (key == NULL || (!number_set(s, key, value) && !word_set(s, key, value)))
		scene_fail(s, "no such setting or value");
	else if (s->snapshot != NULL)
		scene_publish(s);
}

void
scene_limit(struct scene *s, const char *key, const char *value)
{
	uint32_t number = (uint32_t)scene_number(s, value);

	if (s->workers[0] != NULL || key == NULL)
		scene_fail(s, "limits come first");
	else if (strcmp(key, "connections") == 0)
		s->limits.connections = s->limits.connections_ip6 = number;
	else if (strcmp(key, "syn_entries") == 0)
		s->limits.syn_entries = number;
	else if (strcmp(key, "early_packets") == 0)
		s->limits.early_packets = number;
	else
		scene_fail(s, "no such limit");
}
